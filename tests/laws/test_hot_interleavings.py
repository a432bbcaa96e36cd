"""Sources that don't wait, buffers, named pipes and paths, in many orders of the loop's tasks."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from reactivex import operators as ops
from reactivex.subject import Subject

from fluxus_rx import from_observable, passthrough, rx_pipe, start, step
from fluxus_rx.testing import interleavings
from tests.support.hot import POLICIES, Numbers, adding, observed, values

ORDERS = 25
COUNT = 30


async def slowly(x: int) -> dict[str, int]:
    """What a step adds, after a while."""
    await asyncio.sleep(x % 3)
    return {"y": x}


@pytest.mark.parametrize("overflow", POLICIES)
def test_each_item_is_taken_or_counted_as_dropped(overflow: Any) -> None:
    """Whichever is woken first; and those that are taken come in their order."""

    async def main() -> tuple[list[int], int]:
        subject: Subject[int] = Subject()
        buffer = 1 if overflow == "latest" else COUNT if overflow == "error" else 3
        source = from_observable(subject, "x", buffer=buffer, overflow=overflow)
        slow = step("slow", slowly).options(concurrency=1)
        async with start(source >> slow) as running:
            for number in range(COUNT):
                subject.on_next(number)
                if number % 4 == 0:
                    await asyncio.sleep(number % 3)
            subject.on_completed()
            (outputs,) = await running.result()
        stats = running.stats()["x"]
        assert stats.done == len(outputs)
        return [output["slow"]["y"] for output in outputs], stats.dropped

    def check(result: tuple[list[int], int]) -> None:
        seen, dropped = result
        assert seen == sorted(set(seen))
        assert len(seen) + dropped == COUNT
        assert dropped == 0 or overflow not in ("keep", "error")

    interleavings(main, seeds=ORDERS, check=check)


@pytest.mark.parametrize("overflow", ["keep", "drop_oldest", "drop_newest", "latest"])
def test_the_branch_beside_a_buffer_gets_everything(overflow: Any) -> None:
    """The one behind it what there is room for, in its order."""

    async def main() -> list[list[int]]:
        slow = step("slow", slowly).options(concurrency=1)
        buffered = slow.buffered(1 if overflow == "latest" else 3, overflow)
        async with start(Numbers(COUNT).step() >> (passthrough() & buffered)) as running:
            passed, outputs = await running.result()
        stats = running.stats()["buffered"]
        assert stats.done + stats.dropped == COUNT
        assert stats.done == len(outputs)
        return [[output["src"]["x"] for output in path] for path in (passed, outputs)]

    def check(result: list[list[int]]) -> None:
        passed, seen = result
        assert passed == [*range(COUNT)]
        assert seen == sorted(set(seen))
        assert len(seen) == COUNT or overflow != "keep"

    interleavings(main, seeds=ORDERS, check=check)


def test_windows_hold_what_came_in_them() -> None:
    """Each product is in one window, and a precursor of it."""

    async def main() -> list[int]:
        windows = rx_pipe(ops.buffer_with_count(4), name="window")
        flow = Numbers(COUNT).step() >> step("slow", slowly) >> windows
        found: list[int] = []
        async for window in flow:
            assert [*window.precursors] == window["window"]
            found += values(window["window"], "x")
        return sorted(found)

    interleavings(main, seeds=ORDERS, check=lambda found: found == [*range(COUNT)])


@pytest.mark.parametrize("leaving", [False, True])
def test_paths_share_a_run_whoever_leaves(leaving: bool) -> None:
    """Those that stay get all, and hear the end."""

    async def main() -> None:
        numbers = Numbers(COUNT)
        flow = numbers.step() >> (step("slow", slowly) & adding("a") & adding("b"))
        slow, a, b = flow.to_observable(paths=True)
        left = a.pipe(ops.take(3)) if leaving else a
        seen = [await events.complete() for events in observed(slow, left, b)]
        assert [len(items) for items in seen] == [COUNT, 3 if leaving else COUNT, COUNT]
        assert numbers.counts == (1, 1)

    interleavings(main, seeds=ORDERS)
