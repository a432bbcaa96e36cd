"""trio: workers in a nursery, with memory channels between them, in its own event loop."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any

import trio

from benchmarks.work import adapters
from benchmarks.work.channels import Workers

NAME = "trio"
PACKAGE = "trio"
LICENCE = "MIT OR Apache-2.0"
CALLS = "trio"
GROUP = "bench-more"
PROMISES = ("lineage", "limit", "order", "bounded", "cleanup")
NOTE = "runs in an event loop of its own"
CANT = {
    "sync_chain": "is for tasks",
    "merge": "sources are of asyncio",
    "expand": "would be a loop by hand",
    "batches": "would be a loop by hand",
    "paced": "keeps no pace",
    "etl": "would be a loop by hand",
}

_channel: Any = trio.open_memory_channel[Any]


def async_chain(items: Any, functions: Any, limit: int, ordered: bool) -> Any:
    """Workers that carry an item through all steps, and write into lineages that lie in order."""
    lineages: list[Any] = []

    def source() -> Iterator[Any]:
        for item in items:
            lineages.append({"src": item})
            yield lineages[-1]

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            workers = Workers(nursery, _channel, limit)
            workers.last(adapters.carrying_async(functions), workers.source(source()))

    trio.run(main)
    return lineages


def stream(items: Any, functions: Any, limit: int) -> Iterator[Any]:
    """The same workers; their loop is a guest of the reader, and stands still when that does."""
    outputs: deque[Any] = deque()
    scope = trio.CancelScope()

    async def main() -> None:
        with scope:
            async with trio.open_nursery() as nursery:
                workers = Workers(nursery, _channel, limit)
                source = workers.source({"src": item} for item in items)
                async for output in workers.stage(adapters.carrying_async(functions), source):
                    outputs.append(output)

    turns: SimpleQueue[Any] = SimpleQueue()
    ends: list[Any] = []
    trio.lowlevel.start_guest_run(
        main, run_sync_soon_threadsafe=turns.put, done_callback=ends.append
    )
    try:
        while not ends:
            turns.get()()
            while outputs:
                yield outputs.popleft()
        ends[0].unwrap()
    finally:
        scope.cancel()
        while not ends:
            turns.get()()


def fan_out(items: Any, groups: Any, limit: int) -> Any:
    """A channel to the workers of each branch, and one from all of them to those of the join."""

    async def main() -> Any:
        async with trio.open_nursery() as nursery:
            workers = Workers(nursery, _channel, limit)
            receive = workers.source({"src": item} for item in items)
            for branches, join in groups:
                steps = (adapters.branching_async(*step) for step in branches.items())
                joined = workers.group(steps, receive)
                receive = workers.stage(adapters.branching_async(*join), joined)
            return [output async for output in receive]

    return trio.run(main)


def retrying(items: Any, function: Any, limit: int, attempts: int) -> Any:
    """Workers for a function that calls again."""
    failed: list[Any] = []
    call = adapters.attempting_async(function, attempts, failed)

    async def main() -> Any:
        async with trio.open_nursery() as nursery:
            workers = Workers(nursery, _channel, limit)
            receive = workers.stage(call, workers.source(items))
            return [output async for output in receive if output is not None], failed

    return trio.run(main)
