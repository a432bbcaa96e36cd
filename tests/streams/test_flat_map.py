"""flat_map: calls at the same time, up to a limit, in completion order or in the source's."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiostream import stream

from fluxus_rx.streams import flat_map
from tests.support.probes import BUFFER, Calls, Source, alone, listed, turns, until


async def test_a_coroutine_function_gives_one_product_for_each_item() -> None:
    """The result of each call is one product, whatever it is."""

    async def describe(item: int) -> Any:
        return [None, (), [1, 2]][item]

    found = await listed(flat_map(stream.range(3), describe, ordered=True))
    assert found == [None, (), [1, 2]]


async def test_an_async_generator_gives_any_number_of_products() -> None:
    """Each item that a call yields is a product of its own, and a call may yield none."""

    async def repeated(item: int) -> AsyncIterator[int]:
        for _ in range(item):
            yield item

    found = await listed(flat_map(stream.range(4), repeated))
    assert sorted(found) == [1, 2, 2, 3, 3, 3]


async def test_each_item_is_passed_to_one_call() -> None:
    """The function is called exactly once per item, with calls at the same time or not."""
    calls = Calls()
    await listed(flat_map(stream.range(200), calls.briefly, concurrency=7))
    assert sorted(calls.started) == sorted(calls.finished) == list(range(200))


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_refused_at_once(limit: int) -> None:
    """No calls at all is a ValueError that shows the limit, before anything runs."""
    with pytest.raises(ValueError, match=str(limit)):
        flat_map(Source(), Calls().at_once, concurrency=limit)


@pytest.mark.parametrize("limit", ["3", 1.5, [2]], ids=repr)
def test_a_limit_that_is_no_whole_number_is_refused_at_once(limit: Any) -> None:
    """A limit of another type is an error that shows it, before anything runs."""
    with pytest.raises((TypeError, ValueError), match=re.escape(repr(limit))):
        flat_map(Source(), Calls().at_once, concurrency=limit)


@pytest.mark.parametrize("function", [5, "abc", None], ids=repr)
def test_what_cannot_be_called_is_refused_at_once(function: Any) -> None:
    """A function that is none is a TypeError that shows what came."""
    with pytest.raises(TypeError, match=repr(function)):
        flat_map(Source(), function)


async def test_a_function_that_is_not_asynchronous_is_refused_at_its_first_call() -> None:
    """What a plain function returns cannot be awaited: a TypeError, and the source is closed."""
    source = Source()
    plain: Any = abs
    with pytest.raises(TypeError):
        await flat_map(source, plain)
    assert source.closed == 1


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("limit", [1, 2, 3, 10])
async def test_the_limit_is_reached_and_never_passed(limit: int, ordered: bool) -> None:
    """As many calls as the limit says are in flight at once, and not one more."""
    calls = Calls()
    found = listed(flat_map(Source(30), calls.slowly, concurrency=limit, ordered=ordered))
    assert sorted(await found) == list(range(30))
    assert calls.peak == limit


async def test_the_limit_counts_generators_while_they_are_open() -> None:
    """A call that yields is in flight until it has yielded its last product."""
    calls = Calls()

    async def slowly(item: int) -> AsyncIterator[int]:
        with calls.noted(item):
            for number in range(3):
                await asyncio.sleep(0)
                yield number

    await listed(flat_map(Source(30), slowly, concurrency=4))
    assert calls.peak == 4


async def test_the_default_limit_is_256() -> None:
    """Where nothing is said, 256 calls are in flight at once."""
    calls = Calls()
    task = asyncio.create_task(listed(flat_map(Source(), calls.held)))
    await until(lambda: calls.active >= 256)
    await turns(300)
    assert calls.active == calls.peak == 256
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_failed_call_ends_the_stream_with_its_own_error() -> None:
    """The very object that a call raised is raised, once all other calls have ended."""
    calls = Calls()
    error = LookupError("call")
    source = Source()

    async def fifth_fails(item: int) -> int:
        if item == 4:
            raise error
        return await calls.held(item)

    with pytest.raises(LookupError) as caught:
        await flat_map(source, fifth_fails, concurrency=8)
    assert caught.value is error
    assert calls.active == 0
    assert sorted(calls.cancelled) == sorted(calls.started)
    assert source.closed == 1
    assert alone()


async def test_a_failed_generator_ends_the_stream_with_its_own_error() -> None:
    """An error between two products of a call closes the generators of all other calls."""
    error = LookupError("call")
    opened: list[int] = []
    closed: list[int] = []

    async def second_fails(item: int) -> AsyncIterator[int]:
        opened.append(item)
        try:
            yield item
            if item == 1:
                raise error
            await asyncio.Event().wait()
        finally:
            closed.append(item)

    with pytest.raises(LookupError) as caught:
        await flat_map(Source(), second_fails, concurrency=3)
    assert caught.value is error
    assert sorted(closed) == sorted(opened)


async def test_the_failure_of_the_source_cancels_the_calls() -> None:
    """When the source fails, calls in flight are cancelled, and none of them is waited for."""
    calls = Calls()
    error = LookupError("source")
    with pytest.raises(LookupError) as caught:
        await flat_map(Source(3, error=error), calls.held)
    assert caught.value is error
    assert sorted(calls.cancelled) == sorted(calls.started)
    assert calls.active == 0


@pytest.mark.parametrize("error", [GeneratorExit(), asyncio.CancelledError()], ids=repr)
async def test_a_call_that_raises_what_loops_raise_ends_the_stream(error: BaseException) -> None:
    """GeneratorExit and CancelledError raised by a function end the stream and clean up."""
    source = Source()

    async def third_fails(item: int) -> int:
        if item == 2:
            raise error
        return item

    with pytest.raises(type(error)):
        await listed(flat_map(source, third_fails, concurrency=2))
    assert source.closed == 1
    assert alone()


@pytest.mark.parametrize("error", [StopIteration(1), StopAsyncIteration(1)], ids=repr)
async def test_a_call_that_raises_the_end_of_an_iteration_is_an_error(error: Exception) -> None:
    """StopIteration and StopAsyncIteration from a function are RuntimeErrors, and no end."""

    async def third_stops(item: int) -> int:
        if item == 2:
            raise error
        return item

    with pytest.raises(RuntimeError):
        await listed(flat_map(Source(), third_stops, concurrency=2))


async def test_a_reader_that_leaves_cancels_and_awaits_the_calls() -> None:
    """When the reader has left, each call has ended, with what it does to clean up."""
    calls = Calls()
    cleaned: list[int] = []

    async def first_is_quick(item: int) -> int:
        if item == 0:
            return item
        try:
            return await calls.held(item)
        finally:
            await turns(3)
            cleaned.append(item)

    async with flat_map(Source(), first_is_quick, concurrency=5).stream() as streamer:
        assert await streamer.__anext__() == 0
        await turns()
        assert calls.active == 5
    assert sorted(cleaned) == sorted(calls.cancelled) == sorted(calls.started)


async def test_a_reader_that_leaves_closes_the_generators() -> None:
    """Generators that have more to yield are closed, not left to the garbage collector."""
    opened: list[int] = []
    closed: list[int] = []

    async def endless(item: int) -> AsyncIterator[int]:
        opened.append(item)
        try:
            while True:
                await asyncio.sleep(0)
                yield item
        finally:
            closed.append(item)

    async with flat_map(Source(), endless, concurrency=3).stream() as streamer:
        async for _ in streamer:
            break
    assert closed
    assert sorted(closed) == sorted(opened)


async def test_the_calls_clean_up_side_by_side() -> None:
    """Calls that wait for one another as they clean up all end."""
    everybody = asyncio.Barrier(3)
    running = asyncio.Barrier(4)
    cleaned: list[int] = []

    async def sociable(item: int) -> int:
        try:
            await running.wait()
            await asyncio.Event().wait()
        finally:
            await everybody.wait()
            cleaned.append(item)
        return item

    task = asyncio.create_task(listed(flat_map(Source(), sociable, concurrency=3)))
    await running.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sorted(cleaned) == [0, 1, 2]


async def test_an_error_of_a_call_that_cleans_up_is_not_lost() -> None:
    """What other calls raise as they are cancelled is told in the notes of the first error."""
    error = LookupError("first")
    running = asyncio.Event()

    async def second_fails(item: int) -> int:
        if item == 1:
            await running.wait()
            raise error
        try:
            running.set()
            await asyncio.Event().wait()
        finally:
            raise ValueError("as it cleaned up")
        return item

    with pytest.raises(LookupError) as caught:
        await flat_map(Source(2), second_fails)
    assert caught.value is error
    assert "as it cleaned up" in "".join(error.__notes__)


async def test_an_error_of_a_call_that_is_left_is_raised() -> None:
    """What a call raises as it is cancelled reaches the reader that left."""
    error = LookupError("as it cleaned up")

    async def clumsy(item: int) -> int:
        if item == 0:
            return item
        try:
            await asyncio.Event().wait()
        finally:
            raise error
        return item

    async def read() -> None:
        async with flat_map(Source(2), clumsy).stream() as streamer:
            await streamer.__anext__()
            await turns()

    with pytest.raises(LookupError) as caught:
        await read()
    assert caught.value is error
    assert alone()


async def test_the_source_stands_still_while_the_calls_are_held() -> None:
    """With all calls waiting, the source is one buffer and one item ahead of them."""
    calls = Calls()
    source = Source(patient=False)
    task = asyncio.create_task(listed(flat_map(source, calls.held, concurrency=5)))
    await turns()
    assert len(calls.started) == 5
    assert source.made <= 5 + BUFFER + 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_call_with_endless_products_stands_still_while_the_reader_is_busy() -> None:
    """A generator is never further ahead of the reader than the buffer."""
    yielded = 0

    async def numbers(_: int) -> AsyncIterator[int]:
        nonlocal yielded
        for number in itertools.count():
            yielded += 1
            yield number

    async with flat_map(stream.just(0), numbers).stream() as streamer:
        for read in range(1, 100):
            await streamer.__anext__()
            await turns()
            assert yielded <= read + BUFFER + 1
