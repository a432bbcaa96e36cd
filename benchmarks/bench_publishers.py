"""What does the Reactive Streams protocol cost, per item?"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from .harness import OURS, Contest, Goal, Race, Scale, benchmark, peer

PUBLISHERS = "fluxus_rx.reactive_streams"
BY_HAND = "by hand"
AS_OBSERVABLE = "as an Observable"
#: Items that are requested at a time.
BATCH = 16
UNIT = "µs per item"


@benchmark(
    "publishers",
    question="What does a flow cost per item as a publisher, and a publisher as a flow?",
    goal="at most 2x of the same as an Observable, either way",
)
def contests(scale: Scale) -> Iterable[Contest]:
    """Out of a flow, requested 16 at a time; and into a flow, from a publisher on the loop."""
    count = scale.pick(4_000, 400)
    yield _out_of_a_flow(count, scale)
    yield _into_a_flow(count, scale)


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


def _subscribed(publisher: Callable[[], Any]) -> Callable[[], Awaitable[list[int]]]:
    async def main() -> list[int]:
        collecting = _Collecting()
        publisher().subscribe(collecting)
        await collecting.ended
        return collecting.numbers

    return main


def _race(count: int, scale: Scale) -> Race:
    return Race(lambda: list(range(count)), units=count, at_least=scale.at_least)


def _out_of_a_flow(count: int, scale: Scale) -> Contest:
    def flow() -> Any:
        return peer(OURS).SimpleProducer(range(count))

    async def observable() -> Any:
        return await flow().to_observable().pipe(peer("reactivex.operators").to_list())

    race = _race(count, scale)
    race.enter_async(
        OURS, _subscribed(lambda: peer(PUBLISHERS).to_publisher(flow())), package=PUBLISHERS
    )
    race.enter_async(AS_OBSERVABLE, observable, "no demand", package=OURS)
    race.enter_async(BY_HAND, _subscribed(lambda: _Numbers(count)), "no flow, one thread only")
    title = "to_publisher(flow)"
    return Contest(title, UNIT, race.contenders, [Goal(AS_OBSERVABLE, 2)])


def _into_a_flow(count: int, scale: Scale) -> Contest:
    async def ours() -> list[int]:
        return [number async for number in peer(PUBLISHERS).from_publisher(_Numbers(count))]

    async def observable() -> list[int]:
        numbers = peer("reactivex").from_iterable(range(count))
        return [number async for number in peer(OURS).from_observable(numbers)]

    race = _race(count, scale)
    race.enter_async(OURS, ours, package=PUBLISHERS)
    race.enter_async(AS_OBSERVABLE, observable, "no demand", package=OURS)
    race.enter_async(BY_HAND, _subscribed(lambda: _Numbers(count)), "no flow, one thread only")
    title = "from_publisher(publisher)"
    return Contest(title, UNIT, race.contenders, [Goal(AS_OBSERVABLE, 2)])
