"""A flow inside a flow: each order has a flow of its own for its lines, and comes out as one sum.

    python docs/examples/rx_nested.py

The inner flows are a part of the run: its end ends them, and a limit of a step counts over all.
"""

from __future__ import annotations

import asyncio
from typing import Any

import reactivex
from reactivex import Observable
from reactivex import operators as ops

from fluxus_rx import DictProduct, Producer, run, rx_pipe, step

PRICES = {"tea": 4, "cup": 9, "pot": 25}

ORDERS = [
    {"order": "A1", "lines": [("tea", 3), ("pot", 1)]},
    {"order": "A2", "lines": [("cup", 2)]},
    {"order": "A3", "lines": [("tea", 1), ("cup", 1), ("pot", 1)]},
]


def lines(lines: list[tuple[str, int]]) -> list[dict[str, Any]]:
    """The lines of an order, one by one."""
    return [{"article": article, "pieces": pieces} for article, pieces in lines]


async def price(article: str, pieces: int) -> dict[str, int]:
    """What a line comes to; asks a service."""
    await asyncio.sleep(0.01)
    return {"price": PRICES[article] * pieces}


#: what is done with one order
inner = step("line", lines) >> step("price", price).options(concurrency=2)


def total(order: Any) -> Observable[Any]:
    """The inner flow on one order, and its sum."""

    def price_of(line: Any) -> int:
        return int(line["price"])

    return (reactivex.of(order) >> inner).pipe(
        ops.sum(price_of),
        # Comes of the order, which it is to remember.
        ops.map(lambda total: DictProduct("sum", {"total": total}, order)),
    )


def totalled(orders: Any) -> Producer[Any]:
    """Each order and what it comes to, in the sequence of the orders."""
    flow: Producer[Any] = step("order", orders) >> rx_pipe(ops.concat_map(total))
    return flow


def main() -> None:
    for output in run(totalled(ORDERS))[0]:
        print(output["order"]["order"], output["sum"]["total"])


if __name__ == "__main__":
    main()
