"""What must not break a flow: where it runs, how often, and how many of it at once."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from fluxus_rx import RunResult, arun, passthrough, run, step
from tests.support.failing import Journal, feeding, numbers
from tests.support.subprocesses import python


async def late(x: int) -> dict[str, int]:
    for _ in range(x % 3):
        await asyncio.sleep(0)
    return {"y": x}


def flow() -> Any:
    source = step("src", [{"x": x} for x in range(50)])
    return source >> (step("late", late) & step("plain", lambda x: {"y": -x}) & passthrough())


EXPECTED = RunResult(
    [{"src": {"x": x}, "late": {"y": x}} for x in range(50)],
    [{"src": {"x": x}, "plain": {"y": -x}} for x in range(50)],
    [{"src": {"x": x}} for x in range(50)],
)


class TestPlaces:
    def test_a_flow_runs_twice(self) -> None:
        """A flow is a description; running it uses nothing up."""
        one = flow()

        assert run(one) == run(one) == EXPECTED

    def test_a_flow_runs_in_any_thread(self) -> None:
        """run() needs no loop and no main thread."""
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(run, flow()).result() == EXPECTED

    def test_one_flow_runs_in_several_threads_at_once(self) -> None:
        """Runs of one flow object in four threads do not touch each other."""
        one, ready = flow(), threading.Barrier(4)

        def together(_: int) -> list[RunResult]:
            ready.wait()
            return [run(one) for _ in range(5)]

        with ThreadPoolExecutor(4) as pool:
            for results in pool.map(together, range(4)):
                assert results == [EXPECTED] * 5

    async def test_run_works_inside_a_running_loop(self) -> None:
        """Under a running loop run() blocks, in a thread of its own, and returns its result."""
        assert run(flow()) == EXPECTED
        assert await arun(flow()) == EXPECTED

    async def test_an_error_inside_a_running_loop_is_the_same_object(self) -> None:
        """The error of a run in a thread of its own is the one that was raised."""
        error = KeyError("price")

        async def failing(x: int) -> dict[str, int]:
            raise error

        with pytest.raises(KeyError) as caught:
            run(step("src", {"x": 1}) >> step("s", failing))

        assert caught.value is error

    async def test_iterating_works_inside_a_running_loop(self) -> None:
        """A plain for loop over a producer works under a running loop too."""
        assert sum(1 for _ in flow()) == 150
        assert sum([1 async for _ in flow()]) == 150

    async def test_leaving_a_for_loop_inside_a_running_loop_ends_the_flow(self) -> None:
        """After `break` the source is closed, in whichever thread it was."""
        journal = Journal()

        for _ in numbers(1_000_000, journal) >> feeding("two groups", True, journal):
            break
        gc.collect()

        assert journal.settled

    def test_a_flow_runs_inside_a_step(self) -> None:
        """A step may run another flow, and wait for it."""
        inner = step("inner", late)

        def outer(x: int) -> dict[str, Any]:
            return {"inner": run(inner, input={"x": x})[0][0]["inner"]}

        result = run(step("src", [{"x": 1}, {"x": 2}]) >> step("outer", outer))

        assert [output["outer"] for output in result[0]] == [
            {"inner": {"y": 1}},
            {"inner": {"y": 2}},
        ]

    def test_a_flow_is_awaited_inside_a_step(self) -> None:
        """An asynchronous step may await another flow, many at a time."""
        inner = step("inner", late)

        async def outer(x: int) -> dict[str, Any]:
            return {"inner": (await arun(inner, input={"x": x}))[0][0]["inner"]["y"]}

        result = run(step("src", [{"x": x} for x in range(100)]) >> step("outer", outer))

        assert [output["outer"]["inner"] for output in result[0]] == list(range(100))

    def test_a_flow_runs_inside_itself(self) -> None:
        """A flow may run itself in one of its steps, as far as it likes."""

        async def down(x: int) -> dict[str, int]:
            return {
                "depth": 0
                if x == 0
                else 1 + (await arun(one, input={"x": x - 1}))[0][0]["s"]["depth"]
            }

        one = step("s", down)

        assert run(one, input={"x": 20})[0][0]["s"] == {"depth": 20}

    async def test_runs_side_by_side_share_a_loop(self) -> None:
        """Many runs of one flow on one loop return one result each."""
        one = flow()

        assert await asyncio.gather(*(arun(one) for _ in range(20))) == [EXPECTED] * 20

    async def test_a_limit_is_for_each_run(self) -> None:
        """Two runs at once have a limit each; a run that waits does not hold up another."""
        first, second = asyncio.Event(), asyncio.Event()
        events = [first, second]

        async def wait(x: int) -> dict[str, int]:
            events[x].set()
            await first.wait()
            await second.wait()
            return {}

        one = step("wait", wait).options(concurrency=1)

        results = await asyncio.gather(*(arun(one, input={"x": x}) for x in (0, 1)))

        assert [len(result[0]) for result in results] == [1, 1]

    def test_a_loop_of_the_callers_own_stays_as_it_was(self) -> None:
        """run() neither closes nor replaces a loop that the caller has made and not started."""
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        try:
            run(flow())
            assert loop.run_until_complete(arun(flow())) == EXPECTED
        finally:
            asyncio.set_event_loop(None)
            loop.close()


class TestUvloop:
    """The same on uvloop."""

    @staticmethod
    def run_on_uvloop(main: Any) -> Any:
        uvloop = pytest.importorskip("uvloop")
        with asyncio.Runner(loop_factory=uvloop.new_event_loop, debug=True) as runner:
            return runner.run(main)

    def test_a_flow_runs_on_uvloop(self) -> None:
        """arun() takes the loop that it finds."""
        pytest.importorskip("uvloop")

        assert self.run_on_uvloop(arun(flow())) == EXPECTED

    @pytest.mark.parametrize("shape", ["step", "group", "two groups"])
    def test_an_error_on_uvloop_is_raised(self, shape: str) -> None:
        """An error ends a run on uvloop as it does elsewhere."""
        pytest.importorskip("uvloop")
        error, journal = KeyError("price"), Journal()

        async def failing(x: int) -> dict[str, int]:
            if x > 10:
                raise error
            return {}

        one = numbers(1_000, journal) >> feeding(shape, True, journal) >> step("s", failing)

        with pytest.raises(KeyError) as caught:
            self.run_on_uvloop(arun(one))

        assert caught.value is error
        assert journal.settled

    def test_a_run_on_uvloop_can_be_cancelled(self) -> None:
        """Cancelling on uvloop cleans up."""
        pytest.importorskip("uvloop")
        journal = Journal()

        async def main() -> None:
            begun = asyncio.Event()

            async def wait(x: int) -> dict[str, int]:
                begun.set()
                await asyncio.Event().wait()
                return {}

            one = numbers(1_000, journal) >> feeding("group", True, journal) >> step("s", wait)
            task = asyncio.create_task(arun(one))
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        self.run_on_uvloop(main())

        assert journal.settled

    def test_run_works_inside_a_loop_of_uvloop(self) -> None:
        """run() under a running uvloop returns its result."""
        pytest.importorskip("uvloop")

        async def main() -> RunResult:
            return run(flow())

        assert self.run_on_uvloop(main()) == EXPECTED


class TestSilence:
    """In a process in development mode nothing is printed that nobody asked for."""

    @pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
    def test_no_ending_leaves_anything_to_the_garbage_collector(self, loop: str) -> None:
        """Errors, cancellations and early exits of all kinds leave nothing on stderr."""
        if loop == "uvloop":
            pytest.importorskip("uvloop")

        ended = python("-m", "tests.support.endings", loop)

        assert ended.printed() == []
        assert ended.code == 0
        assert "all endings" in ended.out

    @pytest.mark.skipif(sys.platform == "win32", reason="POSIX")
    def test_an_error_ends_a_process_as_python_does(self) -> None:
        """An error that nobody catches is printed with its notes, and the exit code is 1."""
        script = """if True:
            from fluxus_rx import run, step

            def failing(x):
                raise KeyError("price")

            run(step("src", {"x": 3}) >> step("s", failing))
        """

        ended = python("-c", script)

        assert ended.code == 1
        assert "KeyError: 'price'\\nin step 's'" in ended.err or "in step 's'" in ended.err
        assert ended.complaints() == []

    @pytest.mark.parametrize(("code", "status"), [("3", 3), ("", 0), ("'text'", 1)])
    def test_sys_exit_in_a_step_ends_the_process(self, code: str, status: int) -> None:
        """SystemExit from a step is the exit of the process."""
        script = f"""if True:
            import sys
            from fluxus_rx import run, step

            async def leaving(x):
                sys.exit({code})

            run(step("src", [{{"x": x}} for x in range(10)]) >> step("s", leaving))
            print("not reached")
        """

        ended = python("-c", script)

        assert (ended.code, ended.out) == (status, "")
        assert ended.complaints() == []
