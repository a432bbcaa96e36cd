"""explain() names what holds a run up, with the numbers that prove it."""

from __future__ import annotations

import asyncio
from functools import reduce
from typing import Any

import pytest
import reactivex
from reactivex import operators as ops

from fluxus_rx import Explanation, Run, RunStats, passthrough, rx_pipe, start, step
from tests.monitoring.test_stats import (
    Gaps,
    Row,
    at,
    busy,
    fixed,
    over,
    read_slowly,
    rows,
    slow,
    slow_rows,
    timed,
    unsteady,
    work,
)


def explained(flow: Any, bottleneck: str | None, *parts: str) -> Explanation:
    """The explanation of a run to its end, with this bottleneck and these parts in its sentence."""
    return checked(over(flow), bottleneck, *parts)


def checked(stats: RunStats, bottleneck: str | None, *parts: str) -> Explanation:
    explanation = stats.explain()
    assert explanation.bottleneck == bottleneck, explanation.sentence
    missing = [part for part in parts if part not in explanation.sentence]
    assert missing == [], explanation.sentence
    assert explanation.stats == stats
    return explanation


class TestBottleneck:
    def test_is_a_slow_source(self) -> None:
        """Nothing behind it can be ahead of it, and the sentence says for how long that was so."""
        explained(
            slow_rows(10) >> slow("mid", 0.1, 3) >> busy("last", 0),
            "src",
            *("src is the bottleneck", "99% of 10.1 s", "mid, behind it, was starved for 99%"),
            "emit products faster",
        )

    def test_is_a_plain_source_that_holds_the_loop(self) -> None:
        """A generator that works for its products is told like one that waits for them."""

        def source() -> Any:
            for x in range(10):
                work(1)
                yield {"x": x}

        explained(step("src", source) >> slow("mid", 0.1, 3), "src", "src is the bottleneck")

    def test_is_a_slow_step_in_the_middle(self) -> None:
        """Its places are taken all the time; the one before is blocked, the next one starves."""
        flow = rows(60) >> slow("first", 0) >> slow("mid", 1, 3) >> slow("last", 0.1, 2)
        early, _ = at(flow, 9.5)
        checked(
            early,
            "mid",
            *("mid is the bottleneck: all of its 3 slots were taken for 100% of 9.5 s",),
            *("with 16 products waiting", "first, before it, was blocked for 100%"),
            *("last, behind it, was starved for 9", "Raise its concurrency"),
        )

    def test_is_a_slow_last_step(self) -> None:
        """With limit 1, the sentence speaks of its one place."""
        flow = rows(40) >> slow("mid", 0.1, 2) >> slow("last", 1)
        explanation = explained(
            flow,
            "last",
            "its one slot was taken for 100% of 40.1 s",
            "mid, before it, was blocked",
        )
        assert "behind it" not in explanation.sentence
        assert "0 products waiting" not in explanation.sentence

    def test_is_a_plain_function(self) -> None:
        """It keeps the loop busy, and another executor helps, not concurrency."""
        explained(
            rows(10) >> slow("first", 0) >> busy("mid", 1) >> slow("last", 0.1),
            "mid",
            *("mid is the bottleneck: its function kept the loop busy for 9", "executor='process'"),
        )

    def test_is_a_step_that_waits_for_its_limiter(self) -> None:
        """The sentence says that more places would not help."""
        flow = rows(10) >> slow("mid", 0.1, 4).options(limiter=Gaps()) >> slow("last", 0.1)
        explained(flow, "mid", "waited for its limiter", "33.4 s", "1 s", "would not help")

    def test_is_a_step_that_waits_for_attempts(self) -> None:
        """Likewise where it is the waits between attempts that take the time."""
        made = unsteady("mid", 0.1, 3).options(retry=fixed(3, 2), concurrency=2)
        explained(rows(10) >> made, "mid", "another attempt", "40 s", "3 s")

    def test_is_a_step_whose_calls_all_wait(self) -> None:
        """A step of which no call has come to its end, or has begun, is to blame all the same."""
        shut = slow("ask", 0.1, 4).options(limiter=asyncio.Semaphore(0))
        retried = unsteady("ask", 0.1, 9).options(retry=fixed(9, 60), concurrency=4)
        for made in (shut, retried):
            stats, _ = at(rows(60) >> slow("first", 0.1, 2) >> made, 30.5)
            assert (stats["ask"].done, stats["ask"].in_flight) == (0, 0)
            checked(stats, "ask", "ask is the bottleneck", "waited for its limiter, or for another")

    def test_is_the_reader(self) -> None:
        """Where products wait to be taken, the flow is not to blame."""
        stats = read_slowly(rows(60) >> slow("f", 0.01, 2), 1, 9.5)
        checked(stats, "the reader", "The reader is the bottleneck", "of 9.5 s", "products of f")

    def test_is_the_slow_branch_of_a_group(self) -> None:
        """Steps beside it are neither before nor behind it."""
        group = slow("a", 1) & slow("b", 0.1, 5) & passthrough()
        explanation = explained(
            rows(30) >> group >> slow("last", 0.1, 2), "a", "last, behind it, was starved"
        )
        assert "b," not in explanation.sentence

    def test_is_a_step_on_several_paths(self) -> None:
        """Its places are those of all paths together."""
        group = slow("a", 0.1) & slow("b", 0.1) & passthrough()
        explained(rows(20) >> group >> slow("last", 1, 2), "last", "all of its 2 slots")

    @pytest.mark.parametrize("slowest", [0, 30, 59])
    def test_is_found_in_a_long_chain(self, slowest: int) -> None:
        """Wherever it stands among sixty steps; its neighbours are named."""
        pauses = [1.0 if n == slowest else 0.01 for n in range(60)]
        chain = reduce(lambda flow, n: flow >> slow(f"s{n}", pauses[n]), range(60), rows(60))
        early, _ = at(chain, 40)
        before = f"s{slowest - 1}, before it, was blocked" if slowest else "src, before it"
        behind = f"s{slowest + 1}, behind it, was starved" if slowest < 59 else ""
        checked(early, f"s{slowest}", before, behind)

    def test_is_the_one_that_is_slow_now(self) -> None:
        """While the run goes on, it is known by then, and the same once it is over."""
        flow = rows(40) >> slow("first", 0.1) >> slow("last", 1, 2)
        for stats in at(flow, 5, 10, 15):
            checked(stats, "last")
        explained(flow, "last")


class TestNone:
    def test_before_any_call(self) -> None:
        """A run that has called nothing yet has no bottleneck, and the sentence says so."""
        explained(rows(0) >> slow("f", 1), None, "No step has been called yet.")

        async def main() -> None:
            async with start(rows(3) >> slow("f", 1)) as started:
                assert started.explain().bottleneck is None

        timed(main)

    def test_a_pause_is_no_work(self) -> None:
        """The seconds in which a run was paused count for no step."""

        def steer(running: Run) -> None:
            if running.state == "paused":
                running.resume()
            else:
                running.pause()

        flow = slow_rows(90) >> slow("f", 0.1, 2)
        *_, stats, _ = at(flow, 2.5, 52.5, 55.5, steer=steer)
        assert stats["f"].load < 0.2
        checked(stats, "src", "src is the bottleneck", "of 5.5 s", "f, behind it, was starved for")

    def test_where_the_run_is_paused(self) -> None:
        """No step is to blame for that."""
        _, paused, _ = at(rows(9) >> slow("f", 1), 2.5, 9.5, steer=Run.pause)
        checked(paused, None, "The run is paused", "resume()")

    @pytest.mark.parametrize("limit", [11, 256, None])
    def test_where_all_calls_run_at_once(self, limit: int | None) -> None:
        """Ten calls at once, with places to spare: only faster calls would help."""
        explained(
            rows(10) >> slow("first", 0.2, limit) >> slow("f", 1, limit),
            "f",
            *("No step held up the others", "the calls of f took longest", "10 s in sum, in 1.2 s"),
        )

    def test_where_a_run_without_steps_ends(self) -> None:
        """A source alone is explained too."""
        explained(slow_rows(3), "src", "src is the bottleneck", "100% of 3 s")

    def test_where_a_run_has_failed(self) -> None:
        """What it did until then is explained."""

        async def main() -> None:
            started = start(rows(3) >> unsteady("f", 1, 2))
            with pytest.raises(LookupError):
                await started.result()
            assert started.explain().bottleneck == "f"

        timed(main)


class TestText:
    def test_is_the_sentence_and_the_table(self) -> None:
        """`str` of an explanation is what to print; the sentence is one line."""
        explanation = explained(rows(5) >> slow("f", 1), "f")
        assert "\n" not in explanation.sentence
        assert str(explanation) == f"{explanation.sentence}\n\n{explanation.stats}"

    def test_is_that_of_the_statistics(self) -> None:
        """run.explain() is run.stats().explain()."""

        async def main() -> None:
            started = start(rows(5) >> slow("f", 1))
            await asyncio.sleep(2.5)
            assert started.explain() == started.stats().explain()
            await started.result()
            assert started.explain() == started.stats().explain()

        timed(main)

    def test_has_no_limit_where_there_is_none(self) -> None:
        """A step without a limit whose calls come all the time has no places to speak of."""

        async def call(x: int) -> Row:
            await asyncio.sleep(1)
            return {"x": x}

        flow = slow_rows(100, 0.01) >> step("f", call).options(concurrency=None)
        sentence = over(flow).explain().sentence
        assert "None" not in sentence
        assert "inf" not in sentence


def test_of_a_step_that_an_operator_subscribes_to_nothing_is_said_of_others() -> None:
    """It stands at no place of the flow, and so neither in front of another step nor behind it."""
    inner = slow("inner", 1)
    pipe = rx_pipe(ops.flat_map(lambda product: reactivex.of(product) >> inner))
    explanation = explained(
        rows(10) >> slow("first", 0) >> (pipe & slow("other", 0.1, 3)),
        "inner",
        "inner is the bottleneck: its one slot was taken for 100% of 10 s. Raise",
    )
    assert "first" not in explanation.sentence
