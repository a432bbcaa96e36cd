"""merge: several sources side by side, each with its turn."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest
from aiostream import pipe, stream

from fluxus_rx.streams import merge
from tests.support.probes import BUFFER, Source, alone, listed, turns, until


async def test_every_item_of_every_source_comes_out_once() -> None:
    """Nothing of any source is lost or repeated."""
    found = await listed(merge(*[stream.range(10 * n, 10 * n + 10) for n in range(20)]))
    assert sorted(found) == list(range(200))


async def test_the_items_of_one_source_keep_their_order() -> None:
    """Items of different sources mix, items of the same source don't overtake one another."""
    found = await listed(merge(stream.range(0, 100, 2), Source(50), stream.range(1, 100, 2)))
    assert [item for item in found if item % 2 == 1 and item >= 50] == list(range(51, 100, 2))
    assert Counter(found) == Counter([*range(100), *range(50)])


async def test_no_sources_give_an_empty_stream() -> None:
    """A merge of nothing is at its end at once."""
    assert await listed(merge()) == []


async def test_one_source_twice_is_read_twice() -> None:
    """An iterable given twice is iterated twice."""
    source = Source(3)
    assert sorted(await listed(merge(source, source))) == [0, 0, 1, 1, 2, 2]
    assert source.opened == source.closed == 2


async def test_empty_sources_beside_others_do_no_harm() -> None:
    """A source that ends at once ends nobody else."""
    found = await listed(merge(Source(0), Source(3), stream.empty(), Source(0)))
    assert found == [0, 1, 2]


@pytest.mark.parametrize("position", [0, 1, 2])
def test_each_of_the_sources_is_checked_at_once(position: int) -> None:
    """One source that isn't an asynchronous iterable is a TypeError, in whatever place."""
    sources: list[Any] = [Source(1), Source(1)]
    sources.insert(position, [1, 2])
    with pytest.raises(TypeError, match="list"):
        merge(*sources)


async def named(name: int, source: Source) -> AsyncIterator[int]:
    """The name in place of each item."""
    async with aclosing(source.__aiter__()) as numbers:
        async for _ in numbers:
            yield name


@pytest.mark.parametrize("patient", [True, False])
@pytest.mark.parametrize("number", [2, 3, 10])
async def test_busy_sources_have_their_turns(number: int, patient: bool) -> None:
    """Endless sources that always have an item ready are read about as often as one another."""
    sources = [named(n, Source(patient=patient)) for n in range(number)]
    found = await listed(merge(*sources)[: number * 100])
    counts = Counter(found)
    assert len(counts) == number
    assert max(counts.values()) - min(counts.values()) <= BUFFER


async def test_a_source_that_never_suspends_does_not_starve_one_that_does() -> None:
    """Beside a source that is always ready, one that takes a few turns still comes through."""
    slow, fast = named(0, Source()), named(1, Source(patient=False))
    found = await listed(merge(fast, slow)[:500])
    assert found.count(0) >= 50


async def test_a_source_that_waits_holds_nobody_up() -> None:
    """While one source waits, all items of the others come out."""
    gate = asyncio.Event()

    async def held() -> AsyncIterator[int]:
        await gate.wait()
        yield -1

    seen: list[int] = []
    async with merge(held(), Source(30)).stream() as streamer:
        async for item in streamer:
            seen.append(item)
            if len(seen) == 30:
                gate.set()
    assert seen == [*range(30), -1]


async def test_an_item_comes_out_as_soon_as_it_is_there() -> None:
    """A single item is not kept back until there are more."""
    ready = asyncio.Event()

    async def drip() -> AsyncIterator[int]:
        yield 1
        await ready.wait()
        yield 2

    async with merge(drip(), drip()).stream() as streamer:
        assert [await streamer.__anext__(), await streamer.__anext__()] == [1, 1]
        ready.set()
        assert [await streamer.__anext__(), await streamer.__anext__()] == [2, 2]


async def test_the_failure_of_one_source_closes_the_others() -> None:
    """The very object that a source raised is raised, once all other sources are closed."""
    error = LookupError("source")
    endless = [Source(), Source()]
    with pytest.raises(LookupError) as caught:
        await merge(endless[0], Source(3, error=error), endless[1])
    assert caught.value is error
    assert [source.opened for source in endless] == [source.closed for source in endless]
    assert alone()


async def test_the_first_of_two_failures_is_raised() -> None:
    """When two sources fail at once there is one error, and it is one of the two."""
    errors = [LookupError("first"), LookupError("second")]
    with pytest.raises(LookupError) as caught:
        await merge(*[Source(2, error=error, patient=False) for error in errors])
    assert any(caught.value is error for error in errors)


async def test_sources_are_closed_side_by_side() -> None:
    """Sources that wait for one another as they clean up are all closed."""
    everybody = asyncio.Barrier(3)
    closed: list[int] = []

    async def sociable(number: int) -> AsyncIterator[int]:
        try:
            yield number
            await asyncio.Event().wait()
        finally:
            await everybody.wait()
            closed.append(number)

    async with merge(*map(sociable, range(3))).stream() as streamer:
        for _ in range(3):
            await streamer.__anext__()
    assert sorted(closed) == [0, 1, 2]


async def test_an_error_while_sources_are_closed_is_not_lost() -> None:
    """What a source raises as it is closed reaches the reader that left."""
    error = LookupError("closing")

    async def clumsy() -> AsyncIterator[int]:
        try:
            while True:
                await asyncio.sleep(0)
                yield 1
        finally:
            raise error

    other = Source()

    async def read() -> None:
        async with merge(clumsy(), other).stream() as streamer:
            async for _ in streamer:
                if other.opened:
                    break

    with pytest.raises(LookupError) as caught:
        await read()
    assert caught.value is error
    assert other.closed == 1


async def test_all_sources_stand_still_while_the_reader_is_busy() -> None:
    """However many sources there are, none runs further ahead than the buffer."""
    sources = [Source(patient=False) for _ in range(20)]
    async with merge(*sources).stream() as streamer:
        for read in range(1, 100):
            await streamer.__anext__()
            await turns()
            # For each source one item in the hand and one in the buffer, which has at least 16.
            ahead = sum(source.made for source in sources) - read
            assert ahead <= max(BUFFER, len(sources)) + len(sources)


async def test_a_cancelled_reader_closes_all_sources() -> None:
    """Cancelled amid the items of many sources, the reader leaves none of them open."""
    sources = [Source() for _ in range(5)]

    async def read() -> None:
        await merge(*sources)

    task = asyncio.create_task(read())
    await until(lambda: all(source.made for source in sources))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [source.closed for source in sources] == [1] * 5


async def test_merges_can_be_merged() -> None:
    """A merge is a source like any other."""
    inner = merge(stream.range(3), stream.range(3, 6))
    found = await listed(inner | merge.pipe(merge(stream.range(6, 9)), stream.range(9, 12)))
    assert sorted(found) == list(range(12))


async def test_a_thousand_sources_can_be_merged() -> None:
    """The number of sources is limited by memory only."""
    found = await listed(merge(*[stream.just(n) for n in range(1_000)]) | pipe.take(1_000))
    assert sorted(found) == list(range(1_000))
