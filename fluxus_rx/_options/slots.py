"""How much runs off the loop at once, those calls included that were left there: of a step, and of
all that goes to one executor."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent import futures
from typing import Final
from weakref import WeakKeyDictionary

from .._common.left_watch import LeftWatch, outside_waiter
from .._loops.event_loop import call_soon
from .._streams.permit import Claim

__all__ = ["ExecutorSlots", "Slots"]


class Slots:
    """One for each call of a step that runs off the loop, so many at most.

    A call that was left has its slot until it has ended. Where nothing but left calls runs, and
    none of them ends for long, those who wait get `UsageError`: they might wait for ever. A slot is
    only held by code that runs, or waits for its turn in the executor.
    """

    def __init__(self, who: str, size: float) -> None:
        self._who = who
        #: those of the executor, if it is the user's
        self.shared: ExecutorSlots | None = None
        #: what claims a thread there while a call waits; it refuses a wait for ever
        self.claim: Callable[[], Claim] | None = None
        self._size = size
        self._taken = self._left = 0
        self._queue: deque[asyncio.Future[None]] = deque()
        self._watch = LeftWatch(lambda: self._left if self._taken == self._left else 0)

    @property
    def are_free(self) -> bool:
        """Whether a call can begin at once."""
        return self._taken < self._size

    def try_take(self) -> bool:
        """Take a slot if there is one, and no executor in which a turn must be had."""
        if self.shared is None and self.are_free:
            self._taken += 1
            return True
        return False

    async def take(self) -> object:
        """Take a slot, once there is one, and a turn in the executor, which is returned."""
        if self.are_free:
            self._taken += 1
        else:
            await self._wait()
        if self.shared is None:
            return None
        claim = None if self.claim is None else self.claim()
        try:
            if claim is not None:
                claim.await_place()
            return await self.shared.take(self, self._who)
        except BaseException:
            self.give_back()
            raise
        finally:
            if claim is not None:
                claim.give_up_place()

    async def _wait(self) -> None:
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
        if self.shared is not None:
            self.shared.cancel(self)

    def leave(self, turn: object) -> None:
        """A call that has a slot, and that turn, is left."""
        self._left += 1
        self._watch.look()
        if self.shared is not None:
            self.shared.leave(turn)

    def end_turn(self, turn: object, _: object = None) -> None:
        """The call that has it has ended, or never began; from whatever thread."""
        if self.shared is not None:
            self.shared.end(turn)

    def end_left(self) -> None:
        """A call that was left has ended."""
        self._left -= 1
        self.give_back()
        self._watch.look(ended=True)


class ExecutorSlots:
    """One for each call in an executor of the user's, whichever step, run or loop it comes from: a
    call that has one begins at once, unless others use the executor too.

    A call that waits takes a slot only when its own loop gets to it, and hands its call over in the
    same breath; a slot that was handed to a loop which nobody runs would be lost to the others. A
    call that was left has its slot until it has ended, even after its run.
    """

    def __init__(self) -> None:
        self.size: float = 0
        # A coroutine that is collected may release its turn in the midst of it.
        self._lock = threading.RLock()
        self._turns: set[object] = set()
        self._left: set[object] = set()
        self._waiting: dict[_Waiter, None] = {}
        self._watch = LeftWatch(self._count_left)

    @classmethod
    def of(cls, executor: futures.Executor, size: float) -> ExecutorSlots:
        """Those of an executor, which runs so many calls at once now."""
        with _slots_lock:
            slots = _slots.setdefault(executor, cls())
        slots.size = size
        return slots

    async def take(self, owner: object, who: str) -> object:
        """A turn in the executor, once there is one. The `owner` can cancel the wait."""
        waiter, what = _Waiter(owner), lambda: f"{who}: nothing runs in its executor"
        if (turn := self._turn(waiter)) is not None:
            return turn
        try:
            while turn is None:
                await self._watch.watched(waiter.free, what)
                waiter.free = outside_waiter()
                turn = self._turn(waiter)
        except BaseException:
            with self._lock:
                self._waiting.pop(waiter, None)
            self._wake()
            raise
        self._wake()  # there may be another slot
        return turn

    def leave(self, turn: object) -> None:
        """The call that has it is left."""
        with self._lock:
            if turn in self._turns:
                self._left.add(turn)
        self._watch.look()

    def end(self, turn: object) -> None:
        """The call that has it has ended, or never began; from whatever thread."""
        with self._lock:
            was_left = turn in self._left
            self._left.discard(turn)
            self._turns.discard(turn)
        self._watch.look(ended=was_left)
        self._wake()

    def cancel(self, owner: object) -> None:
        """Let no call of the owner wait any more."""
        with self._lock:
            waiting = [waiter for waiter in self._waiting if waiter.owner is owner]
        for waiter in waiting:
            waiter.free.cancel()

    def _turn(self, waiter: _Waiter) -> object | None:
        with self._lock:
            others = (other for other in self._waiting if other.loop is waiter.loop)
            if len(self._turns) >= self.size or next(others, waiter) is not waiter:
                self._waiting[waiter] = None
                return None
            self._waiting.pop(waiter, None)
            turn = object()
            self._turns.add(turn)
        self._watch.look()
        return turn

    def _wake(self) -> None:
        """Have the first one who waits on each loop try again."""
        with self._lock:
            if len(self._turns) >= self.size:
                return
            first: dict[asyncio.AbstractEventLoop, _Waiter] = {}
            for waiter in self._waiting:
                first.setdefault(waiter.loop, waiter)
        for loop, waiter in first.items():
            call_soon(loop, waiter.wake)

    def _count_left(self) -> int:
        left = len(self._left)
        return left if self.size <= len(self._turns) == left else 0


class _Waiter:
    """A call that waits for its turn, on its loop."""

    def __init__(self, owner: object) -> None:
        self.owner = owner
        self.loop = asyncio.get_running_loop()
        self.free = outside_waiter()

    def wake(self) -> None:
        if not self.free.done():
            self.free.set_result(None)


_slots_lock: Final = threading.Lock()
_slots: Final[WeakKeyDictionary[futures.Executor, ExecutorSlots]] = WeakKeyDictionary()
