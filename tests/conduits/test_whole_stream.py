"""Transformers with a `process` or an `aprocess` of their own, which see the whole stream."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxus_rx import (
    AsyncTransformer,
    Passthrough,
    SimpleProducer,
    Transformer,
    arun,
    astream,
    check,
    run,
    start,
    step,
    stream,
)
from fluxus_rx.testing import run_virtual
from tests.support.conduits import Add, AsyncNumbers, Collect, Fail, Fetch, Numbers


def transform(self: Any, product: Any) -> Iterator[Any]:
    yield product


def process(self: Any, items: Any) -> Any:
    """In twos."""
    items = iter(items)
    while batch := [*itertools.islice(items, 2)]:
        yield batch


async def aprocess(self: Any, items: Any) -> Any:
    """The same."""
    batch = []
    async for item in items:
        batch.append(item)
        if len(batch) == 2:
            yield batch
            batch = []
    if batch:
        yield batch


def listed(self: Any, items: Any) -> list[Any]:
    return [*process(self, items)]


async def alisted(self: Any, items: Any) -> list[Any]:
    return [batch async for batch in aprocess(self, items)]


def of_another(self: Any, items: Any) -> Any:
    return aprocess(self, items)


#: ways to write one that gives batches of two
WAYS = {
    "process": {"process": process},
    "a list": {"process": listed},
    "aprocess": {"aprocess": aprocess},
    "a coroutine": {"aprocess": alisted},
    "a function": {"aprocess": of_another},
    "both": {"process": process, "aprocess": aprocess},
}


def pairs(way: str = "process", **more: Any) -> Any:
    return type("Pairs", (Transformer,), {"transform": transform, **WAYS[way], **more})()


async def gathered(products: Any) -> list[Any]:
    return [product async for product in products]


async def of_arun(producer: Any) -> list[Any]:
    return [product for _, product in await (producer >> Collect()).arun()]


#: ways to run a producer
CALLERS: dict[str, Callable[[Any], Any]] = {
    "for": list,
    "Flow.run": lambda producer: [product for _, product in (producer >> Collect()).run()],
    "async for": lambda producer: asyncio.run(gathered(producer)),
    "Flow.arun": lambda producer: asyncio.run(of_arun(producer)),
    "to_observable": lambda producer: asyncio.run(gathered(producer.share())),
}


class TestSeesAll:
    @pytest.mark.parametrize("way", WAYS)
    def test_it_is_called_once_with_all_that_comes(self, way: str) -> None:
        """However it is run, alone, in a chain, in a group, or behind what awaits."""
        five = [[0, 1], [2, 3], [4]]
        for name, call in CALLERS.items():
            assert call(Numbers(5) >> pairs(way)) == five, name
            assert call(AsyncNumbers(5) >> pairs(way) >> pairs(way)) == [five[:2], five[2:]], name
            assert call(Numbers(0) >> pairs(way)) == [], name
            assert sorted(call(Numbers(5) >> (pairs(way) & pairs(way)))) == sorted(2 * five), name
            assert len(call(Numbers(5) >> Fetch() >> pairs(way) >> Add([]))) == 3, name  # type: ignore[arg-type]
        assert (pairs(way) >> pairs(way)).process(range(5)) == [five[:2], five[2:]]
        assert asyncio.run((Add() >> pairs(way)).aprocess(range(5))) == five

    @given(st.lists(st.integers(), max_size=60), st.sampled_from(["process", "aprocess"]))
    def test_sorting_is_sorting(self, numbers: list[int], name: str) -> None:
        """It returns what the built-in function returns."""

        def sort(self: Any, items: Any) -> Any:
            return sorted(items)

        async def asort(self: Any, items: Any) -> Any:
            return sorted([item async for item in items])

        method = {"process": {"process": sort}, "aprocess": {"aprocess": asort}}[name]
        kind = type("Sort", (Transformer,), {"transform": transform, **method})
        assert list(SimpleProducer(numbers) >> kind()) == sorted(numbers)

    def test_each_caller_has_its_half_called(self) -> None:
        """Where there are both, `process` is for plain callers and `aprocess` for others."""

        def plain(self: Any, items: Any) -> Any:
            return [*items, "plain"]

        async def awaited(self: Any, items: Any) -> Any:
            return [*[item async for item in items], "asynchronous"]

        one = pairs("both", process=plain, aprocess=awaited)
        for name, call in CALLERS.items():
            half = "plain" if name in ("for", "Flow.run") else "asynchronous"
            assert call(Numbers(1) >> one) == [0, half], name

    @pytest.mark.parametrize("base", [Transformer, AsyncTransformer])
    def test_super_gives_what_calls_give(self, base: Any) -> None:
        """`super().process(items)` and `await super().aprocess(items)` are of `transform` or
        `atransform`, with the options."""
        calls: list[int] = []

        class Twice(base):  # type: ignore[misc]
            if base is Transformer:

                def transform(self, product: int) -> Iterator[int]:
                    yield self.double(product)
            else:

                async def atransform(self, product: int) -> AsyncIterator[int]:
                    yield self.double(product)

            def double(self, product: int) -> int:
                calls.append(product)
                if len(calls) == 1:
                    raise ValueError("once")
                return 2 * product

        class Plain(Twice):
            def process(self, items: Any) -> Any:
                for item in items:
                    yield from super().process([item])

        class Awaited(Twice):
            async def aprocess(self, items: Any) -> Any:
                async for item in items:
                    for product in await super().aprocess([item]):
                        yield product

        for kind in (Plain, Awaited):
            calls.clear()
            one = kind().options(on_error=lambda failure: [-1])
            assert list(Numbers(3) >> one) == [-1, 2, 4]
            assert calls == [0, 1, 2]

    def test_a_direct_call_is_one_of_the_method(self) -> None:
        """What it returns is what it returns."""
        assert next(pairs().process([1, 2, 3])) == [1, 2]

    def test_a_field_of_that_name_is_none(self) -> None:
        """Nor is an attribute."""

        class Named(Transformer[int, int]):
            process: str  # type: ignore[assignment]

            def __init__(self) -> None:
                self.process = self.aprocess = "own"  # type: ignore[assignment]

            def transform(self, product: int) -> Iterator[int]:
                yield product

        assert list(Numbers(2) >> Named() >> Named()) == [0, 1]

    @pytest.mark.parametrize("name", ["process", "aprocess"])
    def test_one_of_another_kind_is_refused(self, name: str) -> None:
        """When the class is made."""
        wrong = {"process": aprocess, "aprocess": process}[name]
        with pytest.raises(TypeError, match=rf"Wrong\.{name}\(\) is a.* name it"):
            type("Wrong", (Transformer,), {"transform": transform, name: wrong})

    def test_a_check_knows_nothing_of_what_waits_there(self) -> None:
        """It says so."""
        findings = check(Numbers(3) >> pairs() >> Fetch())
        assert any("depends on how they are taken" in finding.text for finding in findings)


class TestLineage:
    @pytest.mark.parametrize("way", WAYS)
    def test_products_that_pass_keep_their_lineage(self, way: str) -> None:
        """And what it creates begins one, with the name of the class, and refers to those that
        are in it."""
        flow = step("source", [{"x": 2}, {"x": 1}, {"x": 3}]) >> pairs(way)
        sums = step("sum", lambda Pairs: {"sum": sum(product["x"] for product in Pairs)})
        assert [output["sum"]["sum"] for output in run(flow >> sums)[0]] == [3, 3]
        outputs = asyncio.run(arun(flow >> sums))[0]
        assert [[one["x"] for one in output["Pairs"]["Pairs"]] for output in outputs] == [
            [2, 1],
            [3],
        ]

        def sort(self: Any, items: Any) -> Any:
            return sorted(items, key=lambda product: product["x"])

        sorting = type("Sort", (Transformer,), {"transform": transform, "process": sort})()
        flow = step("source", [{"x": 2}, {"x": 1}]) >> sorting >> step("y", lambda x: {"y": x})
        expected = [{"source": {"x": x}, "y": {"y": x}} for x in (1, 2)]
        assert [output for _, output in stream(flow)] == expected

        async def streamed() -> list[Any]:
            return [output async for _, output in astream(flow)]

        assert asyncio.run(streamed()) == expected

    def test_a_started_run_tells_of_its_neighbours(self) -> None:
        """Statistics have the steps in front of it and behind it; a drained run ends there, too."""

        async def main() -> Any:
            flow = step("source", [{"x": 1}] * 3) >> pairs() >> step("b", lambda Pairs: {"y": 1})
            async with start(flow) as running:
                result = await running.drain()
            return result.complete, [one.step for one in running.stats().steps]

        complete, steps = asyncio.run(main())
        assert (steps[0], steps[-1]) == ("source", "b")
        assert isinstance(complete, bool)


def until_error(products: Any) -> tuple[list[Any], Exception | None]:
    """What comes, and the error that ends it."""
    given = []
    try:
        for product in products:
            given.append(product)
    except Exception as error:
        return given, error
    return given, None


class Noted(Transformer[int, Any]):
    """Passes on what comes, and notes how it ends."""

    def __init__(self) -> None:
        self.ends: list[str] = []
        self.taken = 0
        self.entered, self.closed = threading.Event(), threading.Event()

    def transform(self, product: int) -> Iterator[int]:
        yield product

    def noting(self, error: BaseException | None) -> None:
        self.ends.append("end" if error is None else type(error).__name__)
        self.closed.set()


class NotedProcess(Noted):
    def process(self, items: Any) -> Any:
        try:
            for item in items:
                self.taken += 1
                self.entered.set()
                yield item
        except BaseException as error:
            self.noting(error)
            raise
        self.noting(None)


class NotedAprocess(Noted):
    async def aprocess(self, items: Any) -> Any:
        try:
            async for item in items:
                self.taken += 1
                self.entered.set()
                yield item
        except BaseException as error:
            self.noting(error)
            raise
        self.noting(None)


@pytest.mark.parametrize("kind", [NotedProcess, NotedAprocess])
class TestEndings:
    def test_a_slow_reader_bounds_how_far_it_is_ahead(self, kind: Any) -> None:
        """Of a source without end it takes what its buffers hold, and no more."""

        async def main() -> tuple[int, list[int]]:
            noted, source = kind(), Numbers()
            taken = []
            async with contextlib.aclosing(aiter(source >> noted)) as items:
                async for item in items:
                    await asyncio.sleep(1)
                    taken.append(noted.taken - item)
                    if item == 200:
                        break
            await asyncio.sleep(1)
            return source.made, taken

        made, ahead = run_virtual(main)
        assert max(ahead) <= 64
        assert made <= 300

    def test_leaving_early_closes_it(self, kind: Any) -> None:
        """And the source."""
        noted, source = kind(), Numbers()
        for item in source >> noted:
            if item == 3:
                break
        assert noted.closed.wait(5)
        assert noted.ends in (["GeneratorExit"], ["CancelledError"])
        assert source.closed == 1

    def test_a_cancelled_run_ends_it(self, kind: Any) -> None:
        """Also where it waits for a product that doesn't come."""

        class Never(AsyncNumbers):
            async def aproduce(self) -> AsyncIterator[int]:
                yield 1
                await asyncio.Event().wait()

        async def main() -> None:
            noted = kind()
            task = asyncio.create_task((Never() >> noted >> Collect()).arun())
            await asyncio.to_thread(noted.entered.wait, 5)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert noted.ends in (["GeneratorExit"], ["CancelledError"])

        asyncio.run(main())

    def test_an_error_in_front_of_it_goes_through(self, kind: Any) -> None:
        """As the object that it is, once what came before is out."""
        error = ValueError("no")
        noted = kind()
        assert until_error(Numbers(5, error=error) >> noted) == ([*range(5)], error)
        assert noted.ends == ["ValueError"]

    def test_an_error_behind_it_closes_it(self, kind: Any) -> None:
        """The error is that of the run."""
        noted = kind()
        with pytest.raises(ValueError, match="no"):
            list(Numbers() >> noted >> Fail(ValueError("no"), at=7))
        assert noted.closed.wait(5)

    def test_one_beside_a_passthrough_waits_for_it(self, kind: Any) -> None:
        """A group has its source in common."""
        paths = (Numbers(100) >> (kind() & Passthrough()) >> Collect()).run()
        assert sorted(paths) == [(path, number) for path in (0, 1) for number in range(100)]


@pytest.mark.parametrize("name", ["process", "aprocess"])
class TestErrors:
    @staticmethod
    def of(name: str, function: Any, afunction: Any) -> Any:
        method = {"process": {"process": function}, "aprocess": {"aprocess": afunction}}[name]
        return type("Own", (Transformer,), {"transform": transform, **method})()

    def test_its_own_error_says_where_it_came_up(self, name: str) -> None:
        """With the path, in a note."""
        error = ValueError("mine")

        def function(self: Any, items: Any) -> Any:
            yield next(iter(items))
            raise error

        async def afunction(self: Any, items: Any) -> Any:
            yield await anext(aiter(items))
            raise error

        flow = Numbers(5) >> self.of(name, function, afunction)
        assert until_error(flow) == ([0], error)
        assert f"in Own, path Numbers → Own, in its {name}()" in error.__notes__

    def test_an_error_that_it_catches_is_not_lost(self, name: str) -> None:
        """What came in front of it has failed, so the run has."""

        def function(self: Any, items: Any) -> Any:
            try:
                yield from items
            except ValueError:
                yield -1

        async def afunction(self: Any, items: Any) -> Any:
            try:
                async for item in items:
                    yield item
            except ValueError:
                yield -1

        error = ValueError("before")
        flow = Numbers(2, error=error) >> self.of(name, function, afunction)
        assert until_error(flow) == ([0, 1, -1], error)

    @pytest.mark.parametrize("wrong", [5, "text", {"x": 1}, None])
    def test_what_is_no_stream_is_refused(self, name: str, wrong: Any) -> None:
        """With what it returned."""

        async def awrong(self: Any, items: Any) -> Any:
            return wrong

        one = self.of(name, lambda self, items: wrong, awrong)
        with pytest.raises(TypeError, match=rf"Own\.{name}\(\) returned "):
            list(Numbers(1) >> one)

    def test_a_stop_iteration_is_no_end(self, name: str) -> None:
        """It is an error, as in any step."""

        class Stops(Iterator[Any]):
            def __next__(self) -> Any:
                raise StopAsyncIteration

        async def afunction(self: Any, items: Any) -> Any:
            raise StopIteration
            yield

        with pytest.raises(RuntimeError):
            list(Numbers(1) >> self.of(name, lambda self, items: Stops(), afunction))


def test_a_process_that_blocks_leaves_the_loop_alone() -> None:
    """Its code runs in a thread of its own; context variables of the caller are there."""

    async def main() -> None:
        ticked = threading.Event()
        threads = set()

        def blocks(self: Any, items: Any) -> Any:
            for item in items:
                threads.add(threading.get_ident())
                assert ticked.wait(5)
                yield item

        async def tick() -> None:
            await asyncio.sleep(0)
            ticked.set()

        task = asyncio.create_task(tick())
        assert await gathered(Numbers(3) >> pairs(process=blocks)) == [0, 1, 2]
        await task
        assert len(threads) == 1
        assert threading.get_ident() not in threads

    asyncio.run(main())


class Opened(Transformer[int, int]):
    """Counts how often it is opened."""

    def __init__(self) -> None:
        self.opening: list[str] = []
        self.step = 0

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        self.opening.append("open")
        self.step = 1
        yield
        self.opening.append("close")

    def transform(self, product: int) -> Iterator[int]:
        yield product + self.step


class OfSuper(Opened):
    def process(self, items: Any) -> Any:
        yield from super().process(items)


class OfASuper(Opened):
    async def aprocess(self, items: Any) -> Any:
        for item in await super().aprocess(items):
            yield item


class OfOneByOne(Opened):
    async def aprocess(self, items: Any) -> Any:
        async for item in items:
            async for output in self.atransform(item):
                yield output


@pytest.mark.parametrize("kind", [OfSuper, OfASuper, OfOneByOne])
def test_what_calls_itself_finds_itself_open(kind: type[Opened]) -> None:
    """It is opened once in a run, also where its method for the whole stream calls the others."""
    one = kind()
    assert sorted(Numbers(3) >> one) == [1, 2, 3]
    assert one.opening == ["open", "close"]
    assert one.step == 0


def test_a_call_in_its_own_call_finds_itself_open() -> None:
    """However deep, and with the slot of the outer call."""

    class Countdown(AsyncTransformer[int, int]):
        def __init__(self) -> None:
            self.opening: list[str] = []

        @contextlib.asynccontextmanager
        async def opened(self) -> AsyncIterator[None]:
            self.opening.append("open")
            yield
            self.opening.append("close")

        async def atransform(self, product: int) -> AsyncIterator[int]:
            if product:
                async for deeper in self.atransform(product - 1):
                    yield deeper + 1
            else:
                yield 0

    one = Countdown()
    assert list(Numbers(6) >> one.options(concurrency=1)) == [*range(6)]
    assert one.opening == ["open", "close"]


def test_virtual_time_passes_while_its_thread_waits() -> None:
    """For products that take time, and for a reader that does."""

    class Slow(AsyncTransformer[int, int]):
        async def atransform(self, product: int) -> AsyncIterator[int]:
            await asyncio.sleep(60)
            yield product

    async def main() -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        flow = Numbers(100) >> Slow().options(concurrency=1) >> NotedProcess() >> Slow()
        assert len(await gathered(flow.options(concurrency=1))) == 100
        return loop.time() - began

    assert 101 * 60 <= run_virtual(main) <= 125 * 60
