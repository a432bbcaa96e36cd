"""`from_observable` in a run: subscribing, demand, and the ways to end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

import pytest
import reactivex
from reactivex import operators as ops
from reactivex.subject import BehaviorSubject, ReplaySubject, Subject

from fluxus_rx import arun, from_observable, run, rx_pipe, start, step
from fluxus_rx.testing import hot_marbles, marbles, virtual_time
from tests.support.hot import DROPPING, POLICIES, Counted, items_of
from tests.support.probes import Source, drained, listed, turns, until

double = step("double", lambda x: {"y": 2 * x})


class TestSubscribing:
    """What comes while it is subscribed to."""

    @pytest.mark.parametrize("overflow", POLICIES)
    async def test_a_value_that_is_there_already_comes_first(self, overflow: Any) -> None:
        """That of a BehaviorSubject."""
        subject: BehaviorSubject[int] = BehaviorSubject(1)
        flow = from_observable(subject, "x", overflow=overflow) >> double
        async with start(flow) as running:
            await turns()
            subject.on_next(2)
            subject.on_completed()
            assert [output["x"]["x"] for output in (await running.result())[0]] == [1, 2]

    @pytest.mark.parametrize(
        ("overflow", "kept"),
        [
            ("keep", [0, 1, 2, 3, 4]),
            ("drop_oldest", [2, 3, 4]),
            ("drop_newest", [0, 1, 2]),
        ],
    )
    async def test_what_is_replayed_at_once_is_held_by_the_policy(
        self, overflow: Any, kept: list[int]
    ) -> None:
        """A ReplaySubject emits all of it before the first item can be taken."""
        subject: ReplaySubject[int] = ReplaySubject()
        for number in range(5):
            subject.on_next(number)
        subject.on_completed()
        assert await listed(from_observable(subject, buffer=3, overflow=overflow)) == kept
        again: list[int] = await listed(from_observable(subject, overflow="latest"))
        assert again == [4]

    async def test_an_error_while_it_is_subscribed_to_comes_behind_theitems_of(self) -> None:
        """Also where there is no subscription yet to dispose of."""
        error = LookupError("bad")
        source = reactivex.of(1, 2).pipe(ops.concat(reactivex.throw(error)))
        seen: list[int] = []
        with pytest.raises(LookupError) as caught:
            await drained(from_observable(source, overflow="error"), seen)
        assert caught.value is error
        assert seen == [1, 2]

    async def test_a_source_that_raises_as_it_is_subscribed_to_ends_the_run(self) -> None:
        """With the very error."""
        error = LookupError("bad")

        def subscribe(observer: Any, scheduler: Any) -> Any:
            raise error

        for overflow in POLICIES:
            with pytest.raises(LookupError) as caught:
                await listed(from_observable(reactivex.create(subscribe), overflow=overflow))
            assert caught.value is error

    @pytest.mark.parametrize("overflow", POLICIES)
    async def test_an_overflow_while_it_is_subscribed_to_disposes_of_the_source(
        self, overflow: Any
    ) -> None:
        """As does any other end."""
        source = Counted(*range(5))
        flow = from_observable(source, buffer=1, overflow=overflow)
        if overflow == "error":
            with pytest.raises(RuntimeError):
                await listed(flow)
        else:
            await listed(flow)
        assert source.disposed == 1


class TestDemand:
    """How far a source that waits is asked to run ahead."""

    @pytest.mark.parametrize("buffer", [1, 2, 16])
    async def test_a_cold_flow_is_asked_for_no_more_than_there_is_room_for(
        self, buffer: int
    ) -> None:
        """With "keep", a source that respects demand waits."""
        source = Source(100)
        inner = step("inner", lambda: _numbered(source)).to_observable()
        gate = asyncio.Event()

        async def wait(x: int) -> dict[str, int]:
            await gate.wait()
            return {"y": x}

        slow = step("slow", wait).options(concurrency=1)
        task = asyncio.ensure_future(arun(from_observable(inner, "x", buffer=buffer) >> slow))
        await turns(2_000)
        # Those in the buffer, one in the call, one on its way to each of the two buffers.
        assert source.made <= buffer + 3
        gate.set()
        (outputs,) = await task
        assert [output["slow"]["y"] for output in outputs] == [*range(100)]

    @pytest.mark.parametrize("overflow", DROPPING)
    async def test_with_any_other_policy_a_cold_flow_is_never_asked_to_wait(
        self, overflow: Any
    ) -> None:
        """It runs to its end while the reader has taken one item."""
        source = Source(1_000)
        inner = step("inner", lambda: _numbered(source)).to_observable()
        items = items_of(from_observable(inner, overflow=overflow))
        await anext(items)
        await until(lambda: source.closed == 1)
        assert source.made == 1_000
        await items.aclose()

    @pytest.mark.parametrize("overflow", DROPPING)
    async def test_a_source_without_end_that_never_suspends_lets_its_reader_read(
        self, overflow: Any
    ) -> None:
        """The loop gets its turns, although nobody asks the source to wait."""

        def endless() -> Iterator[dict[str, int]]:
            number = 0
            while True:
                yield {"x": number}
                number += 1

        inner = step("inner", endless).to_observable()
        seen: list[int] = []
        async with start(from_observable(inner, overflow=overflow) >> double) as running:
            await until(lambda: running.stats()["double"].done >= 20)
        assert running.state == "cancelled"
        async with aclosing(items_of(from_observable(inner, overflow=overflow))) as products:
            async for product in products:
                seen.append(product["x"])
                if len(seen) == 20:
                    break
        assert seen == sorted(set(seen))


async def _numbered(source: Source) -> AsyncIterator[dict[str, int]]:
    async for number in source:
        yield {"x": number}


class TestEndings:
    """How it ends."""

    @pytest.mark.parametrize("overflow", POLICIES)
    async def test_leaving_early_disposes_of_the_subscription(self, overflow: Any) -> None:
        """A subject has no observers then."""
        subject: Subject[int] = Subject()
        items = items_of(from_observable(subject, overflow=overflow))
        first = asyncio.ensure_future(anext(items))
        await until(lambda: bool(subject.observers))
        subject.on_next(1)
        assert await first == 1
        await items.aclose()
        assert subject.observers == []
        subject.on_next(2)

    @pytest.mark.parametrize("overflow", POLICIES)
    async def test_cancelling_a_run_disposes_of_the_subscription(self, overflow: Any) -> None:
        """What is emitted later goes nowhere."""
        subject: Subject[int] = Subject()
        async with start(from_observable(subject, "x", overflow=overflow) >> double):
            assert len(subject.observers) == 1
        assert subject.observers == []
        subject.on_next(1)

    @pytest.mark.parametrize("overflow", POLICIES)
    async def test_a_step_that_fails_disposes_of_the_subscription(self, overflow: Any) -> None:
        """And its error is that of the run."""
        subject: Subject[int] = Subject()
        flow = from_observable(subject, "x", overflow=overflow) >> step(
            "bad", lambda x: {"y": 1 / x}
        )
        async with start(flow) as running:
            subject.on_next(0)
            with pytest.raises(ZeroDivisionError):
                await running.result()
            assert subject.observers == []

    @pytest.mark.parametrize("overflow", POLICIES)
    @pytest.mark.parametrize("paused", [False, True])
    async def test_draining_unsubscribes_and_keeps_what_waits(
        self, overflow: Any, paused: bool
    ) -> None:
        """It is pending, where no call was in flight; what comes after that is not taken."""
        subject: Subject[int] = Subject()
        size = 1 if overflow == "latest" else 3
        flow = from_observable(subject, "x", buffer=size, overflow=overflow) >> double
        async with start(flow) as running:
            if paused:
                await turns()
                running.pause()
            for number in range(size):
                subject.on_next(number)
            draining = asyncio.ensure_future(running.drain())
            await turns(1)
            assert subject.observers == []
            subject.on_next(99)
            result = await draining
            done = [output["x"]["x"] for output in result[0]]
            assert done + [one.product["x"] for one in result.pending] == [*range(size)]
            assert running.state == "done"

    async def test_a_run_that_is_paused_takes_nothing_and_drops_by_the_policy(self) -> None:
        """A source that doesn't wait goes on to emit."""
        subject: Subject[int] = Subject()
        flow = from_observable(subject, "x", buffer=2, overflow="drop_oldest") >> double
        async with start(flow) as running:
            subject.on_next(0)
            await until(lambda: running.stats()["double"].done == 1)
            running.pause()
            for number in range(1, 11):
                subject.on_next(number)
            await turns()
            running.resume()
            subject.on_completed()
            numbers = [output["x"]["x"] for output in (await running.result())[0]]
        # One may have been on its way to the step when the pause began.
        assert numbers in ([0, 9, 10], [0, 1, 9, 10])
        assert running.stats()["x"].dropped == 11 - len(numbers)

    @pytest.mark.parametrize("overflow", POLICIES)
    def test_the_summary_of_a_run_counts_its_products(self, overflow: Any) -> None:
        """Those that it has emitted."""
        source = from_observable(reactivex.of(1), "x", overflow=overflow)
        summary = run(source >> double, timestamps=True).summary()
        assert [(one.step, one.products) for one in summary.steps] == [("x", 1), ("double", 1)]

    async def test_an_operator_behind_may_subscribe_to_it_again(self) -> None:
        """After an error; the numbers of all subscriptions are those of one source."""
        subscribed: list[int] = []

        def subscribe(observer: Any, scheduler: Any) -> Any:
            subscribed.append(1)
            observer.on_next(len(subscribed))
            if len(subscribed) < 3:
                observer.on_error(LookupError("bad"))
            else:
                observer.on_completed()

        source = from_observable(reactivex.create(subscribe), "x", overflow="latest")
        async with start(source >> rx_pipe(ops.retry(5), name="x") >> double) as running:
            (outputs,) = await running.result()
        assert [output["double"]["y"] for output in outputs] == [2, 4, 6]
        assert running.stats()["x"].done == 3

    def test_hot_sources_emit_at_their_times(self) -> None:
        """In virtual time, what comes while a step is busy is held or dropped."""

        async def wait(x: str) -> dict[str, str]:
            await asyncio.sleep(7)
            return {"y": x}

        slow = step("slow", wait).options(concurrency=1, buffer=1)
        with virtual_time():
            source = from_observable(marbles("a-b-c-d-e-f-g-h-i|"), "x", overflow="latest")
            taken = [output["x"]["x"] for output in run(source >> slow)[0]]
        assert taken[0] == "a"
        assert taken[-1] == "i"
        assert taken == sorted(set(taken))
        assert len(taken) < 9

    def test_an_item_of_a_hot_source_before_the_run_is_not_seen(self) -> None:
        """`from_observable` subscribes when the run does."""
        with virtual_time() as run_in:

            async def main() -> list[str]:
                hot = hot_marbles("a-b--c|")
                await asyncio.sleep(3.5)
                return [item async for item in from_observable(hot)]

            assert run_in(main()) == ["c"]
