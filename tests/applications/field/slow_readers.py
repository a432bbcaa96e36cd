"""A reader writes a batch now and then, and takes longer for it than a call may take.

Nobody runs the loop meanwhile, or the reader holds it: these seconds are of no call. So no call
times out that its server answers in time, and one that hangs still does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any

from fluxus_rx import Consumer, astream, step, stream

NUMBERS = [{"n": n} for n in range(12)]
SECONDS = 0.1


async def ask(n: int) -> dict[str, int]:
    if n == 3:
        await asyncio.Event().wait()
    for _ in range(2):
        await asyncio.sleep(0.01)
    return {"answer": n}


def write(outputs: list[Any]) -> None:
    """Each fourth output is the last one of a batch."""
    if len(outputs) % 4 == 0:
        time.sleep(1.2 * SECONDS)


class Database(Consumer[Any, list[Any]]):
    def consume(self, products: Iterable[tuple[int, Any]]) -> list[Any]:
        rows: list[Any] = []
        for _, product in products:
            rows.append(product)
            write(rows)
        return rows


flow = step("numbers", NUMBERS) >> step("ask", ask).options(
    timeout=SECONDS, concurrency=4, on_error="collect"
)


def by_stream(late: list[Any]) -> list[Any]:
    rows: list[Any] = []
    for _, output in stream(flow, on_failure=late.append):
        rows.append(output)
        write(rows)
    return rows


async def by_astream(late: list[Any]) -> list[Any]:
    rows: list[Any] = []
    async for _, output in astream(flow, on_failure=late.append):
        rows.append(output)
        write(rows)
    return rows


READERS: dict[str, Callable[[list[Any]], list[Any]]] = {
    "stream()": by_stream,
    "astream()": lambda late: asyncio.run(by_astream(late)),
    "run() of a flow": lambda late: (flow >> Database()).run(on_failure=late.append),
}
for name, read in READERS.items():
    late: list[Any] = []
    assert len(read(late)) == 11, f"{name}: outputs are missing"
    assert [failure.product["n"] for failure in late] == [3], f"{name}: {late}"
