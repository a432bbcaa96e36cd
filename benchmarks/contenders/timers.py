"""Asyncio tasks that do nothing but sleep: how long it takes here merely to wait."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

NAME = "timers"
PACKAGE = None
LICENCE = "Apache-2.0"
PROMISES = ()
NOTE = "only sleeps"
YARDSTICK = True


async def wait(seconds: Sequence[float], limit: int) -> int:
    """Sleep so long each time, `limit` sleeps at once; they begin in this order."""
    slept = 0
    pending = iter(seconds)

    async def work() -> None:
        nonlocal slept
        for each in pending:
            await asyncio.sleep(each)
            slept += 1

    await asyncio.gather(*(work() for _ in range(limit)))
    return slept


async def wait_in_order(seconds: Sequence[float], limit: int, window: int) -> int:
    """The same, but no sleep begins before all but the last `window` before it have ended."""
    loop = asyncio.get_running_loop()
    #: set when all sleeps up to this one have ended
    passed = [loop.create_future() for _ in seconds]
    ended = [False] * len(seconds)
    first = 0
    pending = iter(enumerate(seconds))

    async def work() -> None:
        nonlocal first
        for number, each in pending:
            if number >= window:
                await passed[number - window]
            await asyncio.sleep(each)
            ended[number] = True
            while first < len(ended) and ended[first]:
                passed[first].set_result(None)
                first += 1

    await asyncio.gather(*(work() for _ in range(limit)))
    return first


async def wait_for_pace(count: int, per_second: float, seconds: float) -> int:
    """Begin so many sleeps at this pace, and wait for the last."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    sleeps = []
    for number in range(count):
        if (due := began + number / per_second) > loop.time():
            await asyncio.sleep(due - loop.time())
        sleeps.append(asyncio.ensure_future(asyncio.sleep(seconds)))
    await asyncio.gather(*sleeps)
    return count
