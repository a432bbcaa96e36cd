"""What a run counts: each call once, from its beginning to its end, however it ends."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from functools import reduce
from typing import Any

import hypothesis
import pytest
import reactivex
import tenacity
from hypothesis import strategies as st
from reactivex import operators as ops

from fluxus_rx import (
    AsyncTransformer,
    Producer,
    RunResult,
    SimpleProducer,
    Transformer,
    passthrough,
    run,
    rx_pipe,
    step,
)
from fluxus_rx._engine.execution import collect
from fluxus_rx._monitoring.calls import Call
from fluxus_rx._monitoring.meter import Meter
from fluxus_rx._rx.run_settings import RunSettings


def counted(flow: Producer[Any], journal: bool = True) -> Meter:
    """The meter of a run of `flow`, which may fail."""
    meter = Meter(journal)

    async def main() -> None:
        await collect(flow._flow_observables(), RunSettings(meter=meter))

    with contextlib.suppress(ZeroDivisionError):
        asyncio.run(main())
    return meter


def numbers(meter: Meter) -> dict[str, tuple[int, int, int, int | None]]:
    """Done, in flight, failed and expected, by step."""
    return {
        count.step: (count.done, count.in_flight, count.failed, count.expected)
        for count in meter.counts()
    }


def calls(result: RunResult, step: str) -> list[Call]:
    return [call for call in result._times.calls if call.step == step]


def source(n: int) -> Any:
    return step("src", [{"x": x} for x in range(n)])


def one(x: int) -> dict[str, int]:
    return {"x": x}


async def waits(x: int) -> dict[str, int]:
    await asyncio.sleep(0)
    return {"x": x}


def many(x: int) -> Iterator[dict[str, int]]:
    yield from [{"x": i} for i in range(x)]


async def amany(x: int) -> AsyncIterator[dict[str, int]]:
    for i in range(x):
        await asyncio.sleep(0)
        yield {"x": i}


def later(x: int) -> Any:
    return waits(x)


def later_many(x: int) -> Any:
    return amany(x)


def listed(x: int) -> list[dict[str, int]]:
    return [{"x": i} for i in range(x)]


class Sync(Transformer[Any, Any]):
    def transform(self, product: Any) -> Iterator[Any]:
        yield product
        yield product


class Async(AsyncTransformer[Any, Any]):
    async def atransform(self, product: Any) -> AsyncIterator[Any]:
        yield product
        await asyncio.sleep(0)
        yield product


class TestCounts:
    @pytest.mark.parametrize("function", [one, waits, many, amany, later, later_many, listed])
    def test_each_call_counts_once(self, function: Any) -> None:
        """Whatever a function returns and however it returns it, a call of it is one call."""
        meter = counted(source(5) >> step("f", function))
        assert numbers(meter) == {"src": (5, 0, 0, 5), "f": (5, 0, 0, 5)}

    @pytest.mark.parametrize("kind", [Sync, Async])
    def test_classes_count_too(self, kind: Any) -> None:
        """A transformer of one's own is counted by its name."""
        meter = counted(SimpleProducer([1, 2, 3]) >> kind())
        assert numbers(meter) == {"SimpleProducer": (3, 0, 0, 3), kind.__name__: (3, 0, 0, 3)}

    def test_a_step_counts_over_all_its_paths(self) -> None:
        """A step behind a group is one line, whatever number of branches leads to it."""
        flow = source(4) >> (step("a", one) & step("b", many) & passthrough()) >> step("c", one)
        assert numbers(counted(flow)) == {
            "src": (4, 0, 0, 4),
            "a": (4, 0, 0, 4),
            "b": (4, 0, 0, 4),
            "c": (4 + 6 + 4, 0, 0, 14),
        }

    def test_steps_of_one_name_are_told_apart(self) -> None:
        """Two steps are two lines, and one step that stands twice is one."""
        twice = step("f", one)
        meter = counted(source(2) >> twice >> step("f", waits) >> twice)
        assert numbers(meter) == {"src": (2, 0, 0, 2), "f": (4, 0, 0, 4), "f#1": (2, 0, 0, 2)}

    def test_steps_come_in_the_order_of_the_flow(self) -> None:
        """A step is behind all those that lead to it, on the longest way."""
        group = (step("a", one) >> step("b", one)) & passthrough()
        flow = source(1) >> group >> step("c", one)
        assert [*numbers(counted(flow))] == ["src", "a", "b", "c"]

    def test_a_failure_counts_as_one_and_leaves_nothing_in_flight(self) -> None:
        """What was cancelled because of it has neither succeeded nor failed."""

        async def fails(x: int) -> dict[str, int]:
            if x == 3:
                raise ZeroDivisionError
            await asyncio.Event().wait()
            return {}

        done, in_flight, failed, _ = numbers(counted(source(5) >> step("f", fails)))["f"]
        assert (done, in_flight, failed) == (0, 0, 1)

    @pytest.mark.parametrize("function", [many, amany])
    def test_a_generator_that_is_left_early_is_over(self, function: Any) -> None:
        """A reader that has enough leaves no call in flight."""
        flow = source(50) >> step("f", function) >> rx_pipe(ops.take(3))
        _, in_flight, failed, _ = numbers(counted(flow))["f"]
        assert (in_flight, failed) == (0, 0)

    def test_a_failing_source_is_a_failure_of_it(self) -> None:
        """The item that didn't come counts as failed."""

        def source() -> Iterator[dict[str, int]]:
            yield {"x": 1}
            raise ZeroDivisionError

        meter = counted(step("src", source))
        assert numbers(meter) == {"src": (1, 0, 1, None)}


class TestExpectations:
    @pytest.mark.parametrize(
        ("given", "length"),
        [
            ([{"x": 1}, {"x": 2}], 2),
            ({"x": 1}, 1),
            (lambda: [{"x": 1}] * 7, 7),
            (lambda: ({"x": x} for x in range(3)), None),
            (({"x": x} for x in range(3)), None),
            (reactivex.of({"x": 1}), None),
        ],
    )
    def test_a_source_with_a_length_is_expected_to_give_it(
        self, given: Any, length: int | None
    ) -> None:
        """Data, and what a function returned, have one; a generator and an observable have not."""
        flow = step("src", given) >> step("f", one)
        assert {count.expected for count in counted(flow).counts()} == {length}

    def test_a_coroutine_that_gives_a_list_has_a_length(self) -> None:
        """As soon as it has yielded it."""

        async def source() -> list[dict[str, int]]:
            return [{"x": 1}] * 4

        assert numbers(counted(step("src", source)))["src"] == (4, 0, 0, 4)

    def test_a_class_based_source_may_have_a_length_too(self) -> None:
        """By its iterator's length hint."""

        class Sized(Producer[int]):
            def produce(self) -> list[int]:
                return [1, 2, 3]

        assert numbers(counted(Sized())) == {"Sized": (3, 0, 0, 3)}

    def test_expectations_follow_what_steps_make_of_a_product(self) -> None:
        """While a step runs, what it has made so far of a product tells how many will follow."""
        seen: list[dict[str, Any]] = []
        meter = Meter()

        def double(x: int) -> list[dict[str, int]]:
            return [{"y": x}, {"y": -x}]

        def look(y: int) -> dict[str, int]:
            seen.append(numbers(meter))
            return {}

        async def main() -> None:
            flow = source(10) >> step("double", double) >> step("look", look)
            await collect(flow._flow_observables(), RunSettings(meter=meter))

        asyncio.run(main())
        assert [now["look"][3] for now in seen][2:] == [20] * 18
        assert {now["double"][3] for now in seen} == {10}
        assert numbers(meter)["look"] == (20, 0, 0, 20)

    def test_behind_operators_nothing_is_expected(self) -> None:
        """What an Rx operator lets pass can't be foreseen."""
        flow = source(3) >> rx_pipe(ops.filter(lambda product: True)) >> step("f", one)
        assert numbers(counted(flow)) == {"src": (3, 0, 0, 3), "f": (3, 0, 0, None)}

    def test_a_long_chain_is_no_recursion(self) -> None:
        """Expectations are found for 3,000 steps in a row."""
        flow = reduce(lambda chain, i: chain >> step(f"f{i}", one), range(3000), source(1))
        counts = counted(flow).counts()
        assert len(counts) == 3001
        assert {count.expected for count in counts} == {1}


class TestJournal:
    def test_it_has_each_call_of_a_run_with_timestamps(self) -> None:
        """Those that returned nothing as well, and once what several outputs share."""
        flow = source(3) >> step("f", many) >> (step("g", one) & step("h", waits))
        result = run(flow, timestamps=True)
        assert [(call.step, call.item, call.products) for call in result._times.calls] == [
            *[("src", "", 1)] * 3,
            *[("f", "0", 0), ("f", "1", 1), ("f", "2", 2)],
            *[("g", "1", 1), ("g", "2", 1), ("g", "2.1", 1)],
            *[("h", "1", 1), ("h", "2", 1), ("h", "2.1", 1)],
        ]
        assert [call.path for call in result._times.calls][-1] == "src → f → h"
        assert all(call.error is None and call.attempt == 1 for call in result._times.calls)

    def test_without_timestamps_there_is_none(self) -> None:
        """Nothing is kept that nobody has asked for."""
        result = run(source(3) >> step("f", many))
        assert (result._times.calls, result._times.elapsed) == ((), None)

    def test_times_are_within_the_run(self) -> None:
        """A call begins before it ends, within the run, and is busy for no longer."""
        result = run(source(5) >> step("f", many) >> step("g", amany), timestamps=True)
        assert result._times.elapsed is not None
        for call in result._times.calls:
            assert 0 <= call.start <= call.end <= result._times.elapsed
            assert 0 <= call.busy <= call.end - call.start

    def test_a_second_attempt_is_told(self) -> None:
        """`retry` runs a source again; the call that failed, and only that, has another attempt."""
        failed: list[int] = []

        def flaky(x: int) -> dict[str, int]:
            if x == 2 and len(failed) < 2:
                failed.append(x)
                raise ValueError("no luck")
            return {"y": x}

        flow = source(4) >> step("f", flaky) >> rx_pipe(ops.retry(3))
        found = [
            (call.attempt, call.error)
            for call in calls(run(flow, timestamps=True), "f")
            if call.item == "2"
        ]
        error = "ValueError('no luck'), given {'x': 2}"
        assert found == [(1, error), (2, error), (3, None)]

    @pytest.mark.parametrize("failing", [set(), {3}, {1, 4}, {0, 2, 6}], ids=repr)
    def test_a_call_behind_another_ones_failure_is_no_attempt(self, failing: set[int]) -> None:
        """Products of observables for each product have the same positions: a crawl by `expand`."""
        fails = Counter(dict.fromkeys(failing, 1))

        async def links(page: int) -> dict[str, Any]:
            if fails[page] > 0:
                fails[page] -= 1
                raise OSError(page)
            return {"links": [n for n in (2 * page + 1, 2 * page + 2) if n < 15]}

        at_once = tenacity.AsyncRetrying(
            stop=tenacity.stop_after_attempt(2), wait=tenacity.wait_none()
        )
        visit = step("visit", links).options(retry=at_once)

        def linked(product: Any) -> reactivex.Observable[Any]:
            return reactivex.from_iterable([{"page": n} for n in product["links"]]) >> visit

        def crawl(seed: Any) -> reactivex.Observable[Any]:
            return (reactivex.of(seed) >> visit).pipe(ops.expand(linked))

        flow = step("seed", {"page": 0}) >> rx_pipe(ops.flat_map(crawl))
        summary = run(flow, timestamps=True).summary().steps[-1]
        assert (summary.calls, summary.products) == (15 + len(failing), 15)
        assert (summary.failures, summary.retries) == (len(failing), len(failing))

    @hypothesis.given(st.lists(st.integers(0, 3), min_size=1, max_size=8), st.integers(1, 3))
    def test_attempts_are_those_that_were_made(self, troubles: list[int], attempts: int) -> None:
        """Of calls that all have the same position, each of which fails so many times."""
        left = Counter(dict(enumerate(troubles)))

        async def visit(page: int) -> dict[str, int]:
            if left[page] > 0:
                left[page] -= 1
                raise OSError(page)
            return {"title": page}

        policy = tenacity.AsyncRetrying(
            stop=tenacity.stop_after_attempt(attempts), wait=tenacity.wait_none()
        )
        visiting = step("visit", visit).options(retry=policy, on_error="collect")

        def each(page: Any) -> reactivex.Observable[Any]:
            return reactivex.of({"page": page["page"]}) >> visiting

        pages = step("pages", [{"page": page} for page in range(len(troubles))])
        result = run(pages >> rx_pipe(ops.flat_map(each)), timestamps=True)
        summary = result.summary().steps[-1]
        assert summary.failures == sum(min(trouble, attempts) for trouble in troubles)
        assert summary.retries == sum(min(trouble, attempts - 1) for trouble in troubles)
        for call in calls(result, "visit"):
            assert call.attempt <= attempts

    def test_a_result_with_timestamps_is_the_result(self) -> None:
        """But for the times, what is measured comes out as what is not."""
        flow = source(4) >> (step("a", amany) & step("b", many)) >> step("c", waits)

        def timeless(result: RunResult) -> list[Any]:
            return [
                [
                    {
                        name: {k: v for k, v in added.items() if k[0] != "["}
                        for name, added in o.items()
                    }
                    for o in path
                ]
                for path in result
            ]

        assert timeless(run(flow, timestamps=True)) == [*run(flow)]


class TestCancellation:
    def test_a_time_out_held_across_a_yield_reaches_its_generator(self) -> None:
        """A measured generator gets the cancellation of its own time-out, as it does unmeasured."""
        events: list[str] = []

        async def slow(x: int) -> AsyncIterator[dict[str, int]]:
            try:
                async with asyncio.timeout(0.01):
                    while True:
                        yield {"y": 1}
                        await asyncio.sleep(0)
            except TimeoutError:
                events.append("timed out")
                raise ZeroDivisionError from None

        meter = counted(source(1) >> step("slow", slow))
        assert events == ["timed out"]
        assert numbers(meter)["slow"][1:3] == (0, 1)


class TestBusy:
    @pytest.fixture
    def clock(self, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        """A clock that stands still unless it is moved."""
        now = [0.0]
        monkeypatch.setattr("fluxus_rx._monitoring.meter.clock", lambda: lambda: now[0])
        return now

    def busy(self, function: Any) -> float:
        (call,) = [
            call
            for call in counted(source(1) >> step("f", function)).times(0.0).records
            if call[0] == "f"
        ]
        return call[5]

    def test_a_coroutine_that_gives_a_list_is_busy_until_it_gives_it(
        self, clock: list[float]
    ) -> None:
        """And for the time in which the list is read, but not between its products."""

        async def slow(x: int) -> list[dict[str, int]]:
            await asyncio.sleep(0)
            clock[0] += 5
            return [{"y": 1}, {"y": 2}]

        assert self.busy(slow) == 5

    @pytest.mark.parametrize(
        "wrap", [lambda function: function, lambda function: lambda x: function(x)]
    )
    def test_a_generator_is_busy_only_while_it_is_asked(
        self, clock: list[float], wrap: Any
    ) -> None:
        """The time that a reader takes for what it was given isn't the generator's."""

        async def slow(x: int) -> AsyncIterator[dict[str, int]]:
            for y in range(3):
                clock[0] += 1
                yield {"y": y}

        def reader(y: int) -> dict[str, int]:
            clock[0] += 100
            return {"z": y}

        meter = counted(source(1) >> step("f", wrap(slow)) >> step("reader", reader))
        busy = {call[0]: call[5] for call in meter.times(0.0).records}
        assert (busy["f"], busy["reader"]) == (3, 100)

    def test_a_call_that_gives_one_product_is_busy_from_begin_to_end(
        self, clock: list[float]
    ) -> None:
        """Waiting included: what a call waits for is its work."""

        async def slow(x: int) -> dict[str, int]:
            clock[0] += 2
            await asyncio.sleep(0)
            clock[0] += 3
            return {"y": 1}

        assert self.busy(slow) == 5


class TestSameWithAndWithout:
    @pytest.mark.parametrize(
        "more", [{}, {"timestamps": True}, {"progress": lambda progress: None}]
    )
    def test_a_length_that_raises_is_no_length(self, more: dict[str, Any]) -> None:
        """Lazy collections raise in `__len__`; a run that is watched takes them all the same."""

        class Lazy:
            def __iter__(self) -> Iterator[dict[str, int]]:
                return iter([{"x": 1}])

            def __len__(self) -> int:
                raise TypeError("not yet known")

        assert len(run(step("src", Lazy()), **more)[0]) == 1

    def test_a_length_beyond_all_numbers_is_no_length(self) -> None:
        """A range may be longer than Python can say."""

        class Long(Producer[int]):
            def produce(self) -> range:
                return range(10**20)

        assert numbers(counted(Long() >> rx_pipe(ops.take(2))))["Long"][3] is None

    def test_an_awaitable_that_is_never_awaited_is_not_in_flight(self) -> None:
        """A call that waits for its place as the run ends is over with it."""

        async def slow(x: int) -> dict[str, int]:
            await asyncio.Event().wait()
            return {}

        async def fails(x: int) -> dict[str, int]:
            for _ in range(9):
                await asyncio.sleep(0)
            raise ZeroDivisionError

        waits = step("waits", lambda x: slow(x)).options(concurrency=1)
        meter = counted(source(5) >> (waits & waits & step("fails", fails)))
        assert {count.in_flight for count in meter.counts()} == {0}

    @pytest.mark.parametrize("between", [rx_pipe(ops.filter(lambda product: True)), Sync()])
    def test_steps_behind_what_is_no_step_have_times(self, between: Any) -> None:
        """Whatever stands before it, what a step adds comes with its times."""
        flow = source(1) >> between >> step("b", one) >> step("c", one)
        result = run(flow, timestamps=True)
        assert all("[start]" in added for added in result[0][0].values())


def test_a_time_out_that_a_generator_survives_costs_no_product() -> None:
    """What waited to be taken is given first, then what the generator yields in answer."""

    async def patient(x: int) -> AsyncIterator[dict[str, int]]:
        given = 0
        try:
            async with asyncio.timeout(0.05):
                while True:
                    yield {"y": given}
                    given += 1
                    await asyncio.sleep(0)
        except TimeoutError:
            yield {"y": given + 1}
            yield {"y": given + 2}

    async def slow(y: int) -> dict[str, int]:
        await asyncio.sleep(0.1 if y == 0 else 0)
        return {}

    flow = source(1) >> step("patient", patient) >> step("slow", slow).options(concurrency=1)
    for more in ({}, {"timestamps": True}):
        found = [output["patient"]["y"] for output in run(flow, **more)[0]]  # type: ignore[call-overload]
        assert found == [*range(len(found))]
        assert len(found) > 3


class TestSubscribedAgain:
    def test_a_source_that_is_subscribed_to_again_is_expected_to_give_more(self) -> None:
        """What it will have emitted is never less than what it has emitted."""
        failed: list[int] = []

        def flaky(x: int) -> dict[str, int]:
            if x == 2 and not failed:
                failed.append(x)
                raise ValueError
            return {}

        counts = numbers(counted(source(5) >> step("f", flaky) >> rx_pipe(ops.retry(2))))
        assert counts == {"src": (8, 0, 0, 8), "f": (7, 0, 1, 8)}

    def test_flows_inside_of_operators_have_one_line_for_each_name(self) -> None:
        """Not one for each product that an operator subscribes to one for."""

        class Inner(Producer[dict[str, int]]):
            def produce(self) -> list[dict[str, int]]:
                return [{"y": 1}, {"y": 2}]

        inner = rx_pipe(ops.flat_map(lambda product: Inner().to_observable()))
        meter = counted(source(50) >> inner >> step("f", lambda y: {}))
        assert numbers(meter) == {
            "src": (50, 0, 0, 50),
            "Inner": (100, 0, 0, None),
            "f": (100, 0, 0, None),
        }

    def test_a_source_that_is_left_early_keeps_its_length(self) -> None:
        """How much of it was left is there to see."""
        done, in_flight, _, expected = numbers(counted(source(500) >> rx_pipe(ops.take(3))))["src"]
        assert (in_flight, expected) == (0, 500)
        assert done < 500


class TestFailuresBeforeTheFirstItem:
    def test_a_source_function_that_raises_has_failed(self) -> None:
        """Its call counts, though it has returned nothing."""

        def source() -> list[dict[str, int]]:
            raise ZeroDivisionError

        assert numbers(counted(step("src", source)))["src"] == (0, 0, 1, None)

    def test_an_iterable_that_raises_as_it_is_begun_has_failed(self) -> None:
        """Whether by `__aiter__` or by an `__anext__` that isn't a coroutine function."""

        class Begins:
            def __aiter__(self) -> Any:
                raise ZeroDivisionError

        class Goes:
            def __aiter__(self) -> Any:
                return self

            def __anext__(self) -> Any:
                raise ZeroDivisionError

        for given in (Begins, Goes):

            class Gives(AsyncTransformer[Any, Any]):
                made = given

                def atransform(self, product: Any) -> Any:
                    return self.made()

            meter = counted(SimpleProducer([1]) >> Gives())
            assert numbers(meter)["Gives"][:3] == (0, 0, 1)


def test_what_a_source_takes_to_begin_is_part_of_its_first_product() -> None:
    """A function that queries a database for a second is busy for that second."""
    now = [0.0]

    def source() -> list[dict[str, int]]:
        now[0] += 5
        return [{"x": 1}, {"x": 2}]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fluxus_rx._monitoring.meter.clock", lambda: lambda: now[0])
        meter = counted(step("src", source))
    assert [call[5] for call in meter.times(0.0).records] == [5, 0]


def test_no_two_steps_have_one_label() -> None:
    """Also where a class is called as a second one of its name would be."""

    class Named(Transformer[Any, Any]):
        def __init__(self, name: str) -> None:
            self._name = name

        @property
        def name(self) -> str:
            return self._name

        def transform(self, product: Any) -> Iterator[Any]:
            yield product

    flow = SimpleProducer([1]) >> Named("a") >> Named("a") >> Named("a#1")
    assert [*numbers(counted(flow))] == ["SimpleProducer", "a", "a#1", "a#1#1"]
