"""How many failures a run puts up with, and what is left when there are more."""

from __future__ import annotations

import pickle
from collections.abc import Iterable
from typing import Any

import pytest

from fluxus_rx import (
    Consumer,
    Failure,
    FailureLimitError,
    Failures,
    InvalidFlowError,
    RunResult,
    StepOptions,
    UsageError,
    rerun,
    run,
    step,
)
from tests.support.conduits import Numbers
from tests.support.errors import refused, untyped


def odd(x: int) -> dict[str, int]:
    """A step that fails for even numbers."""
    if x % 2 == 0:
        raise ValueError(x)
    return {"y": x}


def flow(count: int = 9, on_error: Any = "collect") -> Any:
    """Numbers, of which the even ones fail."""
    return step("src", [{"x": x} for x in range(count)]) >> step("odd", odd).options(
        on_error=on_error
    )


def test_collected_failures_are_in_the_result() -> None:
    """In the order of the source, each with all that there is to know of it."""
    failures = run(flow(4)).failures
    assert isinstance(failures, Failures)
    assert [failure.lineage for failure in failures] == [{"src": {"x": 0}}, {"src": {"x": 2}}]
    first = failures[0]
    assert (first.step, first.path, first.attempts) == ("odd", "src → odd", 1)
    assert isinstance(first.exception, ValueError)
    assert "in step 'odd', item 0 of path src → odd" in "".join(first.exception.__notes__)
    assert [type(part) for part in (failures[:1], failures[0])] == [Failures, Failure]


def test_failures_are_a_table_too() -> None:
    """A row each: the lineage, then what went wrong."""
    frame = run(flow(4)).failures.to_frame()
    assert list(frame["src", "x"]) == [0, 2]
    assert list(frame["[failure]", "error"]) == ["ValueError"] * 2
    assert list(frame["[failure]", "text"]) == ["0", "2"]


def test_failures_can_be_pickled() -> None:
    """And so can a result that has some."""
    result = pickle.loads(pickle.dumps(run(flow(4))))
    assert [failure.product["x"] for failure in result.failures] == [0, 2]
    assert result == run(flow(4))


@pytest.mark.parametrize("on_error", ["collect", "skip", lambda failure: {"y": 0}])
def test_more_failures_than_the_limit_end_the_run(on_error: Any) -> None:
    """However they are handled; with all of them, and the outputs by then."""
    with pytest.raises(FailureLimitError, match="3 calls have failed") as caught:
        run(flow(on_error=on_error), max_failures=2)
    error = caught.value
    assert [failure.product["x"] for failure in error.failures] == [0, 2, 4]
    assert [o["src"]["x"] for o in error.result[0] if o["odd"]["y"]] == [1, 3]
    assert error.__cause__ is error.failures[-1].exception


def test_as_many_failures_as_the_limit_do_not() -> None:
    """The limit itself is allowed."""
    assert len(run(flow(), max_failures=5).failures) == 5


def test_a_limit_of_none_at_all_ends_it_at_the_first() -> None:
    """With that one."""
    with pytest.raises(FailureLimitError, match="1 call has failed") as caught:
        run(flow(), max_failures=0)
    assert len(caught.value.failures) == 1


def test_the_limit_of_a_run_inside_a_step_is_its_own() -> None:
    """The error of the inner run is a failure of the outer step."""

    def inner(x: int) -> dict[str, int]:
        return {"z": len(run(flow(), max_failures=x)[0])}

    outer = step("src", [{"x": 1}, {"x": 5}]) >> step("inner", inner).options(on_error="collect")
    result = run(outer, max_failures=1)
    assert [output["inner"]["z"] for output in result[0]] == [4]
    assert isinstance(result.failures[0].exception, FailureLimitError)


class Listed(Consumer[int, list[int]]):
    """What comes, as a list."""

    def consume(self, products: Iterable[tuple[int, int]]) -> list[int]:
        """List it."""
        return [product for _, product in products]


def test_a_flow_with_a_consumer_tells_a_function_of_failures() -> None:
    """There is no result that could hold them."""
    from tests.support.conduits import AsyncFail

    fails = AsyncFail(ValueError("no"), at=1).options(on_error="collect", timeout=0.05)
    failures: list[Failure] = []
    assert (Numbers(1) >> fails >> Listed()).run(on_failure=failures.append) == []
    assert [failure.product for failure in failures] == [0]
    with pytest.raises(UsageError, match="on_failure"):
        (Numbers(1) >> fails >> Listed()).run()


def test_run_defaults_count_in_a_flow_with_a_consumer() -> None:
    """As they do in `run`."""
    from tests.support.conduits import AsyncFail

    fails = AsyncFail(ValueError("no"), at=0)
    assert (Numbers(1) >> fails >> Listed()).run(options=StepOptions(on_error="skip")) == []
    with pytest.raises(FailureLimitError):
        (Numbers(1) >> fails >> Listed()).run(options=StepOptions(on_error="skip"), max_failures=0)


def test_what_is_no_failure_of_the_flow_cannot_run_again() -> None:
    """And the message says what can."""
    result = run(flow())
    other = step("src", {"x": 1}) >> step("even", odd)
    with refused(InvalidFlowError, "src → odd", "same flow"):
        rerun(other, result.failures)
    with refused(InvalidFlowError, "RunResult", "its failures"):
        rerun(flow(), untyped(result))
    with refused(InvalidFlowError, "Failure", "int"):
        rerun(flow(), untyped([3]))
    with refused(InvalidFlowError, "start='nowhere'", "odd"):
        rerun(flow(), result.failures, start="nowhere")
    with refused(UsageError, "start='src'", "run()"):
        rerun(flow(), result.failures, start="src")


def test_what_is_no_rerun_cannot_be_merged() -> None:
    """Nor what was made by hand."""
    result = run(flow())
    with refused(InvalidFlowError, "merged()", "int"):
        result.merged(untyped(3))
    with refused(InvalidFlowError, "merged()", "1 path"):
        result.merged(RunResult())
    with refused(InvalidFlowError, "by hand"):
        RunResult([{"a": {"x": 1}}]).merged(rerun(flow(), []))


def test_times_go_on_where_the_first_run_ended() -> None:
    """So that both can be drawn as one, and added up."""
    result = run(flow(4), timestamps=True)
    mended = step("src", [{"x": x} for x in range(4)]) >> step("odd", lambda x: {"y": x})
    merged = result.merged(rerun(mended, result.failures, timestamps=True))
    assert [output["odd"]["y"] for output in merged[0]] == [0, 1, 2, 3]
    summary = {one.step: one for one in merged.summary().steps}
    assert (summary["odd"].calls, summary["odd"].failures) == (6, 2)
    first, second = merged[0][1]["odd"], merged[0][0]["odd"]
    assert second["[start]"] > first["[end]"]
