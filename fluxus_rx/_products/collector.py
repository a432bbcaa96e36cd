"""What the paths of a run emit, where it is collected."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterator
from itertools import islice
from typing import Any

from .dict_product import DictProduct
from .ownership import detached

__all__ = ["Collector", "ReadableCollector", "ReadableCollectors"]


class Collector:
    """What one path emits in a run that collects it.

    `add` takes an item of any kind. A product whose output is what its steps have added is kept as
    that, a row, with its position: the product, 120 bytes, is gone then. So is one that was never
    made, of which only the row comes. With `is_shared`, others have the products as well.
    """

    __slots__ = ("_is_shared", "_preceding", "items", "positions", "rows")

    def __init__(self, is_shared: bool = False) -> None:
        self._is_shared = is_shared
        self.items: list[Any] = []
        self.rows: list[dict[str, dict[str, Any]]] = []
        self.positions = array("q")
        #: how many rows came before each other item
        self._preceding = array("q")

    def __len__(self) -> int:
        return len(self.items) + len(self.rows)

    @property
    def takes_rows(self) -> bool:
        """Whether rows may be put into it without `add`."""
        return True

    @property
    def may_be_read(self) -> bool:
        """Whether items may come to go to a reader instead, who may be slow."""
        return False

    @property
    def is_read(self) -> bool:
        """Whether items go to a reader."""
        return False

    def when_read(self, tell: Callable[[], object]) -> None:
        """Have this called once items go to a reader."""

    def add(self, item: Any) -> None:
        """Keep an item."""
        if self._is_shared:
            item = detached(item)
        if item.__class__ is DictProduct:
            row = item.row()
            if row is not None:
                self.rows.append(row)
                self.positions.append(item.position)
                return
        self.items.append(item)
        self._preceding.append(len(self.rows))

    def copy(self) -> Collector:
        """What has been collected by now, as a collector of its own."""
        copy = Collector()
        copy.items, copy.rows = [*self.items], [row.copy() for row in self.rows]
        copy.positions, copy._preceding = self.positions[:], self._preceding[:]
        return copy

    def arrived(self) -> list[Any]:
        """All items in the order in which they came, rows as products."""
        found: list[Any] = []
        rows = map(DictProduct.of_row, self.rows, self.positions)
        for number, (item, preceding) in enumerate(zip(self.items, self._preceding, strict=True)):
            found += islice(rows, preceding + number - len(found))
            found.append(item)
        found += rows
        return found


class ReadableCollector(Collector):
    """What one path emits as long as nobody reads it, in a run that may be read."""

    __slots__ = ("_log", "_number", "_receive", "_tells")

    def __init__(self, number: int, log: array[int] | None, is_shared: bool) -> None:
        super().__init__(is_shared)
        self._number = number
        #: gets the number of the path for each item, where there are several paths
        self._log = log
        #: where items go instead, once somebody reads
        self._receive: Callable[[Any], None] | None = None
        self._tells: list[Callable[[], object]] = []

    @property
    def takes_rows(self) -> bool:
        """Whether rows may be put into it without `add`: not if that must be known in order."""
        return self._log is None

    @property
    def may_be_read(self) -> bool:
        """Whether items may come to go to a reader instead, who may be slow."""
        return True

    @property
    def is_read(self) -> bool:
        """Whether items go to a reader."""
        return self._receive is not None

    def when_read(self, tell: Callable[[], object]) -> None:
        """Have this called once items go to a reader."""
        if self.is_read:
            tell()
        else:
            self._tells.append(tell)

    def add(self, item: Any) -> None:
        """Keep an item, or hand it on."""
        if self._receive is not None:
            self._receive(item)
            return
        super().add(item)
        if self._log is not None:
            self._log.append(self._number)

    def hand_over(self, receive: Callable[[Any], None]) -> Iterator[Any]:
        """What it has collected; from now on, items go to `receive`."""
        collected = iter(self.arrived())
        self._receive = receive
        self.items, self.rows = [], []
        self.positions, self._preceding = array("q"), array("q")
        for tell in self._tells:
            tell()
        self._tells.clear()
        return collected


class ReadableCollectors:
    """What all paths of a run emit as long as nobody reads it."""

    def __init__(self, count: int, shared: Collection[int]) -> None:
        self._log = array("q") if count > 1 else None
        self.paths = [
            ReadableCollector(number, self._log, number in shared) for number in range(count)
        ]

    def hand_over(
        self, receiver: Callable[[int], Callable[[Any], None]]
    ) -> Iterator[tuple[int, Any]]:
        """What they have collected, each with the number of its path, in its order; from now on,
        items go to the `receiver` of their path."""
        collected = [path.hand_over(receiver(number)) for number, path in enumerate(self.paths)]
        if self._log is None:
            return ((0, item) for item in collected[0])
        return ((number, next(collected[number])) for number in self._log)
