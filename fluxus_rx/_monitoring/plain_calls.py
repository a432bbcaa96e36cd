"""The calls that give one product each: the usual ones, counted without an object for each."""

from __future__ import annotations

__all__ = ["PlainCalls"]


class PlainCalls:
    """The calls of one step that give one product each, as numbers.

    Who makes the calls writes these fields, since a method would cost as much as all of them
    (benchmark "watching"). What turns out to be another call, as it fails or gives several
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
        #: how many calls that can wait are under way, and since when in sum
        self.under_way = 0
        self.since = 0.0

    @property
    def in_flight(self) -> int:
        """Calls under way."""
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
