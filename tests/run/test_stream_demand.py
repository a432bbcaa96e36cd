"""How far stream() and astream() run ahead of their reader, what they hold, and how they end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from fluxus_rx import astream, passthrough, step, stream
from fluxus_rx.testing import virtual_time
from tests.support.failing import Journal
from tests.support.probes import BUFFER, alone, turns, until
from tests.support.scripted_calls import numbers
from tests.support.tables import all_pairs, all_values


class Endless:
    """A source without an end, that knows how far it is."""

    def __init__(self) -> None:
        self.made = self.closed = 0

    def rows(self) -> Iterator[dict[str, int]]:
        try:
            while True:
                self.made += 1
                yield {"x": self.made - 1}
        finally:
            self.closed += 1

    async def arows(self) -> AsyncIterator[dict[str, int]]:
        try:
            while True:
                await asyncio.sleep(0)
                self.made += 1
                yield {"x": self.made - 1}
        finally:
            await asyncio.sleep(0)
            self.closed += 1

    def step(self, kind: str = "sync") -> Any:
        return step("src", self.rows if kind == "sync" else self.arows)


async def brief(x: int) -> dict[str, int]:
    """A call that yields to others."""
    await asyncio.sleep(0)
    return {"y": x}


def plain(x: int) -> dict[str, int]:
    """A call that doesn't."""
    return {"y": x}


FLOWS: dict[str, tuple[Callable[[], Any], int]] = {
    # how many products the flow holds at most, beside what waits for the reader
    "a plain step": (lambda: step("s", plain), 1),
    "a step with a limit": (lambda: step("s", brief).options(concurrency=3), BUFFER + 3),
    "a small buffer": (lambda: step("s", brief).options(concurrency=2, buffer=1), 1 + 2),
    "an order": (
        lambda: step("s", brief).options(concurrency=2, ordered=True, window=5, buffer=1),
        1 + 5,
    ),
    "two steps": (
        lambda: step("s", brief).options(concurrency=2) >> step("t", brief).options(concurrency=2),
        2 * (BUFFER + 2) + BUFFER,
    ),
    "threads": (lambda: step("s", plain).options(concurrency=2, executor="thread"), BUFFER + 2),
}

every_source = pytest.mark.parametrize("source", ["sync", "async"])
every_flow = pytest.mark.parametrize("name", [*FLOWS])


def most_ahead(name: str) -> int:
    """Beside what the flow holds, 16 products wait for the reader, and each of two readers and
    writers has one in its hands."""
    return FLOWS[name][1] + 2 * BUFFER + 4


class TestDemand:
    @every_source
    @every_flow
    def test_the_source_is_ahead_by_buffers_and_limits(self, source: str, name: str) -> None:
        """However slow the reader is, and however long it reads."""
        endless = Endless()
        outputs = stream(endless.step(source) >> FLOWS[name][0]())
        for read in range(1, 300):
            next(outputs)
            assert endless.made - read <= most_ahead(name)
        outputs.close()
        assert endless.closed == 1

    @every_source
    @every_flow
    async def test_on_a_loop_too(self, source: str, name: str) -> None:
        """While the reader is busy with one output the flow fills its buffers, and no more."""
        endless = Endless()
        async with contextlib.aclosing(
            astream(endless.step(source) >> FLOWS[name][0]())
        ) as outputs:
            for read in range(1, 60):
                await anext(outputs)
                await turns(30)
                assert endless.made - read <= most_ahead(name)
        assert endless.closed == 1
        assert alone()

    async def test_a_group_is_no_exception(self) -> None:
        """Its branches wait for each other, and all of them for the reader."""
        endless = Endless()
        group = step("s", brief).options(concurrency=3) & step("t", plain) & passthrough()
        async with contextlib.aclosing(astream(endless.step() >> group)) as outputs:
            for read in range(1, 300):
                _, output = await anext(outputs)
                await turns(10)
                assert endless.made - read / 3 <= 2 * BUFFER + (BUFFER + 3) + 4
                assert endless.made - output["src"]["x"] <= 4 * BUFFER

    async def test_nothing_runs_before_the_first_output_is_asked_for(self) -> None:
        """What is never read can be dropped."""
        endless = Endless()
        outputs, others = astream(endless.step()), stream(endless.step())
        await turns()
        assert endless.made == 0
        assert alone()
        await outputs.aclose()
        others.close()
        assert endless.made == 0

    def test_an_expansion_is_not_ahead_of_its_reader(self) -> None:
        """A generator without an end waits as a source does."""
        endless = Endless()
        outputs = stream(numbers(1) >> step("many", lambda x: endless.rows()))
        for read in range(1, 300):
            next(outputs)
            assert endless.made - read <= most_ahead("a plain step")
        outputs.close()
        assert endless.closed == 1


class Payload:
    """Something that can be counted."""

    alive: weakref.WeakSet[Payload]


def payloads(count: int) -> Iterator[dict[str, Any]]:
    """A source of so many of them."""
    for x in range(count):
        payload = Payload()
        Payload.alive.add(payload)
        yield {"x": x, "payload": payload}


async def third_fails(x: int, payload: Payload) -> dict[str, Any]:
    """A call of which every third one fails."""
    await asyncio.sleep(0)
    if x % 3 == 0:
        raise ValueError(payload)
    return {"again": payload}


class TestMemory:
    @all_values(
        "on_error, function",
        {"skip": "skip", "collect": "collect", "a function": lambda failure: {"again": None}},
        [stream, astream],
    )
    def test_it_does_not_grow_with_the_length_of_the_run(
        self, function: Any, on_error: Any
    ) -> None:
        """Outputs, failures and what they came of are let go of."""

        def most(count: int) -> int:
            Payload.alive = weakref.WeakSet()
            made = step("s", third_fails).options(concurrency=8, on_error=on_error)
            flow = step("src", payloads(count)) >> made >> (passthrough() & step("t", lambda x: {}))
            found = [0]

            def look(index: int) -> None:
                if index % 100 == 99:
                    gc.collect()
                    found.append(len(Payload.alive))

            async def read() -> None:
                async with contextlib.aclosing(astream(flow, on_failure=id)) as outputs:
                    index = 0
                    async for _ in outputs:
                        look(index)
                        index += 1

            if function is astream:
                asyncio.run(read())
            else:
                for index, _ in enumerate(stream(flow, on_failure=id)):
                    look(index)
            return max(found)

        assert most(1_500) <= most(300) + 20 <= 200
        gc.collect()
        assert len(Payload.alive) == 0


class TestLeaving:
    @all_pairs("name, source, read", [*FLOWS], ["sync", "async"], [0, 1, 20])
    async def test_all_is_closed_on_a_loop(self, source: str, name: str, read: int) -> None:
        """Once aclose() has been awaited: tasks, threads, the source; by whichever task."""
        endless = Endless()
        outputs = astream(endless.step(source) >> FLOWS[name][0]())
        for _ in range(read):
            await anext(outputs)
        await asyncio.create_task(outputs.aclose())
        assert endless.closed == min(read, 1)
        assert alone()

    @pytest.mark.parametrize("how", ["break", "close", "throw", "drop", "error"])
    def test_all_is_closed_without_one(self, how: str) -> None:
        """However the loop is left: calls, generators, the source."""
        journal, endless = Journal(), Endless()

        async def hang(x: int) -> AsyncIterator[dict[str, int]]:
            with journal.entry("call"):
                yield {"y": x}
                await asyncio.Event().wait()

        def begun() -> Any:
            outputs = stream(endless.step("async") >> step("s", hang).options(concurrency=3))
            assert next(outputs)[1]["s"]["y"] == 0
            return outputs

        match how:
            case "break":
                for _ in begun():
                    break
            case "close":
                begun().close()
            case "throw":
                with pytest.raises(LookupError):
                    begun().throw(LookupError())
            case "drop":
                begun()
            case "error":
                with contextlib.suppress(LookupError), contextlib.closing(begun()) as outputs:
                    for _ in outputs:
                        raise LookupError
        gc.collect()
        assert endless.closed == 1
        assert journal.settled

    @pytest.mark.parametrize("function", [stream, astream])
    def test_an_error_of_the_clean_up_is_raised(self, function: Any) -> None:
        """Where the stream is closed."""

        def source() -> Iterator[dict[str, int]]:
            try:
                while True:
                    yield {"x": 1}
            finally:
                raise LookupError("in clean-up")

        flow = step("src", source) >> step("s", brief)

        async def aread() -> None:
            async with contextlib.aclosing(astream(flow)) as outputs:
                await anext(outputs)

        def read() -> None:
            outputs = stream(flow)
            next(outputs)
            outputs.close()

        with pytest.raises(LookupError, match="in clean-up"):
            asyncio.run(aread()) if function is astream else read()

    @pytest.mark.abandons_generators
    async def test_what_is_left_open_is_closed_by_the_loop(self) -> None:
        """Somewhat later: a plain break leaves the generator to the garbage collector."""
        endless = Endless()
        async for _ in astream(endless.step() >> step("s", brief)):
            break
        gc.collect()
        await until(lambda: endless.closed == 1)
        await turns()
        assert alone()

    @pytest.mark.parametrize("at", range(0, 30, 3))
    async def test_cancelling_the_reader_ends_all(self, at: int) -> None:
        """At any time, and also where it is busy with an output."""
        journal, endless = Journal(), Endless()

        async def hang(x: int) -> dict[str, int]:
            with journal.entry("call"):
                if x > 3:
                    await asyncio.Event().wait()
                return {}

        async def read() -> None:
            flow = endless.step("async") >> step("s", hang).options(concurrency=3)
            async with contextlib.aclosing(astream(flow)) as outputs:
                async for _ in outputs:
                    await turns(2)

        task = asyncio.create_task(read())
        await turns(at)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert endless.closed == min(endless.made, 1)
        assert sorted(journal.opened) == sorted(journal.closed)
        assert alone()

    def test_a_timeout_around_the_reader_is_one_of_its_own(self) -> None:
        """And not an error of a step."""

        async def slow(x: int) -> dict[str, int]:
            await asyncio.sleep(10)
            return {"y": x}

        async def main() -> int:
            found = []

            async def read() -> None:
                flow = numbers(9) >> step("s", slow).options(concurrency=1)
                async with contextlib.aclosing(astream(flow)) as outputs:
                    async for one in outputs:
                        found.append(one)

            with pytest.raises(TimeoutError):
                await asyncio.wait_for(read(), 35)
            assert alone()
            return len(found)

        with virtual_time() as run_in:
            assert run_in(main) == 3
