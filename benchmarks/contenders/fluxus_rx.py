"""fluxus_rx: flows of steps on dictionaries, written as its guide has them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from operator import itemgetter
from typing import Any

import reactivex
from reactivex import operators as ops

from fluxus_rx import SimpleProducer, astream, chain, parallel, passthrough, run, rx_pipe, step
from fluxus_rx.streams import merge as merged

NAME = "fluxus_rx"
PACKAGE = "fluxus_rx"
LICENCE = "Apache-2.0"
PROMISES = ("lineage", "limit", "order", "bounded", "cleanup")
NOTE = ""


def _chain(items: Any, functions: Any) -> Any:
    return chain(step("src", lambda: items), *(step(*each) for each in functions.items()))


def sync_chain(items: Any, functions: Any) -> Any:
    """A chain of steps."""
    return [*run(_chain(items, functions)).get_outputs()]


def async_chain(items: Any, functions: Any, limit: int, ordered: bool) -> Any:
    """The same with a limit of calls in flight."""
    flow = _chain(items, functions).options(concurrency=limit, ordered=ordered)
    return [*run(flow).get_outputs()]


def fan_out(items: Any, groups: Any, limit: int) -> Any:
    """Groups of steps and a passthrough, each joined by a step."""
    parts: list[Any] = []
    for branches, join in groups:
        parts += parallel(*(step(*each) for each in branches.items()), passthrough()), step(*join)
    flow = chain(step("src", lambda: items), *parts)
    return [*run(flow.options(concurrency=limit)).get_outputs()]


async def stream(items: Any, functions: Any, limit: int) -> AsyncIterator[Any]:
    """The chain again; outputs are yielded as they come."""
    async with aclosing(astream(_chain(items, functions).options(concurrency=limit))) as outputs:
        async for _, output in outputs:
            yield output


async def merge(sources: Any) -> AsyncIterator[Any]:
    """The operator of `fluxus_rx.streams`."""
    async with merged(*sources).stream() as streamer:
        async for item in streamer:
            yield item


def expand(items: Any, function: Any, per_item: int) -> Any:
    """A flow inside of a flow: what a step makes of an item is reduced before the next item."""
    children = step("child", function, per_item=per_item)

    def reduced(product: Any) -> Any:
        total = (reactivex.of(product) >> children).pipe(ops.sum(itemgetter("y")))
        return total.pipe(ops.map(lambda total: {"x": product["x"], "total": total}))

    return [*(step("src", lambda: items) >> rx_pipe(ops.concat_map(reduced)))]


def batches(items: Any, size: int) -> Any:
    """An operator of Rx in a flow of items of any type."""
    return [*(SimpleProducer(items) >> rx_pipe(ops.buffer_with_count(size)))]


def retrying(items: Any, function: Any, limit: int, attempts: int) -> Any:
    """A step that retries without waiting, and collects failed calls."""
    return _try(items, {"step1": function}, attempts, concurrency=limit)


def paced(items: Any, functions: Any, limit: int, per_second: float, attempts: int) -> Any:
    """The same with the limiter of the guide, which all steps share."""
    return _try(items, functions, attempts, concurrency=limit, limiter=_PerSecond(per_second))


def _try(items: Any, functions: Any, attempts: int, **options: Any) -> Any:
    from tenacity import AsyncRetrying, stop_after_attempt, wait_none  # a number has waits

    options["retry"] = AsyncRetrying(stop=stop_after_attempt(attempts), wait=wait_none())
    result = run(_chain(items, functions).options(on_error="collect", **options))
    return [*result.get_outputs()], [failure.lineage["src"] for failure in result.failures]


class _PerSecond:
    def __init__(self, calls: float) -> None:
        self.gap, self.due = 1 / calls, 0.0

    async def __aenter__(self) -> None:
        now = time.monotonic()
        self.due = max(now, self.due + self.gap)
        await asyncio.sleep(self.due - now)

    async def __aexit__(self, *exc_info: object) -> None:
        pass


def etl(lines: Any, clean: Any, size: int, write: Any) -> Any:
    """Lists of rows by an operator of Rx, and a step that writes them, in a thread."""
    source = step("src", lambda: ({"line": line} for line in lines))
    cleaned = step("clean", lambda line: clean(line)).options(on_error="collect")

    def save(batch: Any) -> Any:
        return write([dict(row.product_attributes) for row in batch]) or []

    rows = rx_pipe(ops.buffer_with_count(size), name="batch")
    result = run(source >> cleaned >> rows >> step("write", save).options(concurrency=1))
    return [failure.lineage["src"]["line"] for failure in result.failures]
