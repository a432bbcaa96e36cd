"""Crawl a site: each page once, no more requests a second than it allows, a few at a time.

    python docs/examples/rx_crawl.py

`expand` feeds the links of a page back to the step that fetches pages. The site is a dictionary.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import reactivex
from reactivex import Observable
from reactivex import operators as ops

from fluxus_rx import Producer, run, rx_pipe, step

SITE = {
    "/": ["/news", "/shop", "/about"],
    "/news": ["/", "/news/1", "/news/2"],
    "/shop": ["/", "/shop/tea", "/shop/cup", "/about"],
    "/about": ["/"],
    "/news/1": ["/news", "/news/2"],
    "/news/2": ["/news", "/shop/tea"],
    "/shop/tea": ["/shop", "/shop/cup"],
    "/shop/cup": ["/shop", "/shop/tea"],
}


class PerSecond:
    """Admits so many calls per second, one after the other."""

    def __init__(self, calls: float) -> None:
        self._gap = 1 / calls
        self._due = 0.0

    async def __aenter__(self) -> None:
        now = asyncio.get_running_loop().time()
        self._due = max(now, self._due + self._gap)
        await asyncio.sleep(self._due - now)

    async def __aexit__(self, *exc_info: object) -> None:
        pass


async def fetch(url: str) -> dict[str, Any]:
    """The links on a page."""
    await asyncio.sleep(0.01)
    return {"links": SITE[url]}


def crawled(
    start: str, fetch: Callable[[str], Awaitable[dict[str, Any]]], per_second: float
) -> Producer[Any]:
    """Each page that can be reached from one, once, with its links."""
    page = step("page", fetch).options(limiter=PerSecond(per_second), concurrency=4)

    def crawl(seed: Any) -> Observable[Any]:
        """A page, and the pages that it links to; each run begins with none seen."""
        seen = {seed["url"]}

        def new(url: str) -> bool:
            return url not in seen and not seen.add(url)  # type: ignore[func-returns-value]

        def linked(fetched: Any) -> Observable[Any]:
            links = [{"url": url} for url in fetched["links"] if new(url)]
            return reactivex.from_iterable(links) >> page

        return (reactivex.of(seed) >> page).pipe(ops.expand(linked))

    return step("seed", {"url": start}) >> rx_pipe(ops.flat_map(crawl))


def main() -> None:
    began = time.monotonic()
    outputs = run(crawled("/", fetch, per_second=50))[0]
    seconds = time.monotonic() - began
    print(len(outputs), "pages, each once")
    print("no faster than allowed:", seconds > (len(outputs) - 1) / 50)


if __name__ == "__main__":
    main()
