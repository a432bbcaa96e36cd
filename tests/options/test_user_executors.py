"""Executors of users: a call goes wherever they send it, in the form in which it can go there."""

from __future__ import annotations

import asyncio
import contextvars
import os
import pickle
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any

import pytest

from fluxus_rx import Producer, Transformer, UsageError, arun, check, run, step
from fluxus_rx._options.executors import offload
from fluxus_rx.testing import run_virtual
from tests.support.errors import notes
from tests.support.offloads import FETCH, opened

USER: contextvars.ContextVar[str] = contextvars.ContextVar("USER", default="nobody")


class Inline(futures.Executor):
    """Makes each call where it is submitted, as tests of users do."""

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        future: futures.Future[Any] = futures.Future()
        try:
            future.set_result(function(*args, **kwargs))
        except BaseException as error:
            future.set_exception(error)
        return future


class Remote(Inline):
    """Pickles what goes and what comes, as executors of processes and of clusters do."""

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        there = pickle.dumps((function, args, kwargs))

        def call() -> Any:
            function, args, kwargs = pickle.loads(there)
            # Elsewhere there is no context of the caller.
            return pickle.loads(pickle.dumps(contextvars.Context().run(function, *args, **kwargs)))

        return super().submit(call)


def user(x: int) -> dict[str, Any]:
    return {"user": USER.get()}


def several(x: int) -> Iterator[dict[str, Any]]:
    for y in range(3):
        yield {"user": USER.get(), "y": y}


class Several(Transformer[Any, Any]):
    """The same, of a flow of classes."""

    def transform(self, product: Any) -> Iterator[Any]:
        return several(product["x"])


class SeveralProducer(Producer[Any]):
    """The same, at the beginning of such a flow."""

    def produce(self) -> Iterator[Any]:
        return several(0)


class Cluster(Remote):
    """As that of a Dask client, which knows how many threads its workers have."""

    def __init__(self, threads: int) -> None:
        self._client = self
        self._threads = threads

    def nthreads(self) -> dict[str, int]:
        return {"tcp://one": self._threads, "tcp://two": 1}


def rows(count: int) -> Any:
    return step("src", [{"x": x} for x in range(count)])


class TestContext:
    @pytest.mark.parametrize(("executor", "found"), [(Inline(), "Ann"), (Remote(), "nobody")])
    @pytest.mark.parametrize("timeout", [None, 20])
    def test_a_context_goes_where_it_can_go(
        self, executor: Any, found: str, timeout: float | None
    ) -> None:
        """Within the process; what is pickled leaves it behind, and is made all the same."""
        token = USER.set("Ann")
        options: Any = {"executor": executor, "timeout": timeout}
        ones = run(rows(2) >> step("one", user).options(**options))[0]
        all_of_them = run(rows(2) >> step("all", several).options(**options))[0]
        USER.reset(token)
        assert [output["one"]["user"] for output in ones] == [found] * 2
        assert [output["all"] for output in all_of_them] == [
            {"user": found, "y": y} for _ in range(2) for y in range(3)
        ]

    def test_the_options_of_a_class_stay_here(self) -> None:
        """They may hold what can't travel, the executor for one."""
        options: Any = {"executor": Remote(), "on_error": lambda failure: None}
        made = [*(rows(2) >> Several().options(**options))]
        assert [product["y"] for product in made] == [0, 1, 2] * 2
        assert len([*SeveralProducer().options(executor=Remote())]) == 3
        processes = Several().options(executor="process", on_error=lambda failure: None)
        assert [finding.level for finding in check(rows(2) >> processes)] == ["info"]

    def test_a_cluster_is_asked_for_its_threads_where_calls_have_a_time_out(self) -> None:
        """So many calls go there at once; without a time-out it may grow, and gets them all."""
        for timed, size in [(True, 4.0), (False, 256)]:
            assert offload(Cluster(3), FETCH, 256, timed=timed).size == size

    async def test_what_cannot_go_says_so(self) -> None:
        """A note names the step."""
        async with opened(Remote()) as given:
            with pytest.raises((TypeError, AttributeError), match="pickle") as caught:
                await given.call(len, threading.Lock())
        assert f"{FETCH}: what goes to a process and back must be picklable" in notes(caught.value)


class TestPools:
    def test_no_more_is_submitted_than_the_pool_can_run(self) -> None:
        """But for one that is on its way: what waits here can be called off."""
        waiting: list[int] = []

        with futures.ThreadPoolExecutor(2) as pool:

            def look(x: int) -> dict[str, int]:
                waiting.append(pool._work_queue.qsize())
                return {"y": x}

            run(rows(20) >> step("look", look).options(executor=pool))
        assert max(waiting) <= 2

    def test_a_call_that_was_left_holds_its_worker(self) -> None:
        """A pool in which all hang ends the run by an error, and not never."""
        hang = threading.Event()

        async def main() -> None:
            asked = step("ask", lambda x: {"y": hang.wait(20)})
            await arun(rows(6) >> asked.options(executor=pool, timeout=1, on_error="skip"))

        with futures.ThreadPoolExecutor(2) as pool:
            try:
                with pytest.raises(RuntimeError, match="2 calls left after a time-out"):
                    run_virtual(main(), patience=0.01)
            finally:
                hang.set()

    def test_a_pool_of_processes_is_used_as_it_is(self) -> None:
        """Generators become lists there, and it is open afterwards."""
        import multiprocessing

        with futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            made = run(rows(2) >> step("all", several).options(executor=pool, timeout=20))[0]
            assert [output["all"]["y"] for output in made] == [0, 1, 2] * 2
            with pytest.raises(futures.BrokenExecutor) as caught:
                run(rows(2) >> step("die", die).options(executor=pool))
        assert "executor='process'" in notes(caught.value)


def die(x: int) -> dict[str, int]:
    os._exit(3)


class TestBroken:
    """A pool whose calls fail before they begin."""

    def test_threads_that_can_not_begin_are_an_error_of_the_call(self) -> None:
        """As those of a pool whose initializer fails while calls wait."""
        go = threading.Event()

        def begin() -> None:
            go.wait(20)
            raise OSError("no database")

        async def main() -> None:
            with futures.ThreadPoolExecutor(1, initializer=begin) as pool:
                made = step("f", lambda n: {"m": n}).options(executor=pool)
                asyncio.get_running_loop().call_later(0.01, go.set)
                with pytest.raises(futures.thread.BrokenThreadPool):
                    await arun(step("src", [{"n": n} for n in range(5)]) >> made)

        asyncio.run(main())

    def test_what_a_pool_of_the_users_raises_around_a_call_is_its_error(self) -> None:
        """The call itself has not been made."""

        class Guarded(futures.ThreadPoolExecutor):
            def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
                def guarded() -> Any:
                    raise PermissionError("closed for today")

                return super().submit(guarded)

        with Guarded(2) as pool:
            made = step("f", lambda n: {"m": n}).options(executor=pool)
            with pytest.raises(PermissionError, match="closed for today"):
                run(step("src", [{"n": 1}]) >> made)


class TestInsideOfACall:
    """A run that a call in a thread of a pool begins, and waits for."""

    @pytest.mark.parametrize("threads", [1, 2])
    def test_a_thread_that_only_callers_have_is_an_error(self, threads: int) -> None:
        """It would never come; the error names the steps."""
        together = threading.Barrier(threads)

        with futures.ThreadPoolExecutor(threads) as pool:
            within = step("within", user).options(executor=pool)

            def crawl(x: int) -> dict[str, int]:
                together.wait(20)
                return {"y": len(run(within, input={"x": x})[0])}

            crawling = step("crawl", crawl).options(executor=pool)
            with pytest.raises(
                UsageError, match=r"'crawl' → step 'within'. Use another executor for the flow"
            ):
                run(rows(threads) >> crawling)

    def test_pools_whose_calls_wait_for_each_other_are_an_error(self) -> None:
        """Each has its thread in a call that waits for a call in the other one."""
        together = threading.Barrier(2)
        with futures.ThreadPoolExecutor(1) as one, futures.ThreadPoolExecutor(1) as other:

            def crawl(x: int, name: str, pool: futures.Executor) -> dict[str, int]:
                together.wait(20)
                within = step(f"in_{name}", user).options(executor=pool)
                return {"y": len(run(within, input={"x": x})[0])}

            a = step("a", crawl, name="a", pool=other).options(executor=one)
            b = step("b", crawl, name="b", pool=one).options(executor=other)
            with pytest.raises(
                UsageError,
                match=r"step '(a|b)' → step 'in_(a|b)'. Use another executor for the flow",
            ):
                run(rows(1) >> (a & b))

    def test_a_pool_and_a_limiter_that_wait_for_each_other_are_an_error(self) -> None:
        """A call in the pool waits for the limiter, and one in the limiter for the pool."""
        are_in = [threading.Event(), threading.Event()]

        async def main() -> None:
            limiter, loop = asyncio.Semaphore(1), asyncio.get_running_loop()
            in_pool = step("in_pool", user).options(executor=pool)
            in_limiter = step("in_limiter", user).options(limiter=limiter)

            async def limited(x: int) -> dict[str, int]:
                are_in[0].set()
                await asyncio.to_thread(are_in[1].wait, 20)
                return {"y": len((await arun(in_pool, input={"x": x}))[0])}

            def pooled(x: int) -> dict[str, int]:
                are_in[1].set()
                are_in[0].wait(20)
                running = asyncio.run_coroutine_threadsafe(arun(in_limiter, input={"x": x}), loop)
                return {"y": len(running.result(20)[0])}

            a = step("limited", limited).options(limiter=limiter)
            await arun(rows(1) >> (a & step("pooled", pooled).options(executor=pool)))

        with futures.ThreadPoolExecutor(1) as pool, pytest.raises(UsageError, match="→ step 'in_"):
            asyncio.run(main())

    def test_a_thread_that_another_call_will_leave_is_waited_for(self) -> None:
        """With two threads and one call that begins runs, those go through one by one."""
        with futures.ThreadPoolExecutor(2) as pool:
            within = step("within", several).options(executor=pool)

            def crawl(x: int) -> Iterator[dict[str, int]]:
                for _ in range(2):
                    yield {"y": len(run(within, input=[{"x": x}] * 3)[0])}

            crawling = step("crawl", crawl).options(executor=pool, concurrency=1)
            made = run(rows(2) >> crawling)[0]
        assert [output["crawl"]["y"] for output in made] == [9] * 4
