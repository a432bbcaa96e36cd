"""aiostream: operators on asynchronous iterables; the step functions keep the lineage."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from typing import Any

import aiostream.stream

from benchmarks.work import adapters

NAME = "aiostream"
PACKAGE = "aiostream"
LICENCE = "GPL-3.0-or-later"
PROMISES = ("lineage", "limit", "order", "bounded", "cleanup")
NOTE = ""

ops: Any = aiostream.stream  # whose types don't see through lambdas


async def sync_chain(items: Any, functions: Any) -> Any:
    """A chain of maps."""
    products = ops.iterate({"src": item} for item in items)
    for step in itertools.starmap(adapters.remembering, functions.items()):
        products = ops.map(products, step)
    return await _collected(products)


async def async_chain(items: Any, functions: Any, limit: int, ordered: bool) -> Any:
    """A chain of maps with a task limit."""
    return await _collected(_chain(items, functions, limit, ordered))


async def stream(items: Any, functions: Any, limit: int) -> AsyncIterator[Any]:
    """The same chain, read as outputs come."""
    async with _chain(items, functions, limit, ordered=False).stream() as outputs:
        async for output in outputs:
            yield output


async def fan_out(items: Any, groups: Any, limit: int) -> Any:
    """A merge of a map for each branch, into a map; a list for each group, as nothing is shared."""
    outputs: Any = [{"src": item} for item in items]
    for branches, join in groups:
        steps = itertools.starmap(adapters.branching_async, branches.items())
        maps = [_limited(ops.iterate(outputs), step, limit) for step in steps]
        merged = ops.merge(*maps, ops.iterate(outputs))
        outputs = await _collected(_limited(merged, adapters.branching_async(*join), limit))
    return outputs


async def merge(sources: Any) -> AsyncIterator[Any]:
    """`merge`."""
    async with ops.merge(*sources).stream() as outputs:
        async for output in outputs:
            yield output


async def expand(items: Any, function: Any, per_item: int) -> Any:
    """A reduced stream of children for each item, one after the other."""

    def total(item: Any) -> Any:
        children = ops.iterate(function(**item, per_item=per_item))
        values = ops.map(children, lambda child: child["y"])
        totals = ops.reduce(values, lambda so_far, y: so_far + y, 0)
        return ops.map(totals, lambda value: {**item, "total": value})

    return await _collected(ops.concatmap(ops.iterate(items), total, task_limit=1))


async def batches(items: Any, size: int) -> Any:
    """`chunks`."""
    return await _collected(ops.chunks(ops.iterate(items), size))


async def retrying(items: Any, function: Any, limit: int, attempts: int) -> Any:
    """A map whose function calls again."""
    failed: list[Any] = []
    step = adapters.attempting_async(function, attempts, failed)
    outputs = _limited(ops.iterate(items), step, limit)
    return await _collected(ops.filter(outputs, lambda output: output is not None)), failed


async def paced(items: Any, functions: Any, limit: int, per_second: float, attempts: int) -> Any:
    """`spaceout` before a map."""

    async def each(call: Any, lineages: Any) -> None:
        await _limited(ops.spaceout(ops.iterate(lineages), 1 / per_second), call, limit)

    return await adapters.in_passes(items, functions, per_second, attempts, each)


async def etl(lines: Any, clean: Any, size: int, write: Any) -> Any:
    """A map, chunks, and an action for each."""
    rejected: list[Any] = []
    rows = ops.map(ops.iterate(lines), adapters.cleaning(clean, rejected))
    good = ops.filter(rows, lambda row: row is not None)
    await ops.action(ops.chunks(good, size), write)
    return rejected


def _chain(items: Any, functions: Any, limit: int, ordered: bool) -> Any:
    products = ops.iterate({"src": item} for item in items)
    for step in itertools.starmap(adapters.remembering_async, functions.items()):
        products = _limited(products, step, limit, ordered)
    return products


def _limited(products: Any, step: Any, limit: int, ordered: bool = False) -> Any:
    return ops.map(products, step, ordered=ordered, task_limit=limit)


async def _collected(products: Any) -> list[Any]:
    async with products.stream() as outputs:
        return [output async for output in outputs]
