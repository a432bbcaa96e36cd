"""Limits and buffers of steps: whole flows, in virtual time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import reactivex

from fluxus_rx import Transformer, arun, passthrough, run, step
from fluxus_rx.testing import run_virtual
from tests.support import scripted_calls
from tests.support.conduits import Collect, Numbers
from tests.support.probes import BUFFER, Calls, Events, turns, until
from tests.support.scripted_calls import Lasting, lasting, now, numbers
from tests.support.tables import all_values

in_time, all_of_it = scripted_calls.in_time, scripted_calls.all_of_it

InTime = Callable[..., Any]


class TestConcurrency:
    @all_values(
        "options, limit",
        {
            "nothing": {},
            "ordered": {"ordered": True},
            "ordered by a name": {"ordered": "x"},
            "a wide window": {"ordered": True, "window": 300},
            "retries": {"retry": 3},
            "a time-out": {"timeout": 1.5, "on_error": "skip"},
            "all of these": {"retry": 2, "timeout": 1.5, "ordered": True, "on_error": "skip"},
            "a limiter": {"limiter": asyncio.Semaphore(300)},
            "a small buffer": {"buffer": 1},
        },
        [1, 3, 256],
        keep=lambda options, limit: limit == 3,
    )
    def test_a_limit_is_reached_and_never_exceeded(
        self, in_time: InTime, all_of_it: None, options: dict[str, Any], limit: int
    ) -> None:
        """Whatever else is set, and wherever the step stands."""
        calls = Calls()
        failed: set[int] = set()

        async def call(x: int) -> dict[str, int]:
            with calls.noted(x):
                await asyncio.sleep(1 if x % 3 else 2)
                if x % 4 == 0 and x not in failed and "retry" in options:
                    failed.add(x)
                    raise ValueError(x)
            return {"x": x}

        async def main() -> None:
            made = step("s", call).options(concurrency=limit, **options)
            first = step("a", lambda x: {"x": x + 1000}) & passthrough() & made
            await arun(numbers(150) >> first >> (made & passthrough()))

        in_time(main)
        assert calls.peak == limit
        assert calls.active == 0

    def test_none_is_no_limit(self, in_time: InTime) -> None:
        """All calls at once, if the source is quick enough."""
        calls = Calls()
        flow = numbers(2_000) >> lasting(lambda x: 5, calls).options(concurrency=None)

        async def main() -> None:
            assert len((await arun(flow))[0]) == 2_000
            assert now() == 5

        in_time(main)
        assert calls.peak == 2_000

    def test_256_are_the_default(self, in_time: InTime) -> None:
        """Per step."""
        calls, more = Calls(), Calls()

        async def other(y: int) -> dict[str, int]:
            with more.noted(y):
                await asyncio.sleep(5)
            return {}

        flow = numbers(600) >> lasting(lambda x: 5, calls) >> step("t", other)
        in_time(lambda: arun(flow))
        assert (calls.peak, more.peak) == (256, 256)

    def test_a_wait_for_the_next_attempt_keeps_the_place_of_a_call(
        self, in_time: InTime, all_of_it: None
    ) -> None:
        """It is in flight until it is over for good."""
        calls: list[tuple[float, int]] = []

        async def call(x: int) -> dict[str, int]:
            calls.append((now(), x))
            if x == 0 and len(calls) < 2:
                raise ValueError
            return {"y": x}

        in_time(lambda: arun(numbers(3) >> step("s", call).options(concurrency=1, retry=2)))
        assert calls == [(0, 0), (1, 0), (1, 1), (1, 2)]

    def test_a_plain_function_for_which_it_is_set_runs_in_so_many_threads(self) -> None:
        """All of them meet."""
        barrier = threading.Barrier(4)

        def meet(x: int) -> dict[str, int]:
            barrier.wait(30)
            return {"y": x}

        result = run(numbers(16) >> step("s", meet).options(concurrency=4))
        assert [output["s"]["y"] for output in result[0]] == [*range(16)]

    def test_classes_and_operators_have_limits_too(self, in_time: InTime) -> None:
        """In a flow, in `process`, and on an Observable."""
        calls = Calls()
        made = Lasting(lambda x: 1, calls, 2).options(concurrency=3)

        async def main() -> None:
            assert len(await (Numbers(20) >> made >> Collect()).arun()) == 40
            assert await made.aprocess(range(20)) == [x for x in range(20) for _ in "ab"]
            events = Events()
            events.of(reactivex.from_iterable(range(20)).pipe(made))
            assert len(await events.complete()) == 40

        in_time(main)
        assert calls.peak == 3


class Doubled(Transformer[int, int]):
    """Doubles."""

    def transform(self, product: int) -> list[int]:
        return [2 * product]


class TestBuffer:
    @pytest.mark.parametrize("limit", [1, 5])
    @pytest.mark.parametrize("size", [1, 4, 64])
    async def test_so_many_products_wait_in_front_of_a_step(self, size: int, limit: int) -> None:
        """Beside those that it has taken: what is in front of it stands still then."""
        first, last = Calls(), Calls()

        async def call(x: int) -> dict[str, int]:
            with first.noted(x):
                await asyncio.sleep(0)
            return {"y": x}

        async def blocked(y: int) -> dict[str, int]:
            with last.noted(y):
                await last.gate.wait()
            return {"z": y}

        before = step("s", call).options(concurrency=1)
        behind = step("t", blocked).options(concurrency=limit, buffer=size)
        task = asyncio.create_task(arun(numbers(300) >> before >> behind))
        await until(lambda: last.active == limit)
        await turns(2_000)
        finished, peak = len(first.finished), last.peak
        last.gate.set()
        result = await task
        assert len(result[0]) == 300
        assert peak == limit
        # Those it has taken, those that wait, and the one that its call holds in its hand.
        assert limit + size <= finished <= limit + size + 1

    @pytest.mark.parametrize("size", [1, 4, 64])
    async def test_a_source_runs_ahead_by_so_many(self, size: int) -> None:
        """One that is asynchronous."""
        made: list[int] = []
        held = Calls()

        async def source() -> AsyncIterator[dict[str, int]]:
            for x in range(300):
                await asyncio.sleep(0)
                made.append(x)
                yield {"x": x}

        async def blocked(x: int) -> dict[str, int]:
            return {"y": await held.held(x)}

        behind = step("t", blocked).options(concurrency=2, buffer=size)
        task = asyncio.create_task(arun(step("src", source) >> behind))
        await until(lambda: held.active == 2)
        await turns(2_000)
        ahead = len(made)
        held.gate.set()
        assert len((await task)[0]) == 300
        assert 2 + 1 <= ahead <= 2 + size + 1

    @pytest.mark.parametrize("size", [1, 4, 64])
    @pytest.mark.parametrize("between", [False, True])
    async def test_each_branch_of_a_group_has_its_own(self, size: int, between: bool) -> None:
        """What is in front of the group is ahead by that much, and by what it keeps itself."""
        first, held = Calls(), Calls()

        async def call(x: int) -> dict[str, int]:
            with first.noted(x):
                await asyncio.sleep(0)
            return {"y": x}

        async def blocked(y: int) -> dict[str, int]:
            return {"z": await held.held(y)}

        behind = step("t", blocked).options(concurrency=2, buffer=size)
        if between:
            behind = step("m", lambda y: {"y": y}) >> behind
        before = step("s", call).options(concurrency=1)
        task = asyncio.create_task(arun(numbers(300) >> before >> (behind & passthrough())))
        await until(lambda: held.active == 2)
        await turns(2_000)
        ahead = len(first.finished)
        held.gate.set()
        assert [len(path) for path in await task] == [300, 300]
        assert 2 + size <= ahead <= 2 + size + 1 + BUFFER + 1

    @pytest.mark.parametrize("size", [1, 4, 64])
    def test_it_changes_no_output(self, in_time: InTime, size: int) -> None:
        """Only when what is made."""
        flow = Numbers(200) >> Lasting(lambda x: x % 3, Calls()) >> Doubled() >> Collect()
        pairs = in_time(lambda: flow.options(buffer=size).arun())
        assert sorted(pairs) == [(0, 2 * x) for x in range(200)]


class TestStepsInARow:
    """Asynchronous steps in a row have workers in common."""

    @all_values("options", {"nothing": {}, "ordered": {"ordered": True}})
    def test_calls_that_return_at_once_have_one_task(self, options: dict[str, Any]) -> None:
        """It carries each product through all steps."""
        tasks: set[object] = set()

        async def noted(x: int) -> dict[str, int]:
            tasks.add(asyncio.current_task())
            return {"x": x + 1}

        flow = numbers(100) >> step("a", noted) >> step("b", noted) >> step("c", noted)
        run(flow.options(**options))
        assert len(tasks) == 1

    def test_a_slow_call_keeps_no_others_from_going_on(self) -> None:
        """Its worker is away; others carry what comes behind it."""
        done: list[tuple[str, int]] = []

        def slow(name: str) -> Any:
            async def call(x: int) -> dict[str, int]:
                await asyncio.sleep(10 if x == 0 else 0)
                done.append((name, x))
                return {"x": x}

            return step(name, call).options(concurrency=2)

        run_virtual(arun(numbers(4) >> slow("a") >> slow("b") >> slow("c")))
        assert [x for name, x in done if name == "c"] == [1, 2, 3, 0]

    @all_values("ordered", [True, "key"])
    def test_calls_begin_at_once_whose_products_have_waited_for_their_turn(
        self, ordered: bool | str
    ) -> None:
        """Those behind a slow call, too, whose own product is carried on."""
        begun: list[float] = []

        async def first_is_slow(x: int) -> dict[str, int]:
            await asyncio.sleep(10 if x == 0 else 1)
            return {"x": x, "key": 0}

        async def later(x: int) -> dict[str, int]:
            begun.append(now())
            await asyncio.sleep(10)
            return {"x": x}

        flow = step("src", [{"x": x, "key": 0} for x in range(4)])
        slow = step("slow", first_is_slow).options(ordered=ordered)
        run_virtual(arun(flow >> slow >> step("later", later)))
        assert begun == [10] * 4
