"""What rerun() and merged() take, and what they refuse."""

from __future__ import annotations

import asyncio
import io
import itertools
import pickle
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fluxus_rx import (
    Failure,
    FailureLimitError,
    Failures,
    InvalidFlowError,
    InvalidOptionError,
    Progress,
    RunResult,
    StepOptions,
    UsageError,
    arerun,
    arun,
    passthrough,
    rerun,
    run,
    step,
    stream,
)
from fluxus_rx._monitoring.meter import Meter
from fluxus_rx._results.failures import elapsed_of
from tests.support.conduits import Numbers
from tests.support.errors import notes, refused, untyped
from tests.support.probes import alone, turns
from tests.support.scripted_calls import numbers


class Down:
    """Functions of steps that fail for odd numbers while the service is down; calls are counted."""

    def __init__(self) -> None:
        self.up = False
        self.calls: Counter[tuple[str, int]] = Counter()

    def step(self, name: str = "s", change: Callable[[int], Any] | None = None) -> Any:
        def function(x: int) -> Any:
            self.calls[name, x] += 1
            if x % 2 and not self.up:
                raise OSError(x)
            return {"x": x} if change is None else change(x)

        return step(name, function).options(on_error="collect")

    def steps(self) -> Any:
        """A flow of four steps, of which the last one fails for odd numbers."""
        make = step("make", self.make)
        change = step("change", lambda x: self.calls.update([("change", x)]) or {"x": x})
        return numbers(3) >> make >> change >> (self.step("last") & passthrough())

    def make(self, x: int) -> Iterator[dict[str, int]]:
        self.calls["make", x] += 1
        yield from ({"x": 10 * x + number} for number in range(4))

    def mend(self) -> None:
        self.up = True
        self.calls.clear()


class TestStart:
    @pytest.mark.parametrize(
        ("start", "calls"),
        [
            ("last", {"last": 6}),
            ("change", {"change": 6, "last": 6}),
            ("make", {"make": 3, "change": 12, "last": 12}),
        ],
    )
    def test_it_may_begin_at_an_earlier_step(self, start: str, calls: dict[str, int]) -> None:
        """With what that one was called with, once for all that failed because of it."""
        down = Down()
        flow = down.steps()
        broken = run(flow)
        down.mend()
        again = rerun(flow, broken.failures, start=start)
        assert Counter(name for name, _ in down.calls.elements()) == calls
        # Behind the earlier step the other branch gets its products as well.
        assert [len(path) for path in again] == [calls["last"], calls.get("change", 0)]
        assert broken.merged(again) == run(flow)

    def test_its_functions_may_have_changed(self) -> None:
        """Outputs of that step on are those of the second run."""
        down = Down()
        broken = run(numbers(2) >> step("make", lambda x: {"x": x}) >> down.step())
        fixed = numbers(2) >> step("make", lambda x: {"x": 10 * x}) >> down.step()
        merged = broken.merged(rerun(fixed, broken.failures, start="make"))
        assert merged[0] == [
            {"src": {"x": 0}, "make": {"x": 0}, "s": {"x": 0}},
            {"src": {"x": 1}, "make": {"x": 10}, "s": {"x": 10}},
        ]

    def test_a_step_that_fails_in_front_of_it_is_refused(self) -> None:
        """All failures must have been behind the step; the message names the one that wasn't."""
        down = Down()
        flow = numbers(4) >> down.step("first") >> step("mid", int_of) >> down.step("last")
        failures = run(flow).failures
        with refused(InvalidFlowError, "start='last'", "'first'", "src → first"):
            rerun(flow, failures, start="last")

    @pytest.mark.parametrize("start", ["nowhere", "", "x", 5, "Last"])
    def test_what_is_no_step_in_front_is_refused(self, start: Any) -> None:
        """By its name."""
        down = Down()
        flow = down.steps()
        with refused(InvalidFlowError, f"start={start!r}", "'last'"):
            rerun(flow, run(flow).failures, start=start)

    def test_the_source_is_no_step_to_begin_at(self) -> None:
        """That is what run() is for."""
        flow = Down().steps()
        with refused(UsageError, "start='src'", "run()"):
            rerun(flow, run(flow).failures, start="src")


def int_of(x: int) -> dict[str, int]:
    """The same number."""
    return {"x": x}


class TestFailures:
    @pytest.mark.parametrize(
        "form", [list, tuple, set, iter, pickle.dumps, lambda failures: failures[:]]
    )
    def test_they_may_come_in_any_form(self, form: Any) -> None:
        """In any order."""
        down = Down()
        flow = numbers(9) >> down.step()
        broken = run(flow)
        given = form(broken.failures[::-1] if form is list else broken.failures)
        down.mend()
        again = rerun(flow, pickle.loads(given) if isinstance(given, bytes) else given)
        assert broken.merged(again) == run(flow)

    def test_one_that_is_given_twice_runs_once(self) -> None:
        """Also with others that came of the same product."""
        down = Down()
        flow = numbers(9) >> down.step()
        failures = run(flow).failures
        down.mend()
        rerun(flow, [*failures, *failures])
        assert down.calls == {("s", x): 1 for x in (1, 3, 5, 7)}

    def test_some_of_them_may_run(self) -> None:
        """Those that are left are failures of the merged result."""
        down = Down()
        flow = numbers(9) >> down.step()
        broken = run(flow)
        down.mend()
        merged = broken.merged(rerun(flow, broken.failures[1:3]))
        assert [failure.product["x"] for failure in merged.failures] == [1, 7]
        assert [output["s"]["x"] for output in merged[0]] == [0, 2, 3, 4, 5, 6, 8]

    def test_none_give_a_result_without_outputs(self) -> None:
        """That may be merged."""
        flow = Down().steps()
        result = run(flow)
        assert rerun(flow, []) == rerun(flow, Failures()) == RunResult([], [])
        assert result.merged(rerun(flow, [])) == result

    def test_those_of_a_stream_may_run_too(self) -> None:
        """As `on_failure` was given them."""
        down = Down()
        flow = numbers(5) >> down.step()
        failures: list[Failure] = []
        outputs = [*stream(flow, on_failure=failures.append)]
        down.mend()
        again = rerun(flow, failures)
        assert len(outputs) + len(again[0]) == 5

    @pytest.mark.parametrize(
        "value", [None, 5, "text", b"bytes", [5], {"a": 1}, [None], Numbers(3), ValueError("no")]
    )
    def test_what_are_none_is_refused(self, value: Any) -> None:
        """With what it is."""
        with refused(InvalidFlowError, "Failure" if value in ([5], [None]) else "ailure"):
            rerun(numbers(3), value)

    def test_a_result_is_refused_with_a_hint(self) -> None:
        """At its failures."""
        flow = Down().steps()
        with refused(InvalidFlowError, "did you mean its failures?"):
            rerun(flow, untyped(run(flow)))

    @pytest.mark.parametrize("other", ["source", "name", "shorter", "longer", "grouped"])
    def test_those_of_another_flow_are_refused(self, other: str) -> None:
        """Before anything is called; the message has the path."""
        down = Down()
        failures = run(numbers(3) >> down.step("a") >> down.step("b")).failures
        down.mend()
        flows = {
            "source": step("source", {"x": 1}) >> down.step("a") >> down.step("b"),
            "name": numbers(3) >> down.step("b") >> down.step("b"),
            "shorter": numbers(3),
            "longer": numbers(3) >> down.step("c") >> down.step("a") >> down.step("b"),
            "grouped": numbers(3) >> ((down.step("c") >> down.step("a")) & passthrough()),
        }
        with refused(InvalidFlowError, "no step at src → a", "same flow"):
            rerun(flows[other], failures)
        assert not down.calls

    def test_those_of_products_of_other_types_are_refused(self) -> None:
        """rerun() is for steps; what a class was given can be processed once more."""
        failure = Failure("s", "src → s", 5, ValueError("no"), 1)
        with refused(InvalidFlowError, "dictionaries", "5 (int)", "process()"):
            rerun(numbers(3) >> Down().step(), [failure])

    def test_other_arguments_are_those_of_run(self) -> None:
        """And refused as these are."""
        down = Down()
        flow = numbers(3) >> down.step()
        failures = run(flow).failures
        told: list[Progress] = []
        collected = rerun(flow, failures, options=StepOptions(retry=1), progress=told.append)
        assert len(collected.failures) == 1
        assert told[-1].state == "done"
        with refused(InvalidOptionError, "max_failures=-1"):
            rerun(flow, failures, max_failures=-1)
        with refused(InvalidOptionError, "options="):
            rerun(flow, failures, options=untyped({}))
        with refused(InvalidFlowError, "needs a flow"):
            rerun(untyped(None), failures)
        with pytest.raises(FailureLimitError):
            rerun(flow, failures, max_failures=0)

    def test_an_error_in_it_is_raised_as_it_is(self) -> None:
        """Where nothing else is said; with notes, and not the error of the first run."""

        def fail(x: int) -> dict[str, int]:
            raise OSError(x)

        failures = run(numbers(3) >> Down().step()).failures
        with pytest.raises(OSError, match="1") as caught:
            rerun(numbers(3) >> step("s", fail), failures)
        assert caught.value is not failures[0].exception
        assert "in step 's', item 1 of path src → s" in notes(caught.value)

    async def test_it_can_be_cancelled(self) -> None:
        """As a run can."""
        closed: list[int] = []

        async def hang(x: int) -> dict[str, int]:
            try:
                await asyncio.Event().wait()
            finally:
                closed.append(x)
            return {}

        failures = (await arun(numbers(4) >> Down().step())).failures
        task = asyncio.create_task(arerun(numbers(4) >> step("s", hang), failures))
        await turns()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert sorted(closed) == [1, 3]
        assert alone()


class TestMerged:
    def test_neither_result_is_changed(self) -> None:
        """The merged one is another."""
        down = Down()
        flow = numbers(5) >> down.step()
        broken = run(flow)
        down.mend()
        again = rerun(flow, broken.failures)
        before = [*broken], [*again], [*broken.failures], [*again.failures]
        merged = broken.merged(again)
        merged[0].clear()
        assert ([*broken], [*again], [*broken.failures], [*again.failures]) == before

    @pytest.mark.parametrize("other", [None, 5, [], [[]], RunResult(), RunResult([], [])])
    def test_what_has_other_paths_is_refused(self, other: Any) -> None:
        """Or isn't a result at all."""
        result = run(numbers(2) >> Down().step())
        with refused(InvalidFlowError, "merged()", "1 path,"):
            result.merged(other)

    def test_what_is_of_no_rerun_is_refused(self) -> None:
        """Or all outputs would be there twice."""
        flow = numbers(4) >> Down().step()
        result = run(flow)
        for other in (result, run(flow), run(flow, timestamps=True)):
            with refused(InvalidFlowError, "rerun()"):
                result.merged(other)

    def test_outputs_that_were_changed_are_refused(self) -> None:
        """Their order is not known."""
        flow = numbers(4) >> Down().step()
        result = run(flow)
        again = rerun(flow, result.failures)
        result[0].pop()
        with refused(InvalidFlowError, "taken away"):
            result.merged(again)
        with refused(InvalidFlowError, "by hand"):
            RunResult([{"src": {"x": 1}}]).merged(again)

    @pytest.mark.parametrize("form", ["failures", "list", "limit"])
    def test_times_go_on_behind_the_first_run(self, form: str) -> None:
        """However the failures were handed over; both are one summary and one timeline."""
        down = Down()
        flow = numbers(5) >> down.step()
        if form == "limit":
            with pytest.raises(FailureLimitError) as caught:
                run(flow, timestamps=True, max_failures=1)
            broken, failures = caught.value.result, caught.value.failures
        else:
            broken = run(flow, timestamps=True)
            failures = [*broken.failures] if form == "list" else broken.failures
        down.mend()
        merged = broken.merged(rerun(flow, failures, timestamps=True))
        first = max(output["s"]["[end]"] for output in broken[0])
        second = [output["s"] for output in merged[0] if output["src"]["x"] % 2]
        assert len(second) == 2
        assert all(first <= one["[start]"] <= one["[end]"] for one in second)
        assert broken._times.elapsed is not None
        assert all(one["[start]"] >= broken._times.elapsed for one in second)
        (told,) = [one for one in merged.summary().steps if one.step == "s"]
        assert (told.calls, told.failures) == (len(broken[0]) + 4, 2)
        drawn = io.StringIO()
        merged.draw_timeline("text", file=drawn)
        assert f"{len(merged[0])} outputs from" in drawn.getvalue()

    @pytest.mark.parametrize("form", ["partial", "result"])
    def test_the_end_of_a_run_is_one_moment(
        self, form: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Or what runs again would begin before it, where the machine was busy meanwhile."""
        seconds = itertools.count(1.0)
        flow = numbers(5) >> Down().step()
        partial: list[RunResult] = []
        monkeypatch.setattr(Meter, "elapsed", property(lambda meter: next(seconds)))
        with pytest.raises(FailureLimitError) as caught:
            run(flow, timestamps=True, max_failures=1, partial=partial)
        broken = partial[0] if form == "partial" else caught.value.result
        assert broken._times.elapsed == broken.failures._elapsed
        assert broken._times.elapsed == elapsed_of(caught.value.failures)
        done = run(flow, timestamps=True)
        assert done._times.elapsed == done.failures._elapsed

    def test_times_on_one_side_are_no_obstacle(self) -> None:
        """The outputs are the same but for these."""
        down = Down()
        flow = numbers(3) >> down.step()
        results = [run(flow, timestamps=times) for times in (True, False)]
        down.mend()
        for broken, times in zip(results, (False, True), strict=True):
            merged = broken.merged(rerun(flow, broken.failures, timestamps=times))
            assert [output["s"]["x"] for output in merged[0]] == [0, 1, 2]
            timed = ["[start]" in output["s"] for output in merged[0]]
            assert timed == [not times, times, not times]
