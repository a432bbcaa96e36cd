"""A wrapper of one's own: a cache around any transformer, which asks for each value once."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any

from fluxus_rx import Wrapper, run, step


class Cached(Wrapper[Any, Any]):
    """Calls its transformer once for each value of an attribute, and shares calls in flight."""

    def __init__(self, inner: Any, key: str) -> None:
        super().__init__(inner)
        self.key = key
        self.known: dict[Any, list[dict[str, Any]]] = {}
        self.asking: defaultdict[Any, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def atransform(self, product: Any) -> AsyncIterator[Any]:
        value = product[self.key]
        async with self.asking[value]:
            if value not in self.known:
                outputs = [output async for output in self.inner.atransform(product)]
                self.known[value] = [dict(output.product_attributes) for output in outputs]
        # A mapping becomes a product that comes of this one: with its lineage.
        for attributes in self.known[value]:
            yield attributes


async def look_up(city: str) -> dict[str, str]:
    await asyncio.sleep(0.01)
    return {"country": {"Rome": "Italy", "Paris": "France"}[city]}


trips = step("trips", [{"city": city} for city in ("Rome", "Paris", "Rome", "Rome", "Paris")])
#: two look-ups at once, however many products the wrapper is given at once
country = step("country", look_up).options(concurrency=2)


def main() -> None:
    result = run(trips >> Cached(country, "city"), timestamps=True)
    for output in result[0]:
        print(output["trips"]["city"], "is in", output["Cached"]["country"])
    calls = {one.step: one.calls for one in result.summary().steps}
    print(calls["country"], "look-ups for", calls["trips"], "trips")


if __name__ == "__main__":
    main()
