"""Calls of `asyncio.to_thread` in a run: they keep neither the run waiting for good, nor Python."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from fluxus_rx import run, step
from fluxus_rx._loops.loop_threads import LoopThreads
from fluxus_rx.testing import run_virtual, virtual_time
from tests.support.probes import until
from tests.support.scripted_calls import numbers, ys
from tests.support.subprocesses import python

LOGGER = "fluxus_rx._loops.loop_threads"


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What a call in a thread waits for; opened at the end of the test."""
    event = threading.Event()
    yield event
    event.set()


class Hanging:
    """A call that hangs, for as long as the test lasts."""

    def __init__(self, gate: threading.Event) -> None:
        self.gate = gate
        self.begun = threading.Event()

    def __call__(self) -> str:
        self.begun.set()
        self.gate.wait(30)
        return "late"


async def hang(gate: threading.Event) -> str:
    """Such a call in a thread, awaited once it hangs there."""
    call = Hanging(gate)
    hanging = asyncio.ensure_future(asyncio.to_thread(call))
    await until(call.begun.is_set)
    return await hanging


class TestLeftCalls:
    def test_a_run_ends_though_calls_hang(
        self, gate: threading.Event, caplog: pytest.LogCaptureFixture
    ) -> None:
        """It says so in one line of the log, and returns all other results."""

        async def resolve(x: int) -> dict[str, str]:
            return {"y": await hang(gate) if x < 2 else "in time"}

        flow = numbers(4) >> step("s", resolve).options(timeout=5, on_error="collect")
        with virtual_time(patience=0.02), caplog.at_level(logging.WARNING, "fluxus_rx"):
            result = run(flow)
        assert ys(result) == ["in time"] * 2
        assert [type(failure.exception) for failure in result.failures] == [TimeoutError] * 2
        assert [record.name for record in caplog.records] == [LOGGER]
        assert caplog.records[0].getMessage().startswith("2 calls of asyncio.to_thread() or")
        assert "still ran 5 s after the run ended" in caplog.text

    def test_one_that_ends_meanwhile_is_waited_for(
        self, gate: threading.Event, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Nothing is left behind, and nothing told."""
        over: list[str] = []
        call = Hanging(gate)

        async def leave() -> list[Any]:
            loop = asyncio.get_running_loop()
            working = loop.run_in_executor(None, lambda: over.append(call()))
            await until(call.begun.is_set)
            working.cancel()
            gate.set()
            return []

        with caplog.at_level(logging.WARNING, "fluxus_rx"):
            run(step("leave", leave))
        assert over == ["late"]
        assert caplog.records == []

    def test_python_does_not_wait_for_them_at_its_exit(self) -> None:
        """The threads are daemons."""
        assert python("-c", EXITING) == (0, "left\n", "")


EXITING = """
import asyncio, threading
from fluxus_rx import run, step
from fluxus_rx.testing import virtual_time

async def leave():
    try:
        await asyncio.wait_for(asyncio.to_thread(threading.Event().wait), 0.01)
    except TimeoutError:
        print("left")
    return []

with virtual_time(patience=0.01):
    import logging
    logging.getLogger("fluxus_rx").addHandler(logging.NullHandler())
    run(step("leave", leave))
"""


class TestThreads:
    """As those of asyncio's own default executor."""

    async def calling(self, threads: LoopThreads, *calls: Any) -> list[Any]:
        loop = asyncio.get_running_loop()
        running = [loop.run_in_executor(threads, call) for call in calls]
        return await asyncio.gather(*running, return_exceptions=True)

    async def test_they_give_what_a_call_gives_or_raises(self) -> None:
        """The very objects."""
        threads, error = LoopThreads(), ValueError("no")

        def fail() -> None:
            raise error

        assert await self.calling(threads, list, fail, dict) == [[], error, {}]
        await threads.settle()

    async def test_no_more_are_at_work_than_asyncio_has(self, gate: threading.Event) -> None:
        """Further calls wait for one that is idle."""
        threads, counts, lock = LoopThreads(), [0, 0], threading.Lock()

        def count() -> None:
            with lock:
                counts[0] += 1
                counts[1] = max(counts)
                if counts[0] == threads._most:
                    gate.set()
            gate.wait(30)
            with lock:
                counts[0] -= 1

        await self.calling(threads, *[count] * 3 * threads._most)
        assert counts == [0, threads._most]
        await threads.settle()

    async def test_a_call_that_waits_can_be_cancelled(self, gate: threading.Event) -> None:
        """It is never begun."""
        threads, begun = LoopThreads(), list[int]()
        hanging = [threads.submit(Hanging(gate)) for _ in range(threads._most)]
        waiting = threads.submit(begun.append, 1)
        assert waiting.cancel()
        gate.set()
        await threads.settle()
        assert [call.result() for call in hanging] == ["late"] * len(hanging)
        assert begun == []

    async def test_idle_ones_end_with_the_run_and_new_ones_come_with_the_next(self) -> None:
        """No thread is left between two runs."""
        threads, used = LoopThreads(), set[threading.Thread]()
        for _ in range(2):
            await self.calling(threads, lambda: used.add(threading.current_thread()))
            await threads.settle()
            for thread in used:
                thread.join(20)
                assert not thread.is_alive()
        assert len(used) == 2
        assert all(thread.daemon for thread in used)

    def test_a_call_that_hangs_is_waited_for_once(
        self, gate: threading.Event, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The runs after the one that has told of it end at once."""
        call = Hanging(gate)

        async def main() -> tuple[float, float]:
            threads, loop = LoopThreads(), asyncio.get_running_loop()
            threads.submit(call)
            call.begun.wait(20)
            await threads.settle()
            first = loop.time()
            await threads.settle()
            return first, loop.time()

        assert run_virtual(main, patience=0.02) == (5.0, 5.0)
        assert len(caplog.records) == 1

    def test_a_thread_ends_that_gets_to_its_call_when_that_is_cancelled_and_all_are_settled(
        self,
    ) -> None:
        """It was told to end, as idle threads are, before it looked for its call."""
        threads = LoopThreads()
        before = {*threading.enumerate()}
        with threads._changed:  # the thread that is hired has to wait
            call = threads.submit(int)
            (hired,) = {*threading.enumerate()} - before
            assert call.cancel()
            asyncio.run(threads.settle())
        hired.join(20)
        assert not hired.is_alive()
        assert threads.are_gone

    def test_after_the_shutdown_there_are_no_more_calls(self, gate: threading.Event) -> None:
        """Those that wait can be cancelled with it."""
        threads, call = LoopThreads(), Hanging(gate)
        first = threads.submit(call)
        call.begun.wait(20)
        others = [threads.submit(call) for _ in range(threads._most)]
        threads.shutdown(cancel_futures=True)
        gate.set()
        assert first.result(20) == "late"
        assert others[-1].cancelled()
        with pytest.raises(RuntimeError, match="after shutdown"):
            threads.submit(call)

    def test_a_call_that_is_cancelled_under_way_gives_its_place_to_another_thread(
        self, gate: threading.Event
    ) -> None:
        """Calls that hang keep no other waiting, however many there are."""
        threads = LoopThreads()
        calls = [Hanging(gate) for _ in range(threads._most + 2)]
        for call in calls:
            hanging = threads.submit(call)
            assert call.begun.wait(20)
            assert not hanging.cancel()
        assert threads.submit(str, "in time").result(20) == "in time"
        threads.shutdown()
