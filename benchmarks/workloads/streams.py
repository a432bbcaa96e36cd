"""What do the operators of `fluxus_rx.streams` cost, next to the stock ones of aiostream?"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from functools import partial
from typing import Any

from ..measuring.contenders import Contenders
from ..measuring.contest import BY_HAND, OURS, Contest, Goal, Size, Workload
from ..work.trials import Function, row, same_as

__all__ = ["WORKLOAD"]

LIMIT = 100
SOURCES = (2, 10, 100)
AIOSTREAM = "aiostream"
UNIT = "µs per item"


def contests(size: Size, _: Contenders) -> Iterable[Contest]:
    """A map of coroutines, in completion order and in order; a merge of 2, 10 and 100 sources."""
    for ordered in (False, True):
        yield _flat_map(size.pick(2_000, 400, 200), ordered)
    for sources in SOURCES:
        yield _merge(size.pick(4_000, 600, 400), sources)


async def _numbers(start: int, stop: int) -> AsyncIterator[int]:
    for number in range(start, stop):
        yield number


async def _double(number: int, *_: int) -> int:
    return 2 * number


async def _collected(products: Any) -> list[int]:
    async with products.stream() as streamer:
        return [product async for product in streamer]


def _in_order(collect: Callable[[], Awaitable[list[int]]]) -> Function:
    """What is collected, sorted: which order it came in is not asked."""

    async def main() -> list[int]:
        return sorted(await collect())

    return main


def _flat_map(count: int, ordered: bool) -> Contest:
    def ours() -> Function:
        from fluxus_rx.streams import flat_map

        options = {"concurrency": LIMIT, "ordered": ordered}
        return partial(_mapped, flat_map, count, ordered, options)

    def stock() -> Function:
        from aiostream import stream

        options = {"task_limit": LIMIT, "ordered": ordered}
        return partial(_mapped, stream.map, count, ordered, options)

    def by_hand() -> Function:
        return partial(_tasks, count)

    check = same_as(lambda: [2 * number for number in range(count)])
    return Contest(
        f"streams, flat_map{', ordered' if ordered else ''}",
        f"What does a call of a coroutine function cost per item, at limit {LIMIT}?",
        UNIT,
        [
            row(OURS, ours, check, units=count),
            row(BY_HAND, by_hand, check, units=count, note="a task per item and a semaphore"),
            row(AIOSTREAM, stock, check, units=count, note="map with task_limit"),
        ],
        goals=[Goal(1), Goal(1, AIOSTREAM)],
    )


async def _mapped(operator: Any, count: int, ordered: bool, options: Any) -> list[int]:
    products = await _collected(operator(_numbers(0, count), _double, **options))
    return products if ordered else sorted(products)


async def _tasks(count: int) -> list[int]:
    semaphore = asyncio.Semaphore(LIMIT)

    async def one(number: int) -> int:
        async with semaphore:
            return await _double(number)

    return await asyncio.gather(*[one(number) async for number in _numbers(0, count)])


def _merge(count: int, sources: int) -> Contest:
    each = count // sources

    def make() -> list[AsyncIterator[int]]:
        return [_numbers(start, start + each) for start in range(0, count, each)]

    def ours() -> Function:
        from fluxus_rx.streams import merge

        return _in_order(lambda: _collected(merge(*make())))

    def stock() -> Function:
        from aiostream import stream

        return _in_order(lambda: _collected(stream.merge(*make())))

    def by_hand() -> Function:
        return _in_order(lambda: _queued(make()))

    check = same_as(lambda: [*range(count)])
    return Contest(
        f"streams, merge of {sources}",
        f"What does an item of {sources} sources cost that are merged into one?",
        UNIT,
        [
            row(OURS, ours, check, units=count),
            row(BY_HAND, by_hand, check, units=count, note="a task per source, one bounded queue"),
            row(AIOSTREAM, stock, check, units=count, note="merge"),
        ],
        goals=[Goal(1, AIOSTREAM)],
    )


async def _queued(sources: list[AsyncIterator[int]]) -> list[int]:
    """A task per source, one bounded queue."""
    queue: asyncio.Queue[int] = asyncio.Queue(64)
    merged: list[int] = []

    async def pump(source: AsyncIterator[int]) -> None:
        async for number in source:
            await queue.put(number)

    async def read() -> None:
        while True:
            merged.append(await queue.get())
            queue.task_done()

    reader = asyncio.create_task(read())
    await asyncio.gather(*map(pump, sources))
    await queue.join()
    reader.cancel()
    await asyncio.wait([reader])
    return merged


WORKLOAD = Workload(
    "streams",
    "What do flat_map and merge of fluxus_rx.streams cost per item, next to stock ones?",
    contests,
    sizes="2,000 and 4,000 items (quick 400 and 600)",
    seconds=20,
    rank=23,
)
