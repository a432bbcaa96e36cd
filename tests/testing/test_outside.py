"""Virtual time and what is outside of its loop: threads, executors, sockets; and a loop that
nothing will ever wake."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import reactivex
from reactivex import operators as ops

from fluxus_rx import Consumer, arun, step
from fluxus_rx.testing import DeadlockError, VirtualTimeLoop, run_virtual

Row = dict[str, int]


def rows(*values: int) -> Any:
    """A source of rows that are there already."""
    return step("src", [{"x": value} for value in values])


def now() -> float:
    return asyncio.get_running_loop().time()


class TestThreads:
    """Time doesn't jump over what is done elsewhere."""

    def test_a_call_in_a_thread_takes_no_virtual_time(self) -> None:
        """Of `asyncio.to_thread`, and of a step with an executor: no time-out comes before it."""

        def work(x: int = 1) -> Row:
            time.sleep(0.02)
            return {"y": x}

        async def main() -> float:
            async with asyncio.timeout(1):
                assert await asyncio.to_thread(work) == {"y": 1}
            flow = rows(1, 2) >> step("work", work).options(executor="thread", timeout=1)
            result = await arun(flow)
            assert [output["work"]["y"] for output in result[0]] == [1, 2]
            return now()

        assert run_virtual(main()) == 0

    def test_a_call_that_hangs_is_jumped_over_after_a_while(self) -> None:
        """Of patience, in real time; else a time-out of an hour would take an hour."""
        gate = threading.Event()

        async def main() -> float:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(3600):
                    await asyncio.to_thread(gate.wait)
            gate.set()
            return now()

        assert run_virtual(main(), patience=0.01) == 3600

    def test_time_passes_for_a_thread_that_waits_for_the_loop(self) -> None:
        """As that of a synchronous consumer does, which reads what takes its time to come."""

        class Last(Consumer[Any, int]):
            def consume(self, products: Any) -> int:
                last: int = [product["x"] for _, product in products][-1]
                return last

        async def slow(x: int) -> int:
            await asyncio.sleep(3600)
            return x

        async def main() -> float:
            loop = asyncio.get_running_loop()

            def in_thread() -> int:
                return asyncio.run_coroutine_threadsafe(slow(7), loop).result()

            assert await asyncio.to_thread(in_thread) == 7
            source = reactivex.interval(3600).pipe(ops.take(3), ops.map(lambda x: {"x": x}))
            assert await (step("src", source) >> Last()).arun() == 2
            return now()

        begun = time.monotonic()
        assert run_virtual(main()) == 4 * 3600
        assert time.monotonic() - begun < 5

    def test_a_thread_can_wake_the_loop(self) -> None:
        """Also one that the loop knows nothing of, if there is nothing else to wait for."""

        async def main() -> str:
            loop = asyncio.get_running_loop()
            future = loop.create_future()

            def emit() -> None:
                time.sleep(0.02)
                loop.call_soon_threadsafe(future.set_result, "sent")

            thread = threading.Thread(target=emit)
            thread.start()
            try:
                given: str = await future
            finally:
                thread.join()
            return given

        assert run_virtual(main()) == "sent"

    def test_sockets_work(self) -> None:
        """A client and a server on loopback, with a time-out that does not come."""

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write((await reader.readline()).upper())
            await asyncio.sleep(5)
            writer.close()

        async def main() -> tuple[bytes, float]:
            server = await asyncio.start_server(serve, "127.0.0.1", 0)
            async with server, asyncio.timeout(60):
                port = server.sockets[0].getsockname()[1]
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"hello\n")
                answer = await reader.read()
                writer.close()
                await writer.wait_closed()
                return answer, now()

        assert run_virtual(main()) == (b"HELLO\n", 5)

    def test_an_executor_of_the_users_counts_as_well(self) -> None:
        """Whichever it is."""

        async def main() -> float:
            loop = asyncio.get_running_loop()
            with ThreadPoolExecutor(1) as executor:
                call = loop.run_in_executor(executor, time.sleep, 0.02)
                async with asyncio.timeout(1):
                    await call
            return now()

        assert run_virtual(main()) == 0


class TestDeadlocks:
    def test_nothing_to_wait_for_is_an_error(self) -> None:
        """It names the tasks that wait, and where, from the outermost call to the innermost."""
        cleaned: list[str] = []

        async def reads(queue: asyncio.Queue[int]) -> int:
            try:
                return await queue.get()
            finally:
                cleaned.append("reads")

        async def main() -> None:
            await asyncio.sleep(3)
            task = asyncio.create_task(reads(asyncio.Queue()), name="reader")
            await task

        with pytest.raises(DeadlockError) as caught:
            run_virtual(main())
        assert isinstance(caught.value, AssertionError)
        head, *tasks = str(caught.value).splitlines()
        assert head == "nothing is left to wait for at 3 s of virtual time, but 2 tasks wait:"
        (reader,) = [line for line in tasks if "reader" in line]
        assert "reads (test_outside.py:" in reader
        assert " > Queue.get (queues.py:" in reader
        assert cleaned == ["reads"]

    def test_what_goes_wrong_in_cleaning_up_is_a_note(self) -> None:
        """The deadlock is the error that is raised."""

        async def main() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                raise OSError("late")

        with pytest.raises(DeadlockError) as caught:
            run_virtual(main())
        assert "late" in "".join(caught.value.__notes__)

    def test_a_flow_that_never_ends_is_one(self) -> None:
        """It is cancelled, and cleaned up."""
        rows = reactivex.timer(1).pipe(ops.map(lambda _: {"x": 1}), ops.concat(reactivex.never()))
        with pytest.raises(DeadlockError, match="1 s of virtual time"):
            run_virtual(arun(step("src", rows)))

    def test_one_in_cancelling_is_told_as_well(self) -> None:
        """Rather than that it hangs."""

        async def stubborn() -> None:
            while True:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    if now() > 0:
                        raise
                    loop: Any = asyncio.get_running_loop()
                    loop.advance(1)

        loop = VirtualTimeLoop()
        task = loop.create_task(stubborn())
        with pytest.raises(DeadlockError) as caught:
            loop.run_until_complete(task)
        assert "cancelled, they went on to wait" in caught.value.__notes__[0]
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            loop.run_until_complete(task)
        loop.close()
