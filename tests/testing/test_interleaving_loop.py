"""interleavings(): many orders of the same tasks, each of which can be had again."""

from __future__ import annotations

import asyncio
import random
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxus_rx import arun, run, step
from fluxus_rx.testing import DeadlockError, InterleavingLoop, interleavings, run_virtual


async def traced() -> list[str]:
    """What happens when several tasks and callbacks are ready together, again and again."""
    loop = asyncio.get_running_loop()
    trace: list[str] = []

    async def work(name: str) -> None:
        for turn in range(3):
            trace.append(f"{name}{turn}")
            loop.call_soon(trace.append, f"-{name}{turn}")
            await asyncio.sleep(turn % 2)

    await asyncio.wait({asyncio.create_task(work(name)) for name in "abcd"})
    trace.append(f"{loop.time():g} {random.random()}")
    return trace


async def lost_update() -> int:
    """Two tasks that read, wait, and write: in some orders one of the writes is lost."""
    total = 0

    async def add(rounds: int) -> None:
        nonlocal total
        for _ in range(rounds):
            await asyncio.sleep(0)
        before = total
        await asyncio.sleep(0)
        total = before + 1

    # One after the other on a plain loop, since the second one waits a little longer.
    await asyncio.gather(add(0), add(1))
    return total


class TestOrders:
    @given(st.integers())
    def test_one_seed_is_one_order(self, seed: int) -> None:
        """Event by event, whatever order sets of tasks have."""
        assert interleavings(traced, seeds=[seed]) == interleavings(traced, seeds=[seed])

    def test_many_seeds_are_many_orders(self) -> None:
        """Of four tasks that are ready together, each of the 24 comes up."""
        traces = interleavings(traced, seeds=300)
        firsts = {"".join(step[0] for step in trace[:4]) for trace in traces.values()}
        assert len(firsts) == 24

    @given(st.integers())
    def test_callbacks_keep_their_order(self, seed: int) -> None:
        """asyncio promises it of all but tasks."""

        async def main() -> list[int]:
            loop, called = asyncio.get_running_loop(), list[int]()

            def appended(number: int, _: object) -> None:
                called.append(number)

            for number in range(10):
                loop.call_soon(called.append, number)
                asyncio.create_task(asyncio.sleep(0))  # noqa: RUF006 - done in a moment
            future = loop.create_future()
            for number in range(10, 20):
                future.add_done_callback(partial(appended, number))
            future.set_result(None)
            for number in range(20, 30):
                loop.call_later(1, called.append, number)
            await asyncio.sleep(2)
            return called

        interleavings(main, seeds=[seed], check=[*range(30)].__eq__)

    def test_a_run_of_a_flow_is_one_of_them(self) -> None:
        """Its outputs come in different orders; with the same seed, in the same."""

        async def main() -> list[int]:
            order: list[int] = []

            async def note(x: int) -> dict[str, int]:
                await asyncio.sleep(1)
                order.append(x)
                return {"y": x}

            flow: Any = step("src", [{"x": x} for x in range(5)])
            await arun(flow >> step("note", note))
            return order

        orders = interleavings(main, seeds=30)
        assert orders == interleavings(main, seeds=30)
        assert len({tuple(order) for order in orders.values()}) > 10

    def test_synchronous_runs_inside_are_too(self) -> None:
        """On a loop with the same seed."""
        loops: list[Any] = []

        async def call(x: int) -> dict[str, int]:
            loops.append(asyncio.get_running_loop())
            return {"y": x}

        flow: Any = step("src", {"x": 1})

        async def main() -> None:
            run(flow >> step("call", call))

        interleavings(main, seeds=1)
        assert type(loops[0]) is InterleavingLoop

    def test_random_numbers_go_by_the_seed(self) -> None:
        """And afterwards on as if nothing had been."""

        async def main() -> float:
            return random.random()

        random.seed(5)
        expected = random.random()
        random.seed(5)
        first = interleavings(main, seeds=[1, 2])
        assert random.random() == expected
        assert first == interleavings(main, seeds=[1, 2])
        assert first[1] != first[2]


class TestFailures:
    def test_a_race_is_found_and_its_seed_told(self) -> None:
        """A lost update across an await, which a plain loop doesn't show."""
        plain = run_virtual(lost_update)
        results = interleavings(lost_update, seeds=50)
        assert set(results.values()) == {1, 2}
        assert plain in (1, 2)
        with pytest.raises(AssertionError) as caught:
            interleavings(lost_update, check=lambda total: total == 2)
        seed = next(seed for seed, total in results.items() if total == 1)
        assert str(caught.value) == "check(1) returned False"
        (note,) = caught.value.__notes__
        assert note == (
            f"under the order of seed {seed}; to run that one alone:"
            f" interleavings(lost_update, seeds=[{seed}])"
        )
        assert interleavings(lost_update, seeds=[seed]) == {seed: 1}

    def test_an_error_is_raised_as_the_object_it_is(self) -> None:
        """With the seed as a note; that of a check as well."""
        error = ZeroDivisionError()

        async def fails() -> None:
            raise error

        def check(_: object) -> None:
            raise error

        with pytest.raises(ZeroDivisionError) as caught:
            interleavings(fails, seeds=[17])
        assert caught.value is error
        assert "seeds=[17]" in error.__notes__[0]
        with pytest.raises(ZeroDivisionError):
            interleavings(traced, seeds=[18], check=check)
        assert "seeds=[18]" in error.__notes__[1]

    def test_a_run_that_hangs_in_one_order_is_a_deadlock(self) -> None:
        """It is reported, with the seed and with what waits, and doesn't hang."""

        async def main() -> None:
            left, right = asyncio.Lock(), asyncio.Lock()

            async def both(first: asyncio.Lock, second: asyncio.Lock, pause: int) -> None:
                for _ in range(pause):
                    await asyncio.sleep(0)
                async with first:
                    await asyncio.sleep(0)
                    async with second:
                        pass

            await asyncio.gather(both(left, right, 0), both(right, left, 1))

        run_virtual(main)
        with pytest.raises(DeadlockError) as caught:
            interleavings(main, seeds=200)
        assert "Lock.acquire" in str(caught.value)
        assert "to run that one alone" in "".join(caught.value.__notes__)


class TestMistakes:
    @pytest.mark.parametrize("seeds", [0, -1, [], "12", True, None, [1.5], 2.0])
    def test_seeds_that_are_none_are_refused(self, seeds: Any) -> None:
        """It takes how many, or which."""
        with pytest.raises(ValueError, match="seeds="):
            interleavings(traced, seeds=seeds)

    def test_a_call_in_place_of_a_function_is_refused(self) -> None:
        """A coroutine could be run once only."""
        call: Any = traced()
        with pytest.raises(TypeError, match="pass the function"):
            interleavings(call)

    def test_a_function_that_makes_no_coroutine_is_refused(self) -> None:
        """Whatever it makes."""
        main: Any = lambda: 5  # noqa: E731
        with pytest.raises(TypeError, match=r"takes a coroutine function .* returned 5"):
            interleavings(main)

    def test_a_loop_that_runs_already_is_refused(self) -> None:
        """It runs loops of its own."""

        async def main() -> None:
            with pytest.raises(RuntimeError, match="one is running here already"):
                interleavings(traced)

        asyncio.run(main())
