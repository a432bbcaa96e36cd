"""The first flow, stage 1: a loop (docs/start.rst)."""

import asyncio
import time
from typing import Any

import httpx
from stand_ins.catalogue import catalogue


async def fetch(item: int, client: httpx.AsyncClient) -> Any:
    response = await client.get(f"/items/{item}")
    if response.is_error:
        raise OSError(f"{response.status_code} {response.reason_phrase}")
    return response.json()  # such as {"title": "Item 7", "price": 9.5}


async def main() -> None:
    with catalogue() as url:
        began = time.perf_counter()
        async with httpx.AsyncClient(base_url=url) as client:
            prices = [(await fetch(item, client))["price"] for item in range(60)]
        took = time.perf_counter() - began
    print(f"{len(prices)} items, {sum(prices):,.0f} € in all, in {took:.2f} s")


if __name__ == "__main__":
    asyncio.run(main())
