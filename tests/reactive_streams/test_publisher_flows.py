"""What can be published, and what its subscribers get of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import reactivex
from aiostream import stream as streams
from reactivex import operators as ops
from reactivex.scheduler.eventloop import AsyncIOScheduler
from reactivex.subject import Subject

from fluxus_rx import Passthrough, SimpleProducer, run, step
from fluxus_rx.reactive_streams import Publisher, to_publisher
from fluxus_rx.rx import FlowScheduler
from tests.support.conduits import Add, Collect, Fetch, Numbers
from tests.support.errors import refused, untyped
from tests.support.probes import Source, alone, listed, turns, until
from tests.support.reactive import Probe, settle


async def test_products_of_all_paths_are_published() -> None:
    """A group publishes the products of each of its branches, each branch in its order."""
    flow = Numbers(3) >> (Add(10) & Add(20) & Passthrough())
    found = await Probe(first=99).of(to_publisher(flow)).all()
    assert sorted(found) == [0, 1, 2, 10, 11, 12, 20, 21, 22]


async def test_products_of_steps_keep_their_lineage() -> None:
    """What comes of a flow of dictionaries are its products, which know where they come from."""
    flow = step("n", [{"n": 1}, {"n": 2}]) >> step("square", lambda n: {"square": n * n})
    found = await Probe(first=9).of(to_publisher(flow)).all()
    assert [product["square"] for product in found] == [1, 4]
    assert [product.precursor["n"] for product in found] == [1, 2]


@pytest.mark.parametrize("kind", ["observable", "piped flow", "stream", "generator"])
async def test_other_sources_are_published(kind: str) -> None:
    """An Observable, operators on a flow, an aiostream Stream, an asynchronous generator."""

    async def numbers() -> AsyncIterator[int]:
        for number in range(4):
            yield number

    def is_small(x: int) -> bool:
        return x < 4

    source: Any = {
        "observable": lambda: reactivex.of(0, 1, 2, 3),
        "piped flow": lambda: Numbers(8).to_observable().pipe(ops.filter(is_small)),
        "stream": lambda: streams.range(4),
        "generator": numbers,
    }[kind]()
    probe = Probe(first=1).of(to_publisher(source))
    await settle()
    assert probe.items == [0]
    probe.subscription.request(9)
    assert await probe.all() == [0, 1, 2, 3]


async def test_a_subject_is_heard_from_the_subscription_on() -> None:
    """What it emits right after `subscribe` waits until it is requested, and is not lost."""
    subject: Subject[int] = Subject()
    probe = Probe().of(to_publisher(subject))
    for number in range(3):
        subject.on_next(number)
    subject.on_completed()
    await settle()
    assert probe.items == []
    probe.subscription.request(2)
    await until(lambda: probe.items == [0, 1])
    probe.subscription.request(2)
    assert await probe.all() == [0, 1, 2]


async def test_a_cancelled_subscription_leaves_a_subject() -> None:
    """The subject has no observer any more."""
    subject: Subject[int] = Subject()
    probe = Probe().of(to_publisher(subject))
    assert subject.observers
    probe.subscription.cancel()
    assert not subject.observers
    await until(alone)


@pytest.mark.parametrize("requested", [0, 1, 5])
async def test_a_flow_is_read_one_product_ahead(requested: int) -> None:
    """One product more is made than was requested, to see whether the end has come."""
    numbers = Numbers()
    probe = Probe(first=requested or None).of(to_publisher(numbers >> Add(1)))
    await settle()
    assert numbers.made == requested + 1
    probe.subscription.cancel()
    await until(alone)


async def test_several_paths_are_read_16_products_ahead() -> None:
    """Where they come together so many wait, and each path has one more ready."""
    numbers = Numbers()
    probe = Probe(first=2).of(to_publisher(numbers >> (Add(1) & Add(2))))
    await settle()
    assert len(probe.items) == 2
    assert numbers.made <= 2 + 1 + 16 + 2
    probe.subscription.cancel()
    await until(alone)


async def test_an_operator_in_between_keeps_the_demand() -> None:
    """Rx operators on a flow let it run ahead by what waits behind them, and no further."""
    numbers = Numbers()
    unlike: Any = ops.distinct_until_changed()  # mypy can't infer the type of its items
    source = numbers.to_observable().pipe(unlike, ops.pairwise())
    probe = Probe(first=2).of(to_publisher(source))
    await settle()
    assert probe.items == [(0, 1), (1, 2)]
    assert numbers.made <= 2 + 1 + 16 + 2
    probe.subscription.cancel()
    await until(alone)


@pytest.mark.parametrize("kind", ["none", "asyncio", "flow"])
async def test_a_scheduler_names_the_loop(kind: str) -> None:
    """That of another run, too: a subscription is a run of its own all the same."""
    loop = asyncio.get_running_loop()
    flow = FlowScheduler(loop)
    scheduler: Any = {"none": None, "asyncio": AsyncIOScheduler(loop), "flow": flow}[kind]
    publisher = to_publisher(Source(3), scheduler=scheduler)
    assert await Probe(first=9).of(publisher).all() == [0, 1, 2]
    assert not flow.scope.closing


async def test_a_subscriber_is_called_in_the_context_of_the_run() -> None:
    """A task of its own: what the subscriber of one run does isn't a matter of another."""
    tasks: list[Any] = []

    def notes(signal: str, argument: Any) -> None:
        tasks.append(asyncio.current_task())

    here = asyncio.current_task()
    probe = Probe(first=9, does=notes).of(to_publisher(Numbers(1) >> Fetch()))
    await probe.ended.wait()
    assert tasks[0] is here
    assert here not in tasks[1:]


async def test_turns_are_given_while_items_are_published() -> None:
    """A flow that never suspends, with any demand, doesn't hold up the loop."""
    probe = Probe(first=2**63 - 1).of(to_publisher(Numbers()))
    await turns(5)
    probe.subscription.cancel()
    await until(alone)
    assert probe.items[:3] == [0, 1, 2]


@pytest.mark.parametrize(
    "flow",
    [
        None,
        [1, 2],
        "text",
        Numbers,
        Add(1),
        Numbers(1) >> Collect(),
        step("double", lambda x: {"y": 2 * x}),
    ],
)
def test_what_gives_no_products_is_no_flow_to_publish(flow: Any) -> None:
    """A list, a class, a transformer and a flow with a consumer are refused at once."""
    with refused(TypeError, "to_publisher()", "emits products"):
        to_publisher(untyped(flow))


def test_a_publisher_shows_its_flow() -> None:
    """Its repr names what it publishes."""
    publisher = to_publisher(SimpleProducer([1]))
    assert repr(publisher) == "to_publisher(SimpleProducer(items=[1]))"
    assert isinstance(publisher, Publisher)


def test_a_publisher_may_outlive_loops() -> None:
    """It is bound to no loop: each subscription is of the loop that runs then."""
    publisher = to_publisher(Numbers(3))

    async def main() -> list[int]:
        return await Probe(first=9).of(publisher).all()

    assert asyncio.run(main()) == asyncio.run(main()) == [0, 1, 2]


async def test_streams_may_be_read_beside_their_publisher() -> None:
    """A producer that is published stays what it was."""
    numbers = Numbers(3)
    probe = Probe(first=9).of(to_publisher(numbers))
    assert await listed(numbers) == await probe.all() == [0, 1, 2]


def test_a_flow_of_dictionaries_ends_with_its_run_as_ever() -> None:
    """Publishing it changes nothing of what `run` returns."""
    flow = step("n", [{"n": 1}])
    to_publisher(flow)
    assert run(flow)[0] == [{"n": {"n": 1}}]
