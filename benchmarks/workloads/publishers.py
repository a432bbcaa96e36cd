"""What does the Reactive Streams protocol cost, per item?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from ..measuring.contenders import Contenders
from ..measuring.contest import BY_HAND, OURS, Contest, Goal, Size, Workload
from ..work.trials import Function, Make, row, same_as

__all__ = ["WORKLOAD"]

AS_OBSERVABLE = "fluxus_rx, an Observable"
#: Items that are requested at a time.
BATCH = 16


def contests(size: Size, _: Contenders) -> Iterable[Contest]:
    """Out of a flow, requested 16 at a time; and into a flow, from a publisher on the loop."""
    count = size.pick(4_000, 2_000, 400)
    yield _contest(
        "publishers, out of a flow",
        f"What does an item of a flow cost as a publisher, requested {BATCH} at a time?",
        count,
        lambda: _flow_as_publisher(count),
        lambda: _flow_as_observable(count),
    )
    yield _contest(
        "publishers, into a flow",
        "What does an item of a publisher cost that is the source of a flow?",
        count,
        lambda: _publisher_as_flow(count),
        lambda: _observable_as_flow(count),
    )


def _contest(name: str, question: str, count: int, ours: Make, observable: Make) -> Contest:
    def by_hand() -> Function:
        return _subscribed(lambda: _Numbers(count))

    check = same_as(lambda: [*range(count)])
    rows = [
        row(OURS, ours, check, units=count),
        row(AS_OBSERVABLE, observable, check, units=count, note="no demand"),
        row(BY_HAND, by_hand, check, units=count, note="no flow, one thread only"),
    ]
    return Contest(name, question, "µs per item", rows, goals=[Goal(2, AS_OBSERVABLE)])


def _flow_as_publisher(count: int) -> Function:
    from fluxus_rx import SimpleProducer
    from fluxus_rx.reactive_streams import to_publisher

    return _subscribed(lambda: to_publisher(SimpleProducer(range(count))))


def _flow_as_observable(count: int) -> Function:
    from reactivex import operators as ops

    from fluxus_rx import SimpleProducer

    async def main() -> Any:
        return await SimpleProducer(range(count)).to_observable().pipe(ops.to_list())

    return main


def _publisher_as_flow(count: int) -> Function:
    from fluxus_rx.reactive_streams import from_publisher

    async def main() -> list[int]:
        return [number async for number in from_publisher(_Numbers(count))]

    return main


def _observable_as_flow(count: int) -> Function:
    import reactivex

    from fluxus_rx import from_observable

    async def main() -> list[int]:
        numbers = from_observable(reactivex.from_iterable(range(count)))
        return [number async for number in numbers]

    return main


class _Collecting:
    """A subscriber that takes 16 at a time."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._subscription: Any = None

    def on_subscribe(self, subscription: Any) -> None:
        self._subscription = subscription
        subscription.request(BATCH)

    def on_next(self, value: int) -> None:
        self.numbers.append(value)
        if not len(self.numbers) % BATCH:
            self._subscription.request(BATCH)

    def on_error(self, exception: Exception) -> None:
        self.ended.set_exception(exception)

    def on_complete(self) -> None:
        self.ended.set_result(None)


class _Numbers:
    """A publisher of numbers, and its subscription: what is requested is given at once."""

    def __init__(self, count: int) -> None:
        self._numbers = iter(range(count))
        self._wanted = 0
        self._subscriber: Any = None

    def subscribe(self, subscriber: Any) -> None:
        self._subscriber = subscriber
        subscriber.on_subscribe(self)

    def request(self, n: int) -> None:
        self._wanted += n
        if self._wanted > n:
            return  # from within on_next
        while self._wanted and self._subscriber is not None:
            number = next(self._numbers, None)
            if number is None:
                subscriber, self._subscriber = self._subscriber, None
                subscriber.on_complete()
                return
            self._subscriber.on_next(number)
            self._wanted -= 1

    def cancel(self) -> None:
        self._subscriber = None


def _subscribed(publisher: Callable[[], Any]) -> Function:
    """What a subscriber gets."""

    async def main() -> list[int]:
        collecting = _Collecting()
        publisher().subscribe(collecting)
        await collecting.ended
        return collecting.numbers

    return main


WORKLOAD = Workload(
    "publishers",
    "What does a flow cost per item as a publisher, and a publisher as a flow?",
    contests,
    sizes="4,000 items (quick 2,000)",
    seconds=5,
    rank=24,
)
