"""reactivex: operators on observables; the step functions keep the lineage."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import reactivex as rx
import reactivex.operators

from benchmarks.work import adapters

NAME = "reactivex"
PACKAGE = "reactivex"
LICENCE = "MIT"
PROMISES = ("lineage", "limit")
NOTE = "reads all items at once"
CANT = {"paced": "paces each step alone"}
ops: Any = reactivex.operators  # whose types don't see through lambdas


def sync_chain(items: Any, functions: Any) -> Any:
    """A chain of maps."""
    outputs: list[Any] = []
    steps = (ops.map(adapters.remembering(*step)) for step in functions.items())
    rx.from_iterable({"src": item} for item in items).pipe(*steps).subscribe(outputs.append)
    return outputs


async def async_chain(items: Any, functions: Any, limit: int, ordered: bool) -> Any:
    """A chain of merges of futures; only that operator has a limit, and it keeps no order."""
    return await _chain(items, functions, limit).pipe(ops.to_list())


async def stream(items: Any, functions: Any, limit: int) -> AsyncIterator[Any]:
    """The same chain, with a queue to the reader."""
    async for output in _read(_chain(items, functions, limit)):
        yield output


async def fan_out(items: Any, groups: Any, limit: int) -> Any:
    """Each group publishes its inputs, merges the branches, and maps what they emit."""
    products: Any = rx.from_iterable({"src": item} for item in items)
    for branches, join in groups:
        steps = [_limited(adapters.branching_async(*step), limit) for step in branches.items()]
        products = products.pipe(
            ops.publish(lambda shared, steps=steps: rx.merge(*(s(shared) for s in steps), shared)),
            _limited(adapters.branching_async(*join), limit),
        )
    return await products.pipe(ops.to_list())


async def merge(sources: Any) -> AsyncIterator[Any]:
    """`merge`, with a task that reads each source."""
    async for output in _read(rx.merge(*map(_from_async, sources))):
        yield output


async def expand(items: Any, function: Any, per_item: int) -> Any:
    """A summed observable of children for each item."""

    def total(item: Any) -> Any:
        return rx.from_iterable(function(**item, per_item=per_item)).pipe(
            ops.sum(lambda child: child["y"]), ops.map(lambda value: {**item, "total": value})
        )

    return await rx.from_iterable(items).pipe(ops.flat_map(total), ops.to_list())


async def batches(items: Any, size: int) -> Any:
    """`buffer_with_count`."""
    return await rx.from_iterable(items).pipe(ops.buffer_with_count(size), ops.to_list())


async def retrying(items: Any, function: Any, limit: int, attempts: int) -> Any:
    """A merge of futures of a function that calls again; `retry` is several times dearer."""
    failed: list[Any] = []
    calls = _limited(adapters.attempting_async(function, attempts, failed), limit)
    outputs: Any = await rx.from_iterable(items).pipe(calls, ops.to_list())
    return [output for output in outputs if output is not None], failed


def etl(lines: Any, clean: Any, size: int, write: Any) -> Any:
    """A map, a buffer, and a subscription that writes."""
    rejected: list[Any] = []
    rows = ops.map(adapters.cleaning(clean, rejected)), ops.filter(lambda row: row is not None)
    rx.from_iterable(lines).pipe(*rows, ops.buffer_with_count(size)).subscribe(write)
    return rejected


def _chain(items: Any, functions: Any, limit: int) -> Any:
    steps = (_limited(adapters.remembering_async(*step), limit) for step in functions.items())
    return rx.from_iterable({"src": item} for item in items).pipe(*steps)


def _limited(step: Any, limit: int) -> Any:
    calls = ops.map(lambda given: rx.defer(lambda _: asyncio.ensure_future(step(given))))
    return rx.compose(calls, ops.merge(max_concurrent=limit))


async def _read(products: Any) -> AsyncIterator[Any]:
    queue: asyncio.Queue[Any] = asyncio.Queue()
    with products.pipe(ops.materialize()).subscribe(queue.put_nowait):
        while (notification := await queue.get()).has_value:
            yield notification.value
    if notification.kind == "E":
        raise notification.exception


def _from_async(source: Any) -> Any:
    async def read(observer: Any) -> None:
        async for item in source:
            observer.on_next(item)

    def subscribe(observer: Any, _: Any) -> Any:
        reading = rx.from_future(asyncio.ensure_future(read(observer)))
        return reading.subscribe(on_error=observer.on_error, on_completed=observer.on_completed)

    return rx.create(subscribe)
