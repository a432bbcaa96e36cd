"""dask.bag: operations on partitions, each done by a thread; the functions keep the lineage."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from operator import add, itemgetter
from typing import Any

import dask
import dask.bag

from benchmarks.work import adapters

NAME = "dask.bag threads"
PACKAGE = "dask"
LICENCE = "BSD-3-Clause"
CALLS = "threads"
GROUP = "bench-more"
PROMISES = ("lineage", "limit", "order")
NOTE = "threads; a partition for each of them"
CANT = {
    "stream": "returns nothing before the end",
    "merge": "is for data that is there",
    "paced": "keeps no pace",
}


def sync_chain(items: Any, functions: Any) -> Any:
    """A chain of maps in one partition, in the thread of the caller."""
    return _chain(items, functions, 1).compute(scheduler="sync")


def async_chain(items: Any, functions: Any, limit: int, ordered: bool) -> Any:
    """A chain of maps in as many partitions as threads."""
    return _compute(_chain(items, functions, limit), limit)


def fan_out(items: Any, groups: Any, limit: int) -> Any:
    """Each group is a bag: the maps of all branches and what passes, concatenated, and the join."""
    bag = _bag(({"src": item} for item in items), limit)
    for branches, join in groups:
        maps = [bag.map(adapters.branching(*branch)) for branch in branches.items()]
        bag = dask.bag.concat([*maps, bag]).map(adapters.branching(*join))
    return _compute(bag, limit)


def expand(items: Any, function: Any, per_item: int) -> Any:
    """`flatten`, and `foldby` the number of the item; one partition, so that order is kept."""
    given = [*items]

    def children(number: int) -> Any:
        return ((number, child["y"]) for child in function(**given[number], per_item=per_item))

    values = _bag(range(len(given)), 1).map(children).flatten()
    totals = values.foldby(itemgetter(0), lambda total, value: total + value[1], 0, add, 0)
    return [{**given[number], "total": total} for number, total in totals.compute(scheduler="sync")]


def batches(items: Any, size: int) -> Any:
    """The partitions themselves."""
    bag = dask.bag.from_sequence(items, partition_size=size)
    return [batch for batch in dask.compute(*bag.to_delayed(), scheduler="sync") if batch]


def retrying(items: Any, function: Any, limit: int, attempts: int) -> Any:
    """A map whose function calls again."""
    failed: list[Any] = []
    outputs = _bag(items, limit).map(adapters.attempting(function, attempts, failed))
    return _compute(outputs.filter(_is_given), limit), failed


def etl(lines: Any, clean: Any, size: int, write: Any) -> Any:
    """Threads clean partitions of lines; rows are written when all are there."""
    rejected: list[Any] = []
    bag = dask.bag.from_sequence(lines, partition_size=size)
    rows = bag.map(adapters.cleaning(clean, rejected)).filter(_is_given)
    good = iter(_compute(rows, os.cpu_count() or 1))
    while batch := [*islice(good, size)]:
        write(batch)
    return rejected


def _is_given(value: Any) -> bool:
    return value is not None


def _bag(items: Any, partitions: int) -> Any:
    return dask.bag.from_sequence(items, npartitions=partitions)


def _chain(items: Any, functions: Any, partitions: int) -> Any:
    bag = _bag(({"src": item} for item in items), partitions)
    for step in functions.items():
        bag = bag.map(adapters.remembering(*step))
    return bag


def _compute(bag: Any, limit: int) -> Any:
    with ThreadPoolExecutor(limit) as pool:
        return bag.compute(scheduler="threads", pool=pool)
