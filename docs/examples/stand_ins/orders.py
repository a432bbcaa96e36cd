"""Orders as five offices send them, some of them broken, and the catalogue of their products.

`write_feeds` makes the files. The catalogue is an HTTP server: `Catalogue()` answers requests, and
`catalogue_process` runs it in a process of its own, so that its work isn't counted as the client's.
It refuses some requests with 429, drops the connection of others, and doesn't know each product.

    python -m stand_ins.orders          # prints a URL, and serves until its standard input ends
"""

from __future__ import annotations

import gzip
import json
import os
import random
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .order_files import FEEDS
from .serving import Answer, Request, serve

__all__ = ["Catalogue", "catalogue_process", "write_feeds"]

CUSTOMERS = ["Zoë Ångström", "Jürgen Groß", "Señora Peña", "O'Neill & Söhne", "François Lefèvre"]
_WITHOUT_MARK = {"utf-8-sig": "utf-8", "utf-16": f"utf-16-{sys.byteorder[0]}e"}
COLUMNS = ["order", "day", "sku", "quantity", "price", "customer"]


def write_feeds(
    folder: Path, rows: int, products: int, seed: int = 1
) -> dict[tuple[str, int], str]:
    """Write `rows` orders of so many `products`, in files; a folder that is there is left as it is.

    Returns file and line of each broken row, with its kind: "short", "word" or "bytes".
    """
    broken: dict[tuple[str, int], str] = {}
    if folder.exists():
        return broken
    # All files or none, whenever the program is killed.
    new = folder.with_suffix(f".{os.getpid()}")
    new.mkdir(parents=True)
    chance = random.Random(seed)
    try:
        for office, name in enumerate(FEEDS):
            broken |= _write_feed(new / name, office, rows // len(FEEDS), products, chance)
        new.rename(folder)
    except OSError:
        if not folder.exists():  # or another program was faster
            raise
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return broken


def _write_feed(
    path: Path, office: int, rows: int, products: int, chance: random.Random
) -> dict[tuple[str, int], str]:
    broken: dict[tuple[str, int], str] = {}
    separator, encoding = FEEDS[path.name]
    text_of = gzip.open if path.suffix == ".gz" else open
    with text_of(path, "wb") as file:
        if separator:
            file.write(f"{separator.join(COLUMNS)}\r\n".encode(encoding))
        # The mark of an encoding stands at the beginning, once.
        encoding = _WITHOUT_MARK.get(encoding, encoding)
        start = 2 if separator else 1
        for line in range(start, start + rows):
            fields = _order(office, line, products, chance)
            kind = ""
            if chance.random() < 0.02:
                kind = broken[path.name, line] = chance.choice(["short", "word", "bytes"])
            file.write(_written(fields, kind, separator, encoding))
    return broken


def _order(office: int, line: int, products: int, chance: random.Random) -> list[str]:
    # A few products are ordered often, most of them seldom.
    sku = f"SKU-{int(products * chance.random() ** 2):04}"
    month, day = line % 12 + 1, line % 28 + 1
    date = f"2026-{month:02}-{day:02}" if office != 1 else f"{day:02}.{month:02}.2026"
    cents = 100 + line * 37 % 90_000
    price = f"{cents // 100}.{cents % 100:02}"
    return [
        f"{office}{line:08}",
        date,
        f" {sku.lower()} " if line % 10 == 0 else sku,
        str(line % 9 + 1),
        price if office != 1 else price.replace(".", ","),
        CUSTOMERS[line % len(CUSTOMERS)],
    ]


def _written(fields: list[str], kind: str, separator: str | None, encoding: str) -> bytes:
    if kind == "word":
        fields[3] = "a few"
    elif kind == "bytes":
        fields[2] = "\udcff"
    if separator is None:
        text = json.dumps(dict(zip(COLUMNS, fields, strict=True)), ensure_ascii=False)
        text = text[: len(text) // 2] if kind == "short" else text
    else:
        text = separator.join(fields[:4] if kind == "short" else fields)
    # Half a surrogate pair in UTF-16; elsewhere a byte that UTF-8 doesn't have.
    errors = "surrogatepass" if encoding.startswith("utf-16") else "surrogateescape"
    return f"{text}\r\n".encode(encoding, errors)


class Catalogue:
    """Answers `/products/SKU-0001` with a category; counts what is asked for."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> Answer:
        if request.path == "/statistics":
            products, statuses = len(self.asked), dict(self.statuses)
            return Answer({"asked": self.asked.total(), "products": products, "by": statuses})
        sku = request.path.rpartition("/")[2]
        with self._lock:
            self.asked[sku] += 1
            answer = self._answer(sku, self.asked[sku] == 1)
            self.statuses[0 if answer.dropped else answer.status] += 1
        return answer

    def _answer(self, sku: str, first: bool) -> Answer:
        number = int(sku[4:]) if sku[4:].isdigit() else 13
        if first and number % 40 == 1:
            return Answer({"error": "slow down"}, status=429, headers={"Retry-After": "0.05"})
        if first and number % 40 == 2:
            return Answer(dropped=True, delay=0.005)
        if number % 97 == 13:
            return Answer({"error": "no such product"}, status=404, delay=0.002)
        category = ("books", "games", "tools", "tea")[number % 4]
        return Answer({"sku": sku, "category": category}, delay=0.002 + number % 10 / 1_000)


@contextmanager
def catalogue_process() -> Iterator[str]:
    """Run the catalogue in a process of its own for as long as the block lasts; yields its URL."""
    with subprocess.Popen(
        [sys.executable, "-m", "stand_ins.orders"],
        cwd=Path(__file__).parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C ends the caller, which ends this process
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            if not (url := process.stdout.readline().decode().strip()):
                raise RuntimeError("the catalogue has not started; see what it printed above")
            yield url
        finally:
            # While somebody still reads what it prints.
            process.stdin.close()
            process.wait()


if __name__ == "__main__":
    with serve(Catalogue()) as url:
        print(url, flush=True)
        # It ends with the process that started this, however that ends.
        sys.stdin.read()
