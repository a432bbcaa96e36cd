"""Consumers: fed while the flow runs, with backpressure, and free to stop early."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from contextlib import suppress
from typing import Any

import pytest

from fluxus_rx import AsyncConsumer, Consumer, Passthrough, SimpleAsyncProducer
from fluxus_rx.testing import run_virtual
from tests.support.conduits import (
    Add,
    AsyncCollect,
    AsyncFirst,
    AsyncNumbers,
    Collect,
    Fail,
    Fetch,
    First,
    Held,
    Numbers,
    by_path,
    source_of,
)
from tests.support.probes import BUFFER, alone, turns, until

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="untouched")


@pytest.fixture(params=["run", "arun"])
def run(request: pytest.FixtureRequest) -> Any:
    """Run a flow in either way."""
    if request.param == "run":
        return lambda flow: flow.run()
    return lambda flow: asyncio.run(flow.arun())


@pytest.fixture(params=[Numbers, AsyncNumbers], ids=lambda make: make.__name__)
def make(request: pytest.FixtureRequest) -> Callable[..., Any]:
    maker: Callable[..., Any] = request.param
    return maker


class TestInput:
    """What a consumer is given."""

    @pytest.mark.parametrize("collect", [Collect, AsyncCollect])
    def test_products_come_with_the_index_of_their_path(self, run: Any, collect: Any) -> None:
        """Each product is a pair of path index and product; paths count from 0."""
        flow = (Numbers(2) & AsyncNumbers(3)) >> (Fetch(10) & Passthrough()) >> collect()
        paths = [sorted(path) for path in by_path(run(flow), 4)]
        assert paths == [[10, 11], [0, 1], [10, 11, 12], [0, 1, 2]]

    @pytest.mark.parametrize("collect", [Collect, AsyncCollect])
    def test_a_single_path_has_index_0(self, run: Any, collect: Any) -> None:
        """Without a group all pairs begin with 0."""
        assert run(Numbers(2) >> collect()) == [(0, 0), (0, 1)]

    def test_an_asynchronous_consumer_runs_on_the_loop_of_the_run(self) -> None:
        """aconsume can await whatever the running loop has to offer."""

        class Waits(AsyncConsumer[int, int]):
            async def aconsume(self, products: AsyncIterable[tuple[int, int]]) -> int:
                async with asyncio.TaskGroup() as group:
                    tasks = [
                        group.create_task(asyncio.sleep(0, product))
                        async for _, product in products
                    ]
                return sum(task.result() for task in tasks)

        assert (Numbers(5) >> Fetch() >> Waits()).run() == 10

    @pytest.mark.parametrize("result", [None, [], "x"], ids=repr)
    def test_a_consumer_may_return_anything(self, run: Any, result: Any) -> None:
        """The run returns what the consumer returns, as it is."""

        class Fixed(Consumer[int, Any]):
            def consume(self, products: Iterable[tuple[int, int]]) -> Any:
                for _ in products:
                    pass
                return result

        assert run(Numbers(3) >> Fixed()) is result


class TestStreaming:
    """A consumer sees products while the flow runs, and the flow waits for it."""

    def test_a_consumer_is_fed_while_the_flow_runs(self, run: Any, make: Any) -> None:
        """A consumer has seen the first products before the producer makes the last ones."""
        numbers = make(1_000)
        source = source_of(numbers)

        class Watch(Consumer[int, int]):
            def consume(self, products: Iterable[tuple[int, int]]) -> int:
                return int(max(source.made - seen for seen, _ in enumerate(products)))

        # Items in the hand of the producer, the buffers and the calls in between.
        fetch = Fetch().options(concurrency=4, ordered=True)
        assert run(numbers >> Watch()) <= 2 * BUFFER + 2
        source.made = 0
        assert run(numbers >> fetch >> Watch()) <= 4 * 4 + 4 * BUFFER

    def test_an_asynchronous_consumer_is_fed_while_the_flow_runs(self, run: Any, make: Any) -> None:
        """The same holds for aconsume."""
        numbers = make(1_000)
        source = source_of(numbers)

        class Watch(AsyncConsumer[int, int]):
            async def aconsume(self, products: AsyncIterable[tuple[int, int]]) -> int:
                furthest = seen = 0
                async for _ in products:
                    await turns(3)
                    furthest = max(furthest, source.made - seen)
                    seen += 1
                return furthest

        assert run(numbers >> Watch()) <= 2 * BUFFER + 2

    def test_run_drives_the_flow_from_the_consumers_own_iteration(self) -> None:
        """In run() a synchronous consumer runs in the caller's thread."""
        seen: list[int] = []

        class Where(Consumer[int, None]):
            def consume(self, products: Iterable[tuple[int, int]]) -> None:
                seen.append(threading.get_ident())
                list(products)

        (AsyncNumbers(3) >> Fetch() >> Where()).run()
        assert seen == [threading.get_ident()]

    async def test_arun_gives_a_synchronous_consumer_a_thread_of_its_own(self) -> None:
        """In arun() a synchronous consumer may block without holding the loop."""
        seen: list[int] = []
        going_on = threading.Event()

        class Blocks(Consumer[int, int]):
            def consume(self, products: Iterable[tuple[int, int]]) -> int:
                seen.append(threading.get_ident())
                going_on.wait()
                return sum(product for _, product in products)

        task = asyncio.create_task((AsyncNumbers(4) >> Blocks()).arun())
        await turns()
        going_on.set()
        assert await task == 6
        assert seen != [threading.get_ident()]

    async def test_a_consumer_in_its_thread_is_waited_for(self) -> None:
        """While a synchronous consumer in arun() is busy, the producer stands still."""
        numbers = AsyncNumbers()
        has_three, going_on = threading.Event(), threading.Event()

        class Slow(Consumer[int, int]):
            def consume(self, products: Iterable[tuple[int, int]]) -> int:
                for seen, _ in enumerate(products, 1):
                    if seen == 3:
                        has_three.set()
                        going_on.wait()
                    if seen == 10:
                        break
                return 10

        task = asyncio.create_task((numbers >> Slow()).arun())
        await until(has_three.is_set)
        await turns(200)
        assert numbers.source.made <= 3 + 2 * BUFFER + 2
        made = numbers.source.made
        await turns(100)
        assert numbers.source.made == made
        going_on.set()
        assert await task == 10
        assert numbers.source.closed == 1

    async def test_a_consumer_in_its_thread_gets_a_product_as_soon_as_it_is_there(self) -> None:
        """It doesn't wait for those that will come with others in one go."""
        seen: list[int] = []

        async def one_by_one() -> AsyncIterator[int]:
            for number in range(2 * BUFFER):
                yield number
                while len(seen) <= number:
                    await turns(1)

        class Watch(Consumer[int, int]):
            def consume(self, products: Iterable[tuple[int, int]]) -> int:
                for _, product in products:
                    seen.append(product)
                return len(seen)

        assert await (SimpleAsyncProducer(one_by_one()) >> Watch()).arun() == 2 * BUFFER

    def test_virtual_time_passes_while_a_consumer_in_its_thread_waits(self) -> None:
        """And stands still while it works."""

        async def slow() -> AsyncIterator[int]:
            for number in range(3):
                await asyncio.sleep(10)
                yield number

        async def main() -> float:
            assert await (SimpleAsyncProducer(slow()) >> Collect()).arun()
            return asyncio.get_running_loop().time()

        assert run_virtual(main) == pytest.approx(30)

    async def test_a_consumer_in_its_thread_sees_the_callers_context(self) -> None:
        """Context variables set by the caller of arun() are there in consume."""

        class Look(Consumer[int, str]):
            def consume(self, products: Iterable[tuple[int, int]]) -> str:
                list(products)
                return VARIABLE.get()

        token = VARIABLE.set("caller")
        found = await (Numbers(1) >> Look()).arun()
        VARIABLE.reset(token)
        assert found == "caller"

    def test_a_consumer_in_run_sees_the_callers_context(self) -> None:
        """Context variables set by the caller of run() are there in consume."""

        class Look(Consumer[int, str]):
            def consume(self, products: Iterable[tuple[int, int]]) -> str:
                list(products)
                return VARIABLE.get()

        token = VARIABLE.set("caller")
        found = (AsyncNumbers(1) >> Fetch() >> Look()).run()
        VARIABLE.reset(token)
        assert found == "caller"


class TestStoppingEarly:
    """A consumer that has enough returns, and the flow ends."""

    @pytest.mark.parametrize("first", [First, AsyncFirst])
    def test_a_consumer_may_stop_early(self, run: Any, make: Any, first: Any) -> None:
        """An endless producer is closed when the consumer has what it wants."""
        numbers = make()
        assert run(numbers >> Add(1) >> first(3)) == [1, 2, 3]
        assert source_of(numbers).closed == 1
        assert source_of(numbers).made <= 3 + 2 * BUFFER + 2

    @pytest.mark.parametrize("first", [First, AsyncFirst])
    def test_calls_in_flight_are_cancelled(self, run: Any, first: Any) -> None:
        """What nobody will read is not waited for."""
        held = Held()
        flow = Numbers() >> (held & Passthrough()) >> first(3)
        assert len(run(flow)) == 3
        assert held.calls.active == 0
        assert sorted(held.calls.cancelled) == sorted(held.calls.started)

    def test_a_consumer_may_read_nothing_at_all(self, run: Any, make: Any) -> None:
        """A consumer that returns without reading ends the flow."""

        class Indifferent(Consumer[int, str]):
            def consume(self, products: Iterable[tuple[int, int]]) -> str:
                return "whatever"

        numbers = make()
        assert run(numbers >> Fetch() >> Indifferent()) == "whatever"
        assert source_of(numbers).opened == source_of(numbers).closed

    def test_an_asynchronous_consumer_may_read_nothing_at_all(self, run: Any, make: Any) -> None:
        """The same holds for aconsume."""

        class Indifferent(AsyncConsumer[int, str]):
            async def aconsume(self, products: AsyncIterable[tuple[int, int]]) -> str:
                return "whatever"

        numbers = make()
        assert run(numbers >> Fetch() >> Indifferent()) == "whatever"
        assert source_of(numbers).opened == source_of(numbers).closed

    def test_a_consumer_may_iterate_in_two_goes(self, run: Any) -> None:
        """The rest of the products is there for a second loop."""

        class Twice(Consumer[int, tuple[list[int], list[int]]]):
            def consume(self, products: Iterable[tuple[int, int]]) -> tuple[list[int], list[int]]:
                iterator = iter(products)
                first = [product for _, product in (next(iterator), next(iterator))]
                return first, [product for _, product in iterator]

        assert run(Numbers(5) >> Twice()) == ([0, 1], [2, 3, 4])

    def test_products_kept_for_later_do_no_harm(self, run: Any, make: Any) -> None:
        """An iterable that outlives the run raises or ends; it does not hang."""

        class Keeps(Consumer[int, Any]):
            def consume(self, products: Iterable[tuple[int, int]]) -> Any:
                iterator = iter(products)
                next(iterator)
                return iterator

        numbers = make()
        kept = run(numbers >> Keeps())
        assert source_of(numbers).closed == 1
        try:
            late = list(kept)
        except RuntimeError:
            late = []
        assert late == []


class TestErrors:
    """A consumer that raises, and one whose flow does."""

    def test_the_error_of_a_consumer_is_raised_as_it_is(self, run: Any, make: Any) -> None:
        """What consume raises is what the run raises; the producer is closed."""
        error = LookupError("consumer")

        class Raises(Consumer[int, None]):
            def consume(self, products: Iterable[tuple[int, int]]) -> None:
                for _, product in products:
                    if product == 2:
                        raise error

        numbers = make()
        with pytest.raises(LookupError) as caught:
            run(numbers >> Fetch().options(ordered=True) >> Raises())
        assert caught.value is error
        assert source_of(numbers).closed == 1

    def test_the_error_of_an_asynchronous_consumer_is_raised_as_it_is(
        self, run: Any, make: Any
    ) -> None:
        """What aconsume raises is what the run raises; the producer is closed."""
        error = LookupError("consumer")

        class Raises(AsyncConsumer[int, None]):
            async def aconsume(self, products: AsyncIterable[tuple[int, int]]) -> None:
                async for _ in products:
                    raise error

        numbers = make()
        with pytest.raises(LookupError) as caught:
            run(numbers >> Fetch() >> Raises())
        assert caught.value is error
        assert source_of(numbers).closed == 1

    def test_a_consumer_gets_the_error_of_the_flow_where_it_reads(self, run: Any) -> None:
        """The error of a step is raised in consume, after the products before it."""
        error = LookupError("step")
        seen: list[Any] = []

        class Watches(Consumer[int, None]):
            def consume(self, products: Iterable[tuple[int, int]]) -> None:
                try:
                    seen.extend(product for _, product in products)
                except LookupError as caught:
                    seen.append(caught)
                    raise

        with pytest.raises(LookupError) as caught:
            run(Numbers() >> Fail(error, at=2) >> Watches())
        assert caught.value is error
        assert seen[-1] is error

    def test_a_consumer_cannot_make_an_error_of_the_flow_unseen(self, run: Any) -> None:
        """A consumer that swallows the error of a step does not turn it into a success."""
        error = LookupError("step")

        class Swallows(Consumer[int, str]):
            def consume(self, products: Iterable[tuple[int, int]]) -> str:
                with suppress(LookupError):
                    list(products)
                return "fine"

        with pytest.raises(LookupError) as caught:
            run(Numbers() >> Fail(error, at=2) >> Swallows())
        assert caught.value is error

    async def test_a_cancelled_run_ends_a_consumer_in_its_thread(self) -> None:
        """Cancelled in arun(), a synchronous consumer that reads is woken and ends."""
        held = Held()
        ended: list[bool] = []

        class Waits(Consumer[int, None]):
            def consume(self, products: Iterable[tuple[int, int]]) -> None:
                try:
                    list(products)
                finally:
                    ended.append(True)

        task = asyncio.create_task((Numbers(3) >> held >> Waits()).arun())
        await until(lambda: held.calls.active == 3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert held.calls.active == 0
        assert ended == [True]

    async def test_a_run_may_be_cancelled_at_any_moment(self) -> None:
        """The consumer in its thread is told each time, be it waiting, or busy, or not begun."""
        kinds: list[type[BaseException]] = []

        class Watches(Consumer[int, None]):
            def consume(self, products: Iterable[tuple[int, int]]) -> None:
                try:
                    for _ in products:
                        pass
                except BaseException as error:
                    kinds.append(type(error))
                    raise

        for moment in range(40):
            task = asyncio.create_task((AsyncNumbers() >> Fetch() >> Watches()).arun())
            await turns(moment)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert alone()
        assert {*kinds} == {asyncio.CancelledError}

    def test_a_cancelled_run_leaves_a_consumer_that_blocks(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        """After 5 seconds; a warning tells of it, and it gets no more when it goes on."""
        entered, leave, left = threading.Event(), threading.Event(), threading.Event()
        ended: list[type[BaseException]] = []

        class Blocks(Consumer[int, None]):
            def consume(self, products: Iterable[tuple[int, int]]) -> None:
                try:
                    for _ in products:
                        entered.set()
                        leave.wait()
                except BaseException as error:
                    ended.append(type(error))
                    raise
                finally:
                    left.set()

        async def main() -> float:
            loop = asyncio.get_running_loop()
            task = asyncio.create_task((Numbers(1) >> Blocks()).arun())
            await asyncio.to_thread(entered.wait)
            began = loop.time()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return loop.time() - began

        assert run_virtual(main, patience=0.01) == pytest.approx(5)
        leave.set()
        assert left.wait(10)
        assert ended == [asyncio.CancelledError]
        warned = [text for text in caplog.messages if "consumer still runs" in text]
        assert len(warned) == 1
        assert "Blocks.consume" in warned[0]
        assert "5 s" in warned[0]

    async def test_a_cancelled_run_ends_an_asynchronous_consumer(self) -> None:
        """Cancelled in arun(), aconsume runs its finally clauses."""
        held = Held()
        ended: list[bool] = []

        class Waits(AsyncConsumer[int, None]):
            async def aconsume(self, products: AsyncIterable[tuple[int, int]]) -> None:
                try:
                    async for _ in products:
                        pass
                finally:
                    ended.append(True)

        task = asyncio.create_task((Numbers(3) >> held >> Waits()).arun())
        await until(lambda: held.calls.active == 3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended == [True]
        assert held.calls.active == 0
        assert alone()
