"""The counters of one step at one place in a flow."""

from __future__ import annotations

import contextlib
from collections.abc import Hashable, Iterator, Sized
from typing import Literal, NamedTuple, TypeAlias

from .._common.trail import Trail
from .._streams.timing import IdleTimes, clock

__all__ = ["Gauge", "StepKind", "StepTimes", "Stopwatch"]


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
