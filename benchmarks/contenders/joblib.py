"""joblib: one function on many values in a pool of threads, with functions that block."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from typing import Any

from joblib import Parallel, delayed

from benchmarks.work import adapters

NAME = "joblib threads"
PACKAGE = "joblib"
LICENCE = "BSD-3-Clause"
CALLS = "threads"
GROUP = "bench-more"
PROMISES = ("lineage", "limit", "order")
NOTE = "threads; `stream` waits for no reader"
CANT = {
    "sync_chain": "would be a loop by hand",
    "merge": "one function on many values, only",
    "expand": "one function on many values, only",
    "batches": "one function on many values, only",
    "paced": "keeps no pace",
}


def async_chain(items: Any, functions: Any, limit: int, ordered: bool) -> Any:
    """A thread takes an item through all steps."""
    carry = delayed(adapters.carrying(functions))
    return _pool(limit)(carry(item) for item in items)


def stream(items: Any, functions: Any, limit: int) -> Iterator[Any]:
    """The same, given as outputs come."""
    carry = delayed(adapters.carrying(functions))
    yield from _pool(limit, return_as="generator_unordered")(carry(item) for item in items)


def fan_out(items: Any, groups: Any, limit: int) -> Any:
    """All branches in one pool, and the join after them."""
    lineages = [{"src": item} for item in items]
    with _pool(limit) as pool:
        for branches, join in groups:
            steps = [delayed(adapters.branching(*step)) for step in branches.items()]
            outputs = pool(step(lineage) for lineage in lineages for step in steps)
            joining = delayed(adapters.branching(*join))
            lineages = pool(joining(lineage) for lineage in [*outputs, *lineages])
    return lineages


def retrying(items: Any, function: Any, limit: int, attempts: int) -> Any:
    """Threads call a function that calls again."""
    failed: list[Any] = []
    call = delayed(adapters.attempting(function, attempts, failed))
    outputs = _pool(limit)(call(item) for item in items)
    return [output for output in outputs if output is not None], failed


def etl(lines: Any, clean: Any, size: int, write: Any) -> Any:
    """Threads clean lists of lines, and the main thread writes."""
    rejected: list[Any] = []
    cleaned = adapters.cleaning(clean, rejected)

    def good(some: list[str]) -> list[Any]:
        return [row for row in map(cleaned, some) if row is not None]

    source = iter(lines)
    lists = iter(lambda: [*islice(source, size)], [])
    results = _pool(-1, return_as="generator")(delayed(good)(some) for some in lists)
    rows = chain.from_iterable(results)
    while batch := [*islice(rows, size)]:
        write(batch)
    return rejected


def _pool(limit: int, **options: Any) -> Any:
    return Parallel(n_jobs=limit, backend="threading", **options)
