"""eventkit: operators on events, which are emitted at once; the step functions keep the lineage."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any

from eventkit import Event

from benchmarks.work import adapters

NAME = "eventkit"
PACKAGE = "eventkit"
LICENCE = "BSD"
GROUP = "bench-more"
PROMISES = ("lineage", "limit", "order")
NOTE = "reads all items at once"
CANT = {
    "retrying": "logs errors, and goes on",
    "paced": "throttles each step alone",
    "etl": "logs errors, and goes on",
}


def sync_chain(items: Any, functions: Any) -> Any:
    """An event that each item is emitted by, and a chain of maps."""
    outputs: list[Any] = []
    source = mapped = Event()
    for step in functions.items():
        mapped = mapped.map(adapters.remembering(*step))
    mapped += outputs.append
    for item in items:
        source.emit({"src": item})
    return outputs


async def async_chain(items: Any, functions: Any, limit: int, ordered: bool) -> Any:
    """A chain of maps with a task limit."""
    return await _chain(items, functions, limit, ordered).list()


async def stream(items: Any, functions: Any, limit: int) -> AsyncIterator[Any]:
    """The same chain, read as outputs come."""
    async for output in _chain(items, functions, limit, ordered=False):
        yield output


async def fan_out(items: Any, groups: Any, limit: int) -> Any:
    """A map for each branch of an event, merged with it, into a map."""
    event = _source({"src": item} for item in items)
    for branches, join in groups:
        maps = [
            event.map(adapters.branching_async(*branch), task_limit=limit, ordered=False)
            for branch in branches.items()
        ]
        joining = adapters.branching_async(*join)
        event = event.merge(*maps).map(joining, task_limit=limit, ordered=False)
    return await event.list()


async def merge(sources: Any) -> AsyncIterator[Any]:
    """`merge`."""
    first, *others = map(Event.aiterate, sources)
    async for item in first.merge(*others):
        yield item


async def expand(items: Any, function: Any, per_item: int) -> Any:
    """A summed event of children for each item, and `mergemap`."""

    def total(item: Any) -> Any:
        values = _source(child["y"] for child in function(**item, per_item=per_item))
        return values.sum().last().map(lambda value: {**item, "total": value})

    return await _source(items).mergemap(total).list()


def batches(items: Any, size: int) -> Any:
    """`chunk`."""
    outputs: list[Any] = []
    source = Event()
    chunks = source.chunk(size)
    chunks += outputs.append
    for item in items:
        source.emit(item)
    source.set_done()
    return outputs


def _chain(items: Any, functions: Any, limit: int, ordered: bool) -> Any:
    event = _source({"src": item} for item in items)
    for step in functions.items():
        mapping = adapters.remembering_async(*step)
        event = event.map(mapping, task_limit=limit, ordered=ordered)
    return event


def _source(values: Iterable[Any]) -> Any:
    async def each() -> AsyncIterator[Any]:
        for value in values:
            yield value

    return Event.aiterate(each())
