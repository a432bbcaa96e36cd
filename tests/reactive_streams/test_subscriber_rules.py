"""The rules of Reactive Streams for a subscriber, kept by `from_publisher`."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from fluxus_rx import arun, step
from fluxus_rx.reactive_streams import from_publisher
from tests.support.errors import refused
from tests.support.probes import alone, until
from tests.support.reactive import AtOnce, Later, Manual, in_thread, reading, settle


async def test_2_01_items_are_requested_before_they_come() -> None:
    """As many as the buffer holds, and then half as many each time that half are taken."""
    publisher = Manual()
    async with reading(publisher, buffer=6) as task:
        assert publisher.calls == [("request", 6)]
        publisher.gives(0, 1)
        await settle()
        assert publisher.calls == [("request", 6)]
        publisher.gives(2)
        await settle()
        assert publisher.calls == [("request", 6), ("request", 3)]
        publisher.subscriber.on_complete()
        assert await task == [0, 1, 2]


@pytest.mark.parametrize("buffer", [1, 2, 3, 16, 100])
async def test_2_01_no_more_than_the_buffer_is_ever_outstanding(buffer: int) -> None:
    """What is requested and not taken fits into the buffer, at every moment."""
    publisher = Manual()
    products = aiter(from_publisher(publisher, buffer=buffer))
    first = asyncio.ensure_future(anext(products))
    await settle()
    given = 0
    for taken in range(1, 60):
        while given < publisher.requested:
            publisher.gives(given)
            given += 1
        assert await (first if taken == 1 else anext(products)) == taken - 1
        assert publisher.requested - taken <= buffer
        assert publisher.requested > taken - 1
    await products.aclose()
    assert publisher.cancelled == 1


async def test_2_02_signals_return_before_the_items_are_processed() -> None:
    """The publisher is not held up by a slow step: its signals only put items by."""
    publisher, gate = Manual(), asyncio.Event()

    async def slow(x: int) -> dict[str, int]:
        await gate.wait()
        return {"y": x}

    flow = from_publisher(publisher, buffer=4) >> step("slow", slow)
    running = asyncio.ensure_future(arun(flow))
    await settle()
    publisher.gives(*({"x": x} for x in range(4)))
    publisher.subscriber.on_complete()
    await settle()
    assert not running.done()
    gate.set()
    assert len([*(await running).get_outputs()]) == 4


@pytest.mark.parametrize("end", ["on_complete", "on_error"])
async def test_2_03_the_end_calls_nothing(end: str) -> None:
    """Neither of the subscription nor of the publisher: not in the signal, and not later."""
    publisher = Manual()
    async with reading(publisher, buffer=2) as task:
        publisher.gives(0, 1)
        await settle()
        before = list(publisher.calls)
        if end == "on_error":
            publisher.subscriber.on_error(ValueError("the end"))
            assert publisher.calls == before
            with pytest.raises(ValueError, match="the end"):
                await task
        else:
            publisher.subscriber.on_complete()
            assert publisher.calls == before
            assert await task == [0, 1]
        assert publisher.calls == before
        assert len(publisher.subscribers) == 1


async def test_2_04_nothing_is_requested_or_cancelled_after_the_end() -> None:
    """Items that wait are taken then, and nothing is asked for in their place."""
    publisher = Manual()
    products = aiter(from_publisher(publisher, buffer=4))
    first = asyncio.ensure_future(anext(products))
    await settle()
    publisher.gives(0, 1, 2, 3)
    publisher.subscriber.on_complete()
    assert [await first, *[item async for item in products]] == [0, 1, 2, 3]
    assert publisher.calls == [("request", 4)]


async def test_2_05_a_second_subscription_is_cancelled(caplog: pytest.LogCaptureFixture) -> None:
    """The one that came first goes on, and the logger tells."""
    publisher, second = Manual(), Manual()
    async with reading(publisher) as task:
        publisher.subscriber.on_subscribe(second)
        assert second.calls == [("cancel", 0)]
        publisher.gives(0)
        publisher.subscriber.on_complete()
        assert await task == [0]
    assert "cancel" not in dict(publisher.calls)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "on_subscribe() again (rule 2.12)" in caplog.text


async def test_2_06_a_subscription_that_is_not_needed_is_cancelled() -> None:
    """A run whose reader leaves early cancels it, once."""
    publisher = Manual()
    products = aiter(from_publisher(Later(publisher, [0, 1])))
    assert await anext(products) == 0
    await products.aclose()
    await until(alone)
    assert publisher.calls == [("request", 16), ("cancel", 0)]


async def test_2_06_a_run_that_fails_cancels_its_subscription() -> None:
    """The error of a step is that of the run, and the publisher is told to stop."""
    publisher = Manual()

    def fail(x: int) -> dict[str, int]:
        raise LookupError(x)

    with pytest.raises(LookupError):
        await arun(from_publisher(Later(publisher, [{"x": 1}])) >> step("fail", fail))
    assert publisher.cancelled == 1


async def test_2_07_the_subscription_is_called_on_the_loop_alone() -> None:
    """Whatever threads the signals come from, no two calls overlap."""
    publisher = Manual(subscribes=False)
    async with reading(publisher, buffer=2) as task:
        in_thread(lambda: publisher.subscriber.on_subscribe(publisher))
        await until(lambda: publisher.requested == 2)
        for item in range(40):
            in_thread(lambda item=item: publisher.gives(item))  # type: ignore[misc]
            await until(lambda item=item: publisher.requested > item + 1)  # type: ignore[misc]
        in_thread(publisher.subscriber.on_complete)
        assert await task == list(range(40))
    assert publisher.threads == {threading.get_ident()}


async def test_2_08_items_that_come_after_cancel_are_dropped(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Also the end, without a word: the publisher could not know."""
    publisher = Manual()
    async with reading(publisher) as task:
        publisher.gives(0)
        await settle()
        task.cancel()
        await until(alone)
        assert publisher.cancelled == 1
        publisher.gives(1, 2)
        publisher.subscriber.on_complete()
    assert publisher.calls == [("request", 4), ("cancel", 0)]
    assert caplog.records == []


async def test_2_08_an_error_that_comes_after_cancel_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """There is no run left to fail, and no error is lost."""
    publisher = Manual()
    async with reading(publisher) as task:
        task.cancel()
        await until(alone)
        publisher.subscriber.on_error(ValueError("too late"))
    (record,) = caplog.records
    assert "failed after its subscription was cancelled" in record.message
    assert record.exc_info is not None
    assert "too late" in caplog.text


async def test_2_08_an_error_that_crosses_the_cancel_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A thread that fails while the run is being cancelled, and can't know, isn't lost either."""
    publisher = Manual()
    async with reading(publisher) as task:
        task.cancel()
        in_thread(lambda: publisher.subscriber.on_error(ValueError("crossing")))
        await until(alone)
        await settle()
    assert "crossing" in caplog.text


def test_2_08_an_error_that_comes_when_the_loop_is_closed_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """There is no loop left to be told."""
    publisher = Manual()

    async def main() -> None:
        async with reading(publisher):
            pass

    asyncio.run(main())
    publisher.subscriber.on_error(ValueError("no loop"))
    assert "no loop" in caplog.text


async def test_2_09_a_completion_without_a_request_is_taken() -> None:
    """A publisher may complete in `on_subscribe`, or before anything was requested."""

    class Empty:
        def subscribe(self, subscriber: Any) -> None:
            subscriber.on_subscribe(Manual())
            subscriber.on_complete()

    assert [item async for item in from_publisher(Empty())] == []


async def test_2_10_an_error_without_a_request_is_taken() -> None:
    """The error of a publisher that rejects a subscriber is the error of the run, the very one."""
    error = ValueError("full")

    class Full:
        def subscribe(self, subscriber: Any) -> None:
            subscriber.on_subscribe(Manual())
            subscriber.on_error(error)

    with pytest.raises(ValueError, match="full") as caught:
        await arun(from_publisher(Full()) >> step("s", lambda **x: x))
    assert caught.value is error


async def test_2_11_signals_of_any_thread_take_effect_in_their_order() -> None:
    """Items that a thread sends come in its order, on the loop, and the end comes behind them."""
    publisher = Manual()
    async with reading(publisher, buffer=1_000) as task:

        def emits() -> None:
            publisher.gives(*range(1_000))
            publisher.subscriber.on_complete()

        in_thread(emits)
        assert await task == list(range(1_000))


async def test_2_12_each_run_subscribes_with_a_subscriber_of_its_own() -> None:
    """No publisher sees the same subscriber twice."""
    publisher = Manual()
    flow = from_publisher(publisher)
    running = [asyncio.ensure_future(anext(aiter(flow))) for _ in range(3)]
    await settle()
    assert len(set(map(id, publisher.subscribers))) == 3
    for subscriber in publisher.subscribers:
        subscriber.on_complete()
    for task in running:
        with pytest.raises(StopAsyncIteration):
            await task


@pytest.mark.parametrize("signal", ["on_subscribe", "on_next", "on_error"])
async def test_2_13_a_signal_of_none_raises(signal: str) -> None:
    """The publisher gets a TypeError at once, and so does the run, behind the items that wait."""
    publisher = Manual(subscribes=signal != "on_subscribe")
    taken: list[int] = []
    async with reading(publisher, taken=taken) as task:
        if signal != "on_subscribe":
            publisher.gives(0)
        with refused(TypeError, "None", "2.13"):
            getattr(publisher.subscriber, signal)(None)
        with refused(TypeError, "None", "2.13"):
            await task
    assert taken == ([] if signal == "on_subscribe" else [0])
    assert publisher.cancelled == (0 if signal == "on_subscribe" else 1)


async def test_2_13_a_signal_returns_normally_whatever_became_of_the_run() -> None:
    """Neither a run that has failed nor one whose loop is closed is the publisher's business."""
    publisher = Manual()

    def fail(x: int) -> dict[str, int]:
        raise LookupError(x)

    with pytest.raises(LookupError):
        await arun(from_publisher(Later(publisher, [{"x": 1}])) >> step("fail", fail))
    publisher.gives({"x": 2})
    publisher.subscriber.on_complete()
    assert publisher.cancelled == 1


def test_2_13_a_signal_returns_normally_when_the_loop_is_closed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A late subscription is cancelled, and late items are dropped."""
    publisher = Manual(subscribes=False)

    async def main() -> None:
        async with reading(publisher):
            pass

    asyncio.run(main())
    publisher.subscriber.on_subscribe(publisher)
    publisher.gives(1)
    publisher.subscriber.on_complete()
    assert publisher.calls == [("cancel", 0)]


async def test_3_01_nobody_else_gets_at_the_subscription() -> None:
    """It is called by the run alone: once to begin, then as items are taken, then to cancel."""
    publisher = Manual()
    async with reading(publisher, buffer=2):
        publisher.gives(0, 1)
        await settle()
    assert publisher.calls == [("request", 2), ("request", 1), ("request", 1), ("cancel", 0)]


async def test_3_10_a_publisher_may_signal_items_in_request() -> None:
    """100,000 items, each signalled while it is requested, take no stack."""
    publisher = AtOnce(100_000)
    products = [item async for item in from_publisher(publisher, buffer=4)]
    assert products == list(range(100_000))
    assert publisher.most == 4


async def test_3_11_a_publisher_may_signal_the_end_in_request() -> None:
    """It may even complete in the first request."""
    assert [item async for item in from_publisher(AtOnce(0))] == []
    assert [item async for item in from_publisher(AtOnce(3))] == [0, 1, 2]
