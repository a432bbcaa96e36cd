"""What must not break a flow: errors in producers, transformers and consumers that are classes."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from typing import Any

import pytest
from reactivex import operators as ops

from fluxus_rx import (
    AsyncConsumer,
    AsyncProducer,
    AsyncTransformer,
    Consumer,
    Producer,
    RunResult,
    SimpleProducer,
    Transformer,
    chain,
    passthrough,
    run,
    rx_pipe,
    step,
)
from tests.support.errors import untyped
from tests.support.failing import ENDINGS, ENTRIES, Journal, feeding, numbers, price
from tests.support.tables import all_pairs


class TestClasses:
    @all_pairs(
        "make, after, asynchronous, with_arun",
        [price, *ENDINGS],
        {"before": 0, "amid": 2, "after": 100},
        {"sync": False, "async": True},
        ENTRIES,
    )
    def test_whatever_a_consumer_raises_is_raised(
        self,
        make: Callable[[], BaseException],
        after: int,
        asynchronous: bool,
        with_arun: bool,
    ) -> None:
        """A consumer may fail before, amid and after its products; the source is closed."""
        error, journal = make(), Journal()

        class Source(Producer[int]):
            def produce(self) -> Iterator[int]:
                with journal.entry("source"):
                    yield from range(100)

        class Failing(Consumer[int, None]):
            def consume(self, products: Iterable[tuple[int, int]]) -> None:
                read = 0
                for read, _ in enumerate(products):
                    if read == after:
                        raise error
                assert read == 99
                raise error

        class AsyncFailing(AsyncConsumer[int, None]):
            async def aconsume(self, products: AsyncIterable[tuple[int, int]]) -> None:
                read = 0
                async for _, product in products:
                    read = product
                    if read == after:
                        raise error
                assert read == 99
                raise error

        flow: Any = Source() >> (AsyncFailing() if asynchronous else Failing())

        with pytest.raises(type(error)) as caught:
            asyncio.run(flow.arun()) if with_arun else flow.run()

        assert caught.value is error
        assert journal.settled

    @pytest.mark.parametrize("make", [StopIteration, StopAsyncIteration])
    @pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
    @pytest.mark.parametrize("with_arun", ENTRIES.values(), ids=ENTRIES)
    def test_a_consumer_cannot_end_by_stop_iteration(
        self, make: Callable[[], BaseException], asynchronous: bool, with_arun: bool
    ) -> None:
        """StopIteration from a consumer is an error."""
        error = make()

        class Failing(Consumer[int, None]):
            def consume(self, products: Iterable[tuple[int, int]]) -> None:
                next(iter(products))
                raise error

        class AsyncFailing(AsyncConsumer[int, None]):
            async def aconsume(self, products: AsyncIterable[tuple[int, int]]) -> None:
                raise error

        flow: Any = SimpleProducer([1, 2, 3]) >> (AsyncFailing() if asynchronous else Failing())

        with pytest.raises(RuntimeError):
            asyncio.run(flow.arun()) if with_arun else flow.run()

    @pytest.mark.parametrize("make", [price, *ENDINGS])
    @pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
    def test_whatever_a_transformer_raises_is_raised(
        self, make: Callable[[], BaseException], asynchronous: bool
    ) -> None:
        """process() raises the very object that a transformer raised, amid its products."""
        error, journal = make(), Journal()

        class Failing(Transformer[int, int]):
            def transform(self, product: int) -> Iterator[int]:
                with journal.entry("transform"):
                    yield product
                    if product == 3:
                        raise error

        class AsyncFailing(AsyncTransformer[int, int]):
            async def atransform(self, product: int) -> AsyncIterator[int]:
                with journal.entry("transform"):
                    await asyncio.sleep(0)
                    yield product
                    if product == 3:
                        raise error

        transformer = AsyncFailing() if asynchronous else Failing()

        with pytest.raises(type(error)) as caught:
            transformer.process(range(10))

        assert caught.value is error
        assert journal.settled

    @pytest.mark.parametrize("make", [price, *ENDINGS])
    @pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
    def test_whatever_a_producer_raises_is_raised_to_who_iterates_it(
        self, make: Callable[[], BaseException], asynchronous: bool
    ) -> None:
        """Iterating a producer yields its products, and then its error."""
        error = make()

        class Failing(Producer[int]):
            def produce(self) -> Iterator[int]:
                yield from range(3)
                raise error

        class AsyncFailing(AsyncProducer[int]):
            async def aproduce(self) -> AsyncIterator[int]:
                for number in range(3):
                    yield number
                raise error

        producer: Any = AsyncFailing() if asynchronous else Failing()
        seen: list[int] = []

        def read() -> None:
            for product in producer:
                seen.append(product)

        with pytest.raises(type(error)) as caught:
            read()

        assert caught.value is error
        assert seen == [0, 1, 2]

    @pytest.mark.parametrize("make", [price, *ENDINGS])
    def test_an_rx_operator_fails(self, make: Callable[[], BaseException]) -> None:
        """An error in the function of an Rx operator within a flow ends the run."""
        error, journal = make(), Journal()

        def check(x: int) -> int:
            if x == 5:
                raise error
            return x

        class Numbers(Producer[int]):
            def produce(self) -> Iterator[int]:
                with journal.entry("source"):
                    yield from range(100)

        class Collect(Consumer[int, list[int]]):
            def consume(self, products: Iterable[tuple[int, int]]) -> list[int]:
                return [product for _, product in products]

        flow: Any = Numbers() >> rx_pipe(ops.map(check)) >> Collect()

        with pytest.raises(type(error)) as caught:
            flow.run()

        assert caught.value is error
        assert journal.settled


class TestEmpty:
    @pytest.mark.parametrize("asynchronous", [False, True])
    def test_an_empty_source_gives_empty_paths(self, asynchronous: bool) -> None:
        """Nothing in, nothing out: every path is there, and empty."""
        flow = step("src", []) >> feeding("two groups", asynchronous, Journal())

        assert run(flow) == RunResult(*[[]] * 6)

    @pytest.mark.parametrize("asynchronous", [False, True])
    def test_a_branch_that_gives_nothing_does_not_hold_up_the_others(
        self, asynchronous: bool
    ) -> None:
        """A branch may filter everything out."""

        async def late(x: int) -> list[dict[str, int]]:
            return []

        def plain(x: int) -> list[dict[str, int]]:
            return []

        nothing = step("none", untyped(late if asynchronous else plain))
        flow = numbers(1_000, Journal()) >> (nothing >> step("more", lambda x: {}) & passthrough())

        assert list(map(len, run(flow))) == [0, 1_000]

    def test_a_chain_after_nothing_is_not_called(self) -> None:
        """Steps behind a step that returns nothing are never called."""
        calls: list[int] = []

        def count(x: int) -> dict[str, int]:
            calls.append(x)
            return {}

        flow = chain(step("src", {"x": 1}), step("none", lambda x: []), step("s", count))

        assert run(flow) == RunResult([])
        assert calls == []


@dataclasses.dataclass(frozen=True)
class Frozen(Exception):
    """Nothing can be assigned to it: no note, no traceback."""

    code: int


class Raises(Transformer[int, int]):
    def transform(self, product: int) -> Iterator[int]:
        raise Frozen(product)
        yield product


class RaisesLate(AsyncTransformer[int, int]):
    async def atransform(self, product: int) -> AsyncIterator[int]:
        await asyncio.sleep(0)
        raise Frozen(product)
        yield product


class AsyncLists(AsyncConsumer[int, list[int]]):
    async def aconsume(self, products: AsyncIterable[tuple[int, int]]) -> list[int]:
        return [product async for _, product in products]


class Lists(Consumer[int, list[int]]):
    def consume(self, products: Iterable[tuple[int, int]]) -> list[int]:
        return [product for _, product in products]


async def _iterated(products: AsyncIterable[int]) -> list[int]:
    return [product async for product in products]


@pytest.mark.parametrize("transformer", [Raises(), RaisesLate()], ids=["sync", "async"])
@pytest.mark.parametrize(
    "take",
    [
        lambda flow: list(flow),
        lambda flow: asyncio.run(_iterated(flow)),
        lambda flow: (flow >> Lists()).run(),
        lambda flow: asyncio.run((flow >> Lists()).arun()),
        lambda flow: (flow >> AsyncLists()).run(),
        lambda flow: asyncio.run((flow >> AsyncLists()).arun()),
    ],
    ids=["for", "async for", "run", "arun", "async run", "async arun"],
)
def test_an_exception_that_refuses_assignments_is_raised_as_it_is(
    take: Any, transformer: Any
) -> None:
    """A frozen dataclass may be an exception; the reader of the products gets it."""
    with pytest.raises(Frozen) as caught:
        take(SimpleProducer([5]) >> transformer)
    assert caught.value.code == 5
