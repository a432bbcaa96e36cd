"""How much of a step runs off the loop at once, those calls included that were left there."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable
from typing import Final

from .._common.text import counted
from .._errors import UsageError
from .._typing import T

__all__ = ["LEFT_SECONDS", "Slots", "outside_waiter"]

#: Seconds that the calls of a step wait while nothing runs but calls that were left.
LEFT_SECONDS: Final = 30.0


class Slots:
    """One for each call of a step that runs off the loop, so many at most.

    A call that was left has its slot until it has ended. Where nothing but left calls runs, and
    none of them ends for LEFT_SECONDS, those who wait get `UsageError`: they might wait for ever.
    A slot is only held by code that runs, and never while something else is waited for.
    """

    def __init__(self, who: str, size: float) -> None:
        self._who = who
        self._size = size
        self._taken = self._left = 0
        self._queue: deque[asyncio.Future[None]] = deque()
        self._waits: set[asyncio.Timeout] = set()
        self._watch: asyncio.TimerHandle | None = None
        self._watched: asyncio.Future[None] | None = None

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
            await self.watched(free)
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
        self._look()

    def cancel(self) -> None:
        """Let nobody wait for a slot any more."""
        for free in self._queue:
            free.cancel()

    def leave(self) -> None:
        """A call that has a slot is left."""
        self._left += 1
        self._look()

    def end_left(self) -> None:
        """A call that was left has ended."""
        self._left -= 1
        self._unwatch()
        self.give_back()

    async def watched(self, awaitable: Awaitable[T]) -> T:
        """Await what calls that were left may hold: a slot, or the limiter of the step."""
        scope = asyncio.timeout(None)
        try:
            async with scope:
                self._waits.add(scope)
                self._look()
                return await awaitable
        except TimeoutError as error:
            if not scope.expired():
                raise  # one of the limiter's own
            raise self._error() from error
        finally:
            self._waits.discard(scope)
            self._look()

    def _look(self) -> None:
        if not (self._waits and self._left and self._taken == self._left):
            self._unwatch()
        elif self._watch is None:
            self._watch = asyncio.get_running_loop().call_later(LEFT_SECONDS, self._give_up)
            self._watched = outside_waiter()

    def _unwatch(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        if self._watched is not None:
            self._watched.cancel()
            self._watched = None

    def _give_up(self) -> None:
        self._unwatch()
        for scope in self._waits:
            scope.reschedule(-1.0)

    def _error(self) -> Exception:
        calls = counted(self._left, "call")
        return UsageError(
            f"{self._who}: nothing of it runs but {calls} left after a time-out, and none of them"
            f" has ended for {LEFT_SECONDS:g} s; the next call waits for one. What runs in a thread"
            " can't be stopped: give what the function waits for a time-out of its own (its"
            " request, its query), raise concurrency, or use executor='process', where such a call"
            " ends with its process"
        )


def outside_waiter() -> asyncio.Future[None]:
    """A future of the running loop for work elsewhere: virtual time doesn't jump over it."""
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    busy_until = getattr(loop, "busy_until", None)
    if busy_until is not None:
        busy_until(future)
    return future
