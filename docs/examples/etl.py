"""Load the orders of five offices into SQLite: each row once, whatever happens on the way.

    python docs/examples/etl.py [--small] [--out FOLDER]

Kill it when you like, and start it again with the same folder: it goes on where it was.
"""

# %% [markdown]
# # ETL: files into SQLite, with look-ups over HTTP
# Five offices send CSV and JSON lines, in four encodings. A chunk of lines travels as one product.

# %%
import asyncio
import tempfile
from contextlib import asynccontextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from httpx import AsyncClient, HTTPError
from stand_ins.arguments import arguments
from stand_ins.limiters import retry_after
from stand_ins.measuring import measured
from stand_ins.order_files import chunks, clean, opened
from stand_ins.orders import catalogue_process, write_feeds
from stand_ins.pictures import draw
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random

from fluxus_rx import run, step, stream

# %% [markdown]
# **Look up.** The catalogue refuses calls (429) and drops connections. Each product is asked for
# once, however many chunks need it at the same time; a row with an unknown product is a bad row.

# %%
PATIENT = AsyncRetrying(
    stop=stop_after_attempt(6), wait=wait_random(0, 0.1), retry=retry_if_exception_type(HTTPError)
)


async def ask(sku: str, client: AsyncClient) -> dict[str, Any]:
    answer = await client.get(f"/products/{sku}")
    if answer.status_code == 429:
        await asyncio.sleep(retry_after(answer.headers))
    known = answer.status_code != 404
    return {"category": answer.raise_for_status().json()["category"] if known else None}


@asynccontextmanager
async def once(call: Any) -> Any:
    tasks: dict[str, asyncio.Task[Any]] = {}
    try:
        yield lambda key: tasks.get(key) or tasks.setdefault(key, asyncio.create_task(call(key)))
    finally:
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)


async def look_up(first: int, lines: list[str], rows: Any, bad: Any, category: Any) -> Any:
    skus = list({row[4] for row in rows})
    found = dict(zip(skus, await asyncio.gather(*map(category, skus)), strict=True))
    lost = [(file, line) for file, line, _, _, sku, *_ in rows if not found[sku]]
    bad = bad + [(file, line, "unknown product", lines[line - first]) for file, line in lost]
    return {"rows": [(*row, found[row[4]]) for row in rows if found[row[4]]], "bad": bad}


# %% [markdown]
# **Load.** One transaction has the rows of a chunk, its bad rows, and the mark: the line after it.


# %%
def load(file: str, first: int, lines: list[str], rows: Any, bad: Any, db: Any) -> dict[str, int]:
    moved = "update marks set next = ? where file = ? and next = ?"
    with db:
        if not db.execute(moved, (first + len(lines), file, first)).rowcount:
            raise RuntimeError(f"{file}: line {first} isn't the next one; who else is loading?")
        db.executemany(f"insert into orders values (?{8 * ', ?'})", rows)
        db.executemany("insert into bad_rows values (?, ?, ?, ?)", bad)
    return {"loaded": len(rows), "refused": len(bad)}


def loading(feeds: Path, database: Path, url: str, size: int, most: int | None = None) -> Any:
    asking = step("ask", ask, using={"client": partial(AsyncClient, base_url=url)})
    asking = asking.options(concurrency=16, retry=PATIENT)

    async def category(sku: str) -> Any:
        return [product["category"] async for product in asking.atransform({"sku": sku})].pop()

    looking_up = step("look_up", look_up, using={"category": partial(once, category)})
    writing = step("load", load, using={"db": partial(opened, database)})
    return (
        step("read", lambda: islice(chunks(feeds, database, size), most))
        >> step("clean", clean)
        >> looking_up.options(concurrency=8, window=8, ordered=True)
        >> writing.options(executor="thread", concurrency=1, buffer=1)
    )


# %%
def main(out: Path, small: bool) -> None:
    feeds, database, size = out / "feeds", out / "orders.sqlite", 100 if small else 1_000
    write_feeds(feeds, rows=3_000 if small else 300_000, products=60 if small else 1_000)
    with catalogue_process() as url:
        with measured() as taken:
            flow = loading(feeds, database, url, size)
            loaded = sum(output["load"]["loaded"] for _, output in stream(flow))
        print(f"{loaded:,} rows in {taken.seconds:.1f} s; memory rose by {taken.peak:.0f} MiB")
        with tempfile.TemporaryDirectory() as new:  # for the timeline: the first chunks once more
            first = loading(feeds, Path(new) / "first.sqlite", url, size, most=8)
            trial = run(first, timestamps=True)
    with opened(database) as db:
        print(*(f"{n:6,} bad: {why}" for n, why in db.execute("select * from reasons")), sep="\n")
    draw(flow, trial, out)


if __name__ == "__main__":
    main(*arguments("etl"))
