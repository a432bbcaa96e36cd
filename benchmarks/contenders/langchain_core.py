"""langchain-core: runnables, composed to sequences and groups; the functions keep the lineage."""

from __future__ import annotations

from contextlib import suppress
from functools import partial, reduce
from itertools import compress
from operator import not_, or_
from typing import Any

from langchain_core.rate_limiters import InMemoryRateLimiter
from langchain_core.runnables import RunnableLambda, RunnableParallel, RunnablePassthrough

from benchmarks.work import adapters

NAME = "langchain-core"
PACKAGE = "langchain-core"
LICENCE = "MIT"
GROUP = "bench-more"
PROMISES = ("lineage", "limit", "order")
NOTE = "a step takes all items before the next"
CANT = {
    "stream": "takes a list",
    "merge": "has no merge",
    "expand": "one output for each input",
    "batches": "one output for each input",
    "etl": "one output for each input",
}


def sync_chain(items: Any, functions: Any) -> Any:
    """A sequence, invoked for each item: `batch` starts threads."""
    sequence = _sequence(adapters.remembering, functions)
    return [sequence.invoke({"src": item}) for item in items]


async def async_chain(items: Any, functions: Any, limit: int, ordered: bool) -> Any:
    """`abatch` of a sequence."""
    sequence = _sequence(adapters.remembering_async, functions)
    return await _batch(sequence, [{"src": item} for item in items], limit)


async def fan_out(items: Any, groups: Any, limit: int) -> Any:
    """`abatch` of a group of branches, and of the join for all that it returns."""
    lineages: list[Any] = [{"src": item} for item in items]
    for branches, join in groups:
        steps = {
            name: RunnableLambda(adapters.branching_async(name, function))
            for name, function in branches.items()
        }
        group: Any = RunnableParallel(**steps, past=RunnablePassthrough())
        outputs = [
            lineage for given in await _batch(group, lineages, limit) for lineage in given.values()
        ]
        joining = RunnableLambda(adapters.branching_async(*join))
        lineages = await _batch(joining, outputs, limit)
    return lineages


async def retrying(items: Any, function: Any, limit: int, attempts: int) -> Any:
    """`with_retry`, which retries failed calls when all are through."""
    step = RunnableLambda(adapters.remembering_async("step1", function))
    trying = step.with_retry(stop_after_attempt=attempts, wait_exponential_jitter=False)
    return await _parted(trying, items, limit)


async def paced(items: Any, functions: Any, limit: int, per_second: float, attempts: int) -> Any:
    """A sequence of functions that ask one rate limiter before each attempt."""
    limiter = InMemoryRateLimiter(
        requests_per_second=per_second, check_every_n_seconds=0.2 / per_second, max_bucket_size=1
    )

    async def attempt(function: Any, x: Any) -> Any:
        for _ in range(attempts - 1):
            await limiter.aacquire()
            with suppress(Exception):
                return await function(x=x)
        await limiter.aacquire()
        return await function(x=x)

    trying = {name: partial(attempt, function) for name, function in functions.items()}
    return await _parted(_sequence(adapters.remembering_async, trying), items, limit)


async def _parted(runnable: Any, items: Any, limit: int) -> Any:
    given = [*items]
    lineages = [{"src": item} for item in given]
    outputs = await _batch(runnable, lineages, limit, return_exceptions=True)
    lost = [isinstance(output, Exception) for output in outputs]
    return [*compress(outputs, map(not_, lost))], [*compress(given, lost)]


def _sequence(remembering: Any, functions: Any) -> Any:
    steps = (RunnableLambda(remembering(*step), name=step[0]) for step in functions.items())
    return reduce(or_, steps)


async def _batch(runnable: Any, given: Any, limit: int, **options: Any) -> Any:
    return await runnable.abatch(given, {"max_concurrency": limit}, **options)
