"""Threads that take items and carry them through all functions; `pool.map` is 4 times dearer."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from queue import Queue
from threading import Lock
from typing import Any

NAME, PACKAGE, LICENCE = "threads", None, "Apache-2.0"
PROMISES = ("lineage", "limit", "order", "bounded", "cleanup")
NOTE = "the limit is that of all steps together"
CALLS = "threads"
CANT = {
    "fan_out": "no thread can follow several branches",
    "merge": "sources are asynchronous",
}


def _each(lineages: Any, work: Any, limit: int, items: Any) -> None:
    """Do `work` with each of the lineages, which are made of `items`; the first error ends it."""
    turn = Lock()

    def take() -> Any:
        with turn:
            return next(lineages, None)

    def worker() -> None:
        try:
            for lineage in iter(take, None):
                work(lineage)
        finally:
            with turn:
                lineages.close()  # so that an error ends the others, too

    try:
        with ThreadPoolExecutor(limit) as pool:
            for each in [pool.submit(worker) for _ in range(limit)]:
                each.result()
    finally:
        if hasattr(items, "close"):
            items.close()


def _carry(lineage: Any, functions: Any) -> Any:
    latest = lineage["src"]
    for name, function in functions.items():
        lineage[name] = latest = function(x=latest["x"])
    return lineage


def async_chain(items: Any, functions: Any, limit: int, ordered: bool) -> list[Any]:
    """Each output has its place in the result when its item is taken."""
    outputs: list[Any] = []

    def taken() -> Any:
        for item in items:
            outputs.append({"src": item})
            yield outputs[-1]

    _each(taken(), lambda lineage: _carry(lineage, functions), limit, items)
    return outputs


def stream(items: Any, functions: Any, limit: int) -> Any:
    """A bounded queue between the threads and the reader."""
    outputs: Queue[Any] = Queue(16)
    output, left = None, False

    def put(lineage: Any) -> None:
        if left:
            raise GeneratorExit
        outputs.put(_carry(lineage, functions))

    with ThreadPoolExecutor(1) as pool:
        work = pool.submit(_each, ({"src": item} for item in items), put, limit, items)
        work.add_done_callback(outputs.put)
        try:
            while (output := outputs.get()) is not work:
                yield output
        finally:
            left = True
            while output is not work:
                output = outputs.get()
    work.result()


def retrying(items: Any, function: Any, limit: int, attempts: int) -> tuple[Any, Any]:
    """Each thread retries its calls itself."""

    def attempt(x: Any) -> Any:
        for _ in range(attempts):
            with suppress(Exception):
                return function(x=x)
        return None

    made = async_chain(items, {"step1": attempt}, limit, False)
    return [one for one in made if one["step1"]], [one["src"] for one in made if not one["step1"]]


def etl(lines: Any, clean: Any, size: int, write: Any) -> list[Any]:
    """Clean one list of rows while a thread writes the one before."""
    rejected, rows = [], []
    with ThreadPoolExecutor(1) as pool:
        written: Future[Any] = pool.submit(list)  # nothing yet
        for line in lines:
            try:
                rows.append(clean(line))
            except ValueError:
                rejected.append(line)
            if len(rows) == size:
                written.result()
                written, rows = pool.submit(write, rows), []
        written.result()
    if rows:
        write(rows)
    return rejected
