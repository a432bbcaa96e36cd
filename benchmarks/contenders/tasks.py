"""Tasks by hand: one for each item, and a semaphore for each function."""

from __future__ import annotations

import asyncio
from typing import Any

NAME = "tasks by hand"
PACKAGE = None
LICENCE = "Apache-2.0"
PROMISES = ("lineage", "limit", "order", "cleanup")
NOTE = "reads the whole source at once"
CANT = {
    "sync_chain": "awaits nothing",
    "stream": "reads the whole source at once",
    "merge": "as by-hand does it",
    "expand": "awaits nothing",
    "batches": "awaits nothing",
    "paced": "as by-hand does it",
    "etl": "awaits nothing",
}


def _limit(functions: Any, limit: int) -> Any:
    return {name: _limited(function, limit) for name, function in functions.items()}


def _limited(function: Any, limit: int) -> Any:
    places = asyncio.Semaphore(limit)

    async def call(x: Any) -> Any:
        async with places:
            return await function(x=x)

    return call


async def _carry(item: Any, functions: Any) -> Any:
    lineage, latest = {"src": item}, item
    for name, function in functions.items():
        lineage[name] = latest = await function(x=latest["x"])
    return lineage


async def async_chain(items: Any, functions: Any, limit: int, ordered: bool) -> list[Any]:
    """All items in flight at once, most of them waiting for a place."""
    limited = _limit(functions, limit)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_carry(item, limited)) for item in items]
    return [task.result() for task in tasks]


async def fan_out(items: Any, groups: Any, limit: int) -> list[Any]:
    """A task for each item, and for each branch that an output goes to."""
    outputs: list[Any] = []
    limited = [
        (_limit(branches, limit), (join, _limited(function, limit)))
        for branches, (join, function) in groups
    ]

    async def spread(lineage: Any, latest: Any, depth: int) -> None:
        if depth == len(limited):
            outputs.append(lineage)
            return
        branches, join = limited[depth]
        for branch in branches.items():
            group.create_task(carry({**lineage}, latest, depth + 1, branch, join))
        await carry(lineage, latest, depth + 1, join)

    async def carry(lineage: Any, latest: Any, depth: int, *steps: Any) -> None:
        for name, function in steps:
            lineage[name] = latest = await function(x=latest["x"])
        await spread(lineage, latest, depth)

    async with asyncio.TaskGroup() as group:
        for item in items:
            group.create_task(spread({"src": item}, item, 0))
    return outputs


async def retrying(items: Any, function: Any, limit: int, attempts: int) -> tuple[Any, Any]:
    """A task for each item retries, in the slot that it has."""
    outputs, failed = [], []
    places = asyncio.Semaphore(limit)

    async def call(item: Any) -> None:
        async with places:
            for _ in range(attempts):
                try:
                    output = await function(x=item["x"])
                except Exception:
                    continue
                outputs.append({"src": item, "step1": output})
                return
        failed.append(item)

    async with asyncio.TaskGroup() as group:
        for item in items:
            group.create_task(call(item))
    return outputs, failed
