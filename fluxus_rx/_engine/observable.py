"""A source, a step, a group of synchronous steps as observables.

A `FlowObservable` is a root (a stream of ours, or any observable) and the stages put on it. Stages
are data until somebody subscribes, so that neighbours fuse: synchronous steps run as one loop, and
asynchronous stages read each other directly, with no observer, task or queue in between.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Hashable, Iterator, Mapping
from functools import partial
from typing import Any

from reactivex import Observable, abc
from reactivex.disposable import Disposable

from .._monitoring.meter import ItemCounter
from .._options.step_options import StepOptions
from .._rx.driver import Driver, RootObserver
from .._rx.intake import Intake
from .._rx.multicast import Branch, Hub, subscribe_merged
from .._rx.overflow import BufferedObservable, OverflowPolicy
from .._rx.run_settings import RunSettings
from .._rx.scheduler import UNBOUNDED, FlowScheduler
from .._rx.scope import drainable
from .._typing import T
from .bound_step import BoundStep
from .metered import metered, metered_source
from .pipeline import Pipeline
from .plain_rx import PlainSteps
from .resilience import resilient
from .stage import ForeignItems, Stage, StepContext, Trail, path_of

__all__ = [
    "FlowObservable",
    "Merged",
    "Root",
    "buffered",
    "fan_out",
    "flow_observable",
    "is_driven",
]

_log = logging.getLogger(__name__)


#: opens a stream, given the run (or the pipeline before it) and the owner of its items
Root = Callable[[Any, object], "Iterator[Any] | AsyncIterator[Any]"]


class FlowObservable(Observable[T]):
    """An observable made of a root and stages; cold: each subscription runs afresh.

    A `driven` one runs on a loop, by a driver. One that isn't is plain Rx: in the emitter's thread
    and at its time, with the subscriber's scheduler handed on as it is.
    """

    def __init__(
        self,
        root: Root | Observable[Any],
        stages: tuple[Stage, ...] = (),
        driven: bool = True,
        trail: Trail = None,
        before: FlowObservable[Any] | None = None,
        shows_items: bool = True,
        kind: ForeignItems = ForeignItems(),  # noqa: B008 - frozen
    ) -> None:
        super().__init__()
        #: whether users may hold its items, or may have made them
        self.shows_items = shows_items
        self.kind = kind
        self._before = before
        self._root = root
        self._stages = stages
        self.driven = driven
        self.trail = trail

    def then(self, stage: Stage) -> FlowObservable[Any]:
        """With one more stage on it."""
        trail = (self.trail, stage.name)
        stages = (*self._stages, stage._replace(trail=trail))
        return FlowObservable(
            *(self._root, stages, self.driven or stage.is_async, trail, self._before),
            shows_items=stage.shows_items,
        )

    def _subscribe_core(
        self, observer: abc.ObserverBase[T], scheduler: abc.SchedulerBase | None = None
    ) -> abc.DisposableBase:
        if not self.driven:
            return self._subscribe_plainly(observer, scheduler)
        flow = FlowScheduler.of_run(scheduler)
        if flow is not None:
            return self._drive(observer, flow)
        return RootObserver(observer, scheduler).begin(self._drive)

    def _drive(self, observer: abc.ObserverBase[T], flow: FlowScheduler) -> abc.DisposableBase:
        if (
            not self._stages
            and isinstance(self._root, Observable)
            and is_driven(self._root)
            and _is_reached(self.trail, flow.scope.settings)
        ):
            return self._root.subscribe(observer, scheduler=flow)
        if self._before is None and not isinstance(self._root, Observable):
            return Disposable(Driver(lambda: self.open(flow), observer, flow).dispose)
        # At once, and not when the driver has begun: a subject would emit into the void.
        pipeline = self.open(flow)
        pipeline.subscribe()
        driver = Driver(lambda: pipeline, observer, flow)

        def dispose() -> None:
            driver.dispose()
            flow.on_loop(pipeline.cancel)

        return Disposable(dispose)

    def open(self, flow: FlowScheduler) -> Pipeline[T]:
        """The items as a stream, within a run."""
        owner = object()
        downstream = dict(flow.downstream)
        settings = flow.scope.settings
        settled = [stage.settled(settings.options) for stage in self._stages]
        depths, lends = [], []
        for stage, options in zip(reversed(self._stages), reversed(settled), strict=True):
            depths.append(-downstream.get(stage.key, 0))
            shared = ("limiter", id(options.limiter))
            lends.append(options.limiter is not None and shared in downstream)
            for key in (stage.key, shared):
                downstream[key] = downstream.get(key, 0) + 1
        if self._before is not None and not _is_reached(self._before.trail, settings):
            pipeline: Pipeline[Any] = Pipeline(flow, iter(()))
        elif self._before is not None and not isinstance(self._root, Observable):
            before = self._before.open(flow.demanding(UNBOUNDED, downstream))
            before.own_all()
            pipeline = Pipeline(flow, self._root(before, owner), before)
        else:
            pipeline = Pipeline(flow, self._source(flow, owner, downstream))
        for stage, options in zip(self._stages, settled, strict=True):
            place = StepContext(flow.scope, stage.trail, owner, options)
            bound_step = _bind_stage(stage, place, lends.pop())._replace(depth=depths.pop())
            if settings.replay is not None and stage.name:
                pipeline.lead(settings.replay.get(id(stage.trail), ()))
            if stage.shows_items:
                owner = object()
            if stage.is_async or bound_step.options.waits:
                pipeline.add_async(bound_step)
            else:
                pipeline.add_sync(bound_step)
        pipeline.fuse()
        if _log.isEnabledFor(logging.DEBUG):
            _log.debug("%r opens path %s", flow.scope, path_of(self.trail) or "without a name")
        return pipeline

    def _source(
        self, flow: FlowScheduler, owner: object, downstream: Mapping[Hashable, int]
    ) -> Any:
        """The items of the root; of a producer, as the run wants them."""
        root, settings = self._root, flow.scope.settings
        stages = self._stages
        trail = stages[0].trail[0] if stages and stages[0].trail else self.trail
        if isinstance(root, Observable):
            given = stages[0].trail if trail is None and stages else trail
            if not _is_reached(given, settings):  # the same for all branches of a group
                return iter(())
            intake: Any
            if isinstance(root, BufferedObservable):
                intake = root.intake(flow, downstream, self._tally(trail, root.key, settings))
            else:
                intake = Intake(root, flow, downstream)
            begins = trail is None or (trail[0] is None and isinstance(root, BufferedObservable))
            if settings.drainable and begins and not isinstance(root, Branch):
                return flow.scope.feed(intake)
            return intake
        if not _is_reached(trail, settings):
            return iter(())
        if settings.meter is None or trail is None:
            source = root(flow, owner)
        else:
            gauge = settings.meter.gauge(trail, trail[1], ("source", id(trail)))
            source = metered_source(partial(root, flow, owner), gauge, settings.meter)
        return drainable(source, flow.scope) if settings.drainable else source

    def _tally(self, trail: Trail, key: Hashable, settings: RunSettings) -> ItemCounter | None:
        """What counts what takes in items for others, if the run counts."""
        if settings.meter is None or trail is None:
            return None
        return ItemCounter(settings.meter, settings.meter.gauge(trail, trail[1], key))

    def _subscribe_plainly(
        self, observer: abc.ObserverBase[T], scheduler: abc.SchedulerBase | None
    ) -> abc.DisposableBase:
        assert isinstance(self._root, Observable)
        if not self._stages:
            return self._root.subscribe(observer, scheduler=scheduler)
        owner = object()
        bound_steps = []
        for stage in self._stages:
            bound_steps.append(
                _bind_stage(
                    stage,
                    StepContext(None, stage.trail, owner, stage.settled(StepOptions())),
                    False,
                )
            )
            if stage.shows_items:
                owner = object()
        plain = PlainSteps(observer, bound_steps)
        subscription = self._root.subscribe(
            plain.on_next, observer.on_error, observer.on_completed, scheduler=scheduler
        )

        def dispose() -> None:
            plain.stop()
            subscription.dispose()

        return Disposable(dispose)


def _bind_stage(stage: Stage, place: StepContext, lends: bool) -> BoundStep:
    """What a step does to one item, counted if the run counts, and as the options say."""
    bound_step = stage.bind(place)
    if not stage.name:
        return bound_step
    settings = RunSettings() if place.scope is None else place.scope.settings
    if settings.meter is not None:
        gauge = settings.meter.gauge(stage.trail, stage.name, bound_step.key)
        bound_step = metered(bound_step, gauge, settings.meter)
    location_of = settings.location_of or _unknown_location
    return resilient(
        *(bound_step, stage.name, partial(location_of, stage.trail)),
        log=settings.failures,
        lends=lends,
    )


def _is_reached(trail: Trail, settings: RunSettings) -> bool:
    """Whether products come this way: all do, but in a run of some only those that enter it at the
    end of `trail` or in front of it. A flow that an Rx operator subscribes to is a matter of its
    own."""
    if settings.replay is None or trail is None or settings.location_of is None:
        return True
    before: Trail = trail
    while before is not None and id(before) not in settings.replay:
        before = before[0]
    return before is not None or settings.location_of(trail)[1] < 0


def _unknown_location(trail: Trail) -> tuple[str, int]:
    return path_of(trail), -1


class Merged(Observable[T]):
    """The paths of a flow as one observable; compiled anew for each subscription."""

    def __init__(self, compile_paths: Callable[[], list[Observable[T]]], driven: bool) -> None:
        super().__init__()
        self._compile = compile_paths
        self.driven = driven

    def _subscribe_core(
        self, observer: abc.ObserverBase[T], scheduler: abc.SchedulerBase | None = None
    ) -> abc.DisposableBase:
        if not self.driven or FlowScheduler.of_run(scheduler) is not None:
            return subscribe_merged(self._compile(), observer, scheduler)
        return RootObserver(observer, scheduler).begin(
            lambda rooted, flow: subscribe_merged(self._compile(), rooted, flow)
        )


def is_driven(source: object) -> bool:
    """Whether an observable is ours and runs by a driver."""
    if isinstance(source, Branch):
        return source.hub.driven
    return isinstance(source, FlowObservable | Merged) and source.driven


def fan_out(source: Observable[T], count: int, driven: bool) -> list[FlowObservable[T]]:
    """The source, multicast to `count` branches; it runs once."""
    hub = Hub(source, count, driven or is_driven(source))
    given = flow_observable(source)
    return [
        FlowObservable(
            *(branch, (), hub.driven, given.trail),
            shows_items=given.shows_items,
            kind=given.kind,
        )
        for branch in hub.branches
    ]


def flow_observable(source: Observable[T], driven: bool = False) -> FlowObservable[T]:
    """`source` as something stages can be put on; `driven` makes sure that it runs by a driver."""
    if isinstance(source, FlowObservable) and (source.driven or not driven):
        return source
    shows_items, kind = True, ForeignItems()
    if isinstance(source, FlowObservable):
        shows_items, kind = source.shows_items, source.kind
    return FlowObservable(
        *(source, (), driven or is_driven(source)), shows_items=shows_items, kind=kind
    )


def buffered(
    source: Observable[T],
    policy: OverflowPolicy,
    key: Hashable,
    name: str,
    label: str | None = None,
) -> FlowObservable[T]:
    """`source`, taken in by a policy; its items are called `label` where they are no products."""
    given = flow_observable(source)
    return FlowObservable(
        *(BufferedObservable(source, policy, key), (), True, (given.trail, name)),
        shows_items=given.shows_items,
        kind=given.kind if label is None else ForeignItems(label),
    )
