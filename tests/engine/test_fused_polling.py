"""Products of synchronous steps are taken without waiting, as long as nothing has to be awaited."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

import pytest

from fluxus_rx import Run, astream, run, start, step, stream
from fluxus_rx.functional import chain
from tests.support.probes import until

COUNT = 50


def plain(x: int) -> dict[str, int]:
    return {"x": x + 1}


def several(x: int) -> Iterator[dict[str, int]]:
    yield {"x": x}
    yield {"x": -x}


async def awaited(x: int) -> dict[str, int]:
    await asyncio.sleep(0)
    return {"x": x}


def deferred(x: int) -> Any:
    """A plain function that returns an awaitable, for each second item."""
    return awaited(x) if x % 2 else {"x": x}


async def slowly() -> AsyncIterator[dict[str, int]]:
    for x in range(COUNT):
        if not x % 7:
            await asyncio.sleep(0)
        yield {"x": x}


#: what steps do, in places from which the loop is left at different moments
STEPS: dict[str, list[Any]] = {
    "plain": [plain],
    "several": [plain, several, plain],
    "deferred first": [deferred, plain],
    "deferred last": [several, plain, deferred],
}
SOURCES: dict[str, Any] = {"a list": [{"x": x} for x in range(COUNT)], "an async source": slowly}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("steps", STEPS)
async def test_all_come_that_come_of_a_collected_run(source: str, steps: str) -> None:
    """Each once, however they are read: by a loop, an asynchronous loop, a result."""
    functions = [step(f"step{i}", function) for i, function in enumerate(STEPS[steps])]
    flow: Any = chain(step("src", SOURCES[source]), *functions)
    last = f"step{len(functions) - 1}"

    def numbers(outputs: Any) -> list[int]:
        return sorted(output[last]["x"] for output in outputs)

    expected = numbers((await asyncio.to_thread(run, flow))[0])
    assert numbers([output async for _, output in astream(flow)]) == expected
    assert sorted([product["x"] async for product in flow]) == expected
    assert await asyncio.to_thread(lambda: numbers(out for _, out in stream(flow))) == expected
    assert len(expected) == COUNT * (1 + ("several" in steps or "last" in steps))


@pytest.mark.parametrize("at", [0, 1, 20])
async def test_an_error_comes_behind_what_was_made_before_it(at: int) -> None:
    """And the generators that were open are closed, in the context of the run."""
    closed: list[str] = []

    def numbers() -> Iterator[dict[str, int]]:
        try:
            for x in range(COUNT):
                yield {"x": x}
        finally:
            closed.append("source")

    def fail(x: int) -> dict[str, int]:
        if x == at:
            raise LookupError(x)
        return {"x": x}

    seen: list[int] = []

    async def read() -> None:
        async for product in step("src", numbers) >> step("fail", fail):
            seen.append(product["x"])

    with pytest.raises(LookupError):
        await read()
    assert seen == [*range(at)]
    assert closed == ["source"]


async def test_a_reader_that_holds_the_loop_lets_others_have_their_turn() -> None:
    """Though it never has to wait for a product."""
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    await asyncio.sleep(0)
    begun = turns
    flow: Any = step("src", ({"x": x} for x in range(10**9))) >> step("plain", plain)
    async with aclosing(aiter(flow)) as products:
        async for product in products:
            if turns > begun + 3:
                break
            assert product["x"] < 10**6
    counting.cancel()


async def test_a_call_that_turns_out_to_be_asynchronous_is_closed_where_nobody_awaits_it() -> None:
    """Such as one of a run that is cancelled while it is paused."""
    pending = awaited(1)
    runs: list[Run] = []

    def pause(x: int) -> Any:
        runs[0].pause()
        return pending

    runs.append(start(step("src", [{"x": 1}]) >> step("pause", pause)))
    await until(lambda: runs[0].state == "paused")
    await runs[0].cancel()
    assert inspect.getcoroutinestate(pending) == inspect.CORO_CLOSED
