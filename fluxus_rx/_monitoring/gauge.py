"""The counters of one step at one place in a flow, and those of all steps of a run."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence, Sized
from math import inf
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from .._common.names import UniqueNames
from .._common.trail import Trail
from .._streams.timing import IdleTimes, clock
from .._typing import T
from .calls import CallColumns, Count, ItemNumber
from .counters import Held, Pausing, PlainCalls, Stopwatch
from .loop_time import LoopTime, next_due

__all__ = ["Gauge", "Gauges", "StepKind", "StepTimes"]

#: How a step works, which tells what its idle times mean: a source emits without being called, an
#: inline step is called by the loop itself, which does nothing else meanwhile; any other step may
#: have several calls at once.
StepKind: TypeAlias = Literal["source", "inline", "step"]


class StepTimes(NamedTuple):
    """Seconds by now of a step at one place: in which its calls have worked, and were held up, each
    added up; in which it was starved, and blocked; and in which it had something to do at all."""

    busy: float
    held: float
    starved: float = 0.0
    blocked: float = 0.0
    open: float = 0.0


class Gauge:
    """The counters of one step at one place in the graph."""

    __slots__ = (
        "_clock",
        "_pausing",
        "busy",
        "columns",
        "count_overrun",
        "depth",
        "done",
        "dropped",
        "entering",
        "escaped",
        "failed",
        "given",
        "held",
        "idle_times",
        "key",
        "kind",
        "label",
        "limit",
        "live",
        "loop_time",
        "made",
        "over",
        "path",
        "plain",
        "queues",
        "retried",
        "started",
        "total",
        "trail",
    )

    def __init__(
        self,
        label: str,
        key: Hashable,
        path: str,
        depth: int,
        trail: Trail | None = None,
        *,
        loop_time: LoopTime | None = None,
    ) -> None:
        self._clock = clock()
        #: None for a step that doesn't belong to the flow itself
        self.trail = trail
        self.label = label
        self.key = key
        self.path = path
        self.depth = depth
        #: the calls that return one product each, which the numbers below leave out
        self.plain = PlainCalls()
        #: their records, where these are kept
        self.columns: CallColumns | None = None
        #: how often calls with the product of a position have failed, and no step handled it; only
        #: where records are kept
        self.escaped: dict[ItemNumber, int] = {}
        #: calls that have begun, that are over however they ended, and how those ended that did
        self.started = self.over = self.done = self.failed = self.retried = 0
        #: products that have been emitted, those of them by calls that are over, those that it had
        #: no room for, and those that enter the flow in front of it, in a run of some
        self.given = self.made = self.dropped = self.entering = 0
        self.kind: StepKind = "step"
        #: calls at once at most, where that is known
        self.limit: float | None = None
        self.idle_times: IdleTimes | None = None
        #: where products wait in front of it
        self.queues: list[Sized] = []
        #: how long its code holds the loop, in a run that tells
        self.loop_time = loop_time
        #: the calls that work, and those that are held up, by a limiter or before another attempt
        self.busy, self.held = Stopwatch(), Stopwatch()
        #: the calls that pause before another attempt
        self._pausing: dict[int, Pausing] = {}
        #: counts as failed the last call that was cancelled, in case that was for its time-out
        self.count_overrun: Callable[[BaseException, object], None] | None = None
        #: how much a source has emitted and will emit, if that can be told
        self.total: int | None = None
        #: subscriptions to a source that have not ended
        self.live = 0

    def runs_as(self, kind: StepKind, idle_times: IdleTimes, limit: float | None = None) -> None:
        """Say how the step works from now on; `limit` is how many calls may, at once."""
        self.kind, self.idle_times, self.limit = kind, idle_times, limit

    def look(self, function: Callable[[Any], T], item: Any) -> T:
        """What the function returns in a plain call that holds the thread. The first one is looked
        at, and of a step that tells for how long it computes, another one now and then."""
        plain, loop_time = self.plain, self.loop_time
        if plain.began is None:
            plain.began = plain.entered
            plain.due = inf if loop_time is None else loop_time.due
        elif loop_time is not None:
            plain.due = next_due(plain.inline_seconds, plain.due)
            return loop_time.sample(function, item)
        return function(item)

    def leave_inline(self, since: float) -> None:
        """The call that has held the thread since then isn't a plain one."""
        self.plain.entered = None
        if self.loop_time is not None:
            self.loop_time.held += self._clock() - since

    def escapes(self, item: ItemNumber) -> None:
        """A call with the product of that position has failed; unless its step handles that, the
        next one with it is another attempt, by an operator that subscribes again."""
        if item is not None and self.columns is not None:
            self.escaped[item] = self.escaped.get(item, 0) + 1

    def handled(self, item: ItemNumber) -> None:
        """Its step has handled the failure. Calls with other products may have the same position,
        as in an observable for each product: they aren't attempts of this one."""
        if (left := self.escaped.pop(item, 0) - 1) > 0:
            self.escaped[item] = left

    def again(self, item: ItemNumber) -> None:
        """The call that has just failed may be made once more: another attempt of the same call."""
        self.handled(item)
        self.retried += 1
        self.failed -= 1
        self.over -= 1
        self.started -= 1

    def given_up(self, item: ItemNumber) -> None:
        """It is not made once more after all."""
        self.escapes(item)
        self.retried -= 1
        self.failed += 1
        self.over += 1
        self.started += 1

    def refused(self) -> None:
        """A call has failed before it could begin, as its limiter has raised."""
        self.started += 1
        self.over += 1
        self.failed += 1

    def gave(self, products: int) -> None:
        """It has emitted so many products beside its calls: what stands in for a failed one, or, if
        negative, what a call yielded again and nobody gets."""
        self.given += products
        self.made += products

    def pausing(self, call: Pausing) -> Held:
        """A call pauses inside the block before its next attempt."""
        return Held(self.held, self._clock, pausing=self._pausing, call=call)

    def entering_limiter(self) -> Held:
        """A call waits for its limiter inside the block; an error there is one of a call."""
        return Held(self.held, self._clock, refused=self.refused)

    def times(self) -> StepTimes:
        """The seconds by now."""
        now = self._clock()
        busy = self.busy.seconds(now) + self.plain.total_by(now)
        held = self.held.seconds(now)
        if self.idle_times is None:
            return StepTimes(busy, held)
        starved, blocked, opened = self.idle_times.now()
        if self.kind == "source":
            blocked = max(0.0, opened - busy)
        elif self.kind == "inline":
            starved = max(0.0, opened - busy - blocked)
        return StepTimes(busy, held, starved, blocked, opened)

    @property
    def in_flight(self) -> int:
        """Calls in flight."""
        over = self.over  # first, or another thread might see one that is over and not begun
        return self.started - over + self.plain.in_flight

    @property
    def calls_over(self) -> int:
        """All calls that are over, however they ended."""
        return self.over + self.plain.over

    @property
    def calls_done(self) -> int:
        """All calls that have succeeded."""
        return self.done + self.plain.over

    @property
    def products_given(self) -> int:
        """The products of all calls, and those beside them."""
        return self.given + self.plain.over

    @property
    def seconds_on_loop(self) -> float:
        """Seconds for which its code has held the loop, in a run that tells."""
        return 0.0 if self.loop_time is None else self.loop_time.held + self.plain.inline_seconds

    @property
    def waiting(self) -> int:
        """Products that wait in front of it, or in it for their turn."""
        return sum(map(len, self.queues)) + self.held.running

    @property
    def pause(self) -> float:
        """Seconds until the last of the calls that pause now goes on, as far as that is known."""
        ends = [call.resumes_at for call in [*self._pausing.values()]]
        return max(0.0, max(ends) - self._clock()) if ends else 0.0

    @property
    def is_blocked(self) -> bool:
        """Whether a product of it waits for room further down."""
        return self.idle_times is not None and self.idle_times.is_blocked

    def expect(self, length: int) -> None:
        """One more subscription to this source emits so many products."""
        # One that ended before the source emits no more than it has emitted.
        so_far = self.products_given if self.live == 1 else self.total or 0
        self.total = so_far + length

    def own_total(self, is_drained: bool) -> int | None:
        """How much this source emits in all: if it `is_drained`, what it has emitted when it has
        ended; None for one that can't tell, or has emitted more than it told."""
        given = self.products_given
        if self.total is None or given > self.total:
            return None
        return given if is_drained and not self.live else self.total


#: Names in the path of a call at most: all of them, for each step of a long chain, would take a
#: memory that grows with the square of its length.
_NAMES: Final = 32


class Gauges:
    """The gauges of a run.

    A step that doesn't belong to the flow itself, such as one that an Rx operator subscribes to for
    each product, has a gauge in common with all such steps of its name.
    """

    def __init__(self, times_loop: bool = False) -> None:
        #: whether to tell for how long the code of steps holds the loop
        self._times_loop = times_loop
        self._by_trail: dict[Trail, Gauge] = {}
        #: the steps of the flow itself
        self._known: set[Trail] = set()
        self._strangers: dict[str, Gauge] = {}
        self._labels: dict[Hashable, str] = {}
        self._names = UniqueNames()

    def know(self, trail: Trail | None) -> None:
        """The steps on `trail` are those of the flow that is run."""
        for step in trail or ():
            if step in self._known:
                break
            self._known.add(step)

    def at(self, trail: Trail, name: str, key: Hashable) -> Gauge:
        """The gauge of the step at the end of `trail`; `key` is the same at all places of it."""
        found = self._by_trail.get(trail)
        if found is not None:
            return found
        if trail in self._known:
            path = trail.short_path(_NAMES)
            depth: int = trail.depth
            of_flow: Trail | None = trail
            if trail.branch:  # a step that stands in two of them is told apart
                key, name = (key, trail.branch), ": ".join([*trail.branch, str(name)])
        else:
            if name in self._strangers:
                return self._strangers[name]
            key, path, depth, of_flow = ("stranger", name), str(name), 1, None
        gauge = Gauge(
            self._label(str(name), key),
            key,
            path,
            depth,
            of_flow,
            loop_time=LoopTime() if self._times_loop else None,
        )
        if of_flow is None:
            self._strangers[name] = gauge
        self._by_trail[trail] = gauge
        return gauge

    def _label(self, name: str, key: Hashable) -> str:
        """The name of the step, told apart from other steps of that name."""
        if key not in self._labels:
            self._labels[key] = self._names.add(name)
        return self._labels[key]

    def expect(self, trail: Trail, length: int | None) -> None:
        """The producer at the end of `trail` has this many products more."""
        found = self._by_trail.get(trail)
        if found is not None and length is not None:
            found.expect(length)

    def columns(self) -> list[CallColumns]:
        """The records of plain calls at all places."""
        gauges = [*self._by_trail.values()]
        return [gauge.columns for gauge in gauges if gauge.columns is not None]

    # Steps may join while another thread reads: all that is read here is listed in one go before.

    def by_step(self) -> list[list[Gauge]]:
        """The gauges of each step at all its places, in the order of the flow."""
        found: dict[Hashable, list[Gauge]] = {}
        for gauge in [*self._by_trail.values()]:
            found.setdefault(gauge.key, []).append(gauge)
        return sorted(found.values(), key=lambda places: max(gauge.depth for gauge in places))

    def counts(self, is_drained: bool = False) -> list[Count]:
        """How far each step has come, in the order of the flow: each step behind those before it.

        In a run that `is_drained`, a source that has ended emits no more than it has emitted, and a
        step makes no calls but those in flight.

        >>> Gauges().counts()
        []
        """
        expected = self._expectations(is_drained)
        return [_count(places, expected) for places in self.by_step()]

    def _expectations(self, is_drained: bool) -> dict[Gauge, int | None]:
        """What the steps can expect at each place; sources first."""
        found: dict[Gauge, int | None] = {}
        for trail in [*self._by_trail]:
            step: Trail | None = trail
            unknown = []
            while step is not None and step in self._by_trail:
                if self._by_trail[step] in found:
                    break
                unknown.append(step)
                step = _named_before(step)
            for one in reversed(unknown):
                found[self._by_trail[one]] = self._expectation(one, found, is_drained)
        return found

    def _expectation(
        self, trail: Trail, found: dict[Gauge, int | None], is_drained: bool
    ) -> int | None:
        if trail not in self._known:
            return None
        gauge = self._by_trail[trail]
        before = _named_before(trail)
        if before is None:
            return gauge.own_total(is_drained)
        if is_drained:  # no call begins any more
            return gauge.calls_done + gauge.failed + gauge.in_flight
        upstream = self._by_trail.get(before)
        if upstream is None:  # nothing comes from there in a run of some products
            return gauge.entering or None
        expected = found.get(upstream)
        if expected is None:
            return None
        expected -= upstream.dropped
        given = upstream.products_given
        if upstream.calls_over >= expected:
            return given + gauge.entering
        ended = upstream.calls_done + upstream.failed
        each = (upstream.made + upstream.plain.over) / ended if ended else 1.0
        return max(round(expected * each), given) + gauge.entering


def _named_before(trail: Trail) -> Trail | None:
    """The trail of the step before; what has no name counts nothing."""
    before = trail.before
    while before is not None and not before.name:
        before = before.before
    return before


def _count(places: Sequence[Gauge], expectations: dict[Gauge, int | None]) -> Count:
    """The count of a step at all its places."""
    expected = [one for place in places if (one := expectations.get(place)) is not None]
    watches = [watch for place in places for watch in (place.busy, place.plain)]
    began = [watch.began for watch in watches if watch.began is not None]
    return Count(
        step=places[0].label,
        done=sum(place.calls_done for place in places),
        in_flight=sum(place.in_flight for place in places),
        failed=sum(place.failed for place in places),
        expected=sum(expected) if len(expected) == len(places) else None,
        waiting=sum(place.held.running for place in places),
        pause=max(place.pause for place in places),
        busy=sum(watch.total for watch in watches),
        span=max(0.0, max(watch.ended for watch in watches) - min(began)) if began else 0.0,
        is_blocked=any(place.is_blocked for place in places),
    )
