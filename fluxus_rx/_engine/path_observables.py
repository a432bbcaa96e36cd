"""The paths of a flow as observables of their own, which share a run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from threading import Lock
from typing import Any, Generic

from reactivex import Observable, abc
from reactivex.disposable import Disposable

from .._common.trail import Trail
from .._rx.draining import made_as_of, moment_of_making
from .._rx.driver import RootObserver
from .._rx.scheduler import FlowScheduler
from .._typing import T
from .observable import FlowObservable

__all__ = ["path_observables"]


def path_observables(compiled: Callable[[], Sequence[FlowObservable[T]]]) -> list[Observable[T]]:
    """The paths of a flow, one observable for each."""
    sharing = _RunSharing(compiled)
    return [_PathObservable(sharing, index) for index in range(len(compiled()))]


class _RunSharing(Generic[T]):
    """Has those join one run that subscribe within one turn of the loop."""

    def __init__(self, compiled: Callable[[], Sequence[FlowObservable[T]]]) -> None:
        self._compiled = compiled
        self._moment = moment_of_making()
        self._latest: _SharedRun[T] | None = None
        #: paths may be subscribed to from any thread; a run begins on its loop
        self._lock = Lock()

    def join(
        self, index: int, observer: abc.ObserverBase[T], scheduler: abc.SchedulerBase | None
    ) -> abc.DisposableBase:
        outer = FlowScheduler.of_run(scheduler)
        flow = FlowScheduler.of(scheduler) if outer is None else outer
        with self._lock:
            run = self._latest
            is_first = run is None or not run.takes(index, flow, within=outer)
            if run is None or is_first:
                kind: Any = _OwnRun if outer is None else _RunWithin
                run = self._latest = kind(
                    made_as_of(self._moment, self._compiled), flow, self._lock
                )
            is_complete = run.add(index, observer, flow)
        if is_complete:
            flow.on_loop(run.begin)
        elif is_first:
            flow.on_loop(partial(flow.loop.call_soon, run.begin))
        return Disposable(partial(run.leave, index))


class _PathObservable(Observable[T]):
    """One path of a flow."""

    def __init__(self, sharing: _RunSharing[T], index: int) -> None:
        super().__init__()
        self._sharing = sharing
        self._index = index

    def __repr__(self) -> str:
        return f"<Observable of path {self._index} of a flow>"

    def _subscribe_core(
        self, observer: abc.ObserverBase[T], scheduler: abc.SchedulerBase | None = None
    ) -> abc.DisposableBase:
        return self._sharing.join(self._index, observer, scheduler)


class _PathSubscription(Generic[T]):
    """The observers that have subscribed to one path of a shared run."""

    __slots__ = ("flow", "inner", "is_over", "observer")

    def __init__(self, observer: abc.ObserverBase[T], flow: FlowScheduler) -> None:
        #: None once it has been disposed of, or has been told of the end
        self.observer: abc.ObserverBase[T] | None = observer
        #: has its demand
        self.flow = flow
        #: that to the path itself, once the run has begun
        self.inner: abc.DisposableBase | None = None
        #: whether the path is at its end, or nobody looks at it any more
        self.is_over = False

    def dispose(self) -> None:
        if self.inner is not None:
            self.inner.dispose()


class _SharedRun(ABC, Generic[T]):
    """One run of some of the paths, or all; begins as soon as all are subscribed to, or else when
    the loop has its next turn."""

    def __init__(self, paths: Sequence[FlowObservable[T]], flow: FlowScheduler, lock: Lock) -> None:
        self._lock = lock
        self._paths = paths
        self._flow = flow
        self._begun = False
        self._subscriptions: dict[int, _PathSubscription[T]] = {}

    def takes(self, index: int, flow: FlowScheduler, within: FlowScheduler | None) -> bool:
        """Whether a path can join that is subscribed to on this loop, within this run or none."""
        fits = flow.loop is self._flow.loop and self._is_within(within)
        return fits and not self._begun and index not in self._subscriptions

    @abstractmethod
    def _is_within(self, outer: FlowScheduler | None) -> bool:
        """Whether it is a part of this run, or of none."""

    def add(self, index: int, observer: abc.ObserverBase[T], flow: FlowScheduler) -> bool:
        """One more path; whether they are all there now."""
        self._subscriptions[index] = _PathSubscription(observer, flow)
        return len(self._subscriptions) == len(self._paths)

    def begin(self) -> None:
        """Subscribe to the paths."""
        with self._lock:
            if self._begun:
                return
            self._begun = True
        if self._is_observed():
            self._begin()

    @abstractmethod
    def _begin(self) -> None:
        """Subscribe to the paths, for those who have not left."""

    def _is_observed(self) -> bool:
        return any(one.observer is not None for one in [*self._subscriptions.values()])

    def _subscribe(
        self, index: int, on_error: Callable[[Exception], None], on_completed: Callable[[], None]
    ) -> None:
        one = self._subscriptions[index]
        if one.observer is None:
            return
        one.inner = self._paths[index].subscribe(
            one.observer.on_next,
            on_error,
            on_completed,
            scheduler=self._flow.demanding(one.flow.demand, one.flow.downstream),
        )
        if one.observer is None:  # has left meanwhile
            one.dispose()

    def _excuse_absent(self) -> None:
        """Say for the paths that nobody has subscribed to that nobody will: the source of a group
        waits for all its branches."""
        present = {index for index, one in self._subscriptions.items() if one.inner is not None}
        sources = {_source_of(self._paths[index]) for index in present}
        for index, path in enumerate(self._paths):
            if index not in present and _source_of(path) in sources:
                path.subscribe(scheduler=self._flow).dispose()

    def leave(self, index: int) -> None:
        """Nobody looks at a path any more."""
        with self._lock:
            one = self._subscriptions.get(index)
            if one is None or one.observer is None:
                return
            one.observer = None
            if not self._begun:
                del self._subscriptions[index]
                return
        self._flow.on_loop(partial(self._left, one))

    def _left(self, one: _PathSubscription[T]) -> None:
        one.dispose()


class _RunWithin(_SharedRun[T]):
    """As a part of another run, which goes on when this one ends."""

    def _is_within(self, outer: FlowScheduler | None) -> bool:
        return outer is not None and outer.scope is self._flow.scope

    def _begin(self) -> None:
        for index, one in [*self._subscriptions.items()]:
            if one.observer is not None:
                self._subscribe(index, one.observer.on_error, one.observer.on_completed)
        self._excuse_absent()


class _OwnRun(_SharedRun[T]):
    """As a run by itself, whose end all hear together; is the observer of its root."""

    def __init__(self, paths: Sequence[FlowObservable[T]], flow: FlowScheduler, lock: Lock) -> None:
        super().__init__(paths, flow, lock)
        self._root: Any = None
        self._run: abc.DisposableBase = Disposable()

    def _is_within(self, outer: FlowScheduler | None) -> bool:
        return outer is None

    def _begin(self) -> None:
        everybody: Any = self
        self._run = RootObserver(everybody, self._flow).begin(self._begin_below)
        if not self._is_observed():  # all have left at once
            self._run.dispose()

    def _begin_below(self, root: Any, flow: FlowScheduler) -> abc.DisposableBase:
        self._root, self._flow = root, flow
        for index, one in [*self._subscriptions.items()]:
            self._subscribe(index, root.on_error, partial(self._over, one))
        self._excuse_absent()
        return Disposable(self._dispose)

    def _over(self, one: _PathSubscription[T]) -> None:
        one.is_over = True
        if all(each.is_over for each in self._subscriptions.values()) and self._is_observed():
            self._root.on_completed()

    def _left(self, one: _PathSubscription[T]) -> None:
        super()._left(one)
        self._over(one)
        if not self._is_observed():
            self._run.dispose()

    def _dispose(self) -> None:
        for one in self._subscriptions.values():
            one.dispose()

    def on_next(self, item: T) -> None:
        """Nothing comes this way: each path has its own observer."""

    def on_error(self, error: Exception) -> None:
        """Tell all of the error."""
        self._tell(lambda observer: observer.on_error(error))

    def on_completed(self) -> None:
        """Tell all of the end."""
        self._tell(lambda observer: observer.on_completed())

    def _tell(self, event: Callable[[abc.ObserverBase[T]], None]) -> None:
        observers = [one.observer for one in self._subscriptions.values()]
        for one in self._subscriptions.values():
            one.observer = None
        for observer in observers:
            try:
                if observer is not None:
                    event(observer)
            except Exception as raised:
                self._flow.scope.call_exception_handler(raised)


def _source_of(path: FlowObservable[Any]) -> Trail | None:
    """What tells the source of a path from others; None of one that isn't a step."""
    if path.trail is None:
        return None
    first = path.trail.first
    return first if first.name else None  # a branch that begins there, for one
