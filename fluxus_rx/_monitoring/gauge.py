"""The counters of one step at one place in a flow, and those of all steps of a run."""

from __future__ import annotations

import contextlib
from collections.abc import Hashable, Iterator, Sized
from typing import Final, Literal, NamedTuple, TypeAlias

from .._common.names import UniqueNames
from .._common.trail import Trail
from .._streams.timing import IdleTimes, clock
from .calls import Count

__all__ = ["Gauge", "Gauges", "StepKind", "StepTimes", "Stopwatch"]

#: How a step works, which tells what its idle times mean: a source gives without being called, an
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


class Stopwatch:
    """Adds up the seconds of what lasts, of several things at once."""

    __slots__ = ("_since", "_total", "running")

    def __init__(self) -> None:
        self._total = 0.0
        #: how many last now, and since when in sum
        self.running = 0
        self._since = 0.0

    def start(self, now: float) -> None:
        """One more begins."""
        self.running += 1
        self._since += now

    def stop(self, since: float, now: float) -> None:
        """One that began at `since` is over."""
        self._total += now - since
        self.running -= 1
        self._since -= since

    def seconds(self, now: float) -> float:
        """The sum by now."""
        # Sums of floats may come out a little below 0.
        return max(0.0, self._total + self.running * now - self._since)


class Gauge:
    """The counters of one step at one place in the graph."""

    __slots__ = (
        "_clock",
        "busy",
        "depth",
        "done",
        "dropped",
        "failed",
        "given",
        "held",
        "idle_times",
        "key",
        "kind",
        "label",
        "limit",
        "live",
        "made",
        "over",
        "path",
        "queues",
        "retried",
        "started",
        "total",
        "trail",
    )

    def __init__(
        self, label: str, key: Hashable, path: str, depth: int, trail: Trail | None = None
    ) -> None:
        self._clock = clock()
        #: None for a step that doesn't belong to the flow itself
        self.trail = trail
        self.label = label
        self.key = key
        self.path = path
        self.depth = depth
        #: calls that have begun, that are over however they ended, and how those ended that did
        self.started = self.over = self.done = self.failed = self.retried = 0
        #: products that have been given, those of them by calls that are done, and those that it
        #: had no room for
        self.given = self.made = self.dropped = 0
        self.kind: StepKind = "step"
        #: calls at once at most, where that is known
        self.limit: float | None = None
        self.idle_times: IdleTimes | None = None
        #: where products wait in front of it
        self.queues: list[Sized] = []
        #: the calls that work, and those that are held up, by a limiter or before another attempt
        self.busy, self.held = Stopwatch(), Stopwatch()
        #: what a source has given and will give, if that can be told
        self.total: int | None = None
        #: subscriptions to a source that have not ended
        self.live = 0

    def runs_as(self, kind: StepKind, idle_times: IdleTimes, limit: float | None = None) -> None:
        """Say how the step works from now on; `limit` is how many calls may, at once."""
        self.kind, self.idle_times, self.limit = kind, idle_times, limit

    def again(self) -> None:
        """The call that has just failed may be made once more: another attempt of the same call."""
        self.retried += 1
        self.failed -= 1
        self.over -= 1
        self.started -= 1

    def given_up(self) -> None:
        """It is not made once more after all."""
        self.retried -= 1
        self.failed += 1
        self.over += 1
        self.started += 1

    @contextlib.contextmanager
    def holding(self) -> Iterator[None]:
        """A call is held up inside the block."""
        since = self._clock()
        self.held.start(since)
        try:
            yield
        finally:
            self.held.stop(since, self._clock())

    def times(self) -> StepTimes:
        """The seconds by now."""
        now = self._clock()
        busy, held = self.busy.seconds(now), self.held.seconds(now)
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
        """Calls under way."""
        return self.started - self.over

    @property
    def waiting(self) -> int:
        """Products that wait in front of it, or in it for their turn."""
        return sum(map(len, self.queues)) + self.held.running

    def expect(self, length: int) -> None:
        """One more subscription to this source gives so many products."""
        # One that ended before the source gives no more than it has given.
        so_far = self.given if self.live == 1 else self.total or 0
        self.total = so_far + length


#: Names in the path of a call at most: all of them, for each step of a long chain, would take a
#: memory that grows with the square of its length.
_NAMES: Final = 32


class Gauges:
    """The gauges of a run.

    A step that doesn't belong to the flow itself, such as one that an Rx operator subscribes to for
    each product, has a gauge in common with all such steps of its name.
    """

    def __init__(self) -> None:
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
            gauge = Gauge(self._label(str(name), key), key, path, trail.depth, trail)
        else:
            if name in self._strangers:
                return self._strangers[name]
            key = ("stranger", name)
            gauge = Gauge(self._label(str(name), key), key, str(name), 1)
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

    # Steps may join while another thread reads: all that is read here is listed in one go before.

    def by_step(self) -> list[list[Gauge]]:
        """The gauges of each step at all its places, in the order of the flow."""
        found: dict[Hashable, list[Gauge]] = {}
        for gauge in [*self._by_trail.values()]:
            found.setdefault(gauge.key, []).append(gauge)
        return sorted(found.values(), key=lambda places: max(gauge.depth for gauge in places))

    def counts(self) -> list[Count]:
        """How far each step has come, in the order of the flow: each step behind those before it.

        >>> Gauges().counts()
        []
        """
        counts: dict[Hashable, Count] = {}
        depths: dict[Hashable, int] = {}
        expected = self._expectations()
        for trail, gauge in [*self._by_trail.items()]:
            own = Count(
                step=gauge.label,
                done=gauge.done,
                in_flight=gauge.in_flight,
                failed=gauge.failed,
                expected=expected.get(trail),
            )
            other = counts.get(gauge.key)
            counts[gauge.key] = own if other is None else _added_up(other, own)
            depths[gauge.key] = max(depths.get(gauge.key, 0), gauge.depth)
        return [counts[key] for key in sorted(counts, key=depths.__getitem__)]

    def _expectations(self) -> dict[Trail, int | None]:
        """What the steps can expect, by the trails to them; sources first."""
        found: dict[Trail, int | None] = {}
        for trail in [*self._by_trail]:
            step: Trail | None = trail
            unknown = []
            while step is not None and step in self._by_trail and step not in found:
                unknown.append(step)
                step = _named_before(step)
            for one in reversed(unknown):
                found[one] = self._expectation(one, found)
        return found

    def _expectation(self, trail: Trail, found: dict[Trail, int | None]) -> int | None:
        gauge = self._by_trail[trail]
        before = _named_before(trail)
        if before is None:
            return gauge.total if trail in self._known else None
        expected = found.get(before)
        if expected is None:
            return None
        upstream = self._by_trail[before]
        expected -= upstream.dropped
        if upstream.over >= expected:
            return upstream.given
        each = upstream.made / upstream.done if upstream.done else 1.0
        return max(round(expected * each), upstream.given)


def _named_before(trail: Trail) -> Trail | None:
    """The trail of the step before; what has no name counts nothing."""
    before = trail.before
    while before is not None and not before.name:
        before = before.before
    return before


def _added_up(one: Count, other: Count) -> Count:
    known = one.expected is not None and other.expected is not None
    return Count(
        step=one.step,
        done=one.done + other.done,
        in_flight=one.in_flight + other.in_flight,
        failed=one.failed + other.failed,
        expected=(one.expected or 0) + (other.expected or 0) if known else None,
    )
