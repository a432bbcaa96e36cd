"""The clock of a run, turns for the loop, and the time that a stage had to wait."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from math import inf
from time import perf_counter
from typing import Any, Final

from .._typing import T

__all__ = ["IdleTimes", "RunClock", "TimeSlice", "clock", "is_real"]


class RunClock:
    """A clock that stands still while a run is paused: `now` is another function then, so that it
    costs no more than the clock itself (benchmark "watching")."""

    __slots__ = ("_clock", "now", "paused_seconds", "paused_since")

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._clock = seconds
        self.now = seconds
        self.paused_since: float | None = None
        self.paused_seconds = 0.0

    def stop(self) -> None:
        """Stand still."""
        self.paused_since = since = self._clock()
        stood = since - self.paused_seconds
        self.now = lambda: stood

    def go_on(self) -> None:
        """Go on from there."""
        paused, seconds = self.paused(), self._clock
        self.paused_since = None
        self.paused_seconds = paused
        self.now = lambda: seconds() - paused

    def paused(self) -> float:
        """The seconds for which it has stood still by now."""
        since = self.paused_since
        return self.paused_seconds + (0.0 if since is None else self._clock() - since)


class IdleTimes:
    """For how long a stage could have begun a call but had nothing to call it with, and for how
    long what it emitted had to wait for room. A moment counts once: as blocked, if it is both."""

    __slots__ = (
        "_blocked_since",
        "_blocking",
        "_clock",
        "_closed",
        "_opened",
        "_starved_since",
        "_starving",
        "blocked",
        "starved",
    )

    def __init__(self, seconds: RunClock | None = None) -> None:
        self._clock = seconds or RunClock(clock())
        self.starved = self.blocked = 0.0
        self._opened = self._starved_since = self._blocked_since = self._clock.now()
        self._closed: float | None = None
        self._starving = False
        self._blocking = 0

    def starve(self) -> None:
        """It waits for a product."""
        self._starving = True
        self._starved_since = self._clock.now()

    def feed(self) -> None:
        """It has got one, or waits no longer."""
        if self._starving and not self._blocking:
            self.starved += self._clock.now() - self._starved_since
        self._starving = False

    async def wait_for_item(self, read: Callable[[], Awaitable[T]]) -> T:
        """What `read()` comes to; the stage starves meanwhile. Its StopAsyncIteration closes."""
        self.starve()
        try:
            return await read()
        except StopAsyncIteration:
            self.close()
            raise
        finally:
            self.feed()

    def block(self) -> None:
        """One of its products waits for room."""
        if not self._blocking:
            now = self._blocked_since = self._clock.now()
            if self._starving:
                self.starved += now - self._starved_since
        self._blocking += 1

    def unblock(self) -> None:
        """It waits no longer."""
        self._blocking -= 1
        if not self._blocking:
            now = self._starved_since = self._clock.now()
            self.blocked += now - self._blocked_since
            if self._closed is not None:
                self._closed = now

    @property
    def is_blocked(self) -> bool:
        """Whether a product of it waits for room now."""
        return self._blocking > 0

    def close(self) -> None:
        """There will be nothing more to call it with; calls may still have products to yield."""
        if self._closed is None:
            self.feed()
            self._closed = self._clock.now()

    def now(self) -> tuple[float, float, float]:
        """Seconds by now: starved, blocked, and those in which there could be something to do."""
        now = self._closed if self._closed is not None and not self._blocking else self._clock.now()
        starved, blocked = self.starved, self.blocked
        if self._blocking:
            blocked += now - self._blocked_since
        elif self._closed is None and self._starving:
            starved += now - self._starved_since
        return starved, blocked, now - self._opened


#: Seconds that code may hold the loop between two suspensions.
SLICE: Final = 0.005

#: Items for which it may do so in virtual time, which doesn't pass meanwhile.
ITEMS_PER_SLICE: Final = 1_000


def clock(loop: asyncio.AbstractEventLoop | None = None) -> Callable[[], float]:
    """What the times of a run go by on this loop, or on the running one: real time, unless the loop
    is one of virtual time, as those of `fluxus_rx.testing` are.

    >>> clock() is perf_counter
    True
    """
    on: Any = loop or asyncio._get_running_loop()
    return on.time if getattr(on, "is_virtual", False) else perf_counter


def is_real(clock: Callable[[], float]) -> bool:
    """Whether a clock goes on while something computes, as that of virtual time does not."""
    return clock is perf_counter


class TimeSlice:
    """Yields to the loop when a task has held it for too long.

    Checked once per item: `if perf_counter() > due: await yield_to_loop()`. One for all tasks of a
    run, or a hundred tasks would hold the loop for a hundred slices. A run that is paused gets no
    turn until it goes on.
    """

    __slots__ = ("due", "gate", "run_clock")

    def __new__(cls, loop: asyncio.AbstractEventLoop | None = None) -> TimeSlice:
        return object.__new__(cls if clock(loop) is perf_counter else _CountedSlice)

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self.due = perf_counter() + SLICE
        #: of a run that is paused: what all wait for that would begin something new
        self.gate: asyncio.Future[None] | None = None
        self.run_clock = RunClock(clock(loop))

    async def yield_to_loop(self) -> None:
        """Let everything else on the loop run once; if paused, wait until that is over."""
        await asyncio.sleep(0)
        while self.gate is not None:
            # Shielded: a task that is cancelled while it waits here doesn't end the pause for all.
            await asyncio.shield(self.gate)
        self.due = perf_counter() + SLICE

    def pause(self) -> None:
        """Let tasks that ask for a turn wait."""
        if self.gate is None:
            self.gate = asyncio.get_running_loop().create_future()
            self.run_clock.stop()
        self.due = -inf  # so that all ask

    def resume(self) -> None:
        """Let them go on."""
        gate, self.gate = self.gate, None
        if gate is not None:
            self.run_clock.go_on()
            gate.set_result(None)


class _CountedSlice(TimeSlice):
    """Yields after so many items, in virtual time: by real time, two runs of the same code would
    differ, and without any turn a source without end would never stop."""

    __slots__ = ("_is_paused", "_items")

    @property
    def due(self) -> float:  # looked at once per item
        self._items += 1
        return -inf if self._is_paused or self._items > ITEMS_PER_SLICE else inf

    @due.setter
    def due(self, due: float) -> None:
        self._items, self._is_paused = 0, due == -inf
