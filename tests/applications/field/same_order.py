"""A report is written by a consumer behind two branches; each run must write the same lines.

All functions are plain, so that nothing but their order in the flow can decide. Where one of them
awaits, the order of a result is to be had by `ordered=True`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Iterator

from fluxus_rx import AsyncTransformer, Consumer, Producer, Transformer

COUNT = 200


class Numbers(Producer[int]):
    def produce(self) -> Iterator[int]:
        yield from range(COUNT)


class Double(Transformer[int, int]):
    def transform(self, product: int) -> Iterator[int]:
        if product % 50 == 7:
            time.sleep(0.006)  # longer than a time slice
        yield 2 * product


class Negate(Transformer[int, int]):
    def transform(self, product: int) -> Iterator[int]:
        if product % 3:
            yield -product


class Fetch(AsyncTransformer[int, int]):
    async def atransform(self, product: int) -> AsyncIterator[int]:
        await asyncio.sleep(0.001 * (product % 3))
        yield product


class Lines(Consumer[int, list[tuple[int, int]]]):
    def consume(self, products: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
        return [*products]


flow = Numbers() >> (Double() & Negate())
wanted = []
for number in range(COUNT):
    wanted.append((0, 2 * number))
    if number % 3:
        wanted.append((1, -number))
for _ in range(5):
    assert (flow >> Lines()).run() == wanted, "another order"
    assert asyncio.run((flow >> Lines()).arun()) == wanted, "another order in arun()"

slow = (Numbers() >> (Fetch() & Negate()) >> Lines()).options(ordered=True)
by_path = [(0, number) for number in range(COUNT)]
by_path += [(1, -number) for number in range(COUNT) if number % 3]
assert slow.run() == by_path, "not path by path"
