"""asyncstdlib: itertools on asynchronous iterables; the step functions keep the lineage."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

import asyncstdlib as a

from benchmarks.work import adapters

NAME = "asyncstdlib"
PACKAGE = "asyncstdlib"
LICENCE = "MIT"
GROUP = "bench-more"
PROMISES = ("lineage", "order", "bounded", "cleanup")
NOTE = "no concurrency"
CANT = {
    "async_chain": "one call after the other",
    "fan_out": "one call after the other",
    "stream": "one call after the other",
    "merge": "one source after the other",
    "retrying": "one call after the other",
    "paced": "one call after the other",
}


async def sync_chain(items: Any, functions: Any) -> Any:
    """A chain of maps."""
    products: Any = ({"src": item} for item in items)
    for step in functions.items():
        products = a.map(adapters.remembering(*step), products)
    return await a.list(products)


async def expand(items: Any, function: Any, per_item: int) -> Any:
    """All children in one iterable, grouped by the item that they are of."""
    given = [*items]
    children = a.chain.from_iterable(
        ((number, child["y"]) for child in function(**item, per_item=per_item))
        for number, item in enumerate(given)
    )
    return [
        {**given[number], "total": await a.sum(a.map(itemgetter(1), group))}
        async for number, group in a.groupby(children, itemgetter(0))
    ]


async def batches(items: Any, size: int) -> Any:
    """`batched`, whose tuples become lists."""
    return await a.list(a.map(list, a.batched(items, size)))


async def etl(lines: Any, clean: Any, size: int, write: Any) -> Any:
    """A map, batches, and a loop that writes them."""
    rejected: list[Any] = []
    rows = a.filter(None, a.map(adapters.cleaning(clean, rejected), lines))
    async for batch in a.batched(rows, size):
        write(list(batch))
    return rejected
