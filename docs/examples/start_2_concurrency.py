"""The first flow, stage 2: concurrency (docs/start.rst)."""

import time
from typing import Any

import httpx
from stand_ins.catalogue import catalogue

from fluxus_rx import run, step


async def fetch(item: int, client: httpx.AsyncClient) -> Any:
    response = await client.get(f"/items/{item}")
    if response.is_error:
        raise OSError(f"{response.status_code} {response.reason_phrase}")
    return response.json()  # such as {"title": "Item 7", "price": 9.5}


def main() -> None:
    with catalogue() as url:
        items = step("items", [{"item": item} for item in range(60)])
        client = {"client": lambda: httpx.AsyncClient(base_url=url)}
        fetching = step("fetch", fetch, using=client).options(concurrency=30)
        flow = items >> fetching

        began = time.perf_counter()
        result = run(flow)
        took = time.perf_counter() - began
    prices = result.values("price")
    print(f"{len(prices)} items, {sum(prices):,.0f} € in all, in {took:.2f} s")


if __name__ == "__main__":
    main()
