"""Where items wait: a queue whose room is the demand of its reader.

Everything that waits in this library waits in a `Channel`, and every channel has a size."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from .._typing import T, Waiter
from .iteration import END, Cancellable

__all__ = ["BUFFER", "Channel", "CollectingChannel", "FanOutChannel"]

#: Items that an operator keeps ready beyond the calls in flight. One switch of tasks is shared by
#: that many items; 64 was 4 % faster than 16, and let a source run four times as far ahead.
BUFFER: Final = 16


class Channel(Cancellable[T]):
    """A queue for one reader and any number of writers on one loop, with room for `size` items.

    A writer that can wait asks first: `if not channel.ready: await channel.wait()`, then `put`.
    A writer that can't wait puts all the same; nothing is refused and nothing is lost. Items come
    out in the order in which they were put, then the error that the channel was closed with, or
    the end. A channel is a `Demand`.
    """

    __slots__ = (
        "_error",
        "_reader",
        "_writers",
        "abandoned",
        "closed",
        "items",
        "reserved",
        "size",
    )

    def __init__(self, size: float = BUFFER) -> None:
        self.size = size
        self.abandoned = False
        #: those that wait, for who counts them; `len(channel)` costs a call
        self.items: deque[T] = deque()
        self._writers: deque[asyncio.Future[None]] = deque()
        #: room that is taken, and be it by writers who have not put anything yet
        self.reserved: float = 0
        self._reader: Waiter | None = None
        #: whether no further items come
        self.closed = False
        self._error: BaseException | None = None

    def __len__(self) -> int:
        return len(self.items)

    @property
    def ready(self) -> bool:
        """Whether there is room for one more item that no earlier writer waits for."""
        return len(self.items) + self.reserved < self.size or self.abandoned

    async def wait(self) -> None:
        """Wait for room, in the order of asking; returns at once when the reader has left."""
        if self.abandoned:
            return
        writer = asyncio.get_running_loop().create_future()
        self._writers.append(writer)
        try:
            await writer
        except BaseException:
            if writer.done() and not writer.cancelled():
                self.reserved -= 1
                self._invite()
            elif writer in self._writers:
                self._writers.remove(writer)
            raise
        self.reserved -= 1
        if self._writers:
            # By then the item has been put, or never will be: an operator may have dropped it.
            writer.get_loop().call_soon(self._invite)

    @property
    def room(self) -> float:
        """For how many items there is room; less than none where more wait than that."""
        return self.size - len(self.items)

    def resize(self, size: float) -> None:
        """Have room for `size` items from now on."""
        self.size = size
        self._invite()

    def reserve(self, count: int) -> None:
        """Take so much of the room away, for items that were taken and count still; a negative
        number returns it."""
        self.reserved += count
        self._invite()

    def _invite(self) -> None:
        while self._writers and len(self.items) + self.reserved < self.size:
            writer = self._writers.popleft()
            if not writer.done():
                self.reserved += 1
                writer.set_result(None)

    def put(self, item: T) -> None:
        """Add an item; dropped if the reader has left or the channel is closed."""
        if self.closed:
            return
        self.items.append(item)
        reader = self._reader
        if reader is not None:
            self._reader = None
            if not reader.done():
                reader.set_result(None)

    def receiver(self, index: int) -> Callable[[Any], None]:
        """What puts items together with this number, for one call less an item (benchmark
        "consumers")."""
        append: Callable[[Any], None] = self.items.append

        def receive(item: Any) -> None:
            if not self.closed:
                append((index, item))
                if self._reader is not None:
                    self._wake()

        return receive

    def put_back(self, items: Iterable[T]) -> None:
        """Have items that were somewhere else wait in front of all, also at the end."""
        self.items.extendleft(reversed([*items]))
        if self.items:
            self._wake()

    def offer(self, item: T) -> bool:
        """Add an item if there is room for it; whether there was."""
        items = self.items
        if len(items) + self.reserved >= self.size:
            return self.abandoned
        items.append(item)
        reader = self._reader
        if reader is not None:
            self._reader = None
            if not reader.done():
                reader.set_result(None)
        return True

    def close(self, error: BaseException | None = None) -> None:
        """No further items: after those that wait, the reader gets `error`, or the end."""
        if self.closed:
            return
        self.closed = True
        self._error = error
        self._wake()

    def _wake(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None and not reader.done():
            reader.set_result(None)

    async def filled(self) -> bool:
        """Wait until an item is there (true) or none will come any more (false)."""
        while not self.items:
            if self.closed:
                return False
            self._reader = reader = asyncio.get_running_loop().create_future()
            try:
                await reader
            finally:
                self._reader = None
        return True

    def tell(self, reader: Waiter) -> None:
        """Tell the reader, who is not told otherwise, once there is an item, or the end."""
        if self.items or self.closed:
            reader.set_result(None)
        else:
            self._reader = reader

    def take_all(self) -> list[T]:
        """All that waits, which is nothing at the end alone; then its error is raised."""
        items = [*self.items]
        if not items:
            self._raise_error()
        self.items.clear()
        self._invite()
        return items

    def _raise_error(self) -> None:
        error, self._error = self._error, None
        try:
            if error is not None:
                raise error
        finally:
            del error  # it knows this frame

    def poll(self) -> T:
        """The first item of those that wait, or END."""
        if not self.items:
            return END  # type: ignore[no-any-return]  # a mark of any type
        item = self.items.popleft()
        if self._writers:
            self._invite()
        return item

    async def __anext__(self) -> T:
        if not self.items and not await self.filled():
            self._raise_error()
            raise StopAsyncIteration
        item = self.items.popleft()
        if self._writers:
            self._invite()
        return item

    def cancel(self, error: BaseException | None = None) -> None:
        """What waits is dropped, writers that wait go on, and a reader gets `error`, or the end."""
        self.abandoned = self.closed = True
        self.reserved = math.inf  # all room there is: what is offered from now on is dropped
        self.items.clear()
        self._error = error
        self._wake()
        while self._writers:
            writer = self._writers.popleft()
            if not writer.done():
                writer.set_result(None)

    async def aclose(self) -> None:
        """The same as `cancel`."""
        self.cancel()


class CollectingChannel(Channel[T]):
    """A channel whose items go to `collect` at once, and whose reader is told of the end alone;
    until it is told to keep them."""

    __slots__ = ("_collect",)

    def __init__(self, collect: Callable[[T], object]) -> None:
        super().__init__()
        self._collect: Callable[[T], object] | None = collect

    def keep_items(self) -> None:
        """Have items wait for the reader from now on."""
        self._collect = None

    def put(self, item: T) -> None:
        """Collect an item."""
        if self._collect is None:
            super().put(item)
        elif not self.closed:
            self._collect(item)

    def offer(self, item: T) -> bool:
        """Collect an item: there is always room."""
        if self._collect is None:
            return super().offer(item)
        self._collect(item)
        return True


class FanOutChannel(Channel[T]):
    """A channel whose items go to all of several `channels` at once; it has room where each of them
    has. Nothing waits in it, and nobody reads it."""

    __slots__ = ("_bounded", "_channels", "_puts")

    def __init__(self, channels: Sequence[Channel[T]]) -> None:
        super().__init__()
        self._channels = channels
        #: those that may have no room
        self._bounded = [one for one in channels if not isinstance(one, CollectingChannel)]
        # Nobody waits for what is put into them, which costs a call less each (benchmark "fanout").
        self._puts: list[Callable[[T], None]] = [
            one.put if isinstance(one, CollectingChannel) else one.items.append for one in channels
        ]

    @property
    def ready(self) -> bool:
        """Whether there is room for one more item in each of them."""
        for one in self._bounded:
            if len(one.items) + one.reserved >= one.size:
                return self.abandoned
        return True

    @property
    def room(self) -> float:
        """The room of the one that has least."""
        return min((one.room for one in self._bounded), default=math.inf)

    async def wait(self) -> None:
        """Wait until each of them has room."""
        while not self.ready:
            for one in self._bounded:
                if not one.ready:
                    await one.wait()
                    break

    def put(self, item: T) -> None:
        """Put an item into each of them."""
        if not self.closed:
            for put in self._puts:
                put(item)

    def offer(self, item: T) -> bool:
        """Put an item into each of them, if all have room; whether they had."""
        if not self.ready:
            return False
        self.put(item)
        return True

    def cancel(self, error: BaseException | None = None) -> None:
        """Cancel each of them."""
        super().cancel(error)
        for one in self._channels:
            one.cancel()
