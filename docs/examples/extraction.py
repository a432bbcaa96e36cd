"""Crawl a website politely, each page once, and put texts and links into Parquet files.

python docs/examples/extraction.py [--small] [--out FOLDER]
"""

# %%
import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.robotparser import RobotFileParser

import httpx
import pandas  # noqa: F401  # or pyarrow imports it in the middle of the crawl
import pyarrow as pa
import pyarrow.parquet as pq
from reactivex import operators as ops
from stand_ins.arguments import arguments
from stand_ins.html_page import HtmlPage
from stand_ins.limiters import Pause
from stand_ins.pictures import draw
from stand_ins.website import Website
from tenacity import AsyncRetrying, stop_after_attempt, wait_random

from fluxus_rx import DictProduct, Failure, path, route, run, rx_pipe, step

# %% [markdown]
# A crawl is a loop. The source goes from level to level; for each address that it yields, `follow`
# puts the links of the page into a queue. So it knows when a level is over, and when all are.


# %%
class Frontier:
    """The addresses to visit, each once, by their distance from the start."""

    def __init__(self, hosts: dict[str, str], levels: int) -> None:
        self.rules = {host: RobotFileParser(f"http://{host}/robots.txt") for host in hosts}
        for rules in self.rules.values():
            rules.read()
        self.hosts, self.levels, self.found = hosts, levels, asyncio.Queue[list[str]]()

    async def addresses(self) -> AsyncIterator[dict[str, Any]]:
        starts, seen = [f"http://{host}/" for host in self.rules], set[str]()
        level = {url for url in starts if self.may_visit(url)}
        for depth in range(self.levels):
            for url in sorted(level):
                yield {"url": url, "host": self.hosts[urlsplit(url).netloc], "depth": depth}
            seen |= level
            level = {link for _ in level for link in await self.found.get()} - seen

    def may_visit(self, url: str) -> bool:
        rules = self.rules.get(urlsplit(url).netloc)
        return rules is not None and rules.can_fetch("*", url)

    def follow(self, links: list[str]) -> dict[str, Any]:
        self.found.put_nowait([link for link in links if self.may_visit(link)])
        return {}


async def fetch(url: str, client: httpx.AsyncClient) -> dict[str, Any]:
    reply = await client.get(url)
    if reply.is_server_error:
        reply.raise_for_status()  # for another attempt
    is_html = "text/html" in reply.headers.get("content-type", "")
    page, moved = HtmlPage(reply.text if is_html else "", url), reply.next_request
    links = sorted(page.links | ({str(moved.url)} if moved else set()))
    return {"status": reply.status_code, "links": links} | page.texts


def lost(failure: Failure) -> dict[str, Any]:
    """What stands for a page that can't be had: it has an error, and leads nowhere."""
    return {"error": repr(failure.exception), "links": []}


# %%
PATIENT = AsyncRetrying(stop=stop_after_attempt(3), wait=wait_random(0, 0.1))
TEXT, NUMBER = pa.string(), pa.int32()
COLUMNS = {"url": TEXT, "depth": NUMBER, "status": NUMBER, "error": TEXT, "title": TEXT}
SCHEMA = pa.schema(COLUMNS | {"text": TEXT, "links": pa.list_(TEXT)})


def crawl(hosts: dict[str, str], levels: int, pause: float, out: Path) -> Any:
    """A path for each host, where two calls at once begin `pause` seconds apart."""

    def visited(host: str) -> Any:
        polite = fetching.options(concurrency=2, limiter=Pause(pause), ordered=True, buffer=1_000)
        return path(host, polite >> step("follow", frontier.follow) >> saved(host))

    def saved(host: str) -> Any:
        def write(pages: list[DictProduct], number: int) -> DictProduct:
            rows = [{name: page.get(name) for name in SCHEMA.names} for page in pages]
            pq.write_table(pa.Table.from_pylist(rows, SCHEMA), folder / f"{number:04}.parquet")
            return DictProduct("file", {"pages": len(rows)})  # a new one: it keeps no text

        (folder := out / host).mkdir(parents=True)
        return rx_pipe(ops.buffer_with_count(100), ops.map_indexed(write), name="file")

    frontier = Frontier(hosts, levels)
    fetching = step("fetch", fetch, using={"client": lambda: httpx.AsyncClient(timeout=None)})
    fetching = fetching.options(timeout=10, retry=PATIENT, on_error=lost)
    visits = route("host", {host: visited(host) for host in hosts.values()})
    return step("address", frontier.addresses) >> visits


def main(out: Path, small: bool) -> None:
    with Website(pages=30 if small else 500).serving() as site:
        flow = crawl(site.names, levels=9, pause=0.005, out=out / "pages")
        result = run(flow, timestamps=True)
    print(result.summary())
    for name in result.paths:
        pages = pq.read_table(out / "pages" / name)
        print(f"\n{name}: {len(pages)} addresses", dict(Counter(pages["status"].to_pylist())))
    draw(flow, result, out)


if __name__ == "__main__":
    main(*arguments("extraction", new="pages"))
