"""Keeping order while many calls run at once, by lines of calls and a window over all of them; and
that of the paths of a flow."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from math import inf
from typing import Any

from .channel import BUFFER, Channel

__all__ = ["Arrival", "DeferredSlot", "Ordering", "PathOrder", "Slot"]

#: one product and the index of the path it came by
Arrival = tuple[int, Any]


class Slot:
    """Where the products of one call wait for their turn, which comes when the calls before it in
    its `line` have ended."""

    __slots__ = ("is_done", "items", "key", "line", "turn")

    def __init__(self, key: Hashable, line: deque[Slot]) -> None:
        self.key = key
        self.line = line
        self.items: deque[Any] = deque()
        self.is_done = False
        self.turn: asyncio.Future[None] | None = None

    @property
    def is_full(self) -> bool:
        """Whether as many products wait as may."""
        return len(self.items) >= BUFFER

    async def wait_turn(self) -> None:
        """Wait until the calls before this one have ended."""
        self.turn = asyncio.get_running_loop().create_future()
        await self.turn


class DeferredSlot:
    """The slot of one call after the other, opened for those alone that have to wait: while a call
    doesn't, no other can begin behind it."""

    __slots__ = ("item", "ordering", "slot")

    def __init__(self) -> None:
        self.ordering: Ordering
        self.item: Any = None
        self.slot: Slot | None = None

    def open(self) -> None:
        """Open the slot of the call with this item."""
        self.slot = self.ordering.open_slot(self.item)


class Ordering:
    """Keeps the products of calls in the order of the calls, on their way to `out`.

    Calls of the same key stand in one line; without a `key`, all of them do. A slow call holds back
    those behind it in its line; `window` is the number of calls that may have begun and not been
    let through, in all lines.
    """

    __slots__ = ("_ended", "_key", "_lines", "_out", "_window", "count", "is_full", "is_keyed")

    def __init__(
        self, out: Channel[Any], window: float, key: Callable[[Any], Hashable] | None = None
    ) -> None:
        self._out = out
        self._window = window
        #: the slots that are open
        self.count = 0
        #: whether the window has room for no further call
        self.is_full = False
        self._key = key
        #: whether there may be more lines than one
        self.is_keyed = key is not None
        self._lines: dict[Hashable, deque[Slot]] = {}
        self._ended: asyncio.Future[None] | None = None

    def lead_to(self, out: Channel[Any]) -> None:
        """Have products go there instead, before any call has begun."""
        self._out = out

    async def wait_for_end(self) -> None:
        """Wait until a call has ended."""
        self._ended = asyncio.get_running_loop().create_future()
        await self._ended

    def release(self) -> list[Any]:
        """The products that wait for their turn; they don't come again."""
        released: list[Any] = []
        for line in self._lines.values():
            for slot in line:
                released += slot.items
                slot.items.clear()
        return released

    def let_through(self) -> None:
        """Keep no order any more: what waits goes on, and each call has a line of its own."""
        for line in self._lines.values():
            for slot in [*line]:
                slot.line = deque((slot,))
                while slot.items:
                    self._out.put(slot.items.popleft())
                if slot.turn is not None and not slot.turn.done():
                    slot.turn.set_result(None)
        self._lines.clear()

    def open_up(self) -> None:
        """Have no window any more."""
        self._window = inf
        self.is_full = False
        self._wake()

    def open_slot(self, item: Any) -> Slot:
        """A slot for the call with this item, the last one in its line."""
        key = None if self._key is None else self._key(item)
        line = self._lines.setdefault(key, deque())
        slot = Slot(key, line)
        line.append(slot)
        self.count += 1
        self.is_full = self.count >= self._window
        return slot

    def close_slot(self, slot: Slot) -> None:
        """The call has ended: let through those behind it, as far as they have come."""
        slot.is_done = True
        line = slot.line
        while line and line[0].is_done:
            line.popleft()
            self.count -= 1
            self.is_full = False
            if line:
                head = line[0]
                while head.items:
                    self._out.put(head.items.popleft())
                if head.turn is not None and not head.turn.done():
                    head.turn.set_result(None)
        if not line:
            self._lines.pop(slot.key, None)
        self._wake()

    def _wake(self) -> None:
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)


class PathOrder:
    """Puts into a channel what each path emits, behind all that the paths before it have emitted.

    `sources` are the paths that have a source in common, in their order. One source is run after
    the other, by `begin`, so that nothing of a later one has to wait. But what a later path of the
    same source emits is kept, all of it, until the paths before it have ended.
    """

    def __init__(
        self,
        channel: Channel[Arrival],
        sources: Sequence[Sequence[int]],
        begin: Callable[[Sequence[int]], None],
    ) -> None:
        self._channel = channel
        self._sources = deque(sources)
        self._begin = begin
        count = sum(map(len, sources))
        self._kept: list[deque[Any]] = [deque() for _ in range(count)]
        self._ended = [False] * count
        #: the path whose products go on
        self._current = 0
        self.receivers = [partial(self._receive, index) for index in range(count)]

    def begin(self) -> None:
        """Begin with the first source."""
        self._begin(self._sources.popleft())

    def _receive(self, index: int, product: Any) -> None:
        if index == self._current:
            self._channel.put((index, product))
        else:
            self._kept[index].append(product)

    def kept(self) -> list[Arrival]:
        """What waits for the paths before its own to end."""
        return [(index, product) for index, kept in enumerate(self._kept) for product in kept]

    def end(self, index: int) -> None:
        """A path has ended: let those behind it go on."""
        self._ended[index] = True
        while self._current < len(self._ended) and self._ended[self._current]:
            self._current += 1
            if self._current < len(self._ended):
                kept = self._kept[self._current]
                while kept:
                    self._channel.put((self._current, kept.popleft()))
        if self._sources and self._sources[0][0] <= self._current:
            self.begin()
