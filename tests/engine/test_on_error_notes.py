"""What is told of calls that failed for good, in a run that goes on."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fluxus_rx import (
    DictProduct,
    Failure,
    FailureLimitError,
    InvalidProductError,
    MissingAttributeError,
    RunResult,
    StepOptions,
    UsageError,
    arun,
    passthrough,
    run,
    step,
    stream,
)
from tests.support import scripted_calls
from tests.support.conduits import Collect, Fetch, Numbers
from tests.support.errors import notes, refused, untyped
from tests.support.scripted_calls import numbers, odd_fail, replacing, ys

in_time, all_of_it = scripted_calls.in_time, scripted_calls.all_of_it

every_function = pytest.mark.parametrize("kind", scripted_calls.FUNCTIONS)
every_generator = pytest.mark.parametrize("kind", scripted_calls.GENERATORS)

InTime = Callable[..., Any]


class TestFailures:
    @every_function
    def test_collect_keeps_each_failure(self, in_time: InTime, all_of_it: None, kind: str) -> None:
        """With step, path, product, exception and attempts, in the order of the flow."""

        async def main() -> RunResult:
            first = step("first", lambda x: [{"x": x}, {"x": x + 1}])
            return await arun(
                numbers(3) >> first >> (odd_fail().step(kind, on_error="collect", retry=2))
            )

        result = in_time(main)
        assert ys(result) == [0, 1, 20, 21, 20, 21]
        assert len(result.failures) == 3
        for failure, source, x in zip(result.failures, (0, 1, 2), (1, 1, 3), strict=True):
            assert failure.step == "s"
            assert failure.path == "src → first → s"
            assert failure.lineage == {"src": {"x": source}, "first": {"x": x}}
            assert isinstance(failure.product, DictProduct)
            assert failure.product["x"] == x
            assert type(failure.exception) is ValueError
            assert failure.exception.args == (f"no {x}",)
            assert failure.attempts == 2
            told = notes(failure.exception)
            assert "after 2 attempts" in told
            assert "in step 's'" in told
            assert f"called with x={x}" in told
            assert "failed after 2 attempts with ValueError" in str(failure)

    @every_generator
    def test_a_function_is_given_all_of_it_too(self, in_time: InTime, kind: str) -> None:
        """Once, when the call has failed for good."""
        seen, function = replacing(None, "def", kind in scripted_calls.CLASSES)
        in_time(lambda: odd_fail(1).values_of(kind, 2, on_error=function, retry=3))
        (failure,) = seen
        assert failure.step == odd_fail().step(kind).name
        assert failure.path.endswith(failure.step)
        assert failure.attempts == 1
        assert failure.lineage == (1 if kind in scripted_calls.CLASSES else {"src": {"x": 1}})
        assert "no 1" in str(failure.exception)
        assert "in " in notes(failure.exception)

    def test_a_failure_is_kept_as_it_was_when_the_call_failed(self) -> None:
        """Though products are extended in place where nobody else has them."""
        made = step("s", failing_at(2)).options(on_error="collect")
        last = step("t", lambda x: {"z": x}).options(on_error="collect")
        result = run(numbers(4) >> step("first", lambda x: {"x": x}) >> made >> last)
        (failure,) = result.failures
        assert failure.lineage == {"src": {"x": 2}, "first": {"x": 2}}
        assert pickle.loads(pickle.dumps(failure)).lineage == failure.lineage

    def test_the_failures_of_all_branches_are_told_apart_by_their_paths(self) -> None:
        """And come in one order, however late they failed."""
        made = step("s", failing_at(1)).options(on_error="collect")
        group = (step("a", lambda x: {"x": x}) & step("b", slowly)) >> made
        result = run(numbers(3) >> group)
        assert [failure.path for failure in result.failures] == ["src → a → s", "src → b → s"]
        assert [[output["src"]["x"] for output in path] for path in result] == [[0, 2], [0, 2]]

    def test_skipped_and_replaced_ones_are_no_failures_of_the_result(self) -> None:
        """Those that are collected are."""
        flow = numbers(4) >> step("s", failing_at(1))
        assert len(run(flow.options(on_error="skip")).failures) == 0
        assert len(run(flow.options(on_error=lambda failure: None)).failures) == 0
        assert len(run(flow.options(on_error="collect")).failures) == 1
        assert len(run(flow, options=StepOptions(on_error="collect")).failures) == 1

    @pytest.mark.parametrize("on_error", ["skip", "collect", lambda failure: None])
    def test_any_of_them_counts_for_the_limit_of_a_run(self, on_error: Any) -> None:
        """One more than `max_failures` ends it, with all of them at hand."""
        flow = numbers(6) >> odd_fail().step("def", on_error=on_error)
        assert ys(run(flow, max_failures=3)) == [0, 1, 20, 21, 40, 41]
        with refused(FailureLimitError, "3 calls have failed", "max_failures=2"):
            run(flow, max_failures=2)

    def test_a_stream_hands_failures_on(self) -> None:
        """To `on_failure`, which it needs for them."""
        seen: list[Failure] = []
        flow = numbers(4) >> odd_fail().step("async def", on_error="collect")
        assert len(list(stream(flow, on_failure=seen.append))) == 4
        assert [str(failure.exception) for failure in seen] == ["no 1", "no 3"]
        with refused(UsageError, "step 's'", "'collect'", "on_failure"):
            list(stream(flow))

    @pytest.mark.parametrize("kind", scripted_calls.CLASSES)
    def test_a_flow_of_classes_hands_failures_on(self, kind: str) -> None:
        """To the `on_failure` of its run; `process` has none."""
        seen: list[Failure] = []
        made = odd_fail().step(kind, on_error="collect")
        pairs = (Numbers(4) >> Fetch(0) >> made >> Collect()).run(on_failure=seen.append)
        assert sorted(pairs) == [(0, 0), (0, 1), (0, 20), (0, 21)]
        assert sorted(failure.product for failure in seen) == [1, 3]
        assert {failure.path for failure in seen} == {f"Numbers → Fetch → {made.name}"}
        with refused(UsageError, "'collect'"):
            made.process(range(4))

    @pytest.mark.parametrize("on_error", ["skip", "collect", lambda failure: None])
    @pytest.mark.parametrize("retry", [None, 3])
    def test_what_is_used_in_the_wrong_way_ends_the_run(
        self, on_error: Any, retry: int | None
    ) -> None:
        """It would be so for each item: a generator that an earlier call has used up, here."""
        used_up = step("inner", iter([{"y": 1}]))
        calls: list[int] = []

        def nested(x: int) -> Any:
            calls.append(x)
            return {"y": len(run(used_up))}

        made = step("s", nested).options(on_error=on_error, retry=retry)
        with refused(UsageError, "step 'inner'", "used up by an earlier run"):
            run(numbers(9) >> made)
        assert calls == [0, 1]

    def test_errors_of_ours_are_failures_of_the_call(self) -> None:
        """A step that returns no product for some of them."""
        made = step("s", lambda x: untyped(5 if x == 1 else {"y": x})).options(on_error="collect")
        result = run(numbers(3) >> made)
        assert ys(result) == [0, 2]
        assert type(result.failures[0].exception) is InvalidProductError

    @pytest.mark.parametrize("on_error", ["skip", "collect", lambda failure: {"y": 0}])
    @pytest.mark.parametrize("retry", [None, 3])
    @pytest.mark.parametrize("kind", ["def", "async def", "generator", "thread"])
    def test_an_attribute_that_is_missing_ends_the_run(
        self, on_error: Any, retry: Any, kind: str
    ) -> None:
        """The flow is wired wrongly, and a result without outputs would look like a good one."""

        async def later(z: int) -> dict[str, int]:
            return {"y": z}

        def several(z: int) -> Iterator[dict[str, int]]:
            yield {"y": z}

        function: Any = {"async def": later, "generator": several}.get(kind, lambda z: {"y": z})
        lacking = step("t", function).options(on_error=on_error, retry=retry)
        if kind == "thread":
            lacking = lacking.options(executor="thread")
        with refused(MissingAttributeError, "step 't'", "'z'", "a default"):
            run(step("src", [{"z": 1}, {"x": 2}]) >> lacking)

    def test_an_attribute_that_some_lack_is_a_parameter_with_a_default(self) -> None:
        """That is the way out, and it is the same for all of them."""
        optional = step("t", lambda z=0: {"y": z}).options(on_error="collect")
        result = run(step("src", [{"z": 1}, {"x": 2}]) >> optional)
        assert [output["t"]["y"] for output in result[0]] == [1, 0]

    @pytest.mark.parametrize("error", [StopIteration, StopAsyncIteration])
    @pytest.mark.parametrize("kind", ["def", "async def", "lambda"])
    def test_the_end_of_an_iteration_is_a_failure_too(self, kind: str, error: Any) -> None:
        """And never taken for the end of anything."""

        def fail(x: int) -> dict[str, int]:
            if x == 1:
                raise error
            return {"y": x}

        async def afail(x: int) -> dict[str, int]:
            return fail(x)

        function: Any = {"def": fail, "async def": afail, "lambda": lambda x: afail(x)}[kind]
        made = step("s", function).options(on_error="collect")
        result = run(numbers(3) >> made)
        assert ys(result) == [0, 2]
        assert isinstance(result.failures[0].exception, RuntimeError)

    def test_what_comes_beside_a_failure_is_not_touched(self) -> None:
        """The other branches, and a passthrough."""
        made = step("s", failing_at(1)).options(on_error="skip")
        result = run(numbers(3) >> (made & passthrough() & step("t", slowly)))
        assert [len(path) for path in result] == [2, 3, 3]


def failing_at(bad: int) -> Callable[[int], dict[str, int]]:
    """A function that fails for one value."""

    def function(x: int) -> dict[str, int]:
        if x == bad:
            raise ValueError(x)
        return {"y": x}

    return function


async def slowly(x: int) -> dict[str, int]:
    """The same value, after some turns of the loop."""
    for _ in range(5 - x):
        await asyncio.sleep(0)
    return {"x": x}
