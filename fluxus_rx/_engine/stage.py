"""A step in its place in a flow, as a stage; the names of places, and products that enter in the
middle."""

from __future__ import annotations

from collections.abc import (
    AsyncIterator,
    Callable,
    Coroutine,
    Hashable,
    Iterator,
    Mapping,
    Sequence,
)
from functools import cached_property, partial
from math import inf
from typing import Any, NamedTuple

from reactivex import Observable

from .._common.messages import note, short
from .._common.names import normal_name
from .._common.trail import Trail
from .._errors import MissingAttributeError
from .._options.step_options import NO_OPTIONS, StepOptions
from .._rx.draining import Draining, Leftover
from .._rx.run_settings import RunSettings
from .._rx.scheduler import FlowScheduler
from .._rx.scope import Scope
from .._streams.call_stage import CallStage
from .._streams.context import CALLER
from .._streams.flat_map import FlatMap
from .._streams.limit import Limit
from .._streams.timing import IdleTimes
from .bound_step import BoundStep, opened_first
from .metered import metered
from .resilience import resilient

__all__ = [
    "ForeignItems",
    "Location",
    "PlacedStage",
    "Stage",
    "StageInRun",
    "StepContext",
    "StepLocations",
    "async_stage",
    "call_stage",
    "entering",
    "is_reached",
    "stages_in_run",
]


class Stage(NamedTuple):
    """One step, as data: what it does once it is bound to a run, and how it is to be run.

    One that `opens` something needs a run, which closes it.
    """

    bind: Callable[[StepContext], BoundStep]
    key: Hashable
    is_async: bool
    name: str
    shows_items: bool
    #: those that are set, and those that are implied where none are set around it either
    options: StepOptions = NO_OPTIONS
    implied: StepOptions = NO_OPTIONS
    #: what it is in the run of a plain caller, if that is something else
    plain: Stage | None = None
    opens: bool = False

    def within(self, settings: RunSettings) -> Stage:
        """What it is in a run with these settings."""
        return self.plain if self.plain is not None and settings.plain else self

    def waits(self, settings: RunSettings) -> bool:
        """Whether its calls may have to wait in a run with these settings."""
        stage = self.within(settings)
        return stage.is_async or stage.settled(settings.options).waits

    def settled(self, defaults: StepOptions) -> StepOptions:
        """Its options in a run with these defaults."""
        return self.options.over(defaults).over(self.implied)


class PlacedStage(NamedTuple):
    """A stage, and the way to it."""

    stage: Stage
    trail: Trail


class StepContext(NamedTuple):
    """Where a step stands: the run, if there is one, the way to it, the pipeline it is in, and what
    its options come to there. What is inside of a call `is_inner`.

    An item that was made for one owner is seen by no other pipeline, such as a branch of a group,
    which might keep it. Behind a stage that shows its items to users, a step makes products of its
    own of them.
    """

    scope: Scope | None
    trail: Trail
    owner: object
    options: StepOptions
    is_inner: bool = False

    def guarded(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function of the step, as it goes to its executor in this run."""
        if self.scope is None or self.is_inner or not self.scope.settings.drainable:
            return function
        return self.scope.draining.guarded(function, self.options.executor)


class StageInRun(NamedTuple):
    """A stage with what its options come to in a run.

    `depth` ranks those that share a limit: the further down, the higher; what is inside of a call
    is further down than all. `lends` tells whether a step further down has the same limiter.
    """

    placed: PlacedStage
    options: StepOptions
    depth: float = 0
    lends: bool = False

    def bound(self, scope: Scope | None, owner: object) -> BoundStep:
        """What the step does to one item, counted if the run counts, and as the options say."""
        stage, trail = self.placed
        is_inner = self.depth == inf
        bound_step = stage.bind(StepContext(scope, trail, owner, self.options, is_inner))
        if not stage.name:
            return opened_first(bound_step, None)
        if self.depth or bound_step.trail is not trail:
            bound_step = bound_step._replace(depth=self.depth, trail=trail)
        settings = RunSettings() if scope is None else scope.settings
        place = partial(settings.location_of or Location.outside, trail)
        leftover: Leftover | None = None
        if scope is not None and settings.meter is not None:
            # A call inside of one that is in flight is a part of that, and ends as it does.
            is_drained = bound_step.calls_users and not is_inner
            draining = scope.draining if is_drained else Draining(scope.loop)
            leftover = Leftover(draining, stage.name, place, bound_step.kept)
            gauge = settings.meter.gauges.at(trail, stage.name, bound_step.key)
            bound_step = metered(bound_step, gauge, settings.meter, leftover)
        timeout = bound_step.options.timeout
        leftover = leftover if settings.drainable else None
        resilient_step = resilient(
            bound_step,
            stage.name,
            place,
            log=settings.failures,
            lends=self.lends,
            leftover=leftover,
            clock=None if scope is None or timeout is None else scope.loop_clock(timeout),
        )
        return opened_first(resilient_step, leftover)


def stages_in_run(
    stages: Sequence[PlacedStage], settings: RunSettings, downstream: dict[Hashable, int]
) -> list[StageInRun]:
    """The stages with what their options come to; `downstream`, which tells how many stages behind
    these have a key or a limiter, then counts these as well."""
    found = []
    for placed in reversed(stages):
        if placed.stage.plain is not None:
            placed = PlacedStage(placed.stage.within(settings), placed.trail)
        key, options = placed.stage.key, placed.stage.settled(settings.options)
        limiter = ("limiter", id(options.limiter))
        lends = options.limiter is not None and limiter in downstream
        found.append(StageInRun(placed, options, -downstream.get(key, 0), lends))
        for shared in (key, limiter):
            downstream[shared] = downstream.get(shared, 0) + 1
    found.reverse()
    return found


class ForeignItems(NamedTuple):
    """What a step makes of items that aren't products: what it calls them, and how far down their
    path they were made, if operators have made them."""

    label: str | None = None
    depth: int = 0


class Location(NamedTuple):
    """Where a step stands in a flow: the path of names to it, and which of the steps with that path
    it is, in the order of the flow; -1 for a step that doesn't belong to the flow itself."""

    path: str
    number: int

    @classmethod
    def outside(cls, trail: Trail) -> Location:
        """That of a step which doesn't belong to the flow."""
        return cls(trail.path, -1)


class StepLocations:
    """Where the steps stand of a flow that has been compiled into these paths."""

    def __init__(self, paths: Sequence[Observable[Any]]) -> None:
        trails: list[Trail | None] = [getattr(path, "trail", None) for path in paths]
        self._ends = [(index, end) for index, end in enumerate(trails) if end is not None]

    def location_of(self, trail: Trail) -> Location:
        """Where the step at the end of `trail` stands."""
        return self._locations.get(trail) or Location.outside(trail)

    def find(self, location: tuple[str, int]) -> Trail | None:
        """The trail to a location; None if the flow doesn't have it."""
        return self._trails.get(location)

    def through(self, trail: Trail) -> Iterator[int]:
        """The paths that lead through the step at the end of `trail`."""
        return (index for index, end in self._ends if trail.leads_to(end))

    def behind(self, trail: Trail) -> frozenset[Location]:
        """The locations that a path leads to from the step at the end of `trail`, and its own."""
        return frozenset(
            location for step, location in self._locations.items() if trail.leads_to(step)
        )

    # When first asked for: the names of long chains take a while.
    @cached_property
    def _locations(self) -> dict[Trail, Location]:
        found: dict[Trail, Location] = {}
        counts: dict[str, int] = {}
        for _, end in self._ends:
            for trail in reversed(_unknown_steps(end, found)):
                path = trail.path
                number = counts.get(path, 0)
                counts[path] = number + 1
                found[trail] = Location(path, number)
        return found

    @cached_property
    def _trails(self) -> dict[tuple[str, int], Trail]:
        return {location: trail for trail, location in self._locations.items()}


def _unknown_steps(end: Trail, known: dict[Trail, Location]) -> list[Trail]:
    """The steps with a name on the way to `end`, back to the first one that is known."""
    found = []
    for step in end:
        if step in known:
            break
        if step.name:
            found.append(step)
    return found


def is_reached(trail: Trail | None, settings: RunSettings) -> bool:
    """Whether products come to the end of `trail`.

    All do, but in a run of some only those that enter the flow there or in front of it. A flow that
    an Rx operator subscribes to is a matter of its own.
    """
    if settings.replay is None or trail is None or settings.location_of is None:
        return True
    if any(step in settings.replay for step in trail):
        return True
    named = next((step for step in trail if step.name), None)
    return named is None or settings.location_of(named)[1] < 0


def entering(trail: Trail, settings: RunSettings) -> Sequence[Any]:
    """The products that enter the flow at the step at the end of `trail`."""
    if settings.replay is None or not trail.name:
        return ()
    return settings.replay.get(trail, ())


def async_stage(
    stream: AsyncIterator[Any],
    bound_step: BoundStep,
    call: Callable[[Any], Coroutine[Any, Any, Any]],
    flow: FlowScheduler,
) -> FlatMap[Any]:
    """The calls of a step with what a stream yields, each awaited."""
    scope = flow.scope
    flat_map: FlatMap[Any] = FlatMap(
        stream,
        call_stage(bound_step, call, flow),
        owns_source=False,
        time_slice=scope.time_slice,
    )
    if scope.settings.drainable and not flow.is_inner:
        scope.draining.add_stage(flat_map)
    return flat_map


def call_stage(
    bound_step: BoundStep, call: Callable[[Any], Coroutine[Any, Any, Any]], flow: FlowScheduler
) -> CallStage:
    """The calls of a step as its options say."""
    options, scope, gauge = bound_step.options, flow.scope, bound_step.gauge
    size = options.limit
    if bound_step.offload is not None:
        # More would begin calls that wait for a thread, and take iterators theirs.
        size = min(size, bound_step.offload.size)
    idle_times = None
    if gauge is not None:
        idle_times = IdleTimes(None if scope.meter is None else scope.meter.unpaused)
        gauge.runs_as("step", idle_times, limit=size)
    ordered: bool | Callable[[Any], Hashable] = bool(options.ordered) or scope.settings.ordered
    if isinstance(options.ordered, str) and not scope.settings.ordered:
        ordered = partial(_attribute_of, options.ordered)
    return CallStage(
        call,
        concurrency=size,
        ordered=ordered,
        window=options.window,
        limit=_limit_of(bound_step, size, flow) if size != inf else None,
        depth=bound_step.depth,
        idle_times=idle_times,
        explain=bound_step.explain,
        run=scope,
        trail=bound_step.trail,
    )


def _limit_of(bound_step: BoundStep, size: float, flow: FlowScheduler) -> Limit | None:
    """The limit of a step in a run; None inside of a call that has a slot of it already, which
    would be waited for in vain."""
    scope = flow.scope

    def make() -> Limit:
        return Limit(size, scope.get_or_create("rivals", set))

    limit = scope.get_or_create(bound_step.key, make)
    if flow.is_inner:
        for caller in CALLER.get() or ():
            if caller.place is not None and caller.place.limit is limit:
                return None
    return limit


def _attribute_of(name: str, item: Any) -> Any:
    """The attribute of an item that it keeps its order by."""
    try:
        value = item[name] if isinstance(item, Mapping) else getattr(item, name)
    except (KeyError, AttributeError):
        if (normal := normal_name(name)) != name:
            return _attribute_of(normal, item)
        raise MissingAttributeError(
            f"ordered={name!r}: there is no attribute {name!r} to keep the order by in"
            f" {short(item)}: name one that is there, or keep the order of all by ordered=True"
        ) from None
    try:
        hash(value)
    except TypeError as error:
        note(error, f"ordered={name!r} keeps the order by a value that can be hashed")
        raise
    return value
