"""What holds for the operators whatever the limits, windows, sizes and delays are."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import aclosing
from itertools import islice
from typing import Any

from aiostream.core import Stream
from hypothesis import given
from hypothesis import strategies as st

from fluxus_rx.rx import to_observable, to_stream
from fluxus_rx.streams import buffer, flat_map, merge
from tests.support.probes import BUFFER, Calls, Source, alone, drained, listed, turns

Function = Callable[[int], Any]

sizes = st.integers(0, 40)
limits = st.sampled_from([1, 2, 3, 5, 16, 17, 256])
windows = st.sampled_from([None, 1, 2, 3, 10, 100])
seeds = st.integers(0, 2**32)
booleans = st.booleans()


def pausing(seed: int) -> Callable[[], Coroutine[Any, Any, None]]:
    """A function that yields to the loop a random number of times, often none."""
    numbers = random.Random(seed)

    async def pause() -> None:
        await turns(max(0, numbers.randint(-3, 4)))

    return pause


def function_of(calls: Calls, seed: int, several: bool) -> tuple[Function, Callable[[int], range]]:
    """A function for flat_map with random pauses, and what it returns for each item."""
    pause = pausing(seed)

    async def one(item: int) -> int:
        with calls.noted(item):
            await pause()
            return item

    async def some(item: int) -> AsyncIterator[int]:
        with calls.noted(item):
            await pause()
            for number in range(item, item + item % 4):
                yield number
                await pause()

    if several:
        return some, lambda item: range(item, item + item % 4)
    return one, lambda item: range(item, item + 1)


@given(sizes, limits, windows, booleans, booleans, booleans, seeds)
def test_flat_map_is_a_nested_loop(
    size: int,
    limit: int,
    window: int | None,
    ordered: bool,
    several: bool,
    patient: bool,
    seed: int,
) -> None:
    """Its items are those of a loop in a loop, in the same order if one is asked for."""
    calls = Calls()
    function, outcome = function_of(calls, seed, several)

    async def main() -> list[int]:
        source = Source(size, patient=patient)
        numbers = flat_map(source, function, concurrency=limit, ordered=ordered, window=window)
        found = await drained(numbers, [], pace=random.Random(seed).randint(0, 2))
        assert source.closed == 1
        assert alone()
        return found

    found = asyncio.run(main())
    wanted = [number for item in range(size) for number in outcome(item)]
    assert (found if ordered else sorted(found)) == (wanted if ordered else sorted(wanted))
    assert Counter(calls.started) == Counter(calls.finished) == Counter(range(size))
    assert calls.peak <= limit


@given(st.integers(0, 30), limits, windows, booleans, booleans, seeds)
def test_leaving_flat_map_early_leaves_nothing_behind(
    taken: int, limit: int, window: int | None, ordered: bool, several: bool, seed: int
) -> None:
    """After any number of items the source is closed, and every call has ended."""
    calls = Calls()
    function, outcome = function_of(calls, seed, several)

    async def main() -> list[int]:
        source = Source(patient=bool(seed % 2))
        found: list[int] = []
        numbers = flat_map(source, function, concurrency=limit, ordered=ordered, window=window)
        async with numbers.stream() as streamer:
            while len(found) < taken:
                found.append(await streamer.__anext__())
        assert source.opened == source.closed
        assert alone()
        return found

    found = asyncio.run(main())
    assert calls.active == 0
    if ordered:
        endless = (number for item in range(1_000) for number in outcome(item))
        assert found == list(islice(endless, taken))


@given(st.lists(sizes, max_size=6), booleans, seeds)
def test_merge_is_a_shuffle(ends: list[int], patient: bool, seed: int) -> None:
    """Its items are those of all sources, the items of each in their order."""
    pause = pausing(seed)

    async def named(name: int, source: Source) -> AsyncIterator[tuple[int, int]]:
        async with aclosing(aiter(source)) as numbers:
            async for number in numbers:
                await pause()
                yield name, number

    async def main() -> list[tuple[int, int]]:
        sources = [Source(end, patient=patient) for end in ends]
        found = await listed(merge(*[named(name, one) for name, one in enumerate(sources)]))
        assert all(source.closed == 1 for source in sources)
        return found

    found = asyncio.run(main())
    by_source = [[number for name, number in found if name == index] for index in range(len(ends))]
    assert by_source == [list(range(end)) for end in ends]


@given(sizes, st.integers(1, 20), booleans, seeds)
def test_buffer_changes_nothing(end: int, size: int, patient: bool, seed: int) -> None:
    """Its items are those of the source, and it is never further ahead than its size."""
    pause = pausing(seed)

    async def main() -> list[int]:
        source = Source(end, patient=patient)
        found: list[int] = []
        async with buffer(source, size).stream() as streamer:
            async for item in streamer:
                found.append(item)
                await pause()
                assert source.made <= len(found) + size
        return found

    assert asyncio.run(main()) == list(range(end))


crossings: st.SearchStrategy[list[Callable[[Any], Stream[Any]]]] = st.lists(
    st.sampled_from(
        [
            lambda numbers: to_stream(to_observable(numbers)),
            lambda numbers: buffer(numbers, 1),
            lambda numbers: buffer(numbers, 7),
            lambda numbers: merge(numbers),
            lambda numbers: flat_map(numbers, _same, concurrency=3, ordered=True),
        ]
    ),
    max_size=5,
)


async def _same(item: int) -> int:
    await turns(item % 3)
    return item


@given(st.integers(0, 60), crossings, booleans)
def test_any_pipeline_keeps_items_and_order(
    end: int, operators: list[Callable[[Any], Stream[Any]]], patient: bool
) -> None:
    """Through operators that change nothing, in any order, nothing changes."""

    async def main() -> list[int]:
        numbers: Any = Source(end, patient=patient)
        for operator in operators:
            numbers = operator(numbers)
        return await listed(numbers)

    assert asyncio.run(main()) == list(range(end))


@given(crossings, st.integers(0, 20))
def test_any_pipeline_reads_a_bounded_number_of_items_ahead(
    operators: list[Callable[[Any], Stream[Any]]], taken: int
) -> None:
    """The source of a pipeline stays within the sum of its buffers, and is closed with it."""

    async def main() -> None:
        source = Source(patient=False)
        numbers: Any = merge(source)
        for operator in operators:
            numbers = operator(numbers)
        async with numbers.stream() as streamer:
            for _ in range(taken):
                await streamer.__anext__()
            await turns(100)
            # A stage holds at most two buffers and what it has in hand, of 12 calls in order.
            assert source.made <= taken + (len(operators) + 1) * (2 * BUFFER + 12 + 2)
        assert source.opened == source.closed
        assert alone()

    asyncio.run(main())
