"""Calls in flight at most, over all the stages that share the limit."""

from __future__ import annotations

import asyncio
from collections import deque
from math import inf
from operator import itemgetter
from typing import Final

from .._errors import UsageError
from .context import CALLER, Caller

__all__ = ["Limit"]

_DEADLOCK: Final = (
    "a call inside of a call would wait for ever: each slot of its step is held by a call that"
    " waits for a call inside of itself, which waits for a slot that is held in the same way. Raise"
    " concurrency of these steps, or don't have them call each other"
)


class Limit:
    """Calls in flight at most, for all the stages that share it.

    A call that waits for its own products to be taken is parked: code of it doesn't run, and its
    slot is lent, but only to calls further down the same path, which its products wait for.
    Without that, a generator step chained into itself at limit 1 would wait for itself for ever.
    And a call gets its slot back only when those further down have ended: were the slot of one of
    them taken instead, each of the two could come to wait for the other.
    """

    __slots__ = (
        "_inner",
        "_parked",
        "_parked_at",
        "_queues",
        "_rivals",
        "in_flight",
        "size",
        "waiting",
    )

    def __init__(self, size: float, rivals: set[Limit] | None = None) -> None:
        self.size = size
        #: the limits of a run that calls inside of calls wait for, by which calls they do
        self._rivals = rivals
        self._inner: dict[asyncio.Future[None], Caller | None] = {}
        #: changed by the code that makes calls, since a method for it costs 2 % of an item and step
        #: (benchmark "async"): one more where fewer are in flight than `size`, and nobody waits;
        #: one less at the end, and then those that wait are admitted
        self.in_flight = 0
        self._parked = 0
        # Counted by depth, and not searched: behind a group of 40 branches 10,000 calls may wait.
        self._parked_at: dict[float, int] = {}
        #: how many wait for a slot
        self.waiting = 0
        self._queues: dict[tuple[bool, float], deque[asyncio.Future[None]]] = {}

    def open_up(self) -> None:
        """Admit all that wait, and whatever comes."""
        self.size = inf
        self.admit()

    def _free(self, depth: float, resuming: bool) -> bool:
        running = self.in_flight - self._parked
        if running >= self.size:
            return False
        if self.in_flight < self.size:
            return True
        # A parked call keeps its slot from those that are not further down than itself. One that
        # resumes has a slot already, and so have those beside it: any of these slots will do.
        first = depth + 1 if resuming else depth
        # What is inside of a call keeps none: its reader may be the one that waits for the slot.
        kept = sum(count for at, count in self._parked_at.items() if first <= at < inf)
        return running + kept < self.size

    async def enter(self, depth: float) -> None:
        """Wait for a slot for a new call at `depth`, counted from the source."""
        if not self.waiting and self._free(depth, False):
            self.in_flight += 1
        else:
            await self._queue(depth, False)

    def leave(self) -> None:
        """A call has ended."""
        self.in_flight -= 1
        if self.waiting:
            self.admit()

    def park(self, depth: float) -> None:
        """A call waits for its reader."""
        self._parked += 1
        self._parked_at[depth] = self._parked_at.get(depth, 0) + 1
        if self.waiting:
            self.admit()

    def unpark(self, depth: float) -> None:
        """A parked call goes on, or ends."""
        self._parked -= 1
        if self._parked_at[depth] == 1:
            del self._parked_at[depth]
        else:
            self._parked_at[depth] -= 1

    def try_resume(self, depth: float) -> bool:
        """Let a parked call go on, if its slot is free again."""
        if not self._free(depth, True):
            return False
        self.unpark(depth)
        return True

    async def resume(self, depth: float) -> None:
        """A parked call goes on; waits for a slot, because its own was lent."""
        await self._queue(depth, True)

    async def _queue(self, depth: float, resuming: bool) -> None:
        future = asyncio.get_running_loop().create_future()
        self._queues.setdefault((not resuming, depth), deque()).append(future)
        self.waiting += 1
        # There may be a slot for this one, though there is none for those that came before.
        self.admit()
        try:
            if depth == inf and not resuming and not future.done():
                self._wait_inside(future)
            await future
        except BaseException:
            if not future.done() or future.cancelled():
                future.cancel()  # left in its queue, and passed over there
                if resuming:
                    self.unpark(depth)
            elif not resuming:
                self.leave()
            raise

    # Calls inside of calls

    def _wait_inside(self, future: asyncio.Future[None]) -> None:
        """A call inside of another one waits; raises `UsageError` where that would be for ever."""
        rivals = self._rivals
        if rivals is None:
            return
        caller = CALLER.get()
        self._inner[future] = None if caller is None else caller.outer
        rivals.add(self)
        future.add_done_callback(self._waits_no_longer)
        stuck = [*rivals]
        while self in stuck:
            waiting = (inner for one in stuck for inner in one._inner.values())
            callers = {caller for inner in waiting if inner is not None for caller in inner}
            left = [one for one in stuck if one._is_held_by(callers)]
            if len(left) == len(stuck):
                raise UsageError(_DEADLOCK)
            stuck = left

    def _is_held_by(self, callers: set[Caller]) -> bool:
        """Whether nobody else has a slot here."""
        held = sum(caller.place is not None and caller.place.limit is self for caller in callers)
        return self.in_flight - self._parked <= held

    def _waits_no_longer(self, future: asyncio.Future[None]) -> None:
        self._inner.pop(future, None)
        if not self._inner and self._rivals is not None:
            self._rivals.discard(self)

    def admit(self) -> None:
        """Admit those that there is room for: first those that resume, then those nearest the
        source."""
        for (new, depth), queue in sorted(self._queues.items(), key=itemgetter(0)):
            while queue and (queue[0].done() or self._free(depth, not new)):
                future = queue.popleft()
                self.waiting -= 1
                if future.done():
                    continue
                if new:
                    self.in_flight += 1
                else:
                    self.unpark(depth)
                future.set_result(None)
            if self.in_flight - self._parked >= self.size:
                return
