"""The seconds of an attempt: they pass while its call runs, and not while it waits to begin."""

from __future__ import annotations

from collections.abc import Awaitable

from .._streams.loop_clock import Deadline, LoopClock
from .._typing import T

__all__ = ["AttemptClock"]


class AttemptClock:
    """Seconds of a clock after which what an attempt awaits is cancelled; they pass while the
    attempt awaits.

    What hands a call over to threads, processes or an executor stops it until the call has begun
    there: a long queue isn't a long call.
    """

    __slots__ = ("_clock", "_deadline", "_left")

    def __init__(self, clock: LoopClock, seconds: float) -> None:
        self._clock = clock
        self._left = seconds
        self._deadline: Deadline

    async def limit(self, awaitable: Awaitable[T]) -> T:
        """Await, for the seconds that are left; then `is_up`, and TimeoutError is raised."""
        deadline = self._deadline = Deadline(self._clock, self._left)
        try:
            async with deadline:
                return await awaitable
        finally:
            self._left = deadline.left

    @property
    def is_up(self) -> bool:
        """Whether the seconds are over, and what was awaited was cancelled for that."""
        return self._deadline.expired()

    def stop(self) -> None:
        """The call waits; no seconds pass."""
        self._deadline.stop()

    def start(self) -> None:
        """The call has begun to run. It may tell so when nobody awaits it any more."""
        self._deadline.start()
