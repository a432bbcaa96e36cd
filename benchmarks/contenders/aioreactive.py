"""aioreactive: operators on asynchronous observables; the step functions keep the lineage."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aioreactive as rx
from expression import pipe

from benchmarks.work import adapters

NAME = "aioreactive"
PACKAGE = "aioreactive"
LICENCE = "MIT"
GROUP = "bench-aioreactive"
REQUIRES = "aioreactive>=0.20"
PROMISES = ("lineage", "order", "bounded")
NOTE = "no concurrency"
CANT = {
    "async_chain": "one call after the other",
    "fan_out": "one call after the other",
    "stream": "one call after the other",
    "batches": "has no batches",
    "retrying": "one call after the other",
    "paced": "one call after the other",
    "etl": "has no batches",
}


async def sync_chain(items: Any, functions: Any) -> Any:
    """A chain of maps."""
    source = rx.from_iterable({"src": item} for item in items)
    steps = (rx.map(adapters.remembering(*step)) for step in functions.items())
    return await _collected(pipe(source, *steps))


async def merge(sources: Any) -> AsyncIterator[Any]:
    """`merge_seq`, with a queue to the reader: `to_async_iterable` leaves a task."""
    queue: asyncio.Queue[Any] = asyncio.Queue(len(sources))

    async def take(item: Any) -> None:
        await queue.put((item,))

    async def finish() -> None:
        await queue.put(())

    observable: Any = rx.merge_seq(map(rx.from_async_iterable, sources))
    observer: Any = rx.AsyncAnonymousObserver(take, queue.put, finish)
    async with await observable.subscribe_async(observer):
        while news := await queue.get():
            if isinstance(news, Exception):
                raise news
            yield news[0]


async def expand(items: Any, function: Any, per_item: int) -> Any:
    """A reduced observable of children for each item, one after the other."""

    def total(item: Any) -> Any:
        return pipe(
            rx.from_iterable(function(**item, per_item=per_item)),
            rx.reduce(lambda so_far, child: so_far + child["y"], 0),
            rx.map(lambda value: {**item, "total": value}),
        )

    return await _collected(pipe(rx.from_iterable(items), rx.map(total), rx.merge_inner(1)))


async def _collected(observable: Any) -> list[Any]:
    outputs: list[Any] = []
    done = asyncio.get_running_loop().create_future()

    async def take(output: Any) -> None:
        outputs.append(output)

    async def fail(error: Exception) -> None:
        done.set_exception(error)

    async def finish() -> None:
        done.set_result(outputs)

    async with await observable.subscribe_async(rx.AsyncAnonymousObserver(take, fail, finish)):
        await done
    return outputs
