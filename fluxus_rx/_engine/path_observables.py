"""The paths of a flow as observables of their own, which share a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from threading import Lock
from typing import Any, Generic

from reactivex import Observable, abc
from reactivex.disposable import Disposable

from .._common.trail import Trail
from .._rx.driver import RootObserver
from .._rx.scheduler import FlowScheduler
from .._rx.scope import Scope
from .._typing import T
from .observable import FlowObservable

__all__ = ["path_observables"]


def path_observables(compiled: Callable[[], Sequence[FlowObservable[T]]]) -> list[Observable[T]]:
    """The paths of a flow, one observable for each."""
    together = _RunSharing(compiled)
    return [_PathObservable(together, index) for index in range(len(compiled()))]


class _RunSharing(Generic[T]):
    """Has those join one run that subscribe within one turn of the loop."""

    def __init__(self, compiled: Callable[[], Sequence[FlowObservable[T]]]) -> None:
        self._compiled = compiled
        self._joint: _SharedRun[T] | None = None
        #: paths may be subscribed to from any thread; a run begins on its loop
        self._lock = Lock()

    def join(
        self, index: int, observer: abc.ObserverBase[T], scheduler: abc.SchedulerBase | None
    ) -> abc.DisposableBase:
        run = FlowScheduler.of_run(scheduler)
        flow, outer = (run, run.scope) if run is not None else (FlowScheduler.of(scheduler), None)
        with self._lock:
            joint = self._joint
            first = joint is None or not joint.takes(index, flow, outer)
            if joint is None or first:
                joint = self._joint = _SharedRun(self._compiled(), flow, outer, self._lock)
            complete = joint.add(index, observer, flow)
        if complete:
            flow.on_loop(joint.begin)
        elif first:
            flow.on_loop(partial(flow.loop.call_soon, joint.begin))
        return Disposable(partial(joint.leave, index))


class _PathObservable(Observable[T]):
    """One path of a flow."""

    def __init__(self, together: _RunSharing[T], index: int) -> None:
        super().__init__()
        self._together = together
        self._index = index

    def _subscribe_core(
        self, observer: abc.ObserverBase[T], scheduler: abc.SchedulerBase | None = None
    ) -> abc.DisposableBase:
        return self._together.join(self._index, observer, scheduler)


class _SharedRun(Generic[T]):
    """One run of some of the paths, or all; begins as soon as all are subscribed to, or else when
    the loop has its next turn."""

    def __init__(
        self,
        paths: Sequence[FlowObservable[T]],
        flow: FlowScheduler,
        outer: Scope | None,
        lock: Lock,
    ) -> None:
        self._lock = lock
        self._paths = paths
        self._flow = flow
        #: the run that it is a part of, if it is
        self._outer = outer
        self._begun = False
        self._observers: dict[int, abc.ObserverBase[T]] = {}
        self._flows: dict[int, FlowScheduler] = {}
        self._subscriptions: dict[int, abc.DisposableBase] = {}
        self._run: abc.DisposableBase = Disposable()
        #: the paths that are not at their end, once it has begun
        self._open: set[int] = set()
        self._root: Any = None

    def takes(self, index: int, flow: FlowScheduler, outer: Scope | None) -> bool:
        """Whether a path can join."""
        fits = flow.loop is self._flow.loop and outer is self._outer
        return fits and not self._begun and index not in self._flows

    def add(self, index: int, observer: abc.ObserverBase[T], flow: FlowScheduler) -> bool:
        """One more path; whether they are all there now."""
        self._observers[index] = observer
        self._flows[index] = flow
        return len(self._flows) == len(self._paths)

    def begin(self) -> None:
        """Subscribe to the paths."""
        with self._lock:
            if self._begun:
                return
            self._begun = True
            self._open = {*self._observers}
        if self._outer is not None:
            for index, observer in [*self._observers.items()]:
                self._subscribe(index, observer.on_error, observer.on_completed)
            self._excuse()
        elif self._observers:
            everybody: Any = self
            self._run = RootObserver(everybody, self._flow).begin(self._begin_all)
            if not self._observers:  # all have left at once
                self._run.dispose()

    def _begin_all(self, root: Any, flow: FlowScheduler) -> abc.DisposableBase:
        self._root, self._flow = root, flow
        for index in [*self._observers]:
            self._subscribe(index, root.on_error, partial(self._over, index))
        self._excuse()
        return Disposable(self._dispose)

    def _over(self, index: int) -> None:
        """A path is at its end, or nobody looks at it any more."""
        self._open.discard(index)
        if not self._open and self._observers and self._root is not None:
            self._root.on_completed()

    def _subscribe(
        self, index: int, on_error: Callable[[Exception], None], on_completed: Callable[[], None]
    ) -> None:
        observer = self._observers.get(index)
        if observer is not None:
            demand, downstream = self._flows[index].demand, self._flows[index].downstream
            self._subscriptions[index] = self._paths[index].subscribe(
                *(observer.on_next, on_error, on_completed),
                scheduler=self._flow.demanding(demand, downstream),
            )
            if index not in self._observers:
                self._subscriptions[index].dispose()

    def _excuse(self) -> None:
        """Say for the paths that nobody has subscribed to that nobody will: the source of a group
        waits for all its branches."""
        begun = {_source_of(self._paths[index]) for index in self._subscriptions}
        for index, path in enumerate(self._paths):
            if index not in self._subscriptions and _source_of(path) in begun:
                path.subscribe(scheduler=self._flow).dispose()

    def leave(self, index: int) -> None:
        """Nobody looks at a path any more."""
        with self._lock:
            if self._observers.pop(index, None) is None:
                return
            if not self._begun:
                del self._flows[index]
                return
        self._flow.on_loop(partial(self._left, index))

    def _left(self, index: int) -> None:
        if index in self._subscriptions:
            self._subscriptions[index].dispose()
        self._over(index)
        if not self._observers:
            self._run.dispose()

    def _dispose(self) -> None:
        for subscription in self._subscriptions.values():
            subscription.dispose()

    def on_next(self, item: T) -> None:
        """Nothing comes this way: each path has its own observer."""

    def on_error(self, error: Exception) -> None:
        """Tell all of the error."""
        self._tell(lambda observer: observer.on_error(error))

    def on_completed(self) -> None:
        """Tell all of the end."""
        self._tell(lambda observer: observer.on_completed())

    def _tell(self, event: Callable[[abc.ObserverBase[T]], None]) -> None:
        observers, self._observers = [*self._observers.values()], {}
        for observer in observers:
            try:
                event(observer)
            except Exception as raised:
                self._flow.scope.call_exception_handler(raised)


def _source_of(path: FlowObservable[Any]) -> Trail | None:
    """What tells the source of a path from others."""
    return None if path.trail is None else path.trail.first
