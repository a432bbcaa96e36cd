"""How much of a step runs off the loop at once, those calls included that were left there."""

from __future__ import annotations

import asyncio
from collections import deque

from .._common.left_watch import LeftWatch

__all__ = ["Slots"]


class Slots:
    """One for each call of a step that runs off the loop, so many at most.

    A call that was left has its slot until it has ended. Where nothing but left calls runs, and
    none of them ends for long, those who wait get `UsageError`: they might wait for ever. A slot is
    only held by code that runs, or waits for its turn in the executor.
    """

    def __init__(self, who: str, size: float) -> None:
        self._who = who
        self._size = size
        self._taken = self._left = 0
        self._queue: deque[asyncio.Future[None]] = deque()
        self._watch = LeftWatch(lambda: self._left if self._taken == self._left else 0)

    @property
    def are_free(self) -> bool:
        """Whether a call can begin at once."""
        return self._taken < self._size

    async def take(self) -> None:
        """Take a slot, once there is one."""
        if self.are_free:
            self._taken += 1
            return
        free = asyncio.get_running_loop().create_future()
        self._queue.append(free)
        try:
            await self._watch.watched(free, lambda: f"{self._who}: nothing of it runs")
        except BaseException:
            if free.done() and not free.cancelled():
                self.give_back()
            raise

    def give_back(self) -> None:
        """A call has ended."""
        while self._queue:
            free = self._queue.popleft()
            if not free.done():
                free.set_result(None)
                break
        else:
            self._taken -= 1
        self._watch.look()

    def cancel(self) -> None:
        """Let nobody wait for a slot any more."""
        for free in self._queue:
            free.cancel()

    def leave(self) -> None:
        """A call that has a slot is left."""
        self._left += 1
        self._watch.look()

    def end_left(self) -> None:
        """A call that was left has ended."""
        self._left -= 1
        self.give_back()
        self._watch.look(ended=True)
