"""Publishers as sources of flows."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import reactivex

from fluxus_rx import arun, chain, run, start, step
from fluxus_rx.reactive_streams import from_publisher, to_publisher
from fluxus_rx.rx import to_observable
from tests.support.conduits import Add, Fetch, Numbers
from tests.support.errors import refused, untyped
from tests.support.probes import Source, alone, until
from tests.support.reactive import AtOnce, Manual, reading, settle


def test_a_publisher_starts_a_flow_of_any_items() -> None:
    """Transformers take its items as they are."""
    assert sorted(from_publisher(AtOnce(3)) >> Add(1) >> Fetch(1)) == [2, 3, 4]


def test_each_run_subscribes_anew() -> None:
    """A flow that begins with a publisher runs as often as the publisher can be subscribed to."""
    flow = from_publisher(AtOnce(3)) >> Add(1)
    assert list(flow) == list(flow) == [1, 2, 3]


def test_mappings_become_products_with_the_name() -> None:
    """Steps take them in; the lineage shows the name, or `input` without one."""
    publisher = to_publisher(reactivex.of({"x": 1}))
    double = step("double", lambda x: {"y": 2 * x})
    named = run(from_publisher(publisher, "numbers") >> double)
    assert named[0] == [{"numbers": {"x": 1}, "double": {"y": 2}}]
    unnamed = run(from_publisher(publisher) >> double)
    assert unnamed[0] == [{"input": {"x": 1}, "double": {"y": 2}}]


def test_other_items_become_the_attribute_with_the_name() -> None:
    """A step takes in a number as a product that has it under the name of the publisher."""
    numbers: Any = from_publisher(AtOnce(2), "x")
    flow = numbers >> step("double", lambda x: {"y": 2 * x})
    assert run(flow)[0] == [
        {"x": {"x": 0}, "double": {"y": 0}},
        {"x": {"x": 1}, "double": {"y": 2}},
    ]


async def test_nothing_is_subscribed_to_before_the_run() -> None:
    """Not by writing the flow, and not by opening a stream of it."""
    publisher = Manual()
    products = aiter(from_publisher(publisher) >> Add(1))
    await settle()
    assert publisher.subscribers == []
    await products.aclose()
    assert publisher.subscribers == []


@pytest.mark.parametrize("buffer", [1, 2, 5])
async def test_a_slow_step_holds_up_the_publisher(buffer: int) -> None:
    """A source of any length is asked for what there is room for: no more waits anywhere."""
    source = Source()
    gate = asyncio.Event()

    async def wait(x: int) -> dict[str, int]:
        await gate.wait()
        return {"y": x}

    slow = step("slow", wait).options(concurrency=1, buffer=1)
    items: Any = from_publisher(to_publisher(source), "x", buffer=buffer)
    flow = items >> slow
    running = asyncio.ensure_future(arun(flow))
    await settle()
    # one in the call, two on the way to it, those in the buffer, and one read ahead
    assert source.made <= 3 + buffer + 1
    running.cancel()
    await until(alone)
    assert source.closed == 1


async def test_an_error_of_the_publisher_comes_behind_its_items() -> None:
    """The very error, after those that wait have been taken."""
    error, taken = ValueError("the end"), [-1]
    publisher = Manual()
    async with reading(publisher, taken=taken) as task:
        publisher.gives(0, 1, 2)
        publisher.subscriber.on_error(error)
        with pytest.raises(ValueError, match="the end") as caught:
            await task
    assert caught.value is error
    assert taken == [-1, 0, 1, 2]


async def test_a_run_that_is_told_to_end_cancels_the_subscription() -> None:
    """What has come by then goes on to the end of the flow."""
    publisher = Manual()
    flow = from_publisher(publisher, "x", buffer=4) >> step("double", lambda x: {"y": 2 * x})
    async with start(flow) as running:
        await until(lambda: publisher.requested == 4)
        publisher.gives(1, 2)
        await settle()
        result = await running.drain()
    assert [output["double"]["y"] for output in result.get_outputs()] == [2, 4]
    assert publisher.cancelled == 1


async def test_the_last_item_may_say_that_it_is_the_last() -> None:
    """`on_next(item, is_complete=True)`, as rsocket-py has it, is the end as well."""
    publisher = Manual()
    async with reading(publisher) as task:
        publisher.subscriber.on_next(0, is_complete=False)
        publisher.subscriber.on_next(1, is_complete=True)
        assert await task == [0, 1]
    assert publisher.cancelled == 0


async def test_a_publisher_with_an_initial_number_is_told_it_first() -> None:
    """`initial_request_n` comes before `subscribe`, and stands for the first request."""

    class Initial(Manual):
        def initial_request_n(self, n: int) -> None:
            assert self.subscribers == []
            self.calls.append(("initial", n))

    publisher = Initial()
    async with reading(publisher, buffer=4) as task:
        publisher.gives(0, 1)
        await settle()
        publisher.subscriber.on_complete()
        assert await task == [0, 1]
    assert publisher.calls == [("initial", 4), ("request", 2)]


async def test_a_publisher_in_a_group_is_subscribed_to_beside_others() -> None:
    """Two publishers side by side, read by one flow."""
    flow = (from_publisher(AtOnce(2)) & from_publisher(AtOnce(3))) >> Add(1)
    assert sorted(flow) == [1, 1, 2, 2, 3]


async def test_a_publisher_is_an_observable_too() -> None:
    """`to_observable` of its producer emits the items."""
    found: list[int] = []
    ended = asyncio.Event()
    source = from_publisher(AtOnce(3)).to_observable()
    source.subscribe(found.append, on_completed=ended.set)
    await ended.wait()
    assert found == [0, 1, 2]


@pytest.mark.parametrize("publisher", [None, 7, [1], Numbers(1), AtOnce])
def test_what_has_no_subscribe_is_no_publisher(publisher: Any) -> None:
    """A list, a producer and a class are refused at once."""
    with refused(TypeError, "from_publisher()", "has no subscribe()"):
        from_publisher(untyped(publisher))


def test_an_observable_is_no_publisher() -> None:
    """It has a method of that name, but no demand; the message says what to do."""
    with refused(TypeError, "is an Observable", "observable >> step", "from_observable()"):
        from_publisher(untyped(to_observable(Source(1))))


@pytest.mark.parametrize(
    ("buffer", "error"),
    [(0, ValueError), (-1, ValueError), (1.5, TypeError), (None, TypeError), (True, TypeError)],
)
def test_a_buffer_is_a_whole_number_from_one_on(buffer: Any, error: type[Exception]) -> None:
    """Anything else is refused by name and value."""
    with refused(error, f"buffer={buffer}"):
        from_publisher(AtOnce(1), buffer=buffer)


@pytest.mark.parametrize(("name", "error"), [(7, TypeError), ("two words", ValueError)])
def test_a_name_is_an_identifier(name: Any, error: type[Exception]) -> None:
    """For it may become the name of an attribute."""
    with refused(error, "from_publisher()", str(name)):
        from_publisher(AtOnce(1), name)


def test_a_producer_shows_its_publisher() -> None:
    """Its repr has what it was made with, and its name is the one it was given."""
    publisher = to_publisher(Numbers(1))
    assert repr(from_publisher(publisher)) == f"from_publisher({publisher!r})"
    named = from_publisher(publisher, "n", buffer=2)
    assert repr(named) == f"from_publisher({publisher!r}, name='n', buffer=2)"
    assert named.name == "n"
    assert from_publisher(publisher).name == "from_publisher"
    assert chain(named, step("s", lambda n: {"m": n})).is_chained
