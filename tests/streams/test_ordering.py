"""flat_map with an order to keep: a bounded window of products that wait for their turn."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest
from aiostream import stream

from fluxus_rx.streams import flat_map
from tests.support.probes import BUFFER, Calls, Source, listed, turns


async def twice(item: int) -> AsyncIterator[int]:
    yield item
    await asyncio.sleep(0)
    yield -item


@pytest.mark.parametrize("window", [0, -3])
def test_a_window_below_one_is_refused_at_once(window: int) -> None:
    """A window without room is a ValueError that shows it."""
    with pytest.raises(ValueError, match=str(window)):
        flat_map(Source(), Calls().at_once, ordered=True, window=window)


async def test_products_come_out_as_they_are_completed() -> None:
    """Without an order to keep, a call that takes long delays nobody else."""
    calls = Calls()

    async def first_is_held(item: int) -> int:
        return await (calls.held if item == 0 else calls.at_once)(item)

    seen: list[int] = []
    async with flat_map(Source(5), first_is_held, concurrency=2).stream() as streamer:
        async for item in streamer:
            seen.append(item)
            if len(seen) == 4:
                calls.gate.set()
    assert seen == [1, 2, 3, 4, 0]


async def test_ordered_products_come_out_as_their_items_came_in() -> None:
    """With an order to keep, calls run at the same time and their products wait their turn."""
    calls = Calls()

    async def first_of_four_is_last(item: int) -> int:
        with calls.noted(item):
            await turns(40 * (4 - item % 4))
            return item

    ordered = flat_map(Source(16), first_of_four_is_last, concurrency=4, ordered=True)
    assert await listed(ordered) == list(range(16))
    assert calls.finished[:4] == [3, 2, 1, 0]
    assert calls.peak == 4


async def test_ordered_products_of_generators_stay_together() -> None:
    """All products of one item come out before the first of the next item."""
    found = await listed(flat_map(Source(20), twice, concurrency=5, ordered=True))
    assert found == [sign * item for item in range(20) for sign in (1, -1)]


async def test_one_call_at_a_time_keeps_the_order() -> None:
    """A limit of one is a sequence of calls."""
    found = await listed(flat_map(Source(20), twice, concurrency=1))
    assert found == [sign * item for item in range(20) for sign in (1, -1)]


async def test_the_first_of_an_order_may_be_slow_without_stalling_the_rest() -> None:
    """Behind a slow first call more calls run than the limit allows at once, up to the window."""
    calls = Calls()

    async def first_is_held(item: int) -> int:
        return await (calls.held if item == 0 else calls.at_once)(item)

    ordered = flat_map(Source(100), first_is_held, concurrency=2, ordered=True, window=10)
    task = asyncio.create_task(listed(ordered))
    await turns(300)
    assert 3 < len(calls.started) <= 12
    calls.gate.set()
    assert await task == list(range(100))


async def test_a_window_bounds_what_waits_for_its_turn() -> None:
    """An endless source stands still while the window is full of products that must wait."""
    calls = Calls()

    async def first_is_held(item: int) -> int:
        return await (calls.held if item == 0 else calls.at_once)(item)

    source = Source(patient=False)
    ordered = flat_map(source, first_is_held, concurrency=3, ordered=True, window=4)
    task = asyncio.create_task(listed(ordered))
    await turns(300)
    assert source.made <= 4 + 3 + BUFFER + 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert source.closed == 1


async def test_the_default_window_is_bounded_too() -> None:
    """Where no window is given, a stuck first call does not let an endless source run on."""
    calls = Calls()

    async def first_is_held(item: int) -> int:
        return await (calls.held if item == 0 else calls.at_once)(item)

    source = Source(patient=False)
    task = asyncio.create_task(listed(flat_map(source, first_is_held, concurrency=3, ordered=True)))
    await turns(300)
    made = source.made
    assert 3 < made < 1_000
    await turns(300)
    assert source.made == made
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_endless_generator_waits_for_its_turn_in_bounded_memory() -> None:
    """A later call that yields for ever is held back while an earlier one has not ended."""
    calls = Calls()
    yielded = 0

    async def numbers(item: int) -> AsyncIterator[int]:
        nonlocal yielded
        if item == 0:
            await calls.held(item)
        else:
            for number in itertools.count():
                yielded += 1
                yield number

    ordered = flat_map(stream.range(2), numbers, concurrency=2, ordered=True)
    async with ordered.stream() as streamer:
        first = asyncio.ensure_future(streamer.__anext__())
        await turns(300)
        assert yielded <= 2 * BUFFER
        calls.gate.set()
        assert await first == 0


async def test_a_failed_call_does_not_wait_for_its_turn_in_the_order() -> None:
    """With an order to keep, an error ends the stream though an earlier call has not ended."""
    calls = Calls()

    async def second_fails(item: int) -> int:
        if item == 1:
            raise LookupError
        return await calls.held(item)

    with pytest.raises(LookupError):
        await flat_map(Source(), second_fails, concurrency=2, ordered=True)
    assert calls.cancelled == [0]


async def test_many_products_of_one_item_come_out_in_their_order() -> None:
    """The products of one call keep their order, however many there are."""

    async def numbers(_: int) -> AsyncIterator[int]:
        for number in range(20_000):
            yield number

    assert await listed(flat_map(stream.just(0), numbers)) == list(range(20_000))
