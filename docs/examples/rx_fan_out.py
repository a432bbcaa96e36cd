"""A feed goes to a fast subscriber, which gets all, and to a slow one, which gets what is newest.

    python docs/examples/rx_fan_out.py

The feed is a Subject, as a websocket client has one: it calls `on_next` when a message comes, and
waits for nobody. The slow branch has a buffer with a policy of its own, so it delays nobody.
"""

from __future__ import annotations

import asyncio
from typing import Any

from reactivex.subject import Subject

from fluxus_rx import Producer, from_observable, start, step


async def log(price: int) -> dict[str, Any]:
    """The fast subscriber."""
    return {"logged": price}


async def draw(price: int) -> dict[str, Any]:
    """The slow one: a picture takes its time."""
    await asyncio.sleep(0.05)
    return {"drawn": price}


def fanned_out(feed: Subject[dict[str, int]]) -> Producer[Any]:
    """The feed, to both subscribers."""
    fast = step("log", log)
    slow = step("draw", draw).options(concurrency=1).buffered(1, "latest")
    return from_observable(feed, "tick") >> (fast & slow)


async def main() -> None:
    feed: Subject[dict[str, int]] = Subject()
    async with start(fanned_out(feed)) as running:
        for price in range(100, 140):
            feed.on_next({"price": price})
            await asyncio.sleep(0.005)
        feed.on_completed()
        logged, drawn = await running.result()
    prices = [output["draw"]["drawn"] for output in drawn]
    print("logged", len(logged), "prices")
    print("drew fewer:", len(prices) < 20, "- in order:", prices == sorted(prices))
    print("the last one is the newest:", prices[-1] == 139)
    print("none is unaccounted for:", len(prices) + running.stats()["buffered"].dropped == 40)


if __name__ == "__main__":
    asyncio.run(main())
