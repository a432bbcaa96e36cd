"""aiometer: one function on many values, with a limit of calls, and a pace.

All steps of an item are one function, and each writes into the lineage of its item.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import aiometer

from benchmarks.work import adapters

NAME = "aiometer"
PACKAGE = "aiometer"
LICENCE = "MIT"
PROMISES = ("lineage", "limit", "order", "cleanup")
NOTE = "a task for each item, not for each call"
CANT = {
    "sync_chain": "coroutine functions only",
    "stream": "takes a list",
    "merge": "one function on many values, only",
    "expand": "one function on many values, only",
    "batches": "one function on many values, only",
    "etl": "one function on many values, only",
}


async def async_chain(items: Any, functions: Any, limit: int, ordered: bool) -> Any:
    """`run_on_each`, which has no results to pass on: these are in the lineages."""
    outputs = [{"src": item} for item in items]
    carry = adapters.carrying_async(functions)
    await aiometer.run_on_each(carry, outputs, max_at_once=limit)
    return outputs


async def fan_out(items: Any, groups: Any, limit: int) -> Any:
    """`run_on_each` for each branch, all of them at once, and for the join after them."""
    lineages: list[Any] = [{"src": item} for item in items]
    for branches, join in groups:
        outputs = [{**lineage} for lineage in lineages]
        runs = []
        for branch in branches.items():
            copies = [{**lineage} for lineage in lineages]
            runs.append(_run(adapters.remembering_async(*branch), copies, limit))
            outputs += copies
        await asyncio.gather(*runs)
        await _run(adapters.remembering_async(*join), outputs, limit)
        lineages = outputs
    return lineages


async def retrying(items: Any, function: Any, limit: int, attempts: int) -> Any:
    """`amap` of a function that calls again."""
    failed: list[Any] = []
    call = adapters.attempting_async(function, attempts, failed)
    async with aiometer.amap(call, [*items], max_at_once=limit) as outputs:
        return [output async for output in outputs if output is not None], failed


async def paced(items: Any, functions: Any, limit: int, per_second: float, attempts: int) -> Any:
    """`run_on_each` for each step."""
    each = partial(aiometer.run_on_each, max_at_once=limit, max_per_second=per_second)
    return await adapters.in_passes(items, functions, per_second, attempts, each)


async def _run(step: Any, lineages: Any, limit: int) -> None:
    await aiometer.run_on_each(step, lineages, max_at_once=limit)
