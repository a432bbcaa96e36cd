"""Flows under many orders of task wake-ups: the same result, or the same error, whatever the order,
and nothing left behind."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
import reactivex
from aiostream import pipe
from hypothesis import given, settings
from reactivex import operators as ops

from fluxus_rx import (
    arun,
    astream,
    passthrough,
    rx_pipe,
    start,
    step,
    stream_pipe,
)
from fluxus_rx.testing import faulty, interleavings, marbles, run_virtual
from tests.support.graphs import Recorder, flows, seeds, with_oracle
from tests.support.oracle import Graph
from tests.support.tables import as_many

Row = dict[str, int]

#: Orders that each flow is run in.
ORDERS = as_many(8, thoroughly=100)


def rows(n: int) -> Any:
    """A source of rows that are there already."""
    return step("src", [{"x": x} for x in range(n)])


async def _arows(n: int) -> AsyncIterator[Row]:
    for x in range(n):
        if x % 3:
            await asyncio.sleep(x % 2)
        yield {"x": x}


def arows(name: str = "src", n: int = 12) -> Any:
    """A source of rows that come one by one, and not always at once."""
    return step(name, lambda: _arows(n))


async def at_once(x: int) -> Row:
    return {"y": x}


async def soon(x: int) -> Row:
    for _ in range(x % 3):
        await asyncio.sleep(0)
    return {"y": x}


async def slow(x: int) -> Row:
    await asyncio.sleep(1 + x % 2)
    return {"y": -x}


async def several(x: int) -> AsyncIterator[Row]:
    for i in range(x % 4):
        await asyncio.sleep(0)
        yield {"z": i}


def each(x: int) -> Iterator[Row]:
    yield from ({"z": i} for i in range(x % 4))


def limited(n: int, function: Any = soon, **options: Any) -> Any:
    return step(f"limited{n}", function).options(concurrency=n, **options)


async def fails_on_odd(x: int) -> Row:
    await asyncio.sleep(x % 2)
    if x % 2:
        raise OSError(x)
    return {"y": x}


def flaky() -> Any:
    """A step whose first call with each product fails."""
    seen: set[int] = set()

    async def call(x: int) -> Row:
        await asyncio.sleep(0)
        if x not in seen:
            seen.add(x)
            raise OSError(x)
        return {"y": x}

    return step("flaky", call).options(retry=3)


def late() -> Any:
    """A step that is too slow for every other product."""

    async def call(x: int) -> Row:
        await asyncio.sleep(3 * (x % 2))
        return {"y": x}

    return step("late", call).options(timeout=2, on_error=lambda failure: {"y": -1})


FLOWS: dict[str, Callable[[], Any]] = {
    "async steps": lambda: rows(20) >> step("a", soon) >> step("b", slow),
    "an async source": lambda: arows() >> step("a", soon),
    "a limit of 1": lambda: rows(12) >> limited(1) >> step("b", slow),
    "limits one behind the other": lambda: rows(20) >> limited(2) >> limited(3, slow),
    "ordered": lambda: rows(20) >> step("a", soon).options(ordered=True) >> step("b", several),
    "a small buffer": lambda: rows(40) >> step("a", soon).options(buffer=1) >> step("b", soon),
    "a group": lambda: rows(12) >> (step("a", soon) & step("b", slow) & passthrough()),
    "groups behind each other": lambda: (
        rows(6) >> (step("a", soon) & step("b", at_once)) >> (step("c", each) & passthrough())
    ),
    "a limit over two paths": lambda: (
        rows(10) >> (step("a", soon) & step("b", slow)) >> limited(2, several)
    ),
    "sources side by side": lambda: (arows("s") & arows("t", 5)) >> step("a", slow),
    "generators": lambda: rows(12) >> step("a", several) >> step("b", each),
    "a generator behind a limit of 1": lambda: rows(12) >> limited(1, several) >> limited(1),
    "retries": lambda: rows(12) >> flaky() >> limited(3),
    "time-outs": lambda: rows(12) >> late() >> step("b", soon),
    "skipped failures": lambda: (
        rows(12) >> step("f", fails_on_odd).options(on_error="skip") >> step("b", slow)
    ),
    "Rx operators": lambda: (
        rows(12)
        >> step("a", soon).options(ordered=True)
        >> rx_pipe(ops.filter(lambda product: product["x"] % 3), ops.take(5))
        >> step("b", slow)
    ),
    "an Rx operator that takes its time": lambda: (
        step("src", marbles("a-b-(c,d)-|", values={k: {"x": ord(k)} for k in "abcd"}))
        >> rx_pipe(ops.delay(2))
        >> step("b", slow)
    ),
    "an observable": lambda: (
        step("src", reactivex.interval(1).pipe(ops.take(9), ops.map(lambda x: {"x": x})))
        >> (step("a", soon) & step("b", slow))
    ),
    "aiostream operators": lambda: (
        arows() >> stream_pipe(pipe.take(7)) >> (step("a", soon) & step("b", slow))
    ),
    "a source that is not read to its end": lambda: (
        arows() >> step("a", several) >> stream_pipe(pipe.take(4))
    ),
    "threads": lambda: rows(4) >> step("a", lambda x: {"y": x}).options(executor="thread"),
}


def outcome(make: Callable[[], Any]) -> Callable[[], Awaitable[Any]]:
    """Runs a flow, and makes sure that nothing is left of it."""

    async def main() -> Any:
        result = await arun(make())
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return [*result]

    return main


#: Which products are taken first is up to the order, but not how many.
ANY_FIRST = {"a source that is not read to its end"}


@pytest.mark.parametrize("name", FLOWS)
def test_a_result_is_the_same_in_every_order(name: str) -> None:
    """That of a plain loop, sorted by where each product comes from."""
    main: Any = outcome(FLOWS[name])
    expected = run_virtual(main)
    assert any(expected)
    if name in ANY_FIRST:
        check: Any = lambda result: [*map(len, result)] == [*map(len, expected)]  # noqa: E731
    else:
        check = expected.__eq__
    interleavings(main, seeds=ORDERS if name != "threads" else 5, check=check)


@given(flows(depth=2), seeds)
@settings(max_examples=as_many(20, thoroughly=500))
def test_a_random_flow_gives_what_the_oracle_says_in_every_order(graph: Graph, seed: int) -> None:
    """And each step is called with what the oracle says, no more often."""
    expected, calls = with_oracle(graph)

    async def main() -> None:
        recorder = Recorder(seed)
        assert [*await arun(recorder.flow(graph))] == expected
        assert recorder.calls == calls
        assert asyncio.all_tasks() == {asyncio.current_task()}

    interleavings(main, seeds=range(seed, seed + 4))


class Broken(Exception):
    """What goes wrong in these tests."""


async def breaks(x: int) -> AsyncIterator[Row]:
    yield {"z": 1}
    await asyncio.sleep(0)
    if x == 5:
        raise Broken
    yield {"z": 2}


FAILING: dict[str, Callable[[Exception], Any]] = {
    "a step": lambda e: rows(12) >> step("f", faulty(soon, at=5, error=e)) >> step("b", slow),
    "a source": lambda e: step("src", faulty(_arows(12), at=5, error=e)) >> step("b", slow),
    "an observable": lambda e: step("src", marbles("--#", error=e)) >> step("b", slow),
    "a branch": lambda e: (
        rows(12) >> (step("f", faulty(soon, at=5, error=e)) & step("b", slow) & passthrough())
    ),
    "a branch of several sources": lambda e: (
        (arows("s") & step("t", faulty(_arows(9), at=3, error=e))) >> limited(2, several)
    ),
    "a generator": lambda e: rows(12) >> step("f", faulty(several, at=5, error=e)) >> limited(2),
    "a limited step": lambda e: rows(12) >> limited(2, faulty(soon, at=5, error=e)) >> limited(1),
    "an ordered step": lambda e: (
        rows(12) >> step("f", faulty(soon, at=5, error=e)).options(ordered=True) >> limited(1)
    ),
    "an Rx operator": lambda e: (
        rows(12) >> step("a", soon) >> rx_pipe(lambda source: faulty(source, at=4, error=e))
    ),
    "the last attempt": lambda e: (
        rows(3) >> step("f", faulty(soon, at=range(1, 99), error=e)).options(retry=2)
    ),
}


@pytest.mark.parametrize("name", FAILING)
def test_an_error_is_the_same_object_in_every_order(name: str) -> None:
    """Wherever it is raised; all else is cancelled and awaited by then."""

    async def main() -> None:
        error = Broken("once")
        with pytest.raises(Broken) as caught:
            await arun(FAILING[name](error))
        assert caught.value is error
        assert asyncio.all_tasks() == {asyncio.current_task()}

    interleavings(main, seeds=ORDERS)


def test_of_two_errors_one_is_raised_in_every_order() -> None:
    """Neither is lost: the other one never came up, or is a note."""

    async def main() -> None:
        first, second = Broken("first"), Broken("second")
        flow = rows(12) >> (
            step("f", faulty(soon, at=3, error=first)) & step("g", faulty(soon, at=3, error=second))
        )
        with pytest.raises(Broken) as caught:
            await arun(flow)
        assert caught.value in (first, second)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    interleavings(main, seeds=ORDERS)


@pytest.mark.parametrize("name", [name for name in FLOWS if name != "threads"])
def test_a_run_can_be_cancelled_at_any_moment_in_every_order(name: str) -> None:
    """It ends, and leaves nothing."""

    def cancelled_after(turns: int) -> Callable[[], Any]:
        async def main() -> None:
            task = asyncio.ensure_future(arun(FLOWS[name]()))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            assert asyncio.all_tasks() == {asyncio.current_task()}

        return main

    for turns in (0, 1, 2, 3, 5, 8, 13, 30):
        interleavings(cancelled_after(turns), seeds=2)


@pytest.mark.parametrize("name", [name for name in FLOWS if name != "threads"])
def test_a_reader_can_leave_at_any_moment_in_every_order(name: str) -> None:
    """What reads the outputs as they come, and stops after the first."""

    async def main() -> None:
        async with contextlib.aclosing(astream(FLOWS[name]())) as outputs:
            async for _ in outputs:
                break
        assert asyncio.all_tasks() == {asyncio.current_task()}

    interleavings(main, seeds=8)


def test_generators_are_closed_in_every_order() -> None:
    """All that were begun, when a reader leaves or a step fails; none is cancelled twice, which
    would break into what it does to clean up."""

    async def main() -> None:
        open_now: list[int] = []
        told: list[int] = []

        async def held(x: int) -> AsyncIterator[Row]:
            open_now.append(x)
            try:
                for i in range(5):
                    await asyncio.sleep(0)
                    yield {"z": i}
            except asyncio.CancelledError:
                told.append(x)
                raise
            finally:
                try:
                    await asyncio.sleep(0)
                    await asyncio.sleep(0)
                except asyncio.CancelledError:
                    told.append(x)  # at its own end, as the run ends; never a second time
                    raise
                finally:
                    open_now.remove(x)

        flow = rows(8) >> step("held", held) >> step("f", faulty(soon, at=9, error=Broken))
        with pytest.raises(Broken):
            await arun(flow)
        assert (open_now, len(told)) == ([], len({*told}))
        told.clear()
        async with contextlib.aclosing(astream(rows(8) >> step("held", held))) as outputs:
            async for _ in outputs:
                break
        assert (open_now, len(told)) == ([], len({*told}))

    interleavings(main, seeds=ORDERS)


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_a_limit_holds_in_every_order(limit: int) -> None:
    """Over all paths; and it is made use of."""

    async def main() -> None:
        active = peak = 0

        async def call(x: int) -> Row:
            nonlocal active, peak
            active += 1
            peak = max(peak, active)
            await asyncio.sleep(x % 3)
            active -= 1
            return {"y": x}

        await arun(rows(9) >> (step("a", soon) & step("b", soon)) >> limited(limit, call))
        assert (active, peak) == (0, limit)

    interleavings(main, seeds=ORDERS)


def test_an_ordered_step_keeps_the_order_in_every_order() -> None:
    """Of the products as they come, not only of those that are collected."""

    async def main() -> list[int]:
        flow = rows(20) >> step("a", soon).options(ordered=True) >> limited(1)
        return [output["src"]["x"] async for _, output in astream(flow)]

    interleavings(main, seeds=ORDERS, check=[*range(20)].__eq__)


def test_a_run_can_be_paused_and_drained_in_every_order() -> None:
    """What the sources have emitted by then is there, or pending, and each of it once."""

    async def main() -> None:
        async with start(arows(n=50) >> limited(2) >> step("b", slow)) as run:
            await asyncio.sleep(3)
            run.pause()
            await asyncio.sleep(3)
            run.resume()
            await asyncio.sleep(1)
            result = await run.drain()
        given = sorted(
            [output["src"]["x"] for output in result[0]]
            + [one.product["x"] for one in result.pending]
        )
        assert 0 < len(given) < 50
        assert given == [*range(len(given))]
        assert asyncio.all_tasks() == {asyncio.current_task()}

    interleavings(main, seeds=ORDERS)
