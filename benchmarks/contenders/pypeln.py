"""pypeln: stages of asyncio tasks with queues between them; the step functions keep the lineage.

Sources are asynchronous: it reads plain ones in a thread, far ahead, and now and then loses items
of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

import pypeln

from benchmarks.work import adapters

NAME = "pypeln"
PACKAGE = "pypeln"
LICENCE = "MIT"
GROUP = "bench-more"
PROMISES = ("lineage", "limit", "order", "bounded")
NOTE = "`ordered` sorts when all are there"
CANT = {
    "sync_chain": "is for tasks",
    "merge": "ends before its sources do",
    "batches": "has no batches",
    "paced": "keeps no pace",
    "etl": "has no batches",
}

task: Any = pypeln.task

#: Places in a queue.
ROOM = 32


async def async_chain(items: Any, functions: Any, limit: int, ordered: bool) -> Any:
    """A stage of `limit` workers for each step."""
    stage = _chain(items, functions, limit)
    return await (task.ordered(stage) if ordered else stage)


async def stream(items: Any, functions: Any, limit: int) -> AsyncIterator[Any]:
    """The same chain, read as outputs come."""
    async for output in _chain(items, functions, limit):
        yield output


async def fan_out(items: Any, groups: Any, limit: int) -> Any:
    """A stage for each branch, all at once, and one for what they return: `concat` loses some."""
    lineages: list[Any] = [{"src": item} for item in items]
    for branches, join in groups:
        stages = [
            _stage(adapters.branching_async(*branch), _source(lineages), limit)
            for branch in branches.items()
        ]
        outputs = sum(await asyncio.gather(*stages), lineages)
        lineages = await _stage(adapters.branching_async(*join), _source(outputs), limit)
    return lineages


async def expand(items: Any, function: Any, per_item: int) -> Any:
    """`flat_map`, summed up as children come."""
    outputs = [{**item, "total": 0} for item in items]

    def children(output: Any) -> Any:
        return ((output, child) for child in function(x=output["x"], per_item=per_item))

    async for output, child in task.flat_map(children, _source(outputs), maxsize=ROOM):
        output["total"] += child["y"]
    return outputs


async def retrying(items: Any, function: Any, limit: int, attempts: int) -> Any:
    """A stage whose function calls again."""
    failed: list[Any] = []
    call = adapters.attempting_async(function, attempts, failed)
    outputs = await _stage(call, _source(items), limit)
    return [output for output in outputs if output is not None], failed


def _chain(items: Any, functions: Any, limit: int) -> Any:
    stage: Any = _source({"src": item} for item in items)
    for step in functions.items():
        stage = _stage(adapters.remembering_async(*step), stage, limit)
    return stage


async def _source(items: Iterable[Any]) -> AsyncIterator[Any]:
    for item in items:
        yield item


def _stage(step: Any, source: Any, limit: int) -> Any:
    return task.map(step, source, workers=limit, maxsize=ROOM)
