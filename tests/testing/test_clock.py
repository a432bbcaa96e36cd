"""Virtual time: all that waits goes by one clock, which moves only when nothing is left to do."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import reactivex
import tenacity
from hypothesis import given
from hypothesis import strategies as st
from reactivex import operators as ops
from reactivex.scheduler import TimeoutScheduler
from reactivex.scheduler.eventloop import AsyncIOScheduler

from fluxus_rx import SimpleProducer, arun, run, rx_pipe, step
from fluxus_rx.rx import FlowScheduler
from fluxus_rx.testing import VirtualTimeLoop, run_virtual, virtual_time

Row = dict[str, int]


class Broken(Exception):
    """What goes wrong in these tests."""


def rows(*values: int) -> Any:
    """A source of rows that are there already."""
    return step("src", [{"x": value} for value in values])


def now() -> float:
    return asyncio.get_running_loop().time()


class TestTime:
    def test_begins_at_0_and_jumps(self) -> None:
        """A year of sleep is over at once, and is a year."""

        async def main() -> list[float]:
            times = [now()]
            for seconds in (0.1, 0, 365 * 86_400):
                await asyncio.sleep(seconds)
                times.append(now())
            return times

        assert run_virtual(main()) == [0, 0.1, 0.1, 365 * 86_400 + 0.1]

    @given(st.lists(st.floats(0, 1e9), max_size=30))
    def test_is_exact(self, delays: list[float]) -> None:
        """A timer is called at its time, to the last digit; in the order of times, and of the
        same time in the order in which they were set."""
        called: list[tuple[float, int]] = []

        async def main() -> None:
            loop = asyncio.get_running_loop()

            def call(index: int) -> None:
                called.append((now(), index))

            for index, delay in enumerate(delays):
                loop.call_at(delay, call, index)
            await asyncio.sleep(1e10)

        run_virtual(main())
        assert [index for _, index in called] == sorted(range(len(delays)), key=delays.__getitem__)
        for at, index in called:
            # What is due within the resolution of asyncio's clock is called together.
            assert at == pytest.approx(delays[index], abs=1e-6)

    def test_stands_still_while_something_is_ready(self) -> None:
        """However long it takes."""

        async def main() -> float:
            sleeper = asyncio.create_task(asyncio.sleep(1))
            for _ in range(1_000):
                await asyncio.sleep(0)
            assert now() == 0
            await sleeper
            return now()

        assert run_virtual(main()) == 1

    def test_can_be_moved_by_code_that_holds_the_loop(self) -> None:
        """As work would; timers that are due by then come next."""

        async def main() -> list[float]:
            loop = asyncio.get_running_loop()
            assert isinstance(loop, VirtualTimeLoop)
            called: list[float] = []
            loop.call_later(1, lambda: called.append(now()))
            loop.advance(2.5)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            with pytest.raises(ValueError, match="time doesn't go back"):
                loop.advance(-1)
            return called

        assert run_virtual(main()) == [2.5]

    def test_goes_on_from_run_to_run_in_one_block(self) -> None:
        """And begins again in the next one."""
        with virtual_time() as run_in:
            run_in(asyncio.sleep(2))
            assert run_in(lambda: asyncio.sleep(3, "done")) == "done"

            async def main() -> float:
                return now()

            assert run_in(main) == 5
        assert run_virtual(main) == 0

    def test_is_that_of_time_outs(self) -> None:
        """Of asyncio's, and of the option of a step."""

        async def slow(x: int) -> Row:
            await asyncio.sleep(10 if x else 0)
            return {"y": x}

        async def main() -> tuple[Any, float, float]:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(2):
                    await asyncio.sleep(3)
            first = now()
            flow = rows(0, 1) >> step("slow", slow).options(timeout=5, on_error="skip")
            return [*(await arun(flow))[0]], first, now()

        assert run_virtual(main()) == ([{"src": {"x": 0}, "slow": {"y": 0}}], 2, 7)


class TestRx:
    """Its time operators, whatever they are scheduled with."""

    @pytest.mark.parametrize(
        "scheduler",
        [None, AsyncIOScheduler, FlowScheduler],
        ids=lambda kind: kind and kind.__name__,
    )
    @pytest.mark.parametrize(
        ("operator", "expected"),
        [
            (ops.delay(2), [(3, 0), (4, 1), (5, 2), (6, 3)]),
            (ops.throttle_first(2), [(1, 0), (3, 2)]),
            (ops.debounce(2), [(4, 3)]),
            (ops.sample(2), [(2, 0), (4, 2), (6, 3)]),
            (ops.buffer_with_time(2), [(2, [0]), (4, [1, 2]), (4, [3])]),
            (ops.take_with_time(2.5), [(1, 0), (2, 1)]),
            (
                ops.timestamp(),
                [(1, 1.0), (2, 2.0), (3, 3.0), (4, 4.0)],
            ),
        ],
    )
    def test_goes_by_the_clock_of_the_loop(
        self, scheduler: Any, operator: Any, expected: list[Any]
    ) -> None:
        """Under a scheduler of the loop or under none; no thread is started."""

        async def main() -> list[Any]:
            loop = asyncio.get_running_loop()
            got: list[Any] = []
            ended = asyncio.Event()

            def on_next(item: Any) -> None:
                if hasattr(item, "timestamp"):
                    item = item.timestamp.timestamp()
                got.append((loop.time(), item))

            reactivex.interval(1).pipe(ops.take(4), operator).subscribe(
                *(on_next, None, lambda: loop.call_soon_threadsafe(ended.set)),
                scheduler=None if scheduler is None else scheduler(loop),
            )
            await ended.wait()
            return got

        before = threading.active_count()
        got = run_virtual(main())
        assert threading.active_count() == before
        assert len(got) == len(expected)
        for (at, item), (expected_at, expected_item) in zip(got, expected, strict=True):
            assert at == pytest.approx(expected_at, abs=1e-5)
            assert item == expected_item

    def test_goes_by_it_inside_of_a_flow(self) -> None:
        """Between async steps, with one clock for all of them."""

        async def slow(x: int) -> Row:
            await asyncio.sleep(1)
            return {"y": x}

        async def main() -> float:
            source = reactivex.timer(timedelta(seconds=5)).pipe(ops.map(lambda _: {"x": 1}))
            await arun(step("src", source) >> rx_pipe(ops.delay(3)) >> step("slow", slow))
            return now()

        assert run_virtual(main()) == pytest.approx(9)

    def test_is_left_as_it_was(self) -> None:
        """Outside of virtual time, Rx starts its threads and reads the clock on the wall."""
        singleton = TimeoutScheduler.singleton()
        run_virtual(asyncio.sleep(1))
        assert TimeoutScheduler.singleton() is singleton

        async def main() -> float:
            return AsyncIOScheduler(asyncio.get_running_loop()).now.timestamp()

        assert asyncio.run(main()) > 1e9

    def test_another_thread_does_not_notice(self) -> None:
        """What is redirected is so for the thread of the loop alone."""

        async def main() -> Any:
            return await asyncio.to_thread(TimeoutScheduler.singleton)

        assert run_virtual(main) is TimeoutScheduler.singleton()


class TestRetries:
    def test_of_a_step_wait_in_virtual_time(self) -> None:
        """Up to a minute each."""
        calls = 0

        async def fails(x: int) -> Row:
            nonlocal calls
            calls += 1
            raise Broken

        flow = rows(1) >> step("f", fails).options(retry=20)
        with pytest.raises(Broken):
            run_virtual(arun(flow))
        assert calls == 20

    @pytest.mark.parametrize("in_a_step", [True, False])
    def test_of_tenacity_wait_and_stop_by_it(self, in_a_step: bool) -> None:
        """`stop_after_delay` reads a clock of its own, which is this one here."""
        times: list[float] = []
        policy: Any = tenacity.AsyncRetrying(
            wait=tenacity.wait_fixed(10), stop=tenacity.stop_after_delay(35), reraise=True
        )

        async def fails(x: int = 0) -> Row:
            times.append(now())
            raise Broken

        flow = rows(1) >> step("f", fails).options(retry=policy)
        with pytest.raises(Broken):
            run_virtual(arun(flow) if in_a_step else policy(fails))
        assert times == [0, 10, 20, 30, 40]
        assert tenacity.time is time  # type: ignore[attr-defined]  # as it was


class TestEntries:
    def test_the_results_and_errors_are_those_of_the_coroutine(self) -> None:
        """As those of `asyncio.run`."""
        error = ZeroDivisionError()

        async def fails() -> None:
            raise error

        with pytest.raises(ZeroDivisionError) as caught:
            run_virtual(fails())
        assert caught.value is error
        assert run_virtual(asyncio.sleep(1, "result")) == "result"

    def test_a_loop_that_runs_already_is_refused(self) -> None:
        """And the coroutine is closed, so that nobody complains of it."""

        async def main() -> None:
            with pytest.raises(RuntimeError, match="one is running here already"):
                run_virtual(asyncio.sleep(0))

        asyncio.run(main())

    @pytest.mark.parametrize("patience", [-1, True, "5", None])
    def test_a_bad_patience_is_refused(self, patience: Any) -> None:
        """It is a number of seconds."""
        with pytest.raises(ValueError, match="patience="):
            run_virtual(lambda: asyncio.sleep(0), patience=patience)
        with pytest.raises(ValueError, match="patience="):
            VirtualTimeLoop(patience)

    def test_what_is_no_coroutine_is_refused(self) -> None:
        """By its name."""
        not_a_coroutine: Any = lambda: 5  # noqa: E731
        with pytest.raises(TypeError, match="not 5 "):
            run_virtual(not_a_coroutine)

    def test_synchronous_runs_inside_the_block_are_virtual(self) -> None:
        """Of all kinds; and real ones again behind it."""
        loops: list[Any] = []

        async def slow(x: int) -> Row:
            loops.append(asyncio.get_running_loop())
            await asyncio.sleep(3600)
            return {"y": x}

        flow = rows(1, 2) >> step("slow", slow)
        with virtual_time():
            result = run(flow, timestamps=True)
            assert [product["y"] for product in flow] == [1, 2]
            assert step("slow", slow).process([{"x": 1}])[0]["y"] == 1
        assert {type(loop) for loop in loops} == {VirtualTimeLoop}
        assert result[0][0]["slow"]["[end]"] == 3600
        assert result.summary().elapsed == 3600

        def kind() -> Iterator[Row]:
            loops.append(asyncio.get_running_loop())
            yield {"x": 1}

        run(step("src", kind))
        assert type(loops[-1]) is not VirtualTimeLoop

    def test_a_source_without_end_gives_the_loop_its_turns(self) -> None:
        """Though time stands still: what else is ready gets on."""

        def endless() -> Iterator[int]:
            while True:
                yield 1

        async def main() -> int:
            count = 0

            async def reads() -> None:
                nonlocal count
                async for _ in SimpleProducer(endless()) >> rx_pipe(ops.map(lambda x: x)):
                    count += 1

            task = asyncio.create_task(reads())
            for _ in range(50):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            return count

        assert 100 < run_virtual(main()) < 100_000

    def test_two_runs_are_the_same_event_by_event(self) -> None:
        """Times and all."""

        def trace() -> list[Any]:
            events: list[Any] = []

            async def slow(x: int) -> Row:
                await asyncio.sleep(x % 3 / 7)
                events.append((now(), x))
                return {"y": x}

            flow = rows(*range(50)) >> (step("a", slow) & step("b", slow))
            result = run_virtual(arun(flow, timestamps=True))
            return [events, [*result]]

        assert trace() == trace()


@pytest.mark.parametrize("make", [lambda: VirtualTimeLoop(), lambda: VirtualTimeLoop(patience=0)])
def test_a_runner_takes_the_loop(make: Callable[[], Any]) -> None:
    """And with it whatever takes a loop factory."""
    with asyncio.Runner(loop_factory=make) as runner:
        runner.run(asyncio.sleep(3600))
        assert runner.get_loop().time() == 3600


def test_neither_pytest_nor_the_package_bring_it_in() -> None:
    """`fluxus_rx.testing` needs no pytest, and `fluxus_rx` doesn't need it."""
    script = (
        "import sys, fluxus_rx; assert 'fluxus_rx.testing' not in sys.modules;"
        " import fluxus_rx.testing; assert not {'pytest', '_pytest', 'tenacity'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
