"""What holds for asynchronous steps in a row, whose workers carry items from one to the next."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextvars import ContextVar
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from fluxus_rx._streams.call_stage import CallStage
from fluxus_rx._streams.context import Items
from fluxus_rx._streams.flat_map import FlatMap
from fluxus_rx._streams.iteration import END
from fluxus_rx._streams.limit import Limit
from fluxus_rx.testing import run_virtual
from tests.support.probes import BUFFER, alone

CALL: ContextVar[object] = ContextVar("CALL")


def key_of(item: tuple[int, ...]) -> int:
    """What an order by key goes by."""
    return item[0] % 3


class Source:
    """Items that are there, all of them or every second one; the others come when asked for."""

    def __init__(self, items: Iterator[Any], all_there: bool) -> None:
        self.items = items
        self.all_there = all_there
        self.polled = 0

    def poll(self) -> Any:
        self.polled += 1
        return next(self.items, END) if self.all_there or self.polled % 2 else END

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        if not self.all_there:
            await asyncio.sleep(0)
        for item in self.items:
            return item
        raise StopAsyncIteration


class Row:
    """Steps in a row with random limits and orders, whose calls take random times, often none."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.count = self.random.choice([0, 1, 10, 60])
        self.several = self.random.random() < 0.4
        self.ordered = self.random.random() < 0.5
        self.waits = self.random.choice([0.0, 0.1, 0.5, 1.0])
        self.slow_reader = self.random.random() < 0.5
        self.taken = 0
        self.running: Counter[int] = Counter()
        self.leaks: list[object] = []
        self.sizes = [
            self.random.choice([1, 2, 3, 17, 100]) for _ in range(self.random.randint(1, 5))
        ]
        self.limits = [Limit(size) for size in self.sizes]
        if len(self.sizes) > 1 and self.random.random() < 0.3:  # the same step, once more
            self.sizes[-1], self.limits[-1] = self.sizes[0], self.limits[0]

    def source(self) -> Iterator[tuple[int, ...]]:
        for number in range(self.count):
            self.taken += 1
            yield (number,)

    def stage(self, depth: int) -> CallStage:
        size, limit = self.sizes[depth], self.limits[depth]
        drawn = random.Random(self.random.random())
        ordered: Any = self.ordered and (drawn.random() < 0.7 or key_of)
        of_limit = self.limits.index(limit)

        async def call(item: tuple[int, ...]) -> Any:
            if CALL.get(None) is not None:
                self.leaks.append(item)
            CALL.set(item)
            self.enter(of_limit)
            try:
                await self.wait(drawn)
                if CALL.get() != item:
                    self.leaks.append(item)
            finally:
                self.running[of_limit] -= 1
            if not self.several or sum(item) % 3:
                return (*item, 0)
            return Items(self.some(item, drawn))

        return CallStage(call, concurrency=size, limit=limit, depth=depth, ordered=ordered)

    async def some(self, item: tuple[int, ...], drawn: random.Random) -> AsyncIterator[Any]:
        for number in range(sum(item) % 4):
            if CALL.get() != item:
                self.leaks.append(item)
            yield (*item, number)
            await self.wait(drawn)

    async def wait(self, drawn: random.Random) -> None:
        if drawn.random() < self.waits:
            await asyncio.sleep(drawn.choice([0, 0, 1, 5]))

    def enter(self, of_limit: int) -> None:
        self.running[of_limit] += 1
        assert self.running[of_limit] <= self.sizes[of_limit]

    def expected(self) -> list[tuple[int, ...]]:
        items: list[tuple[int, ...]] = [(number,) for number in range(self.count)]
        for _ in self.sizes:
            items = [
                (*item, number)
                for item in items
                for number in (range(sum(item) % 4) if self.several and not sum(item) % 3 else [0])
            ]
        return items

    async def outputs(self) -> list[tuple[int, ...]]:
        stages = [self.stage(depth) for depth in range(len(self.sizes))]
        row: FlatMap[Any] = FlatMap(Source(self.source(), self.random.random() < 0.5), stages[0])
        for stage in stages[1:]:
            row.then(stage)
        room = sum(size + BUFFER + 4 * size * self.ordered for size in self.sizes) + 2
        outputs = []
        async for output in row:
            outputs.append(output)
            assert self.several or self.taken - len(outputs) <= room
            if self.slow_reader:
                await asyncio.sleep(self.random.choice([0, 0, 1, 20]))
        await row.aclose()
        assert alone()
        return outputs


@given(st.integers(0, 2**32))
@example(0)
def test_items_come_through_steps_in_a_row_within_all_limits(seed: int) -> None:
    """None is lost or stuck, no limit or demand exceeded, and no call sees another's variables; the
    order is that of the source, where it is kept."""
    row = Row(seed)
    outputs, expected = run_virtual(row.outputs()), row.expected()
    assert Counter(outputs) == Counter(expected)
    assert not row.leaks
    for key in range(3) if row.ordered else ():
        of_key = [item for item in expected if key_of(item) == key]
        assert [item for item in outputs if key_of(item) == key] == of_key
