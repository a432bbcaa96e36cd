"""What check() says that an edge can hold: never more is made by a run, and that much is."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
from collections.abc import Callable
from math import inf
from typing import Any

import pytest
from aiostream import pipe
from hypothesis import given
from hypothesis import strategies as st
from reactivex import operators as ops
from reactivex.subject import Subject

from fluxus_rx import (
    AsyncConsumer,
    Consumer,
    StepOptions,
    arun,
    check,
    passthrough,
    rx_pipe,
    step,
    stream_pipe,
)
from tests.support.capacities import SETTLED, Steps, numbers, said, settle
from tests.support.conduits import AsyncNumbers, Collect, Held, Numbers, Odd
from tests.support.probes import turns, until

CASES: dict[str, tuple[Callable[[Steps], Any], str, int]] = {
    "a synchronous source makes a product when a call can begin": (
        lambda s: s.source() >> s.hold(concurrency=3),
        "src → hold",
        3,
    ),
    "an asynchronous source is read ahead": (
        lambda s: s.source(kind="async") >> s.hold(),
        "src → hold",
        16 + 1,
    ),
    "an asynchronous source is read ahead as far as buffer says": (
        lambda s: s.source(kind="async") >> s.plain("plain", 2) >> s.hold(buffer=3),
        "src → plain",
        3 + 1,
    ),
    "an asynchronous source of a branch is not read ahead, but its branch has a queue": (
        lambda s: s.source(kind="async") >> (s.hold() & s.fetch("b", concurrency=1)),
        "src → hold",
        1 + 16 + 1,
    ),
    "calls wait for room, beside a queue": (
        lambda s: s.source() >> s.fetch("a", concurrency=5) >> s.hold(concurrency=2),
        "a → hold",
        16 + 5 + 2,
    ),
    "buffer sizes the queue in front of a step": (
        lambda s: s.source() >> s.fetch("a", concurrency=5) >> s.hold(concurrency=2, buffer=4),
        "a → hold",
        4 + 5 + 2,
    ),
    "buffer sizes the queue in front of the synchronous steps before it": (
        lambda s: s.source() >> s.fetch("a", concurrency=5) >> s.plain("b", 2) >> s.hold(buffer=4),
        "a → b",
        4 + 5 + 1,
    ),
    "calls of a generator have a product each in their hands": (
        lambda s: s.source() >> s.expand("a", concurrency=5) >> s.hold(),
        "a → hold",
        16 + 5 + 1,
    ),
    "a branch has a queue of its own": (
        lambda s: s.source() >> (s.hold() & s.fetch("b", concurrency=1)),
        "src → hold",
        1 + 16 + 1,
    ),
    "a branch comes on top of the step in front of it": (
        lambda s: s.source() >> s.fetch("a", concurrency=5) >> (s.hold(buffer=2) & passthrough()),
        "a → hold",
        16 + 5 + 1 + 2 + 1,
    ),
    "a passthrough has the queue of what stands behind it": (
        lambda s: s.source() >> (s.fetch("a", concurrency=1) & passthrough()) >> s.hold(buffer=7),
        "src → hold",
        1 + 7 + 1,
    ),
    "two passthroughs one behind the other have one queue": (
        lambda s: (
            s.source()
            >> (s.fetch("a") & passthrough())
            >> (s.fetch("b") & passthrough())
            >> s.hold(buffer=7)
        ),
        "src → hold",
        1 + 7 + 1,
    ),
    "a group in a branch has queues of its own": (
        lambda s: s.source() >> ((s.plain("a") >> (s.hold() & passthrough())) & passthrough()),
        "a → hold",
        1 + 16 + 1,
    ),
    "behind Rx operators products queue up": (
        lambda s: s.source() >> rx_pipe(ops.map(lambda x: s.make("rx_pipe"))) >> s.hold(),
        "rx_pipe → hold",
        16 + 1,
    ),
    "aiostream operators are read ahead": (
        lambda s: (
            s.source() >> stream_pipe(pipe.action(lambda x: s.make("stream_pipe"))) >> s.hold()
        ),
        "stream_pipe → hold",
        16 + 1,
    ),
    "operators that are read ahead read from a queue": (
        lambda s: (
            s.source()
            >> s.fetch("a", concurrency=5)
            >> stream_pipe(pipe.filter(s.waits))
            >> s.plain("b")
        ),
        "a → stream_pipe",
        16 + 5 + 1,
    ),
    "a step that keeps the order has a window": (
        lambda s: s.source() >> s.late("a", 17, 22, concurrency=2, window=7) >> s.hold(),
        "a → hold",
        16 + 6 + 1,
    ),
    "a generator that keeps the order has a window of 16 from each call": (
        lambda s: s.source() >> s.late_generator("a", 49, 4, concurrency=2, window=4) >> s.hold(),
        "a → hold",
        16 + 3 * 16 + 2 + 1,
    ),
}


@pytest.mark.parametrize("case", CASES)
async def test_an_edge_holds_what_it_is_said_to_hold(case: str) -> None:
    """With a step behind it that goes on for ever, so much is made, and not one product more; less
    where the same workers carry a product through all branches, which no run does that counts."""
    build, edge, most = CASES[case]
    source, target = edge.split(" → ")
    for counts, fewest in ((True, most), (False, 1)):
        steps = Steps()
        flow = build(steps)
        assert said(flow, edge) == most
        await settle(arun(flow, timestamps=counts))
        assert fewest <= steps.made[source] - steps.over[target] <= most


async def test_the_options_of_the_run_count() -> None:
    """What is said holds for a run with the same options."""
    steps = Steps()
    flow = steps.source() >> steps.fetch("a") >> steps.hold()
    options = StepOptions(concurrency=3, buffer=2)
    assert said(flow, "a → hold", options=options) == 2 + 3 + 1
    await settle(arun(flow, options=options))
    assert steps.made["a"] == 6


class Waiting(AsyncConsumer[object, None]):
    """Takes one product, and waits."""

    async def aconsume(self, products: Any) -> None:
        async for _ in products:
            await asyncio.Event().wait()


class Blocked(Consumer[object, None]):
    """The same, in a thread."""

    def __init__(self) -> None:
        self.gate = threading.Event()

    def consume(self, products: Any) -> None:
        for _ in products:
            self.gate.wait()


async def test_a_consumer_is_fed_from_a_queue() -> None:
    """One product is in the hand of what drives the flow, 16 wait."""
    source = Numbers()
    flow = source >> Waiting()
    assert said(flow, "Numbers → Waiting") == 1 + 16 + 1
    await settle(flow.arun())
    assert source.made == 18


async def test_a_synchronous_consumer_takes_all_that_waits() -> None:
    """It gets up to 16 products at once, and 16 more wait meanwhile."""
    source, consumer = Numbers(), Blocked()
    flow = source >> consumer
    assert said(flow, "Numbers → Blocked") == 1 + 16 + 16
    task = asyncio.ensure_future(flow.arun())
    await until(lambda: source.made >= 33)
    await turns(SETTLED)
    assert source.made == 33
    task.cancel()
    consumer.gate.set()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_transformers_of_a_class_read_ahead_only_where_they_await() -> None:
    """A plain transformer takes products from an asynchronous source as it is asked for them."""
    for transformer, most in ((Odd(), 0), (Held().options(concurrency=2), 16)):
        flow = AsyncNumbers() >> transformer
        (finding,) = check(flow)
        assert numbers(finding.text)[0] == most
    source, held = AsyncNumbers(), Held().options(concurrency=2)
    await settle((source >> held >> Collect()).arun())
    assert source.source.made == 16 + 2


async def test_what_a_subject_emits_has_no_limit() -> None:
    """It can't wait, so all of it does."""
    subject: Subject[Any] = Subject()
    steps = Steps()
    flow = step("src", subject) >> steps.hold(buffer=3)
    assert said(flow, "src → hold") == inf


async def test_an_observable_of_this_library_waits() -> None:
    """It respects demand, and 16 of its products wait at most."""
    steps = Steps()
    flow = step("again", steps.source().to_observable()) >> steps.hold()
    assert said(flow, "again → hold") == 16 + 1
    await settle(arun(flow))
    assert steps.made["src"] == 17 + 1  # one is in the hand of what drives it


def test_without_limit_any_number_is_held() -> None:
    """Steps without limit hold what comes."""
    steps = Steps()
    flow = steps.source() >> steps.fetch("a", concurrency=None) >> steps.hold()
    assert said(flow, "a → hold") == inf
    assert said(flow, "src → a") == 1


OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "concurrency": st.integers(1, 3),
        "buffer": st.integers(1, 3),
        "ordered": st.booleans(),
        "window": st.integers(1, 4),
    },
)
KINDS = st.lists(
    st.tuples(st.sampled_from(["plain", "pair", "fetch", "expand"]), OPTIONS, st.booleans()),
    max_size=4,
)


@given(st.sampled_from(["sync", "async"]), KINDS, OPTIONS)
def test_no_edge_ever_holds_more(
    kind: str, chain: list[tuple[str, dict[str, Any], bool]], last: dict[str, Any]
) -> None:
    """At no moment of a run has a step made more than the edge behind it is said to hold."""
    steps = Steps()
    flow = steps.source(kind=kind)
    names = ["src"]
    for number, (made, options, grouped) in enumerate(chain):
        name = f"s{number}"
        if made in ("plain", "pair"):
            one = steps.plain(name, 1 if made == "plain" else 2)
        else:
            one = getattr(steps, made)(name, **options)
        flow = flow >> ((one & steps.hold(f"beside{number}")) if grouped and not number else one)
        names.append(name)
    flow = flow >> steps.hold(**last)
    names.append("hold")
    edges = {edge: said(flow, " → ".join(edge)) for edge in itertools.pairwise(names)}

    def watch() -> None:
        for (source, target), most in edges.items():
            assert steps.made[source] - steps.over[target] <= most, (source, target)

    steps.watch = watch
    asyncio.run(settle(arun(flow), 120))
