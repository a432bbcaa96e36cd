"""What the paths of a flow give, one path after the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from .channel import Channel

__all__ = ["Arrival", "PathOrder"]

#: one product and the index of the path it came by
Arrival = tuple[int, Any]


class PathOrder:
    """Puts into a channel what each path gives, behind all that the paths before it have given.

    `sources` are the paths that have a source in common, in their order. One source is run after
    the other, by `begin`, so that nothing of a later one has to wait. But what a later path of the
    same source gives is kept, all of it, until the paths before it have ended.
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
