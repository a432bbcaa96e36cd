"""The failures of a result, their order and table, and the limit of failures of a run."""

from __future__ import annotations

import asyncio
import copy
import pickle
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxus_rx import (
    Failure,
    FailureLimitError,
    Failures,
    InvalidFlowError,
    InvalidOptionError,
    RunResult,
    StepOptions,
    arun,
    passthrough,
    rerun,
    run,
    step,
)
from fluxus_rx.testing import virtual_time
from tests.support.errors import notes, refused, untyped
from tests.support.scripted_calls import numbers


class Refused(Exception):
    """An error that says more than its text."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def odd(x: int) -> dict[str, int]:
    """Fails for even numbers."""
    if x % 2 == 0:
        raise Refused(x)
    return {"y": x}


def collecting(function: Callable[..., Any] = odd, name: str = "s", **options: Any) -> Any:
    """A step whose failures are collected."""
    return step(name, function).options(on_error="collect", **options)


def xs(failures: Sequence[Failure]) -> list[int]:
    """What the calls were made with."""
    return [failure.product["x"] for failure in failures]


class TestOrder:
    @given(st.lists(st.integers(0, 9), min_size=1, max_size=12), st.integers(1, 5))
    def test_it_is_that_of_the_source_however_late_they_fail(
        self, delays: list[int], limit: int
    ) -> None:
        """Whatever the time that a call takes, or how many there are at once."""

        async def late(x: int) -> dict[str, int]:
            await asyncio.sleep(delays[x])
            return odd(x)

        async def main() -> RunResult:
            made = collecting(late, concurrency=limit)
            return await arun(numbers(len(delays)) >> (made & passthrough()) >> made)

        with virtual_time() as run_in:
            failures = run_in(main).failures
        even = [x for x in range(len(delays)) if x % 2 == 0]
        told = [(failure.product["x"], failure.path) for failure in failures]
        assert told == [(x, path) for x in even for path in ("src → s", "src → s")]

    def test_failures_of_one_product_come_in_the_order_of_their_paths(self) -> None:
        """In each run the same, though the branch that is written last fails first."""

        async def main() -> list[str]:
            async def late(x: int) -> dict[str, int]:
                await asyncio.sleep(9)
                return odd(x)

            group = collecting(late, "a") & collecting(odd, "b")
            return [failure.path for failure in (await arun(numbers(1) >> group)).failures]

        with virtual_time() as run_in:
            assert run_in(main) == ["src → a", "src → b"]

    def test_failures_behind_an_expansion_come_in_its_order(self) -> None:
        """As the outputs beside them do."""
        many = step("many", lambda x: [{"x": 10 * x + digit} for digit in range(3)])
        result = run(numbers(3) >> many >> collecting())
        assert xs(result.failures) == [0, 2, 10, 12, 20, 22]
        assert [output["s"]["y"] for output in result[0]] == [1, 11, 21]

    def test_a_slice_is_of_the_same_kind(self) -> None:
        """So that it can run again as well as all of them."""
        failures = run(numbers(9) >> collecting()).failures
        assert isinstance(failures[1:3], Failures)
        assert xs(failures[1:3]) == [2, 4]
        assert xs(failures[::-1]) == [8, 6, 4, 2, 0]
        assert failures[-1] is list(failures)[-1]
        with pytest.raises(IndexError):
            failures[5]
        with refused(InvalidFlowError, "Failure objects", "3"):
            Failures(untyped([3]))


class TestTable:
    def test_each_failure_is_a_row(self) -> None:
        """Its lineage by step and attribute, then what went wrong."""
        made = collecting(retry=2)
        frame = run(numbers(4) >> step("add", lambda x: {"x": x + 1}) >> made).failures.to_frame()
        assert [*frame.columns] == [
            *(("src", "x"), ("add", "x")),
            *(("[failure]", "step"), ("[failure]", "path"), ("[failure]", "attempts")),
            *(("[failure]", "error"), ("[failure]", "text")),
        ]
        assert frame.index.name == "item"
        assert [*frame.itertuples(name=None)] == [
            (0, 1, 2, "s", "src → add → s", 2, "Refused", "2"),
            (1, 3, 4, "s", "src → add → s", 2, "Refused", "4"),
        ]

    def test_failures_of_several_steps_share_it(self) -> None:
        """What a row has no value for is missing; the dtypes stay."""
        last = collecting(lambda y: {"z": 1 // (y - 1)}, "t")
        frame = run(numbers(3) >> collecting() >> last).failures.to_frame()
        assert [*frame["[failure]", "step"]] == ["s", "t", "s"]
        assert [*frame["s", "y"].isna()] == [True, False, True]
        assert str(frame["s", "y"].dtype) == "Int64"

    def test_values_may_be_simplified(self) -> None:
        """As in the table of outputs."""
        source = step("src", [{"x": 0, "path": [1]}])
        frame = run(source >> collecting()).failures.to_frame(simplify=True)
        assert [*frame["src", "path"]] == ["[1]"]

    def test_no_failures_are_an_empty_table(self) -> None:
        """Of a run without steps that collect, too."""
        for flow in (numbers(3), numbers(0) >> collecting()):
            failures = run(flow).failures
            assert (len(failures), [*failures], failures.to_frame().empty) == (0, [], True)


class TestPickle:
    def test_a_failure_takes_all_of_it_along(self) -> None:
        """The exception with its attributes and notes, the product with its lineage."""
        flow = numbers(3) >> step("add", lambda x: {"y": x}) >> collecting(retry=2)
        for failure in run(flow).failures:
            again = pickle.loads(pickle.dumps(failure))
            assert (again.step, again.path, again.attempts) == ("s", "src → add → s", 2)
            assert again.lineage == failure.lineage
            assert again.product.path() == ["src", "add"]
            assert type(again.exception) is Refused
            assert again.exception.code == failure.product["x"]
            assert notes(again.exception) == notes(failure.exception) != ""
            assert str(again) == str(failure)

    @pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickle.dumps])
    @pytest.mark.parametrize("timestamps", [False, True])
    def test_a_result_takes_its_failures_along(self, duplicate: Any, timestamps: bool) -> None:
        """And what it needs to be merged."""
        flow = numbers(5) >> collecting()
        result = run(flow, timestamps=timestamps)
        again = duplicate(result)
        again = pickle.loads(again) if isinstance(again, bytes) else again
        assert again == result
        assert xs(again.failures) == [0, 2, 4]
        well = numbers(5) >> step("s", lambda x: {"y": x})
        merged = again.merged(rerun(well, again.failures, timestamps=timestamps))
        assert [output["s"]["y"] for output in merged[0]] == [*range(5)]

    def test_the_error_of_a_limit_takes_all_of_it_along(self) -> None:
        """Its failures, and the result."""
        with pytest.raises(FailureLimitError) as caught:
            run(numbers(9) >> collecting(), max_failures=1)
        again = pickle.loads(pickle.dumps(caught.value))
        assert str(again) == str(caught.value)
        assert xs(again.failures) == [0, 2]
        assert again.result == caught.value.result
        assert xs(again.result.failures) == [0, 2]

    @pytest.mark.parametrize("timestamps", [False, True])
    def test_a_result_is_pickled_as_plain_data(self, timestamps: bool) -> None:
        """So that another version can load it, with what it needs to be merged."""
        flow = numbers(5) >> collecting()
        well = numbers(5) >> step("s", lambda x: {"y": x})
        result = run(flow, timestamps=timestamps)
        again = pickle.dumps(rerun(well, result.failures, timestamps=timestamps))
        assert b"fluxus_rx._" not in again
        merged = result.merged(pickle.loads(again))
        assert [output["s"]["y"] for output in merged[0]] == [*range(5)]

    def test_failures_change_nothing_in_what_a_result_is_equal_to(self) -> None:
        """Results are equal by their outputs."""
        collected = run(numbers(5) >> collecting())
        skipped = run(numbers(5) >> step("s", odd).options(on_error="skip"))
        assert collected == skipped == RunResult(*collected)
        assert (len(collected.failures), len(skipped.failures)) == (3, 0)


every_way = pytest.mark.parametrize("on_error", ["skip", "collect", lambda failure: None])
every_place = pytest.mark.parametrize("place", ["step", "chain", "run"])


class TestLimit:
    @every_way
    @every_place
    def test_one_more_than_the_limit_ends_the_run(self, on_error: Any, place: str) -> None:
        """Wherever it is said what becomes of failures."""
        flow, options = numbers(9) >> step("s", odd), StepOptions()
        match place:
            case "step":
                flow = numbers(9) >> step("s", odd).options(on_error=on_error)
            case "chain":
                flow = flow.options(on_error=on_error)
            case "run":
                options = StepOptions(on_error=on_error)
        assert len(run(flow, options=options, max_failures=5)[0]) == 4
        with refused(FailureLimitError, "5 calls have failed", "max_failures=4", "s failed"):
            run(flow, options=options, max_failures=4)

    @every_way
    def test_the_error_has_all_failures_and_the_result(self, on_error: Any) -> None:
        """In the order of the flow; its cause is the error that was one too many."""

        async def late(x: int) -> dict[str, int]:
            await asyncio.sleep(20 - x)
            return odd(x)

        async def main() -> FailureLimitError:
            flow = numbers(9) >> step("s", late).options(on_error=on_error)
            with pytest.raises(FailureLimitError) as caught:
                await arun(flow, max_failures=3)
            return caught.value

        with virtual_time() as run_in:
            error = run_in(main)
        assert isinstance(error.failures, Failures)
        assert xs(error.failures) == [2, 4, 6, 8]
        assert error.__cause__ is error.failures[0].exception
        assert [output["s"]["y"] for output in error.result[0]] == [3, 5, 7]
        assert xs(error.result.failures) == ([2, 4, 6, 8] if on_error == "collect" else [])

    @pytest.mark.parametrize("timestamps", [False, True])
    def test_its_failures_are_those_of_its_result(self, timestamps: bool) -> None:
        """The same objects, so that it can be told which of them were handled otherwise."""
        flow = numbers(9) >> (collecting(odd, "a") & step("b", odd).options(on_error="skip"))
        with pytest.raises(FailureLimitError) as caught:
            run(flow, timestamps=timestamps, max_failures=9)
        error = caught.value
        others = [failure for failure in error.failures if failure not in error.result.failures]
        assert [failure.step for failure in others] == ["b"] * 5
        assert len(error.result.failures) == 5

    @every_way
    def test_its_failures_can_run_again(self, on_error: Any) -> None:
        """And complete the result by then."""
        with pytest.raises(FailureLimitError) as caught:
            run(numbers(9) >> step("s", odd).options(on_error=on_error), max_failures=2)
        well = numbers(9) >> step("s", lambda x: {"y": x})
        merged = caught.value.result.merged(rerun(well, caught.value.failures))
        assert [output["s"]["y"] for output in merged[0]] == [0, 1, 2, 3, 4]
        assert not merged.failures

    def test_failures_of_all_steps_and_branches_count_together(self) -> None:
        """Once for each call, and not for each attempt."""
        flow = numbers(4) >> (collecting(odd, "a", retry=1) & collecting(odd, "b"))
        assert len(run(flow, max_failures=4).failures) == 4
        with pytest.raises(FailureLimitError):
            run(flow, max_failures=3)

    def test_what_raises_ends_the_run_as_ever(self) -> None:
        """It is not one of the failures that a run puts up with."""
        flow = numbers(3) >> step("s", odd) >> collecting(name="behind")
        with pytest.raises(Refused):
            run(flow, max_failures=5)
        with pytest.raises(Refused):
            run(flow, max_failures=0)

    @pytest.mark.parametrize("limit", [-1, True, 1.0, "3", float("inf")])
    def test_a_limit_is_a_whole_number_from_0_on(self, limit: Any) -> None:
        """Or None."""
        with refused(InvalidOptionError, "max_failures=", str(limit)):
            run(numbers(3), max_failures=limit)
        assert len(run(numbers(3) >> collecting(), max_failures=None).failures) == 2

    def test_calls_under_way_are_cancelled(self) -> None:
        """And those that have emitted nothing are in no list."""
        closed: list[int] = []

        async def hang(x: int) -> dict[str, int]:
            try:
                await asyncio.sleep(1 if x == 1 else 1_000)
                raise Refused(x)
            finally:
                closed.append(x)

        async def main() -> FailureLimitError:
            with pytest.raises(FailureLimitError) as caught:
                await arun(numbers(3) >> collecting(hang), max_failures=0)
            return caught.value

        with virtual_time() as run_in:
            error = run_in(main)
        assert xs(error.failures) == [1]
        assert sorted(closed) == [0, 1, 2]

    def test_replays_have_limits_of_their_own(self) -> None:
        """With the failures of the replay only."""
        flow = numbers(9) >> collecting()
        failures = run(flow).failures
        assert len(rerun(flow, failures, max_failures=5).failures) == 5
        with pytest.raises(FailureLimitError) as caught:
            rerun(flow, failures, max_failures=1)
        assert xs(caught.value.failures) == [0, 2]


class TestNestedRuns:
    def test_the_limit_of_the_inner_run_is_no_concern_of_the_outer(self) -> None:
        """Its error is one failure of the step; it keeps what belongs to the inner run."""
        inner = numbers(9) >> collecting()

        def nested(x: int) -> dict[str, int]:
            return {"z": len(run(inner, max_failures=x).failures)}

        flow = numbers(7) >> collecting(nested, "nested")
        result = run(flow, max_failures=5)
        assert [output["nested"]["z"] for output in result[0]] == [5, 5]
        assert xs(result.failures) == [0, 1, 2, 3, 4]
        for failure in result.failures:
            error = failure.exception
            assert isinstance(error, FailureLimitError)
            assert len(error.failures) == failure.product["x"] + 1
            assert {one.path for one in error.failures} == {"src → s"}

    def test_an_error_of_the_inner_limit_goes_through_as_it_is(self) -> None:
        """With the failures and the result of the inner run, in a run with a limit, too."""
        inner = numbers(9) >> collecting(odd, "inside")
        nested = step("nested", lambda x: untyped(run(inner, max_failures=1)))
        flow = numbers(2) >> nested >> collecting(name="behind")
        for limit in (None, 7):
            with pytest.raises(FailureLimitError) as caught:
                run(flow, max_failures=limit)
            error = caught.value
            assert [failure.step for failure in error.failures] == ["inside"] * 2
            assert [output["inside"] for output in error.result[0]] == [{"y": 1}]

    async def test_runs_side_by_side_count_for_themselves(self) -> None:
        """On one loop."""

        async def late(x: int) -> dict[str, int]:
            await asyncio.sleep(0)
            return odd(x)

        flow = numbers(9) >> collecting(late)
        ended = await asyncio.gather(
            *(arun(flow, max_failures=limit) for limit in (4, 5, 6)), return_exceptions=True
        )
        assert isinstance(ended[0], FailureLimitError)
        assert [len(one.failures) for one in ended[1:]] == [5, 5]  # type: ignore[union-attr]

    def test_runs_in_threads_count_for_themselves(self) -> None:
        """At the same time, of the same flow."""
        flow = numbers(99) >> collecting(odd, concurrency=4)
        with ThreadPoolExecutor(4) as pool:
            lengths = list(pool.map(lambda _: len(run(flow, max_failures=50).failures), range(8)))
        assert lengths == [50] * 8
