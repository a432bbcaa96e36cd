"""What a run has begun and never comes to read is closed, however the run ends."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from itertools import product
from typing import Any, Final

import pytest
from aiostream import pipe
from reactivex import operators as ops

from fluxus_rx import AsyncProducer, arun, astream, rx_pipe, start, step, stream_pipe

Row = Mapping[str, Any]
ROWS: Final = ({"x": 1}, {"x": 2})

#: how many generators are open
_open: list[object] = []


async def _coroutine() -> Any:
    return ROWS


def _plain_with_coroutine() -> Awaitable[Any]:
    return _coroutine()


def _generator() -> Iterator[Row]:
    _open.append(1)
    try:
        yield from ROWS
    finally:
        _open.pop()


async def _async_generator() -> AsyncIterator[Row]:
    _open.append(1)
    try:
        for row in ROWS:
            yield row
    finally:
        _open.pop()


async def _coroutine_of_generator() -> Any:
    return _async_generator()


class _Producer(AsyncProducer[Row]):
    """Emits rows without a step."""

    def aproduce(self) -> AsyncIterator[Row]:
        return _async_generator()


async def _late(x: int) -> Row:
    await asyncio.sleep(0)
    return {"y": x}


#: What begins to work before it is read, by what it is.
SOURCES: Final[dict[str, Callable[[], Any]]] = {
    "a coroutine": lambda: step("s", _coroutine),
    "a plain function's coroutine": lambda: step("s", _plain_with_coroutine),
    "a coroutine of a generator": lambda: step("s", _coroutine_of_generator),
    "a thread": lambda: step("s", _generator).options(executor="thread"),
    "a generator": lambda: step("s", _generator),
    "an asynchronous generator": lambda: step("s", _async_generator),
    "an asynchronous producer": lambda: _Producer() >> step("p", lambda x: {"x": x}),
    "a step that turns out to await": lambda: step("s", ROWS) >> step("l", lambda x: _late(x)),
}

#: What stands behind such a source.
BEHIND: Final[dict[str, Callable[[Any], Any]]] = {
    "nothing": lambda source: source,
    "an asynchronous step": lambda source: source >> step("a", _late),
    "an operator of Rx": lambda source: source >> rx_pipe(ops.map(lambda row: row)),
    "an operator of aiostream": lambda source: source >> stream_pipe(pipe.take(5)),
    "a group": lambda source: source >> (step("b", _late) & step("c", lambda x: {"z": x})),
}


def _raising() -> Any:
    raise ValueError("no source")


def _raising_generator() -> Iterator[Row]:
    raise ValueError("no item")
    yield {}


def _refused(source: Any) -> Any:
    raise ValueError("no stream")


#: What fails beside such a source, or of it, as the run begins.
FAILING: Final[dict[str, Callable[[Any], Any]]] = {
    "before": lambda flow: step("f", _raising) & flow,
    "behind": lambda flow: flow & step("f", _raising),
    "at its first item": lambda flow: flow & step("f", _raising_generator),
    "in a group": lambda flow: (flow & step("g", ROWS)) & step("f", _raising),
    "with a step behind all": lambda flow: (flow & step("f", _raising)) >> step("z", _late),
    "of its own": lambda flow: flow >> stream_pipe(_refused),
}


@contextlib.asynccontextmanager
async def _nothing_left() -> AsyncIterator[None]:
    """A block that leaves no generator open, and nothing that complains of not being awaited."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
        gc.collect()  # once, as that takes longer than a run
    assert [str(one.message) for one in caught] == []


@pytest.mark.parametrize("failing", FAILING)
async def test_a_failure_at_the_beginning_leaves_no_source_open(failing: str) -> None:
    """Where a part of a flow fails as the run begins, all that was begun beside it is closed."""
    async with _nothing_left():
        for source, behind in product(SOURCES, BEHIND):
            with pytest.raises(ValueError, match=r"no (source|item|stream)"):
                await arun(FAILING[failing](BEHIND[behind](SOURCES[source]())))
            assert _open == [], (source, behind)


@pytest.mark.parametrize("behind", BEHIND)
async def test_a_cancellation_in_any_of_its_first_turns_leaves_no_source_open(
    behind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is cancelled in any of its first turns closes what it has begun by then, also
    where each item takes a turn."""
    monkeypatch.setattr("fluxus_rx._streams.timing.SLICE", -1.0)
    async with _nothing_left():
        for source, turns in product(SOURCES, range(7)):
            flow = BEHIND[behind](SOURCES[source]()) & SOURCES[source]()
            task = asyncio.ensure_future(arun(flow))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            assert _open == [], (source, turns)


@pytest.mark.parametrize("within", [None, 0])
async def test_a_started_run_that_ends_early_leaves_no_source_open(within: float | None) -> None:
    """Cancelling or draining a started run in any of its first turns leaves no source open."""
    async with _nothing_left():
        for source, behind, turns in product(SOURCES, BEHIND, (0, 1, 3)):
            run = start(BEHIND[behind](SOURCES[source]()) & SOURCES[source]())
            for _ in range(turns):
                await asyncio.sleep(0)
            await run.cancel(within)
            assert _open == [], (source, behind, turns)


async def test_an_iteration_that_is_left_leaves_no_source_open() -> None:
    """Leaving an iteration over a flow after its first output leaves no source open."""
    async with _nothing_left():
        for source, behind in product(SOURCES, BEHIND):
            reading = astream(BEHIND[behind](SOURCES[source]()) & SOURCES[source]())
            await anext(reading)
            await reading.aclose()
            assert _open == [], (source, behind)
