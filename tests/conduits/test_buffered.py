"""`.buffered(size, overflow)`: a buffer in front of a part of a flow that never asks to wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from typing import Any

import pytest
import reactivex
from hypothesis import given
from hypothesis import strategies as st
from reactivex import operators as ops

from fluxus_rx import (
    BufferOverflowError,
    Passthrough,
    Producer,
    Transformer,
    passthrough,
    run,
    rx_pipe,
    start,
    step,
    stream_pipe,
)
from fluxus_rx.testing import run_virtual, virtual_time
from tests.support.conduits import Add, AsyncNumbers, Collect, Held, Numbers, Odd
from tests.support.errors import refused
from tests.support.hot import POLICIES, items_of
from tests.support.probes import listed, turns, until

double = step("double", lambda x: {"y": 2 * x})


def every(seconds: float, count: int | None = None) -> Any:
    """A source of one product per so many seconds."""

    async def numbers() -> AsyncIterator[dict[str, int]]:
        number = 0
        while number != count:
            await asyncio.sleep(seconds)
            yield {"x": number}
            number += 1

    return step("src", numbers)


class Taking:
    """A step that takes so many seconds for each product, and notes when it began."""

    def __init__(self, name: str, seconds: float) -> None:
        self.name = name
        self.seconds = seconds
        self.began: dict[int, float] = {}

    async def take(self, x: int) -> dict[str, int]:
        self.began[x] = asyncio.get_running_loop().time()
        await asyncio.sleep(self.seconds)
        return {self.name: x}

    @property
    def step(self) -> Any:
        return step(self.name, self.take).options(concurrency=1, buffer=1)


def outcome(flow: Transformer[Any, Any], items: list[int]) -> list[int]:
    """What it makes of items that come in one go, in virtual time."""
    with virtual_time():
        return flow.process(items)


class TestLaws:
    """Of items that come in one go."""

    @given(count=st.integers(0, 40), size=st.integers(1, 20))
    def test_the_newest_or_the_oldest_are_left(self, count: int, size: int) -> None:
        """As many as there is room for, in their order."""
        items = [*range(count)]
        assert outcome(Add().buffered(size, "drop_oldest"), items) == items[-size:]
        assert outcome(Add().buffered(size, "drop_newest"), items) == items[:size]
        assert outcome(Add().buffered(1, "latest"), items) == items[-1:]
        assert outcome(Add().buffered(size, "keep"), items) == items

    @given(count=st.integers(0, 40), size=st.integers(1, 20))
    def test_one_too_many_is_an_error(self, count: int, size: int) -> None:
        """If they fit, all come."""
        flow, items = Add().buffered(size, "error"), [*range(count)]
        if count > size:
            with pytest.raises(BufferOverflowError):
                outcome(flow, items)
        else:
            assert outcome(flow, items) == items

    @pytest.mark.parametrize("overflow", POLICIES)
    @given(
        pauses=st.lists(st.integers(0, 3), max_size=30),
        size=st.integers(1, 5),
        seconds=st.integers(1, 4),
    )
    def test_each_product_is_taken_or_counted_as_dropped(
        self, overflow: Any, pauses: list[int], size: int, seconds: int
    ) -> None:
        """Whatever the pace of the source and of the step."""

        async def source() -> AsyncIterator[dict[str, int]]:
            for number, pause in enumerate(pauses):
                if pause:
                    await asyncio.sleep(pause)
                yield {"x": number}

        slow = Taking("slow", seconds).step
        behind = slow.buffered(1 if overflow == "latest" else size, overflow)

        async def main() -> None:
            async with start(step("src", source) >> behind) as running:
                try:
                    (outputs,) = await running.result()
                except BufferOverflowError:
                    assert overflow == "error"
                    return
            numbers = [output["slow"]["slow"] for output in outputs]
            stats = running.stats()["buffered"]
            assert numbers == sorted(set(numbers))
            assert len(numbers) == stats.done
            assert stats.done + stats.dropped == len(pauses)
            if overflow in ("keep", "error"):
                assert stats.dropped == 0
            if overflow != "drop_newest" and pauses:
                assert numbers[-1] == len(pauses) - 1

        run_virtual(main())


class TestGroups:
    """A branch behind a buffer, beside others."""

    @pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest", "latest", "keep"])
    def test_a_slow_branch_never_slows_the_others(self, overflow: Any) -> None:
        """They begin each product when the source emits it."""
        quick, slow = Taking("quick", 0), Taking("slow", 100)
        buffered = slow.step.buffered(1 if overflow == "latest" else 3, overflow)
        with virtual_time():
            first, second = run(every(1, 50) >> (quick.step & buffered))
        assert [output["quick"]["quick"] for output in first] == [*range(50)]
        assert quick.began == {number: number + 1 for number in range(50)}
        numbers = [output["slow"]["slow"] for output in second]
        assert numbers == sorted(set(numbers))
        assert numbers[0] == 0
        if overflow == "keep":
            assert numbers == [*range(50)]
        else:
            assert len(numbers) < 10

    def test_without_a_buffer_it_does(self) -> None:
        """As far as the queues of the branch hold no more."""
        quick, slow = Taking("quick", 0), Taking("slow", 100)
        with virtual_time():
            run(every(1, 50) >> (quick.step & slow.step))
        assert quick.began[49] > 1_000

    @pytest.mark.parametrize(
        "branch",
        [
            lambda slow: slow >> double,
            lambda slow: double >> slow,
            lambda slow: slow & double,
            lambda slow: passthrough() & slow,
            lambda slow: rx_pipe(ops.filter(lambda p: p["x"] >= 0)) >> slow,
            lambda slow: stream_pipe(lambda xs: xs) >> slow,
            lambda slow: slow.buffered(2, "drop_newest"),
        ],
    )
    def test_a_branch_of_any_kind_may_stand_behind_one(self, branch: Callable[[Any], Any]) -> None:
        """A chain, a group, operators, one that begins with a buffer of its own."""
        quick, slow = Taking("quick", 0), Taking("slow", 100)
        with virtual_time():
            first, *others = run(
                every(1, 50) >> (quick.step & branch(slow.step).buffered(1, "latest"))
            )
        assert len(first) == 50
        assert quick.began[49] == 50
        assert all(0 < len(outputs) <= 50 for outputs in others)
        assert 0 < len(slow.began) < 10

    def test_a_passthrough_beside_one_gets_everything(self) -> None:
        """In time: it is a path of its own."""
        slow = Taking("slow", 100)

        async def main() -> list[float]:
            times = []
            flow = every(1, 20) >> (passthrough() & slow.step.buffered(1, "latest"))
            passed, _ = flow.to_observable(paths=True)
            loop, done = asyncio.get_running_loop(), asyncio.Event()
            passed.subscribe(lambda _: times.append(loop.time()), print, done.set)
            await done.wait()
            return times

        assert run_virtual(main()) == [*range(1, 21)]

    def test_each_branch_has_a_buffer_of_its_own(self) -> None:
        """Even if it is the same step that stands behind."""
        slow = Taking("slow", 10).step
        with virtual_time():
            oldest, newest = run(
                every(1, 9) >> (slow.buffered(2, "drop_newest") & slow.buffered(2, "drop_oldest"))
            )
        assert len(oldest) < 9
        assert oldest != newest
        assert newest[-1]["slow"]["slow"] == 8

    def test_groups_in_groups(self) -> None:
        """A buffered branch of an inner group doesn't slow the outer one."""
        quick, slow = Taking("quick", 0), Taking("slow", 100)
        inner = double >> (double & slow.step.buffered(1, "latest"))
        with virtual_time():
            run(every(1, 50) >> (quick.step & inner))
        assert quick.began[49] == 50

    async def test_a_branch_that_fails_by_its_policy_ends_the_run(self) -> None:
        """The error names what the buffer is in front of."""

        async def wait(x: int) -> dict[str, int]:
            await turns()
            return {"y": x}

        slow: Any = step("judge", wait).options(concurrency=1)
        numbers = step("src", [{"x": x} for x in range(100)])
        with refused(BufferOverflowError, "in front of step 'judge'", "3 items wait", *POLICIES):
            await listed(numbers >> (double & slow.buffered(3, "error")))

    def test_what_waits_is_worked_off_at_the_end(self) -> None:
        """The run ends when the slow branch has had all that it had room for."""
        slow = Taking("slow", 100)
        with virtual_time():
            _, outputs = run(every(1, 10) >> (double & slow.step.buffered(5, "drop_newest")))
        # One in the call, those on the way to it, and five in the buffer.
        assert 6 <= len(outputs) <= 8


class TestClasses:
    """In flows of classes."""

    async def test_transformers_have_it_too(self) -> None:
        """Whatever they are made of."""
        source = Numbers(100)
        assert (source >> Add(1).buffered(100, "error") >> Collect()).run() == [
            (0, number) for number in range(1, 101)
        ]
        chain: Transformer[int, int] = (Odd() >> Add(1)).buffered(100, "drop_oldest")
        assert await listed(AsyncNumbers(9) >> chain) == [2, 4, 6, 8]
        group: Transformer[int, int] = (Add(1) & Passthrough()).buffered(100, "drop_oldest")
        assert sorted(await listed(Numbers(3) >> group)) == [0, 1, 1, 2, 2, 3]

    async def test_a_transformer_with_a_buffer_is_an_operator_of_rx(self) -> None:
        """On the loop where it is subscribed to."""
        behind = Add(1).buffered(3, "drop_oldest")
        assert await reactivex.of(*range(10)).pipe(behind, ops.to_list()) == [8, 9, 10]

    async def test_leaving_early_closes_the_source(self) -> None:
        """One without end, that is never asked to wait."""
        source = AsyncNumbers()
        flow: Producer[int] = source >> Add().buffered(2, "drop_oldest")
        async with aclosing(items_of(flow)) as items:
            assert await anext(items) >= 0
        assert source.source.opened == source.source.closed == 1

    async def test_a_source_that_never_suspends_lets_the_step_work(self) -> None:
        """The loop gets its turns, although nobody asks the source to wait."""

        def endless() -> Iterator[dict[str, int]]:
            while True:
                yield {"x": 1}

        flow = step("src", endless) >> double.buffered(2, "drop_newest")
        async with start(flow) as running:
            await until(lambda: running.stats()["double"].done > 20)
        assert running.state == "cancelled"

    async def test_calls_in_flight_are_those_of_the_step(self) -> None:
        """The buffer holds what waits for one of them."""
        held = Held()
        calls = held.calls
        behind = held.options(concurrency=2, buffer=1).buffered(100, "drop_oldest")
        task = asyncio.ensure_future(listed(AsyncNumbers(10) >> behind))
        await turns(200)
        assert calls.active == 2
        calls.gate.set()
        assert sorted(await task) == [*range(10)]
