"""What must not break a flow: being ended from outside, and readers that leave early."""

from __future__ import annotations

import asyncio
import gc
import itertools
import signal
import sys
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from contextlib import aclosing
from typing import Any

import pytest

from fluxus_rx import AsyncConsumer, Consumer, RunResult, arun, passthrough, run, step
from tests.support.errors import notes
from tests.support.failing import SHAPES, Journal, feeding, numbers
from tests.support.interrupted import SCRIPTS
from tests.support.subprocesses import python


class Stuck:
    """A flow whose calls wait for ever, and an event that says when the first one does."""

    def __init__(self, shape: str = "step") -> None:
        self.journal = Journal()
        self.begun = asyncio.Event()

        async def source() -> AsyncIterator[dict[str, int]]:
            with self.journal.entry("source"):
                for x in range(100):
                    yield {"x": x}

        async def wait(x: int) -> dict[str, int]:
            with self.journal.entry("call"):
                self.begun.set()
                try:
                    await asyncio.Event().wait()
                finally:
                    await asyncio.sleep(0)
            return {}

        self.flow: Any = (
            step("src", source) >> feeding(shape, True, self.journal) >> step("wait", wait)
        )


class TestCancelling:
    @pytest.mark.parametrize("shape", SHAPES)
    async def test_a_run_that_is_cancelled_cleans_up(self, shape: str) -> None:
        """A cancelled task ends with CancelledError, when every call and generator has ended."""
        stuck = Stuck(shape)
        task = asyncio.create_task(arun(stuck.flow))
        await stuck.begun.wait()

        task.cancel("enough")

        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()
        assert stuck.journal.settled

    async def test_a_run_can_be_cancelled_before_it_begins(self) -> None:
        """A task that is cancelled before its first step runs nothing."""
        stuck = Stuck()
        task = asyncio.create_task(arun(stuck.flow))

        task.cancel()

        with pytest.raises(asyncio.CancelledError):
            await task
        assert stuck.journal.opened == []

    @pytest.mark.parametrize("turns", range(12))
    async def test_a_run_can_be_cancelled_at_any_moment(self, turns: int) -> None:
        """However far a run is, cancelling it closes what it has opened."""
        stuck = Stuck("two groups")
        task = asyncio.create_task(arun(stuck.flow))
        for _ in range(turns):
            await asyncio.sleep(0)

        task.cancel()

        with pytest.raises(asyncio.CancelledError):
            await task
        assert sorted(stuck.journal.opened) == sorted(stuck.journal.closed)

    async def test_cancelling_twice_does_not_cut_the_cleaning_short(self) -> None:
        """A second cancellation while the first is being carried out leaves nothing behind."""
        stuck = Stuck()
        task = asyncio.create_task(arun(stuck.flow))
        await stuck.begun.wait()

        task.cancel()
        await asyncio.sleep(0)
        task.cancel()

        with pytest.raises(asyncio.CancelledError):
            await task
        assert stuck.journal.settled

    async def test_a_timeout_around_a_run_is_a_timeout(self) -> None:
        """`asyncio.timeout` around a run raises TimeoutError, when all is cleaned up."""
        stuck = Stuck("group")

        async def expire(timeout: asyncio.Timeout) -> None:
            await stuck.begun.wait()
            timeout.reschedule(asyncio.get_running_loop().time())

        async def run_with_timeout() -> None:
            async with asyncio.timeout(None) as timeout, asyncio.TaskGroup() as group:
                group.create_task(expire(timeout))
                await arun(stuck.flow)

        with pytest.raises(TimeoutError):
            await run_with_timeout()

        assert stuck.journal.settled
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    async def test_wait_for_is_a_timeout_too(self) -> None:
        """`asyncio.wait_for` with no time at all raises TimeoutError."""
        stuck = Stuck()

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(arun(stuck.flow), 0)

        assert sorted(stuck.journal.opened) == sorted(stuck.journal.closed)

    async def test_a_task_group_ends_its_runs(self) -> None:
        """A failing neighbour in a task group cancels a run."""
        stuck = Stuck()

        async def failing() -> None:
            await stuck.begun.wait()
            raise KeyError("price")

        async def both() -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(arun(stuck.flow))
                group.create_task(failing())

        with pytest.raises(ExceptionGroup):
            await both()

        assert stuck.journal.settled

    async def test_cancelling_one_run_leaves_another_alone(self) -> None:
        """Two runs of a flow do not share their end."""
        go_on = asyncio.Event()
        begun = asyncio.Event()

        async def wait(x: int) -> dict[str, int]:
            begun.set()
            await go_on.wait()
            return {}

        flow = step("src", {"x": 1}) >> step("wait", wait)
        one, other = asyncio.create_task(arun(flow)), asyncio.create_task(arun(flow))
        await begun.wait()
        one.cancel()
        with pytest.raises(asyncio.CancelledError):
            await one
        go_on.set()

        assert await other == RunResult([{"src": {"x": 1}}])

    async def test_a_call_may_be_cancelled_by_its_own_timeout(self) -> None:
        """A time-out in a step is the step's own affair."""

        async def impatient(x: int) -> dict[str, int]:
            try:
                async with asyncio.timeout(0):
                    await asyncio.Event().wait()
            except TimeoutError:
                return {"y": x}
            raise AssertionError("not reached")

        result = await arun(step("src", [{"x": 1}, {"x": 2}]) >> step("s", impatient))

        assert [output["s"] for output in result[0]] == [{"y": 1}, {"y": 2}]

    @pytest.mark.parametrize("shape", SHAPES)
    async def test_a_flow_that_never_suspends_can_be_cancelled(self, shape: str) -> None:
        """An endless flow of synchronous steps yields to the loop, and ends when it is told."""
        journal = Journal()

        begun = asyncio.Event()

        def endless() -> Iterator[dict[str, int]]:
            with journal.entry("source"):
                begun.set()
                for x in itertools.count():
                    yield {"x": x}

        flow = step("src", endless) >> feeding(shape, False, journal) >> step("drop", lambda x: [])
        task = asyncio.create_task(arun(flow))
        await begun.wait()

        task.cancel()

        with pytest.raises(asyncio.CancelledError):
            await task
        assert journal.settled


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT is POSIX")
class TestInterrupting:
    @pytest.mark.parametrize("script", SCRIPTS)
    def test_ctrl_c_ends_a_process_as_python_does(self, script: str) -> None:
        """SIGINT ends the process with KeyboardInterrupt, when what was open is closed."""
        ended = python("-m", "tests.support.interrupted", script, interrupt=1)

        assert ended.code == -signal.SIGINT, ended
        assert "KeyboardInterrupt" in ended.err.splitlines()[-1]
        assert ended.complaints() == [], ended.err
        assert set(ended.out.splitlines()) == {"ready", *SCRIPTS[script][1]}

    def test_a_program_may_catch_the_interrupt_and_go_on(self) -> None:
        """After Ctrl-C has ended a run, the process can start another one."""
        script = """if True:
            import asyncio
            from fluxus_rx import run, step

            async def wait(x):
                print("ready")
                await asyncio.Event().wait()

            try:
                run(step("src", {"x": 1}) >> step("s", wait))
            except KeyboardInterrupt:
                print(run(step("src", {"x": 2}))[0])
        """

        ended = python("-c", script, interrupt=1)

        assert (ended.code, ended.printed()) == (0, [])
        assert ended.out == "ready\n[{'src': {'x': 2}}]\n"

    def test_ctrl_c_ends_a_run_within_a_run(self) -> None:
        """Also if a plain step has begun it, whose loop stands still meanwhile."""
        script = """if True:
            import asyncio
            from fluxus_rx import run, step

            async def wait(x):
                print("ready")
                await asyncio.Event().wait()

            def nested(x):
                return {"y": len(run(step("s", wait), input={"x": x})[0])}

            try:
                run(step("src", {"x": 1}) >> step("nested", nested))
            except KeyboardInterrupt:
                print("over")
        """

        ended = python("-c", script, interrupt=1)

        assert (ended.code, ended.printed(), ended.out) == (0, [], "ready\nover\n")

    def test_a_second_ctrl_c_ends_a_run_whose_clean_up_does_not_end(self) -> None:
        """The first one asks calls to end; when one hangs as it cleans up, the second ends it."""
        script = """if True:
            import asyncio
            from fluxus_rx import run, step

            async def wait(x):
                print("ready")
                try:
                    await asyncio.Event().wait()
                finally:
                    print("ready")
                    await asyncio.Event().wait()

            run(step("src", {"x": 1}) >> step("s", wait))
        """

        ended = python("-c", script, interrupt=2)

        assert ended.code == -signal.SIGINT, ended
        assert "KeyboardInterrupt" in ended.err.splitlines()[-1]
        assert ended.complaints() == [], ended.err


class TestLeaving:
    """A reader that has had enough ends the flow."""

    @pytest.mark.parametrize("asynchronous", [False, True], ids=["sync steps", "async steps"])
    @pytest.mark.parametrize("shape", SHAPES)
    @pytest.mark.parametrize("count", [0, 1, 5])
    def test_leaving_a_for_loop_ends_the_flow(
        self, shape: str, asynchronous: bool, count: int
    ) -> None:
        """After `break` the source is closed, and no call is in flight."""
        journal = Journal()
        flow = numbers(1_000_000, journal) >> feeding(shape, asynchronous, journal)

        for read, _ in enumerate(flow):
            if read == count:
                break
        gc.collect()

        assert journal.settled
        assert len(journal.opened) < 5_000

    @pytest.mark.abandons_generators
    @pytest.mark.parametrize("asynchronous", [False, True], ids=["sync steps", "async steps"])
    @pytest.mark.parametrize("shape", SHAPES)
    async def test_leaving_an_async_for_loop_ends_the_flow(
        self, shape: str, asynchronous: bool
    ) -> None:
        """After `break` the source is closed within a few turns of the loop."""
        journal = Journal()
        flow = numbers(1_000_000, journal) >> feeding(shape, asynchronous, journal)

        async for _ in flow:
            break
        for _ in range(1_000):
            await asyncio.sleep(0)

        assert journal.settled
        assert len(journal.opened) < 5_000

    @pytest.mark.parametrize("shape", SHAPES)
    async def test_closing_an_asynchronous_iterator_ends_the_flow(self, shape: str) -> None:
        """When `aclose()` returns, everything has ended."""
        stuck = Stuck(shape)
        done = numbers(1_000_000, stuck.journal) >> feeding(shape, True, stuck.journal)

        async with aclosing(aiter(done)) as products:
            await anext(products)

        assert stuck.journal.settled

    def test_an_infinite_source_can_be_read_in_part(self) -> None:
        """A flow without end yields what is asked of it."""
        closed: list[bool] = []

        def endless() -> Iterator[dict[str, int]]:
            try:
                for x in itertools.count():
                    yield {"x": x}
            finally:
                closed.append(True)

        async def double(x: int) -> dict[str, int]:
            await asyncio.sleep(0)
            return {"x": 2 * x}

        flow = step("src", endless) >> step("s", double) >> (step("t", double) & passthrough())

        assert len(list(itertools.islice(flow, 1_000))) == 1_000
        gc.collect()
        assert closed == [True]

    def test_an_iterator_that_nobody_starts_opens_nothing(self) -> None:
        """Asking for an iterator reads nothing of the source."""
        journal = Journal()

        iterator = iter(numbers(10, journal))
        del iterator
        gc.collect()

        assert journal.opened == []

    @pytest.mark.parametrize("with_arun", [False, True], ids=["run", "arun"])
    @pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
    @pytest.mark.parametrize("shape", SHAPES)
    def test_a_consumer_may_stop_early(
        self, shape: str, asynchronous: bool, with_arun: bool
    ) -> None:
        """A consumer that returns before the end of an infinite source ends the flow."""
        journal = Journal()

        def endless() -> Iterator[dict[str, int]]:
            with journal.entry("source"):
                for x in itertools.count():
                    yield {"x": x}

        class First(Consumer[Any, int]):
            def consume(self, products: Iterable[tuple[int, Any]]) -> int:
                return sum(1 for _ in itertools.islice(products, 10))

        class AsyncFirst(AsyncConsumer[Any, int]):
            async def aconsume(self, products: AsyncIterable[tuple[int, Any]]) -> int:
                count = 0
                async for _ in products:
                    count += 1
                    if count == 10:
                        break
                return count

        flow: Any = (
            step("src", endless)
            >> feeding(shape, True, journal)
            >> (AsyncFirst() if asynchronous else First())
        )

        assert (asyncio.run(flow.arun()) if with_arun else flow.run()) == 10
        assert journal.settled

    @pytest.mark.parametrize("make", [lambda: KeyError("price"), KeyboardInterrupt, GeneratorExit])
    def test_an_error_in_the_body_of_a_for_loop_ends_the_flow(
        self, make: Callable[[], BaseException]
    ) -> None:
        """An error of the reader goes up, and the flow behind it is closed."""
        error, journal = make(), Journal()

        def read() -> None:
            for _ in numbers(1_000_000, journal) >> feeding("group", True, journal):
                raise error

        with pytest.raises(type(error)) as caught:
            read()

        assert caught.value is error
        caught.value.__traceback__ = None
        del caught
        gc.collect()
        assert journal.settled


def test_a_run_after_a_run_that_was_left_starts_afresh() -> None:
    """A flow whose reader left early can be read from its beginning."""
    flow = numbers(10, Journal())
    for _ in flow:
        break

    assert len(run(flow)[0]) == 10


def test_ctrl_c_keeps_what_came_up_while_the_run_ended() -> None:
    """An error of a step that is told to end by Ctrl-C is a note of the KeyboardInterrupt."""

    async def fails_to_end(x: int) -> dict[str, int]:
        signal.raise_signal(signal.SIGINT)
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("half written")

    with pytest.raises(KeyboardInterrupt) as caught:
        run(step("src", {"x": 1}) >> step("write", fails_to_end))
    assert "half written" in notes(caught.value)
