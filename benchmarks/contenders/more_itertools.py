"""more-itertools: plain iterators; the step functions keep the lineage."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

import more_itertools as more

from benchmarks.work import adapters

NAME = "more-itertools"
PACKAGE = "more-itertools"
LICENCE = "MIT"
GROUP = "bench-more"
PROMISES = ("lineage", "order", "bounded", "cleanup")
NOTE = "no concurrency"
CANT = {
    "async_chain": "plain iterators only",
    "fan_out": "plain iterators only",
    "stream": "plain iterators only",
    "merge": "plain iterators only",
    "retrying": "plain iterators only",
    "paced": "plain iterators only",
}


def sync_chain(items: Any, functions: Any) -> Any:
    """A chain of maps: the built-in ones, as this library has none of its own."""
    products: Any = ({"src": item} for item in items)
    for step in functions.items():
        products = map(adapters.remembering(*step), products)
    return list(products)


def expand(items: Any, function: Any, per_item: int) -> Any:
    """All children in one iterable, grouped by the item that they are of, and summed up."""
    given = [*items]
    children = more.flatten(
        ((number, child["y"]) for child in function(**item, per_item=per_item))
        for number, item in enumerate(given)
    )
    totals = more.groupby_transform(children, itemgetter(0), itemgetter(1), sum)
    return [{**given[number], "total": total} for number, total in totals]


def batches(items: Any, size: int) -> Any:
    """`chunked`."""
    return list(more.chunked(items, size))


def etl(lines: Any, clean: Any, size: int, write: Any) -> Any:
    """A map, chunks, and a side effect of each."""
    rejected: list[Any] = []
    rows = filter(None, map(adapters.cleaning(clean, rejected), lines))
    more.consume(more.side_effect(write, more.chunked(rows, size)))
    return rejected
