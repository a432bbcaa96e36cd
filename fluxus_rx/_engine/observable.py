"""A source, a step, a group of synchronous steps as observables.

A `FlowObservable` is a root (a stream of ours, or any observable) and the stages put on it. Stages
are data until somebody subscribes, so that neighbours fuse: synchronous steps run as one loop, and
asynchronous stages read each other directly, with no observer, task or queue in between.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Hashable, Iterator, Mapping
from functools import partial
from math import inf
from typing import Any, Final, NamedTuple

from reactivex import Observable, abc
from reactivex.disposable import Disposable

from .._common.encoding import to_print
from .._common.trail import Trail
from .._monitoring.meter import ItemCounter, Meter
from .._monitoring.watched_items import WatchedSource
from .._options.step_options import NO_OPTIONS
from .._products.collector import Collector
from .._products.factory import SourceItems
from .._products.ownership import ProductOwner
from .._rx.draining import moment_of_making
from .._rx.driver import Driver, RootObserver
from .._rx.intake import Intake
from .._rx.multicast import Branch, Hub
from .._rx.overflow import BufferedObservable, OverflowPolicy
from .._rx.run_settings import RunSettings
from .._rx.scheduler import UNBOUNDED, FlowScheduler
from .._rx.scope import make_drainable
from .._streams.iteration import Cancellable
from .._typing import T
from .bound_step import BoundStep
from .fused_loop import PlainSteps
from .metered import metered_source
from .pipeline import Pipeline
from .stage import ForeignItems, PlacedStage, Stage, StageInRun, entering, is_reached, stages_in_run

__all__ = [
    "DrivenObservable",
    "FlowObservable",
    "Receiver",
    "Root",
    "buffered",
    "fan_out",
    "flow_observable",
    "is_driven",
]

_log = logging.getLogger(__name__)


#: Names of steps in the `repr` of an observable at most.
_MOST_NAMES: Final = 8

#: opens a stream, given the run (or the pipeline before it) and the owner of its items
Root = Callable[[Any, object], "Iterator[Any] | AsyncIterator[Any]"]


class Receiver(NamedTuple):
    """An observer made of functions; with a `collector`, whose `add` is one of them, what comes may
    go there at once, in a run without demand."""

    on_next: Callable[[Any], None]
    on_error: Callable[[BaseException], None]
    on_completed: Callable[[], None]
    collector: Collector | None = None


class DrivenObservable(Observable[T]):
    """An observable of this library; `driven` tells whether it runs on a loop, by a driver."""

    driven: bool


class _Link(NamedTuple):
    """A stage, behind others: all observables of a chain together take memory linear in it."""

    before: _Link | None
    placed: PlacedStage


class FlowObservable(DrivenObservable[T]):
    """An observable made of a root and stages; cold: each subscription starts a new run.

    A `driven` one runs on a loop, by a driver. One that isn't is plain Rx: in the emitter's thread
    and at its time, with the subscriber's scheduler passed on as it is.
    """

    def __init__(
        self,
        root: Root | Observable[Any],
        *,
        trail: Trail | None = None,
        driven: bool = True,
        before: FlowObservable[Any] | None = None,
        last: _Link | None = None,
        shows_items: bool = True,
        foreign_items: ForeignItems = ForeignItems(),  # noqa: B008 - frozen
        branched: Trail | None = None,
    ) -> None:
        super().__init__()
        self._root = root
        #: the way to the root, where that is a step
        self._root_trail = trail
        #: what the root reads, if it is one that reads
        self._before = before
        self._last = last
        #: the way to here, where a named branch begins or ends
        self._branched = branched
        self.driven = driven
        #: whether users may hold its items, or may have made them
        self.shows_items = shows_items
        self.foreign_items = foreign_items
        #: whose items they are, once its steps have been bound
        self._owner: object = None
        self._moment = moment_of_making()

    @property
    def trail(self) -> Trail | None:
        """The way to here; None for a root that isn't a step."""
        if self._branched is not None:
            return self._branched
        return self._root_trail if self._last is None else self._last.placed.trail

    def at_branch(self, trail: Trail) -> FlowObservable[T]:
        """The same, where a named branch begins or ends on the way."""
        return FlowObservable(
            self._root,
            trail=self._root_trail,
            driven=self.driven,
            before=self._before,
            last=self._last,
            shows_items=self.shows_items,
            foreign_items=self.foreign_items,
            branched=trail,
        )

    @property
    def _stages(self) -> list[PlacedStage]:
        """Those on its root, from the first to the last."""
        found: list[PlacedStage] = []
        link = self._last
        while link is not None:
            found.append(link.placed)
            link = link.before
        found.reverse()
        return found

    def then(self, stage: Stage) -> FlowObservable[Any]:
        """With one more stage on it."""
        placed = PlacedStage(stage, Trail(stage.name, self.trail))
        return FlowObservable(
            self._root,
            trail=self._root_trail,
            driven=self.driven or stage.is_async or stage.opens,
            before=self._before,
            last=_Link(self._last, placed),
            shows_items=stage.shows_items,
        )

    def __repr__(self) -> str:
        way = "an observable" if self.trail is None else self.trail.short_path(_MOST_NAMES)
        return to_print(f"<Observable of {way}>")

    def _subscribe_core(
        self, observer: abc.ObserverBase[T], scheduler: abc.SchedulerBase | None = None
    ) -> abc.DisposableBase:
        if not self.driven:
            return self._subscribe_plainly(observer, scheduler)
        flow = FlowScheduler.of_run(scheduler)
        if flow is not None:
            return self._drive(observer, flow)
        return RootObserver(observer, scheduler).begin(self._drive)

    def receive(self, receiver: Receiver, flow: FlowScheduler) -> abc.DisposableBase:
        """Have the paths of a run received without what Rx puts around an observer, as nothing of
        Rx is in between: a tenth of what a run costs (benchmark "startup, first result")."""
        observer: Any = receiver  # by its shape
        return self._drive(observer, flow)

    def _drive(self, observer: abc.ObserverBase[T], flow: FlowScheduler) -> abc.DisposableBase:
        collector = observer.collector if isinstance(observer, Receiver) else None
        if (
            self._last is None
            and isinstance(self._root, Observable)
            and is_driven(self._root)
            and is_reached(self._root_trail, flow.scope.settings)
        ):
            return self._root.subscribe(observer, scheduler=flow)
        if self._before is None and not isinstance(self._root, Observable):
            return Disposable(Driver(lambda: self.open(flow, collector), observer, flow).dispose)
        # At once, and not when the driver has begun: a subject would emit into the void.
        pipeline = self.open(flow, collector)
        with pipeline:
            pipeline.subscribe()
        driver = Driver(pipeline, observer, flow)

        def dispose() -> None:
            driver.dispose()
            flow.on_loop(pipeline.cancel)

        return Disposable(dispose)

    def open(self, flow: FlowScheduler, collector: Collector | None = None) -> Pipeline[T]:
        """The items as a stream, within a run; some may go to the `collector` instead."""
        scope, owner = flow.scope, self._new_owner()
        downstream = dict(flow.downstream)
        stages = stages_in_run(self._stages, scope.settings, downstream)
        pipeline = self._open_root(flow, owner, downstream)
        with pipeline:
            for one in stages:
                stage = one._replace(depth=inf) if flow.is_inner else one
                bound_step = stage.bound(scope, owner)
                given = entering(one.placed.trail, scope.settings)
                if bound_step.gauge is not None:
                    bound_step.gauge.entering += len(given)
                pipeline.start_with(given)
                if one.placed.stage.is_async or bound_step.options.waits:
                    pipeline.add_async(bound_step)
                else:
                    pipeline.add_sync(bound_step)
            pipeline.fuse(collector)
        if _log.isEnabledFor(logging.DEBUG):
            path = "" if self.trail is None else self.trail.path
            _log.debug("%r opens path %s", scope, path or "without a name")
        return pipeline

    def _new_owner(self) -> ProductOwner:
        """Whose items its steps emit, in one run."""
        trail = None if self.branch is not None else self._root_trail
        return ProductOwner("" if trail is None else trail.name)

    def _open_root(
        self, flow: FlowScheduler, owner: object, downstream: Mapping[Hashable, int]
    ) -> Pipeline[Any]:
        root, settings = self._root, flow.scope.settings
        if isinstance(root, Observable):
            trail = self._root_trail  # the same for all branches of a group
            if trail is None and (stages := self._stages):
                trail = stages[0].trail
            reached = is_reached(trail, settings)
            return Pipeline(flow, self._intake(root, flow, downstream) if reached else iter(()))
        if self._before is None:
            reached = is_reached(self._root_trail, settings)
            source = self._source(root, flow, owner) if reached else iter(())
            return Pipeline(flow, source, ends=self.ends_in(flow))
        if not is_reached(self._before.trail, settings):
            return Pipeline(flow, iter(()))
        before = self._before.open(flow.demanding(UNBOUNDED, downstream))
        with before:
            before.own_all()
            return Pipeline(flow, root(before, owner), before)

    def _intake(
        self, root: Observable[Any], flow: FlowScheduler, downstream: Mapping[Hashable, int]
    ) -> Any:
        """The items of an observable, as the run takes them in."""
        trail = self._root_trail
        is_source = trail is None
        intake: Any
        if isinstance(root, BufferedObservable):
            is_source = trail is None or trail.before is None
            counter = self._item_counter(root.key, flow.scope.settings.meter)
            intake = root.intake(flow, downstream, counter)
        else:
            intake = Intake(root, flow, downstream)
        if self.ends_in(flow) and is_source and not isinstance(root, Branch):
            return flow.scope.add_source(intake)
        return intake

    def _item_counter(self, key: Hashable, meter: Meter | None) -> ItemCounter | None:
        """Counts what an intake yields, if the run counts."""
        trail = self._root_trail
        if meter is None or trail is None:
            return None
        return ItemCounter(meter, meter.gauges.at(trail, trail.name, key))

    def _source(self, root: Root, flow: FlowScheduler, owner: object) -> Any:
        """The items of a producer, counted if the run counts."""
        meter, trail = flow.scope.settings.meter, self._root_trail
        if meter is None or trail is None or not trail.name:
            source = self._opened(root, flow, owner)
        else:
            gauge = meter.gauges.at(trail, trail.name, ("source", trail))
            source = metered_source(partial(self._opened, root, flow, owner), gauge, meter)
        if not self.ends_in(flow):
            return source
        if isinstance(source, WatchedSource | SourceItems):
            return flow.scope.add_source(source)
        return make_drainable(source, flow.scope)

    def _opened(self, root: Root, flow: FlowScheduler, owner: object) -> Any:
        source: Any = root(flow, owner)
        if isinstance(source, Cancellable) and self.ends_in(flow):
            ending: Any = source  # by its shape
            if hasattr(ending, "end"):
                flow.scope.add_source(ending)
        return source

    def ends_in(self, flow: FlowScheduler) -> bool:
        """Whether its source is told to end when the run is drained."""
        scope = flow.scope
        return scope.settings.drainable and scope.draining.ends(self._moment)

    # Where it stands among the other paths of a flow

    @property
    def branch(self) -> Branch[Any] | None:
        """The branch of a group that it begins with; None if there is none."""
        return self._root if isinstance(self._root, Branch) else None

    @property
    def is_shared(self) -> bool:
        """Whether others get the products that it emits: it is a branch without steps."""
        return self._last is None and self.branch is not None

    @property
    def has_source(self) -> bool:
        """Whether it begins with a source of the flow's own, and with nothing in front of that."""
        return self._before is None and not isinstance(self._root, Observable)

    def is_inline(self, settings: RunSettings) -> bool:
        """Whether no step of it has to wait, as far as can be known before they are called."""
        return not any(placed.stage.waits(settings) for placed in self._stages)

    def is_async(self, settings: RunSettings) -> bool:
        """Whether each step of it may wait, as far as that can be known."""
        return all(placed.stage.waits(settings) for placed in self._stages)

    def bound_steps(self, flow: FlowScheduler, downstream: dict[Hashable, int]) -> list[BoundStep]:
        """Its steps, bound to a run; `downstream` then counts these as well."""
        stages = stages_in_run(self._stages, flow.scope.settings, downstream)
        self._owner = self._new_owner()
        return [one.bound(flow.scope, self._owner) for one in stages]

    def open_source(self, flow: FlowScheduler) -> Any:
        """The items of its source, for the steps that were bound."""
        root: Any = self._root
        return self._source(root, flow, self._owner)

    def _subscribe_plainly(
        self, observer: abc.ObserverBase[T], scheduler: abc.SchedulerBase | None
    ) -> abc.DisposableBase:
        assert isinstance(self._root, Observable)
        if self._last is None:
            return self._root.subscribe(observer, scheduler=scheduler)
        defaults = NO_OPTIONS
        stages = [StageInRun(placed, placed.stage.settled(defaults)) for placed in self._stages]
        owner = self._new_owner()
        bound_steps = [stage.bound(None, owner) for stage in stages]
        plain = PlainSteps(observer, bound_steps)
        subscription = self._root.subscribe(
            plain.on_next, observer.on_error, observer.on_completed, scheduler=scheduler
        )

        def dispose() -> None:
            plain.stop()
            subscription.dispose()

        return Disposable(dispose)


def is_driven(source: object) -> bool:
    """Whether an observable is ours and runs by a driver."""
    if isinstance(source, Branch):
        return source.hub.driven
    return isinstance(source, DrivenObservable) and source.driven


def fan_out(source: Observable[T], count: int, driven: bool) -> list[FlowObservable[T]]:
    """The source, multicast to `count` branches; it runs once."""
    hub = Hub(source, count, driven or is_driven(source))
    given = flow_observable(source)
    return [
        FlowObservable(
            branch,
            trail=given.trail,
            driven=hub.driven,
            shows_items=given.shows_items,
            foreign_items=given.foreign_items,
        )
        for branch in hub.branches
    ]


def flow_observable(source: Observable[T], driven: bool = False) -> FlowObservable[T]:
    """`source` as something stages can be put on; `driven` makes sure that it runs by a driver."""
    if isinstance(source, FlowObservable) and (source.driven or not driven):
        return source
    if isinstance(source, FlowObservable):
        return FlowObservable(
            source,
            driven=True,
            shows_items=source.shows_items,
            foreign_items=source.foreign_items,
        )
    return FlowObservable(source, driven=driven or is_driven(source))


def buffered(
    source: Observable[T],
    policy: OverflowPolicy,
    key: Hashable,
    name: str,
    label: str | None = None,
    on_drop: Callable[[], object] | None = None,
) -> FlowObservable[T]:
    """`source`, taken in by a policy; its items are called `label` where they aren't products."""
    given = flow_observable(source)
    return FlowObservable(
        BufferedObservable(source, policy, key, on_drop),
        trail=Trail(name, given.trail),
        shows_items=given.shows_items,
        foreign_items=given.foreign_items if label is None else ForeignItems(label),
    )
