"""Blocking readers in a pool of threads feed asynchronous steps.

    python docs/examples/rx_threads.py

The readers are Rx code that knows nothing of asyncio. What they emit is taken in safely from
whatever thread it comes, in the order of each.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import reactivex
from reactivex import Observable
from reactivex.scheduler import ThreadPoolScheduler

from fluxus_rx import Producer, from_observable, run, step


def lines_of(source: str, lines: int) -> Iterator[dict[str, Any]]:
    """A source that blocks, such as a serial port or an old driver."""
    for number in range(lines):
        time.sleep(0.001)
        yield {"source": source, "number": number}


def emitted(
    sources: list[str], lines: int, pool: ThreadPoolScheduler
) -> Observable[dict[str, Any]]:
    """All sources at once, each in a thread of the pool."""
    # Not `subscribe_on(pool)`: what that has begun, Rx can't stop in the middle.
    return reactivex.merge(
        *(reactivex.from_iterable(lines_of(source, lines), scheduler=pool) for source in sources)
    )


async def store(source: str, number: int) -> dict[str, str]:
    await asyncio.sleep(0.002)
    return {"stored": f"{source}{number}"}


def stored(lines: Observable[dict[str, Any]]) -> Producer[Any]:
    """The lines, stored ten at a time."""
    return from_observable(lines, "line") >> step("store", store).options(concurrency=10)


def main() -> None:
    pool = ThreadPoolScheduler(3)
    try:
        outputs = run(stored(emitted(["a", "b", "c"], 50, pool)))[0]
    finally:
        pool.executor.shutdown()
    print("stored", len(outputs))
    for source in "abc":
        numbers = [o["line"]["number"] for o in outputs if o["line"]["source"] == source]
        print(source, "in order:", numbers == [*range(50)])


if __name__ == "__main__":
    main()
