"""The clocks behind the statistics of a run: by themselves, in no run that nobody watches, and in
any run, whatever its steps, where the numbers add up and steering loses nothing."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from functools import reduce
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxus_rx import RunStats, StepOptions, arerun, run, start, step, stream
from fluxus_rx._common.trail import Trail
from fluxus_rx._monitoring.gauge import Gauge
from fluxus_rx._monitoring.meter import Meter
from fluxus_rx._rx.run_settings import RunSettings
from fluxus_rx._streams.timing import IdleTimes
from tests.monitoring.test_stats import Row, rows, slow_rows, timed, work


class Clock:
    """A clock that a test sets."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(params=[0.0, 100.0])
def clock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time that gauges and meters go by; 0 is a time like any other."""
    clock = Clock()
    clock.now = request.param
    for module in ("_monitoring.gauge", "_monitoring.meter", "_streams.timing"):
        monkeypatch.setattr(f"fluxus_rx.{module}.clock", lambda: clock)
    return clock


class TestPace:
    def test_is_open_from_the_beginning(self, clock: Clock) -> None:
        """Nothing is starved or blocked at first."""
        idle_times = IdleTimes()
        clock.now += 2
        assert idle_times.now() == (0, 0, 2)

    def test_counts_what_it_waits_for_a_product(self, clock: Clock) -> None:
        """Also while it still waits; feed() ends it, once or more."""
        idle_times = IdleTimes()
        clock.now += 1
        idle_times.starve()
        clock.now += 2
        assert idle_times.now() == (2, 0, 3)
        idle_times.feed()
        clock.now += 4
        idle_times.feed()
        assert idle_times.now() == (2, 0, 7)
        idle_times.starve()
        clock.now += 8
        assert idle_times.now() == (10, 0, 15)

    def test_counts_once_where_several_products_wait_for_room(self, clock: Clock) -> None:
        """From the first that waits to the last that has room."""
        idle_times = IdleTimes()
        idle_times.block()
        clock.now += 1
        idle_times.block()
        clock.now += 2
        idle_times.unblock()
        clock.now += 4
        assert idle_times.now() == (0, 7, 7)
        idle_times.unblock()
        clock.now += 8
        assert idle_times.now() == (0, 7, 15)

    def test_stops_when_it_is_closed(self, clock: Clock) -> None:
        """Later than that only products that still wait for room count."""
        idle_times = IdleTimes()
        idle_times.starve()
        clock.now += 1
        idle_times.close()
        assert idle_times.now() == (1, 0, 1)
        clock.now += 2
        assert idle_times.now() == (1, 0, 1)
        idle_times.block()
        clock.now += 4
        assert idle_times.now() == (1, 4, 7)
        idle_times.unblock()
        clock.now += 8
        assert idle_times.now() == (1, 4, 7)

    def test_that_is_closed_at_once_was_open_for_no_time(self, clock: Clock) -> None:
        """Closed when it was opened, it stays at 0 seconds."""
        idle_times = IdleTimes()
        idle_times.close()
        clock.now += 3
        assert idle_times.now() == (0, 0, 0)

    def test_counts_no_moment_twice(self, clock: Clock) -> None:
        """Starved with one call and blocked with another is one wait, not two."""
        idle_times = IdleTimes()
        idle_times.starve()
        idle_times.block()
        clock.now += 5
        starved, blocked, open_for = idle_times.now()
        assert (starved + blocked, open_for) == (5, 5)
        idle_times.feed()
        clock.now += 1
        idle_times.starve()
        clock.now += 1
        idle_times.unblock()
        clock.now += 1
        idle_times.feed()
        starved, blocked, open_for = idle_times.now()
        assert (starved + blocked, open_for) == (8, 8)


class TestGauge:
    def gauge(self) -> Gauge:
        return Gauge("a", "key", "src → a", 2)

    def test_adds_up_the_seconds_of_all_calls(self, clock: Clock) -> None:
        """Two calls at once for a second are two seconds; those in flight count by now."""
        gauge = self.gauge()
        gauge.busy.start(clock.now)
        gauge.busy.start(clock.now)
        clock.now += 1
        assert gauge.times()[:2] == (2, 0)
        gauge.busy.stop(clock.now - 1, clock.now)
        clock.now += 4
        assert gauge.times()[:2] == (6, 0)
        gauge.busy.stop(clock.now - 5, clock.now)
        clock.now += 8
        assert gauge.times()[:2] == (6, 0)
        assert gauge.busy.running == 0

    def test_tells_apart_what_is_held_up(self, clock: Clock) -> None:
        """Seconds before a limiter or an attempt are added up likewise; such a product waits."""
        gauge = self.gauge()
        with gauge.entering_limiter():
            clock.now += 1
            with gauge.entering_limiter():
                clock.now += 2
                assert (gauge.waiting, gauge.times()[:2]) == (2, (0, 5))
            clock.now += 4
            assert (gauge.waiting, gauge.times()[:2]) == (1, (0, 9))
        clock.now += 8
        assert (gauge.waiting, gauge.times()[:2]) == (0, (0, 9))

    def test_ends_a_hold_on_an_error(self, clock: Clock) -> None:
        """Whatever ends the block."""
        gauge = self.gauge()

        def held() -> None:
            with gauge.entering_limiter():
                clock.now += 1
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            held()
        assert (gauge.waiting, gauge.times()[:2]) == (0, (0, 1))

    def test_takes_a_further_attempt_for_the_same_call(self) -> None:
        """again() takes back a call that failed, and counts it as retried."""
        gauge = self.gauge()
        gauge.started, gauge.over, gauge.failed = 3, 2, 1
        gauge.again(None)
        assert (gauge.started, gauge.over, gauge.failed, gauge.retried) == (2, 1, 0, 1)

    def test_counts_what_waits_in_all_its_queues(self) -> None:
        """A step may be fed by several."""
        gauge = self.gauge()
        gauge.queues += [deque([1, 2]), deque([3])]
        assert gauge.waiting == 3

    def test_of_a_call_counts_until_it_rests(self, clock: Clock) -> None:
        """A generator that waits for its reader doesn't work, but its call is in flight."""
        meter = Meter()
        gauge = meter.gauges.at(Trail("a"), "a", "key")
        call = meter.begin(gauge)
        clock.now += 1
        call.rest()
        clock.now += 2
        assert (gauge.times().busy, gauge.started - gauge.over) == (1, 1)
        call.resume()
        clock.now += 4
        call.end()
        clock.now += 8
        assert (gauge.times().busy, gauge.done, gauge.given) == (5, 1, 1)


class TestNoMeter:
    """A run that nobody watches counts nothing."""

    @pytest.fixture
    def meters(self, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
        """The meters, paces and gauges that are made from now on."""
        made: list[Any] = []
        for kind in (Meter, IdleTimes, Gauge):
            before = kind.__init__

            def init(self: Any, *args: Any, before: Any = before, **kwargs: Any) -> None:
                made.append(self)
                before(self, *args, **kwargs)

            monkeypatch.setattr(kind, "__init__", init)
        return made

    def flow(self) -> Any:
        async def slow(x: int) -> Iterator[dict[str, int]]:
            return iter([{"y": x}])

        source = step("src", [{"x": 1}, {"x": 2}])
        return source >> step("a", slow).options(retry=2) >> step("b", lambda y: {"z": y})

    def test_is_made_where_nobody_asks(self, meters: list[Any]) -> None:
        """run() and stream() make no meter, no pace and no gauge, whatever the options."""
        run(self.flow(), options=StepOptions(ordered=True, on_error="collect"), max_failures=3)
        assert len(list(stream(self.flow()))) == 2
        assert meters == []

    @pytest.mark.parametrize("asked", [{"timestamps": True}, {"progress": lambda _: None}])
    def test_is_made_where_somebody_asks(self, meters: list[Any], asked: dict[str, Any]) -> None:
        """One for the run."""
        run(self.flow(), **asked)
        assert len([one for one in meters if isinstance(one, Meter)]) == 1

    def test_keeps_no_record_of_calls_without_timestamps(self) -> None:
        """A meter of start() counts; memory doesn't grow with the length of the run."""
        meter = RunSettings.of(steered=True).meter
        assert meter is not None
        assert not meter.keeps_calls


class Layer(NamedTuple):
    """A step: seconds a call, calls at once, whether it is plain, failed calls, branches."""

    pause: float
    limit: int
    plain: bool
    fails: int
    ordered: bool


layers = st.lists(
    st.builds(
        Layer,
        pause=st.sampled_from([0, 0.1, 0.5, 2]),
        limit=st.integers(1, 4),
        plain=st.booleans(),
        fails=st.sampled_from([0, 0, 2, 3]),
        ordered=st.booleans(),
    ),
    min_size=1,
    max_size=4,
)


def built(layer: Layer, name: str) -> Any:
    """The step of a layer; it fails for good for multiples of `fails`, which are left out."""

    def check(x: int) -> Row:
        if layer.fails and x % layer.fails == 0:
            raise LookupError(x)
        return {"x": x + 1}

    def plain(x: int) -> Row:
        work(layer.pause)
        return check(x)

    async def call(x: int) -> Row:
        await asyncio.sleep(layer.pause * (1 + x % 2))
        return check(x)

    if layer.plain:
        return step(name, plain).options(on_error="skip")
    return step(name, call).options(concurrency=layer.limit, ordered=layer.ordered, on_error="skip")


def check_times(stats: RunStats) -> None:
    """What holds for any step at one place, at any moment."""
    for one in stats.steps:
        assert 0 <= one.load <= 1
        assert min(one.busy, one.held, one.starved, one.blocked) >= 0
        assert one.starved + one.blocked <= stats.elapsed + 1e-6
        assert one.in_flight <= (one.limit or 1)


class TestLaws:
    @given(layers, st.integers(0, 40), st.sampled_from([0, 0.3]), st.floats(0.1, 3))
    def test_numbers_add_up(self, layers: list[Layer], n: int, pause: float, beat: float) -> None:
        """done + failed is what reached the step; no step waits longer than the run has lasted."""

        async def main() -> RunStats:
            source = slow_rows(n, pause) if pause else rows(n)
            chain = [built(layer, f"s{at}") for at, layer in enumerate(layers)]
            started = start(reduce(lambda flow, one: flow >> one, chain, source))
            while started.state == "running":
                check_times(started.stats())
                await asyncio.sleep(beat)
            return started.stats()

        stats = timed(main)
        check_times(stats)
        left = [*range(n)]
        assert stats["src"].done == n
        for layer, one in zip(layers, stats.steps[1:], strict=True):
            reached = [*left]
            left = [x + 1 for x in reached if not (layer.fails and x % layer.fails == 0)]
            counted = (one.in_flight, one.waiting, one.done, one.failed)
            assert counted == (0, 0, len(left), len(reached) - len(left))

    @given(
        layers,
        st.lists(st.tuples(st.sampled_from(["pause", "resume"]), st.floats(0, 3)), max_size=8),
        st.sampled_from([0, 0.3]),
    )
    def test_nothing_is_lost_however_a_run_is_steered(
        self, layers: list[Layer], moves: list[tuple[str, float]], pause: float
    ) -> None:
        """Paused, resumed and drained at any moment, it returns what its source emitted, and no
        more, but for what is pending, which a rerun returns."""
        gave: list[int] = []

        async def source() -> AsyncIterator[Row]:
            for x in range(60):
                await asyncio.sleep(pause)
                gave.append(x)
                yield {"x": x}

        async def main() -> list[Any]:
            chain = [built(layer, f"s{at}") for at, layer in enumerate(layers)]
            flow = reduce(lambda flow, one: flow >> one, chain, step("src", source))
            started = start(flow)
            for name, wait in moves:
                getattr(started, name)()
                await asyncio.sleep(wait)
            result = await started.drain()
            assert started.state == "done"
            return [*result.merged(await arerun(flow, result.pending))[0]]

        found = sorted(output["src"]["x"] for output in timed(main))
        assert found == [
            x
            for x in gave
            if not any(
                layer.fails and (x + at) % layer.fails == 0 for at, layer in enumerate(layers)
            )
        ]
