"""anyio: workers in a task group, with memory object streams between them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Any

import anyio

from benchmarks.work import adapters
from benchmarks.work.channels import Workers

NAME = "anyio"
PACKAGE = "anyio"
LICENCE = "MIT"
PROMISES = ("lineage", "limit", "order", "bounded", "cleanup")
NOTE = "a worker takes an item all the way"
CANT = {
    "sync_chain": "is for tasks",
    "expand": "would be a loop by hand",
    "batches": "would be a loop by hand",
    "paced": "keeps no pace",
}

_streams: Any = anyio.create_memory_object_stream[Any]


async def async_chain(items: Any, functions: Any, limit: int, ordered: bool) -> Any:
    """Workers that carry an item through all steps, and write into lineages that lie in order."""
    lineages: list[Any] = []

    def source() -> Iterator[Any]:
        for item in items:
            lineages.append({"src": item})
            yield lineages[-1]

    async with anyio.create_task_group() as group:
        workers = Workers(group, _streams, limit)
        workers.last(adapters.carrying_async(functions), workers.source(source()))
    return lineages


async def stream(items: Any, functions: Any, limit: int) -> AsyncIterator[Any]:
    """The same workers, and a stream to the reader."""
    async with anyio.create_task_group() as group:
        workers = Workers(group, _streams, limit)
        source = workers.source({"src": item} for item in items)
        with suppress(GeneratorExit):
            async for output in workers.stage(adapters.carrying_async(functions), source):
                yield output
        group.cancel_scope.cancel()


async def fan_out(items: Any, groups: Any, limit: int) -> Any:
    """A stream to the workers of each branch, and one from all of them to those of the join."""
    async with anyio.create_task_group() as group:
        workers = Workers(group, _streams, limit)
        receive = workers.source({"src": item} for item in items)
        for branches, join in groups:
            steps = (adapters.branching_async(*step) for step in branches.items())
            joined = workers.group(steps, receive)
            receive = workers.stage(adapters.branching_async(*join), joined)
        return [output async for output in receive]


async def merge(sources: Any) -> AsyncIterator[Any]:
    """A task for each source, and one stream from all of them."""
    async with anyio.create_task_group() as group:
        with suppress(GeneratorExit):
            async for item in Workers(group, _streams, len(sources)).merged(sources):
                yield item
        group.cancel_scope.cancel()


async def retrying(items: Any, function: Any, limit: int, attempts: int) -> Any:
    """Workers for a function that calls again."""
    failed: list[Any] = []
    call = adapters.attempting_async(function, attempts, failed)
    async with anyio.create_task_group() as group:
        workers = Workers(group, _streams, limit)
        receive = workers.stage(call, workers.source(items))
        return [output async for output in receive if output is not None], failed


async def etl(lines: Any, clean: Any, size: int, write: Any) -> Any:
    """Lists of rows through a stream to a task that writes them in a thread."""
    rejected: list[Any] = []
    rows = filter(None, map(adapters.cleaning(clean, rejected), lines))
    batches = iter(lambda: [*islice(rows, size)], [])
    async with anyio.create_task_group() as group:
        workers = Workers(group, _streams, 1)
        workers.last(partial(anyio.to_thread.run_sync, write), workers.source(batches))
    return rejected
