"""Orders and payments come on two streams; those that belong together and come in time are joined.

    python docs/examples/rx_join.py

Each pair is a product of its own, whose precursors are the order and the payment.
"""

from __future__ import annotations

from typing import Any

import reactivex
from reactivex import Observable
from reactivex import operators as ops

from fluxus_rx import Producer, run, rx_pipe, step


def paired(orders: Producer[Any], payments: Producer[Any], within: float) -> Producer[Any]:
    """Orders with their payments, if not more than so many seconds lie between them."""

    def in_time(_: Any) -> Observable[int]:
        return reactivex.timer(within)

    def belong_together(pair: Any) -> bool:
        order, payment = pair
        return bool(order["order"] == payment["paid"])

    return orders >> rx_pipe(
        ops.join(payments.to_observable(), in_time, in_time),
        ops.filter(belong_together),
        name="pair",
    )


def receipt(pair: tuple[Any, Any]) -> dict[str, Any]:
    order, payment = pair
    return {"order": order["order"], "due": order["price"] - payment["amount"]}


def timed(items: dict[float, dict[str, Any]]) -> Observable[dict[str, Any]]:
    """Each item at its time."""
    return reactivex.merge(
        *(reactivex.of(item).pipe(ops.delay(time)) for time, item in items.items())
    )


ORDERS = {
    0.00: {"order": "A1", "price": 30},
    0.05: {"order": "A2", "price": 20},
    0.10: {"order": "A3", "price": 10},
}

PAYMENTS = {
    0.02: {"paid": "A2", "amount": 15},
    0.12: {"paid": "A1", "amount": 30},
    0.60: {"paid": "A3", "amount": 10},
}


def main() -> None:
    orders, payments = step("orders", timed(ORDERS)), step("payments", timed(PAYMENTS))
    for output in run(paired(orders, payments, within=0.3) >> step("receipt", receipt))[0]:
        print(output["receipt"]["order"], "leaves", output["receipt"]["due"], "to pay")


if __name__ == "__main__":
    main()
