"""What a step returns: how many products, in which state, how many calls at once; its options."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from fluxus_rx import InvalidOptionError, RunResult, StepOptions, Transformer, chain, run, step
from tests.functional.test_step import Awaited, coroutine, one, plain, run_step
from tests.support.errors import refused, untyped


class TestOutputs:
    def test_a_step_may_give_several_products(self) -> None:
        """Each mapping that a step returns is a product of its own, in the order given."""
        result = run_step(lambda x: [{"y": i} for i in range(x)])

        assert result == RunResult([{"src": {"x": 3}, "s": {"y": i}} for i in range(3)])

    @pytest.mark.parametrize("nothing", [[], (), {}.items(), iter(())])
    def test_an_empty_iterable_drops_the_product(self, nothing: Any) -> None:
        """A step that returns an iterable without items filters."""
        assert run_step(lambda x: nothing) == RunResult([])

    def test_an_empty_mapping_is_a_product_that_adds_nothing(self) -> None:
        """A step that returns {} passes the product on; it does not show and forgets nothing."""
        flow = chain(
            step("src", {"x": 3}),
            step("blank", lambda x: {}),
            step("s", lambda x: {"y": x}),
        )

        assert run(flow) == one(y=3)

    def test_each_empty_mapping_is_a_product(self) -> None:
        """Three times {} are three products."""
        flow = step("src", {"x": 3}) >> step("blank", lambda x: [{}, {}, {}])

        assert run(flow) == RunResult([{"src": {"x": 3}}] * 3)

    def test_an_empty_mapping_from_a_source_is_a_product(self) -> None:
        """A source that returns {} starts a product of which nothing shows."""
        assert run(step("src", {})) == RunResult([{}])
        assert run(step("src", [{}, {"x": 1}]) >> step("s", lambda x=0: {"y": x})) == RunResult(
            [{"s": {"y": 0}}, {"src": {"x": 1}, "s": {"y": 1}}]
        )

    def test_one_dictionary_given_again_and_again_is_several_products(self) -> None:
        """A step may change and return the same dictionary; each product keeps its own state."""

        def same(x: int) -> Iterator[dict[str, int]]:
            row = {"y": 0}
            for i in range(x):
                row["y"] = i
                yield row
            row["y"] = -1

        async def late(x: int) -> AsyncIterator[dict[str, int]]:
            row = {"y": 0}
            for i in range(x):
                row["y"] = i
                yield row
                await asyncio.sleep(0)
            row["y"] = -1

        wanted = RunResult([{"src": {"x": 3}, "s": {"y": i}} for i in range(3)])
        assert run_step(same) == wanted
        assert run_step(late) == wanted

    def test_a_source_may_give_one_dictionary_again_and_again(self) -> None:
        """A source may change and return the same dictionary; each product keeps its own state."""

        def same() -> Iterator[dict[str, int]]:
            row = {"x": 0}
            for i in range(3):
                row["x"] = i
                yield row
            row["x"] = -1

        async def late() -> AsyncIterator[dict[str, int]]:
            for row in same():
                yield row
                await asyncio.sleep(0)

        for source in (same, late):
            result = run(step("src", source) >> step("s", coroutine))
            assert result == RunResult([{"src": {"x": i}, "s": {"y": i + 1}} for i in range(3)])

    def test_a_step_cannot_change_what_other_steps_have_seen(self) -> None:
        """Changing the dictionary of `**kwargs` changes neither lineage nor source data."""
        data = {"x": 3}

        def greedy(**kwargs: int) -> dict[str, int]:
            kwargs["x"] = 99
            kwargs["new"] = 1
            return {"y": 4}

        result = run(
            step("src", data) >> step("greedy", untyped(greedy)) >> step("s", lambda x: {"z": x})
        )

        assert data == {"x": 3}
        assert result[0][0]["s"] == {"z": 3}

    def test_a_result_does_not_change_the_data_of_the_flow(self) -> None:
        """A changed result changes no later run."""
        flow = step("src", {"x": 3}) >> step("s", plain)

        run(flow)[0][0]["src"]["x"] = 99

        assert run(flow) == one(y=4)

    @pytest.mark.parametrize("function", [plain, coroutine])
    def test_a_product_that_a_class_has_seen_does_not_change(self, function: Any) -> None:
        """A transformer of one's own may keep a product, and yield it twice, without surprise."""
        kept: list[Any] = []

        class Keep(Transformer[Any, Any]):
            def transform(self, product: Any) -> Iterator[Any]:
                kept.append(product)
                yield product
                yield product

        result = run(step("src", {"x": 3}) >> Keep() >> step("s", function))

        assert result == RunResult([{"src": {"x": 3}, "s": {"y": 4}}] * 2)
        assert [dict(product) for product in kept] == [{"x": 3}]

    @pytest.mark.parametrize(
        "value",
        [None, "END", StopIteration(), StopAsyncIteration, asyncio.CancelledError(), ..., [], {}],
        ids=repr,
    )
    def test_values_that_look_like_sentinels_are_values(self, value: Any) -> None:
        """None, exceptions and the like are attribute values as any other."""
        flow = step("src", [{"x": value}] * 3) >> step("a", lambda x: {"y": x})

        async def late(y: Any) -> dict[str, Any]:
            return {"z": y}

        result = run(flow >> step("b", late))

        assert [output["b"]["z"] is value for output in result[0]] == [True] * 3


class TestConcurrency:
    """Calls of one step run side by side, however its function says that it has to wait."""

    @staticmethod
    def meeting(size: int) -> Callable[[int], Awaitable[dict[str, int]]]:
        """A function whose calls end only when `size` of them are in flight."""
        waiting: list[int] = []
        all_here = asyncio.Event()

        async def meet(x: int) -> dict[str, int]:
            waiting.append(x)
            if len(waiting) == size:
                all_here.set()
            await all_here.wait()
            return {"y": x}

        return meet

    @pytest.mark.parametrize("size", [2, 10, 256])
    @pytest.mark.parametrize(
        "wrap",
        [
            lambda meet: meet,
            lambda meet: lambda x: meet(x),
            lambda meet: lambda x: asyncio.ensure_future(meet(x)),
            lambda meet: lambda x: Awaited(meet(x)),
            lambda meet: lambda x: one_item(meet(x)),
            lambda meet: functools.partial(meet),
        ],
        ids=["coroutine", "lambda", "future", "awaitable", "async iterable", "partial"],
    )
    def test_calls_that_wait_run_side_by_side(self, wrap: Any, size: int) -> None:
        """As many calls as there are products wait together, up to the limit of 256."""
        flow = step("src", [{"x": x} for x in range(size)]) >> step("s", wrap(self.meeting(size)))

        assert len(run(flow)[0]) == size

    def test_a_step_that_waits_only_now_and_then_is_no_exception(self) -> None:
        """A function may yield a mapping at first, and later awaitables, which run side by side."""
        meet = self.meeting(5)
        flow = step("src", [{"x": x} for x in range(10)]) >> step(
            "s", lambda x: {"y": x} if x < 5 else meet(x)
        )

        assert [output["s"]["y"] for output in run(flow)[0]] == list(range(10))

    def test_a_lambda_of_an_awaitable_keeps_to_a_limit(self) -> None:
        """A limit holds for a plain function whose results are awaited."""
        active = peak = 0
        is_full = asyncio.Event()

        async def count(x: int) -> dict[str, int]:
            nonlocal active, peak
            active += 1
            peak = max(peak, active)
            if active == 3:
                is_full.set()
            await is_full.wait()  # however long a busy machine takes to begin the others
            for _ in range(50):
                await asyncio.sleep(0)
            active -= 1
            return {"y": x}

        rows = [{"x": x} for x in range(20)]
        run(step("src", rows) >> step("s", lambda x: count(x)).options(concurrency=3))

        assert peak == 3

    def test_branches_run_side_by_side(self) -> None:
        """A call of one branch can wait for a call of another."""
        there = asyncio.Event()

        async def first(x: int) -> dict[str, int]:
            await there.wait()
            return {"y": 1}

        async def second(x: int) -> dict[str, int]:
            there.set()
            return {"y": 2}

        flow = step("src", {"x": 3}) >> (step("a", first) & step("b", second))

        assert [path[0] for path in run(flow)] == [
            {"src": {"x": 3}, "a": {"y": 1}},
            {"src": {"x": 3}, "b": {"y": 2}},
        ]

    def test_sources_run_side_by_side(self) -> None:
        """One source can wait for another."""
        there = asyncio.Event()

        async def first() -> AsyncIterator[dict[str, int]]:
            await there.wait()
            yield {"x": 1}

        async def second() -> AsyncIterator[dict[str, int]]:
            yield {"x": 2}
            there.set()

        assert run(step("a", first) & step("b", second)) == RunResult(
            [{"a": {"x": 1}}], [{"b": {"x": 2}}]
        )

    def test_later_steps_begin_before_earlier_ones_end(self) -> None:
        """A product goes on as soon as it is there."""
        seen = asyncio.Event()

        async def source() -> AsyncIterator[dict[str, int]]:
            yield {"x": 1}
            await seen.wait()
            yield {"x": 2}

        async def late(x: int) -> dict[str, int]:
            seen.set()
            return {"y": x}

        assert len(run(step("src", source) >> step("s", late))[0]) == 2


async def one_item(awaitable: Awaitable[dict[str, int]]) -> AsyncIterator[dict[str, int]]:
    yield await awaitable


class TestOptions:
    def test_options_give_a_new_step(self) -> None:
        """Setting options leaves the step that they are set on as it was."""
        first = step("s", coroutine)

        second = first.options(concurrency=3, ordered=True)

        assert second is not first
        assert run(step("src", {"x": 3}) >> first) == run(step("src", {"x": 3}) >> second)

    @pytest.mark.parametrize("concurrency", [0, -1, "3", 2.5, True])
    def test_a_limit_is_a_whole_number_from_one_on(self, concurrency: Any) -> None:
        """A limit of no call at all, or one that isn't a number, is refused at once."""
        with refused(InvalidOptionError, "concurrency", repr(concurrency)):
            step("s", coroutine).options(concurrency=concurrency)
        with refused(InvalidOptionError, "concurrency", repr(concurrency)):
            StepOptions(concurrency=concurrency)

    @pytest.mark.parametrize("ordered", ["", 1, None])
    def test_order_is_yes_or_no_or_that_of_an_attribute(self, ordered: Any) -> None:
        """A value of `ordered` that is neither True nor False nor a name is refused."""
        with refused(InvalidOptionError, "ordered", repr(ordered)):
            step("s", coroutine).options(ordered=ordered)

    def test_an_unknown_option_is_refused(self) -> None:
        """A misspelt option is an error."""
        with pytest.raises(TypeError, match="concurency"):
            untyped(step("s", coroutine)).options(concurency=3)
