"""A stream as an observable: one task that iterates, asks demand, emits.

Rules of this file, and of `intake`:

1. A stream becomes an observable by a driver: one task that iterates, asks demand, emits.
2. An observable becomes a stream by an intake: a channel whose room is the demand upstream.
3. Events reach an observer on the loop's thread, one at a time, and nothing after the last one.
4. An observer hears the end when everything upstream of it has been cleaned up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sized
from functools import partial
from math import inf
from typing import Any, Final, Generic, Protocol, runtime_checkable

from reactivex import abc
from reactivex.disposable import Disposable

from .._common.messages import also_raised
from .._errors import UsageError
from .._loops.inbox import running_loop
from .._loops.loop_errors import note_loop_error
from .._streams.channel import BUFFER, Channel
from .._streams.iteration import END, Reader, aclose, cancel, poller
from .._typing import T
from .errors import as_exception
from .scheduler import FlowScheduler
from .scope import Scope

__all__ = ["LOOP_ENDED", "Driver", "RootObserver"]

#: what those are told who listen on other loops to what is multicast
LOOP_ENDED: Final = (
    "a source that several runs listen to (ops.share(), publish(), replay()) ran on the event loop"
    " of the run that subscribed first, and that loop runs no longer: let all of them run on one"
    " loop, or connect the source on a loop that lives longer (ops.publish(), and .connect() in a"
    " coroutine there)"
)

#: what those are told who listen to a part of a run that has ended
_RUN_ENDED: Final = (
    "the run that this source belongs to has ended, and its source with it, while others listen"
    " still, to a group or a window of it, or by an operator of your own: put ops.share() behind"
    " the operator that hands it out, and the source belongs to all who listen"
)


@runtime_checkable
class Releasing(Protocol):
    """A stream that can hand out at once what it has ready."""

    def release(self) -> list[Any]:
        """What nobody has taken; it is not emitted again."""
        ...


Subscribe = Callable[[abc.ObserverBase[T], FlowScheduler], abc.DisposableBase]


class Driver(Generic[T]):
    """Iterates over a stream and emits its items, one as soon as demand allows.

    A stream that is open already is the driver's from now on: it is closed at the end, also of a
    driver that never comes to read it.
    """

    def __init__(
        self,
        stream: AsyncIterator[T] | Callable[[], AsyncIterator[T]],
        observer: abc.ObserverBase[T],
        flow: FlowScheduler,
    ) -> None:
        self._source = stream
        #: what is open before it is read
        self._unread: AsyncIterator[T] | None = None if callable(stream) else stream
        self._observer = observer
        self._flow = flow
        self._scope = flow.scope
        self._task: asyncio.Task[None] | None = None
        self._disposed = False
        #: whether the stream is being closed, into which no cancellation may break
        self._closing = False
        self._stream: AsyncIterator[T] | None = None
        #: the item that waits for demand
        self._held: Any = END
        if flow.demand is self._scope.final_demand:
            self._scope.add_final(self)
        flow.on_loop(self._start)

    def _start(self) -> None:
        if self._disposed:
            self._discard_unread()
            return
        self._task = self._scope.start(self._drive())
        if self._unread is not None:
            # A task that is cancelled before its first turn does nothing at all.
            self._task.add_done_callback(self._discard_unread)

    def _discard_unread(self, _: object = None) -> None:
        unread, self._unread = self._unread, None
        if unread is not None:
            self._scope.discard(unread)

    async def _drive(self) -> None:
        stream: AsyncIterator[T] | None = None
        error: BaseException | None = None
        try:
            if self._scope.time_slice.gate is not None:
                await self._scope.time_slice.yield_to_loop()
            stream = self._stream = self._opened()
            await self._emit(stream)
        except BaseException as raised:
            error = raised
            if self._flow.demand is self._scope.final_demand:
                self.release()
        self._closing = True
        if self._task is not None:
            self._scope.let_finish(self._task)
        cancel(stream)
        try:
            await aclose(stream)
        except BaseException as late:
            if error is None or isinstance(error, asyncio.CancelledError):
                error = late
            else:
                also_raised(error, late)
        self._end(error)

    def _opened(self) -> AsyncIterator[T]:
        self._unread, source = None, self._source
        return source() if callable(source) else source

    async def _emit(self, stream: Any) -> None:
        demand, on_next, scope = self._flow.demand, self._observer.on_next, self._scope
        poll: Callable[[], T] = poller(stream)
        reader: Reader[T] = Reader(stream)
        scheduled = scope.scheduled
        is_thrown = False
        queue = demand if isinstance(demand, Channel) else None
        # Its room is looked at here, without a call: 0.2 µs of an item (benchmark "consumers").
        waiting: Sized = () if queue is None else queue.items
        queued = unseen = 0
        while True:
            item = END if is_thrown else poll()
            if item is END:
                is_thrown = False
                try:
                    item = await reader.next()
                except StopAsyncIteration:
                    return
            if scope.scheduled != scheduled:
                # An operator has put something off. That must come through before the demand can
                # tell whether there is room.
                await asyncio.sleep(0)
                scheduled = scope.scheduled
            if (queue is None or len(waiting) + queue.reserved >= queue.size) and not demand.ready:
                self._held = item
                is_thrown = await self._wait_for_demand(stream, reader)
                if self._held is END:  # released
                    return
                self._held = END
            if self._disposed:
                return
            on_next(item)
            if self._disposed or scope.closing:
                return
            if queue is not None:
                # What operators hold doesn't count as demand. If they hold it until another source
                # emits something, as zip does, that one must have its turn.
                unseen = unseen + 1 if len(waiting) == queued else 0
                queued = len(waiting)
                if unseen == BUFFER and queue.size != inf:
                    unseen = 0
                    await asyncio.sleep(0)

    async def _wait_for_demand(self, stream: Any, reader: Reader[T]) -> bool:
        """Wait for room; whether a cancellation that came meanwhile is thrown into the stream.

        It may be by a time-out or cancel scope that the source holds across its yield. What the
        stream yields in answer comes behind the item that waits.
        """
        try:
            await self._flow.demand.wait()
        except asyncio.CancelledError as error:
            throw = getattr(stream, "throw", None)
            if self._disposed or self._scope.closing or throw is None:
                raise
            reader.throw(error, throw)
            return True
        return False

    def release(self) -> None:
        """Emit what is done, whether or not there is room for it: the run is at its end."""
        held, self._held = self._held, END
        released = [] if held is END else [held]
        if isinstance(self._stream, Releasing):
            released += self._stream.release()
        for item in released:
            if not self._disposed:
                self._observer.on_next(item)

    def _end(self, error: BaseException | None) -> None:
        scope = self._scope
        cancelled = isinstance(error, asyncio.CancelledError)
        if self._disposed or scope.closing:
            if error is not None and not cancelled:
                scope.add_error(error)
            if not self._disposed:
                scope.call_when_closed(self._tell_others)
        elif error is None:
            self._observer.on_completed()
        elif isinstance(error, Exception) or scope.on_fail is None:
            self._observer.on_error(error)  # type: ignore[arg-type]  # Rx passes on any object
        else:
            # Rx operators catch Exception only, and wait for ever on anything else.
            scope.fail(error)

    def _tell_others(self) -> None:
        """Tell those who listen still of the end, now that the run has unsubscribed from all it had
        subscribed to: they aren't part of it."""
        if not self._disposed:
            try:
                self._observer.on_error(UsageError(_RUN_ENDED))
            except BaseException as raised:
                self._scope.call_exception_handler(raised)

    def dispose(self) -> None:
        """Emit nothing more; cancel what is in flight, and close the stream."""
        self._disposed = True
        if self._task is not None and not (self._task.done() or self._closing):
            self._flow.on_loop(self._cancel)

    def _cancel(self) -> None:
        scope, task = self._scope, self._task
        if task is None or self._closing or scope.closing or asyncio.current_task() is task:
            return
        # Once: a second time, by the scope, would break into what it does to clean up.
        scope.let_finish(task)
        task.cancel()


class RootObserver(Generic[T]):
    """The most downstream subscription of a run that Rx itself began.

    Makes the scope of the run, and tells the observer the end when all of it has ended.
    """

    def __init__(self, observer: abc.ObserverBase[T], scheduler: abc.SchedulerBase | None) -> None:
        self._observer = observer
        of_caller = FlowScheduler.of(scheduler)
        self._last_run = of_caller.last_run
        self._scope = Scope(of_caller.loop, on_fail=self.on_error)
        self.flow = FlowScheduler(of_caller.loop, self._scope, of_caller.demand)
        self._subscription: abc.DisposableBase | None = None
        self._is_over = False
        #: closes the scope; kept, because a loop holds its tasks weakly
        self._closing_task: asyncio.Task[None] | None = None
        self.on_next = observer.on_next

    def begin(self, subscribe: Subscribe[T]) -> abc.DisposableBase:
        """Subscribe, and return the subscription."""
        observer: Any = self  # by its shape
        self._subscription = subscribe(observer, self.flow)
        return Disposable(self.dispose)

    def on_error(self, error: object) -> None:
        """End with `error`; from an observable, it may be any object."""
        raised = as_exception(error)
        if self._last_run is not None and _is_cancelled_from_outside(raised):
            self._end_with_loop()
        else:
            self._finish(raised)

    def _end_with_loop(self) -> None:
        """Tell the end at once (in spite of rule 4): the loop, at its end, has cancelled what runs
        on it, and waits for nothing more; and others may listen on loops that go on."""
        if not self._is_over:
            self._is_over = True
            self._scope.abandon()
            self._scope.cancel()
            if self._scope.has_resources:  # in the turns that the loop has left
                self._closing_task = asyncio.Task(self._scope.close(), loop=self.flow.loop)
            self._observer.on_error(UsageError(LOOP_ENDED))

    def on_completed(self) -> None:
        """End."""
        self._finish(None)

    def _finish(self, error: BaseException | None) -> None:
        if self._is_over:
            if error is not None:
                self._scope.add_error(error)
            return
        self._is_over = True
        self._closing_task = asyncio.Task(self._end(error), loop=self.flow.loop)

    async def _end(self, error: BaseException | None) -> None:
        if self._subscription is not None:
            self._subscription.dispose()
        await self._scope.close(error)
        error = self._scope.final_error(error)
        if error is not None:
            note_loop_error(error)
        try:
            if self._scope.abandoned:  # meanwhile
                if error is not None:
                    self._scope.call_exception_handler(error)
            elif error is None:
                self._observer.on_completed()
            else:
                self._observer.on_error(error)  # type: ignore[arg-type]  # Rx passes on any object
        except BaseException as raised:
            self._scope.call_exception_handler(raised)

    def dispose(self) -> None:
        """End without telling the observer. The run that listened last to what is multicast waits
        for the end, and is told of what goes wrong."""
        last_run = None if self._last_run is None else self._last_run()
        if self._is_over or last_run is None:
            self._scope.abandon()
        if self._is_over:
            return
        self._is_over = True
        self.flow.on_loop(partial(self._cancel, last_run))

    def _cancel(self, last_run: Scope | None) -> None:
        if self._subscription is not None:
            self._subscription.dispose()
        self._scope.cancel()
        if last_run is not None and last_run.loop is self.flow.loop and not last_run.closed:
            last_run.wait_for(self._close_within(last_run))
            return
        self._scope.abandon()
        # Threads and processes must be waited for, or nobody would stop those that hang; and what
        # is open is closed when all calls have ended.
        if self._scope.is_to_be_closed:
            ending = self._scope.close(GeneratorExit())  # as of a stream that somebody closes
            self._closing_task = asyncio.Task(ending, loop=self.flow.loop)

    async def _close_within(self, run: Scope) -> None:
        await self._scope.close(GeneratorExit())
        for late in self._scope.errors:
            run.add_error(late)


def _is_cancelled_from_outside(error: BaseException) -> bool:
    """Whether `error` comes of a cancellation of the task that runs now."""
    task = asyncio.current_task() if running_loop() is not None else None
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0
