"""Watches over those who wait for what calls hold that were left: such a call may never end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any, Final

from .._errors import UsageError
from .._typing import T
from .text import counted

__all__ = ["LEFT_SECONDS", "LeftWatch", "LimiterPlaces", "outside_waiter"]

#: Seconds that calls wait while nothing runs but calls that were left.
LEFT_SECONDS: Final = 30.0


class LeftWatch:
    """Gives up, with `UsageError`, those who wait for LEFT_SECONDS while left calls hold all that
    they wait for.

    `left` tells how many calls that were left hold it, 0 if anybody else holds some of it too. Code
    that changes that calls `look`, from whatever thread; those who wait may be on several loops.
    """

    def __init__(self, left: Callable[[], int]) -> None:
        self._left = left
        self._was_held = False
        self._lock = threading.RLock()
        self._waits: set[_Wait] = set()

    @property
    def left(self) -> int:
        """How many calls that were left hold all of it; 0 if it isn't held so."""
        return self._left()

    @property
    def is_used(self) -> bool:
        """Whether anybody waits."""
        return bool(self._waits)

    async def watched(self, awaitable: Awaitable[T], what: Callable[[], str]) -> T:
        """Await it; the error begins with what `what` returns: who waits, and for what."""
        wait = _Wait(self)
        try:
            async with wait.scope:
                self._waits.add(wait)
                wait.look()
                return await awaitable
        except TimeoutError as error:
            if not wait.scope.expired():
                raise  # one of the limiter's own
            raise _held_by_left(what(), self._left()) from error
        finally:
            self._waits.discard(wait)
            wait.stop()

    def look(self, ended: bool = False) -> None:
        """See who holds it now; where a left call has `ended`, the seconds begin again."""
        with self._lock:
            is_held = self._left() > 0
            if is_held == self._was_held and not ended:
                return
            self._was_held = is_held
        running = asyncio._get_running_loop()
        for wait in list(self._waits):  # one step of the interpreter: others add and take
            if ended:
                wait.tell(running, wait.stop)
            wait.tell(running, wait.look)


class LimiterPlaces:
    """How many calls of all steps and runs are inside of one limiter, and how many of them were
    left; calls that wait for it are watched."""

    def __init__(self, limiter: object) -> None:
        self._limiter = limiter
        self._taken = self._left = 0
        self._watch = LeftWatch(lambda: self._left if self._left == self._taken else 0)

    @classmethod
    def of(cls, limiter: object) -> LimiterPlaces:
        """Those of a limiter."""
        with _limiters_lock:
            return _limiters.get(id(limiter)) or _limiters.setdefault(id(limiter), cls(limiter))

    async def enter(self, limiter: Any, what: Callable[[], str]) -> None:
        """Enter the limiter; `what` begins the error, where none but left calls are inside."""
        try:
            await self._watch.watched(limiter.__aenter__(), what)
            with _limiters_lock:
                self._taken += 1
        finally:
            self._tidy()

    def leave(self) -> None:
        """A call that is inside is left."""
        with _limiters_lock:
            self._left += 1
        self._watch.look()

    def end(self, was_left: bool) -> None:
        """A call is inside no longer."""
        with _limiters_lock:
            self._taken -= 1
            self._left -= was_left
        self._watch.look(was_left)
        self._tidy()

    def _tidy(self) -> None:
        with _limiters_lock:
            is_used = self._taken or self._watch.is_used
            if not is_used and _limiters.get(id(self._limiter)) is self:
                del _limiters[id(self._limiter)]


_limiters_lock: Final = threading.RLock()
#: By id, while somebody is inside or waits.
_limiters: Final[dict[int, LimiterPlaces]] = {}


class _Wait:
    """One who waits, on its loop."""

    def __init__(self, watch: LeftWatch) -> None:
        self.scope = asyncio.timeout(None)
        self._watch = watch
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._outside: asyncio.Future[None] | None = None

    def tell(self, running: object, callback: Callable[[], None]) -> None:
        if running is self._loop:
            callback()
            return
        try:
            self._loop.call_soon_threadsafe(callback)
        except RuntimeError:
            if not self._loop.is_closed():
                raise

    def look(self) -> None:
        if not self._watch.left or self not in self._watch._waits:
            self.stop()
        elif self._timer is None:
            self._timer = self._loop.call_later(LEFT_SECONDS, self._give_up)
            self._outside = outside_waiter()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._outside is not None:
            self._outside.cancel()
            self._outside = None

    def _give_up(self) -> None:
        self.stop()
        if self._watch.left:
            self.scope.reschedule(-1.0)


def _held_by_left(what: str, left: int) -> UsageError:
    return UsageError(
        f"{what} but {counted(left, 'call')} left after a time-out, and none of them has ended for"
        f" {LEFT_SECONDS:g} s; the next call waits for one. What runs in a thread can't be stopped:"
        " set a time-out on what the function waits for (its request, its query), raise"
        " concurrency, or use executor='process', where such a call ends with its process"
    )


def outside_waiter() -> asyncio.Future[None]:
    """A future of the running loop for work elsewhere: virtual time doesn't jump over it."""
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    busy_until = getattr(loop, "busy_until", None)
    if busy_until is not None:
        busy_until(future)
    return future
