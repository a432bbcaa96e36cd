"""streamable: operations on iterables and asynchronous iterables.

Its steps get plain products, which favours it: lineage would cost it a dictionary for each item.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import streamable

from benchmarks.work import adapters
from benchmarks.work.functions import last_attributes

NAME = "streamable"
PACKAGE = "streamable"
LICENCE = "Apache-2.0"
REQUIRES = "streamable==2.0.0"
PROMISES = ("limit", "order", "bounded")
NOTE = "plain products: no lineage"


def sync_chain(items: Any, functions: Any) -> Any:
    """A chain of maps."""
    products: Any = streamable.stream(items)
    for function in functions.values():
        products = products.map(lambda product, function=function: function(**product))
    return list(products)


async def async_chain(items: Any, functions: Any, limit: int, ordered: bool) -> Any:
    """A chain of concurrent maps."""
    products = _chain(items, functions, limit, as_completed=not ordered)
    return [product async for product in products]


async def stream(items: Any, functions: Any, limit: int) -> AsyncIterator[Any]:
    """The same chain, read as products come."""
    async for product in _chain(items, functions, limit, as_completed=True):
        yield product


async def fan_out(items: Any, groups: Any, limit: int) -> Any:
    """A concurrent map for each branch, all at once, and one for what they return."""

    async def mapped(given: Any, function: Any) -> Any:
        calls = _mapped(streamable.stream(given), function, limit)
        return [product async for product in calls]

    products = list(items)
    for branches, (_, join) in groups:
        given = await asyncio.gather(*(mapped(products, branch) for branch in branches.values()))
        products = await mapped(sum(given, products), join)
    return products


async def merge(sources: Any) -> AsyncIterator[Any]:
    """`flatten`, which asks the sources in turn."""
    products: Any = streamable.stream(sources)
    async for item in products.flatten(concurrency=len(sources)):
        yield item


def expand(items: Any, function: Any, per_item: int) -> Any:
    """A map whose function sums up a stream of children."""

    def total(item: Any) -> Any:
        children: Any = streamable.stream(function(**item, per_item=per_item))
        return {**item, "total": sum(children.map(lambda child: child["y"]))}

    return list(streamable.stream(items).map(total))


def batches(items: Any, size: int) -> Any:
    """`group`."""
    return list(streamable.stream(items).group(size))


async def retrying(items: Any, function: Any, limit: int, attempts: int) -> Any:
    """A concurrent map whose function calls again."""
    failed: list[Any] = []
    step = adapters.attempting_async(function, attempts, failed)
    lineages: Any = streamable.stream(items).map(step, concurrency=limit, as_completed=True)
    return [lineage["step1"] async for lineage in lineages if lineage is not None], failed


async def paced(items: Any, functions: Any, limit: int, per_second: float, attempts: int) -> Any:
    """`throttle` before a concurrent `do`."""
    per = timedelta(seconds=1 / per_second)

    async def each(call: Any, lineages: Any) -> None:
        await streamable.stream(lineages).throttle(1, per=per).do(call, concurrency=limit)

    lineages, failed = await adapters.in_passes(items, functions, per_second, attempts, each)
    return [last_attributes(lineage) for lineage in lineages], failed


def etl(lines: Any, clean: Any, size: int, write: Any) -> Any:
    """A map, groups, and an effect of each."""
    rejected: list[Any] = []
    rows: Any = streamable.stream(lines).map(adapters.cleaning(clean, rejected))
    rows.filter(lambda row: row is not None).group(size).do(write)()
    return rejected


def _chain(items: Any, functions: Any, limit: int, as_completed: bool) -> Any:
    products: Any = streamable.stream(items)
    for function in functions.values():
        products = _mapped(products, function, limit, as_completed)
    return products


def _mapped(products: Any, function: Any, limit: int, as_completed: bool = False) -> Any:
    async def call(product: Any) -> Any:
        return await function(**product)

    return products.map(call, concurrency=limit, as_completed=as_completed)
