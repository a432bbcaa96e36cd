"""Calls of plain functions off the loop, wherever that is.

A call in a thread can't be stopped. So a caller that is cancelled does not wait for its call: the
call is left, its result is dropped, and what it raises is logged.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from concurrent import futures
from functools import partial
from typing import Any, Final, TypeAlias

from .._common.messages import note, short
from .._common.text import counted
from .._streams.context import unmistakable
from .._streams.iteration import END

__all__ = ["GRACE_SECONDS", "JOIN_SECONDS", "Future", "Offload", "Task"]

_log = logging.getLogger(__name__)

Task: TypeAlias = Callable[[], Any]
Future: TypeAlias = futures.Future[Any]

#: Seconds that calls which still run are waited for when a run has ended.
GRACE_SECONDS: Final = 5.0
#: Seconds at most in which ends what has nothing to do but to end.
JOIN_SECONDS: Final = 1.0


class Offload(ABC):
    """The calls of one step, off the loop.

    After `cancel`, new calls and those that still wait for their turn raise CancelledError.
    """

    _remote = False
    _fate = "threads can't be stopped, and are left to end by themselves"

    def __init__(self, who: str) -> None:
        self._who = who
        self._over = False
        # Other threads take from it: `discard` and `list` are one step of the interpreter each.
        self._running: set[Future] = set()

    async def call(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """What the function gives, or raises; it sees the context variables of the caller.

        Cancelled, it ends at once, and the call is left. In a process there are no context
        variables of the caller, and an iterator that the function gives becomes a list.
        """
        run = _in_process if self._remote else contextvars.copy_context().run
        return await self._outcome(self._start(partial(run, partial(function, *args, **kwargs))))

    async def iterate(self, items: Iterable[Any]) -> AsyncGenerator[Any, None]:
        """The items, each step elsewhere, all in one context; closes the iterator on every way out.

        Cancelled, it ends at once; the iterator is closed elsewhere as soon as its step is done.
        Lists and tuples are iterated here, and so is whatever has come from a process.
        """
        if self._remote or type(items) in (list, tuple):
            for item in items:  # nothing of the user's runs; a thread costs 150 µs an item
                yield item
            return
        steps, run = _Steps(items), contextvars.copy_context().run
        future: Future | None = None
        try:
            while True:
                future, steps.stepping = None, True
                future = self._start(partial(run, steps.step))
                if (item := await self._outcome(future)) is END:
                    return
                yield item
        finally:
            if steps.leave(begun=future is not None and not future.cancelled()):
                await self._close(partial(run, steps.close))

    async def _close(self, close: Task) -> None:
        try:
            future = self._start(close, closing=True)
        except RuntimeError:
            close()  # an executor that was shut down: here, rather than not at all
        else:
            await self._outcome(future)

    def cancel(self) -> None:
        """Take no new calls, drop those that wait, end what is idle; at once, without waiting."""
        self._over = True
        for future in list(self._running):
            future.cancel()

    async def aclose(self) -> str | None:
        """Cancel, and wait for the calls that still run, GRACE seconds at most.

        If some run even then, tells so: once in the log, as a warning, and in what it gives.
        """
        self.cancel()
        told, when = None, "as the run ended"
        try:
            loop = asyncio.get_running_loop()
            deadline = loop.time() + GRACE_SECONDS
            # Again, since a step that ends may be followed by the closing of its iterator.
            while (pending := self._pending()) and (left := deadline - loop.time()) > 0:
                await asyncio.wait([_done(future) for future in pending], timeout=left)
            when = f"{GRACE_SECONDS:g} s after the run ended"
        finally:
            if calls := self._end():
                told = f"{self._who}: {counted(calls, 'call')} still ran {when}; {self._fate}"
                _log.warning("%s", told)
        return told

    @abstractmethod
    def _submit(self, work: Task) -> Future:
        """Run `work` elsewhere."""

    def _pending(self) -> list[Future]:
        return [future for future in list(self._running) if not future.done()]

    def _end(self) -> int:
        """End what can be ended now; how many calls still run."""
        calls = len(self._pending())
        self._running.clear()
        return calls

    def _start(self, work: Task, closing: bool = False) -> Future:
        if self._over and not closing:
            raise asyncio.CancelledError(f"{self._who}: the run has ended")
        try:
            future = self._submit(work)
        except RuntimeError as error:
            self._explain(error)
            raise
        self._running.add(future)
        future.add_done_callback(self._running.discard)
        return future

    async def _outcome(self, future: Future) -> Any:
        # Not `asyncio.wrap_future`: it raises copies of some errors, of TimeoutError for one, and
        # can't carry StopIteration.
        error: BaseException | None = None
        try:
            try:
                await _done(future)
            except BaseException:
                # In vain if it runs. Not in a pool of processes: if that breaks while a cancelled
                # call is in its queue, those behind this one hang (Python 3.11).
                if not self._remote:
                    future.cancel()
                future.add_done_callback(self._late)
                raise
            error = self._error_of(future)
            if error is not None:
                raise error
            return future.result()
        finally:
            # The traceback of the error knows this frame: they would keep each other alive.
            del future, error

    def _error_of(self, future: Future) -> BaseException | None:
        if future.cancelled() or self._stopped(future):
            if self._over:
                return asyncio.CancelledError(f"{self._who}: the run has ended")
            return RuntimeError(f"{self._who}: its executor was shut down before a call had begun")
        raised = future.exception()
        if raised is None:
            return None
        self._explain(raised)
        error = unmistakable(raised, self._who)
        if error is not raised:
            error.__cause__ = raised
        return error

    def _stopped(self, future: Future) -> bool:
        ended = self._over and self._remote
        return ended and isinstance(future.exception(), futures.BrokenExecutor)

    def _late(self, future: Future) -> None:
        if future.cancelled() or self._stopped(future):
            return
        error = future.exception()
        if error is None:
            given = future.result()
            if inspect.iscoroutine(given):
                given.close()  # or it complains that it was never awaited
        elif _log.isEnabledFor(logging.WARNING):
            why = short(error)
            _log.warning("%s: a call that was left failed: %s", self._who, why, exc_info=error)

    def _explain(self, error: BaseException) -> None:
        if self._remote and isinstance(error, futures.BrokenExecutor):
            note(
                error,
                f"a process of {self._who} crashed, was killed, or could not begin. Each process"
                " imports the main script, so what starts a run there must stand under `if __name__"
                ' == "__main__":`',
            )
        import pickle

        # What pickle raises has no type of its own; for a note, its words will do.
        kinds = (pickle.PicklingError, TypeError, AttributeError)
        if self._remote and type(error) in kinds and "pickle" in str(error):
            note(error, f"{self._who}: what goes to a process and back must be picklable")


class _Steps:
    """An iterator that steps elsewhere, and is closed once, never while it runs: the step that
    finds itself the last one closes it."""

    def __init__(self, items: Iterable[Any]) -> None:
        self._items = items
        self._iterator = items if isinstance(items, Iterator) else None
        self._lock = threading.Lock()
        self._left = self._closed = False
        #: whether a step was asked for that is not done
        self.stepping = False

    def step(self) -> Any:
        """The next item, or END."""
        last = True
        try:
            if self._iterator is None:
                self._iterator = iter(self._items)
            item = next(self._iterator, END)
            last = item is END
        finally:
            with self._lock:
                self.stepping = False
                self._closed = last = last or self._left
            if last:
                self.close()
        return item

    def leave(self, begun: bool) -> bool:
        """Ask for no more steps; whether the caller must close it, since no step will."""
        with self._lock:
            self._left = True
            return not (self._closed or (begun and self.stepping))

    def close(self) -> None:
        """Close the iterator, if it is one that can be closed."""
        close = getattr(self._iterator, "close", None)
        if close is not None:
            close()


def _in_process(work: Task) -> Any:
    """Run in a process; what can't be sent back is turned into something that can."""
    try:
        given = work()
        return list(given) if isinstance(given, Iterator) else given
    except BaseException as error:
        # One whose class takes other arguments than `args` could be sent, but not received: the
        # pool would break, and with it each call in it.
        import pickle

        try:
            pickle.loads(pickle.dumps(error))
        except Exception as why:
            text = f"{short(error)} was raised in a process, and can't be sent back: {short(why)}"
            raise RuntimeError(text) from error
        raise


def _done(future: Future) -> asyncio.Future[None]:
    """A future of this loop that says when that one is done."""
    loop = asyncio.get_running_loop()
    waiter = loop.create_future()
    busy_until = getattr(loop, "busy_until", None)
    if busy_until is not None:  # virtual time must not jump over a call that works
        busy_until(waiter)

    def wake() -> None:
        if not waiter.done():
            waiter.set_result(None)

    def tell(_: Future) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(wake)

    future.add_done_callback(tell)
    return waiter
