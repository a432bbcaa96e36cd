"""The rules of Reactive Streams for a publisher, kept by `to_publisher`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from fluxus_rx import SimpleProducer, Transformer
from fluxus_rx.reactive_streams import Publisher, to_publisher
from tests.support.conduits import Fetch, Numbers
from tests.support.errors import refused, untyped
from tests.support.probes import Source, alone, until
from tests.support.reactive import Probe, in_thread, reported, settle


@pytest.fixture(params=["products at once", "awaited products", "steps", "calls", "paths"])
def publish(request: pytest.FixtureRequest) -> Any:
    """Makes a publisher of the numbers up to one, by a flow of each kind."""
    flows: dict[str, Any] = {
        "products at once": Numbers,
        "awaited products": Source,
        "steps": lambda end: Numbers(end) >> Fetch(0),
        "calls": lambda end: Numbers(end) >> Fetch(0).options(concurrency=3, ordered=True),
        "paths": lambda end: Numbers(end // 2) & SimpleProducer(range(end // 2, end)),
    }
    return lambda end: to_publisher(flows[request.param](end))


async def test_1_01_no_more_items_come_than_were_requested(publish: Any) -> None:
    """A subscriber that has asked for so many items gets so many, however many there are."""
    probe = Probe().of(publish(40))
    for total, n in [(0, 0), (1, 1), (3, 2), (10, 7), (11, 1)]:
        if n:
            probe.subscription.request(n)
        await settle()
        assert len(probe.items) == total
    probe.subscription.cancel()
    await until(alone)


async def test_1_02_fewer_items_than_requested_end_with_the_completion(publish: Any) -> None:
    """A flow that emits 6 products completes, though 100 were requested."""
    probe = Probe(first=100)
    assert sorted(await probe.of(publish(6)).all()) == [0, 1, 2, 3, 4, 5]
    assert probe.names[-1] == "on_complete"


async def test_1_03_signals_come_one_at_a_time() -> None:
    """No signal comes while the subscriber is in another one, even if another thread requests
    meanwhile."""

    def requests(signal: str, argument: Any) -> None:
        if signal == "on_next":
            in_thread(lambda: probe.subscription.request(2))
            probe.subscription.request(1)

    probe = Probe(first=1, does=requests)
    assert await probe.of(to_publisher(Numbers(50))).all() == list(range(50))
    assert probe.deepest == 1


async def test_1_04_a_failure_of_the_flow_is_signalled() -> None:
    """The very error comes behind the items before it, when all is cleaned up."""
    error = ValueError("no more numbers")
    source = Source(2, error=error)
    closed: list[int] = []

    def notes(signal: str, argument: Any) -> None:
        if signal == "on_error":
            closed.append(source.closed)

    probe = Probe(first=10, does=notes).of(to_publisher(source))
    await probe.ended.wait()
    assert probe.signals[1:] == [("on_next", 0), ("on_next", 1), ("on_error", error)]
    assert closed == [1]


async def test_1_04_a_failure_costs_no_demand() -> None:
    """An error comes to a subscriber that has requested nothing."""
    error = ValueError("nothing at all")
    probe = Probe().of(to_publisher(Source(0, error=error)))
    await probe.ended.wait()
    assert probe.error is error


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
async def test_1_04_a_failure_of_any_kind_is_signalled(kind: type[BaseException]) -> None:
    """Also an error that isn't an Exception, for the subscriber would wait for ever."""
    error = kind()
    probe = Probe(first=1).of(to_publisher(Numbers(0, error)))
    await probe.ended.wait()
    assert probe.error is error


async def test_1_05_the_end_of_the_flow_is_signalled(publish: Any) -> None:
    """An empty flow completes, and nothing need be requested for that."""
    probe = Probe().of(publish(0))
    await probe.ended.wait()
    assert probe.names == ["on_subscribe", "on_complete"]


async def test_1_05_the_end_costs_no_demand(publish: Any) -> None:
    """A flow completes when as many items were requested as there are."""
    probe = Probe(first=4).of(publish(4))
    assert sorted(await probe.all()) == [0, 1, 2, 3]


async def test_1_06_after_the_end_the_subscription_is_cancelled() -> None:
    """Neither `request` nor `cancel` does anything then, not even in the signal of the end."""

    def asks(signal: str, argument: Any) -> None:
        if signal in ("on_complete", "on_error"):
            probe.subscription.request(1)
            probe.subscription.request(0)
            probe.subscription.cancel()

    for error in (None, ValueError("the end")):
        probe = Probe(first=5, does=asks).of(to_publisher(Source(1, error=error)))
        await probe.ended.wait()
        asks("on_complete", None)
        await settle()
        last = "on_error" if error else "on_complete"
        assert probe.names == ["on_subscribe", "on_next", last]


async def test_1_07_nothing_is_signalled_after_the_end(publish: Any) -> None:
    """The end is the last signal, and comes once, whatever is requested behind it."""
    probe = Probe(first=4).of(publish(4))
    await probe.ended.wait()
    for n in (1, 0, 100):
        probe.subscription.request(n)
    await settle()
    assert probe.names == ["on_subscribe", *4 * ["on_next"], "on_complete"]


async def test_1_08_a_cancelled_subscriber_hears_nothing_more(publish: Any) -> None:
    """After `cancel` in a signal no other signal comes, though more is requested."""

    def cancels(signal: str, argument: Any) -> None:
        if signal == "on_next" and len(probe.items) == 2:
            probe.subscription.cancel()

    probe = Probe(first=10, does=cancels).of(publish(40))
    await settle()
    assert probe.names == ["on_subscribe", "on_next", "on_next"]
    assert alone()


async def test_1_09_on_subscribe_comes_first_and_before_subscribe_returns(publish: Any) -> None:
    """`subscribe` has called `on_subscribe`, and nothing else, when it returns None."""
    probe = Probe(first=1)
    publisher: Publisher[int] = publish(2)
    returned: Any = publisher.subscribe  # which returns nothing that a type could tell of
    assert returned(probe) is None
    assert probe.names == ["on_subscribe"]
    probe.subscription.cancel()
    await until(alone)


async def test_1_09_none_is_no_subscriber() -> None:
    """`subscribe(None)` raises, for there is nobody else to be told."""
    with refused(TypeError, "subscribe()", "None", "1.9"):
        to_publisher(Numbers(1)).subscribe(untyped(None))


async def test_1_09_what_lacks_a_signal_is_no_subscriber() -> None:
    """An object without one of the four methods is refused by the name of the method."""

    class Half:
        def on_subscribe(self, subscription: Any) -> None:
            raise AssertionError("nobody else is to be told")

        on_next = on_error = on_subscribe

    with refused(TypeError, "Half", "on_complete()"):
        to_publisher(Numbers(1)).subscribe(untyped(Half()))


def test_1_09_where_no_loop_is_running_the_subscriber_is_told() -> None:
    """`subscribe` returns, and the subscriber hears an error that says what to do."""
    probe = Probe(first=1)
    probe.of(to_publisher(Numbers(1)))
    assert probe.names == ["on_subscribe", "on_error"]
    with refused(RuntimeError, "inside a coroutine", "scheduler=AsyncIOThreadSafeScheduler(loop)"):
        raise probe.error
    probe.subscription.cancel()


async def test_1_10_each_subscribe_stands_alone() -> None:
    """Each subscriber gets all items, at its own pace, by a run of its own."""
    source = Source(4)
    publisher = to_publisher(source)
    fast, slow = Probe(first=9).of(publisher), Probe(first=1).of(publisher)
    assert await fast.all() == [0, 1, 2, 3]
    assert slow.items == [0]
    slow.subscription.request(9)
    assert await slow.all() == [0, 1, 2, 3]
    assert source.opened == source.closed == 2


async def test_1_10_a_used_up_iterator_is_an_error_of_the_second_subscription() -> None:
    """An asynchronous iterator can be read once, and the second subscriber is told so."""

    async def once() -> AsyncIterator[int]:
        yield 1

    publisher = to_publisher(once())
    assert await Probe(first=1).of(publisher).all() == [1]
    with refused(RuntimeError, "used up"):
        await Probe(first=1).of(publisher).all()


async def test_1_11_several_subscribers_are_served_at_once(publish: Any) -> None:
    """One subscriber that asks for nothing, or leaves, holds up no other."""
    publisher = publish(6)
    idle, leaving, reading = Probe().of(publisher), Probe(first=1).of(publisher), Probe(first=9)
    leaving.subscription.cancel()
    assert sorted(await reading.of(publisher).all()) == [0, 1, 2, 3, 4, 5]
    assert idle.names == ["on_subscribe"]
    idle.subscription.cancel()
    await until(alone)


@pytest.mark.parametrize("signal", ["on_subscribe", "on_next", "on_complete", "on_error"])
async def test_2_13_a_subscriber_that_raises_counts_as_cancelled(signal: str) -> None:
    """It hears nothing more, the run cleans up, and the loop's exception handler is told."""
    error = LookupError(signal)

    def raises(heard: str, argument: Any) -> None:
        if heard == signal:
            raise error

    source = Source(3, error=ValueError("late") if signal == "on_error" else None)
    with reported() as told:
        probe = Probe(first=9, does=raises).of(to_publisher(source))
        await until(lambda: bool(told))
        await settle()
    assert [context["exception"] for context in told] == [error]
    assert f"raised in {signal}()" in told[0]["message"]
    assert probe.names[-1] == signal
    assert probe.names.count(signal) == 1
    assert source.opened == source.closed
    assert alone()


async def test_2_13_none_is_no_item() -> None:
    """A flow that emits None has failed, for a subscriber must not get it."""
    numbers = Numbers(9)
    flow = numbers >> Nothing(at=1)
    probe = Probe(first=9).of(to_publisher(flow))
    with refused(TypeError, "emitted None", "2.13"):
        await probe.all()
    assert probe.items == [0]
    assert numbers.opened == numbers.closed == 1
    assert alone()


class Nothing(Transformer[int, Any]):
    """Emits None for one product, and all others as they are."""

    def __init__(self, at: int) -> None:
        self.at = at

    def transform(self, product: int) -> Iterator[Any]:
        yield None if product == self.at else product
