"""One run of a flow for all who listen to it, while listeners come and leave.

Rules of this file:

1. The run belongs to nobody who listens: it ends when its source does, or when it is told to.
2. Items are emitted on the loop of the run, to all who listen then; subscribing and leaving is for
   any thread.
3. An error is told to all who listen. Where nobody does, the code that ends the run is told, or
   else the loop's exception handler.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent import futures
from functools import partial
from threading import RLock
from typing import Any, Generic, NamedTuple

from reactivex import Observable, abc
from reactivex.disposable import Disposable

from .._errors import UsageError
from .._loops.kept_loop import at_standstill
from .._rx.multicast import DemandOfAll
from .._rx.scheduler import UNBOUNDED, FlowScheduler
from .._streams.channel import Channel
from .._streams.ordering import Arrival
from .._typing import Demand, T
from .execution import Execution

__all__ = ["Closing", "HotSource"]

_HUB_LOOP_ENDED = (
    "share(): the event loop on which the shared flow ran runs no longer: close the hub before"
    " (async with flow.share(…) as hub), or start it on a loop that lives longer"
)


class _Listener(NamedTuple):
    """An observer, and its room for items; on another loop, the source doesn't wait for it."""

    observer: abc.ObserverBase[Any]
    demand: Demand


class HotSource(Generic[T]):
    """Runs the paths of a flow once, and emits what they emit to all who listen.

    Keeps the last `replay` items for those who come later. All who listen have to have room for an
    item; with nobody there, the run goes on and items are dropped.
    """

    def __init__(self, paths: Callable[[], Sequence[Observable[T]]], replay: int) -> None:
        self._paths = paths
        self._recent: deque[T] = deque(maxlen=replay)
        self._replay = replay
        #: reentrant: code that is told of an item may subscribe, or leave
        self._lock = RLock()
        self._listeners: dict[object, _Listener] = {}
        self._targets: list[abc.ObserverBase[T]] = []
        self._demand = DemandOfAll()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._channel: Channel[Arrival] | None = None
        self._is_closing = False
        #: whether the loop stands still, until somebody listens there again
        self._is_left = False
        self._is_over = False
        self._error: BaseException | None = None
        #: whether somebody will be told of an error at the end
        self._is_awaited = False
        self._untold: BaseException | None = None
        self._ended: futures.Future[None] = futures.Future()

    def start(self, loop: asyncio.AbstractEventLoop, *, is_awaited: bool = False) -> None:
        """Begin to run on this loop, unless that has been done; `is_awaited` tells that the code
        that starts it waits for its end as well."""
        with self._lock:
            self._is_awaited = self._is_awaited or is_awaited
            if self._loop is not None or self._is_over:
                return
            self._loop = loop
        FlowScheduler(loop).on_loop(self._begin)

    def _begin(self) -> None:
        assert self._loop is not None
        self._task = self._loop.create_task(self._run())
        self._task.add_done_callback(_look_at)

    async def _run(self) -> None:
        error: BaseException | None = None
        take_back = at_standstill(asyncio.get_running_loop(), self._leave_loop)
        try:
            await self._emit()
        except asyncio.CancelledError as cancelled:
            error = cancelled
            if self._task is not None and self._task.cancelling():
                # By the loop, at its end; there may be listeners on other loops.
                error = UsageError(_HUB_LOOP_ENDED) if self._targets else None
        except BaseException as raised:
            error = raised
        take_back()
        self._finish(error)
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise error

    def _leave_loop(self) -> None:
        """The loop stands still: those who listen on other loops would wait for ever.

        They are told at once, as nobody may drive the loop until the source has cleaned up.
        """
        with self._lock:
            self._is_left = True
        if self._targets and self._task is not None:
            self._finish(UsageError(_HUB_LOOP_ENDED))
            self._task.cancel()

    async def _emit(self) -> None:
        if self._is_closing:
            return
        paths = self._paths()
        receivers = [self._on_next] * len(paths)
        # Closed by its channel, and not by a cancellation: of that, an error in cleaning up would
        # be a note.
        async with Execution(paths, receivers=receivers, demand=self._demand) as self._channel:
            await self._channel.filled()

    def _finish(self, error: BaseException | None) -> None:
        with self._lock:
            if self._is_over:
                return  # as the loop stood still
            self._is_over, self._error = True, error
            observers = self._targets
            self._listeners.clear()
            self._retarget()
        for observer in observers:
            _tell_end(observer, error)
        if error is not None and not observers:
            if self._is_awaited or self._loop is None:
                self._untold = error
            else:
                message = "fluxus_rx: a shared flow has failed, and nobody listens"
                self._loop.call_exception_handler({"message": message, "exception": error})
        self._ended.set_result(None)

    def _on_next(self, item: T) -> None:
        with self._lock:
            if self._replay:
                self._recent.append(item)
            observers = self._targets
        for observer in observers:
            observer.on_next(item)

    def subscribe(
        self,
        limit: int | None,
        observer: abc.ObserverBase[T],
        scheduler: abc.SchedulerBase | None = None,
    ) -> abc.DisposableBase:
        """Tell an observer of what comes from now on, and before that of the last items that are
        kept, `limit` of them at most; starts the run if nobody has."""
        flow = FlowScheduler.of(scheduler)
        key = object()
        with self._lock:
            skipped = 0 if limit is None else max(0, len(self._recent) - limit)
            for item in [*self._recent][skipped:]:
                observer.on_next(item)
            if self._is_over:
                _tell_end(observer, self._error)
                return Disposable()
            self.start(flow.loop)
            is_here = flow.loop is self._loop
            self._is_left = self._is_left and not is_here
            if self._is_left:
                _tell_end(observer, UsageError(_HUB_LOOP_ENDED))
                return Disposable()
            self._listeners[key] = _Listener(observer, flow.demand if is_here else UNBOUNDED)
            self._retarget()
        return Disposable(partial(self._leave, key))

    def _leave(self, key: object) -> None:
        with self._lock:
            if self._listeners.pop(key, None) is not None:
                self._retarget()

    def _retarget(self) -> None:
        self._targets = [listener.observer for listener in self._listeners.values()]
        self._demand.demands = [listener.demand for listener in self._listeners.values()]

    def close(self) -> Closing:
        """End the run, from any thread; what is returned can be awaited, and need not be."""
        with self._lock:
            is_first, self._is_closing = not self._is_closing, True
            loop = self._loop
        if is_first and loop is None:
            self._finish(None)
        elif is_first and loop is not None:
            flow = FlowScheduler(loop)
            flow.on_loop(self._close_channel)
            if self._is_left and not flow.here:
                self._finish(None)  # it cleans up when its loop is driven again
        return Closing(self)

    def _close_channel(self) -> None:
        if self._channel is not None:
            self._channel.close()

    async def ended(self) -> None:
        """Return when the run has ended, and has cleaned up; raise an error that nobody has been
        told of.

        Once cancelled, it waits for the clean-up still, if that is on the loop that runs here;
        cancelled again, it waits no longer.
        """
        self._is_awaited = True
        cancelled: asyncio.CancelledError | None = None
        while not self._ended.done():
            try:
                await asyncio.shield(asyncio.wrap_future(self._ended))
            except asyncio.CancelledError as error:
                # Another loop may stand still, and nobody clean up.
                if cancelled or self._loop is not asyncio.get_running_loop():
                    raise
                cancelled = error
        untold, self._untold = self._untold, None
        if untold is not None:
            raise untold
        if cancelled is not None:
            raise cancelled


class Closing:
    """That a run is to end: await it to know that it has."""

    def __init__(self, source: HotSource[Any]) -> None:
        self._source = source

    def __await__(self) -> Generator[Any, None, None]:
        return self._source.ended().__await__()


def _look_at(task: asyncio.Task[None]) -> None:
    """Its error has been passed on; asyncio would complain that nobody looked at it."""
    if not task.cancelled():
        task.exception()


def _tell_end(observer: abc.ObserverBase[Any], error: BaseException | None) -> None:
    if error is None:
        observer.on_completed()
    else:
        observer.on_error(error)  # type: ignore[arg-type]  # Rx passes on any object
