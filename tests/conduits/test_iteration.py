"""Producers in for and async for: lazily, and closed however the loop is left."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, closing
from typing import Any

import pytest

from fluxus_rx import AsyncProducer, Passthrough, Producer, SimpleProducer
from tests.support.conduits import Add, AsyncNumbers, Fail, Fetch, Held, Numbers, Repeat, source_of
from tests.support.probes import BUFFER, alone, drained, turns, until

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="untouched")


@pytest.fixture(params=[Numbers, AsyncNumbers], ids=lambda make: make.__name__)
def make(request: pytest.FixtureRequest) -> Callable[..., Any]:
    maker: Callable[..., Any] = request.param
    return maker


FLOWS: dict[str, Callable[[Any], Any]] = {
    "a producer": lambda numbers: numbers,
    "a synchronous chain": lambda numbers: numbers >> Add(0),
    "an asynchronous chain": lambda numbers: numbers >> Fetch(0).options(ordered=True),
    "a group": lambda numbers: numbers >> (Fetch(0) & Add(0) & Passthrough()),
    "a group of producers": lambda numbers: (numbers & Numbers(0)) >> Add(0),
}


@pytest.fixture(params=FLOWS)
def flow(request: pytest.FixtureRequest) -> Callable[[Any], Any]:
    return FLOWS[request.param]


class TestFor:
    """for product in producer."""

    def test_a_producer_can_be_iterated(self, make: Any) -> None:
        """for yields the products in their order."""
        assert list(make(3)) == [0, 1, 2]
        assert list(make(3) >> Add(1) >> Repeat(2)) == [1, 1, 2, 2, 3, 3]
        assert sorted(make(3) >> Fetch(1)) == [1, 2, 3]

    def test_a_group_can_be_iterated(self, make: Any) -> None:
        """for yields the products of all paths."""
        assert sorted(make(2) >> (Fetch(10) & Passthrough())) == [0, 1, 10, 11]
        assert sorted(make(2) & Numbers(3)) == [0, 0, 1, 1, 2]

    def test_a_producer_of_nothing_ends_at_once(self, make: Any, flow: Any) -> None:
        """No products are an empty loop."""
        assert list(flow(make(0))) == []

    def test_each_loop_begins_afresh(self, make: Any) -> None:
        """Iterated twice, a producer produces twice."""
        producer = make(3) >> Add(1)
        assert list(producer) == list(producer) == [1, 2, 3]

    def test_nothing_runs_before_the_first_product_is_asked_for(self, make: Any, flow: Any) -> None:
        """Asking for an iterator starts nothing."""
        numbers = make()
        iterator = iter(flow(numbers))
        assert source_of(numbers).opened == 0
        del iterator

    def test_products_come_while_the_flow_runs(self, make: Any, flow: Any) -> None:
        """The loop sees a product before an endless producer ends, and is never far behind."""
        numbers = make()
        for read, _ in enumerate(flow(numbers), 1):
            # A step at the default limit may hold 256 products, or its window.
            assert source_of(numbers).made <= read + 4 * 256 + 3 * BUFFER
            if read == 50:
                break

    def test_leaving_early_closes_the_producer(self, make: Any, flow: Any) -> None:
        """After break nothing is left running, and the producer is closed."""
        numbers = make()
        threads = threading.active_count()
        for _ in flow(numbers):
            break
        gc.collect()
        assert source_of(numbers).closed == source_of(numbers).opened == 1
        assert threading.active_count() == threads

    def test_an_iterator_can_be_closed(self, make: Any, flow: Any) -> None:
        """close() of the iterator closes the producer, and then there is no more."""
        numbers = make()
        with closing(iter(flow(numbers))) as iterator:
            next(iterator)
        assert source_of(numbers).closed == 1
        assert list(iterator) == []

    def test_an_error_in_the_loop_closes_the_producer(self, make: Any) -> None:
        """What the body raises is raised as it is, and the producer is closed behind it."""
        numbers = make()
        error = LookupError("body")

        def read() -> None:
            with closing(iter(numbers >> Fetch())) as iterator:
                for _ in iterator:
                    raise error

        with pytest.raises(LookupError) as caught:
            read()
        assert caught.value is error
        assert source_of(numbers).closed == 1

    def test_the_error_of_the_flow_is_raised_in_the_loop(self, make: Any) -> None:
        """The very object is raised where the next product is asked for, after those before it."""
        error = LookupError("step")
        seen: list[int] = []
        with pytest.raises(LookupError) as caught:
            seen.extend(make() >> Fail(error, at=3))
        assert caught.value is error
        assert seen == [0, 1, 2]

    async def test_for_works_inside_a_running_loop(self, make: Any, flow: Any) -> None:
        """In a coroutine for works as well, though async for is better."""
        assert set(flow(make(3))) == {0, 1, 2}
        numbers = make()
        with closing(iter(flow(numbers))) as iterator:
            next(iterator)
        await until(lambda: source_of(numbers).closed == 1)

    def test_loops_may_be_nested(self, make: Any) -> None:
        """Inside the loop over one producer another may run."""
        pairs = [(a, b) for a in make(3) >> Fetch().options(ordered=True) for b in make(2)]
        assert pairs == [(a, b) for a in range(3) for b in range(2)]

    def test_two_loops_may_take_turns(self, make: Any, flow: Any) -> None:
        """Two iterators of one producer are two runs."""
        producer = flow(make(3))
        first, second = iter(producer), iter(producer)
        pairs = list(zip(first, second, strict=True))
        assert {a for a, _ in pairs} == {b for _, b in pairs} == {0, 1, 2}

    def test_a_step_sees_the_context_of_the_loop(self) -> None:
        """Context variables of the caller are visible in the producer."""

        class Look(AsyncProducer[str]):
            async def aproduce(self) -> AsyncIterator[str]:
                yield VARIABLE.get()

        token = VARIABLE.set("caller")
        found = list(Look())
        VARIABLE.reset(token)
        assert found == ["caller"]

    def test_a_method_that_returns_an_iterable_is_fine(self) -> None:
        """produce may return an iterator instead of being a generator."""

        class Returns(Producer[int]):
            def produce(self) -> Iterator[int]:
                return iter([1, 2, 3])

        assert list(Returns() >> Add(1)) == [2, 3, 4]


class TestAsyncFor:
    """async for product in producer."""

    async def test_a_producer_can_be_iterated(self, make: Any) -> None:
        """async for yields the products in their order."""
        assert [product async for product in make(3)] == [0, 1, 2]
        assert [product async for product in make(3) >> Add(1)] == [1, 2, 3]
        assert sorted([product async for product in make(3) >> Fetch(1)]) == [1, 2, 3]

    async def test_a_group_can_be_iterated(self, make: Any) -> None:
        """async for yields the products of all paths."""
        flow = make(2) >> (Fetch(10) & Passthrough())
        assert sorted([product async for product in flow]) == [0, 1, 10, 11]

    async def test_a_producer_of_nothing_ends_at_once(self, make: Any, flow: Any) -> None:
        """No products are an empty loop."""
        assert [product async for product in flow(make(0))] == []

    async def test_each_loop_begins_afresh(self, make: Any) -> None:
        """Iterated twice, a producer produces twice."""
        producer = make(3) >> Add(1)
        for _ in range(2):
            assert [product async for product in producer] == [1, 2, 3]

    async def test_nothing_runs_before_the_first_product_is_asked_for(
        self, make: Any, flow: Any
    ) -> None:
        """Asking for an iterator starts nothing, and one that is never used can be dropped."""
        numbers = make()
        iterator = aiter(flow(numbers))
        await turns()
        assert source_of(numbers).opened == 0
        assert alone()
        del iterator

    async def test_a_busy_loop_body_is_waited_for(self, make: Any) -> None:
        """While the body of the loop is busy an endless producer stands still."""
        numbers = make()
        async with aclosing(aiter(numbers >> Add(1))) as iterator:
            read = 0
            async for _ in iterator:
                read += 1
                await turns(20)
                assert source_of(numbers).made <= read + 2 * BUFFER + 2
                if read == 50:
                    break

    async def test_closing_the_iterator_closes_the_producer(self, make: Any, flow: Any) -> None:
        """Once aclose() has been awaited nothing is left running."""
        numbers = make()
        async with aclosing(aiter(flow(numbers))) as iterator:
            async for _ in iterator:
                break
        assert source_of(numbers).closed == 1
        assert alone()

    @pytest.mark.abandons_generators
    async def test_leaving_early_closes_the_producer(self, make: Any, flow: Any) -> None:
        """After a plain break the flow ends by itself."""
        numbers = make()
        async for _ in flow(numbers):
            break
        gc.collect()
        await until(lambda: source_of(numbers).closed == 1)
        await turns()
        assert alone()

    async def test_a_cancelled_loop_closes_the_producer(self, make: Any) -> None:
        """A task that iterates and is cancelled ends everything it has started."""
        numbers = make(5)
        held = Held()

        async def read() -> None:
            async with aclosing(aiter(numbers >> held)) as iterator:
                async for _ in iterator:
                    pass

        task = asyncio.create_task(read())
        await until(lambda: held.calls.active == 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert sorted(held.calls.cancelled) == [0, 1, 2, 3, 4]
        assert source_of(numbers).closed == 1
        assert alone()

    async def test_the_error_of_the_flow_is_raised_in_the_loop(self, make: Any) -> None:
        """The very object is raised where the next product is awaited."""
        error = LookupError("step")
        seen: list[int] = []
        numbers = make()
        with pytest.raises(LookupError) as caught:
            await drained(numbers >> Fail(error, at=3), seen)
        assert caught.value is error
        assert seen == [0, 1, 2]
        assert source_of(numbers).closed == 1
        assert alone()

    async def test_two_loops_may_take_turns(self, make: Any) -> None:
        """Two iterators of one producer are two runs on the same loop."""
        producer = make(3) >> Add(1)
        async with aclosing(aiter(producer)) as first, aclosing(aiter(producer)) as second:
            pairs = [(await anext(first), await anext(second)) for _ in range(3)]
        assert pairs == [(1, 1), (2, 2), (3, 3)]

    async def test_a_producer_that_never_suspends_leaves_turns_to_others(self) -> None:
        """An endless loop over plain numbers can be cancelled."""

        async def read() -> None:
            async with aclosing(aiter(Numbers() >> Add(1))) as iterator:
                async for _ in iterator:
                    pass

        task = asyncio.create_task(read())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def test_a_simple_producer_can_be_iterated(self) -> None:
        """What holds for classes holds for SimpleProducer."""
        assert [product async for product in SimpleProducer([*"abc"])] == ["a", "b", "c"]
