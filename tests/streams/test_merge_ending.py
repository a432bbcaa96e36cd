"""Merge.end: sources that are told to yield no more, while what they have yielded still comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from fluxus_rx._streams.merge import Merge
from fluxus_rx._streams.timing import TimeSlice
from tests.support.probes import BUFFER, Source, alone, drained, turns, until


async def rest(merged: Merge[int]) -> list[int]:
    """All items from here on."""
    return [item async for item in merged]


async def test_what_has_been_read_still_comes() -> None:
    """After `end` come the items that wait, in their order, then the end of the stream."""
    source = Source()
    merged = Merge((source,), BUFFER)
    assert await anext(merged) == 0
    await until(lambda: source.made == BUFFER + 1)
    merged.end()
    assert await rest(merged) == list(range(1, BUFFER + 1))
    assert source.made == BUFFER + 1
    assert source.closed == 1
    assert alone()


async def test_a_source_that_waits_is_not_waited_for() -> None:
    """A reader gets the end although the source would have yielded nothing for ever."""
    closed: list[bool] = []

    async def waiting() -> AsyncIterator[int]:
        try:
            yield 0
            await asyncio.Event().wait()
        finally:
            closed.append(True)

    merged = Merge((waiting(), waiting()), BUFFER)
    assert [await anext(merged), await anext(merged)] == [0, 0]
    reading = asyncio.ensure_future(rest(merged))
    await turns()
    merged.end()
    assert await reading == []
    assert closed == [True, True]
    assert alone()


@pytest.mark.parametrize("begun", ["never", "just now"])
async def test_an_end_before_the_first_item_is_the_end(begun: str) -> None:
    """A stream that is ended before its sources were opened yields nothing, and closes them."""
    source = Source()
    merged = Merge((source, source), BUFFER)
    reading = asyncio.ensure_future(anext(merged, None))
    if begun == "just now":
        await asyncio.sleep(0)  # the tasks are there, but haven't had a turn
    merged.end()
    assert await reading is None
    assert await rest(merged) == []
    assert source.opened == source.made == 0
    assert alone()


async def test_a_merge_of_nothing_can_be_ended() -> None:
    """Without sources there is nothing to wait for."""
    merged: Merge[int] = Merge((), BUFFER)
    merged.end()
    assert await rest(merged) == []


async def test_an_end_twice_is_an_end_once() -> None:
    """What comes after `end` doesn't break into what a source does to clean up: no second `end`, no
    `cancel` and no `aclose`."""
    gate = asyncio.Event()
    steps: list[str] = []

    async def tidy() -> AsyncIterator[int]:
        try:
            yield 0
            await asyncio.Event().wait()
        finally:
            steps.append("cleans up")
            await gate.wait()
            steps.append("clean")

    merged = Merge((tidy(),), BUFFER)
    assert await anext(merged) == 0
    await turns(3)
    merged.end()
    await turns(3)
    merged.end()
    merged.cancel()
    closing = asyncio.ensure_future(merged.aclose())
    await turns(3)
    assert steps == ["cleans up"]
    gate.set()
    await closing
    assert steps == ["cleans up", "clean"]
    assert await rest(merged) == []
    assert alone()


@pytest.mark.parametrize("where", ["between items", "at its yield"])
async def test_an_error_in_closing_is_an_error_of_the_stream(where: str) -> None:
    """What a source raises as it cleans up comes after the items that wait."""

    async def untidy() -> AsyncIterator[int]:
        try:
            for number in range(3 if where == "between items" else BUFFER + 3):
                yield number
            await asyncio.Event().wait()
        finally:
            raise LookupError("untidy")

    merged = Merge((untidy(),), BUFFER)
    assert await anext(merged) == 0
    await turns()
    merged.end()
    found: list[int] = []
    with pytest.raises(LookupError, match="untidy"):
        await drained(merged, found)
    assert found == list(range(1, 3 if where == "between items" else BUFFER + 1))
    await merged.aclose()
    assert alone()


async def test_what_a_source_gives_in_answer_is_dropped() -> None:
    """A source that swallows the cancellation and goes on is closed at its next item."""
    answers: list[int] = []

    async def stubborn() -> AsyncIterator[int]:
        yield 0
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                answers.append(1)
                yield 1

    merged = Merge((stubborn(),), BUFFER)
    assert await anext(merged) == 0
    await turns(3)
    merged.end()
    assert await rest(merged) == []
    assert answers == [1]
    assert alone()


async def test_an_end_leaves_no_trace_in_the_task() -> None:
    """A source that cleans up at its yield may use time-outs and task groups to do so."""
    asked: list[int] = []

    async def tidy() -> AsyncIterator[int]:
        try:
            while True:
                yield 0
        finally:
            task = asyncio.current_task()
            assert task is not None
            asked.append(task.cancelling())

    merged = Merge((tidy(),), BUFFER)
    await anext(merged)
    await turns(3)
    merged.end()
    assert len(await rest(merged)) == BUFFER
    assert asked == [0]


@pytest.mark.parametrize("after", ["a cancellation", "the end", "an error"])
async def test_an_end_afterwards_changes_nothing(after: str) -> None:
    """A stream that is over, for whatever reason, can be told to end."""
    source = Source(3, error=LookupError("its own") if after == "an error" else None)
    merged = Merge((source,), BUFFER)
    assert await anext(merged) == 0
    if after == "a cancellation":
        merged.cancel()
    else:
        await turns()
    merged.end()
    if after == "an error":
        with pytest.raises(LookupError, match="its own"):
            await rest(merged)
    else:
        assert await rest(merged) == ([] if after == "a cancellation" else [1, 2])
    await merged.aclose()
    assert source.closed == 1
    assert alone()


async def test_a_pause_holds_all_sources_that_share_the_turn() -> None:
    """With a turn of the run's own, no source is read on while the run is paused; an end ends it
    all the same."""
    time_slice = TimeSlice()
    source = Source()
    merged = Merge((source, source), BUFFER, time_slice=time_slice)
    await anext(merged)
    time_slice.pause()
    await turns()
    made = source.made
    found = await asyncio.wait_for(_take(merged, made - 1), 10)
    await turns()
    assert source.made == made
    merged.end()
    assert await rest(merged) == []
    assert len(found) == made - 1
    assert source.opened == source.closed == 2


async def _take(merged: Merge[int], number: int) -> list[int]:
    return [await anext(merged) for _ in range(number)]
