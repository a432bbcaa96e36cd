"""A source, a step, a group of synchronous steps as observables.

A `FlowObservable` is a root (a stream of ours, or any observable) and the stages put on it. Stages
are data until somebody subscribes, so that neighbours fuse: synchronous steps run as one loop, and
asynchronous stages read each other directly, with no observer, task or queue in between.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Iterator
from functools import partial
from typing import Any, Generic, NamedTuple

from reactivex import Observable, abc
from reactivex.disposable import Disposable

from ._bridge import Driver, Intake, Rooted
from ._channels import BUFFER, END, Endable, Turn, aclose_all, cancel, nothing
from ._errors import UsageError, also_raised
from ._measured import measured, measured_source
from ._merging import Merge
from ._multicast import Branch, Hub, merged
from ._scheduler import UNBOUNDED, FlowScheduler, Scope
from ._typing import T
from ._walks import Halt, Level, Walked, Work, close_levels, staged, walk

__all__ = [
    "FlowObservable",
    "Merged",
    "Pipeline",
    "Place",
    "Root",
    "Stage",
    "Trail",
    "fan_out",
    "flowing",
    "is_driven",
    "path_of",
]


_log = logging.getLogger(__name__)

#: the names of the steps on the way to here, the last one first; read when something goes wrong
Trail = tuple["Trail", str] | None


class Stage(NamedTuple):
    """One step in its place."""

    bind: Callable[[Place], Work]
    key: Hashable
    is_async: bool
    name: str
    shows_items: bool
    trail: Trail = None


class Place(NamedTuple):
    """Where a step stands: the run, if there is one, the way to it, and the pipeline it is in.

    An item that was made for one owner is seen by no other, who might keep it: not by another
    pipeline, such as a branch of a group, and not by a stage that shows its items to users.
    """

    scope: Scope | None
    trail: Trail
    owner: object


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
    ) -> None:
        super().__init__()
        #: whether users may hold its items, or may have made them
        self.shows_items = shows_items
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
        if isinstance(scheduler, FlowScheduler):
            return self._drive(observer, scheduler)
        return Rooted(observer, scheduler).begin(self._drive)

    def _drive(self, observer: abc.ObserverBase[T], flow: FlowScheduler) -> abc.DisposableBase:
        if not self._stages and isinstance(self._root, Observable) and is_driven(self._root):
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
        depths = []
        for stage in reversed(self._stages):
            depths.append(-downstream.get(stage.key, 0))
            downstream[stage.key] = downstream.get(stage.key, 0) + 1
        if self._before is not None and not isinstance(self._root, Observable):
            before = self._before.open(flow.demanding(UNBOUNDED, downstream))
            pipeline: Pipeline[Any] = Pipeline(flow, self._root(before, owner), before)
        elif isinstance(self._root, Observable):
            pipeline = Pipeline(flow, Intake(self._root, flow, downstream))
        else:
            pipeline = Pipeline(flow, self._source(flow, owner))
        meter = flow.scope.meter
        for stage in self._stages:
            work = stage.bind(Place(flow.scope, stage.trail, owner))._replace(depth=depths.pop())
            if meter is not None and stage.name:
                work = measured(work, meter.gauge(stage.trail, stage.name, work.key), meter)
            if stage.shows_items:
                owner = object()
            if stage.is_async:
                pipeline.add_async(work)
            else:
                pipeline.add_sync(work)
        pipeline.fuse()
        if _log.isEnabledFor(logging.DEBUG):
            _log.debug("%r opens path %s", flow.scope, path_of(self.trail) or "without a name")
        return pipeline

    def _source(self, flow: FlowScheduler, owner: object) -> Any:
        """The items of the root, counted if the run has a meter and they are of a producer."""
        assert not isinstance(self._root, Observable)
        meter = flow.scope.meter
        stages = self._stages
        trail = stages[0].trail[0] if stages and stages[0].trail else self.trail
        if meter is None or trail is None:
            return self._root(flow, owner)
        gauge = meter.gauge(trail, trail[1], ("source", id(trail)))
        return measured_source(partial(self._root, flow, owner), gauge, meter)

    def _subscribe_plainly(
        self, observer: abc.ObserverBase[T], scheduler: abc.SchedulerBase | None
    ) -> abc.DisposableBase:
        assert isinstance(self._root, Observable)
        if not self._stages:
            return self._root.subscribe(observer, scheduler=scheduler)
        owner = object()
        works = []
        for stage in self._stages:
            works.append(stage.bind(Place(None, stage.trail, owner)))
            if stage.shows_items:
                owner = object()
        plain = _Plain(observer, works)
        subscription = self._root.subscribe(
            plain.on_next, observer.on_error, observer.on_completed, scheduler=scheduler
        )

        def dispose() -> None:
            plain.stop()
            subscription.dispose()

        return Disposable(dispose)


class _Plain(Generic[T]):
    """Synchronous steps as an observer: in the emitter's thread, at once."""

    def __init__(self, observer: abc.ObserverBase[T], works: list[Work]) -> None:
        self._observer = observer
        self._works = works
        self._stopped = False

    def stop(self) -> None:
        self._stopped = True

    def on_next(self, item: Any) -> None:
        stack = [Level(0, iter((item,)), None, None)]
        products = walk(self._works, stack, None)
        try:
            while not self._stopped:
                try:
                    product = next(products, END)
                    if product.__class__ is Halt:
                        product.outcome.close()
                        raise UsageError(
                            "a synchronous step gave something to be awaited, but stands in plain"
                            " Rx, where nothing can wait: write its function with async def"
                        )
                except Exception as error:
                    _close_after(error, stack)
                    self._observer.on_error(error)
                    return
                if product is END:
                    return
                self._observer.on_next(product)
        finally:
            close_levels(stack)


def _close_after(error: BaseException, stack: list[Level]) -> None:
    try:
        close_levels(stack)
    except Exception as late:
        also_raised(error, late)


class Merged(Observable[T]):
    """The paths of a flow as one observable; compiled anew for each subscription."""

    def __init__(self, compile_paths: Callable[[], list[Observable[T]]], driven: bool) -> None:
        super().__init__()
        self._compile = compile_paths
        self.driven = driven

    def _subscribe_core(
        self, observer: abc.ObserverBase[T], scheduler: abc.SchedulerBase | None = None
    ) -> abc.DisposableBase:
        if not self.driven or isinstance(scheduler, FlowScheduler):
            return merged(self._compile(), observer, scheduler)
        return Rooted(observer, scheduler).begin(
            lambda rooted, flow: merged(self._compile(), rooted, flow)
        )


def is_driven(source: object) -> bool:
    """Whether an observable is ours and runs by a driver."""
    if isinstance(source, Branch):
        return source.hub.driven
    return isinstance(source, FlowObservable | Merged) and source.driven


def fan_out(source: Observable[T], count: int, driven: bool) -> list[FlowObservable[T]]:
    """The source, multicast to `count` branches; it runs once."""
    hub = Hub(source, count, driven or is_driven(source))
    given = flowing(source)
    return [
        FlowObservable(branch, (), hub.driven, given.trail, shows_items=given.shows_items)
        for branch in hub.branches
    ]


def flowing(source: Observable[T], driven: bool = False) -> FlowObservable[T]:
    """`source` as something stages can be put on; `driven` makes sure that it runs by a driver."""
    if isinstance(source, FlowObservable) and (source.driven or not driven):
        return source
    shows_items = not isinstance(source, FlowObservable) or source.shows_items
    return FlowObservable(source, (), driven or is_driven(source), shows_items=shows_items)


def path_of(trail: Trail) -> str:
    """The path to a step, for a message."""
    names = []
    while trail is not None:
        trail, name = trail
        if name:
            names.append(name)
    return " → ".join(reversed(names))


class Pipeline(Endable[T]):
    """A root and the streams on it, told to end together and closed one after the other.

    No stream here closes the one before it: 2,000 of them would recurse.
    """

    def __init__(
        self,
        flow: FlowScheduler,
        root: Iterator[Any] | AsyncIterator[Any],
        before: Pipeline[Any] | None = None,
    ) -> None:
        self._flow = flow
        self._turn = flow.scope.shared(Turn, Turn)
        self._pending: list[Work] = []
        self._last: Any = root
        self._parts: list[Any] = [root] if before is None else [before, root]

    def add_sync(self, work: Work) -> None:
        """One more synchronous step; fuses with its neighbours."""
        self._pending.append(work)

    def add_async(self, work: Work) -> None:
        """One more asynchronous stage."""
        self._own()
        self.fuse()
        self._add(staged(self._last, work, work.acall, self._turn, self._flow))

    def fuse(self) -> None:
        """Turn the synchronous steps so far into one stream."""
        works, self._pending = self._pending, []
        if any(work.may_wait for work in works):
            self._own()
        if works or not hasattr(self._last, "__anext__"):
            base: Any = self._last
            stack: list[Level] = []
            if not hasattr(base, "__anext__"):
                stack.append(Level(0, base, None, None))
                base = None
            self._add(Walked(base, works, stack, self._turn, self._flow))

    def _own(self) -> None:
        """Let one task read what the workers of a stage would read in turns."""
        if hasattr(self._last, "__anext__") and not isinstance(self._last, Endable):
            self._parts.remove(self._last)
            self._add(Merge((self._last,), BUFFER))

    def _add(self, stream: AsyncIterator[Any]) -> None:
        self._parts.append(stream)
        self._last = stream

    @property
    def poll(self) -> Callable[[], T]:
        """An item that is ready, or END."""
        poll: Callable[[], T] = getattr(self._last, "poll", nothing)
        return poll

    def __anext__(self) -> Awaitable[T]:
        awaitable: Awaitable[T] = self._last.__anext__()
        return awaitable

    def subscribe(self) -> None:
        """Subscribe to what this reads, before it is read."""
        for part in self._parts:
            if isinstance(part, Intake | Pipeline):
                part.subscribe()

    def fail(self, error: BaseException) -> None:
        """End with an error that came up outside of the parts, in an action of a scheduler."""
        for part in self._parts:
            if isinstance(part, Intake | Pipeline):
                part.fail(error)

    def cancel(self) -> None:
        """Tell all parts to end."""
        for part in self._parts:
            cancel(part)

    async def aclose(self) -> None:
        """End all parts; raise the first error that comes up in doing so."""
        self.cancel()
        parts, self._parts = self._parts, []
        await aclose_all(reversed(parts))
