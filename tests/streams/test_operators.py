"""What flat_map, merge and buffer have in common, as operators in any aiostream pipeline."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterable, AsyncIterator, Callable
from typing import Any, TypeAlias

import pytest
from aiostream import pipe, stream
from aiostream.core import Stream

from fluxus_rx.streams import buffer, flat_map, merge
from tests.support.probes import BUFFER, Source, alone, drained, listed, turns, until

Operator: TypeAlias = Callable[[AsyncIterable[Any]], Stream[Any]]

SIZE = 4

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="untouched")


async def same(item: Any) -> Any:
    return item


async def one(item: Any) -> AsyncIterator[Any]:
    yield item


OPERATORS: dict[str, Operator] = {
    "flat_map of a coroutine function": lambda source: flat_map(source, same, concurrency=SIZE),
    "flat_map of an async generator": lambda source: flat_map(source, one, concurrency=SIZE),
    "flat_map in order": lambda source: flat_map(source, same, concurrency=SIZE, ordered=True),
    "merge": lambda source: merge(source),
    "buffer": lambda source: buffer(source, SIZE),
}

IN_ORDER = [name for name in OPERATORS if name in ("flat_map in order", "merge", "buffer")]


@pytest.fixture(params=OPERATORS)
def operator(request: pytest.FixtureRequest) -> Operator:
    return OPERATORS[request.param]


@pytest.fixture(params=IN_ORDER)
def operator_in_order(request: pytest.FixtureRequest) -> Operator:
    return OPERATORS[request.param]


async def test_every_item_comes_out_once(operator: Operator) -> None:
    """An operator that changes nothing loses nothing and repeats nothing."""
    assert sorted(await listed(operator(Source(50)))) == list(range(50))


async def test_items_keep_their_order(operator_in_order: Operator) -> None:
    """One source through an operator that promises order comes out as it went in."""
    assert await listed(operator_in_order(Source(50))) == list(range(50))


async def test_an_empty_source_gives_an_empty_stream(operator: Operator) -> None:
    """Nothing in, nothing out, and the source is closed."""
    source = Source(0)
    assert await listed(operator(source)) == []
    assert source.closed == 1


@pytest.mark.parametrize("wrong", [[1, 2], 5, None, "abc"], ids=repr)
def test_what_cannot_be_iterated_is_refused_at_once(operator: Operator, wrong: Any) -> None:
    """A source that isn't an asynchronous iterable is a TypeError before anything runs."""
    with pytest.raises(TypeError, match="async"):
        operator(wrong)


async def test_items_that_look_like_signals_are_items(operator_in_order: Operator) -> None:
    """None, strings, exceptions and classes of exceptions pass like any other item."""
    items = [None, "END", StopAsyncIteration(), StopAsyncIteration, ValueError("x"), ..., ()]
    assert await listed(operator_in_order(stream.iterate(items))) == items


async def test_the_error_of_the_source_is_raised_as_it_is(operator: Operator) -> None:
    """An error in the source reaches the reader as the very object, and the source is closed."""
    error = LookupError("source")
    source = Source(3, error=error)
    with pytest.raises(LookupError) as caught:
        await listed(operator(source))
    assert caught.value is error
    assert source.closed == 1


async def test_the_error_of_a_source_that_never_began_is_raised(operator: Operator) -> None:
    """A source that fails before its first item fails the stream."""
    error = LookupError("source")
    with pytest.raises(LookupError) as caught:
        await listed(operator(Source(0, error=error)))
    assert caught.value is error


@pytest.mark.parametrize("name", ["merge", "buffer"])
async def test_what_came_before_an_error_comes_out_before_it(name: str) -> None:
    """Items that the source yielded before it failed are read before its error is."""
    seen: list[int] = []
    with pytest.raises(LookupError):
        await drained(OPERATORS[name](Source(3, error=LookupError())), seen, pace=60)
    assert seen == [0, 1, 2]


async def test_nothing_runs_before_the_first_item_is_asked_for(operator: Operator) -> None:
    """Making a stream, or a context for it, starts nothing."""
    source = Source()
    async with operator(source).stream():
        await turns()
        assert source.opened == 0
    assert alone()


async def test_a_stream_can_be_read_again(operator: Operator) -> None:
    """Each iteration of a stream iterates its source again."""
    source = Source(5)
    numbers = operator(source)
    assert sorted(await listed(numbers)) == sorted(await listed(numbers))
    assert source.opened == 2


async def test_a_reader_that_leaves_closes_the_source(operator: Operator) -> None:
    """Once the reader's block is left, the source is closed and no task is left."""
    source = Source()
    async with operator(source).stream() as streamer:
        async for _ in streamer:
            break
    assert source.closed == 1
    assert alone()


async def test_a_reader_that_fails_closes_the_source(operator: Operator) -> None:
    """An error in the reader's block closes the source and is raised as it is."""
    source = Source()
    error = RuntimeError("reader")

    async def read() -> None:
        async with operator(source).stream() as streamer:
            async for _ in streamer:
                raise error

    with pytest.raises(RuntimeError) as caught:
        await read()
    assert caught.value is error
    assert source.closed == 1


async def test_a_reader_that_is_cancelled_closes_the_source(operator: Operator) -> None:
    """A cancelled reader ends as cancelled, after its source has been closed."""
    source = Source()

    async def read() -> None:
        await operator(source)

    task = asyncio.create_task(read())
    await until(lambda: source.made > 0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert source.closed == 1
    assert alone()


async def test_a_source_that_waits_can_be_cancelled(operator: Operator) -> None:
    """A reader that waits for a source without items is free to be cancelled."""
    waiting = asyncio.Event()
    closed: list[bool] = []

    async def silent() -> AsyncIterator[int]:
        try:
            waiting.set()
            await asyncio.Event().wait()
            yield 1
        finally:
            closed.append(True)

    async def read() -> None:
        await operator(silent())

    task = asyncio.create_task(read())
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert closed == [True]


async def test_a_timeout_around_a_stream_closes_the_source(operator: Operator) -> None:
    """A time-out of the reader's is a TimeoutError, and everything is closed by then."""
    source = Source()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await operator(source)
    assert source.opened == source.closed


async def test_a_source_is_never_far_ahead_of_its_reader(operator: Operator) -> None:
    """While the reader is busy the source stands still, within the limit and the buffers."""
    source = Source(patient=False)
    async with operator(source).stream() as streamer:
        read = 0
        async for _ in streamer:
            read += 1
            await turns()
            # A buffer behind the source, the calls, a buffer before the reader, one in the hand.
            assert source.made <= read + SIZE + 2 * BUFFER + 1
            if read == 100:
                break


async def test_an_endless_source_can_be_taken_from(operator: Operator) -> None:
    """The first items of an endless source are there without the rest."""
    source = Source(patient=False)
    assert len(await listed(operator(source)[:5])) == 5
    assert source.closed == 1


async def test_a_stream_that_never_suspends_leaves_turns_to_others(operator: Operator) -> None:
    """A source, a function and a reader that never suspend do not keep a cancellation away."""

    async def read() -> None:
        async with operator(Source(patient=False)).stream() as streamer:
            async for _ in streamer:
                pass

    task = asyncio.create_task(read())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_source_may_hold_a_task_group_across_its_items(operator: Operator) -> None:
    """One task reads a source from beginning to end."""

    async def grouped() -> AsyncIterator[int]:
        async with asyncio.TaskGroup():
            for number in range(6):
                await asyncio.sleep(0)
                yield number

    assert sorted(await listed(operator(grouped()))) == list(range(6))


async def test_a_timeout_of_a_source_that_ends_while_an_item_waits_is_a_timeout(
    operator: Operator,
) -> None:
    """A deadline inside a source that passes while its reader is busy is a TimeoutError."""

    async def impatient() -> AsyncIterator[int]:
        async with asyncio.timeout(0):
            while True:
                yield 0

    with pytest.raises(TimeoutError):
        await drained(operator(impatient()), [], pace=5)
    assert alone()


async def test_a_source_keeps_the_context_variables_it_sets(operator: Operator) -> None:
    """What a source sets it finds again after each item, and can reset in the end."""
    found: list[str] = []

    async def speaking() -> AsyncIterator[int]:
        token = VARIABLE.set("set by the source")
        try:
            for number in range(3):
                await asyncio.sleep(0)
                yield number
                found.append(VARIABLE.get())
        finally:
            VARIABLE.reset(token)

    await listed(operator(speaking()))
    assert found == ["set by the source"] * 3


async def test_a_source_sees_the_context_of_its_reader(operator: Operator) -> None:
    """A context variable that the reader has set is there in the source."""
    found: list[str] = []

    async def listening() -> AsyncIterator[int]:
        found.append(VARIABLE.get())
        yield 1

    token = VARIABLE.set("set by the reader")
    await listed(operator(listening()))
    VARIABLE.reset(token)
    assert found == ["set by the reader"]


async def test_cancelling_while_a_stream_cleans_up_is_not_forgotten(operator: Operator) -> None:
    """A cancellation that comes while the source is being closed still ends the reader."""
    closing, closed = asyncio.Event(), asyncio.Event()
    reached: list[str] = []

    async def clinging() -> AsyncIterator[int]:
        try:
            for number in range(1_000_000):
                await asyncio.sleep(0)
                yield number
        finally:
            closing.set()
            await closed.wait()

    async def read() -> None:
        async with operator(clinging()).stream() as streamer:
            async for _ in streamer:
                break
        await asyncio.sleep(0)
        reached.append("the next suspension")

    task = asyncio.create_task(read())
    await closing.wait()
    task.cancel()
    await turns(5)
    closed.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert reached == []


async def test_the_operators_stand_in_one_pipeline_with_stock_ones() -> None:
    """Each operator has a pipe form that follows and is followed by aiostream's own."""

    def even(number: int) -> bool:
        return number % 2 == 0

    def successor(number: int, *_: int) -> int:
        return number + 1

    numbers: Any = stream.range(10) | pipe.filter(even)
    numbers = numbers | flat_map.pipe(same, concurrency=2, ordered=True) | buffer.pipe(3)
    numbers = numbers | merge.pipe(stream.iterate([100, 101])) | pipe.map(successor)
    assert sorted(await listed(numbers)) == [1, 3, 5, 7, 9, 101, 102]


@pytest.mark.parametrize("name", OPERATORS)
def test_the_result_is_a_stream(name: str) -> None:
    """An operator returns aiostream's own Stream, with its pipes, slices and sums."""
    assert isinstance(OPERATORS[name](stream.range(3)), Stream)
