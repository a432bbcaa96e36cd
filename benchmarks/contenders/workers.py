"""Workers by hand, as most would write them: tasks that take items, and carry each to the end.

`by-hand` does more, and costs more: it makes each call a context of its own, as a flow does, and
limits the calls of each step instead of the items that are in flight.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

NAME = "workers by hand"
PACKAGE = None
LICENCE = "Apache-2.0"
PROMISES = ("lineage", "limit", "order", "bounded", "cleanup")
NOTE = "no contexts of calls; limits items, too"
CANT = {
    "sync_chain": "no calls to share out",
    "fan_out": "an item has one way only",
    "merge": "see by-hand",
    "expand": "see by-hand",
    "batches": "see by-hand",
    "paced": "see by-hand",
    "etl": "see by-hand",
}

Lineage = dict[str, Any]

#: Outputs that wait for a reader.
ROOM = 32


async def async_chain(items: Any, functions: Any, limit: int, ordered: bool) -> list[Lineage]:
    """`limit` workers; each output has its place in the result when its item is taken."""
    outputs: list[Lineage] = []

    def taken() -> Iterator[Lineage]:
        for item in items:
            outputs.append({"src": item})
            yield outputs[-1]

    await _work(taken(), items, functions, limit)
    return outputs


async def stream(items: Any, functions: Any, limit: int) -> AsyncIterator[Lineage]:
    """The same workers, and a queue."""
    queue: asyncio.Queue[Lineage | None] = asyncio.Queue(ROOM)

    async def run() -> None:
        try:
            await _work(({"src": item} for item in items), items, functions, limit, queue)
        finally:
            await queue.put(None)

    task = asyncio.create_task(run())
    try:
        while (output := await queue.get()) is not None:
            yield output
        await task
    finally:
        task.cancel()
        while not task.done():
            while not queue.empty():
                queue.get_nowait()
            await asyncio.wait([task], timeout=0)


async def retrying(items: Any, function: Any, limit: int, attempts: int) -> Any:
    """A loop around each call."""
    outputs: list[Lineage] = []
    failed: list[Any] = []
    source = iter(items)

    async def work() -> None:
        for item in source:
            for attempt in range(1, attempts + 1):
                try:
                    outputs.append({"src": item, "step1": await function(x=item["x"])})
                    break
                except Exception:
                    if attempt == attempts:
                        failed.append(item)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(limit):
            tasks.create_task(work())
    return outputs, failed


async def _work(
    source: Iterator[Lineage],
    items: Any,
    functions: Any,
    limit: int,
    queue: asyncio.Queue[Any] | None = None,
) -> None:
    """Carry each lineage through all steps; the first error ends it, and closes the source."""

    async def work() -> None:
        for lineage in source:
            latest = lineage["src"]
            for name, function in functions.items():
                lineage[name] = latest = await function(x=latest["x"])
            if queue is not None:
                await queue.put(lineage)

    try:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(limit):
                tasks.create_task(work())
    finally:
        if hasattr(items, "close"):
            items.close()
