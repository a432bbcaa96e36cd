"""Publishers that break the rules of Reactive Streams: what `from_publisher` makes of them."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from fluxus_rx import arun, step
from fluxus_rx.reactive_streams import from_publisher, to_publisher
from fluxus_rx.testing import virtual_time
from tests.support.conduits import Numbers
from tests.support.errors import notes, refused, untyped
from tests.support.reactive import Later, Manual, in_thread, reading, reported


async def test_2_12_one_subscription_that_comes_twice_is_an_error() -> None:
    """To cancel the second, as 2.5 has it, ends the first, so the run must not wait for it."""
    publisher = Manual()
    async with reading(publisher) as task:
        publisher.subscriber.on_subscribe(publisher)
        with refused(RuntimeError, "twice with one subscription", "2.12"):
            await task
    assert publisher.calls == [("request", 4), ("cancel", 0)]


async def test_1_01_a_publisher_that_gives_too_much_is_an_error() -> None:
    """The item too many ends the run, behind those that were requested."""
    publisher, taken = Manual(), [-1]
    async with reading(publisher, buffer=2, taken=taken) as task:
        publisher.gives(0, 1, 2)
        with refused(RuntimeError, "more items than were requested", "1.1"):
            await task
    assert taken == [-1, 0, 1]
    assert publisher.cancelled == 1


async def test_1_01_a_thread_that_gives_too_much_is_an_error() -> None:
    """However long the loop is busy, no more than the buffer waits."""
    publisher, taken = Manual(), [-1]
    async with reading(publisher, buffer=2, taken=taken) as task:
        in_thread(lambda: publisher.gives(*range(1_000)))
        with refused(RuntimeError, "more items than were requested", "1.1"):
            await task
    assert taken == [-1, 0, 1]


async def test_1_07_what_comes_after_the_end_is_dropped_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Items and ends are told once, and errors each time, for none may be lost."""
    publisher = Manual()
    async with reading(publisher) as task:
        publisher.gives(0)
        publisher.subscriber.on_complete()
        publisher.gives(1)
        publisher.gives(2)
        publisher.subscriber.on_complete()
        publisher.subscriber.on_error(ValueError("after the end"))
        assert await task == [0]
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert "published an item after its end (rule 1.7)" in caplog.text
    assert "after the end" in caplog.text


@pytest.mark.parametrize("signal", ["on_next", "on_error", "on_complete"])
async def test_1_09_a_signal_before_on_subscribe_is_an_error(signal: str) -> None:
    """It ends the run; a subscription that comes all the same is cancelled."""
    publisher, cause = Manual(subscribes=False), ValueError("too early")
    async with reading(publisher) as task:
        arguments = {"on_next": [1], "on_error": [cause], "on_complete": []}[signal]
        getattr(publisher.subscriber, signal)(*untyped(arguments))
        publisher.subscriber.on_subscribe(publisher)
        with refused(RuntimeError, "before it called on_subscribe()", "1.9"):
            await task
        if signal == "on_error":
            assert task.exception().__cause__ is cause  # type: ignore[union-attr]
    assert publisher.calls == [("cancel", 0)]


async def test_1_09_a_subscribe_that_raises_is_the_error_of_the_run() -> None:
    """The very error, with a note of where it came up; a subscription is cancelled."""
    error, given = ValueError("no"), Manual()

    class Raising:
        def subscribe(self, subscriber: Any) -> None:
            subscriber.on_subscribe(given)
            raise error

    with pytest.raises(ValueError, match="no") as caught:
        await arun(from_publisher(Raising(), "numbers") >> step("s", lambda **x: x))
    assert caught.value is error
    assert "in subscribe() of publisher numbers" in notes(error)
    assert given.calls == [("request", 16), ("cancel", 0)]


@pytest.mark.parametrize("method", ["request", "cancel"])
async def test_3_16_a_subscription_that_raises_is_the_error_of_the_run(method: str) -> None:
    """A `request` (3.16) or `cancel` (3.15) that raises is not lost."""
    error = ValueError(method)

    class Raising(Manual):
        def request(self, n: int, /) -> None:
            super().request(n)
            if method == "request":
                raise error

        def cancel(self) -> None:
            super().cancel()
            if method == "cancel":
                raise error

    publisher = Raising()
    with reported() as told, pytest.raises(ValueError, match=method) as caught:  # noqa: PT012
        products = aiter(from_publisher(Later(publisher, [1])))
        assert method == "request" or await anext(products) == 1
        await (anext(products) if method == "request" else products.aclose())
    assert caught.value is error
    assert f"in {method}(" in notes(error)
    assert told == []
    assert publisher.cancelled == 1


@pytest.mark.parametrize("given", [7, object(), Manual])
async def test_on_subscribe_with_no_subscription_is_an_error(given: Any) -> None:
    """What has no `request` and `cancel` is refused, to the publisher and to the run."""
    publisher = Manual(subscribes=False)
    if given is Manual:
        given = to_publisher(Numbers(1))  # a publisher, where its subscription should be
    async with reading(publisher) as task:
        with refused(TypeError, "has no request(), cancel()"):
            publisher.subscriber.on_subscribe(given)
        with refused(TypeError, "has no request(), cancel()"):
            await task


async def test_an_error_that_is_none_is_told_as_such() -> None:
    """`on_error("text")` ends the run with an error that shows the text."""
    publisher = Manual()
    async with reading(publisher) as task:
        publisher.subscriber.on_error("text")
        with refused(TypeError, "'text'", "isn't an exception"):
            await task


@pytest.mark.parametrize("after", [4.0, 6.0])
def test_a_publisher_that_never_calls_on_subscribe_is_complained_of(
    after: float, caplog: pytest.LogCaptureFixture
) -> None:
    """Within 5 seconds nothing is said, after that the logger warns; the run waits on."""

    async def main() -> list[int]:
        publisher = Manual(subscribes=False)
        async with reading(publisher) as task:
            await asyncio.sleep(after)
            publisher.subscriber.on_subscribe(publisher)
            publisher.gives(1)
            publisher.subscriber.on_complete()
            return await task

    with virtual_time() as run:
        assert run(main) == [1]
    said = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(said) == (1 if after > 5 else 0)
    assert all("has not called on_subscribe() for 5 s" in text for text in said)
