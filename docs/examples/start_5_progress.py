"""The first flow, stage 5: progress and a timeline (docs/start.rst)."""

import asyncio
import time
from typing import Any

import httpx
from stand_ins.catalogue import catalogue

from fluxus_rx import rerun, run, step


class PerSecond:
    """Admits so many calls per second, one after the other."""

    def __init__(self, calls: float) -> None:
        self.gap, self.due = 1 / calls, 0.0

    async def __aenter__(self) -> None:
        now = time.monotonic()
        self.due = max(now, self.due + self.gap)
        await asyncio.sleep(self.due - now)

    async def __aexit__(self, *exc_info: object) -> None:
        pass


async def fetch(item: int, client: httpx.AsyncClient) -> Any:
    response = await client.get(f"/items/{item}")
    if response.is_error:
        raise OSError(f"{response.status_code} {response.reason_phrase}")
    return response.json()  # such as {"title": "Item 7", "price": 9.5}


def main() -> None:
    with catalogue(troubled=True, per_second=100) as url:
        items = step("items", [{"item": item} for item in range(60)])
        client = {"client": lambda: httpx.AsyncClient(base_url=url)}
        fetching = step("fetch", fetch, using=client).options(
            concurrency=30,
            limiter=PerSecond(80),
            retry=2,
            timeout=5,
            on_error="collect",
        )
        flow = items >> fetching

        began = time.perf_counter()
        result = run(flow, progress=True, timestamps=True)
        took = time.perf_counter() - began
        print(result.summary())
        result.draw_timeline(file="timeline.html")
        print(*result.failures, sep="\n")
        print("an hour later:")
        result = result.merged(rerun(flow, result.failures))
        print(*result.failures, sep="\n")
    prices = result.values("price")
    print(f"{len(prices)} items, {sum(prices):,.0f} € in all, in {took:.2f} s")


if __name__ == "__main__":
    main()
