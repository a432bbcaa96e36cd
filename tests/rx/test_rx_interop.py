"""A transformer, a chain or a group as an operator in both worlds, Rx and aiostream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import reactivex
from aiostream import pipe, stream
from aiostream.core import Stream
from reactivex import Observable
from reactivex import operators as ops
from reactivex.scheduler import CurrentThreadScheduler
from reactivex.scheduler.eventloop import AsyncIOScheduler, AsyncIOThreadSafeScheduler
from reactivex.subject import Subject
from reactivex.testing import TestScheduler

from fluxus_rx import AsyncTransformer, Passthrough, Producer, SimpleProducer, arun, run, step
from fluxus_rx.rx import FlowScheduler
from tests.support.conduits import Add, AsyncNumbers, Collect, Fetch, Numbers, Odd, Repeat, Text
from tests.support.probes import BUFFER, Events, Source, alone, listed, turns, until

#: mypy can't infer the item type of an operator that is called without an argument
FUTURE: Any = ops.to_future()

TRANSFORMERS: dict[str, tuple[Callable[[], Any], list[Any]]] = {
    "a synchronous step": (lambda: Add(1), [1, 2, 3]),
    "an asynchronous step": (lambda: Fetch(1), [1, 2, 3]),
    "a chain of synchronous steps": (lambda: Add(1) >> Repeat(2), [1, 1, 2, 2, 3, 3]),
    "a chain of asynchronous steps": (lambda: Fetch(1) >> Fetch(10), [11, 12, 13]),
    "a mixed chain": (lambda: Add(1) >> Fetch(10) >> Odd(), [11, 13]),
    "a synchronous group": (lambda: Add(1) & Add(10), [1, 2, 3, 10, 11, 12]),
    "an asynchronous group": (lambda: Fetch(1) & Fetch(10), [1, 2, 3, 10, 11, 12]),
    "a mixed group": (lambda: Add(1) & Fetch(10) & Passthrough(), [0, 1, 1, 2, 2, 3, 10, 11, 12]),
    "a chain of groups": (
        lambda: (Add(1) & Fetch(2)) >> (Fetch(10) & Passthrough()),
        [1, 2, 2, 3, 3, 4, 11, 12, 12, 13, 13, 14],
    ),
}


@pytest.fixture(params=TRANSFORMERS)
def case(request: pytest.FixtureRequest) -> tuple[Any, list[Any]]:
    make, expected = TRANSFORMERS[request.param]
    return make(), expected


class TestOnObservables:
    """In source.pipe(…), and on the right of >>."""

    async def test_a_transformer_stands_among_rx_operators(
        self, case: tuple[Any, list[Any]]
    ) -> None:
        """Between two operators of Rx a transformer does what it does in a flow."""
        flow, expected = case
        found = await reactivex.of("0", "1", "2").pipe(
            ops.map(int), flow, ops.map(lambda item: item), ops.to_list()
        )
        assert sorted(found) == expected

    async def test_calling_a_transformer_with_an_observable_gives_an_observable(
        self, case: tuple[Any, list[Any]]
    ) -> None:
        """transformer(observable) is what source.pipe(transformer) is."""
        flow, expected = case
        observable = flow(reactivex.of(0, 1, 2))
        assert isinstance(observable, Observable)
        assert sorted(await observable.pipe(ops.to_list())) == expected

    async def test_an_observable_is_chained_into_a_transformer(
        self, case: tuple[Any, list[Any]]
    ) -> None:
        """observable >> transformer is an Observable of the products."""
        flow, expected = case
        observable = reactivex.of(0, 1, 2) >> flow
        assert isinstance(observable, Observable)
        assert sorted(await observable.pipe(ops.to_list())) == expected

    async def test_an_empty_observable_stays_empty(self, case: tuple[Any, list[Any]]) -> None:
        """Nothing in, nothing out, and a completion."""
        flow, _ = case
        assert await reactivex.empty().pipe(flow, ops.to_list()) == []

    async def test_a_subject_feeds_a_transformer(self, case: tuple[Any, list[Any]]) -> None:
        """Items pushed at any time come out, and the completion after all of them."""
        flow, expected = case
        subject: Subject[int] = Subject()
        future: asyncio.Future[Any] = subject.pipe(flow, ops.to_list(), FUTURE)
        for number in range(3):
            subject.on_next(number)
            await turns(number)
        subject.on_completed()
        assert sorted(await future) == expected

    async def test_what_is_pushed_right_after_subscribing_is_not_lost(
        self, case: tuple[Any, list[Any]]
    ) -> None:
        """As in Rx, an item that a Subject emits after subscribe has returned is received."""
        flow, expected = case
        subject: Subject[int] = Subject()
        events = Events()
        events.of(subject.pipe(flow))
        for number in range(3):
            subject.on_next(number)
        subject.on_completed()
        assert sorted(await events.complete()) == expected

    async def test_transformers_follow_one_another_as_operators(self) -> None:
        """Two transformers in one pipe are as good as one chain of both."""
        found = await reactivex.of(1, 2, 3).pipe(Fetch(1), Add(10), Fetch(100), ops.to_list())
        assert sorted(found) == [112, 113, 114]

    async def test_awaiting_gives_the_last_product(self) -> None:
        """await source.pipe(flow) is Rx's own await."""
        assert await reactivex.of(1, 2, 3).pipe(Add(1)) == 4
        assert await reactivex.of(1).pipe(Fetch(1)) == 2

    async def test_a_future_of_the_last_product(self) -> None:
        """ops.to_future() works after an asynchronous step."""
        future: asyncio.Future[int] = reactivex.of(5).pipe(Fetch(1), FUTURE)
        assert await future == 6

    @pytest.mark.parametrize("wrong", [5, None, [1, 2], "abc"], ids=repr)
    def test_what_is_neither_observable_nor_stream_is_refused(self, wrong: Any) -> None:
        """Calling a transformer with anything else is a TypeError that shows what came."""
        transformer: Any = Add(1)
        with pytest.raises(TypeError, match=type(wrong).__name__):
            transformer(wrong)

    def test_nothing_else_can_be_chained_into_a_transformer(self) -> None:
        """A list on the left of >> is a TypeError."""
        with pytest.raises(TypeError):
            [1, 2] >> Add(1)  # type: ignore[operator]


class TestOnStreams:
    """In xs | transformer, and called with an asynchronous iterable."""

    async def test_a_transformer_stands_among_aiostream_operators(
        self, case: tuple[Any, list[Any]]
    ) -> None:
        """Between two operators of aiostream a transformer does what it does in a flow."""
        flow, expected = case
        numbers = stream.range(3) | pipe.skip(0) | flow | pipe.skip(0)
        assert sorted(await listed(numbers)) == expected

    async def test_calling_a_transformer_with_a_stream_gives_a_stream(
        self, case: tuple[Any, list[Any]]
    ) -> None:
        """transformer(async iterable) is an aiostream Stream, which can be read twice."""
        flow, expected = case
        numbers = flow(Source(3))
        assert isinstance(numbers, Stream)
        assert sorted(await listed(numbers)) == expected
        assert sorted(await listed(numbers)) == expected

    async def test_an_empty_stream_stays_empty(self, case: tuple[Any, list[Any]]) -> None:
        """Nothing in, nothing out."""
        flow, _ = case
        assert await listed(stream.empty() | flow) == []

    async def test_a_stream_through_a_transformer_is_lazy(
        self, case: tuple[Any, list[Any]]
    ) -> None:
        """An endless stream is read no further than needed, and closed when the reader leaves."""
        flow, _ = case
        source = Source(patient=False)
        async with flow(source).stream() as streamer:
            await streamer.__anext__()
            await turns(1_500)
            made = source.made
            await turns(100)
            assert source.made == made
        assert source.closed == 1
        assert alone()

    async def test_the_very_error_comes_through(self, case: tuple[Any, list[Any]]) -> None:
        """What the stream raises reaches the reader behind the transformer."""
        flow, _ = case
        error = LookupError("source")
        with pytest.raises(LookupError) as caught:
            await listed(flow(Source(3, error=error)))
        assert caught.value is error


class TestProducers:
    """A producer as an Observable and as a Stream; an Observable as the data of a step."""

    @pytest.mark.parametrize("make", [Numbers, AsyncNumbers], ids=lambda make: make.__name__)
    async def test_a_producer_as_an_observable(self, make: Callable[[int], Any]) -> None:
        """to_observable() emits the products, again for each subscription."""
        observable = make(3).to_observable()
        assert isinstance(observable, Observable)
        for _ in range(2):
            assert await observable.pipe(ops.map(str), ops.to_list()) == ["0", "1", "2"]

    @pytest.mark.parametrize("make", [Numbers, AsyncNumbers], ids=lambda make: make.__name__)
    async def test_a_producer_as_a_stream(self, make: Callable[[int], Any]) -> None:
        """to_stream() yields the products, again for each reader."""
        numbers = make(3).to_stream()
        assert isinstance(numbers, Stream)
        for _ in range(2):
            assert await listed(numbers | pipe.skip(1)) == [1, 2]

    async def test_a_chain_and_a_group_as_an_observable(self) -> None:
        """Whatever produces can be an Observable: all paths side by side."""
        flow = (Numbers(2) & AsyncNumbers(2)) >> (Fetch(10) & Passthrough())
        found = await flow.to_observable().pipe(ops.to_list())
        assert sorted(found) == [0, 0, 1, 1, 10, 10, 11, 11]
        assert sorted(await listed(flow.to_stream())) == sorted(found)

    async def test_an_endless_producer_waits_for_a_stream_reader(self) -> None:
        """Behind to_stream() a producer is never far ahead of its reader."""
        numbers = Numbers()
        async with numbers.to_stream().stream() as streamer:
            for read in range(1, 50):
                await streamer.__anext__()
                await turns(20)
                assert numbers.made <= read + BUFFER + 1
        assert numbers.closed == 1

    async def test_an_endless_producer_can_be_disposed_of(self) -> None:
        """Behind to_observable() a producer is closed by take."""
        numbers = Numbers()
        assert await numbers.to_observable().pipe(ops.take(3), ops.to_list()) == [0, 1, 2]
        await until(lambda: numbers.closed == 1)

    def test_an_observable_is_data_for_a_step(self) -> None:
        """step(name, observable) runs the Observable's mappings through the flow."""
        ticks = step("ticks", reactivex.of({"x": 1}, {"x": 2}))
        double = step("double", lambda x: {"y": 2 * x})
        assert list(run(ticks >> double).get_outputs()) == [
            {"ticks": {"x": 1}, "double": {"y": 2}},
            {"ticks": {"x": 2}, "double": {"y": 4}},
        ]

    async def test_an_observable_as_data_can_emit_later(self) -> None:
        """A Subject that is fed while the flow runs passes all its items to the flow."""
        subject: Subject[dict[str, int]] = Subject()
        flow = step("ticks", subject) >> step("double", lambda x: {"y": 2 * x})
        task = asyncio.create_task(arun(flow))
        await until(lambda: len(subject.observers) == 1)
        for number in range(3):
            subject.on_next({"x": number})
            await turns(number)
        subject.on_completed()
        outputs = (await task).get_outputs()
        assert [output["double"]["y"] for output in outputs] == [0, 2, 4]

    async def test_the_error_of_an_observable_as_data_is_raised(self) -> None:
        """What the Observable reports is what the run raises, as the very object."""
        error = LookupError("ticks")
        failing = reactivex.concat(reactivex.of({"x": 1}), reactivex.throw(error))
        with pytest.raises(LookupError) as caught:
            await arun(step("ticks", failing) >> step("same", lambda x: {"x": x}))
        assert caught.value is error


SCHEDULERS: dict[str, Callable[[], dict[str, Any]]] = {
    "none": dict,
    "FlowScheduler": lambda: {"scheduler": FlowScheduler(asyncio.get_running_loop())},
    "one that knows no loop": lambda: {"scheduler": CurrentThreadScheduler()},
    "AsyncIOScheduler": lambda: {"scheduler": AsyncIOScheduler(asyncio.get_running_loop())},
    "AsyncIOThreadSafeScheduler": lambda: {
        "scheduler": AsyncIOThreadSafeScheduler(asyncio.get_running_loop())
    },
}


class TestSchedulers:
    """What an asynchronous stage does with the scheduler it is subscribed to with."""

    @pytest.mark.parametrize("name", SCHEDULERS)
    async def test_an_asynchronous_stage_runs_on_the_loop(
        self, name: str, case: tuple[Any, list[Any]]
    ) -> None:
        """With an asyncio scheduler, or with none and a running loop, it just runs."""
        flow, expected = case
        events = Events()
        events.of(reactivex.of(0, 1, 2).pipe(flow), **SCHEDULERS[name]())
        assert sorted(await events.complete()) == expected

    def test_without_a_loop_an_asynchronous_stage_says_what_to_do(self) -> None:
        """With neither a scheduler nor a loop there is an error that names both remedies."""
        errors: list[Exception] = []
        seen: list[int] = []
        reactivex.of(1).pipe(Fetch()).subscribe(seen.append, errors.append)
        (error,) = errors
        assert isinstance(error, RuntimeError)
        assert "loop" in str(error)
        assert "scheduler" in str(error)
        assert seen == []

    def test_a_virtual_time_is_no_loop_either(self) -> None:
        """Under a TestScheduler an asynchronous stage asks for a loop, it doesn't wait for ever."""
        scheduler = TestScheduler()
        results = scheduler.start(lambda: reactivex.of(1).pipe(Fetch()))
        (message,) = results.messages
        notification: Any = message.value
        assert isinstance(notification.exception, RuntimeError)
        assert "loop" in str(notification.exception)

    def test_a_loop_that_runs_later_is_good_enough(self) -> None:
        """With the scheduler of a loop that does not run yet, the stage waits for it."""
        loop = asyncio.new_event_loop()
        events = Events()
        events.of(reactivex.of(1, 2).pipe(Fetch(1)), scheduler=AsyncIOScheduler(loop))
        assert events.items == []
        found = loop.run_until_complete(events.complete())
        loop.run_until_complete(turns())
        loop.close()
        assert sorted(found) == [2, 3]

    def test_an_observable_can_be_run_on_a_loop_of_its_own(self) -> None:
        """Inside asyncio.run a pipeline needs no scheduler."""

        async def main() -> list[int]:
            return list(await reactivex.of(1, 2).pipe(Fetch(1), ops.to_list()))

        assert sorted(asyncio.run(main())) == [2, 3]


class TestTypes:
    """What an operator of a flow looks like from outside."""

    async def test_an_observable_is_a_source_of_a_whole_flow(self) -> None:
        """The products of an Observable reach a consumer by way of a step."""
        flow = SimpleProducer([1, 2]) >> Add(1) >> Text() >> Collect()
        assert await flow.arun() == [(0, "2"), (0, "3")]
        assert await (reactivex.of(1, 2) >> (Add(1) >> Text())).pipe(ops.to_list()) == ["2", "3"]

    def test_a_producer_is_no_operator(self) -> None:
        """A producer takes no input, so an Observable cannot be piped into it."""
        assert isinstance(Numbers(3), Producer)
        producer: Any = Numbers(3)
        with pytest.raises(TypeError):
            reactivex.of(1).pipe(producer)

    async def test_one_transformer_serves_many_pipelines(self) -> None:
        """The same object stands in a flow, in a pipe and in a stream at the same time."""
        fetch = Fetch(1)
        found = await asyncio.gather(
            asyncio.ensure_future(reactivex.of(1, 2).pipe(fetch, ops.to_list())),
            listed(stream.range(3) | fetch),
            (Numbers(2) >> fetch >> Collect()).arun(),
        )
        assert sorted(found[0]) == [2, 3]
        assert sorted(found[1]) == [1, 2, 3]
        assert sorted(found[2]) == [(0, 1), (0, 2)]

    async def test_a_limit_holds_for_an_operator(self) -> None:
        """options(concurrency=…) bounds the calls of a step in a pipe too."""
        fetch = Fetch()
        limited = fetch.options(concurrency=2)
        await reactivex.from_iterable(range(20)).pipe(limited, ops.to_list())
        assert fetch.calls.peak == 2

    async def test_an_order_holds_for_an_operator(self) -> None:
        """options(ordered=True) keeps the order of a source in a pipe too."""
        ordered = Fetch().options(ordered=True)
        found = await reactivex.from_iterable(range(20)).pipe(ordered, ops.to_list())
        assert found == list(range(20))

    async def test_an_async_generator_step_gives_several_products(self) -> None:
        """All products of an asynchronous step reach the observer."""

        class Twice(AsyncTransformer[int, int]):
            async def atransform(self, product: int) -> AsyncIterator[int]:
                yield product
                await asyncio.sleep(0)
                yield -product

        assert sorted(await reactivex.of(1, 2).pipe(Twice(), ops.to_list())) == [-2, -1, 1, 2]
