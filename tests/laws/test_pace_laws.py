"""The laws of the engine: how far a source runs ahead, how many calls there are, in which order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxus_rx import (
    AsyncTransformer,
    Passthrough,
    Producer,
    SimpleProducer,
    Transformer,
    parallel,
    run,
    step,
)
from fluxus_rx._streams.channel import BUFFER
from tests.support.graphs import Recorder, flows, seeds, with_oracle
from tests.support.oracle import Chain, Graph, Group, Step

A = TypeVar("A")


class Counted(Producer[int]):
    """Numbers without end or up to a length; `produced` says how many were asked for."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.produced = 0
        self.closed = False

    def produce(self) -> Iterator[int]:
        try:
            for number in range(self.length):
                self.produced += 1
                yield number
        finally:
            self.closed = True


class Same(Transformer[int, int]):
    def transform(self, product: int) -> Iterator[int]:
        yield product


class Late(AsyncTransformer[int, int]):
    """Each product as it is, after a few turns of the loop that depend on it."""

    def __init__(self, longest: int = 5) -> None:
        self.longest = longest
        self.active = 0
        self.peak = 0

    async def atransform(self, product: int) -> AsyncIterator[int]:
        self.active += 1
        self.peak = max(self.peak, self.active)
        try:
            for _ in range(hash((product, self.longest)) % (self.longest + 1)):
                await asyncio.sleep(0)
            yield product
        finally:
            self.active -= 1


def reach(limits: list[int]) -> int:
    """The sum of limits and buffers: what may lie between the source and an asynchronous reader.

    A blocking reader has one buffer more: what it takes from the loop at a time.
    """
    return sum(limit + BUFFER for limit in limits) + BUFFER


def streamed(items: Iterable[A], transformer: Any) -> list[Any]:
    """What the transformer makes of the items, in the order in which it comes.

    `process` would not do: what is collected is in the order of the source.
    """
    return list(SimpleProducer(items) >> transformer)


class TestBackpressure:
    @given(limits=st.lists(st.integers(1, 8), max_size=4), pauses=st.integers(0, 3))
    def test_a_source_is_never_further_ahead_than_limits_and_buffers(
        self, limits: list[int], pauses: int
    ) -> None:
        """However slow the reader of an asynchronous stream, the source stays within reach."""
        source = Counted(150)
        flow: Any = source
        for limit in limits:
            flow = flow >> Late().options(concurrency=limit) >> Same()

        async def furthest() -> int:
            ahead = read = 0
            async for _ in flow:
                read += 1
                for _ in range(pauses):
                    await asyncio.sleep(0)
                ahead = max(ahead, source.produced - read)
                if read == 10:
                    # Give everything that could run ahead all the time it wants.
                    for _ in range(200):
                        await asyncio.sleep(0)
                    ahead = max(ahead, source.produced - read)
            assert read == 150
            return ahead

        assert asyncio.run(furthest()) <= reach(limits)

    @given(limits=st.lists(st.integers(1, 8), max_size=4), count=st.integers(1, 50))
    def test_a_blocking_reader_holds_the_source_back(self, limits: list[int], count: int) -> None:
        """A for loop that stops early leaves the source no further than limits and buffers."""
        source = Counted(10_000)
        flow: Any = source
        for limit in limits:
            flow = flow >> Late().options(concurrency=limit)

        for read, _ in enumerate(flow, 1):
            assert source.produced - read <= reach(limits) + BUFFER
            if read == count:
                break

        assert source.produced <= count + reach(limits) + BUFFER

    def test_the_source_of_a_synchronous_chain_is_read_as_the_reader_asks(self) -> None:
        """Without asynchronous steps there is nothing but the reader's own buffers."""
        source = Counted(1_000)

        for read, _ in enumerate(source >> Same() >> Same(), 1):
            assert source.produced - read <= reach([]) + BUFFER
            if read == 100:
                break

        assert source.closed

    @given(limits=st.lists(st.integers(1, 8), min_size=1, max_size=4))
    def test_the_slowest_branch_sets_the_pace(self, limits: list[int]) -> None:
        """A branch that stands still holds the source back within its own limit and buffers."""
        source = Counted(10_000)

        class Stuck(AsyncTransformer[int, int]):
            async def atransform(self, product: int) -> AsyncIterator[int]:
                await asyncio.Event().wait()
                yield product

        group: Any = Passthrough()
        for limit in limits:
            group = group & Stuck().options(concurrency=limit)
        flow: Any = source >> group

        async def read_what_comes() -> None:
            async for _ in flow:
                pass

        async def main() -> None:
            reader = asyncio.create_task(read_what_comes())
            for _ in range(300):
                await asyncio.sleep(0)
            reader.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reader

        asyncio.run(main())
        assert source.produced <= min(limits) + 3 * BUFFER
        assert source.closed

    @pytest.mark.parametrize("length", [500, 4_000])
    def test_reach_does_not_grow_with_the_length_of_a_stream(self, length: int) -> None:
        """The source of a long stream is no further ahead than the source of a short one."""
        source = Counted(length)
        ahead = [
            source.produced - read
            for read, _ in enumerate(source >> Late().options(concurrency=4), 1)
        ]

        assert max(ahead) <= reach([4]) + BUFFER
        assert len(ahead) == length


class TestLimits:
    @given(graph=flows(), seed=seeds)
    def test_a_limit_is_never_exceeded(self, graph: Graph, seed: int) -> None:
        """No more calls of a step are in flight than its limit, over all paths of the run."""
        with_oracle(graph)
        recorder = Recorder(seed)

        run(recorder.flow(graph))

        limits = {one.name: one.limit for one in all_steps(graph) if one.limit}
        assert {
            name: peak
            for name, peak in recorder.peak.items()
            if name != "again" and name in limits and peak > limits[name]
        } == {}

    @given(limit=st.integers(1, 6), branches=st.integers(1, 5), seed=seeds)
    def test_a_limit_is_one_for_all_paths_and_is_used_to_the_full(
        self, limit: int, branches: int, seed: int
    ) -> None:
        """A step behind a group works on as many products at once as its limit says, no more."""
        recorder = Recorder(seed)
        source = step("src", [{"x": x} for x in range(20)])
        group = parallel([step(f"b{i}", lambda x, i=i: {"x": x + i}) for i in range(branches)])

        async def meet(x: int) -> dict[str, int]:
            with recorder.in_flight("meet"):
                for _ in range(20):
                    await asyncio.sleep(0)
            return {"x": x}

        flow: Any = source >> group >> step("meet", meet).options(concurrency=limit)

        assert sum(map(len, run(flow))) == 20 * branches
        assert recorder.peak["meet"] == limit

    def test_the_default_limit_is_256(self) -> None:
        """Without an option, 256 calls of a step are in flight at most, and that many can be."""
        recorder = Recorder()
        all_here = asyncio.Event()

        async def meet(x: int) -> dict[str, int]:
            with recorder.in_flight("meet"):
                if recorder.active["meet"] == 256:
                    all_here.set()
                await all_here.wait()
                await asyncio.sleep(0)
            return {"x": x}

        group = parallel([step(f"b{i}", lambda x: {"x": x}) for i in range(3)])
        run(step("src", [{"x": x} for x in range(300)]) >> group >> step("meet", meet))

        assert recorder.peak["meet"] == 256


def all_steps(graph: Graph) -> Iterator[Step]:
    match graph:
        case Step():
            yield graph
        case Chain(first, second):
            yield from all_steps(first)
            yield from all_steps(second)
        case Group(branches):
            for branch in branches:
                yield from all_steps(branch)
        case _:
            pass


class TestOrder:
    @given(
        items=st.lists(st.integers(0, 9), max_size=30),
        limit=st.integers(1, 8),
        longest=st.integers(0, 9),
    )
    def test_ordered_keeps_the_order_of_the_source(
        self, items: list[int], limit: int, longest: int
    ) -> None:
        """With ordered=True the products of a slow call come before those of a later quick one."""

        class Pair(AsyncTransformer[int, tuple[int, int]]):
            async def atransform(self, product: int) -> AsyncIterator[tuple[int, int]]:
                for part in range(product % 3):
                    for _ in range((product * 7) % (longest + 1)):
                        await asyncio.sleep(0)
                    yield product, part

        pair = Pair().options(concurrency=limit, ordered=True)

        assert streamed(items, pair) == [(i, part) for i in items for part in range(i % 3)]

    @given(items=st.lists(st.integers(0, 9), max_size=30), limit=st.integers(1, 8))
    def test_without_order_the_same_products_come(self, items: list[int], limit: int) -> None:
        """Without ordered=True products come as they are ready, none lost and none twice."""
        assert sorted(streamed(items, Late().options(concurrency=limit))) == sorted(items)

    def test_products_come_in_order_of_completion(self) -> None:
        """A quick call overtakes a slow one unless order is asked for."""

        class Swap(AsyncTransformer[int, int]):
            def __init__(self) -> None:
                self.second = asyncio.Event()

            async def atransform(self, product: int) -> AsyncIterator[int]:
                if product == 0:
                    await self.second.wait()
                yield product
                if product == 1:
                    self.second.set()

        assert streamed([0, 1], Swap()) == [1, 0]
        assert Swap().process([0, 1]) == [0, 1]

    def test_one_slow_call_does_not_stall_the_rest_of_an_ordered_step(self) -> None:
        """In order, too, later calls start while the first one waits."""
        later = asyncio.Event()

        class First(AsyncTransformer[int, int]):
            async def atransform(self, product: int) -> AsyncIterator[int]:
                if product == 0:
                    await later.wait()
                if product == 3:
                    later.set()
                yield product

        numbers = list(range(10))

        assert streamed(numbers, First().options(concurrency=2, ordered=True)) == numbers

    def test_order_holds_through_a_chain_of_ordered_steps(self) -> None:
        """Several ordered steps in a row keep the order between them."""
        flow: Any = Counted(100)
        for longest in (7, 5, 3):
            flow = flow >> Late(longest).options(concurrency=6, ordered=True)

        assert list(flow) == list(range(100))
