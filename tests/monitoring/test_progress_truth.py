"""What progress and statistics say is so: of calls that wait, fail or run out of time, of steps
that are over, of runs that pause, drain or go on from others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from fluxus_rx import Progress, RunResult, StepProgress, arerun, arun, start, step
from fluxus_rx.testing import run_virtual, virtual_time
from tests.monitoring.test_stats import Gaps, Row, fixed, rows, slow, unsteady

Told = list[Progress]


def told(flow: Any, **options: Any) -> tuple[Told, Any]:
    """What a run in virtual time tells five times a second, and its result or error."""
    progresses: Told = []

    async def main() -> Any:
        return await arun(flow, progress=progresses.append, **options)

    with virtual_time() as go:
        try:
            return progresses, go(main)
        except LookupError as error:
            return progresses, error


def at(progresses: Told, moment: float, name: str) -> StepProgress:
    """A step at this time."""
    progress = next(one for one in progresses if one.elapsed > moment - 0.01)
    return named(progress, name)


def named(progress: Progress, name: str) -> StepProgress:
    return next(one for one in progress.steps if one.step == name)


def numbers(one: StepProgress) -> tuple[int, int, int, int]:
    """Done, in flight, waiting, failed."""
    return (one.done, one.in_flight, one.waiting, one.failed)


def of_pauses(name: str, pauses: Callable[[int], float]) -> Any:
    """A step whose calls wait as long as `pauses` says for their number, and fail below 0."""

    async def call(x: int) -> Row:
        await asyncio.sleep(abs(pauses(x)))
        if pauses(x) < 0:
            raise LookupError(x)
        return {"x": x}

    return step(name, call)


class TestWaiting:
    def test_calls_wait_for_their_limiter(self) -> None:
        """They are not in flight, the text says that they wait, and the end is as far as it is."""
        progresses, _ = told(rows(10) >> slow("f", 0.1, 4).options(limiter=Gaps()))
        assert numbers(at(progresses, 0.2, "f")) == (0, 0, 4, 0)
        assert str(at(progresses, 0.2, "f")) == "f 0/10 (4 waiting)"
        middle = at(progresses, 6.2, "f")
        assert numbers(middle) == (6, 0, 4, 0)
        assert middle.eta == pytest.approx(4, abs=0.4)

    def test_calls_wait_for_their_next_attempt(self) -> None:
        """The end is not before the pause is over, also where no call has ended yet."""
        progresses, _ = told(rows(3) >> unsteady("f", 0.5, 2).options(retry=fixed(3, 20)))
        early = at(progresses, 0.6, "f")
        assert (numbers(early), early.is_over) == ((0, 0, 3, 0), False)
        assert early.eta == pytest.approx(19.9)
        assert at(progresses, 20.4, "f").eta == pytest.approx(0.1)

    def test_a_long_pause_counts_where_others_are_quick(self) -> None:
        """One call of a hundred pauses for a minute: the pace of the others says nothing of it."""
        calls = [0]

        async def call(x: int) -> Row:
            calls[0] += 1
            is_first = calls[0] == 1
            await asyncio.sleep(0.1)
            if is_first:
                raise LookupError(x)
            return {"x": x}

        flow = rows(100) >> step("f", call).options(concurrency=2, retry=fixed(2, 60))
        progresses, _ = told(flow)
        late = at(progresses, 10.2, "f")
        assert numbers(late) == (99, 0, 1, 0)
        assert late.eta == pytest.approx(49.9)

    def test_a_run_that_is_cancelled_leaves_nothing_waiting(self) -> None:
        """The last word has no calls that wait."""
        found: Told = []

        async def main() -> None:
            flow = rows(3) >> unsteady("f", 0.5, 9).options(retry=fixed(9, 20))
            async with start(flow, progress=found.append):
                await asyncio.sleep(1)

        with virtual_time() as go:
            go(main)
        assert (found[-1].state, numbers(named(found[-1], "f"))) == ("cancelled", (0, 0, 0, 0))

    def test_a_limiter_that_raises_has_failed_a_call(self) -> None:
        """The number of failures is never below zero."""

        class Refusing:
            async def __aenter__(self) -> None:
                raise LookupError

            async def __aexit__(self, *_: object) -> None: ...

        options: Any = {"limiter": Refusing(), "retry": fixed(2, 1), "on_error": "skip"}
        progresses, _ = told(rows(3) >> slow("f", 0.1).options(**options))
        assert min(named(one, "f").failed for one in progresses) == 0
        assert numbers(named(progresses[-1], "f")) == (0, 0, 0, 3)


class TestFailing:
    @pytest.mark.parametrize("attempts", [1, 3])
    def test_a_call_that_runs_out_of_time_has_failed(self, attempts: int) -> None:
        """Once, whatever number of attempts it took; in the summary, each attempt is a call."""
        flow = rows(6) >> of_pauses("f", lambda x: 5.0 if x % 2 else 0.5).options(
            timeout=1, retry=attempts, on_error="skip"
        )
        progresses, result = told(flow, timestamps=True)
        assert numbers(named(progresses[-1], "f")) == (3, 0, 0, 3)
        assert min(named(one, "f").failed for one in progresses) == 0
        summary = result.summary().steps[-1]
        assert (summary.failures, summary.retries) == (3 * attempts, 3 * (attempts - 1))
        assert summary.calls == 3 + 3 * attempts
        assert summary.max == pytest.approx(1)

    def test_a_generator_that_runs_out_of_time_has_failed(self) -> None:
        """Also after it has yielded products."""

        async def many(x: int) -> AsyncIterator[Row]:
            yield {"x": x}
            await asyncio.sleep(5)

        flow = rows(2) >> step("many", many).options(timeout=1, on_error="skip") >> slow("g", 0)
        progresses, _ = told(flow)
        assert numbers(named(progresses[-1], "many")) == (0, 0, 0, 2)
        assert named(progresses[-1], "g").expected == 2

    def test_what_fails_counts_for_the_end(self) -> None:
        """Half of the calls fail: what is left takes as long as it did so far, here and behind."""
        flow = rows(40) >> of_pauses("f", lambda x: 1.0 if x % 2 else -1.0).options(
            on_error="skip", concurrency=1
        )
        progresses, _ = told(flow >> slow("g", 0.1))
        middle = at(progresses, 20.0, "f")
        assert middle.eta == pytest.approx(20, abs=2)
        assert at(progresses, 20.0, "g").expected == pytest.approx(20, abs=1)
        assert at(progresses, 20.0, "g").eta == pytest.approx(20, abs=2)

    @pytest.mark.parametrize("is_async", [False, True])
    def test_replacements_are_products_of_the_step(self, is_async: bool) -> None:
        """What is behind expects them."""

        async def later(failure: Any) -> list[Row]:
            return [{"x": 1}, {"x": 2}]

        def now(failure: Any) -> list[Row]:
            return [{"x": 1}, {"x": 2}]

        broken = of_pauses("f", lambda x: -0.5).options(on_error=later if is_async else now)
        progresses, _ = told(rows(6) >> broken >> slow("g", 0.3, 1))
        last = named(progresses[-1], "g")
        assert (last.done, last.expected) == (12, 12)

    def test_products_given_once_more_count_once(self) -> None:
        """A generator that is made again passes over what it yielded before."""
        calls: list[int] = []

        async def many(x: int) -> AsyncIterator[Row]:
            calls.append(x)
            for index in range(5):
                await asyncio.sleep(0.1)
                if index == 3 and len(calls) == 1:
                    raise LookupError
                yield {"x": index}

        made = step("many", many).options(retry=fixed(2, 1), repeatable=True)
        progresses, result = told(rows(1) >> made >> slow("g", 0))
        assert len(result[0]) == 5
        assert named(progresses[-1], "g").expected == 5


class TestOver:
    def test_a_step_that_is_over_keeps_its_average(self) -> None:
        """However long the run goes on, also in the last word: it is that of its own time."""
        flow = rows(100) >> slow("f", 0.1, 10) >> slow("g", 3, 10).options(buffer=1_000)
        progresses, _ = told(flow)
        for moment in (1.2, 5.0, 29.0):
            early = at(progresses, moment, "f")
            assert (early.rate, early.per_call) == pytest.approx((100, 0.1))
            assert (early.eta, str(early)) == (0.0, "f 100/100 (100/s, 100 ms each)")
        last = named(progresses[-1], "f")
        assert (last.rate, last.per_call, last.eta) == pytest.approx((100, 0.1, None))

    def test_a_step_that_took_no_time_keeps_the_rate_that_it_had(self) -> None:
        """It doesn't fall while others work."""
        progresses, _ = told(rows(3) >> slow("g", 2, 1))
        rates = {named(one, "src").rate for one in progresses if named(one, "src").is_over}
        assert len(rates) == 1
        assert 0.0 not in rates

    def test_a_source_that_gives_more_than_it_told_has_no_length(self) -> None:
        """No percentage above 100, and no end at 0 s while it goes on."""

        class Short:
            def __len__(self) -> int:
                return 2

            def __iter__(self) -> Iterator[Row]:
                return iter([{"x": x} for x in range(9)])

        progresses, _ = told(step("src", Short()) >> slow("f", 1, 1))
        assert named(progresses[-1], "src").expected is None
        assert at(progresses, 5, "f").expected is None
        assert at(progresses, 5, "f").eta is None

    def test_a_source_of_unknown_length_has_no_end(self) -> None:
        """Nobody knows, and nobody says."""

        def source() -> Iterator[Row]:
            yield from ({"x": x} for x in range(9))

        progresses, _ = told(step("src", source) >> slow("f", 1, 1))
        assert {one.eta for one in progresses} == {None}

    def test_a_step_that_gives_nothing_ends_the_ones_behind(self) -> None:
        """They expect nothing, and have nothing left to do."""

        def nothing(x: int) -> list[Row]:
            return []

        progresses, _ = told(rows(5) >> slow("f", 1, 1) >> step("no", nothing) >> slow("g", 1))
        behind = at(progresses, 3.0, "g")
        assert (behind.expected, behind.eta, behind.is_over) == (0, 0.0, True)


class TestStates:
    def steered(self, flow: Any, steer: Any) -> Told:
        progresses: Told = []

        async def main() -> None:
            async with start(flow, progress=progresses.append) as running:
                await asyncio.sleep(2.05)
                await steer(running)
                await running.result()

        with virtual_time() as go:
            go(main)
        return progresses

    def test_a_paused_run_says_so(self) -> None:
        """It has no end in sight until it goes on."""

        async def pause(running: Any) -> None:
            running.pause()
            await asyncio.sleep(5)
            running.resume()

        progresses = self.steered(rows(9) >> slow("f", 1, 1), pause)
        paused = [one for one in progresses if one.state == "paused"]
        assert len(paused) == 25
        assert {(one.eta, named(one, "f").eta) for one in paused} == {(None, None)}
        assert str(paused[0]).startswith("paused at 2.2 s: src ")
        assert [one.state for one in progresses if one.elapsed > 7.1][:-1] == ["running"] * 5 * 6

    def test_so_does_a_run_that_its_deadline_drains(self) -> None:
        """It expects no more of its source than that has emitted."""
        told: list[Any] = []
        flow = rows(1_000) >> slow("f", 1, 2)
        run_virtual(lambda: arun(flow, deadline=3.1, progress=told.append))
        assert {one.state for one in told if one.elapsed > 3.2} == {"draining", "done"}

    def test_a_pause_makes_no_pace_slower(self) -> None:
        """The rate, and so the time that is left, is that of the time in which the run went on."""

        async def pause(running: Any) -> None:
            running.pause()
            await asyncio.sleep(50)
            running.resume()

        progresses = self.steered(rows(9) >> slow("f", 1, 1), pause)
        after = [one for one in progresses if one.elapsed > 53.1 and one.state == "running"]
        assert len(after) > 10
        assert min(named(one, "f").rate for one in after) > 0.6

    def test_a_draining_run_says_so_and_expects_what_there_is(self) -> None:
        """What the source would have emitted is not waited for."""

        async def drain(running: Any) -> None:
            await running.drain()

        progresses = self.steered(rows(1_000) >> slow("f", 1, 3) >> slow("g", 2, 3), drain)
        draining = [one for one in progresses if one.state == "draining"]
        assert str(draining[0]).startswith("draining at 2.2 s")
        # One call of 2 s is under way, and nothing else is left to do.
        assert max(one.eta or 0.0 for one in draining) < 3
        for one in draining[1:]:
            assert named(one, "g").remaining == named(one, "g").in_flight
        last = progresses[-1]
        assert last.state == "done"
        assert all(one.expected == one.done for one in last.steps)

    def test_a_blocked_step_says_so(self) -> None:
        """A slow step further down is why it does nothing."""
        progresses, _ = told(rows(40) >> slow("f", 0.01, 2) >> slow("g", 5, 1))
        blocked = at(progresses, 12.0, "f")
        assert (blocked.blocked, blocked.in_flight) == (True, 0)
        assert "blocked" in str(blocked)
        assert not named(progresses[-1], "f").blocked


def test_a_rerun_begins_at_zero_and_knows_its_end() -> None:
    """It is a run of its own: its time, its rate, what is expected, though its times go on."""
    down = [True]
    progresses: Told = []

    async def call(x: int) -> Row:
        await asyncio.sleep(1)
        if down[0] and x % 2:
            raise LookupError(x)
        return {"x": x}

    flow = rows(10) >> step("f", call).options(concurrency=1, on_error="collect") >> slow("g", 0.1)

    async def main() -> RunResult:
        first = await arun(flow, timestamps=True)
        down[0] = False
        return await arerun(flow, first.failures, progress=progresses.append)

    with virtual_time() as go:
        assert len(go(main)[0]) == 5
    middle, last = at(progresses, 2.2, "f"), progresses[-1]
    assert (middle.done, middle.expected) == (2, 5)
    assert middle.eta == pytest.approx(3, abs=0.4)
    assert at(progresses, 2.2, "g").expected == 5
    assert last.elapsed == pytest.approx(5.1)
    assert named(last, "f").rate == pytest.approx(1)
