"""One observable to many branches, with the demand of all of them; and many to one observer."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Generic

from reactivex import Observable, abc
from reactivex.disposable import Disposable

from .._errors import UsageError
from .._typing import Demand, T
from .scheduler import UNBOUNDED, FlowScheduler

__all__ = ["Branch", "DemandOfAll", "Hub", "subscribe_merged"]


class DemandOfAll:
    """The demand of several readers together: the slowest sets the pace."""

    __slots__ = ("demands",)

    def __init__(self) -> None:
        self.demands: list[Demand] = []

    @property
    def ready(self) -> bool:
        """Whether all of them can take one more item."""
        for demand in self.demands:  # noqa: SIM110 - all(…) costs a generator for each item
            if not demand.ready:
                return False
        return True

    async def wait(self) -> None:
        """Return once all of them can take one more item."""
        while not self.ready:
            for demand in self.demands:
                if not demand.ready:
                    await demand.wait()
                    break


class Hub(Generic[T]):
    """Multicasts an observable to a fixed number of branches.

    Subscribes to the source once, when every branch is subscribed to. Its demand is that of all
    live branches together: the slowest sets the pace. A branch that is disposed of stops counting,
    and with the last one the source is disposed of. By hand, because Rx's own `publish(selector)`
    nested with `merge` loses items (6.1).
    """

    def __init__(self, source: Observable[T], branches: int, driven: bool) -> None:
        self.source = source
        self.driven = driven
        self.branches = [Branch(self) for _ in range(branches)]
        self._awaited = branches
        self._live: dict[Branch[T], tuple[abc.ObserverBase[T], Demand]] = {}
        self._targets: list[abc.ObserverBase[T]] = []
        self._demand = DemandOfAll()
        self._scheduler: abc.SchedulerBase | None = None
        self._downstream: dict[Hashable, int] = {}
        self._subscription: abc.DisposableBase | None = None

    def join(
        self,
        branch: Branch[T],
        observer: abc.ObserverBase[T],
        scheduler: abc.SchedulerBase | None,
    ) -> abc.DisposableBase:
        """Subscribe `observer` to `branch`."""
        if branch.used:
            raise UsageError(
                "a branch of a parallel group was subscribed to a second time, as retry, repeat or"
                " catch behind the group do after an error or an end; but its source runs once for"
                " all branches. Put the operator in front of the group, or around the whole flow"
            )
        branch.used = True
        demand = UNBOUNDED
        if isinstance(scheduler, FlowScheduler):
            demand = scheduler.demand
            for key, count in scheduler.downstream.items():
                self._downstream[key] = max(count, self._downstream.get(key, 0))
        self._scheduler = self._scheduler or scheduler
        self._live[branch] = observer, demand
        self._awaited -= 1
        self._start_if_complete()
        return Disposable(lambda: self._leave(branch))

    def _start_if_complete(self) -> None:
        if self._awaited or self._subscription is not None or not self._live:
            return
        scheduler = self._scheduler
        if isinstance(scheduler, FlowScheduler):
            scheduler = scheduler.demanding(self._demand, self._downstream)
        self._retarget()
        self._subscription = Disposable()
        self._subscription = self.source.subscribe(
            self._on_next, self._on_error, self._on_completed, scheduler=scheduler
        )
        if not self._live:
            self._subscription.dispose()

    def _retarget(self) -> None:
        self._targets = [observer for observer, _ in self._live.values()]
        self._demand.demands = [demand for _, demand in self._live.values()]

    def _leave(self, branch: Branch[T]) -> None:
        if self._live.pop(branch, None) is None:
            return
        self._retarget()
        if not self._live and self._subscription is not None:
            self._subscription.dispose()

    def _on_next(self, item: T) -> None:
        for observer in self._targets:
            observer.on_next(item)

    def _on_error(self, error: Exception) -> None:
        for observer in self._targets:
            observer.on_error(error)

    def _on_completed(self) -> None:
        for observer in self._targets:
            observer.on_completed()


class Branch(Observable[T]):
    """One branch of a `Hub`."""

    def __init__(self, hub: Hub[T]) -> None:
        super().__init__()
        self.hub = hub
        self.used = False

    def _subscribe_core(
        self, observer: abc.ObserverBase[T], scheduler: abc.SchedulerBase | None = None
    ) -> abc.DisposableBase:
        return self.hub.join(self, observer, scheduler)


class _MergeObserver(Generic[T]):
    """The observer of several observables at once, for one observer."""

    def __init__(self, observer: abc.ObserverBase[T], count: int) -> None:
        self._observer = observer
        self._running = count
        self._is_over = False
        self._subscriptions: list[abc.DisposableBase] = []

    def add(self, subscription: abc.DisposableBase) -> None:
        """Keep a subscription to one of the observables; dispose of it if nothing is wanted."""
        self._subscriptions.append(subscription)
        if self._is_over:
            subscription.dispose()

    def on_next(self, item: T) -> None:
        if not self._is_over:
            self._observer.on_next(item)

    def on_error(self, error: Exception) -> None:
        if not self._is_over:
            self.dispose()
            self._observer.on_error(error)

    def on_completed(self) -> None:
        self._running -= 1
        if not self._running and not self._is_over:
            self._is_over = True
            self._observer.on_completed()

    def dispose(self) -> None:
        self._is_over = True
        for subscription in self._subscriptions:
            subscription.dispose()


def subscribe_merged(
    sources: Sequence[Observable[T]],
    observer: abc.ObserverBase[T],
    scheduler: abc.SchedulerBase | None,
) -> abc.DisposableBase:
    """Subscribe one observer to all `sources`, at once and in their order, without a scheduler's
    help: Rx's own `merge` goes through one, and so shifts virtual times."""
    merging = _MergeObserver(observer, len(sources))
    for source in sources:
        subscription = source.subscribe(
            merging.on_next, merging.on_error, merging.on_completed, scheduler=scheduler
        )
        merging.add(subscription)
    return Disposable(merging.dispose)
