"""The load of `etl.py` without a library for flows, to compare with.

What reads, cleans and writes is the same; this is what joins it: calls at once with a limit, each
product asked for once, retries, chunks in their order, and no more of them in memory than needed.

    cd docs/examples; python -m stand_ins.etl_by_hand [--small]

loads the same files with the flow and by hand, each in a process of its own, and prints the ratio.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import random
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from .measuring import Taken, measured
from .order_files import chunks, clean, opened
from .orders import catalogue_process, write_feeds

__all__ = ["load_by_hand"]

AHEAD = 8
CALLS = 16
ATTEMPTS = 6

Chunk = dict[str, Any]


class _Categories:
    """The categories of products; each is asked for once, however many want it at the same time."""

    def __init__(self, client: httpx.AsyncClient, ask: Callable[..., Any]) -> None:
        self._client = client
        self._ask = ask
        self._room = asyncio.Semaphore(CALLS)
        self._tasks: dict[str, asyncio.Task[str | None]] = {}

    def __call__(self, sku: str) -> asyncio.Task[str | None]:
        if sku not in self._tasks:
            self._tasks[sku] = asyncio.create_task(self._asked(sku))
        return self._tasks[sku]

    async def _asked(self, sku: str) -> str | None:
        attempt = 1
        while True:
            try:
                async with self._room:
                    answer: Mapping[str, str | None] = await self._ask(sku, self._client)
                return answer["category"]
            except httpx.HTTPError:
                if attempt == ATTEMPTS:
                    raise
            await asyncio.sleep(random.uniform(0, 0.1))
            attempt += 1

    async def close(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)


async def load_by_hand(
    source: Iterable[Chunk],
    ask: Callable[..., Any],
    look_up: Callable[..., Any],
    load: Callable[..., Any],
    url: str,
    db: Any,
) -> None:
    """Load all chunks, each in a transaction of its own, in their order."""
    async with httpx.AsyncClient(base_url=url) as client:
        categories = _Categories(client, ask)
        waiting: deque[tuple[Chunk, asyncio.Task[Chunk]]] = deque()

        async def load_next() -> None:
            chunk, task = waiting.popleft()
            found = await task
            rows, bad = found["rows"], found["bad"]
            await asyncio.to_thread(
                load, chunk["file"], chunk["first"], chunk["lines"], rows, bad, db
            )

        try:
            for chunk in source:
                found = clean(**chunk)
                about = {"first": chunk["first"], "lines": chunk["lines"]}
                task = asyncio.create_task(look_up(**about, **found, category=categories))
                waiting.append((chunk, task))
                if len(waiting) == AHEAD:
                    await load_next()
            while waiting:
                await load_next()
        finally:
            for _, task in waiting:
                task.cancel()
            await asyncio.gather(*(task for _, task in waiting), return_exceptions=True)
            await categories.close()


def _by_hand(feeds: Path, url: str, size: int) -> Taken:
    import etl  # not above: it is the program that is compared with, and needs the library

    database = feeds.with_name("by_hand.sqlite")
    with measured() as taken, opened(database) as db:
        source = chunks(feeds, database, size)
        asyncio.run(load_by_hand(source, etl.ask, etl.look_up, etl.load, url, db))
    return taken


def _by_flow(feeds: Path, url: str, size: int) -> Taken:
    import etl

    from fluxus_rx import stream

    with measured() as taken:
        for _ in stream(etl.loading(feeds, feeds.with_name("flow.sqlite"), url, size)):
            pass
    return taken


def main(small: bool) -> None:
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder, catalogue_process() as url:
        feeds = Path(folder) / "feeds"
        write_feeds(feeds, rows=3_000 if small else 300_000, products=60 if small else 1_000)
        taken = {}
        for name, load in (("flow", _by_flow), ("by hand", _by_hand)):
            with ProcessPoolExecutor(1, spawn) as pool:
                one = pool.submit(load, feeds, url, 100 if small else 1_000).result()
            print(f"{name:7} {one.cpu:5.1f} s of CPU in {one.seconds:.1f} s; {one.peak:.0f} MiB")
            taken[name] = one.cpu
    ratio = taken["flow"] / taken["by hand"]
    print(f"The flow takes {ratio:.2f} times the CPU of the program by hand.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--small", action="store_true")
    main(parser.parse_args().small)
