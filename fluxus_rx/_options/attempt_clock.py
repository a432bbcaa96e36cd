"""The seconds of an attempt: they pass while its call runs, and not while it waits to begin."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from .._typing import T

__all__ = ["AttemptClock"]


class AttemptClock:
    """Seconds after which what an attempt awaits is cancelled; it runs while the attempt awaits.

    What hands a call over to threads, processes or an executor stops it until the call has begun
    there: a queue that is long is no call that takes long.
    """

    __slots__ = ("_is_awaited", "_left", "_loop", "_scope", "_since")

    def __init__(self, seconds: float) -> None:
        self._left = seconds
        self._loop: asyncio.AbstractEventLoop
        self._scope: asyncio.Timeout
        self._since: float | None = None
        self._is_awaited = False

    async def limit(self, awaitable: Awaitable[T]) -> T:
        """Await, for the seconds that are left; then `is_up`, and TimeoutError is raised."""
        self._loop = asyncio.get_running_loop()
        self._since = self._loop.time()
        self._scope = asyncio.timeout(self._left)
        try:
            async with self._scope:
                self._is_awaited = True
                return await awaitable
        finally:
            self._is_awaited = False
            self._count()

    @property
    def is_up(self) -> bool:
        """Whether the seconds are over, and what was awaited was cancelled for that."""
        return self._scope.expired()

    def stop(self) -> None:
        """The call waits; no seconds pass."""
        if self._since is not None and not self.is_up:
            self._count()
            self._scope.reschedule(None)

    def start(self) -> None:
        """The call has begun to run."""
        # It may tell so when nobody awaits it any more.
        if self._since is None and self._is_awaited and not self.is_up:
            self._since = self._loop.time()
            self._scope.reschedule(self._since + self._left)

    def _count(self) -> None:
        if self._since is not None:
            self._left -= self._loop.time() - self._since
            self._since = None
