"""A run that is started goes on by itself, and tells how it ends."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from reactivex.subject import Subject

from fluxus_rx import (
    FailureLimitError,
    FlowError,
    Run,
    StepOptions,
    UsageError,
    passthrough,
    run,
    start,
    step,
)
from tests.support.errors import notes, refused, untyped
from tests.support.failing import Journal
from tests.support.probes import alone, turns, until
from tests.support.subprocesses import python


def source(n: int = 3) -> Any:
    return step("src", [{"x": x} for x in range(n)])


class Gate:
    """A step `held` whose calls wait until the gate is open, and a journal of them."""

    def __init__(self) -> None:
        self.journal = Journal()
        self.opened = asyncio.Event()

    async def call(self, x: int) -> dict[str, int]:
        with self.journal.entry("call"):
            await self.opened.wait()
            return {"y": x}

    @property
    def step(self) -> Any:
        return step("held", self.call)


def numbers(result: Any, path: int = 0) -> list[int]:
    """What a source emitted, as it is in the result."""
    return sorted(output["src"]["x"] for output in result[path])


async def fails(x: int) -> dict[str, int]:
    await asyncio.sleep(0)
    raise ZeroDivisionError(x)


def noting(calls: list[int]) -> Any:
    """A function that notes what it is called with."""

    def call(x: int) -> dict[str, int]:
        calls.append(x)
        return {}

    return call


async def ended(run: Run) -> None:
    """Wait until a run is over, without asking for its result."""
    await until(lambda: run.state in ("done", "failed", "cancelled"))
    await turns(2)


def heard() -> list[dict[str, Any]]:
    """What the loop's exception handler gets from now on."""
    contexts: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: contexts.append(context))
    return contexts


class TestResult:
    async def test_is_that_of_run(self) -> None:
        """A run that is started returns what run() returns, path by path."""
        flow = source() >> (step("a", lambda x: {"y": x}) & passthrough())
        result = await start(flow).result()
        assert list(result) == list(run(flow))

    async def test_may_be_asked_for_many_times(self) -> None:
        """Each time it is the very object, also long after the run has ended."""
        started = start(source())
        first = await started.result()
        assert await started.result() is first
        await turns()
        assert await started.result() is first
        assert await started.drain() is first

    async def test_goes_to_all_tasks_that_wait(self) -> None:
        """Several tasks may wait for it at once."""
        gate = Gate()
        started = start(source() >> gate.step)
        waiting = [asyncio.create_task(started.result()) for _ in range(5)]
        await turns()
        assert not any(task.done() for task in waiting)
        gate.opened.set()
        results = await asyncio.gather(*waiting)
        assert {id(result) for result in results} == {id(await started.result())}
        assert alone()

    async def test_raises_the_error_that_ended_the_run_each_time(self) -> None:
        """The error is the object that the step raised, with notes, for every task that asks."""
        error = ZeroDivisionError("by zero")

        async def fail(x: int) -> dict[str, int]:
            raise error

        started = start(source() >> step("f", fail))
        asking = [started.result() for _ in range(3)]
        outcomes = await asyncio.gather(*asking, return_exceptions=True)
        for _ in range(2):
            with pytest.raises(ZeroDivisionError) as caught:
                await started.result()
            assert caught.value is error
        assert outcomes == [error] * 3
        assert notes(error).count("in step 'f'") == 1
        assert started.state == "failed"

    async def test_of_a_cancelled_run_is_a_cancelled_error(self) -> None:
        """A task that waits for a run that another one cancels gets CancelledError."""
        started = start(source() >> Gate().step)
        waiting = asyncio.create_task(started.result())
        await turns()
        await started.cancel()
        for asking in (waiting, started.result()):
            with pytest.raises(asyncio.CancelledError):
                await asking
        assert started.state == "cancelled"

    async def test_a_waiter_that_is_cancelled_leaves_the_run_alone(self) -> None:
        """The run goes on, and the next one to ask gets the result."""
        gate = Gate()
        started = start(source() >> gate.step)
        waiting = asyncio.create_task(started.result())
        other = asyncio.create_task(started.result())
        await turns()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert started.state == "running"
        gate.opened.set()
        assert numbers(await other) == numbers(await started.result()) == [0, 1, 2]

    async def test_a_waiter_that_was_cancelled_does_not_swallow_the_error(self) -> None:
        """If the only one who asked has left, the error goes to the loop's exception handler."""
        contexts = heard()
        gate = Gate()
        started = start(source() >> gate.step >> step("f", fails))
        waiting = asyncio.create_task(started.result())
        await turns()
        waiting.cancel()
        await asyncio.wait([waiting])
        gate.opened.set()
        await ended(started)
        del started, waiting
        gc.collect()
        assert [type(context["exception"]) for context in contexts] == [ZeroDivisionError]

    async def test_takes_what_run_takes(self) -> None:
        """Arguments are those of run(): input, options, failures, times."""
        started = start(
            step("f", fails),
            input=[{"x": 1}, {"x": 2}],
            options=StepOptions(on_error="collect"),
            timestamps=True,
        )
        result = await started.result()
        assert len(result.failures) == 2
        assert "f" in str(result.summary())
        assert started.stats().failures == 2

    async def test_may_be_a_failure_limit(self) -> None:
        """With more failures than allowed, result() raises FailureLimitError with all there is."""
        flow = source(9) >> step("f", fails).options(on_error="collect")
        started = start(flow, max_failures=1)
        with pytest.raises(FailureLimitError) as caught:
            await started.result()
        assert len(caught.value.failures) >= 2
        assert started.state == "failed"


#: Starts a run in a process that has started none, and prints which parts of the library are loaded
#: while it goes on.
FIRST_RUN = """
import asyncio, sys
from fluxus_rx import passthrough, start, step

def named():
    return {name for name in sys.modules if name.startswith("fluxus_rx")}

async def half(x):
    await asyncio.sleep(0)
    return {"half": x / 2}

async def main():
    source = step("src", [{"x": 1}, {"x": 2}])
    plain = step("double", lambda x: {"double": 2 * x})
    run = start(source >> (step("half", half) & plain & passthrough()))
    before = named()
    await run.result()
    print(run.explain().stats.state, sorted(named() - before))

asyncio.run(main())
"""


class TestStart:
    def test_loads_what_the_run_is_told_by_before_its_time_begins(self) -> None:
        """In the first run of a process, too: else that would count as work of its loop."""
        ended = python("-c", FIRST_RUN)
        assert (ended.code, ended.out.strip(), ended.printed()) == (0, "done []", [])

    def test_needs_a_loop(self) -> None:
        """Outside of a coroutine it is refused, and the message tells what to do."""
        with refused(UsageError, "start()", "asyncio.run(main())", "run(flow)"):
            start(source())
        with pytest.raises(RuntimeError):
            start(source())

    @pytest.mark.parametrize(
        ("flow", "arguments", "parts"),
        [
            ("src", {}, ["'src'"]),
            (None, {}, ["None"]),
            (passthrough(), {}, ["passthrough"]),
            ((source(),), {}, ["comma"]),
            (source(), {"input": [{"x": 1}]}, ["input", "'src'"]),
            (step("f", fails), {"input": 3}, ["input", "3"]),
            (source(), {"progress": 3}, ["progress", "3"]),
            (source(), {"options": {"concurrency": 3}}, ["options", "StepOptions"]),
            (source(), {"max_failures": -1}, ["max_failures", "-1"]),
            (source(), {"max_failures": True}, ["max_failures", "True"]),
        ],
    )
    async def test_refuses_bad_arguments_at_once(
        self, flow: Any, arguments: dict[str, Any], parts: list[str]
    ) -> None:
        """What is refused is refused by the call, before anything runs; no task is left."""
        with refused(FlowError, *parts):
            start(untyped(flow), **arguments)
        assert alone()

    async def test_runs_nothing_before_the_next_turn(self) -> None:
        """The caller goes on first; the run begins when the loop gets to it."""
        calls: list[int] = []
        started = start(source() >> step("f", noting(calls)))
        assert (calls, started.state) == ([], "running")
        await started.result()
        assert calls == [0, 1, 2]

    async def test_goes_on_when_its_handle_is_dropped(self) -> None:
        """A run needs nobody to hold it."""
        gate = Gate()
        start(source() >> gate.step)
        await turns()
        gc.collect()
        gate.opened.set()
        await until(lambda: gate.journal.settled and len(gate.journal.closed) == 3)
        await until(alone)

    async def test_an_error_nobody_asks_for_goes_to_the_loop(self) -> None:
        """The loop's exception handler gets the error of a run whose handle was dropped."""
        contexts = heard()
        start(source() >> step("f", fails))
        await until(alone)
        await turns(2)
        gc.collect()
        assert [type(context["exception"]) for context in contexts] == [ZeroDivisionError]

    async def test_an_error_that_somebody_got_is_not_told_again(self) -> None:
        """Once result() has raised it, the exception handler hears nothing."""
        contexts = heard()
        started = start(source() >> step("f", fails))
        with pytest.raises(ZeroDivisionError):
            await started.result()
        del started
        gc.collect()
        await turns()
        assert contexts == []

    async def test_two_runs_of_one_flow_go_on_side_by_side(self) -> None:
        """Each run has its calls, its numbers and its end."""
        gate = Gate()
        flow = source() >> gate.step
        first, second = start(flow), start(flow)
        await until(lambda: len(gate.journal.opened) == 6)
        await first.cancel()
        assert second.stats()["held"].in_flight == 3
        gate.opened.set()
        assert numbers(await second.result()) == [0, 1, 2]
        assert first.stats()["held"].done == 0


class TestChangedResult:
    @pytest.mark.parametrize("change", ["delete", "clear", "pop"])
    @pytest.mark.parametrize(
        "flow", [source(), source() >> (step("f", lambda x: {"y": x}) & passthrough())]
    )
    async def test_is_nothing_to_a_later_reader(self, flow: Any, change: str) -> None:
        """The reader of a run that is over gets its outputs as they were."""
        started = start(flow)
        result = await started.result()
        expected = [dict(output) for path in result for output in path]
        outputs: Any = result[0]
        if change == "delete":
            del outputs[0]
        else:
            getattr(outputs[0], change)(*(["src"] if change == "pop" else []))
        read = [output async for _, output in started]
        assert sorted(map(str, read)) == sorted(map(str, expected))


class TestBlock:
    async def test_cancels_a_run_that_goes_on(self) -> None:
        """At the end of the block all calls are cancelled and over."""
        gate = Gate()
        async with start(source() >> gate.step) as started:
            await until(lambda: len(gate.journal.opened) == 3)
        assert gate.journal.settled
        assert started.state == "cancelled"
        assert alone()

    async def test_leaves_a_run_that_is_over(self) -> None:
        """A run that has ended in the block stays what it was."""
        async with start(source()) as started:
            result = await started.result()
        assert started.state == "done"
        assert await started.result() is result

    async def test_lets_an_error_of_the_block_out(self) -> None:
        """The run is cancelled first."""
        gate = Gate()
        started = start(source() >> gate.step)

        async def block() -> None:
            async with started:
                await until(lambda: len(gate.journal.opened) == 3)
                raise KeyError

        with pytest.raises(KeyError):
            await block()
        assert started.state == "cancelled"
        assert gate.journal.settled

    async def test_an_error_of_the_run_that_nobody_asked_for_goes_to_the_loop(self) -> None:
        """The block doesn't raise what result() was never asked for; nor is it lost."""
        contexts = heard()
        async with start(source() >> step("f", fails)) as started:
            await ended(started)
        assert started.state == "failed"
        del started
        gc.collect()
        assert [type(context["exception"]) for context in contexts] == [ZeroDivisionError]

    async def test_may_be_empty(self) -> None:
        """That isn't a mistake: the run is cancelled as soon as it has begun."""
        async with start(step("never", Subject()) >> step("f", noting([]))) as started:
            pass
        assert started.state == "cancelled"
        with pytest.raises(asyncio.CancelledError):
            await started.result()


class TestCancel:
    @pytest.mark.parametrize("steps", [0, 1, 2, 5, 60])
    async def test_ends_calls_and_generators(self, steps: int) -> None:
        """At whatever time it comes, all that was opened is closed when it returns."""
        journal = Journal()

        async def rows() -> AsyncIterator[dict[str, int]]:
            with journal.entry("rows"):
                for x in range(1000):
                    yield {"x": x}
                    await asyncio.sleep(0)

        def many(x: int) -> Iterator[dict[str, int]]:
            with journal.entry("many"):
                yield {"y": x}
                yield {"y": x}

        async def slow(y: int) -> dict[str, int]:
            with journal.entry("slow"):
                await asyncio.sleep(1000)
                return {}

        started = start(step("src", rows) >> step("many", many) >> step("slow", slow))
        await turns(steps)
        await started.cancel()
        assert sorted(journal.opened) == sorted(journal.closed)
        assert bool(journal.opened) == bool(steps) or steps < 5
        assert started.state == "cancelled"
        assert alone()

    async def test_twice_and_from_several_tasks_waits_for_the_same_end(self) -> None:
        """All who cancel wait until the clean-up is over, which runs once and to its end."""
        cleaned: list[int] = []

        async def slow(x: int) -> dict[str, int]:
            try:
                await asyncio.sleep(1000)
                return {}
            finally:
                await turns(20)
                cleaned.append(x)

        started = start(source() >> step("slow", slow))
        await turns()

        async def cancel(later: int) -> list[int]:
            await turns(later)
            await started.cancel()
            return [*cleaned]

        seen = await asyncio.gather(*map(cancel, (0, 0, 3, 8)))
        assert [sorted(one) for one in seen] == [[0, 1, 2]] * 4
        await started.cancel()
        assert started.state == "cancelled"

    async def test_does_nothing_once_the_run_is_over(self) -> None:
        """Neither a result nor an error is lost by it, nor raised by it."""
        good, bad = start(source()), start(source() >> step("f", fails))
        await ended(good)
        await ended(bad)
        for started in (good, bad):
            await started.cancel()
            await started.cancel()
        assert (good.state, bad.state) == ("done", "failed")
        assert numbers(await good.result()) == [0, 1, 2]
        with pytest.raises(ZeroDivisionError):
            await bad.result()

    @pytest.mark.parametrize("where", ["call", "generator", "source"])
    async def test_raises_an_error_of_the_clean_up(self, where: str) -> None:
        """What comes up while calls and generators are closed is raised, there and by result()."""
        error = LookupError("in clean-up")

        def failing(place: str) -> None:
            if place == where:
                raise error

        async def rows() -> AsyncIterator[dict[str, int]]:
            try:
                yield {"x": 1}
                await asyncio.sleep(1000)
            finally:
                failing("source")

        async def call(x: int) -> AsyncIterator[dict[str, int]]:
            try:
                yield {"y": 1}
                await asyncio.sleep(1000)
            finally:
                failing("generator")

        async def slow(y: int) -> dict[str, int]:
            try:
                await asyncio.sleep(1000)
                return {}
            finally:
                failing("call")

        started = start(step("src", rows) >> step("g", call) >> step("slow", slow))
        await turns()
        with pytest.raises(LookupError) as caught:
            await started.cancel()
        assert caught.value is error
        assert started.state == "failed"
        with pytest.raises(LookupError):
            await started.result()
        await started.cancel()

    async def test_may_come_from_a_step_of_the_run(self) -> None:
        """A call that cancels its own run is cancelled itself."""
        handle: list[Run] = []
        after: list[int] = []

        async def leave(x: int) -> dict[str, int]:
            await handle[0].cancel()
            after.append(x)
            return {}

        handle.append(start(source() >> step("leave", leave)))
        with pytest.raises(asyncio.CancelledError):
            await handle[0].result()
        assert (handle[0].state, after) == ("cancelled", [])


class TestState:
    async def test_tells_each_phase(self) -> None:
        """A run is running, paused, running, draining and done; its repr says the same."""
        gate = Gate()
        started = start(source() >> gate.step)
        seen = [started.state]
        await turns()
        seen.append(started.state)
        started.pause()
        seen.append(started.state)
        assert repr(started) == "<Run paused: 3 calls done, 3 in flight>"
        started.resume()
        seen.append(started.state)
        draining = asyncio.create_task(started.drain())
        await turns()
        seen.append(started.state)
        gate.opened.set()
        await draining
        seen.append(started.state)
        assert seen == ["running", "running", "paused", "running", "draining", "done"]
        assert repr(started) == "<Run done: 6 calls done>"

    async def test_is_the_same_in_stats(self) -> None:
        """stats() has the state of its moment."""
        gate = Gate()
        started = start(source() >> gate.step)
        await turns()
        before = started.stats()
        await started.cancel()
        assert (before.state, started.stats().state) == ("running", "cancelled")

    @pytest.mark.parametrize("phase", ["pause", "resume"])
    async def test_stays_once_the_run_is_over(self, phase: str) -> None:
        """pause() and resume() do nothing then."""
        started = start(source())
        await started.result()
        getattr(started, phase)()
        assert started.state == "done"

    async def test_of_a_run_that_fails_while_it_is_paused_is_failed(self) -> None:
        """A call that is in flight may still end the run."""
        gate = Gate()

        async def fail(x: int) -> dict[str, int]:
            await gate.call(x)
            raise ZeroDivisionError

        started = start(source() >> step("f", fail))
        await turns()
        started.pause()
        gate.opened.set()
        with pytest.raises(ZeroDivisionError):
            await started.result()
        assert started.state == "failed"
        started.resume()
        assert started.state == "failed"
