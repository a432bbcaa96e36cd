"""`atransform(product)`: calls inside of calls, which belong to the run that they are made in."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluxus_rx import (
    AsyncConsumer,
    AsyncProducer,
    AsyncTransformer,
    Passthrough,
    SimpleProducer,
    StepOptions,
    UsageError,
    arun,
    rerun,
    run,
    start,
    step,
)
from fluxus_rx.lineage import LabelingTransformer, LineageOrigin
from fluxus_rx.testing import run_virtual
from tests.support.conduits import Add, AsyncNumbers, Collect, Fetch, Numbers


class Slow(AsyncTransformer[int, int]):
    """Adds 10, after a second; tells how many calls there are at once."""

    def __init__(self) -> None:
        self.counts = {"now": 0, "most": 0, "begun": 0, "cancelled": 0}

    async def atransform(self, product: int) -> AsyncIterator[int]:
        counts = self.counts
        counts["now"] += 1
        counts["begun"] += 1
        counts["most"] = max(counts["most"], counts["now"])
        try:
            await asyncio.sleep(1)
            yield product + 10
        except asyncio.CancelledError:
            counts["cancelled"] += 1
            raise
        finally:
            counts["now"] -= 1


async def gathered(products: Any) -> list[Any]:
    async with contextlib.aclosing(aiter(products)) as items:
        return [product async for product in items]


def concatenated(lists: Any) -> list[Any]:
    return [*itertools.chain.from_iterable(lists)]


class Wrap(AsyncTransformer[int, Any]):
    """Calls what it wraps with so many products at once."""

    def __init__(self, inner: Any, count: int = 15) -> None:
        self.inner = inner
        self.count = count

    async def atransform(self, product: int) -> AsyncIterator[Any]:
        calls = (gathered(self.inner.atransform(product + index)) for index in range(self.count))
        for products in await asyncio.gather(*calls):
            for one in products:
                yield one


def timed(flow: Any) -> tuple[list[Any], float]:
    """What a producer emits in virtual time, sorted, and how long it takes."""

    async def main() -> tuple[list[Any], float]:
        products = sorted(await gathered(flow))
        return products, asyncio.get_running_loop().time()

    return run_virtual(main)


class Asks(AsyncConsumer[int, list[int]]):
    """Calls a transformer itself."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    async def aconsume(self, products: Any) -> list[int]:
        numbers = [product async for _, product in products]
        calls = [gathered(self.inner.atransform(number)) for number in numbers]
        return sorted(concatenated(await asyncio.gather(*calls)))


class Sends(AsyncProducer[int]):
    """Emits what a transformer makes of its numbers."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    async def aproduce(self) -> AsyncIterator[int]:
        calls = [gathered(self.inner.atransform(number)) for number in range(6)]
        for number in concatenated(await asyncio.gather(*calls)):
            yield number


class TestLimits:
    """Limits are those of the run."""

    @pytest.mark.parametrize(
        "around",
        [
            lambda slow: slow,
            lambda slow: slow >> Add(0),
            lambda slow: Add(0) >> slow,
            lambda slow: Wrap(slow, 1),
            lambda slow: (slow >> Add(0)) & Add(10),
        ],
        ids=["alone", "chain", "behind", "wrapped", "group"],
    )
    def test_calls_at_once_are_those_of_the_run(self, around: Callable[[Any], Any]) -> None:
        """15 at once with `concurrency=2` are 2, over all calls that they are made in."""
        slow = Slow().options(concurrency=2)
        products, seconds = timed(Numbers(2) >> Wrap(around(slow)))
        expected = sorted([n + 10 for n in (*range(15), *range(1, 16))])
        assert products in (expected, sorted(2 * expected))
        assert (slow.counts["most"], slow.counts["begun"], seconds) == (2, 30, 15)

    def test_a_stage_of_the_run_has_the_same_limit(self) -> None:
        """Calls inside of calls and those of the flow itself count together."""
        slow = Slow().options(concurrency=2)
        products, seconds = timed(Numbers(3) >> (slow & Wrap(slow, 1)))
        assert products == sorted(2 * [10, 11, 12])
        assert (slow.counts["most"], seconds) == (2, 3)

    def test_they_hold_in_sources_and_consumers_too(self) -> None:
        """Of a run, however it is started."""
        slow = Slow().options(concurrency=2)

        async def main() -> float:
            assert await (Numbers(6) >> Asks(slow)).arun() == [*range(10, 16)]
            arrivals = await (Sends(slow) >> Collect()).arun()
            assert sorted(product for _, product in arrivals) == [*range(10, 16)]
            assert sorted(await gathered(Sends(slow) >> Slow())) == [*range(20, 26)]
            return asyncio.get_running_loop().time()

        assert run_virtual(main) == 3 + 3 + 4
        assert slow.counts["most"] == 2

    def test_outside_of_a_run_each_is_a_run(self) -> None:
        """With its own limit."""
        slow = Slow().options(concurrency=2)

        async def main() -> float:
            await asyncio.gather(*(gathered(slow.atransform(n)) for n in range(5)))
            return asyncio.get_running_loop().time()

        assert run_virtual(main) == 1
        assert slow.counts["most"] == 5

    def test_another_run_inside_has_its_own(self) -> None:
        """As a flow that a step runs has always had."""
        slow = Slow().options(concurrency=1)

        async def runs(x: int) -> dict[str, Any]:
            return {"y": await (Add(0) >> slow).aprocess([x])}

        result = run_virtual(lambda: arun(step("s", [{"x": 1}, {"x": 2}]) >> step("runs", runs)))
        assert [output["runs"]["y"] for output in result[0]] == [[11], [12]]
        assert slow.counts["most"] == 2

    def test_plain_transform_is_a_run_of_its_own(self) -> None:
        """And waits for nobody."""
        fetch = (Fetch(10) >> Add(0)).options(concurrency=1)

        def plainly(x: int) -> dict[str, Any]:
            return {"y": [*fetch.transform(x)]}

        flow = step("s", [{"x": 1}, {"x": 2}]) >> step("plainly", plainly)
        assert [output["plainly"]["y"] for output in run(flow)[0]] == [[11], [12]]


class TestNoDeadlock:
    def test_a_call_of_itself_has_the_slot(self) -> None:
        """A transformer that calls itself goes on with one slot."""

        class Countdown(AsyncTransformer[int, int]):
            async def atransform(self, product: int) -> AsyncIterator[int]:
                yield product
                if product:
                    for one in await gathered(self.atransform(product - 1)):
                        yield one

        flow = SimpleProducer([3, 2]) >> Countdown().options(concurrency=1, ordered=True)
        assert timed(flow)[0] == sorted([3, 2, 1, 0, 2, 1, 0])

    def test_calls_that_wait_for_each_other_are_an_error(self) -> None:
        """Where each holds what the other one needs."""

        class Crosses(AsyncTransformer[int, int]):
            other: Any

            async def atransform(self, product: int) -> AsyncIterator[int]:
                await asyncio.sleep(1)
                if product:
                    for one in await gathered(self.other.atransform(0)):
                        yield one

        first, second = (Crosses().options(concurrency=1) for _ in range(2))
        first.other, second.other = second, first
        with pytest.raises(UsageError, match="would wait for ever"):
            timed(SimpleProducer([1]) >> (first & second))

    def test_what_waits_for_room_is_passed(self) -> None:
        """By calls of the same step inside of calls further down, and by those that are read in
        turns with it."""

        class Many(AsyncTransformer[int, int]):
            async def atransform(self, product: int) -> AsyncIterator[int]:
                for index in range(25):
                    await asyncio.sleep(0)
                    yield index

        many: Any = Many().options(concurrency=1)

        class Pairs(AsyncTransformer[int, tuple[int, int]]):
            async def atransform(self, product: int) -> AsyncIterator[tuple[int, int]]:
                async with (
                    contextlib.aclosing(aiter(many.atransform(1))) as first,
                    contextlib.aclosing(aiter(many.atransform(2))) as second,
                ):
                    async for one in first:
                        yield one, await anext(second)

        assert len(timed(SimpleProducer([1]) >> many >> Wrap(many, 1))[0]) == 625
        assert timed(SimpleProducer([1]) >> Pairs())[0] == [(n, n) for n in range(25)]


class TestOptions:
    def test_each_holds(self) -> None:
        """Attempts, a time-out, a limiter, and what a failure comes to."""
        calls: list[int] = []
        limiter = asyncio.Semaphore(1)

        class Flaky(AsyncTransformer[int, int]):
            async def atransform(self, product: int) -> AsyncIterator[int]:
                calls.append(product)
                assert limiter.locked()
                if product == 1 and calls.count(1) < 3:
                    raise ValueError("again")
                await asyncio.sleep(100 if product == 2 else 1)
                yield product

        flaky = Flaky().options(
            retry=3, timeout=5.0, limiter=limiter, on_error=lambda failure: [-1]
        )
        products, _ = timed(SimpleProducer([0]) >> Wrap(flaky, 4))
        assert products == [-1, 0, 1, 3]
        assert sorted(calls) == [0, 1, 1, 1, 2, 2, 2, 3]

    def test_those_of_the_run_are_defaults(self) -> None:
        """As for each step of the run."""
        slow = Slow()
        flow = step("s", {"x": 1}) >> step("wrap", lambda x: wrapped(x))

        async def wrapped(x: int) -> dict[str, Any]:
            async def one(n: int) -> list[int]:
                return await gathered(slow.atransform(n))

            return {"y": sorted(concatenated(await asyncio.gather(*map(one, range(4)))))}

        run_virtual(lambda: arun(flow, options=StepOptions(concurrency=2)))
        assert slow.counts["most"] == 2

    def test_failures_are_those_of_the_run(self) -> None:
        """With the path of the call that they came up in."""

        class Fails(AsyncTransformer[Any, Any]):
            async def atransform(self, product: Any) -> AsyncIterator[Any]:
                raise ValueError(product["x"])
                yield

        fails = Fails().options(on_error="collect")

        async def wrap(x: int) -> dict[str, Any]:
            return {"y": await gathered(fails.atransform({"x": x}))}

        flow = step("source", [{"x": 1}, {"x": 2}]) >> step("wrap", wrap)
        for result in (run(flow), asyncio.run(arun(flow))):
            assert [output["wrap"] for output in result[0]] == [{"y": []}] * 2
            assert [one.path for one in result.failures] == ["source → wrap → Fails"] * 2
            assert sorted(str(one.exception) for one in result.failures) == ["1", "2"]
            with pytest.raises(TypeError, match="none of calls inside of calls"):
                rerun(flow, result.failures)

    def test_an_error_goes_through_the_call(self) -> None:
        """As the object it is, with the notes of both; who catches it goes on."""
        error = ValueError("no")

        class Fails(AsyncTransformer[int, int]):
            async def atransform(self, product: int) -> AsyncIterator[int]:
                raise error
                yield

        class Catches(Wrap):
            async def atransform(self, product: int) -> AsyncIterator[Any]:
                try:
                    await gathered(self.inner.atransform(product))
                except ValueError:
                    yield "caught"

        with pytest.raises(ValueError, match="no") as caught:
            list(Numbers(1) >> Wrap(Fails(), 1))
        assert caught.value is error
        assert error.__notes__ == [
            "in Fails, path Numbers → Wrap → Fails, with the input 0",
            "in Wrap, path Numbers → Wrap, with the input 0",
        ]
        assert list(Numbers(2) >> Catches(Fails())) == ["caught"] * 2


class TestNumbers:
    def test_statistics_progress_and_records_have_them(self) -> None:
        """Each step by its name, with its calls, and what holds the run up."""
        seen: list[Any] = []

        async def main() -> Any:
            slow = Slow().options(concurrency=2)

            async def wrap(x: int) -> dict[str, Any]:
                return {"y": [x async for x in slow.atransform(x)]}

            flow = step("source", [{"x": n} for n in range(10)]) >> step("wrap", wrap)
            async with start(flow, timestamps=True, progress=seen.append) as running:
                result = await running.result()
            return running.stats(), running.explain(), result

        stats, explanation, result = run_virtual(main)
        counts = {one.step: (one.done, one.limit) for one in stats.steps}
        assert counts == {"source": (10, None), "wrap": (10, 256), "Slow": (10, 2)}
        assert "Slow is the bottleneck" in str(explanation)
        assert {one.step: one.calls for one in result.summary().steps}["Slow"] == 10
        assert {count.step for count in seen[-1].steps} == {"source", "wrap", "Slow"}
        result.draw_timeline("text")

    def test_calls_under_way_go_on_in_a_run_that_is_drained(self) -> None:
        """A call inside of one that is in flight is a part of it."""

        async def main() -> Any:
            slow = Slow().options(concurrency=1)
            flow = step("source", [{"x": n} for n in range(9)]) >> step(
                "wrap", lambda x: wrapped(slow, x)
            ).options(concurrency=2)
            async with start(flow) as running:
                await asyncio.sleep(0.5)
                return await running.drain()

        async def wrapped(slow: Any, x: int) -> dict[str, Any]:
            first = await gathered(slow.atransform(x))
            return {"y": first + await gathered(slow.atransform(x))}

        result = run_virtual(main)
        assert [output["wrap"]["y"] for output in result[0]] == [[10, 10], [11, 11]]
        assert [one.step for one in result.pending] == ["wrap"] * len(result.pending)


class TestEndings:
    def test_a_cancelled_call_cancels_those_inside(self) -> None:
        """All of them, before it is over."""
        slow = Slow()

        async def main() -> None:
            with pytest.raises(TimeoutError):
                await Wrap(slow).options(timeout=0.5).aprocess([1])
            assert slow.counts["now"] == 0
            task = asyncio.create_task((Numbers(3) >> Wrap(slow) >> Collect()).arun())
            await asyncio.sleep(0.5)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert slow.counts["now"] == 0

        run_virtual(main)
        assert (slow.counts["begun"], slow.counts["cancelled"]) == (60, 60)

    def test_what_is_left_ends_with_its_run(self) -> None:
        """An iteration that is left open leaves nothing behind."""
        left: list[Any] = []
        closed: list[int] = []

        class Endless(AsyncTransformer[int, int]):
            async def atransform(self, product: int) -> AsyncIterator[int]:
                try:
                    while True:
                        await asyncio.sleep(0)
                        yield product
                finally:
                    closed.append(product)

        class First(AsyncTransformer[int, int]):
            async def atransform(self, product: int) -> AsyncIterator[int]:
                items = aiter(endless.atransform(product))
                left.append(items)
                yield await anext(items)

        endless = Endless()

        async def main() -> None:
            assert sorted(await gathered(Numbers(3) >> First())) == [0, 1, 2]
            assert sorted(closed) == [0, 1, 2]
            assert asyncio.all_tasks() == {asyncio.current_task()}
            for items in left:
                with pytest.raises(StopAsyncIteration):
                    await anext(items)

        asyncio.run(main())

    def test_leaving_early_closes_what_is_inside(self) -> None:
        """A reader who leaves the outer one leaves the inner one, too."""
        slow = Slow()
        few = Wrap(slow, 3).options(concurrency=4)

        async def main() -> None:
            async with contextlib.aclosing(aiter(AsyncNumbers() >> few)) as items:
                async for _ in items:
                    break
            assert slow.counts["now"] == 0
            assert asyncio.all_tasks() == {asyncio.current_task()}

        run_virtual(main)

    def test_a_reader_in_a_task_of_its_own_is_cancelled_with_the_run(self) -> None:
        """An end would look as if these were all products there are."""
        reading: list[asyncio.Task[list[Any]]] = []

        async def shared(x: int) -> dict[str, int]:
            inner = step("slow", lambda x: asyncio.sleep(9, {"y": x}))
            reading.append(asyncio.create_task(gathered(inner.atransform({"x": x}))))
            await asyncio.shield(reading[-1])
            return {}

        async def main() -> None:
            running = asyncio.create_task(arun(step("shared", shared), input={"x": 1}))
            await asyncio.sleep(1)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            assert [task.cancelled() for task in reading] == [True]

        run_virtual(main)


class TestWhoHasIt:
    """Each transformer, step, chain and group."""

    def test_steps_keep_lineage(self) -> None:
        """They take a product or a mapping."""

        async def later(y: int) -> dict[str, int]:
            await asyncio.sleep(0)
            return {"z": y + 1}

        double, add = step("double", lambda x: {"y": 2 * x}), step("add", later)
        inner = double >> add

        class Through(AsyncTransformer[Any, Any]):
            async def atransform(self, product: Any) -> AsyncIterator[Any]:
                for one in await gathered(inner.atransform(product)):
                    yield one

        last = step("last", lambda z: {"w": z})
        flow = step("source", [{"x": 1}, {"x": 2}]) >> Through() >> last
        expected = [
            {"source": {"x": x}, "double": {"y": y}, "add": {"z": y + 1}, "last": {"w": y + 1}}
            for x, y in ((1, 2), (2, 4))
        ]
        assert run(flow)[0] == expected

        async def main() -> Any:
            return [one.nested() for one in await gathered((inner & double).atransform({"x": 3}))]

        outputs = asyncio.run(main())
        full = {"input": {"x": 3}, "double": {"y": 6}, "add": {"z": 7}}
        assert sorted(outputs, key=len) == [{"input": {"x": 3}, "double": {"y": 6}}, full]

    def test_plain_ones_have_it_too(self) -> None:
        """In threads, where they are; with labels, and beside a passthrough."""

        class Page(LineageOrigin):
            product_name = "page"

        class Label(LabelingTransformer[Any, Any]):
            def transform(self, product: Any) -> Iterator[Any]:
                yield product

        async def main() -> Any:
            plain = await gathered(Add(1).atransform(1))
            thread = await gathered(Add(1).options(executor="thread").atransform(1))
            group = await gathered((Add(1) & Passthrough()).atransform(1))
            labelled = await gathered(Label().label(crawler="a").atransform(Page()))
            return plain, thread, sorted(group), [one.product_labels for one in labelled]

        assert asyncio.run(main()) == ([2], [2], [1, 2], [{"crawler": "a"}])

    def test_super_is_a_part_of_the_call(self) -> None:
        """And is counted with it; so is what a test puts in its place."""

        class Twice(Slow):
            async def atransform(self, product: int) -> AsyncIterator[int]:
                async for one in super().atransform(product):
                    yield 2 * one

        twice = Twice().options(concurrency=1)
        assert timed(Numbers(2) >> Wrap(twice, 2)) == ([20, 22, 22, 24], 4)
        assert timed(Numbers(2) >> twice) == ([20, 22], 2)

    def test_one_that_is_replaced_is_called(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """On the class, or on the object."""

        async def fake(self: Any, product: int) -> AsyncIterator[int]:
            yield -product

        slow = Slow()
        monkeypatch.setattr(Slow, "atransform", fake)
        assert list(SimpleProducer([1]) >> slow) == [-1]
        monkeypatch.setattr(slow, "atransform", lambda product: fake(slow, 2 * product))
        assert list(SimpleProducer([1]) >> slow) == [-2]


#: a nest of wrappers, each with a limit, around a leaf: the limits from the outermost on
NESTS = st.lists(st.sampled_from([1, 2, 20]), min_size=1, max_size=3)


@settings(max_examples=15)
@given(NESTS, st.integers(1, 3), st.integers(1, 3), st.booleans())
def test_limits_hold_in_any_nest(
    limits: list[int], width: int, products: int, is_shared: bool
) -> None:
    """However deep calls are inside of calls, and also where the innermost is a step of the flow:
    each limit holds, each output comes, and nothing waits for ever."""
    slow = Slow().options(concurrency=limits[-1])
    nest: Any = slow
    wraps = []
    for limit in reversed(limits[:-1]):
        nest = Counting(nest, width).options(concurrency=limit)
        wraps.append((nest, limit))
    flow = Numbers(products) >> (nest & slow if is_shared else nest)
    outputs, _ = timed(flow)
    depth = len(limits) - 1
    assert len(outputs) == products * width**depth + products * is_shared
    assert slow.counts["most"] <= limits[-1]
    assert all(wrap.most[0] <= limit for wrap, limit in wraps)


class Counting(Wrap):
    """Tells how many calls of it there are at once."""

    def __init__(self, inner: Any, count: int) -> None:
        super().__init__(inner, count)
        self.most = [0, 0]

    async def atransform(self, product: int) -> AsyncIterator[Any]:
        most = self.most
        most[1] += 1
        most[0] = max(most)
        try:
            async for one in super().atransform(product):
                yield one
        finally:
            most[1] -= 1
