"""Calls that take too long: whole flows, in virtual time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import reactivex

from fluxus_rx import AsyncTransformer, StepOptions, Transformer, arun, passthrough, run, step
from tests.support import scripted_calls
from tests.support.errors import notes
from tests.support.probes import Calls, Events, alone
from tests.support.scripted_calls import Script, failing, now, numbers, ys

in_time, all_of_it = scripted_calls.in_time, scripted_calls.all_of_it

#: Those that await, so that they can be cancelled. Not a lambda of a coroutine: it is called in a
#: thread, and virtual time doesn't wait for threads.
ASYNC = ("async def", "async generator", "AsyncTransformer")
every_async = pytest.mark.parametrize("kind", ASYNC)

InTime = Callable[..., Any]


def label(kind: str) -> str:
    return "AsyncScripted" if kind == "AsyncTransformer" else "s"


@every_async
class TestEveryKind:
    @pytest.mark.parametrize("seconds", [2, 0.5, 90])
    def test_a_call_that_takes_longer_fails(
        self, in_time: InTime, kind: str, seconds: float
    ) -> None:
        """The error says which step, and how long; the call has been cancelled and closed."""
        script = Script(failing(0), seconds=100)

        async def main() -> None:
            with pytest.raises(TimeoutError) as caught:
                await script.values_of(kind, 3, timeout=seconds)
            assert str(caught.value) == f"step {label(kind)!r} took longer than {seconds:g} s"
            assert "attempts" not in notes(caught.value)
            assert now() == seconds
            assert alone()

        in_time(main)
        assert script.closed == 3

    def test_a_call_that_is_quicker_does_not(self, in_time: InTime, kind: str) -> None:
        """It may take up to the last moment."""
        script = Script(failing(0), seconds=2)
        assert in_time(lambda: script.values_of(kind, 500, timeout=2.5)) == [*range(500)]

    def test_it_counts_for_each_attempt(self, in_time: InTime, all_of_it: None, kind: str) -> None:
        """Not for all of them, nor for the waits in between."""
        script = Script(failing(0), seconds=100)

        async def main() -> None:
            with pytest.raises(TimeoutError, match="longer than 2 s") as caught:
                await script.values_of(kind, 1, timeout=2, retry=3)
            assert "after 3 attempts" in notes(caught.value)
            assert [time for time, _ in script.began] == [0, 3, 7]
            assert now() == 9

        in_time(main)

    def test_a_slow_first_attempt_may_be_made_up_for(
        self, in_time: InTime, all_of_it: None, kind: str
    ) -> None:
        """A time-out is an error as any other."""
        script = Script(failing(0), seconds=100)

        async def main() -> list[Any]:
            asyncio.get_running_loop().call_at(2.5, setattr, script, "_seconds", 1)
            return await script.values_of(kind, 2, timeout=2, retry=3)

        assert in_time(main) == [0, 1]
        assert script.attempts == {0: 2, 1: 2}

    @pytest.mark.parametrize("timeout", [5, None])
    def test_a_time_out_of_its_own_is_not_replaced(
        self, in_time: InTime, kind: str, timeout: float | None
    ) -> None:
        """It surfaces as the object that it is."""
        mine = TimeoutError("mine")

        def plan(x: int, attempt: int) -> Iterator[Any]:
            yield from ()
            raise mine

        with pytest.raises(TimeoutError) as caught:
            in_time(lambda: Script(plan).values_of(kind, 1, timeout=timeout))
        assert caught.value is mine

    def test_a_run_that_is_cancelled_has_not_timed_out(self, in_time: InTime, kind: str) -> None:
        """Though the call is cancelled in both cases."""
        script = Script(failing(0), seconds=100)

        async def main() -> None:
            task = asyncio.create_task(script.values_of(kind, 1, timeout=10, on_error="skip"))
            await asyncio.sleep(5)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        in_time(main)
        assert script.closed == 1

    def test_it_can_be_skipped(self, in_time: InTime, kind: str) -> None:
        """As any failure."""
        script = Script(failing(0), seconds=100)
        assert in_time(lambda: script.values_of(kind, 3, timeout=1, on_error="skip")) == []


class TestInner:
    def test_a_time_out_inside_of_a_call_is_its_own(self, in_time: InTime) -> None:
        """`asyncio.timeout` works in a step that has the option."""

        async def patient(x: int) -> dict[str, int]:
            try:
                async with asyncio.timeout(1):
                    await asyncio.sleep(100)
            except TimeoutError:
                return {"y": x}
            return {}

        async def main() -> Any:
            return await arun(numbers(3) >> step("s", patient).options(timeout=5))

        assert ys(in_time(main)) == [0, 1, 2]

    def test_an_error_in_answer_to_a_time_out_is_its_context(self, in_time: InTime) -> None:
        """What a step does in `finally` may raise: that is the failure then."""

        async def clumsy(x: int) -> dict[str, int]:
            try:
                await asyncio.sleep(100)
            finally:
                raise KeyError("clumsy")

        async def main() -> None:
            with pytest.raises(KeyError, match="clumsy"):
                await arun(numbers(1) >> step("s", clumsy).options(timeout=5))

        in_time(main)


def produced(seconds: float, count: int) -> Callable[[int], AsyncIterator[dict[str, int]]]:
    """A generator that takes so many seconds for each of its products."""

    async def produce(x: int) -> AsyncIterator[dict[str, int]]:
        for number in range(count):
            await asyncio.sleep(seconds)
            yield {"y": number}

    return produce


async def slow(y: int) -> dict[str, int]:
    """Takes 10 seconds."""
    await asyncio.sleep(10)
    return {"z": y}


class TestGenerators:
    @pytest.mark.parametrize("ordered", [False, True])
    def test_what_a_generator_waits_for_its_reader_does_not_count(
        self, in_time: InTime, ordered: bool
    ) -> None:
        """A quick one in front of a slow step is quick still."""

        async def main() -> Any:
            first = step("s", produced(0.01, 100)).options(timeout=5, ordered=ordered)
            result = await arun(numbers(2) >> first >> step("t", slow).options(concurrency=1))
            assert now() >= 2_000
            return result

        assert ys(in_time(main)) == [*range(100)] * 2

    def test_nor_does_it_for_a_class(self, in_time: InTime) -> None:
        """Or on an Observable."""

        class Made(AsyncTransformer[int, int]):
            async def atransform(self, product: int) -> AsyncIterator[int]:
                async for row in produced(0.01, 100)(product):
                    yield row["y"]

        class Slow(AsyncTransformer[int, int]):
            async def atransform(self, product: int) -> AsyncIterator[int]:
                yield (await slow(product))["z"]

        made = Made().options(timeout=5) >> Slow().options(concurrency=1)

        async def main() -> list[Any]:
            events = Events()
            events.of(reactivex.of(1).pipe(made))
            return [await made.aprocess([1]), await events.complete()]

        assert in_time(main) == [[*range(100)]] * 2

    def test_what_it_takes_for_all_its_products_counts(self, in_time: InTime) -> None:
        """The seconds are those of the call."""

        async def main() -> Any:
            made = step("s", produced(2, 9)).options(timeout=5, on_error="skip")
            result = await arun(numbers(1) >> made)
            assert now() == 5
            return result

        assert ys(in_time(main)) == [0, 1]

    def test_a_generator_that_timed_out_is_closed(self, in_time: InTime) -> None:
        """At once, by its cancellation."""
        script = Script(lambda x, attempt: iter(range(9)), seconds=2)
        found = in_time(lambda: script.values_of("async generator", 2, timeout=5, on_error="skip"))
        assert found == [0, 1, 0, 1]
        assert script.closed == 2

    def test_a_generator_that_can_be_repeated_gets_the_time_anew(
        self, in_time: InTime, all_of_it: None
    ) -> None:
        """With each attempt."""
        seconds = iter([2, 2, 2, 1, 1, 1, 1])

        async def produce(x: int) -> AsyncIterator[dict[str, int]]:
            for number in range(4):
                await asyncio.sleep(next(seconds))
                yield {"y": number}

        async def main() -> Any:
            options = StepOptions(timeout=5, retry=2, repeatable=True)
            return await arun(numbers(1) >> step("s", produce), options=options)

        assert ys(in_time(main)) == [0, 1, 2, 3]


class Blocking:
    """Plain functions that wait for a gate, at most as long as a test may take."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.threads: set[str] = set()

    def plain(self, x: int) -> dict[str, int]:
        self.threads.add(threading.current_thread().name)
        self.gate.wait(50)
        return {"y": x}

    def generator(self, x: int) -> Iterator[dict[str, int]]:
        yield {"y": x}
        yield self.plain(x)

    def opened(self, failure: object) -> None:
        """Replaces a failure by nothing, and lets the call go."""
        self.gate.set()


class TestPlainFunctions:
    def test_a_plain_function_runs_in_a_thread(self) -> None:
        """Or nothing could be done while it blocks the loop."""
        blocking = Blocking()
        made = step("s", blocking.plain).options(timeout=0.05, on_error=blocking.opened)
        assert ys(run(numbers(1) >> made)) == []
        assert blocking.threads != {threading.current_thread().name}

    @pytest.mark.parametrize("where", ["chain", "group", "run"])
    def test_one_that_is_set_around_it_leaves_it_on_the_loop(self, where: str) -> None:
        """Threads would cost quick functions more than they take; `check` tells of it."""
        threads: set[str] = set()

        def plain(x: int) -> dict[str, int]:
            threads.add(threading.current_thread().name)
            return {"y": x}

        made = step("s", plain)
        flow, terms = numbers(1) >> made, None
        match where:
            case "chain":
                flow = flow.options(timeout=50)
            case "group":
                flow = numbers(1) >> (made & passthrough()).options(timeout=50)
            case _:
                terms = StepOptions(timeout=50)
        assert ys(run(flow, options=terms)) == [0]
        assert threads == {threading.current_thread().name}

    def test_a_generator_steps_in_a_thread(self) -> None:
        """What it yielded before it took too long stays."""
        blocking = Blocking()
        made = step("s", blocking.generator).options(timeout=0.05, on_error=blocking.opened)
        assert ys(run(numbers(1) >> made)) == [0]

    def test_a_class_steps_in_a_thread(self) -> None:
        """As a function does."""
        blocking = Blocking()

        class Slow(Transformer[int, int]):
            def transform(self, product: int) -> Iterator[int]:
                for row in blocking.generator(product):
                    yield row["y"]

        made = Slow().options(timeout=0.05, on_error=blocking.opened)
        assert made.process([7]) == [7]

    @pytest.mark.parametrize("where", ["step", "run"])
    def test_a_coroutine_that_a_lambda_gives_is_awaited_on_the_loop(self, where: str) -> None:
        """And cancelled there."""
        ended: list[str] = []

        async def hang(x: int) -> dict[str, int]:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(threading.current_thread().name)
            return {"y": x}

        made, terms = step("s", lambda x: hang(x)), StepOptions(timeout=0.05)
        if where == "step":
            made, terms = made.options(timeout=0.05), StepOptions()
        with pytest.raises(TimeoutError, match=r"step 's' took longer than 0\.05 s"):
            run(numbers(1) >> made, options=terms)
        assert ended == [threading.current_thread().name]

    def test_one_that_is_quick_gives_what_it_gives(self) -> None:
        """In its place."""
        made = step("s", lambda x: {"y": x}).options(timeout=50)
        assert ys(run(numbers(100) >> made)) == [*range(100)]


class TestOthers:
    def test_the_calls_beside_it_go_on(self, in_time: InTime) -> None:
        """One time-out is of one call."""
        calls = Calls()

        async def call(x: int) -> dict[str, int]:
            with calls.noted(x):
                await asyncio.sleep(100 if x % 3 == 0 else 4)
            return {"y": x}

        async def main() -> Any:
            made = step("s", call).options(timeout=5, on_error="collect", concurrency=4)
            return await arun(numbers(12) >> made)

        result = in_time(main)
        assert ys(result) == [x for x in range(12) if x % 3]
        assert [failure.lineage["src"]["x"] for failure in result.failures] == [0, 3, 6, 9]
        assert sorted(calls.cancelled) == [0, 3, 6, 9]
        assert calls.peak == 4
