"""Truth values, levels and integers go into a step that is written for `float`, as every type
checker lets them; so do lists of them into one for sequences of `float`.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence

from fluxus_rx import SimpleProducer, Transformer


class Priority(enum.IntEnum):
    LOW = 1
    HIGH = 3


class Passed(Transformer[int, bool]):
    def transform(self, product: int) -> Iterator[bool]:
        yield product > 1


class Rank(Transformer[int, Priority]):
    def transform(self, product: int) -> Iterator[Priority]:
        yield Priority.HIGH if product > 1 else Priority.LOW


class Twice(Transformer[int, list[int]]):
    def transform(self, product: int) -> Iterator[list[int]]:
        yield [product, product]


class Half(Transformer[float, float]):
    def transform(self, product: float) -> Iterator[float]:
        yield product / 2


class Mean(Transformer[Sequence[float], float]):
    def transform(self, product: Sequence[float]) -> Iterator[float]:
        yield sum(product) / len(product)


numbers = SimpleProducer([1, 2])
assert list(numbers >> Passed() >> Half()) == [0.0, 0.5], "a bool is no float"
assert list(numbers >> Rank() >> Half()) == [0.5, 1.5], "an IntEnum is no float"
assert list(numbers >> Twice() >> Mean()) == [1.0, 2.0], "a list of int is no sequence of float"
assert sorted(numbers >> (Passed() & Rank()) >> Half()) == [0.0, 0.5, 0.5, 1.5], "nor in a group"
