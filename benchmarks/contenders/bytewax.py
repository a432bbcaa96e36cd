"""bytewax: a dataflow run by one worker in this process; the step functions keep the lineage."""

from __future__ import annotations

from datetime import timedelta
from operator import add, itemgetter
from typing import Any

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.testing import TestingSink, TestingSource, run_main

from benchmarks.work import adapters

NAME = "bytewax"
PACKAGE = "bytewax"
LICENCE = "Apache-2.0"
GROUP = "bench-bytewax"
ON_REQUEST = True
PROMISES = ("lineage", "order", "bounded")
NOTE = "no concurrency in a worker"
CANT = {
    "async_chain": "one call after the other",
    "fan_out": "one call after the other",
    "stream": "passes outputs to sinks only",
    "merge": "passes outputs to sinks only",
    "retrying": "one call after the other",
    "paced": "one call after the other",
}

#: For how long a batch may wait to be full.
_EVER = timedelta(days=1)


def sync_chain(items: Any, functions: Any) -> Any:
    """A chain of maps."""
    flow, products = _input({"src": item} for item in items)
    for name, function in functions.items():
        products = op.map(name, products, adapters.remembering(name, function))
    return _run(flow, products)


def expand(items: Any, function: Any, per_item: int) -> Any:
    """`flat_map`, and a sum for each item, which is given when all are through."""
    given = [*items]

    def children(number: int) -> Any:
        found = function(**given[number], per_item=per_item)
        return ((str(number), child["y"]) for child in found)

    flow, numbers = _input(range(len(given)), 1)
    values = op.flat_map("children", numbers, children)
    totals = _run(flow, op.reduce_final("total", values, add))
    totals.sort(key=lambda keyed: int(keyed[0]))
    return [{**item, "total": total} for item, (_, total) in zip(given, totals, strict=True)]


def batches(items: Any, size: int) -> Any:
    """`collect`."""
    flow, products = _input(items)
    return _run(flow, _batched(products, size))


def etl(lines: Any, clean: Any, size: int, write: Any) -> Any:
    """A map, `collect`, and a map that writes."""
    rejected: list[Any] = []
    flow, products = _input(lines)
    rows = op.filter_map("clean", products, adapters.cleaning(clean, rejected))
    _run(flow, op.map("write", _batched(rows, size), write))
    return rejected


def _input(items: Any, at_once: int = 100) -> tuple[Any, Any]:
    flow = Dataflow("flow")
    return flow, op.input("source", flow, TestingSource(items, at_once))


def _batched(products: Any, size: int) -> Any:
    keyed = op.key_on("key", products, lambda _: "")
    return op.map("list", op.collect("batch", keyed, _EVER, size), itemgetter(1))


def _run(flow: Any, products: Any) -> list[Any]:
    outputs: list[Any] = []
    op.output("sink", products, TestingSink(outputs))
    run_main(flow)
    return outputs
