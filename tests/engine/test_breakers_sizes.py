"""What must not break a flow: long, wide and deep ones."""

from __future__ import annotations

import asyncio
import functools
import operator
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import Any

import pytest

from fluxus_rx import (
    AsyncConsumer,
    AsyncTransformer,
    Consumer,
    Producer,
    Transformer,
    arun,
    chain,
    parallel,
    run,
    step,
)
from tests.support.errors import untyped


def increment(x: int) -> dict[str, int]:
    return {"x": x + 1}


async def late(x: int) -> dict[str, int]:
    await asyncio.sleep(0)
    return {"x": x + 1}


class Numbers(Producer[int]):
    """So many numbers; `produced` says how many were read, `closed` whether it ended."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.produced = 0
        self.closed = False

    def produce(self) -> Iterator[int]:
        try:
            for number in range(self.count):
                self.produced += 1
                yield number
        finally:
            self.closed = True


class Expand(Transformer[int, int]):
    """So many products of each; a sync generator that counts how far it was read."""

    def __init__(self) -> None:
        self.made = 0
        self.closed = False

    def transform(self, product: int) -> Iterator[int]:
        try:
            for number in range(product):
                self.made += 1
                yield number
        finally:
            self.closed = True


class AsyncExpand(AsyncTransformer[int, int]):
    def __init__(self) -> None:
        self.made = 0
        self.closed = False

    async def atransform(self, product: int) -> AsyncIterator[int]:
        try:
            for number in range(product):
                self.made += 1
                yield number
        finally:
            self.closed = True


class One(Producer[int]):
    def __init__(self, number: int) -> None:
        self.number = number

    def produce(self) -> Iterator[int]:
        yield self.number


class Count(Consumer[int, tuple[int, int]]):
    """The number of products and their sum."""

    def consume(self, products: Iterable[tuple[int, int]]) -> tuple[int, int]:
        count = total = 0
        for _, product in products:
            count += 1
            total += product
        return count, total


class AsyncCount(AsyncConsumer[int, tuple[int, int]]):
    """The same, in the loop."""

    async def aconsume(self, products: AsyncIterable[tuple[int, int]]) -> tuple[int, int]:
        count = total = 0
        async for _, product in products:
            count += 1
            total += product
        return count, total


class Same(Transformer[int, int]):
    def transform(self, product: int) -> Iterator[int]:
        yield product


class Late(AsyncTransformer[int, int]):
    async def atransform(self, product: int) -> AsyncIterator[int]:
        await asyncio.sleep(0)
        yield product


@pytest.fixture
def without_debug(monkeypatch: pytest.MonkeyPatch) -> None:
    """Debug mode off: in it asyncio takes the stack for each future, and a minute passes."""
    monkeypatch.delenv("PYTHONASYNCIODEBUG", raising=False)


class TestLength:
    @pytest.mark.parametrize("length", [1, 20])
    def test_2000_synchronous_steps_can_be_chained(self, length: int) -> None:
        """A chain of 2,000 steps keeps the whole lineage of each product."""
        steps = [step(f"s{i}", increment) for i in range(2_000)]

        result = run(chain(step("src", [{"x": x} for x in range(length)]), *steps))

        assert len(result[0]) == length
        for x, output in enumerate(result[0]):
            assert len(output) == 2_001
            assert output["s1999"] == {"x": x + 2_000}

    def test_2000_synchronous_steps_of_one_name_can_be_chained(self) -> None:
        """A name that occurs 2,000 times is counted up to #1999."""
        result = run(chain(*[step("s", increment)] * 2_000), input={"x": 0})

        assert list(result[0][0])[:3] == ["input", "s", "s#1"]
        assert result[0][0]["s#1999"] == {"x": 2_000}

    def test_2000_conduits_can_be_chained_with_the_operator(self) -> None:
        """`>>` takes a chain as far as chain() does, from the left and from the right."""
        transformers: list[Any] = [Same() for _ in range(2_000)]
        left = functools.reduce(operator.rshift, transformers)
        right = functools.reduce(lambda after, one: one >> after, reversed(transformers))

        for flow in (left, right):
            assert list(Numbers(10) >> flow) == list(range(10))

    def test_a_long_chain_can_be_printed_and_looked_at(self) -> None:
        """repr and introspection of 2,000 chained steps need no deep stack."""
        flow: Any = chain(*(step(f"s{i}", increment) for i in range(2_000)))

        assert "s1999" in repr(flow)
        assert "s1999" in str(flow)
        assert flow.n_concurrent_conduits == 1
        assert flow.final_conduit.name == "s1999"
        assert len(list(flow.get_connections(ingoing=[]))) == 1_999

    def test_200_asynchronous_steps_can_be_chained(self) -> None:
        """200 steps, each of which waits for each product, return the same as nested loops."""
        steps = [step(f"s{i}", late) for i in range(200)]

        result = run(chain(step("src", [{"x": x} for x in range(10)]), *steps))

        assert [output["s199"]["x"] for output in result[0]] == [x + 200 for x in range(10)]

    def test_200_asynchronous_transformers_can_be_chained(self) -> None:
        """Each of them with a limit of one, products come in their order."""
        transformers: list[Any] = [Late().options(concurrency=1) for _ in range(200)]
        flow = functools.reduce(operator.rshift, transformers)

        assert flow.process(range(10)) == list(range(10))

    def test_sync_and_async_steps_can_take_turns_in_a_long_chain(self) -> None:
        """A chain of 300 steps of both kinds."""
        steps = [step(f"s{i}", late if i % 3 == 0 else increment) for i in range(300)]

        result = run(chain(step("src", [{"x": x} for x in range(5)]), *steps))

        assert [output["s299"]["x"] for output in result[0]] == [x + 300 for x in range(5)]


@pytest.mark.usefixtures("without_debug")
class TestWidth:
    @pytest.mark.parametrize("function", [increment, late], ids=["sync", "async"])
    def test_2000_branches_can_stand_side_by_side(self, function: Any) -> None:
        """A group of 2,000 branches has 2,000 paths in their order."""
        group = parallel([step(f"b{i}", function) for i in range(2_000)])

        result = run(step("src", [{"x": 1}, {"x": 2}]) >> group)

        assert len(result) == 2_000
        for i, path in enumerate(result):
            assert path == [
                {"src": {"x": 1}, f"b{i}": {"x": 2}},
                {"src": {"x": 2}, f"b{i}": {"x": 3}},
            ]

    def test_2000_branches_can_be_joined_with_the_operator(self) -> None:
        """`&` takes a group as far as parallel() does."""
        branches: list[Any] = [step(f"b{i}", increment) for i in range(2_000)]
        flow = functools.reduce(operator.and_, branches)

        result = run(flow, input={"x": 1})

        assert [list(path[0]) for path in result] == [["input", f"b{i}"] for i in range(2_000)]
        assert flow.n_concurrent_conduits == 2_000
        assert "b1999" in repr(flow)

    @pytest.mark.parametrize("function", [increment, late], ids=["sync", "async"])
    def test_a_step_can_follow_2000_branches(self, function: Any) -> None:
        """A step behind 2,000 branches is called once for the product of each."""
        calls = 0

        def count(x: int) -> dict[str, int]:
            nonlocal calls
            calls += 1
            return {"y": x}

        group = parallel([step(f"b{i}", function) for i in range(2_000)])

        result = run(step("src", {"x": 1}) >> group >> step("s", count))

        assert calls == len(result) == 2_000
        assert {path[0]["s"]["y"] for path in result} == {2}

    def test_2000_sources_can_stand_side_by_side(self) -> None:
        """A group of 2,000 producers has 2,000 paths in their order."""
        flow = parallel([step(f"src{i}", {"x": i}) for i in range(2_000)]) >> step("s", late)

        assert [path[0]["s"]["x"] for path in run(flow)] == list(range(1, 2_001))

    def test_groups_in_series_can_have_1024_paths(self) -> None:
        """Ten groups of two in a row."""
        groups: list[Any] = [step(f"a{i}", increment) & step(f"b{i}", late) for i in range(10)]

        result = run(chain(step("src", {"x": 0}), *groups))

        assert len(result) == 1_024
        assert {list(path[0].values())[-1]["x"] for path in result} == {10}
        assert list(result[0][0])[1:] == [f"a{i}" for i in range(10)]
        assert list(result[1][0])[-2:] == ["a8", "b9"]


class TestExpansion:
    @pytest.mark.parametrize("count", [50_000, pytest.param(1_000_000, marks=pytest.mark.thorough)])
    @pytest.mark.parametrize("make", [Expand, AsyncExpand])
    @pytest.mark.usefixtures("without_debug")
    def test_one_product_can_be_expanded_without_end(self, make: Any, count: int) -> None:
        """Any number of products of one are streamed to a consumer, one after the other."""
        flow: Any = One(count) >> make() >> Same() >> AsyncCount()

        assert flow.run() == (count, count * (count - 1) // 2)

    @pytest.mark.parametrize("make", [Expand, AsyncExpand])
    def test_one_product_can_be_expanded_for_a_synchronous_consumer(self, make: Any) -> None:
        """A consumer that drives the loop itself takes 20,000 products of one."""
        flow: Any = One(20_000) >> make() >> Same() >> Count()

        assert flow.run() == (20_000, sum(range(20_000)))

    @pytest.mark.parametrize("make", [Expand, AsyncExpand])
    @pytest.mark.parametrize("after", [[], [Same], [Late], [Late, Same, Late]], ids=len)
    def test_of_a_million_only_what_is_read_is_made(self, make: Any, after: list[Any]) -> None:
        """A reader that leaves after ten products has not made a step make many more."""
        expand = make()
        flow: Any = One(1_000_000) >> expand
        for one in after:
            flow = flow >> one()

        for read, _ in enumerate(flow, 1):
            if read == 10:
                break

        assert expand.made <= 10 + 600 * (len(after) + 1)
        assert expand.closed

    def test_an_expansion_can_be_collected(self) -> None:
        """All products that a run has made of one are in its result, in their order."""
        flow = (
            step("src", {"n": 30_000})
            >> step("expand", lambda n: ({"x": x} for x in range(n)))
            >> step("s", increment)
        )

        assert [output["s"]["x"] for output in run(flow)[0]] == list(range(1, 30_001))

    def test_expansions_multiply(self) -> None:
        """Three expansions by 30 in a row, sync and async, emit 27,000 products in order."""

        def expand(x: int) -> Iterator[dict[str, int]]:
            yield from ({"x": 30 * x + i} for i in range(30))

        async def expand_late(x: int) -> AsyncIterator[dict[str, int]]:
            for row in expand(x):
                await asyncio.sleep(0)
                yield row

        flow = chain(step("a", expand), step("b", expand_late), step("c", expand))

        result = run(flow, input={"x": 0})

        assert [output["c"]["x"] for output in result[0]] == list(range(27_000))


class TestStreams:
    def test_a_long_stream_is_read_as_it_comes(self) -> None:
        """5,000 products go through sync and async steps to a consumer, none lost or doubled."""
        source = Numbers(5_000)
        flow: Any = source >> Same() >> Late() >> Same() >> Count()

        assert flow.run() == (5_000, sum(range(5_000)))
        assert source.closed

    async def test_other_tasks_run_beside_a_flow_that_never_suspends(self) -> None:
        """A flow of functions that never wait lets the loop do other things meanwhile."""
        turns = 0
        running = True

        async def tick() -> None:
            nonlocal turns
            while running:
                turns += 1
                await asyncio.sleep(0)

        ticking = asyncio.create_task(tick())
        await arun(step("src", ({"x": x} for x in range(100_000))) >> step("drop", lambda x: []))
        running = False
        await ticking

        assert turns > 3

    def test_deep_recursion_in_a_step_does_not_matter(self) -> None:
        """A step function has most of the stack to itself, however long the flow."""

        def deep(x: int) -> dict[str, int]:
            def down(n: int) -> int:
                return n and down(n - 1)

            return {"x": x + down(600)}

        steps = [step(f"s{i}", increment) for i in range(500)]
        flow = untyped(chain)(step("src", {"x": 1}), *steps, step("deep", deep))

        assert run(flow)[0][0]["deep"] == {"x": 501}
