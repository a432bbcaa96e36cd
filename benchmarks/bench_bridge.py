"""What does it cost to cross between Rx and asynchronous iteration?"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from functools import partial
from typing import Any

from .harness import AHEAD, OURS, Contest, Goal, Race, Scale, benchmark, label, peer

LIMIT = 100
BY_HAND = "by hand"


@benchmark(
    "bridge",
    question="What does the bridge between Rx and streams cost per item, and a step as operator?",
    goal="at most 3.5x a task, 2.5x a queue by hand; a step ahead of the stock operators",
)
def contests(scale: Scale) -> Iterable[Contest]:
    """Stream to Observable, Observable to stream, and an async transformer in either world."""
    count = scale.pick(4_000, 200)
    yield _to_observable(count, scale)
    yield _to_stream(count, scale)
    yield _step_in_rx(scale.pick(2_000, 200), scale)
    yield _step_in_aiostream(scale.pick(2_000, 200), scale)


async def _numbers(count: int) -> AsyncIterator[int]:
    for number in range(count):
        yield number


async def _double(number: int, *_: int) -> int:
    return 2 * number


def _to_observable(count: int, scale: Scale) -> Contest:
    async def ours() -> Any:
        ops = peer("reactivex.operators")
        return await peer("fluxus_rx.rx").to_observable(_numbers(count)).pipe(ops.to_list())

    async def by_hand() -> Any:
        ops = peer("reactivex.operators")
        return await _pumped(_numbers(count)).pipe(ops.to_list())

    race = Race(lambda: list(range(count)), units=count, at_least=scale.at_least)
    race.enter_async(OURS, ours, package="fluxus_rx.rx")
    race.enter_async(BY_HAND, by_hand, "a task; no demand, no cleaning up")
    return Contest("stream to Observable", "µs per item", race.contenders, [Goal(BY_HAND, 3.5)])


def _pumped(source: AsyncIterator[int]) -> Any:
    """An Observable of what a task reads from the source."""

    def subscribe(observer: Any, _: Any = None) -> Any:
        async def pump() -> None:
            async for number in source:
                observer.on_next(number)
            observer.on_completed()

        task = asyncio.ensure_future(pump())
        return peer("reactivex.disposable").Disposable(task.cancel)

    return peer("reactivex").create(subscribe)


def _to_stream(count: int, scale: Scale) -> Contest:
    async def ours() -> list[int]:
        numbers = peer("reactivex").from_iterable(range(count))
        async with peer("fluxus_rx.rx").to_stream(numbers).stream() as streamer:
            return [number async for number in streamer]

    async def by_hand() -> list[int]:
        numbers = peer("reactivex").from_iterable(range(count))
        return [number async for number in _queued(numbers)]

    race = Race(lambda: list(range(count)), units=count, at_least=scale.at_least)
    race.enter_async(OURS, ours, package="fluxus_rx.rx")
    race.enter_async(BY_HAND, by_hand, "a queue; no errors, no other threads")
    return Contest("Observable to stream", "µs per item", race.contenders, [Goal(BY_HAND, 2.5)])


async def _queued(observable: Any) -> AsyncIterator[int]:
    queue: asyncio.Queue[Any] = asyncio.Queue()
    end = object()
    observable.subscribe(on_next=queue.put_nowait, on_completed=lambda: queue.put_nowait(end))
    while (item := await queue.get()) is not end:
        yield item


def _doubling() -> Any:
    """An async transformer of ours."""
    transformer: Any = peer(OURS).AsyncTransformer

    class Double(transformer):  # type: ignore[misc]
        async def atransform(self, product: int) -> AsyncIterator[int]:
            yield await _double(product)

    return Double().options(concurrency=LIMIT, ordered=True)


def _step_in_rx(count: int, scale: Scale) -> Contest:
    stock = label("reactivex")

    async def ours() -> Any:
        ops = peer("reactivex.operators")
        numbers = peer("reactivex").from_iterable(range(count))
        return await numbers.pipe(_doubling(), ops.to_list())

    async def theirs() -> Any:
        rx, ops = peer("reactivex"), peer("reactivex.operators")
        numbers = rx.from_iterable(range(count)).pipe(
            ops.flat_map(lambda x: rx.from_future(asyncio.ensure_future(_double(x)))),
            ops.to_list(),
        )
        return await numbers

    race = Race(partial(_doubles, count), units=count, at_least=scale.at_least)
    race.enter_async(OURS, ours, package=OURS)
    race.enter_async(stock, theirs, "flat_map of futures, no limit")
    title = "async transformer as an Rx operator"
    return Contest(title, "µs per item", race.contenders, [Goal(stock, 1, AHEAD)])


def _step_in_aiostream(count: int, scale: Scale) -> Contest:
    stock = label("aiostream")

    async def ours() -> list[int]:
        numbers = peer("aiostream.stream").iterate(_numbers(count))
        async with (numbers | _doubling()).stream() as streamer:
            return [number async for number in streamer]

    async def theirs() -> list[int]:
        numbers = peer("aiostream.stream").iterate(_numbers(count))
        doubles = numbers | peer("aiostream.pipe").map(_double, task_limit=LIMIT)
        async with doubles.stream() as streamer:
            return [number async for number in streamer]

    race = Race(partial(_doubles, count), units=count, at_least=scale.at_least)
    race.enter_async(OURS, ours, package=OURS)
    race.enter_async(stock, theirs, "map with task_limit")
    title = "async transformer as an aiostream operator"
    return Contest(title, "µs per item", race.contenders, [Goal(stock, 1, AHEAD)])


def _doubles(count: int) -> list[int]:
    return [2 * number for number in range(count)]
