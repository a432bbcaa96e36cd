"""A crawl follows links over two levels, politely: one limiter for both, and the same step twice.

A page of the first level waits until its links are taken, and these wait for the limiter. The page
may not keep its place in there meanwhile, nor may one of the second level wait for the step's own
place with its place in the limiter in hand.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from fluxus_rx import arun, step
from fluxus_rx.testing import run_virtual


async def crawl(pages: int, at_once: int, concurrency: int) -> None:
    running = most = 0

    async def links(page: int) -> AsyncIterator[dict[str, int]]:
        nonlocal running, most
        for number in range(18):
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.01)
            running -= 1
            yield {"page": page * 18 + number}

    async def save(page: int) -> dict[str, int]:
        await asyncio.sleep(0.02)
        return {"saved": page}

    follow = step("follow", links).options(
        limiter=asyncio.Semaphore(at_once), concurrency=concurrency
    )
    first = step("first", [{"page": number} for number in range(pages)])
    flow = first >> follow >> follow >> step("save", save).options(concurrency=1)
    result = await arun(flow)
    assert [output["save"]["saved"] for output in result[0]] == [*range(pages * 324)]
    assert most <= at_once, f"{most} pages were fetched at once, {at_once} may be"


if __name__ == "__main__":
    for pages, at_once, concurrency in (2, 1, 1), (3, 2, 3):
        # In virtual time, a flow that waits for itself is an error.
        run_virtual(crawl(pages, at_once, concurrency))
