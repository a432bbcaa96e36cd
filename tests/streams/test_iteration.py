"""A plain iterator as a stream."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import pytest

from fluxus_rx._streams.iteration import END, IteratorStream
from fluxus_rx._streams.timing import TimeSlice

VARIABLE: ContextVar[int] = ContextVar("VARIABLE", default=0)


class Counted:
    """Numbers that say when they are closed; `fault` is raised behind them."""

    def __init__(self, count: int, fault: BaseException | None = None) -> None:
        self.numbers = iter(range(count))
        self.fault = fault
        self.closed = 0

    def __iter__(self) -> Iterator[int]:
        return self

    def __next__(self) -> int:
        for number in self.numbers:
            return number
        raise StopIteration if self.fault is None else self.fault

    def close(self) -> None:
        self.closed += 1


async def test_items_come_by_polling_and_by_waiting() -> None:
    """They are the same items, and END is there as often as it is asked for."""
    stream: IteratorStream[int] = IteratorStream(Counted(3), TimeSlice())
    assert [stream.poll(), await anext(stream), stream.poll()] == [0, 1, 2]
    assert [stream.poll(), stream.poll()] == [END, END]
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_a_paused_run_asks_for_no_item() -> None:
    """Who waits gets the next item when the run goes on."""
    time_slice, counted = TimeSlice(), Counted(2)
    stream: IteratorStream[int] = IteratorStream(counted, time_slice)
    time_slice.pause()
    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    assert stream.poll() is END
    assert not waiting.done()
    time_slice.resume()
    assert await waiting == 0


async def test_the_loop_gets_its_turns() -> None:
    """What never waits is polled no longer than a slice of time lasts."""
    time_slice = TimeSlice()
    stream: IteratorStream[int] = IteratorStream(Counted(2), time_slice)
    time_slice.due = 0.0
    assert stream.poll() is END
    assert await anext(stream) == 0


async def test_its_code_runs_in_one_context() -> None:
    """What it sets, it finds again, whoever reads, and nobody else does."""

    def numbers() -> Iterator[int]:
        for number in range(3):
            assert VARIABLE.get() == number
            VARIABLE.set(number + 1)
            yield number

    stream: IteratorStream[int] = IteratorStream(numbers(), TimeSlice())
    assert stream.poll() == 0
    assert await asyncio.ensure_future(anext(stream)) == 1
    assert stream.poll() == 2
    assert VARIABLE.get() == 0


@pytest.mark.parametrize("fault", [ValueError(), KeyboardInterrupt(), asyncio.CancelledError()])
async def test_an_error_closes_it_and_is_raised_as_it_is(fault: BaseException) -> None:
    """Then it is at its end."""
    counted = Counted(0, fault)
    stream: IteratorStream[int] = IteratorStream(counted, TimeSlice())
    with pytest.raises(type(fault)) as raised:
        stream.poll()
    assert raised.value is fault
    assert stream.poll() is END
    await stream.aclose()
    assert counted.closed == 1


async def test_an_error_that_looks_like_an_end_is_none() -> None:
    """StopAsyncIteration of the iterator is raised as another error."""
    stream: IteratorStream[Any] = IteratorStream(Counted(0, StopAsyncIteration()), TimeSlice())
    with pytest.raises(RuntimeError, match="StopAsyncIteration"):
        await anext(stream)


@pytest.mark.parametrize("read", [0, 1])
async def test_closing_closes_the_iterator_once(read: int) -> None:
    """Also one that nobody has read, and that one alone which is not at its end."""
    counted = Counted(2)
    stream: IteratorStream[int] = IteratorStream(counted, TimeSlice())
    for _ in range(read):
        stream.poll()
    await stream.aclose()
    await stream.aclose()
    assert counted.closed == 1
    assert stream.poll() is END
