"""The counters of one step at one place in a flow."""

from __future__ import annotations

import contextlib
from collections.abc import Hashable, Iterator, Sized

from .._common.trail import Trail
from .._streams.timing import IdleTimes, clock

__all__ = ["Gauge"]


class Gauge:
    """The counters of one step at one place in the graph."""

    __slots__ = (
        *(
            "depth",
            "is_inline",
            "is_source",
            "key",
            "label",
            "limit",
            "idle_times",
            "path",
            "queues",
        ),
        "trail",
        *(
            "done",
            "dropped",
            "failed",
            "given",
            "live",
            "made",
            "over",
            "retried",
            "started",
            "total",
        ),
        *("_busy_since", "_clock", "_held", "_held_since", "busy", "held", "working"),
    )

    def __init__(
        self, label: str, key: Hashable, path: str, depth: int, trail: Trail | None = None
    ) -> None:
        self._clock = clock()
        self.trail = trail
        self.label = label
        self.key = key
        self.path = path
        self.depth = depth
        self.started = self.done = self.failed = self.given = self.retried = 0
        #: products that it had no room for
        self.dropped = 0
        #: whether it gives without being called; whether its calls hold the loop
        self.is_source = self.is_inline = False
        #: calls at once at most, where that is known
        self.limit: float | None = None
        self.idle_times: IdleTimes | None = None
        #: where products wait in front of it
        self.queues: list[Sized] = []
        #: seconds that calls have worked, and those that work now: how many, and since when in sum
        self.busy = 0.0
        self.working = 0
        self._busy_since = 0.0
        #: the same of calls that are held up, by a limiter or before another attempt
        self._held = 0.0
        self.held = 0
        self._held_since = 0.0
        #: products of the calls that are done
        self.made = 0
        #: calls that are over, however they ended
        self.over = 0
        #: what a source has given and will give, if that can be told
        self.total: int | None = None
        #: subscriptions to a source that have not ended
        self.live = 0

    def worked(self, since: float, until: float) -> None:
        """A call that worked since then rests, or is over."""
        self.busy += until - since
        self.working -= 1
        self._busy_since -= since

    def works(self, since: float) -> None:
        """A call begins to work."""
        self.working += 1
        self._busy_since += since

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
        self.held += 1
        self._held_since += since
        try:
            yield
        finally:
            self.held -= 1
            self._held_since -= since
            self._held += self._clock() - since

    def seconds(self) -> tuple[float, float]:
        """Seconds by now in which calls have worked, and in which they were held up."""
        now = self._clock()
        busy = self.busy + self.working * now - self._busy_since
        # Sums of floats may come out a little below 0.
        return max(0.0, busy), max(0.0, self._held + self.held * now - self._held_since)

    @property
    def waiting(self) -> int:
        """Products that wait in front of it, or in it for their turn."""
        return sum(map(len, self.queues)) + self.held

    def expect(self, length: int) -> None:
        """One more subscription to this source gives so many products."""
        # One that ended before the source gives no more than it has given.
        so_far = self.given if self.live == 1 else self.total or 0
        self.total = so_far + length
