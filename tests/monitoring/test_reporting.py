"""Following a run: what is called when, and what happens to errors."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from fluxus_rx import InvalidOptionError, Progress, RunResult, arun, run, step
from fluxus_rx._monitoring.reporting import reporting
from fluxus_rx.testing import virtual_time
from tests.support.progress_meters import Scripted
from tests.support.subprocesses import ROOT


def source(number: int) -> Any:
    return step("src", [{"x": x} for x in range(number)])


async def fail_later(x: int) -> dict[str, int]:
    await asyncio.sleep(0.5)
    raise ZeroDivisionError


def slow_flow(number: int, seconds: float = 1.0) -> Any:
    """Takes so many seconds for each item."""

    async def wait(x: int) -> dict[str, int]:
        await asyncio.sleep(seconds)
        return {"y": x}

    return source(number) >> step("wait", wait).options(concurrency=1)


def virtually(flow: Any, progress: Any = False) -> RunResult:
    """The result of a run in virtual time."""
    with virtual_time() as run_in:
        result: RunResult = run_in(lambda: arun(flow, progress=progress))
        return result


class TestCalls:
    def test_a_function_is_called_five_times_a_second_and_at_the_end(self) -> None:
        """The last call comes when all is done."""
        calls: list[Progress] = []
        virtually(slow_flow(1, 0.7), calls.append)
        times = [call.elapsed for call in calls]
        assert times == pytest.approx([0.2, 0.4, 0.6, 0.7], abs=1e-6)
        assert {call.state for call in calls[:-1]} == {"running"}
        assert calls[-1].state == "done"

    def test_a_function_is_told_how_far_each_step_is(self) -> None:
        """Done, in flight, failed, expected, rate and what is left."""
        calls: list[Progress] = []
        virtually(slow_flow(10), calls.append)
        told = {round(call.elapsed, 1): call.steps[1] for call in calls}
        step = told[5.6]
        assert (step.step, step.done, step.in_flight, step.failed) == ("wait", 5, 1, 0)
        assert (step.expected, step.remaining) == (10, 5)
        assert step.rate == pytest.approx(5 / 5.6)
        assert step.eta == pytest.approx(5.6)
        assert calls[-1].steps[1].done == 10

    def test_a_short_run_is_told_of_once(self) -> None:
        """One call, at the end, with all the numbers."""
        calls: list[Progress] = []
        assert run(source(3), progress=calls.append) == run(source(3))
        assert [(call.state, call.steps[0].done) for call in calls] == [("done", 3)]

    def test_a_function_is_called_in_the_thread_and_context_of_the_run(self) -> None:
        """It may look at what the steps look at, without a lock."""
        seen = set()

        def look(progress: Progress) -> None:
            seen.add((threading.current_thread(), asyncio.get_running_loop()))

        def produce(x: int) -> dict[str, int]:
            seen.add((threading.current_thread(), asyncio.get_running_loop()))
            return {"y": x}

        run(source(1) >> step("look", produce), progress=look)
        assert len(seen) == 1

    def test_a_slow_function_is_called_less_often(self) -> None:
        """What is told of a run takes a twentieth of its time at most."""
        calls: list[float] = []
        with virtual_time() as run_in:

            def slow(progress: Progress) -> None:
                calls.append(progress.elapsed)
                loop: Any = asyncio.get_running_loop()
                loop.advance(0.1)

            run_in(lambda: arun(slow_flow(10), progress=slow))
        assert calls[:3] == pytest.approx([0.2, 2.3, 4.4], abs=1e-6)

    def test_a_result_is_the_same_with_and_without(self) -> None:
        """Watching changes nothing."""
        flow = slow_flow(3) & slow_flow(2)
        assert virtually(flow, lambda progress: None) == virtually(flow)

    def test_timestamps_and_progress_go_together(self) -> None:
        """Both are read from one meter."""
        calls: list[Progress] = []
        result = run(source(2), timestamps=True, progress=calls.append)
        assert result[0][0]["src"].keys() == {"x", "[start]", "[end]"}
        assert calls[-1].steps[0].done == 2


class TestEnds:
    def test_an_error_of_a_step_is_told_and_raised(self) -> None:
        """The last call says failed, and which step has."""
        calls: list[Progress] = []
        with pytest.raises(ZeroDivisionError):
            virtually(source(1) >> step("fail", fail_later), calls.append)
        assert [call.state for call in calls] == ["running", "running", "failed"]
        assert [(one.step, one.failed) for one in calls[-1].steps] == [("src", 0), ("fail", 1)]

    def test_a_cancelled_run_says_so(self) -> None:
        """As of a time-out: nothing has failed, and nothing is in flight any more."""
        calls: list[Progress] = []

        async def main() -> None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(2.5):
                    await arun(slow_flow(9), progress=calls.append)

        with virtual_time() as run_in:
            run_in(main)
        last = calls[-1]
        assert last.state == "cancelled"
        assert last.elapsed == pytest.approx(2.5, abs=1e-6)
        assert [(one.done, one.in_flight, one.failed) for one in last.steps[1:]] == [(2, 0, 0)]

    @pytest.mark.parametrize("late", [False, True])
    def test_an_error_of_the_function_ends_the_run(self, late: bool) -> None:
        """It is the very object, and says where it comes from; the function is not called again."""
        error = ValueError("full disk")
        calls: list[str] = []

        def write(progress: Progress) -> None:
            calls.append(progress.state)
            if (progress.state == "done") is late:
                raise error

        with pytest.raises(ValueError, match="full disk") as caught:
            virtually(slow_flow(1, 0.5), write)
        assert caught.value is error
        assert "in progress=<function" in "\n".join(error.__notes__)
        assert calls == (["running", "running", "done"] if late else ["running"])

    def test_an_error_of_the_function_does_not_hide_that_of_the_run(self) -> None:
        """The first error is raised, the other one is a note of it."""

        def write(progress: Progress) -> None:
            if progress.state == "failed":
                raise ValueError("full disk")

        with pytest.raises(ZeroDivisionError) as caught:
            virtually(source(1) >> step("fail", fail_later), write)
        assert "another error came up: ValueError('full disk')" in "\n".join(caught.value.__notes__)

    @pytest.mark.parametrize("late", [False, True])
    @pytest.mark.parametrize("kind", [asyncio.CancelledError, StopIteration, StopAsyncIteration])
    def test_no_exception_is_taken_for_the_end(self, kind: type[BaseException], late: bool) -> None:
        """What means something else to asyncio is an error all the same."""

        def stop(progress: Progress) -> None:
            if (progress.state == "done") is late:
                raise kind

        with pytest.raises(RuntimeError, match=f"progress raised {kind.__name__}"):
            virtually(slow_flow(1), stop)

    @pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
    def test_what_ends_python_ends_the_run(self, kind: type[BaseException]) -> None:
        """Raised by the function, it comes out, and the run is cleaned up."""

        def stop(progress: Progress) -> None:
            raise kind

        with pytest.raises(kind):
            run(slow_flow(9), progress=stop)

    def test_a_block_that_ends_well_raises_what_its_last_call_does(self) -> None:
        """Also where nothing ran beside it."""
        with pytest.raises(ZeroDivisionError), reporting(lambda progress: 1 / 0, Scripted()):
            pass


class TestArguments:
    @pytest.mark.parametrize("progress", ["yes", 1, 0, [], {}])
    @pytest.mark.parametrize("entry", [run, lambda *a, **k: asyncio.run(arun(*a, **k))])
    def test_what_is_no_progress_is_refused_before_the_run(
        self, entry: Callable[..., Any], progress: Any
    ) -> None:
        """The message has the value, and what it may be."""
        with pytest.raises(InvalidOptionError, match=r"progress=.*: expected True, False, or a fu"):
            entry(step("src", lambda: pytest.fail("it ran")), progress=progress)

    def test_asynchronous_functions_are_refused(self) -> None:
        """Nobody could await the last call."""

        async def tell(progress: Progress) -> None: ...

        class Teller:
            async def __call__(self, progress: Progress) -> None: ...

        for progress in (tell, Teller(), functools.partial(tell)):
            with pytest.raises(InvalidOptionError, match="expected a plain function, not an async"):
                run(source(1), progress=progress)

    def test_a_function_that_gives_a_coroutine_is_refused_when_it_does(self) -> None:
        """A lambda does not say beforehand that it is asynchronous."""

        async def tell(progress: Progress) -> None: ...

        with pytest.raises(InvalidOptionError, match="expected a plain function, not an async"):
            run(source(1), progress=lambda progress: tell(progress))

    def test_a_function_may_be_empty_as_a_container(self) -> None:
        """What is callable is called, whether it is true or not."""

        class Log(list[Progress]):
            def __call__(self, progress: Progress) -> None:
                self.append(progress)

        log = Log()
        run(source(1), progress=log)
        assert len(log) == 1


class TestCost:
    @pytest.mark.parametrize("progress", [None, False])
    def test_nothing_is_followed_when_it_is_off(self, progress: bool | None) -> None:
        """No display, no task, no meter read."""
        with reporting(progress, Scripted()) as beside:
            assert beside is None

    @pytest.mark.parametrize("progress", [None, False])
    def test_no_meter_is_made_when_it_is_off(
        self, progress: bool | None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A run that nobody watches counts nothing."""
        monkeypatch.setattr(
            "fluxus_rx._monitoring.meter.Meter.__init__", lambda *a: pytest.fail("made")
        )
        run(source(1), progress=progress)

    def test_nothing_of_rich_or_ipython_is_imported_when_it_is_off(self) -> None:
        """Nor for lines, nor for a function."""
        code = (
            "import sys; from fluxus_rx import run, step; flow = step('src', {'x': 1});"
            "run(flow); run(flow, progress=True); run(flow, progress=print);"
            "print(sorted({'rich', 'IPython'} & sys.modules.keys()))"
        )
        ended = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, cwd=ROOT, timeout=50, check=True
        )
        assert ended.stdout.splitlines()[-1] == b"[]"

    def test_one_task_runs_beside_a_run_and_none_after_it(self) -> None:
        """It is part of the run, and ends with it."""
        counts = []

        async def main() -> None:
            def count(progress: Progress) -> None:
                counts.append(len(asyncio.all_tasks()))

            before = len(asyncio.all_tasks())
            await arun(slow_flow(1, 0.5), progress=count)
            assert len(asyncio.all_tasks()) == before == counts[-1]

        with virtual_time() as run_in:
            run_in(main)
        assert len(counts) == 3


def test_an_exit_by_the_function_keeps_what_came_up_as_the_run_ended() -> None:
    """`sys.exit()` in the function ends the run, and an error of its clean-up is a note."""

    async def dirty(x: int) -> AsyncIterator[dict[str, int]]:
        try:
            yield {"y": 1}
            await asyncio.Event().wait()
        finally:
            raise RuntimeError("cleanup failed")

    def leaves(progress: Progress) -> None:
        sys.exit(3)

    with pytest.raises(SystemExit) as caught:
        run(step("src", {"x": 1}) >> step("dirty", dirty), progress=leaves)
    assert "cleanup failed" in "".join(caught.value.__notes__)
