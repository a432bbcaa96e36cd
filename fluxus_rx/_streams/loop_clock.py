"""The seconds that count against a call: those in which the loop could serve it.

Rules of this file:

1. What holds the loop, or keeps it from running, holds all calls: no time-out counts these seconds.
2. A time-out that is due when the loop comes back late lets through what is ready by then.
3. No call has its own measuring: those with the same time-out share a clock.
"""

from __future__ import annotations

import asyncio
from math import inf, pi
from typing import Any, Final

__all__ = ["Deadline", "LoopClock"]

#: Ticks of a clock in the seconds of its time-out: what holds the loop for longer than from one to
#: the next is not counted, and what holds it for less may be. No whole number: in virtual time, a
#: tick within a rounding error of a deadline would have it come that much too early.
TICKS: Final = 6 * pi

#: Seconds by which a timer may be late, on a loop that nothing holds.
LATE: Final = 0.005

#: Turns of the loop that an answer takes from the socket, or the thread, to a call that awaits it
#: through a few layers.
TURNS: Final = 8

#: Seconds that are none: what sums of floats may differ by.
_ROUNDING: Final = 1e-6


class LoopClock:
    """A clock that stands still while the loop does, for time-outs of so many `seconds`.

    It ticks while calls are in flight. A tick that comes late tells for how long the loop was held,
    no matter which code held it. Where it is known that nobody runs the loop, `skip` says so
    exactly.
    """

    __slots__ = ("_due", "_interval", "_lost", "_under_way", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self.loop = loop
        self._interval = seconds / TICKS
        #: seconds that don't count
        self._lost = 0.0
        self._under_way = 0
        #: when it ticks next
        self._due = inf

    def now(self) -> float:
        """Seconds on this clock."""
        now = self.loop.time()
        if now > self._due:
            self._lost += now - self._due
            self._due = now
        return now - self._lost

    def skip(self, seconds: float) -> None:
        """Don't count these seconds, which have just gone by."""
        self._lost += seconds
        self._due += seconds

    def enter(self) -> None:
        """A call begins."""
        self._under_way += 1
        if self._due == inf:
            self._arm()

    def leave(self) -> None:
        """A call has ended."""
        self._under_way -= 1

    def _arm(self) -> None:
        self._due = self.loop.time() + self._interval
        self.loop.call_at(self._due, self._tick)

    def _tick(self) -> None:
        self.now()
        if self._under_way:
            self._arm()
        else:
            self._due = inf


class Deadline:
    """A block that may last for so many seconds of a clock; then it is cancelled, and raises
    TimeoutError, as one of `asyncio.timeout`. While it is stopped, no seconds pass."""

    __slots__ = ("_clock", "_due", "_is_open", "_scope", "_stopped_with", "_timer", "_when")

    def __init__(self, clock: LoopClock, seconds: float) -> None:
        self._clock = clock
        self._when = self._due = 0.0
        #: the seconds that are left, while they don't pass
        self._stopped_with: float | None = seconds
        self._is_open = False
        self._scope = asyncio.timeout(None)
        self._timer: asyncio.Handle | None = None

    @property
    def left(self) -> float:
        """Seconds until it is due."""
        if self._stopped_with is not None:
            return self._stopped_with
        return self._when - self._clock.now()

    def expired(self) -> bool:
        """Whether it has cancelled the block."""
        return self._scope.expired()

    async def __aenter__(self) -> Deadline:
        await self._scope.__aenter__()
        self._is_open = True
        self.start()
        return self

    async def __aexit__(self, *exc_info: Any) -> None:
        self.stop()
        self._is_open = False
        await self._scope.__aexit__(*exc_info)

    def stop(self) -> None:
        """Let no seconds pass until it starts again."""
        if self._stopped_with is not None:
            return
        self._stopped_with = self.left
        self._clock.leave()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def start(self) -> None:
        """Let the seconds pass on, if the block goes on."""
        left, loop = self._stopped_with, self._clock.loop
        if left is None or not self._is_open or self.expired():
            return
        self._stopped_with = None
        self._clock.enter()
        self._when, self._due = self._clock.now() + left, loop.time() + left
        self._timer = loop.call_at(self._due, self._check)

    def _check(self) -> None:
        loop, left = self._clock.loop, self.left
        late = loop.time() - self._due
        if left > _ROUNDING:
            self._due = loop.time() + left
            self._timer = loop.call_at(self._due, self._check)
        else:
            self._give_turns(TURNS if late > LATE else 0)

    def _give_turns(self, turns: int) -> None:
        loop = self._clock.loop
        if turns:
            self._timer = loop.call_soon(self._give_turns, turns - 1)
        else:
            self._timer = None
            self._scope.reschedule(loop.time())
