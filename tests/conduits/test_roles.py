"""Flows of classes: producers, transformers and consumers, chained, grouped and run."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from fluxus_rx import (
    AsyncConsumer,
    AsyncProducer,
    AsyncTransformer,
    Consumer,
    Flow,
    Passthrough,
    Producer,
    SimpleAsyncProducer,
    SimpleProducer,
    Transformer,
)
from tests.support.conduits import (
    Add,
    AsyncCollect,
    AsyncNumbers,
    Collect,
    Fail,
    Fetch,
    Numbers,
    Odd,
    Repeat,
    Text,
    by_path,
)
from tests.support.errors import untyped
from tests.support.probes import Source


class Total(Consumer[int, int]):
    def consume(self, products: Iterable[tuple[int, int]]) -> int:
        return sum(product for _, product in products)


@pytest.fixture(params=["run", "arun"])
def run(request: pytest.FixtureRequest) -> Any:
    """Run a flow in either way."""
    if request.param == "run":
        return lambda flow: flow.run()
    return lambda flow: asyncio.run(flow.arun())


class TestChaining:
    """>> and & make flows of conduits."""

    def test_a_producer_a_transformer_and_a_consumer_are_a_flow(self, run: Any) -> None:
        """producer >> transformer >> consumer runs and returns what the consumer returns."""
        flow = Numbers(4) >> Add(1) >> Total()
        assert isinstance(flow, Flow)
        assert run(flow) == 10

    def test_a_producer_and_a_consumer_alone_are_a_flow(self, run: Any) -> None:
        """A transformer in between is not needed."""
        assert run(Numbers(4) >> Total()) == 6

    def test_a_producer_and_a_transformer_are_a_producer(self) -> None:
        """producer >> transformer can stand wherever a producer can."""
        assert isinstance(Numbers(4) >> Add(1), Producer)
        assert isinstance(Numbers(4) >> (Add(1) & Add(2)), Producer)

    def test_two_transformers_are_a_transformer(self) -> None:
        """transformer >> transformer can stand wherever a transformer can."""
        assert isinstance(Add(1) >> Fetch(1), Transformer)
        assert isinstance((Add(1) & Passthrough()) >> Fetch(1), Transformer)

    def test_groups_are_what_their_members_are(self) -> None:
        """A group of producers is a producer, a group of transformers a transformer."""
        assert isinstance(Numbers(1) & AsyncNumbers(1), Producer)
        assert isinstance(Add(1) & Fetch(1) & Passthrough(), Transformer)

    @pytest.mark.parametrize(
        "expression",
        [
            lambda p, a, b, c: p >> a >> b >> c,
            lambda p, a, b, c: p >> (a >> b) >> c,
            lambda p, a, b, c: (p >> a) >> (b >> c),
        ],
    )
    def test_chaining_is_associative(self, run: Any, expression: Any) -> None:
        """Where the brackets of a chain stand makes no difference to what comes out."""
        producer = expression(Numbers(5), Add(1), Odd(), Repeat(2))
        assert run(producer >> Collect()) == [(0, n) for n in (1, 1, 3, 3, 5, 5)]

    def test_asynchronous_and_synchronous_conduits_mix(self, run: Any) -> None:
        """Either kind of producer, transformer and consumer goes with either."""
        for producer in (Numbers(4), AsyncNumbers(4)):
            for consumer in (Collect(), AsyncCollect()):
                flow = producer >> Add(1) >> Fetch(10) >> Text() >> consumer
                assert sorted(run(flow)) == [(0, "11"), (0, "12"), (0, "13"), (0, "14")]

    def test_a_chain_binds_more_tightly_than_a_group(self, run: Any) -> None:
        """a & b >> c is a & (b >> c), as in Python's grammar."""
        pairs = run(Numbers(2) >> (Add(1) & Add(2) >> Add(10)) >> Collect())
        assert by_path(pairs, 2) == [[1, 2], [12, 13]]

    def test_one_conduit_may_stand_in_several_flows(self, run: Any) -> None:
        """Chaining changes none of the conduits that are chained."""
        numbers, add = Numbers(3), Add(1)
        first, second = numbers >> add >> Total(), numbers >> add >> add >> Total()
        assert [run(first), run(second), run(first)] == [6, 9, 6]

    @pytest.mark.parametrize("other", [42, None, "abc", [1], Total], ids=repr)
    def test_what_is_no_conduit_cannot_be_chained(self, other: Any) -> None:
        """producer >> 42 is a TypeError when it is written."""
        for conduit in (Numbers(1), Add(1), Numbers(1) & Numbers(2)):
            with pytest.raises(TypeError):
                conduit >> other
            with pytest.raises(TypeError):
                conduit & other

    @pytest.mark.parametrize(
        "expression",
        [
            lambda: Add(1) >> Numbers(3),  # type: ignore[operator]
            lambda: Numbers(3) >> Numbers(3),  # type: ignore[operator]
            lambda: Total() >> Add(1),  # type: ignore[operator]
            lambda: Total() >> Total(),  # type: ignore[operator]
            lambda: (Numbers(3) >> Total()) >> Add(1),  # type: ignore[operator]
            lambda: (Numbers(3) >> Total()) >> Total(),  # type: ignore[operator]
            lambda: (Numbers(3) >> Total()) & (Numbers(3) >> Total()),  # type: ignore[operator]
            lambda: Numbers(3) & Add(1),  # type: ignore[operator]
            lambda: Add(1) & Numbers(3),  # type: ignore[operator]
            lambda: Total() & Total(),  # type: ignore[operator]
            lambda: Add(1) & Total(),  # type: ignore[operator]
        ],
    )
    def test_conduits_in_the_wrong_place_are_refused(self, expression: Any) -> None:
        """A producer amid a flow, something after its end, a mixed group: each a TypeError."""
        with pytest.raises(TypeError):
            expression()

    @pytest.mark.parametrize(
        "kind",
        [Producer, AsyncProducer, Transformer, AsyncTransformer, Consumer, AsyncConsumer],
        ids=lambda kind: kind.__name__,
    )
    def test_a_class_without_its_one_method_cannot_be_used(self, kind: type[Any]) -> None:
        """A subclass that does not implement its method cannot be instantiated."""
        unfinished = type("Unfinished", (kind,), {})
        with pytest.raises(TypeError, match="Unfinished"):
            unfinished()


class TestRunning:
    """run and arun, from anywhere, any number of times."""

    def test_a_flow_can_be_run_again(self, run: Any) -> None:
        """Each run iterates the producer again and returns an equal result."""
        numbers = Numbers(5)
        flow = numbers >> Fetch(1) >> Total()
        assert [run(flow), run(flow)] == [15, 15]
        assert numbers.opened == numbers.closed == 2

    async def test_a_flow_runs_inside_a_running_loop(self) -> None:
        """run() works where a loop is running, in a thread of its own."""
        assert (Numbers(5) >> Fetch(1) >> Total()).run() == 15

    async def test_a_flow_runs_many_times_at_once(self) -> None:
        """The same flow object may be run several times at the same time on one loop."""
        flow = AsyncNumbers(5) >> Fetch(1) >> Total()
        assert await asyncio.gather(*[flow.arun() for _ in range(10)]) == [15] * 10

    def test_a_flow_runs_in_several_threads_at_once(self) -> None:
        """The same flow object may be run in threads at the same time."""
        flow = AsyncNumbers(5) >> Fetch(1) >> (Add(1) & Passthrough()) >> Total()
        results: list[int] = []
        threads = [threading.Thread(target=lambda: results.append(flow.run())) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert results == [35] * 4

    def test_a_flow_runs_inside_a_step(self, run: Any) -> None:
        """A step may run a flow of its own."""

        class Nested(Transformer[int, int]):
            def transform(self, product: int) -> Iterator[int]:
                yield (Numbers(product) >> Fetch(1) >> Total()).run()

        assert run(Numbers(4) >> Nested() >> Collect()) == [(0, 0), (0, 1), (0, 3), (0, 6)]

    def test_an_error_is_raised_as_it_is_with_notes(self, run: Any) -> None:
        """What a step raises is raised by the run, and its notes name the step and the input."""
        error = LookupError("step")
        with pytest.raises(LookupError) as caught:
            run(Numbers() >> Fail(error, at=7) >> Total())
        assert caught.value is error
        notes = "\n".join(getattr(error, "__notes__", []))
        assert "Fail" in notes
        assert "7" in notes

    def test_the_error_of_a_producer_is_raised_as_it_is(self, run: Any) -> None:
        """What a producer raises is raised by the run, and its notes name the producer."""
        for make in (Numbers, AsyncNumbers):
            error = LookupError("producer")
            with pytest.raises(LookupError) as caught:
                run(make(3, error) >> Fetch() >> Total())
            assert caught.value is error
            assert make.__name__ in "\n".join(getattr(error, "__notes__", []))

    def test_an_empty_flow_gives_the_consumers_answer_to_nothing(self, run: Any) -> None:
        """Without products a consumer still runs."""
        assert run(Numbers(0) >> Fetch() >> Total()) == 0
        assert run(AsyncNumbers(0) >> Collect()) == []

    def test_products_of_any_kind_pass(self, run: Any) -> None:
        """None, exceptions, strings that look like signals: all are products."""
        products: list[Any] = [None, "END", StopIteration(), ValueError, ..., (), {}]
        flow = SimpleProducer(products) >> Collect()
        assert run(flow) == [(0, product) for product in products]


class TestSimpleProducers:
    """SimpleProducer(items) and SimpleAsyncProducer(async iterable)."""

    def test_a_simple_producer_gives_its_items(self, run: Any) -> None:
        """The items of any iterable, on each run."""
        for items in ([1, 2, 3], (1, 2, 3), range(1, 4), {1: "a", 2: "b", 3: "c"}.keys()):
            flow = SimpleProducer(items) >> Collect()
            assert run(flow) == run(flow) == [(0, 1), (0, 2), (0, 3)]

    def test_a_simple_producer_of_nothing(self, run: Any) -> None:
        """Without items there are no products."""
        assert run(SimpleProducer([]) >> Collect()) == []

    def test_a_simple_async_producer_gives_its_items(self, run: Any) -> None:
        """The items of any asynchronous iterable; one that can be iterated again, on each run."""
        flow = SimpleAsyncProducer(Source(3)) >> Collect()
        assert run(flow) == run(flow) == [(0, 0), (0, 1), (0, 2)]

    @pytest.mark.parametrize("wrong", [5, None, Source(1)], ids=type)
    def test_a_simple_producer_takes_iterables_only(self, wrong: Any) -> None:
        """What cannot be iterated is a TypeError at once."""
        with pytest.raises(TypeError, match=type(wrong).__name__):
            SimpleProducer(wrong)

    @pytest.mark.parametrize("wrong", [5, None, [1, 2]], ids=repr)
    def test_a_simple_async_producer_takes_async_iterables_only(self, wrong: Any) -> None:
        """What cannot be iterated asynchronously is a TypeError at once."""
        with pytest.raises(TypeError, match=type(wrong).__name__):
            SimpleAsyncProducer(wrong)


class TestProcessing:
    """transformer.process(items) and aprocess: a transformer by itself."""

    def test_process_gives_a_list(self) -> None:
        """The products of all items, in their order."""
        assert (Add(1) >> Repeat(2)).process([1, 2]) == [2, 2, 3, 3]
        assert Odd().process(range(6)) == [1, 3, 5]
        assert Add(1).process([]) == []

    def test_process_runs_asynchronous_transformers(self) -> None:
        """Without a loop, process runs one."""
        assert sorted((Fetch(1) >> Add(1)).process([1, 2])) == [3, 4]

    async def test_process_works_inside_a_running_loop(self) -> None:
        """With a loop running, process works beside it."""
        assert sorted(Fetch(1).process([1, 2])) == [2, 3]

    async def test_aprocess_gives_a_list(self) -> None:
        """The same on the running loop."""
        assert await Add(1).aprocess([1, 2]) == [2, 3]
        assert sorted(await (Add(1) >> Fetch(1)).aprocess(range(3))) == [2, 3, 4]

    async def test_aprocess_takes_asynchronous_items(self) -> None:
        """Items may come from an asynchronous iterable."""
        assert sorted(await Fetch(1).aprocess(Source(3))) == [1, 2, 3]

    def test_process_of_a_group_gives_the_products_of_all_paths(self) -> None:
        """A group emits the products of its paths."""
        assert sorted((Add(1) & Fetch(10) & Passthrough()).process([1, 2])) == [1, 2, 2, 3, 11, 12]

    def test_process_raises_what_the_transformer_raises(self) -> None:
        """An error is raised as the very object."""
        error = LookupError("step")
        with pytest.raises(LookupError) as caught:
            (Fetch() >> Fail(error, at=1)).process([0, 1])
        assert caught.value is error

    async def test_aprocess_can_be_cancelled(self) -> None:
        """Cancelled, aprocess closes what it reads from."""
        source = Source()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await Fetch().aprocess(source)
        assert source.opened == source.closed


class TestOptions:
    """Transformer.options: how a step is run."""

    def test_the_limit_of_an_asynchronous_transformer(self, run: Any) -> None:
        """concurrency= bounds the calls in flight, and is reached."""
        fetch = Fetch()
        assert len(run(Numbers(30) >> fetch.options(concurrency=3) >> Collect())) == 30
        assert fetch.calls.peak == 3

    def test_the_order_of_an_asynchronous_transformer(self, run: Any) -> None:
        """ordered=True emits products in the order of their inputs."""
        flow = Numbers(30) >> Fetch().options(ordered=True) >> Collect()
        assert run(flow) == [(0, number) for number in range(30)]

    def test_options_leave_the_transformer_as_it_is(self, run: Any) -> None:
        """options returns another transformer; the one it was asked of keeps its own."""
        fetch = Fetch()
        limited = fetch.options(concurrency=1)
        assert limited is not fetch
        assert isinstance(limited, Transformer)
        run(Numbers(30) >> fetch >> Collect())
        assert fetch.calls.peak > 1

    @pytest.mark.parametrize("limit", [0, -1])
    def test_a_limit_below_one_is_refused_at_once(self, limit: int) -> None:
        """No calls at all is a ValueError that shows the limit."""
        with pytest.raises(ValueError, match=str(limit)):
            Fetch().options(concurrency=limit)

    @pytest.mark.parametrize("limit", ["3", 1.5], ids=repr)
    def test_a_limit_that_is_no_whole_number_is_refused_at_once(self, limit: Any) -> None:
        """A limit of another type is an error that shows it."""
        with pytest.raises((TypeError, ValueError), match=repr(limit)):
            Fetch().options(concurrency=limit)

    def test_an_option_that_does_not_exist_is_refused(self) -> None:
        """A misspelt option is a TypeError that names it."""
        with pytest.raises(TypeError, match="concurency"):
            untyped(Fetch()).options(concurency=3)
