"""Calls of plain functions off the loop, wherever that is.

A call in a thread can't be stopped. So a caller that is cancelled does not wait for its call: the
call is left, its result is dropped, and what it raises is logged. It keeps its slot until it ends.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import itertools
import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from functools import partial
from math import inf
from typing import Any, Final

from .._common.messages import note, short
from .._common.text import counted
from .._loops.event_loop import call_soon
from .._loops.inbox import Inbox, running_loop
from .._streams.channel import BUFFER
from .._streams.context import unmistakable
from .._streams.iteration import END
from .attempt_clock import AttemptClock
from .handed_over import Future, Iteration, Job, Release, Task, WorkItem
from .slots import Slots

__all__ = ["GRACE_SECONDS", "JOIN_SECONDS", "Offload", "OffloadedItems", "done"]

_log = logging.getLogger(__name__)

#: Seconds that calls which still run are waited for when a run has ended.
GRACE_SECONDS: Final = 5.0
#: Seconds at most in which ends what has nothing to do but to end.
JOIN_SECONDS: Final = 1.0


class Offload(ABC):
    """The calls of one step, off the loop; `size` of them at once, those included that were left.

    An iterator that a call returns is read where it was made, `buffer` items ahead at most, each as
    `snapshot` returns it. After `cancel`, new calls and those that still wait for their turn raise
    CancelledError.
    """

    _fate = "threads can't be stopped, and are left to end by themselves"
    #: whether a call that is submitted runs at once
    _begins_at_once = True
    #: whether a call that has not begun can be called off
    _calls_off = True

    def __init__(
        self,
        who: str,
        size: float = inf,
        *,
        buffer: int = BUFFER,
        snapshot: Callable[[Any], Any] | None = None,
    ) -> None:
        self._who = who
        self._reading = (buffer, snapshot)
        self._over = False
        # Other threads take from it: `discard` and `list` are one step of the interpreter each.
        self._running: set[Future] = set()
        self._left: dict[asyncio.Task[Any] | None, Job] = {}
        self._clocks: dict[asyncio.Task[Any] | None, AttemptClock] = {}
        self._releasing: set[asyncio.Future[Any]] = set()
        self._iterations: set[Iteration] = set()
        self._late_errors = itertools.count()
        self._late_text = ""
        self._inbox: Inbox | None = None
        #: how many calls run at once
        self.size = size
        self._slots = Slots(who, size)

    async def call(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """What the function returns, or raises; it sees the context variables of the caller.

        An iterator is returned as an asynchronous one, which is read where it was made; it must be
        closed. Cancelled, the call ends at once, and the function is left. In a process there are
        no context variables of the caller, and an iterator becomes a list.
        """
        call = WorkItem(partial(function, *args, **kwargs), *self._reading)
        given = await self._outcome(await self._begin(call, call))
        return self._items(given) if given.__class__ is Iteration else given

    def iterate(self, items: Iterable[Any]) -> OffloadedItems:
        """The items of what was not made here, each step elsewhere, as `call` returns them."""
        return self._items(Iteration(items, contextvars.copy_context(), *self._reading))

    def _items(self, iteration: Iteration) -> OffloadedItems:
        self._iterations.add(iteration)
        return OffloadedItems(self, iteration)

    # Attempts, which hand their clock down, and may leave a call behind

    async def limited(self, clock: AttemptClock, awaitable: Awaitable[Any]) -> Any:
        """Await for as long as `clock` says; it stands still while a call waits to begin."""
        task = asyncio.current_task()
        self._clocks[task] = clock
        try:
            return await clock.limit(awaitable)
        finally:
            del self._clocks[task]

    def release_later(self, release: Release) -> bool:
        """Whether the call that the current task has left last still runs; `release` then follows
        its end, for what that call holds."""
        job = self._left.pop(asyncio.current_task(), None)
        if job is None:
            return False
        job.releases.append(release)
        return True

    # The end

    def cancel(self) -> None:
        """Take no new calls, drop those that wait, end what is idle; at once, without waiting."""
        self._over = True
        self._slots.cancel()
        if self._calls_off:
            for future in list(self._running):
                future.cancel()

    async def aclose(self) -> str | None:
        """Cancel, and wait for the calls that still run, GRACE seconds at most.

        If some run even then, tells so: once in the log, as a warning, and in what it returns.
        """
        self.cancel()
        for iteration in list(self._iterations):
            if iteration.leave(begun=True):
                self._close_later(iteration)
        told, when = None, "as the run ended"
        try:
            loop = asyncio.get_running_loop()
            deadline = loop.time() + GRACE_SECONDS
            # Again, since a step that ends may be followed by the closing of its iterator.
            while (pending := self._pending()) and (left := deadline - loop.time()) > 0:
                await asyncio.wait([done(future) for future in pending], timeout=left)
            await asyncio.sleep(0)  # what has ended releases what it held
            if self._releasing:
                await asyncio.wait(self._releasing)
            when = f"{GRACE_SECONDS:g} s after the run ended"
        finally:
            self._tell_of_late_errors()
            if calls := self._end():
                told = f"{self._who}: {counted(calls, 'call')} still ran {when}; {self._fate}"
                _log.warning("%s", told)
        return told

    def _tell_of_late_errors(self) -> None:
        number, text = next(self._late_errors), self._late_text
        if text:
            in_all = f" ({counted(number, 'call')} in all)" if number > 1 else ""
            _log.warning("%s%s", text, in_all)
            self._late_text = ""

    @abstractmethod
    def _submit(self, work: Task, iteration: Iteration | None = None) -> Future:
        """Run `work` elsewhere; where `iteration` is read, if that is one place."""

    def _pending(self) -> list[Future]:
        return [future for future in list(self._running) if not future.done()]

    def _end(self) -> int:
        """End what can be ended now; how many calls still run."""
        calls = len(self._pending())
        self._running.clear()
        return calls

    # Handing over

    async def begin_trip(self, iteration: Iteration) -> Job:
        """Have some items made, once there is a slot for that."""
        return await self._begin(iteration, iteration.trip)

    async def _begin(self, begins: WorkItem | Iteration, work: Task) -> Job:
        self._check_open()
        loop = asyncio.get_running_loop()
        self._inbox = self._inbox or Inbox(loop)
        clock = self._clocks.get(asyncio.current_task())
        begins.begun = None
        if clock is not None and not (self._slots.are_free and self._begins_at_once):
            clock.stop()
            begins.begun = partial(call_soon, loop, clock.start)
        turn = None if self._slots.try_take() else await self._slots.take()
        try:
            self._check_open()
            iteration = begins if isinstance(begins, Iteration) else None
            if iteration is not None:
                iteration.begin()
            job = Job(self._submitted(work, iteration), turn)
        except BaseException:
            self._slots.give_back()
            self._slots.end_turn(turn)
            raise
        job.future.add_done_callback(partial(self._note_end, loop, job))
        return job

    def _note_end(self, loop: asyncio.AbstractEventLoop, job: Job, _: Future) -> None:
        # Where the call has ended, for its loop may have ended before.
        self._slots.end_turn(job.turn)
        self.post(loop, self._end_job, job)

    def post(
        self, loop: asyncio.AbstractEventLoop, callback: Callable[..., object], *args: object
    ) -> None:
        """Call back on the loop soon; there, in its next turn."""
        # One wake-up serves all who post before the loop comes round (benchmark "threads").
        if running_loop() is loop:
            loop.call_soon(callback, *args)
        else:
            assert self._inbox is not None
            self._inbox.post(callback, *args)

    def _check_open(self) -> None:
        if self._over:
            raise asyncio.CancelledError(f"{self._who}: the run has ended")

    def _submitted(self, work: Task, iteration: Iteration | None = None) -> Future:
        try:
            future = self._submit(work, iteration)
        except Exception as error:
            self._explain(error)
            raise
        self._running.add(future)
        future.add_done_callback(self._running.discard)
        return future

    def _end_job(self, job: Job) -> None:
        job.has_ended = True
        job.wake()
        if not job.is_left:
            self._slots.give_back()
            return
        self._slots.end_left()
        if self._left.get(job.task) is job:
            del self._left[job.task]  # what it has returned must not live any longer
        for release in job.releases:
            releasing = asyncio.ensure_future(release())
            self._releasing.add(releasing)
            releasing.add_done_callback(self._releasing.discard)

    async def _outcome(self, job: Job) -> Any:
        # Not `asyncio.wrap_future`: it raises copies of some errors, of TimeoutError for one, and
        # can't carry StopIteration.
        error: BaseException | None = None
        try:
            try:
                await job.news()
            except BaseException:
                self.leave(job)
                raise
            error = self.error_of(job.future)
            if error is not None:
                raise error
            return job.future.result()
        finally:
            # The traceback of the error knows this frame: they would keep each other alive.
            del job, error

    def error_of(self, future: Future) -> BaseException | None:
        """The error to raise for what has ended."""
        if future.cancelled():
            if self._over:
                return asyncio.CancelledError(f"{self._who}: the run has ended")
            return RuntimeError(f"{self._who}: its executor was shut down before a call had begun")
        raised = future.exception()
        return None if raised is None else self.explained(raised)

    def explained(self, raised: BaseException) -> BaseException:
        """The error to raise for one that a call has raised elsewhere."""
        self._explain(raised)
        error = unmistakable(raised, self._who)
        if error is not raised:
            error.__cause__ = raised
        return error

    def _explain(self, error: BaseException) -> None:
        """Add to an error what its words leave out."""
        import pickle

        # What pickle raises has no type of its own; for a note, its words will do.
        kinds = (pickle.PicklingError, TypeError, AttributeError)
        if type(error) in kinds and "pickle" in str(error):
            note(error, f"{self._who}: what goes to a process and back must be picklable")

    # Leaving

    def leave(self, job: Job) -> None:
        """The current task waits for it no longer: it is called off, or ends by itself."""
        if self._calls_off and job.future.cancel():
            return
        if not job.future.done():
            job.is_left = True
            self._slots.leave(job.turn)
            job.task = asyncio.current_task()
            self._left[job.task] = job
        job.is_dropped = True
        job.future.add_done_callback(self.drop)

    def drop(self, future: Future) -> None:
        """Nobody waits for what it has returned, or raised."""
        if future.cancelled():
            return
        given = None if (error := future.exception()) else future.result()
        if inspect.iscoroutine(given):
            given.close()  # or it complains that it was never awaited
        elif isinstance(given, Iteration):
            error = given.error
            if given.leave(begun=True):
                self._close_later(given)
        if error is not None:
            self._note_late(error)

    def _note_late(self, error: BaseException) -> None:
        text = f"{self._who}: a call that was left failed: {short(error)}"
        _log.debug("%s", text, exc_info=error)
        # A server that is down fails a hundred calls at once, and one line of that is news: at the
        # end of the run.
        if not next(self._late_errors):
            self._late_text = text

    def _submit_closing(self, iteration: Iteration) -> Future | None:
        """Have an iterator closed where it is read; None if it was closed here."""
        try:
            return self._submitted(iteration.close, iteration)
        except RuntimeError:
            iteration.close()  # an executor that was shut down: here, rather than not at all
            return None

    def _close_later(self, iteration: Iteration) -> None:
        if (future := self._submit_closing(iteration)) is not None:
            future.add_done_callback(self.drop)

    async def close(self, iteration: Iteration, trip: Job | None) -> None:
        """Close an iterator where it is read; `trip` is the last one, if nobody has seen its end.

        Raises what closing it raises; waits for a trip that runs, but not for long.
        """
        self._iterations.discard(iteration)
        if iteration.error is not None:
            self._note_late(iteration.error)
        if trip is not None and trip.future.done() and not trip.future.cancelled():
            if not trip.is_dropped and trip.future.exception() is not None:
                self.drop(trip.future)  # it read ahead, up to what nobody asked for
            trip = None
        if iteration.leave(begun=trip is not None and not trip.future.cancelled()):
            future = self._submit_closing(iteration)
        else:
            future = None if trip is None or trip.is_dropped else trip.future
        if future is None:
            return
        try:
            await asyncio.wait([done(future)], timeout=JOIN_SECONDS)
        except BaseException:
            future.add_done_callback(self.drop)
            raise
        if not future.done():
            future.add_done_callback(self.drop)
        elif (error := self.error_of(future)) is not None:
            try:
                raise error
            finally:
                del future, trip, error  # as in `_outcome`


class OffloadedItems(AsyncIterator[Any]):
    """The items of an iterator that is read elsewhere; `kind` is what its class is called."""

    __slots__ = ("_change", "_iteration", "_offload", "_trip", "kind")

    def __init__(self, offload: Offload, iteration: Iteration) -> None:
        self._offload = offload
        self._iteration = iteration
        self._trip: Job | None = None
        self._change: Callable[[Any], Any] | None = None
        self.kind = iteration.kind

    def changed(self, change: Callable[[Any], Any]) -> OffloadedItems:
        """The same, each item as `change` makes it, on the loop."""
        self._change = change
        return self

    def poll(self) -> Any:
        """An item that is ready, or END."""
        ready = self._iteration.ready
        if not ready:
            return END
        item = ready.popleft()
        return item if self._change is None else self._change(item)

    async def __anext__(self) -> Any:
        while not self._iteration.ready:
            await self._made()
        return self.poll()

    async def _made(self) -> None:
        """Wait until an item is ready; cancelled, leave the trip that makes it."""
        iteration, offload = self._iteration, self._offload
        trip = self._trip
        if trip is None:
            if iteration.is_over:
                self._end()
            trip = self._trip = await offload.begin_trip(iteration)
        news = trip.news()
        iteration.notify = partial(offload.post, asyncio.get_running_loop(), trip.wake)
        if not iteration.ready:
            try:
                await news
            except BaseException:
                offload.leave(trip)
                raise
        iteration.notify = None
        if not trip.has_ended or iteration.ready:
            return
        error = offload.error_of(trip.future)
        self._trip = None
        try:
            if error is not None:
                raise error
        finally:
            del trip, error  # as in `_outcome`

    def _end(self) -> None:
        error, self._iteration.error = self._iteration.error, None
        if error is None:
            raise StopAsyncIteration
        try:
            raise self._offload.explained(error)
        finally:
            del error  # as in `_outcome`

    async def aclose(self) -> None:
        """Make no more items; close the iterator where it is read."""
        self._iteration.ready.clear()
        trip, self._trip = self._trip, None
        await self._offload.close(self._iteration, trip)


def done(future: Future) -> asyncio.Future[None]:
    """A future of this loop that says when that one is done."""
    job = Job(future)
    future.add_done_callback(partial(call_soon, asyncio.get_running_loop(), job.wake))
    return job.news()
