"""What is counted of calls: how many, and the seconds of what lasts, added up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

__all__ = ["Held", "Pausing", "PlainCalls", "Stopwatch"]


class Stopwatch:
    """Adds up the seconds of what lasts, of several things at once."""

    __slots__ = ("_since", "began", "ended", "running", "total")

    def __init__(self) -> None:
        #: seconds of what is over
        self.total = 0.0
        #: when the first one began, and the last one so far was over
        self.began: float | None = None
        self.ended = 0.0
        #: how many last now, and since when in sum
        self.running = 0
        self._since = 0.0

    def start(self, now: float) -> None:
        """One more begins."""
        if self.began is None:
            self.began = now
        self.running += 1
        self._since += now

    def stop(self, since: float, now: float) -> None:
        """One that began at `since` is over."""
        self.total += now - since
        self.ended = now
        self.running -= 1
        self._since -= since

    def seconds(self, now: float) -> float:
        """The sum by now."""
        # Sums of floats may come out a little below 0.
        return max(0.0, self.total + self.running * now - self._since)


class Pausing(Protocol):
    """A call that pauses before its next attempt, until the clock says so."""

    resumes_at: float


class Held:
    """A block in which a call is held up."""

    # No generator with contextlib's decorator: that assigns the traceback of what it passes on,
    # which an exception that is a frozen dataclass refuses.

    __slots__ = ("_call", "_clock", "_pausing", "_refused", "_since", "_stopwatch")

    def __init__(
        self,
        stopwatch: Stopwatch,
        clock: Callable[[], float],
        pausing: dict[int, Pausing] | None = None,
        call: Pausing | None = None,
        refused: Callable[[], None] | None = None,
    ) -> None:
        self._stopwatch = stopwatch
        self._clock = clock
        self._pausing = pausing
        self._call = call
        self._refused = refused
        self._since = 0.0

    def __enter__(self) -> None:
        if self._pausing is not None and self._call is not None:
            self._pausing[id(self._call)] = self._call
        self._since = self._clock()
        self._stopwatch.start(self._since)

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._stopwatch.stop(self._since, self._clock())
        if self._pausing is not None:
            del self._pausing[id(self._call)]
        if self._refused is not None and isinstance(error, Exception):
            self._refused()


class PlainCalls:
    """The calls of one step that return one product each, as numbers.

    The code that makes the calls writes these fields, since a method would cost as much as all of
    them (benchmark "watching"). What turns out to be another call, as it fails or returns several
    products, is taken out of them again. Any thread may read them at any time.
    """

    __slots__ = (
        "began",
        "due",
        "ended",
        "entered",
        "inline_seconds",
        "over",
        "seconds",
        "since",
        "under_way",
    )

    def __init__(self) -> None:
        #: calls that are over
        self.over = 0
        #: when the first one began, and the last one so far was over
        self.began: float | None = None
        self.ended = 0.0
        #: when that call began which holds the thread now, if one does
        self.entered: float | None = None
        #: seconds of those that are over and held the thread, and of those that could wait
        self.inline_seconds = self.seconds = 0.0
        #: the `inline_seconds` from which on a call is looked at more closely, as the first one is
        self.due = 0.0
        #: how many calls that can wait are in flight, and since when in sum
        self.under_way = 0
        self.since = 0.0

    @property
    def in_flight(self) -> int:
        """Calls in flight."""
        return self.under_way + (self.entered is not None)

    @property
    def total(self) -> float:
        """The seconds of those that are over."""
        return self.inline_seconds + self.seconds

    def total_by(self, now: float) -> float:
        """The seconds of all of them by now."""
        total, entered = self.total, self.entered
        if self.under_way:
            total += self.under_way * now - self.since
        return total if entered is None else total + (now - entered)

    def begin(self, now: float) -> None:
        """A call that can wait has begun."""
        if self.began is None:
            self.began = now
        self.under_way += 1
        self.since += now

    def leave(self, since: float) -> None:
        """The call that began then is none of these."""
        self.under_way -= 1
        self.since -= since
