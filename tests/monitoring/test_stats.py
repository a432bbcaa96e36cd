"""What each step of a run does and has done, in numbers that are known beforehand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import reduce
from typing import Any, NamedTuple

import pytest
import tenacity

from fluxus_rx import Run, RunStats, StepStats, passthrough, start, step
from fluxus_rx._monitoring.stats import stats_of
from fluxus_rx._run.request import RunRequest
from fluxus_rx.testing import VirtualTimeLoop, virtual_time

Row = dict[str, int]


def rows(n: int) -> Any:
    """A source `src` of rows that are there already."""
    return step("src", [{"x": x} for x in range(n)])


def slow_rows(n: int, pause: float = 1.0) -> Any:
    """A source `src` of rows that each take a while."""

    async def source() -> AsyncIterator[Row]:
        for x in range(n):
            await asyncio.sleep(pause)
            yield {"x": x}

    return step("src", source)


def slow(name: str, pause: float, limit: int | None = 1) -> Any:
    """A step whose calls wait so many seconds."""

    async def call(x: int) -> Row:
        await asyncio.sleep(pause)
        return {"x": x}

    return step(name, call).options(concurrency=limit)


def work(pause: float) -> None:
    """Hold the loop for so many seconds."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    loop.advance(pause)


def busy(name: str, pause: float) -> Any:
    """A step whose plain function works so many seconds."""

    def call(x: int) -> Row:
        work(pause)
        return {"x": x}

    return step(name, call)


class Gaps:
    """A limiter that admits one call a second."""

    def __init__(self) -> None:
        self._one = asyncio.Lock()

    async def __aenter__(self) -> None:
        async with self._one:
            await asyncio.sleep(1)

    async def __aexit__(self, *_: object) -> None:
        pass


def fixed(attempts: int, wait: float) -> Any:
    """So many attempts, with the same wait between each two."""
    return tenacity.AsyncRetrying(
        stop=tenacity.stop_after_attempt(attempts), wait=tenacity.wait_fixed(wait), reraise=True
    )


def unsteady(name: str, pause: float, good: int) -> Any:
    """A step whose calls fail, each after a while, until the attempt of this number."""
    calls: dict[int, int] = {}

    async def call(x: int) -> Row:
        calls[x] = calls.get(x, 0) + 1
        await asyncio.sleep(pause)
        if calls[x] < good:
            raise LookupError(x)
        return {"x": x}

    return step(name, call)


def timed(main: Callable[[], Awaitable[Any]]) -> Any:
    """What the coroutine returns, run in virtual time that doesn't begin at 0."""

    async def later() -> Any:
        await asyncio.sleep(1000)
        return await main()

    with virtual_time() as go:
        return go(later)


def over(flow: Any) -> RunStats:
    """The statistics of a run to its end."""

    async def main() -> RunStats:
        started = start(flow)
        await started.result()
        return started.stats()

    stats = timed(main)
    assert isinstance(stats, RunStats)
    return stats


def at(flow: Any, *moments: float, steer: Callable[[Run], None] | None = None) -> list[RunStats]:
    """The statistics of a run at these seconds; it is cancelled then."""

    async def main() -> list[RunStats]:
        found = []
        loop = asyncio.get_running_loop()
        async with start(flow) as started:
            began = loop.time()
            for moment in moments:
                await asyncio.sleep(began + moment - loop.time())
                found.append(started.stats())
                if steer is not None:
                    steer(started)
        return [*found, started.stats()]

    stats = timed(main)
    assert isinstance(stats, list)
    return stats


def read_slowly(flow: Any, pause: float, moment: float) -> RunStats:
    """The statistics at this moment of a run whose outputs are taken one by one."""

    async def main() -> RunStats:
        asked = RunRequest(flow, who="stream()", progress=lambda _: None)
        meter = asked.settings.meter
        assert meter is not None

        async def read() -> None:
            async with asked.execution() as arrivals:
                async for _ in arrivals:
                    await asyncio.sleep(pause)

        reading = asyncio.create_task(read())
        await asyncio.sleep(moment)
        stats = stats_of(meter, "running")
        reading.cancel()
        await asyncio.wait([reading])
        return stats

    stats = timed(main)
    assert isinstance(stats, RunStats)
    return stats


class Times(NamedTuple):
    """Seconds busy, held, starved, blocked, and the load."""

    busy: float
    held: float
    starved: float
    blocked: float
    load: float


def times(stats: StepStats) -> Any:
    """The times of a step, to be compared with `Times`."""
    found = (stats.busy, stats.held, stats.starved, stats.blocked, stats.load)
    return pytest.approx(found, abs=1e-6)


def counts(stats: StepStats) -> tuple[int, ...]:
    """In flight, waiting, done, failed, retried."""
    return (stats.in_flight, stats.waiting, stats.done, stats.failed, stats.retried)


class TestTimes:
    def test_of_a_slow_source(self) -> None:
        """The source is busy all the time; what is behind it is starved."""
        stats = over(slow_rows(10) >> slow("mid", 0.1, 3) >> busy("last", 0))
        assert stats.elapsed == pytest.approx(10.1)
        assert Times(10, 0, 0, 0, 1) == times(stats["src"])
        assert Times(1, 0, 10, 0, 0) == times(stats["mid"])
        assert Times(0, 0, 10.1, 0, 0) == times(stats["last"])

    def test_of_a_slow_step_with_a_limit(self) -> None:
        """Ten times three calls of a second: its three places are never free."""
        stats = over(rows(30) >> slow("mid", 1, 3))
        assert Times(30, 0, 0, 0, 1) == times(stats["mid"])
        assert stats["src"].blocked == pytest.approx(10)
        assert stats["src"].load == 0
        assert stats.elapsed == pytest.approx(10)

    def test_of_a_slow_step_between_quick_ones(self) -> None:
        """The step before it is blocked as soon as the buffer is full, the one behind starves."""
        flow = rows(40) >> slow("first", 0) >> slow("mid", 1, 3) >> slow("last", 0.1)
        early, _ = at(flow, 5.5)
        assert early["mid"].waiting == 16
        assert Times(0, 0, 0, 5.5, 0) == times(early["first"])
        # It has begun a call at each of 0 to 5 s with all of its places.
        assert Times(16.5, 0, 0, 0, 1) == times(early["mid"])
        # Starved to 1.0, then from 1.3 to 2.0, and so on.
        assert early["last"].starved == pytest.approx(1 + 4 * 0.7 + 0.2)
        assert early["last"].busy == pytest.approx(1.5)

    def test_of_a_slow_last_step(self) -> None:
        """It is busy from its first product on; the step before it is blocked."""
        flow = rows(40) >> slow("mid", 0.1, 2) >> slow("last", 1)
        early, _ = at(flow, 20.1)
        assert Times(20, 0, 0.1, 0, 20 / 20.1) == times(early["last"])
        # 17 find room at 0.9 s: 16 wait, and one is in the step; from then on it is full.
        assert early["mid"].starved == 0
        assert 19 < early["mid"].blocked <= 20.1
        assert over(flow)["last"].load == pytest.approx(40 / 40.1)

    def test_of_a_plain_function(self) -> None:
        """Its calls hold the loop; the source waits for that long."""
        stats = over(rows(10) >> busy("mid", 1))
        assert Times(10, 0, 0, 0, 1) == times(stats["mid"])
        assert Times(0, 0, 0, 10, 0) == times(stats["src"])

    def test_of_a_plain_function_behind_a_slow_step(self) -> None:
        """It is starved where it isn't called."""
        stats = over(rows(4) >> slow("first", 3) >> busy("mid", 1) >> slow("last", 0))
        assert stats["mid"].busy == pytest.approx(4)
        assert stats["mid"].busy + stats["mid"].starved == pytest.approx(stats.elapsed)
        assert stats["mid"].load == pytest.approx(4 / stats.elapsed)

    def test_of_a_limiter(self) -> None:
        """What its calls wait for it is held, not busy; its products wait."""
        early, later, _ = at(rows(10) >> slow("mid", 0.1, 4).options(limiter=Gaps()), 0.5, 1.05)
        assert (counts(early["mid"]), counts(later["mid"])) == ((0, 4, 0, 0, 0), (1, 3, 0, 0, 0))
        assert Times(0, 2, 0, 0, 1) == times(early["mid"])
        stats = over(rows(10) >> slow("mid", 0.1, 4).options(limiter=Gaps()))
        # The first four wait 1 to 4 s, each other 4 s but for the call that it waits for.
        held = 1 + 2 + 3 + 4 + 6 * 3.9
        assert (stats["mid"].busy, stats["mid"].held) == pytest.approx((1, held))

    def test_of_waits_before_another_attempt(self) -> None:
        """They are held too, and each attempt counts once as retried, never as failed."""
        flow = rows(3) >> unsteady("f", 0.5, 3).options(retry=fixed(3, 2))
        early, _ = at(flow, 0.6)
        assert counts(early["f"]) == (0, 3, 0, 0, 3)
        flow = rows(3) >> unsteady("f", 0.5, 3).options(retry=fixed(3, 2))
        stats = over(flow)
        assert counts(stats["f"]) == (0, 0, 3, 0, 6)
        assert (stats["f"].busy, stats["f"].held) == pytest.approx((4.5, 12))

    def test_of_a_call_that_fails_for_good(self) -> None:
        """It counts once as failed, whatever number of attempts it took."""
        flow = rows(3) >> unsteady("f", 0.5, 9).options(retry=fixed(3, 2), on_error="skip")
        stats = over(flow)
        assert counts(stats["f"]) == (0, 0, 0, 3, 6)
        assert stats.failures == 3

    def test_of_a_slow_reader(self) -> None:
        """The last step is blocked for as long as its products wait to be taken."""
        stats = read_slowly(rows(60) >> slow("f", 0, 2), 1, 9.5)
        assert stats["f"].blocked == pytest.approx(9.5)
        assert stats["f"].load == 0

    def test_of_a_generator_that_waits_for_its_reader(self) -> None:
        """It works only while it makes a product."""

        async def many(x: int) -> AsyncIterator[Row]:
            for _ in range(40):
                await asyncio.sleep(0.1)
                yield {"x": x}

        stats = over(rows(1) >> step("many", many) >> slow("last", 1))
        assert stats["many"].busy == pytest.approx(4)
        assert stats["many"].blocked > 15

    def test_over_several_paths_add_up(self) -> None:
        """One step behind three branches: its calls on all of them, its one limit."""
        group = slow("a", 1) & slow("b", 0.1, 5) & passthrough()
        stats = over(rows(10) >> group >> slow("last", 0.5, 2))
        assert counts(stats["last"]) == (0, 0, 30, 0, 0)
        assert stats["last"].limit == 2
        assert stats["last"].busy == pytest.approx(15)
        assert stats["a"].busy == pytest.approx(10)
        assert stats["b"].busy == pytest.approx(1)

    def test_of_a_long_chain(self) -> None:
        """Each of sixty steps is starved until the first product is through those before it."""
        chain = reduce(lambda flow, n: flow >> slow(f"s{n}", 0.1), range(60), rows(5))
        stats = over(chain)
        for n, one in enumerate(stats.steps[1:]):
            assert one.step == f"s{n}"
            assert Times(0.5, 0, 0.1 * n, 0, 0.5 / (0.5 + 0.1 * n)) == times(one)

    def test_count_no_moment_twice(self) -> None:
        """Where one call could begin and a product of another has no room, it is blocked."""

        async def burst() -> AsyncIterator[Row]:
            for x in range(20):
                yield {"x": x}
            await asyncio.sleep(1000)

        stats, _ = at(step("src", burst) >> slow("mid", 0, 3) >> slow("last", 10), 15)
        assert Times(0, 0, 0, 15, 0) == times(stats["mid"])


class TestPhases:
    async def test_before_it_began_there_are_none(self) -> None:
        """stats() may be asked for at once."""
        started = start(rows(3) >> slow("f", 1))
        stats = started.stats()
        assert (stats.steps, stats.state, stats.failures) == ((), "running", 0)
        await started.cancel()

    def test_stay_after_the_end(self) -> None:
        """Once the run is over they are what they were then, however long that is ago."""

        async def main() -> None:
            started = start(rows(3) >> slow("f", 1))
            await started.result()
            stats = started.stats()
            await asyncio.sleep(100)
            assert started.stats() == stats
            assert stats.elapsed == pytest.approx(3)

        timed(main)

    def test_of_a_cancelled_run(self) -> None:
        """What was cancelled is neither in flight nor done nor failed; what it worked counts."""
        before, after = at(rows(9) >> slow("f", 1, 2), 2.5)
        assert counts(before["f"]) == (2, 0, 4, 0, 0)
        assert counts(after["f"]) == (0, 0, 4, 0, 0)
        assert after.state == "cancelled"
        assert after["f"].busy == before["f"].busy == pytest.approx(5)

    def test_of_a_paused_run(self) -> None:
        """Nothing is in flight any more, and the state says why."""
        _, after, _ = at(rows(9) >> slow("f", 1, 2), 2.5, 9.5, steer=Run.pause)
        assert (after.state, counts(after["f"])) == ("paused", (0, 0, 6, 0, 0))

    def test_of_a_failed_run(self) -> None:
        """The call that ended it has failed, the others are neither done nor in flight."""

        async def main() -> None:
            started = start(rows(3) >> unsteady("f", 1, 2))
            with pytest.raises(LookupError):
                await started.result()
            done, failed = started.stats()["f"].done, started.stats()["f"].failed
            assert (started.stats().state, done) == ("failed", 0)
            assert failed >= 1
            assert started.stats()["f"].in_flight == 0

        timed(main)

    def test_are_a_table(self) -> None:
        """`str` has the state, the time, and a line for each step in the order of the flow."""
        lines = str(over(rows(3) >> slow("f", 1))).splitlines()
        assert lines[0] == "done for 3 s"
        assert [line.split()[0] for line in lines[1:]] == ["step", "src", "f"]
        with pytest.raises(KeyError):
            over(rows(1))["nobody"]
