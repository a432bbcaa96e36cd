"""Calls that are left off the loop: what they hold until they end, and what is said of them."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any

import pytest

from fluxus_rx import Transformer, UsageError, arerun, arun, close_processes, run, step, stream
from fluxus_rx.testing import run_virtual
from tests.support.errors import untyped


class Hung:
    """A function whose first calls return when they are let go; counts those that run."""

    def __init__(self, first: int) -> None:
        self.calls = self.running = self.most = 0
        self.let_go = threading.Event()
        self._first = first
        self._lock = threading.Lock()

    def __call__(self, x: int) -> dict[str, int]:
        with self._lock:
            self.calls += 1
            hangs = self.calls <= self._first
            self.running += 1
            self.most = max(self.most, self.running)
        if hangs:
            self.let_go.wait(20)
        with self._lock:
            self.running -= 1
        return {"y": x}


def rows(count: int) -> Any:
    return step("src", [{"x": x} for x in range(count)])


def as_transformer(function: Callable[..., Any]) -> Transformer[Any, Any]:
    class Ask(Transformer[Any, Any]):
        def transform(self, product: Any) -> Iterator[Any]:
            yield function(product["x"])

    return Ask()


def as_generator(function: Callable[..., Any]) -> Any:
    def ask(x: int) -> Iterator[Any]:
        yield function(x)

    return step("ask", ask)


MADE: dict[str, Callable[[Any], Any]] = {
    "a function": lambda function: step("ask", lambda x: function(x)),
    "a generator": as_generator,
    "a class": as_transformer,
}


class TestSlots:
    @pytest.mark.parametrize("executor", ["thread", "a pool"])
    @pytest.mark.parametrize("retry", [None, 2])
    @pytest.mark.parametrize("made", MADE)
    def test_a_call_that_was_left_counts_until_it_ends(
        self, made: str, retry: int | None, executor: str
    ) -> None:
        """Two at once are two, whatever has run out of time; the others wait, and are made."""
        hung = Hung(2)

        async def main() -> list[Any]:
            loop = asyncio.get_running_loop()
            # In virtual time, long after the two have run out of time.
            loop.call_later(5, hung.let_go.set)
            options = {"concurrency": 2, "timeout": 1, "on_error": "skip", "retry": retry}
            asked = MADE[made](hung).options(**options, executor=given)
            return [*await arun(rows(9) >> asked)] if made != "a class" else await listed(asked)

        async def listed(asked: Any) -> list[Any]:
            return [product async for product in rows(9) >> asked]

        with futures.ThreadPoolExecutor(2) as pool:
            given = pool if executor == "a pool" else "thread"
            run_virtual(main(), patience=0.02)
        assert hung.calls == 9 + (2 if retry else 0)
        assert hung.most == 2

    def test_a_limiter_is_left_when_the_call_ends(self) -> None:
        """A permit that is shared counts what runs, and not what is waited for."""
        hung = Hung(1)

        async def main() -> Any:
            asyncio.get_running_loop().call_later(5, hung.let_go.set)
            options = {"concurrency": 4, "timeout": 1, "on_error": "skip"}
            limiter = asyncio.Semaphore(1)
            asked = step("ask", lambda x: hung(x)).options(**untyped(options), limiter=limiter)
            result = await arun(rows(5) >> asked)
            assert not limiter.locked()
            return result

        assert len(run_virtual(main(), patience=0.02)[0]) == 4
        assert hung.most == 1

    @pytest.mark.parametrize("limiter", [False, True])
    @pytest.mark.parametrize("on_error", ["skip", "collect", "raise"])
    @pytest.mark.parametrize("made", ["a function", "a generator"])
    def test_a_run_ends_where_all_slots_are_held_for_good(
        self, made: str, on_error: str, limiter: bool
    ) -> None:
        """After a while, by an error that names the step and the way out, whatever `on_error`."""
        hung = Hung(100)

        async def main() -> None:
            loop, began = asyncio.get_running_loop(), asyncio.get_running_loop().time()
            options = {"concurrency": 3, "timeout": 1, "on_error": on_error, "retry": 2}
            permits = asyncio.Semaphore(2) if limiter else None
            asked = MADE[made](hung).options(**options, executor="thread", limiter=permits)
            with pytest.raises(UsageError, match="30 s") as caught:
                await arun(rows(9) >> asked)
            assert "step 'ask'" in str(caught.value)
            assert "executor='process'" in str(caught.value)
            assert 30 <= loop.time() - began <= 50

        try:
            run_virtual(main(), patience=0.01)
        finally:
            hung.let_go.set()


def left_then(hung: Hung, others: dict[str, Any], *functions: Callable[..., Any]) -> Any:
    """A flow whose first step leaves its calls; the others have the same pool or limiter."""
    first = step("ask", lambda x: hung(x)).options(
        **untyped({"executor": "thread", "timeout": 1, "on_error": lambda _: {"y": 0}} | others)
    )
    flow = rows(1) >> first
    for function in functions:
        flow >>= step("next", function).options(**others)
    return flow


async def awaited(y: int) -> dict[str, int]:
    return {"z": y}


class TestSharedWithOthers:
    """An executor, or a limiter, that a left call of one step holds, and others wait for."""

    @pytest.fixture
    def hung(self) -> Iterator[Hung]:
        """Calls that end with the test."""
        hung = Hung(100)
        yield hung
        hung.let_go.set()

    @pytest.fixture
    def pool(self, hung: Hung) -> Iterator[futures.Executor]:
        """A pool of one thread."""
        with futures.ThreadPoolExecutor(1) as pool:
            yield pool
            hung.let_go.set()

    def test_another_step_of_the_pool_does_not_wait_for_ever(
        self, hung: Hung, pool: futures.Executor
    ) -> None:
        """The run ends after a while, by an error that names the step that waits."""
        flow = left_then(hung, {"executor": pool}, lambda y: {"z": y})
        with pytest.raises(UsageError, match=r"step 'next': nothing runs in its executor.* 30 s"):
            run_virtual(arun(flow), patience=0.01)

    def test_another_run_in_the_pool_does_not_wait_for_ever(
        self, hung: Hung, pool: futures.Executor
    ) -> None:
        """A call that the run before has left is known to the next one, on whatever loop."""
        flow = left_then(hung, {"executor": pool, "on_error": "collect"})
        result = run_virtual(arun(flow), patience=0.01)
        with pytest.raises(UsageError, match=r"step 'ask': nothing runs in its executor.* 30 s"):
            run_virtual(arerun(flow, result.failures), patience=0.01)

    def test_another_run_goes_on_when_the_left_call_ends(
        self, hung: Hung, pool: futures.Executor
    ) -> None:
        """Whether it ends while the run waits, or when its own loop is long closed."""
        flow = left_then(hung, {"executor": pool})
        quick = rows(3) >> step("quick", lambda x: {"z": x}).options(executor=pool)
        run_virtual(arun(flow), patience=0.01)

        async def main() -> Any:
            asyncio.get_running_loop().call_later(5, hung.let_go.set)
            return await arun(quick)

        assert len(run_virtual(main(), patience=0.02)[0]) == 3
        assert len(run(quick)[0]) == 3

    @pytest.mark.parametrize("executor", [None, "thread"])
    def test_another_step_with_the_limiter_does_not_wait_for_ever(
        self, hung: Hung, executor: Any
    ) -> None:
        """Wherever that step runs; the error names it and the limiter."""
        limiter = asyncio.Semaphore(1)
        function: Any = awaited if executor is None else lambda y: {"z": y}
        last = step("next", function).options(limiter=limiter, executor=executor)
        flow = left_then(hung, {"limiter": limiter}) >> last
        with pytest.raises(UsageError, match=r"step 'next': nothing holds limiter=.* 30 s"):
            run_virtual(arun(flow), patience=0.01)

    def test_another_run_with_the_limiter_does_not_wait_for_ever(self, hung: Hung) -> None:
        """A permit that a run has left behind is known to the next run."""
        flow = left_then(hung, {"limiter": asyncio.Semaphore(1)})

        async def main() -> None:
            await arun(flow)
            with pytest.raises(UsageError, match=r"step 'ask': nothing holds limiter=.* 30 s"):
                await arun(flow)

        run_virtual(main(), patience=0.01)

    def test_a_limiter_that_a_call_gives_back_in_time_is_waited_for(self, hung: Hung) -> None:
        """The left call ends while others wait, and they go on."""

        async def main() -> Any:
            asyncio.get_running_loop().call_later(20, hung.let_go.set)
            limiter = asyncio.Semaphore(1)
            last = step("next", awaited).options(limiter=limiter)
            return await arun(left_then(hung, {"limiter": limiter}) >> last)

        assert len(run_virtual(main(), patience=0.02)[0]) == 1


class Counted(futures.Executor):
    """Two workers; counts the calls that were handed over and have not ended."""

    _max_workers = 2

    def __init__(self) -> None:
        self.pool = futures.ThreadPoolExecutor(2)
        self.most = self.now = 0
        self._lock = threading.Lock()

    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        future = self.pool.submit(function, *args, **kwargs)
        future.add_done_callback(self._end)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self.pool.shutdown(wait, cancel_futures=cancel_futures)

    def _end(self, _: object) -> None:
        with self._lock:
            self.now -= 1


class TestOneExecutor:
    """Many steps, runs and loops with one executor."""

    def test_no_call_waits_in_the_queue_of_the_executor(self) -> None:
        """Whose calls begin, for their time-outs, when they go: from steps and runs at once."""

        async def main() -> list[Any]:
            names = ("a", "b", "c")
            a, b, c = (step(n, lambda x: {"y": x}).options(executor=executor) for n in names)
            return await asyncio.gather(*(arun(rows(5) >> (a & b & c)) for _ in range(4)))

        with Counted() as executor:
            results = asyncio.run(main())
        assert [[len(path) for path in result] for result in results] == [[5, 5, 5]] * 4
        assert executor.most <= 2

    def test_runs_in_many_threads_share_it(self) -> None:
        """Each of them comes to its end, and no more run at once than may."""
        with Counted() as executor, futures.ThreadPoolExecutor(6) as callers:
            asked = step("ask", lambda x: {"y": x}).options(executor=executor)
            results = [callers.submit(run, rows(20) >> asked) for _ in range(12)]
            assert [len(result.result(20)[0]) for result in results] == [20] * 12
        assert executor.most <= 2

    def test_a_stream_that_is_not_read_holds_up_nobody(self) -> None:
        """What waits for its turn on a loop that stands still keeps none from others."""
        with futures.ThreadPoolExecutor(1) as pool:
            asked = step("ask", lambda x: {"y": x}).options(executor=pool)
            sizes = [len(run(rows(5) >> asked)[0]) for _ in stream(rows(9) >> asked)]
        assert sizes == [5] * 9

    def test_a_run_that_is_cancelled_gives_up_its_turns(self) -> None:
        """The next run has the executor to itself."""
        begun, let_go = threading.Event(), threading.Event()

        def ask(x: int) -> dict[str, int]:
            begun.set()
            let_go.wait(20)
            return {"y": x}

        async def main() -> Any:
            asked = step("ask", ask).options(executor=pool)
            tasks = [asyncio.ensure_future(arun(rows(9) >> asked)) for _ in range(3)]
            await asyncio.to_thread(begun.wait, 20)
            let_go.set()
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            return await arun(rows(9) >> asked)

        with futures.ThreadPoolExecutor(1) as pool:
            assert len(asyncio.run(main())[0]) == 9


def nap(x: int) -> dict[str, int]:
    """What takes a while, though not as long as the time-outs here."""
    time.sleep(0.05)
    return {"y": os.getpid()}


def stuck(x: int) -> dict[str, int]:
    """The first calls never end."""
    if x < 2:
        time.sleep(1_000)
    return {"y": x}


def flaky(x: int) -> dict[str, int]:
    """One call takes its process with it."""
    if x == 1:
        os._exit(7)
    return {"y": x}


class TestTimeOuts:
    @pytest.mark.parametrize("executor", ["thread", "process", "a pool"])
    def test_the_wait_for_a_slot_does_not_count(self, executor: str) -> None:
        """Nor that for a process to begin: a call in one process has its seconds to itself."""
        if executor == "process":
            close_processes()
        with futures.ThreadPoolExecutor(1) as pool:
            options = {"timeout": 0.5, "concurrency": 1}
            options["executor"] = pool if executor == "a pool" else executor  # type: ignore[assignment]
            result = run(rows(15) >> step("nap", nap).options(**untyped(options)))
        assert len(result[0]) == 15

    def test_the_wait_in_a_pool_that_others_use_does_not_count(self) -> None:
        """A call that has not begun runs out of no time, however long others take."""
        with futures.ThreadPoolExecutor(1) as pool:
            pool.submit(time.sleep, 0.3)
            asked = step("quick", lambda x: {"y": x}).options(executor=pool, timeout=0.1)
            assert len(run(rows(3) >> asked)[0]) == 3

    def test_a_call_in_a_process_that_overran_its_time_is_ended(self) -> None:
        """It takes no process away from others, and is made again if there are attempts left."""
        options = {"executor": "process", "concurrency": 2, "timeout": 0.3}
        asked = step("stuck", stuck).options(**untyped(options), on_error="collect")
        result = run(rows(8) >> asked)
        assert [output["stuck"]["y"] for output in result[0]] == [2, 3, 4, 5, 6, 7]
        assert [type(failure.exception) for failure in result.failures] == [TimeoutError] * 2

    def test_a_process_that_dies_fails_one_call(self) -> None:
        """Which is collected, as any failure."""
        asked = step("flaky", flaky).options(executor="process", on_error="collect")
        result = run(rows(6) >> asked)
        assert [output["flaky"]["y"] for output in result[0]] == [0, 2, 3, 4, 5]
        (failure,) = result.failures
        assert isinstance(failure.exception, futures.BrokenExecutor)


class TestWords:
    @pytest.mark.parametrize("made", ["a function", "a generator"])
    def test_a_hundred_calls_that_fail_with_the_run_are_told_of_in_one_line(
        self, made: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """With the first error, and how many there were; the tracebacks are at level DEBUG."""
        together = threading.Barrier(50)

        def ask(x: int) -> dict[str, int]:
            together.wait(20)
            raise ConnectionError("the server is down")

        with pytest.raises(ConnectionError), caplog.at_level(logging.INFO):
            run(rows(50) >> MADE[made](ask).options(concurrency=50))
        told = [record for record in caplog.records if record.name.startswith("fluxus_rx")]
        assert [record.exc_info for record in told] == [None]
        assert "ConnectionError('the server is down') (49 calls in all)" in told[0].getMessage()
