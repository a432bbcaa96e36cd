"""Time-outs and cancel scopes that an asynchronous source holds across its `yield`."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import pytest
from aiostream import stream

from fluxus_rx import AsyncProducer, AsyncTransformer, InvalidProductError, arun, start, step
from fluxus_rx._streams.iteration import iterate, relay
from fluxus_rx.testing import virtual_time
from tests.support.conduits import Collect
from tests.support.probes import alone, drained, listed, turns, until

Source = Callable[[], AsyncGenerator[dict[str, int], None]]


async def endless() -> AsyncGenerator[dict[str, int], None]:
    """Holds a time-out of five seconds, and would go on for ever."""
    async with asyncio.timeout(5):
        for number in itertools.count():
            yield {"y": number}
            await asyncio.sleep(0)


async def answering() -> AsyncGenerator[dict[str, int], None]:
    """Catches the time-out that it holds, and yields two more."""
    try:
        async with asyncio.timeout(5):
            for number in itertools.count():
                yield {"y": number}
                await asyncio.sleep(0)
    except TimeoutError:
        yield {"y": -1}
        await asyncio.sleep(0)
        yield {"y": -2}


async def slow(y: int) -> dict[str, int]:
    """Takes a second: the source waits for room when its time is up."""
    await asyncio.sleep(1)
    return {"z": y}


class Produces(AsyncProducer[dict[str, int]]):
    def __init__(self, source: Source) -> None:
        self.source = source

    def aproduce(self) -> AsyncIterable[dict[str, int]]:
        return self.source()


class Slow(AsyncTransformer[dict[str, int], int]):
    """Takes a second for each product."""

    async def atransform(self, product: dict[str, int]) -> AsyncIterator[int]:
        await asyncio.sleep(1)
        yield product["y"]


def flow_of(given: Any) -> Any:
    return step("src", given) >> step("c", slow).options(concurrency=1)


async def of_steps(given: Any) -> list[int]:
    return [output["c"]["z"] for output in (await arun(flow_of(given)))[0]]


async def _awaited(source: Source) -> list[int]:
    async def given() -> AsyncIterable[dict[str, int]]:
        await asyncio.sleep(0)
        return source()

    return await of_steps(given)


async def _producer(source: Source) -> list[int]:
    found = await (Produces(source) >> Slow().options(concurrency=1) >> Collect()).arun()
    return [number for _, number in found]


async def _counted(source: Source) -> list[int]:
    async with start(flow_of(source)) as run:
        return [output["c"]["z"] for output in (await run.result())[0]]


READING: dict[str, Callable[[Source], Awaitable[list[int]]]] = {
    "a function": lambda source: of_steps(source),
    "data": lambda source: of_steps(source()),
    "a coroutine function": _awaited,
    "a producer": _producer,
    "aprocess": lambda source: Slow().options(concurrency=1).aprocess(source()),
    "an operator": lambda source: listed(Slow().options(concurrency=1)(source())),
    "a run that counts": _counted,
}


@pytest.fixture(params=READING)
def reading(request: pytest.FixtureRequest) -> Callable[[Source], Awaitable[list[int]]]:
    return READING[request.param]


def test_a_timeout_that_a_source_holds_is_a_timeout(reading: Any) -> None:
    """Time that is up while a source waits for its readers is a TimeoutError of the source."""

    async def main() -> None:
        with pytest.raises(TimeoutError):
            await reading(endless)
        assert alone()

    with virtual_time() as run_in:
        run_in(main)


def test_a_source_may_answer_its_own_timeout(reading: Any) -> None:
    """What a source yields after a time-out that it catches comes after all that it yielded
    before."""

    async def main() -> None:
        *before, last, very_last = await reading(answering)
        assert before == list(range(len(before)))
        assert (last, very_last) == (-1, -2)

    with virtual_time() as run_in:
        run_in(main)


def test_an_error_in_answer_tells_where() -> None:
    """The TimeoutError of a source has the note of its step, with the number of its items."""

    async def three() -> AsyncIterator[dict[str, int]]:
        async with asyncio.timeout(0.5):
            for number in range(3):
                yield {"y": number}
            await asyncio.sleep(1)

    async def main() -> None:
        with pytest.raises(TimeoutError) as caught:
            await of_steps(three)
        assert "in step 'src', at item 3" in caught.value.__notes__

    with virtual_time() as run_in:
        run_in(main)


@pytest.mark.parametrize("reader", ["the wrapper itself", "a task that reads ahead"])
async def test_time_that_is_up_as_the_loop_gets_its_turn_is_a_timeout(
    monkeypatch: pytest.MonkeyPatch, reader: str
) -> None:
    """A source that never suspends is cancelled where a turn is given, and told so."""
    monkeypatch.setattr("fluxus_rx._streams.timing.SLICE", -1)

    async def unsuspended() -> AsyncIterator[dict[str, int]]:
        async with asyncio.timeout(0):
            while True:
                yield {"y": 0}

    flow = step("src", unsuspended) >> step("c", slow)
    reading: Awaitable[Any] = (
        arun(flow) if reader == "a task that reads ahead" else listed(iterate(unsuspended()))
    )
    with pytest.raises(TimeoutError):
        await reading


@pytest.mark.parametrize("given", ["a function", "a producer"])
async def test_a_source_that_swallows_every_cancellation_ends_with_the_run(given: str) -> None:
    """However often a source goes on after a cancellation, it is closed when the run is."""
    state: list[str] = []
    begun = asyncio.Event()

    async def stubborn() -> AsyncGenerator[dict[str, int], None]:
        try:
            while True:
                try:
                    yield {"y": 0}
                    await asyncio.sleep(0)
                except asyncio.CancelledError:
                    state.append("swallowed")
        finally:
            state.append("closed")

    async def held(y: int) -> dict[str, int]:
        begun.set()
        await asyncio.Event().wait()
        return {"z": y}

    class Holds(AsyncTransformer[Any, Any]):
        async def atransform(self, product: Any) -> AsyncIterator[Any]:
            yield await held(0)

    held_flow = Produces(stubborn) >> Holds().options(concurrency=1) >> Collect()
    held_step = step("src", stubborn) >> step("c", held).options(concurrency=1)
    flow: Awaitable[Any] = arun(held_step) if given == "a function" else held_flow.arun()
    task = asyncio.ensure_future(flow)
    await begun.wait()
    await turns(5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert state[-1] == "closed"
    assert alone()


async def test_a_source_that_swallows_a_cancellation_while_it_works_ends_too() -> None:
    """A cancellation that is swallowed between two items isn't a way to outlive a run."""

    async def stubborn() -> AsyncIterator[dict[str, int]]:
        while True:
            try:
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                asked.append("cancelled")
            yield {"y": 0}

    async def failing(y: int) -> dict[str, int]:
        await turns(3)
        raise LookupError("enough")

    asked: list[str] = []
    with pytest.raises(LookupError, match="enough"):
        await arun(step("src", stubborn) >> step("c", failing))
    assert alone()


async def test_a_source_that_takes_no_errors_ends_with_the_cancellation() -> None:
    """An iterator without `athrow` can't be told of a cancellation: it is closed, and that is
    all."""

    class Plain:
        closed = 0

        def __aiter__(self) -> AsyncIterator[int]:
            return self

        async def __anext__(self) -> int:
            return 1

        async def aclose(self) -> None:
            self.closed += 1

    source: Any = Plain()
    items = relay(source)
    assert await anext(items) == 1
    with pytest.raises(asyncio.CancelledError):
        await items.athrow(asyncio.CancelledError())
    assert source.closed == 1


async def test_what_is_relayed_is_changed_and_asked_for_one_by_one() -> None:
    """Each item is asked for, then changed; an error of either is told, one of the reader isn't."""
    told: list[Any] = []
    numbers = (0, 1, 2)

    async def source() -> AsyncIterator[int]:
        for number in numbers:
            yield number
        raise LookupError("of the source")

    def items() -> AsyncGenerator[Any, None]:
        asked = iter(itertools.count())
        return relay(*(source(), str), asked=lambda: told.append(next(asked)), failed=told.append)

    found: list[str] = []
    with pytest.raises(LookupError) as caught:
        await drained(items(), found)
    assert found == ["0", "1", "2"]
    assert told == [0, 1, 2, 3, caught.value]
    told.clear()
    async with aclosing(items()) as left:
        await anext(left)
        with pytest.raises(ZeroDivisionError):
            await left.athrow(ZeroDivisionError())
    assert told == [0]


async def test_a_stream_as_a_source_gives_all_its_items() -> None:
    """A stream of aiostream can be awaited too, for its last item; a step iterates over it."""
    data = [{"y": 0}, {"y": 1}]
    for given in (stream.iterate(data), lambda: stream.iterate(data)):
        assert (await arun(step("src", given)))[0] == [{"src": item} for item in data]


async def test_a_coroutine_may_give_whatever_a_function_may() -> None:
    """A source that is a coroutine function may return a mapping, a list or an async iterable."""

    async def one() -> dict[str, int]:
        return {"y": 0}

    async def several() -> list[dict[str, int]]:
        return [{"y": 0}, {"y": 1}]

    async def none() -> list[dict[str, int]]:
        return []

    async def wrong() -> Any:
        return 5

    async def failing() -> Any:
        raise LookupError("no")

    assert (await arun(step("src", one)))[0] == [{"src": {"y": 0}}]
    assert (await arun(step("src", several)))[0] == [{"src": {"y": 0}}, {"src": {"y": 1}}]
    assert (await arun(step("src", none)))[0] == []
    with pytest.raises(InvalidProductError, match="step 'src' returned 5"):
        await arun(step("src", wrong))
    with pytest.raises(LookupError) as caught:
        await arun(step("src", failing))
    assert "in step 'src', at item 0" in caught.value.__notes__


async def test_a_run_that_is_drained_at_once_awaits_no_source() -> None:
    """A coroutine that a source has returned and nobody has awaited is closed with the run."""
    begun: list[str] = []

    async def given() -> list[dict[str, int]]:
        begun.append("begun")
        return [{"y": 0}]

    async with start(step("src", given) >> step("c", slow)) as run:
        result = await run.drain()
    assert result[0] == []
    assert begun == []
    await until(alone)
