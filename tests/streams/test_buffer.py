"""buffer: a bounded number of items read ahead of a busy reader."""

from __future__ import annotations

from typing import Any

import pytest
from aiostream import stream

from fluxus_rx.streams import buffer
from tests.support.probes import Source, alone, turns


@pytest.mark.parametrize("size", [1, 2, 3, 10, 100])
async def test_as_many_items_are_read_ahead_as_the_size_says(size: int) -> None:
    """While the reader is busy the buffer fills to its size, and never beyond."""
    source = Source()
    async with buffer(source, size).stream() as streamer:
        for read in range(1, 20):
            await streamer.__anext__()
            await turns(3 * size + 10)
            assert source.made == read + size


async def test_the_rest_comes_out_after_the_source_has_ended() -> None:
    """Items in the buffer are not lost when the source ends before they are read."""
    source = Source(5)
    async with buffer(source, 10).stream() as streamer:
        assert await streamer.__anext__() == 0
        await turns()
        assert source.closed == 1
        assert [item async for item in streamer] == [1, 2, 3, 4]


async def test_an_error_waits_behind_the_items_before_it() -> None:
    """A source that fails while the reader is busy fails the reader after the items it yielded."""
    error = LookupError("source")
    async with buffer(Source(3, error=error), 10).stream() as streamer:
        assert await streamer.__anext__() == 0
        await turns()
        assert await streamer.__anext__() == 1
        assert await streamer.__anext__() == 2
        with pytest.raises(LookupError) as caught:
            await streamer.__anext__()
    assert caught.value is error


@pytest.mark.parametrize("size", [0, -1])
def test_a_size_below_one_is_refused_at_once(size: int) -> None:
    """A buffer without room is a ValueError that shows the size."""
    with pytest.raises(ValueError, match=str(size)):
        buffer(Source(), size)


@pytest.mark.parametrize("size", ["3", 1.5, None], ids=repr)
def test_a_size_that_is_no_whole_number_is_refused_at_once(size: Any) -> None:
    """A size of another type is an error that shows it, before anything runs."""
    with pytest.raises((TypeError, ValueError), match=repr(size)):
        buffer(Source(), size)


async def test_what_waits_in_the_buffer_is_dropped_when_the_reader_leaves() -> None:
    """Leaving with a full buffer closes the source and hands nothing over."""
    source = Source()
    async with buffer(source, 5).stream() as streamer:
        await streamer.__anext__()
        await turns()
    assert source.closed == 1
    assert alone()


async def test_source_and_reader_run_side_by_side() -> None:
    """With a buffer between them, a source works while its reader does."""
    source = Source(4)
    ahead: list[int] = []
    async with buffer(source, 2).stream() as streamer:
        async for item in streamer:
            await turns(10)
            ahead.append(source.made - item)
    assert ahead == [3, 3, 2, 1]


async def test_buffers_in_a_row_add_up() -> None:
    """Each buffer of a pipeline reads ahead by its own size."""
    source = Source()
    async with (source_buffered := buffer(buffer(source, 3), 4)).stream() as streamer:
        await streamer.__anext__()
        await turns(200)
        assert source.made == 1 + 3 + 4
    assert isinstance(source_buffered, type(stream.empty()))
