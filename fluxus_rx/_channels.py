"""Where items wait: a queue with room for so many, a limit for calls.

Everything that waits in this library waits in a `Channel`, and every channel has a size.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections import deque
from collections.abc import AsyncIterator, Iterable
from operator import itemgetter
from typing import Any, Final

from ._common.messages import also_raised
from ._typing import T

__all__ = [
    "BUFFER",
    "END",
    "Channel",
    "Endable",
    "Limit",
    "aclose",
    "aclose_all",
    "cancel",
    "nothing",
]

#: Items that an operator keeps ready beyond the calls in flight. One switch of tasks is shared by
#: that many items; 64 was 4 % faster than 16, and let a source run four times as far ahead.
BUFFER: Final = 16


#: The mark that nothing is left; not None, which is an item like any other.
END: Final[Any] = object()


def nothing() -> Any:
    """What polling a stream gives that can't be polled: END."""
    return END


class Endable(AsyncIterator[T]):
    """A stream of this library's own: it may be read by any task, and be told to end."""

    __slots__ = ()

    @abstractmethod
    def cancel(self) -> None:
        """Tell it to end; at once, and without waiting for it."""

    @abstractmethod
    async def aclose(self) -> None:
        """End it, and wait until it has ended."""


def cancel(source: object) -> None:
    """Tell `source` to end, if it is one that can be told."""
    if isinstance(source, Endable):
        source.cancel()


async def aclose(source: object) -> None:
    """Close `source`, if it can be closed."""
    method = getattr(source, "aclose", None)
    if method is not None:
        await method()


async def aclose_all(sources: Iterable[object]) -> None:
    """Close all of `sources`, one after the other, whatever happens; raise the first error.

    Also where it is cancelled meanwhile: what comes after must be closed all the same.
    """
    first: BaseException | None = None
    for source in sources:
        try:
            close = getattr(source, "close", None)
            if hasattr(source, "aclose"):
                await aclose(source)
            elif close is not None:
                close()
        except BaseException as error:
            if first is None:
                first = error
            else:
                also_raised(first, error)
    if first is not None:
        raise first


class Channel(Endable[T]):
    """A queue for one reader and any number of writers on one loop, with room for `size` items.

    A writer that can wait asks first: `if not channel.ready: await channel.wait()`, then `put`.
    A writer that can't wait puts all the same; nothing is refused and nothing is lost. Items come
    out in the order in which they were put, then the error that the channel was closed with, or
    the end. A channel is a `Demand`.
    """

    __slots__ = (
        "_closed",
        "_error",
        "_givers",
        "_reserved",
        "_taker",
        "abandoned",
        "items",
        "size",
    )

    def __init__(self, size: float = BUFFER) -> None:
        self.size = size
        self.abandoned = False
        #: those that wait, for who counts them; `len(channel)` costs a call
        self.items: deque[T] = deque()
        self._givers: deque[asyncio.Future[None]] = deque()
        self._reserved = 0
        self._taker: asyncio.Future[None] | None = None
        self._closed = False
        self._error: BaseException | None = None

    def __len__(self) -> int:
        return len(self.items)

    @property
    def ready(self) -> bool:
        """Whether there is room for one more item that no earlier writer waits for."""
        return len(self.items) + self._reserved < self.size or self.abandoned

    async def wait(self) -> None:
        """Wait for room, in the order of asking; returns at once when the reader has left."""
        if self.abandoned:
            return
        giver = asyncio.get_running_loop().create_future()
        self._givers.append(giver)
        try:
            await giver
        except BaseException:
            if giver.done() and not giver.cancelled():
                self._reserved -= 1
                self._invite()
            elif giver in self._givers:
                self._givers.remove(giver)
            raise
        self._reserved -= 1
        if self._givers:
            # By then the item has been put, or never will be: an operator may have dropped it.
            giver.get_loop().call_soon(self._invite)

    def _invite(self) -> None:
        while self._givers and len(self.items) + self._reserved < self.size:
            giver = self._givers.popleft()
            if not giver.done():
                self._reserved += 1
                giver.set_result(None)

    def put(self, item: T) -> None:
        """Add an item; dropped if the reader has left or the channel is closed."""
        if self._closed:
            return
        self.items.append(item)
        taker = self._taker
        if taker is not None:
            self._taker = None
            if not taker.done():
                taker.set_result(None)

    def offer(self, item: T) -> bool:
        """Add an item if there is room for it; whether there was."""
        items = self.items
        if len(items) + self._reserved >= self.size:
            return self.abandoned
        items.append(item)
        taker = self._taker
        if taker is not None:
            self._taker = None
            if not taker.done():
                taker.set_result(None)
        return True

    def close(self, error: BaseException | None = None) -> None:
        """No further items: after those that wait, the reader gets `error`, or the end."""
        if self._closed:
            return
        self._closed = True
        self._error = error
        self._wake()

    def _wake(self) -> None:
        taker, self._taker = self._taker, None
        if taker is not None and not taker.done():
            taker.set_result(None)

    async def filled(self) -> bool:
        """Wait until an item is there (true) or none will come any more (false)."""
        while not self.items:
            if self._closed:
                return False
            self._taker = asyncio.get_running_loop().create_future()
            try:
                await self._taker
            finally:
                self._taker = None
        return True

    def poll(self) -> T:
        """The first item of those that wait, or END."""
        if not self.items:
            return END  # type: ignore[no-any-return]  # a mark of any type
        item = self.items.popleft()
        if self._givers:
            self._invite()
        return item

    async def __anext__(self) -> T:
        if not self.items and not await self.filled():
            error, self._error = self._error, None
            if error is not None:
                raise error
            raise StopAsyncIteration
        item = self.items.popleft()
        if self._givers:
            self._invite()
        return item

    def cancel(self, error: BaseException | None = None) -> None:
        """What waits is dropped, writers that wait go on, and a reader gets `error`, or the end."""
        self.abandoned = self._closed = True
        self.items.clear()
        self._error = error
        self._wake()
        while self._givers:
            giver = self._givers.popleft()
            if not giver.done():
                self._reserved += 1
                giver.set_result(None)

    async def aclose(self) -> None:
        """The same as `cancel`."""
        self.cancel()


class Limit:
    """Calls in flight at most, for all the stages that share it.

    A call that waits for its own products to be taken is parked: code of it doesn't run, and its
    place is lent to a call further down the same path. Without that, a generator step chained into
    itself at limit 1 would wait for itself for ever.
    """

    __slots__ = ("_in_flight", "_parked", "_parked_at", "_queues", "_waiting", "size")

    def __init__(self, size: float) -> None:
        self.size = size
        self._in_flight = 0
        self._parked = 0
        # Counted by depth, and not searched: behind a group of 40 branches 10,000 calls may wait.
        self._parked_at: dict[int, int] = {}
        self._waiting = 0
        self._queues: dict[tuple[bool, int], deque[asyncio.Future[None]]] = {}

    def _free(self, depth: int, resuming: bool) -> bool:
        if self._in_flight - self._parked >= self.size:
            return False
        if resuming or self._in_flight < self.size:
            return True
        return min(self._parked_at, default=depth) < depth

    def try_enter(self) -> bool:
        """Take a place for a new call, if one is free and nobody waits for it."""
        if self._waiting or self._in_flight >= self.size:
            return False
        self._in_flight += 1
        return True

    async def enter(self, depth: int) -> None:
        """Wait for a place for a new call at `depth`, counted from the source."""
        if not self._waiting and self._free(depth, False):
            self._in_flight += 1
        else:
            await self._queue(depth, False)

    def leave(self) -> None:
        """A call has ended."""
        self._in_flight -= 1
        if self._waiting:
            self._admit()

    def park(self, depth: int) -> None:
        """A call waits for its reader."""
        self._parked += 1
        self._parked_at[depth] = self._parked_at.get(depth, 0) + 1
        if self._waiting:
            self._admit()

    def unpark(self, depth: int) -> None:
        """A parked call goes on, or ends."""
        self._parked -= 1
        if self._parked_at[depth] == 1:
            del self._parked_at[depth]
        else:
            self._parked_at[depth] -= 1

    async def resume(self, depth: int) -> None:
        """A parked call goes on; waits for a place if its own was lent."""
        if self._free(depth, True):
            self.unpark(depth)
        else:
            await self._queue(depth, True)

    async def _queue(self, depth: int, resuming: bool) -> None:
        future = asyncio.get_running_loop().create_future()
        self._queues.setdefault((not resuming, depth), deque()).append(future)
        self._waiting += 1
        try:
            await future
        except BaseException:
            if not future.done() or future.cancelled():
                future.cancel()  # left in its queue, and passed over there
                if resuming:
                    self.unpark(depth)
            elif not resuming:
                self.leave()
            raise

    def _admit(self) -> None:
        """Let in whom there is room for: first those that resume, then those nearest the source."""
        for (new, depth), queue in sorted(self._queues.items(), key=itemgetter(0)):
            while queue and (queue[0].done() or self._free(depth, not new)):
                future = queue.popleft()
                self._waiting -= 1
                if future.done():
                    continue
                if new:
                    self._in_flight += 1
                else:
                    self.unpark(depth)
                future.set_result(None)
            if self._in_flight - self._parked >= self.size:
                return
