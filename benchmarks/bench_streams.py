"""What do the operators of `fluxus_rx.streams` cost, next to the stock ones of aiostream?"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from functools import partial
from typing import Any

from .harness import AHEAD, OURS, Contest, Goal, Race, Scale, benchmark, label, peer

LIMIT = 100
SOURCES = (2, 10, 100)
STOCK = label("aiostream")


@benchmark(
    "streams",
    question="What do flat_map and merge of fluxus_rx.streams cost per item, next to stock ones?",
    goal="ahead of the stock operators",
)
def contests(scale: Scale) -> Iterable[Contest]:
    """A map of coroutines, in completion order and in order; a merge of 2, 10 and 100 sources."""
    for ordered in (False, True):
        yield _flat_map(scale, ordered)
    for sources in SOURCES:
        yield _merge(scale, sources)


async def _numbers(start: int, stop: int) -> AsyncIterator[int]:
    for number in range(start, stop):
        yield number


async def _double(number: int, *_: int) -> int:
    return 2 * number


def _flat_map(scale: Scale, ordered: bool) -> Contest:
    count = scale.pick(2_000, 200)
    expected = [2 * number for number in range(count)]

    async def ours() -> list[int]:
        streams = peer("fluxus_rx.streams")
        products = streams.flat_map(_numbers(0, count), _double, concurrency=LIMIT, ordered=ordered)
        return await _collected(products)

    async def stock() -> list[int]:
        products = peer("aiostream.stream").map(
            _numbers(0, count), _double, ordered=ordered, task_limit=LIMIT
        )
        return await _collected(products)

    race = Race(lambda: expected, units=count, at_least=scale.at_least)
    race.enter_async(OURS, partial(_in_order, ours), package="fluxus_rx.streams")
    race.enter_async(STOCK, partial(_in_order, stock), "map with task_limit")
    race.enter_async("tasks by hand", partial(_tasks, count))
    title = f"flat_map at limit {LIMIT}, {'in order' if ordered else 'as completed'}"
    return Contest(title, "µs per item", race.contenders, [Goal(STOCK, 1, AHEAD)])


async def _collected(products: Any) -> list[int]:
    async with products.stream() as streamer:
        return [product async for product in streamer]


async def _in_order(collect: Callable[[], Awaitable[list[int]]]) -> list[int]:
    return sorted(await collect())


async def _tasks(count: int) -> list[int]:
    semaphore = asyncio.Semaphore(LIMIT)

    async def one(number: int) -> int:
        async with semaphore:
            return await _double(number)

    return await asyncio.gather(*[one(number) async for number in _numbers(0, count)])


def _merge(scale: Scale, sources: int) -> Contest:
    each = scale.pick(4_000, 400) // sources
    count = sources * each

    def make() -> list[AsyncIterator[int]]:
        return [_numbers(start, start + each) for start in range(0, count, each)]

    async def ours() -> list[int]:
        return await _collected(peer("fluxus_rx.streams").merge(*make()))

    async def stock() -> list[int]:
        return await _collected(peer("aiostream.stream").merge(*make()))

    race = Race(lambda: list(range(count)), units=count, at_least=scale.at_least)
    race.enter_async(OURS, partial(_in_order, ours), package="fluxus_rx.streams")
    race.enter_async(STOCK, partial(_in_order, stock))
    race.enter_async("queue by hand", lambda: _in_order(lambda: _queued(make())))
    title = f"merge of {sources} sources"
    return Contest(title, "µs per item", race.contenders, [Goal(STOCK, 1, AHEAD)])


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
