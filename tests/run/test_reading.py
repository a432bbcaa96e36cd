"""A run that is started yields its outputs to its readers, while it is steered."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import weakref
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import reactivex
from reactivex import operators as ops

from fluxus_rx import InvalidProductError, Producer, RunResult, passthrough, run, start, step
from fluxus_rx.testing import run_virtual
from tests.support.probes import BUFFER, alone, turns, until

Row = dict[str, int]


class Numbers:
    """A source that counts what it has emitted, without end unless it is told one."""

    def __init__(self, end: int | None = None) -> None:
        self.given = 0
        self.closed = False
        self._end = end

    def rows(self) -> Iterator[Row]:
        try:
            while self._end is None or self.given < self._end:
                self.given += 1
                yield {"x": self.given - 1}
        finally:
            self.closed = True

    @property
    def step(self) -> Any:
        return step("src", self.rows)


async def slow(x: int) -> Row:
    await asyncio.sleep(1)
    return {"y": x}


def fails(x: int) -> Row:
    if x == 3:
        raise LookupError(x)
    return {"y": x}


def x_of(output: Any) -> int:
    return int(output["src"]["x"])


async def test_it_gives_what_astream_gives() -> None:
    """Each output with the number of its path; then the run is done."""
    flow = Numbers(3).step >> (step("f", fails) & passthrough())
    async with start(flow) as handle:
        seen = [(path, output) async for path, output in handle]
    assert handle.state == "done"
    whole = run(Numbers(3).step >> (step("f", fails) & passthrough()))
    for path in (0, 1):
        assert [output for number, output in seen if number == path] == whole[path]
    assert await handle.result() == RunResult([], [])


async def test_the_source_waits_for_the_reader() -> None:
    """From the first output on, and also if the reader comes from outside of a block."""
    for block in (True, False):
        numbers = Numbers()
        handle = start(numbers.step >> step("f", lambda x: {"y": x}))
        if block:
            await handle.__aenter__()
        read = 0
        async for _, output in handle:
            assert x_of(output) == read
            read += 1
            await turns(5)
            assert numbers.given <= read + BUFFER + 2
            if read == 50:
                break
        await turns(50)
        assert numbers.given <= read + BUFFER + 2
        await handle.cancel()
        assert numbers.closed
        assert alone()


def test_it_is_steered_meanwhile() -> None:
    """It pauses, goes on, and drains; the reader gets what was done, to the end."""

    async def main() -> None:
        numbers = Numbers()
        loop = asyncio.get_running_loop()
        seen = []
        flow = numbers.step >> step("slow", slow).options(concurrency=2)
        async with start(flow) as handle:
            async for _, output in handle:
                seen.append(x_of(output))
                if len(seen) == 4:
                    handle.pause()
                    loop.call_later(10, handle.resume)
                if len(seen) == 8:
                    draining = asyncio.create_task(handle.drain())
        assert seen == [*range(len(seen))]
        assert 14 <= loop.time() < 18
        result = await draining
        assert handle.state == "done"
        assert len(seen) + len(result.pending) == numbers.given

    run_virtual(main)


@pytest.mark.parametrize("end", ["drain", "result"])
async def test_whoever_reads_may_wait_for_the_end(end: str) -> None:
    """In the loop itself: the run goes on without its reader; what is read later is in the result
    as well."""
    async with start(Numbers(60).step >> step("f", lambda x: {"y": x})) as handle:
        seen = []
        result = None
        async for _, output in handle:
            seen.append(x_of(output))
            if len(seen) == 10:
                result = await getattr(handle, end)()
        assert result is not None
        assert seen[10:] == [x_of(output) for output in result[0]]
        assert end == "drain" or seen == [*range(60)]


async def test_a_reader_that_leaves_may_come_back() -> None:
    """Nothing is lost in between."""
    async with start(Numbers(60).step) as handle:
        seen = []
        for _ in range(3):
            async for _, output in handle:
                seen.append(x_of(output))
                if len(seen) % 20 == 0:
                    break
        assert seen == [*range(60)]
        assert [output async for output in handle] == []


async def test_what_was_given_before_somebody_reads_comes_first() -> None:
    """A run goes on without a reader."""
    numbers = Numbers(100)
    async with start(numbers.step) as handle:
        await until(lambda: numbers.closed)
        assert [x_of(output) async for _, output in handle] == [*range(100)]


async def test_several_readers_share_the_outputs() -> None:
    """Each output goes to one of them, and all hear the end."""
    async with start(Numbers(60).step) as handle:

        async def read() -> list[int]:
            seen = []
            async for _, output in handle:
                seen.append(x_of(output))
                await turns(1)
            return seen

        both = await asyncio.gather(read(), read())
    assert sorted(both[0] + both[1]) == [*range(60)]


async def test_the_error_of_the_run_comes_once_after_the_outputs() -> None:
    """And result() raises it, too; nobody hears of it as one that nobody asked for."""
    contexts: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: contexts.append(context))
    async with start(Numbers().step >> step("f", fails)) as handle:
        seen = []
        with contextlib.suppress(LookupError):
            async for _, output in handle:
                seen.append(x_of(output))
            pytest.fail("the error did not come")
        assert seen == [0, 1, 2]
        with pytest.raises(StopAsyncIteration):
            await anext(handle)
        with pytest.raises(LookupError):
            await handle.result()
    assert handle.state == "failed"
    del handle
    gc.collect()
    assert contexts == []


async def test_a_run_that_is_cancelled_is_no_complete_one() -> None:
    """Its reader gets CancelledError, behind what there was."""
    handle = start(Numbers(5).step >> step("slow", slow))
    reading = asyncio.ensure_future(anext(handle))
    await turns()
    await handle.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading


def test_reading_with_a_time_out_loses_nothing() -> None:
    """A reader that gives up waiting may ask again."""

    async def main() -> None:
        seen: list[int] = []
        async with start(Numbers(5).step >> step("slow", slow).options(concurrency=1)) as handle:
            while len(seen) < 5:
                try:
                    _, output = await asyncio.wait_for(anext(handle), 0.4)
                except TimeoutError:
                    continue
                seen.append(x_of(output))
            with pytest.raises(StopAsyncIteration):
                await asyncio.wait_for(anext(handle), 0.4)
        assert seen == [0, 1, 2, 3, 4]

    run_virtual(main)


async def test_what_was_read_is_kept_nowhere() -> None:
    """The memory of a run that is read doesn't grow with its length."""

    class Value:
        pass

    values: list[weakref.ref[Value]] = []

    async def rows() -> AsyncIterator[dict[str, Value]]:
        for _ in range(100):
            value = Value()
            values.append(weakref.ref(value))
            yield {"value": value}

    async with start(step("src", rows)) as handle:
        async for _, output in handle:
            del output
            await turns(3)
            alive = sum(ref() is not None for ref in values)
            assert alive <= 2 * BUFFER + 4
    assert handle.partial == RunResult([])


async def test_items_that_are_no_products_are_refused_where_they_are_read() -> None:
    """As by astream()."""

    class Words(Producer[Any]):
        def produce(self) -> Iterator[Any]:
            yield from ({"x": 1}, 5)

    async with start(Words()) as handle:
        assert await anext(handle)
        with pytest.raises(InvalidProductError):
            await anext(handle)


async def test_a_hot_source_and_several_paths() -> None:
    """What a source emits that doesn't wait is not lost."""
    hot = reactivex.of(*range(50)).pipe(ops.map(lambda x: {"x": x}))
    flow = step("src", hot) >> (passthrough() & step("f", lambda x: {"y": x}))
    async with start(flow) as handle:
        seen = [path async for path, _ in handle]
    assert (seen.count(0), seen.count(1)) == (50, 50)


def test_the_order_of_a_flow_is_that_of_its_reader() -> None:
    """Path by path with `ordered=True`; what is kept for that is there if the run ends early."""

    async def late(x: int) -> Row:
        await asyncio.sleep(3 - x)
        return {"y": x}

    flow = (
        step("src", [{"x": x} for x in range(3)]) >> (step("late", late) & passthrough())
    ).options(ordered=True)

    async def main() -> None:
        async with start(flow) as running:
            assert [path async for path, _ in running] == [0, 0, 0, 1, 1, 1]
        running = start(flow)
        await asyncio.sleep(1.5)
        await running.cancel(within=0)
        assert [len(path) for path in running.partial] == [1, 3]

    run_virtual(main)
