"""RunResult.summary(): what the calls of a run add up to."""

from __future__ import annotations

import asyncio
import pickle

import pytest
from reactivex import operators as ops

from fluxus_rx import RunResult, parallel, run, rx_pipe, step
from fluxus_rx._common.text import measured_time, width_of
from fluxus_rx._monitoring.calls import Journal
from fluxus_rx._monitoring.summary import StepSummary, Summary
from tests.support.drawings import check
from tests.support.timelines import call, failing, odd, result, small


def only(*calls: object, elapsed: float = 10.0) -> StepSummary:
    """The summary of the one step that these calls are of."""
    (found,) = Summary.of(Journal(calls, elapsed)).steps  # type: ignore[arg-type]
    return found


class TestNumbers:
    def test_calls_failures_retries_and_products_are_counted(self) -> None:
        """A failed call is a call; a call after it is a retry; a call may return many products."""
        found = only(
            call(end=1, error="no"),
            call(start=1, end=2, attempt=2, products=3),
            call(start=2, end=3, products=0),
        )

        assert (found.calls, found.failures, found.retries, found.products) == (3, 1, 1, 3)

    def test_percentiles_are_times_that_were_measured(self) -> None:
        """By nearest rank: of 20 calls the tenth and the nineteenth, not a time in between."""
        found = only(*(call(end=n / 10) for n in range(20, 0, -1)))

        assert (found.p50, found.p95, found.max) == (1.0, 1.9, 2.0)

    def test_one_call_is_all_percentiles(self) -> None:
        """Half of one call is that call."""
        found = only(call(end=0.25))

        assert (found.p50, found.p95, found.max) == (0.25, 0.25, 0.25)

    def test_what_a_generator_waits_for_its_reader_is_not_busy(self) -> None:
        """A call of ten seconds that worked for two of them is busy for two."""
        found = only(call(end=10)._replace(busy=2.0))

        assert (found.busy, found.max, found.share) == (2.0, 2.0, 1.0)

    def test_the_share_is_the_time_with_a_call_under_way(self) -> None:
        """Calls at once count once; gaps don't count; of what overlaps, the union does."""
        found = only(
            call(end=2), call(start=1, end=3), call(start=1.5, end=2), call(start=6, end=7)
        )

        assert found.share == pytest.approx(0.4)

    def test_the_peak_is_the_most_calls_at_once(self) -> None:
        """A call that begins as another one ends is not at once with it."""
        assert only(call(end=1), call(start=1, end=2)).peak == 1
        assert only(call(end=2), call(start=1, end=3), call(start=1, end=2)).peak == 3

    def test_calls_that_took_no_time_are_calls(self) -> None:
        """A clock may not have moved."""
        found = only(call(end=0), call(end=0), elapsed=0.0)

        assert (found.calls, found.peak, found.share, found.max) == (2, 1, 0.0, 0.0)

    def test_the_speed_up_is_work_over_time(self) -> None:
        """Four calls of a second in two seconds are twice as fast as one after the other."""
        found = Summary.of(Journal([call(), call(), call(start=1, end=2), call("b")], 2.0))

        assert (found.busy, found.speedup) == (4.0, 2.0)
        assert (
            found.sentence == "4 s of work in 2 s: 2.0 times as fast as one call after the other."
        )

    def test_a_run_that_gains_nothing_does_not_boast(self) -> None:
        """Steps that do next to nothing take less time than running them."""
        found = Summary.of(Journal([call()], 2.0))

        assert found.sentence == "1 s of work in 2 s: no faster than one call after the other."

    @pytest.mark.parametrize(
        ("time", "text"),
        [(0.9999, "1 s"), (0.00099999, "1 ms"), (1e-9, "0.001 µs"), (99.94, "99.9 s"),
         (99.96, "1 min 40 s"), (3600, "1 h 0 min"), (90_000, "25 h 0 min")],
    )  # fmt: skip
    def test_times_are_rounded_to_three_digits(self, time: float, text: str) -> None:
        """The unit is that of the rounded time."""
        assert measured_time(time) == text


class TestWhereTimesComeFrom:
    def test_a_run_with_timestamps_has_a_summary(self) -> None:
        """Steps come in the order of the flow, also those of one path only."""

        async def wait(x: int) -> dict[str, int]:
            await asyncio.sleep(0)
            return {"y": x}

        flow = step("src", [{"x": 1}, {"x": 2}]) >> parallel(
            step("a", wait) >> step("none", lambda y: []), step("b", wait)
        )
        found = run(flow, timestamps=True).summary()

        assert [(one.step, one.calls, one.products) for one in found.steps] == [
            ("src", 2, 2), ("a", 2, 2), ("b", 2, 2), ("none", 2, 0),
        ]  # fmt: skip
        assert all(0 < one.share <= 1 and one.p50 <= one.p95 <= one.max for one in found.steps)
        assert found.elapsed > 0

    def test_failures_and_retries_of_a_real_run_are_seen(self) -> None:
        """What Rx's retry hides from the outputs is in the summary."""
        left = [ValueError("no")]

        def flaky(x: int) -> dict[str, int]:
            if x == 2 and left:
                raise left.pop()
            return {"y": x}

        flow = step("src", [{"x": 1}, {"x": 2}]) >> step("flaky", flaky) >> rx_pipe(ops.retry(3))
        found = {one.step: one for one in run(flow, timestamps=True).summary().steps}["flaky"]

        assert found.failures == 1
        assert found.retries >= 1

    def test_an_output_tells_of_the_calls_that_made_it(self) -> None:
        """Without a journal, the times in outputs are calls; a shared precursor is one of them."""
        src = {"x": 1, "[start]": 0.0, "[end]": 0.5}
        outputs = [
            {"src": dict(src), "f": {"y": 1, "[start]": 0.5, "[end]": 1.0}},
            {"src": dict(src), "f": {"y": 2, "[start]": 0.5, "[end]": 2.0}},
        ]
        found = RunResult(outputs[:1], outputs[1:]).summary()

        assert found.elapsed == 2.0
        assert [(one.step, one.calls, one.busy) for one in found.steps] == [
            ("src", 1, 0.5), ("f", 2, 2.0),
        ]  # fmt: skip

    def test_a_summary_survives_pickling_of_the_result(self) -> None:
        """The journal goes with the outputs."""
        assert pickle.loads(pickle.dumps(failing())).summary() == failing().summary()

    def test_a_result_without_times_says_how_to_take_them(self) -> None:
        """The message is what to write instead."""
        with pytest.raises(RuntimeError, match=r"run\(flow, timestamps=True\)"):
            run(step("src", {"x": 1})).summary()

    @pytest.mark.parametrize(
        "times", [(1, 0), (-1, 2), (0, float("nan")), (0, float("inf")), ("0", "1"), (None, 1)]
    )
    def test_times_that_can_be_none_are_passed_over(self, times: tuple[object, object]) -> None:
        """What was written by hand may hold anything."""
        made = RunResult(
            [{"a": {"[start]": times[0], "[end]": times[1]}, "b": {"[start]": 0, "[end]": 1}}]
        )

        assert [one.step for one in made.summary().steps] == ["b"]

    @pytest.mark.parametrize(
        "empty", [RunResult(), RunResult([], []), result([], elapsed=0.5), result(elapsed=0.0)]
    )
    def test_nothing_gives_no_steps(self, empty: RunResult) -> None:
        """A summary of nothing divides by nothing."""
        found = empty.summary()

        assert (found.steps, found.busy, found.speedup) == ((), 0, 0)
        assert str(found) == "No step was called."
        assert found._repr_html_() == "<p>No step was called.</p>"

    def test_a_run_that_gave_nothing_still_called_its_steps(self) -> None:
        """Outputs are not all that a run does."""
        flow = step("src", [{"x": 1}, {"x": 2}]) >> step("none", lambda x: [])
        found = run(flow, timestamps=True).summary()

        assert [(one.step, one.calls, one.products) for one in found.steps] == [
            ("src", 2, 2), ("none", 2, 0),
        ]  # fmt: skip


class TestLooks:
    def test_a_summary_prints_as_a_table(self) -> None:
        """Names to the left, numbers to the right, and a sentence below."""
        check("timeline_summary.txt", str(failing().summary()))

    def test_lines_are_as_wide_as_terminals_show_them(self) -> None:
        """A wide character takes two columns."""
        lines = str(odd().summary()).splitlines()[:-2]

        assert len({width_of(line) for line in lines}) == 1

    def test_a_notebook_shows_names_literally(self) -> None:
        """A name is never taken for HTML."""
        shown = odd().summary()._repr_html_()

        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown
        assert "<script>" not in shown

    def test_summaries_are_equal_by_value(self) -> None:
        """And can't be changed."""
        assert small().summary() == small().summary()
        with pytest.raises(AttributeError):
            small().summary().elapsed = 1  # type: ignore[misc]


def test_a_step_that_nothing_came_to_is_there_with_zeros() -> None:
    """A row tells that it was never called."""
    flow = step("src", [{"x": 1}]) >> step("drop", lambda x: []) >> step("lost", lambda x: {})

    *_, lost = run(flow, timestamps=True).summary().steps

    assert (lost.step, lost.calls, lost.busy, lost.max, lost.share, lost.peak) == ("lost", *[0] * 5)


def test_a_run_without_timestamps_and_without_outputs_has_no_summary() -> None:
    """It says how to get one, and not that no step was called."""
    flow = step("src", [{"x": 1}]) >> step("drop", lambda x: [])

    with pytest.raises(RuntimeError, match="timestamps=True"):
        run(flow).summary()
