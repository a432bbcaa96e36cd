"""Orders are booked by a coroutine function behind a decorator that logs each call, and those of a
customer have to stay in their order. The decorator hides that the function awaits.
"""

from __future__ import annotations

import asyncio
import functools
from typing import Any

from fluxus_rx import run, step
from fluxus_rx.testing import virtual_time


def logged(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


done: list[int] = []


@logged
async def book(order: int, customer: str) -> dict[str, int]:
    await asyncio.sleep(10 - order)  # the later an order comes, the sooner it is booked
    return {"booked": order}


def confirm(booked: int) -> dict[str, Any]:
    done.append(booked)
    return {}


orders = step("orders", [{"order": n, "customer": "AB"[n % 2]} for n in range(6)])
in_order = step("book", book).options(ordered="customer")
with virtual_time():
    result = run(orders >> in_order >> step("confirm", confirm))
assert len(result[0]) == 6, f"{len(result[0])} of 6 orders"
assert [n for n in done if n % 2 == 0] == [0, 2, 4], f"those of A come as {done}"
assert [n for n in done if n % 2 == 1] == [1, 3, 5], f"those of B come as {done}"
assert done != sorted(done), "one customer waits for the other"
