"""A run that is started can be held up, drained and cancelled at any moment; nothing is lost."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

import pytest
import reactivex
from aiostream import pipe
from reactivex import operators as ops
from reactivex.subject import Subject

from fluxus_rx import (
    AsyncProducer,
    Producer,
    Run,
    RunResult,
    arerun,
    passthrough,
    rx_pipe,
    start,
    step,
    stream_pipe,
)
from fluxus_rx.testing import virtual_time
from tests.support.failing import Journal
from tests.support.probes import alone, turns
from tests.support.tables import all_pairs, all_values

Row = dict[str, int]
Main = Callable[[], Coroutine[Any, Any, None]]


def given(result: RunResult) -> list[list[int]]:
    """What the sources emitted, as it is in the outputs of each path."""
    return [sorted(next(iter(output.values()))["x"] for output in path) for path in result]


async def drained(flow: Any, started: Run) -> RunResult:
    """What a run returns that is drained, with what comes of the products that are pending then."""
    result = await started.drain()
    assert not result.complete
    return result.merged(await arerun(flow, result.pending))


async def slow(x: int) -> Row:
    await asyncio.sleep(0.01 * (1 + x % 3))
    return {"x": x}


class Sources:
    """Sources without end, of all kinds; `given` is what they emitted, `asked` how often they were
    asked, `journal` what they opened and closed."""

    def __init__(self) -> None:
        self.given: list[int] = []
        self.asked = 0
        self.journal = Journal()
        self.subject: Subject[Any] = Subject()

    def row(self, x: int) -> Row:
        self.given.append(x)
        return {"x": x}

    def generator(self) -> Iterator[Row]:
        with self.journal.entry("source"):
            for x in itertools.count():
                self.asked += 1
                yield self.row(x)

    async def quick(self) -> AsyncIterator[Row]:
        with self.journal.entry("source"):
            for x in itertools.count():
                self.asked += 1
                yield self.row(x)

    async def timed(self) -> AsyncIterator[Row]:
        with self.journal.entry("source"):
            for x in itertools.count():
                self.asked += 1
                await asyncio.sleep(0.003)
                yield self.row(x)

    async def stuck(self) -> AsyncIterator[Row]:
        with self.journal.entry("source"):
            for x in range(20):
                self.asked += 1
                yield self.row(x)
            await asyncio.Event().wait()

    async def never(self) -> list[Row]:
        with self.journal.entry("source"):
            self.asked += 1
            await asyncio.Event().wait()
        return []

    def interval(self) -> Any:
        return reactivex.interval(0.005).pipe(ops.map(self.row))

    def made(self, kind: str) -> Any:
        """The source of this kind, as a flow."""
        outer = self

        class Plain(Producer[Row]):
            def produce(self) -> Iterator[Row]:
                return outer.generator()

        class Awaiting(AsyncProducer[Row]):
            def aproduce(self) -> AsyncIterator[Row]:
                return outer.timed()

        match kind:
            case "class":
                return Plain()
            case "async class":
                return Awaiting()
            case "data":
                return step("src", map(self.row, itertools.count()))
            case "generator as data":
                return step("src", self.generator())
            case "async data":
                return step("src", self.timed())
            case "interval":
                return step("src", self.interval())
            case "subject":
                return step("src", self.subject)
            case "never":
                return step("src", self.never)
            case _:
                return step("src", getattr(self, kind))

    @property
    def closed(self) -> bool:
        """Whether all that was opened is closed."""
        return sorted(self.journal.opened) == sorted(self.journal.closed)


KINDS = (
    *("generator", "quick", "timed", "stuck", "never", "data", "generator as data"),
    *("async data", "interval", "subject", "class", "async class"),
)
TAILS: dict[str, Callable[[], Any]] = {
    "step": lambda: few("f", 3),
    "ordered": lambda: few("f", 3).options(ordered=True),
    "chain": lambda: few("f", 4) >> step("g", lambda x: {"y": x}) >> few("h", 3),
    "group": lambda: few("f", 2) & few("g", 4) & passthrough(),
    "rx_pipe": lambda: rx_pipe(ops.filter(lambda _: True)) >> few("f", 2),
    "stream_pipe": lambda: few("f", 2) >> stream_pipe(pipe.map(lambda item, *_: item)),
}


def few(name: str, calls: int) -> Any:
    """A slow step that makes a few calls at once."""
    return step(name, slow).options(concurrency=calls)


def timed(main: Main) -> None:
    """Run the body of a test in virtual time."""
    with virtual_time() as go:
        go(main)


class TestPause:
    @all_pairs(
        "kind, tail, moment",
        ["generator", "quick", "timed"],
        [*TAILS],
        [0, 1, 2, 3, 5, 0.01, 0.057],
    )
    def test_no_call_begins_and_no_source_is_asked(
        self, kind: str, tail: str, moment: float
    ) -> None:
        """From pause() to resume(), whenever it comes: exactly none. Then the run goes on."""
        calls: list[int] = []

        async def call(x: int) -> Row:
            calls.append(x)
            return await slow(x)

        async def main() -> None:
            sources = Sources()
            flow = sources.made(kind) >> TAILS[tail]() >> step("last", call).options(concurrency=2)
            async with start(flow) as started:
                await (turns(moment) if isinstance(moment, int) else asyncio.sleep(moment))
                started.pause()
                by_then = sources.asked, [*calls], _begun(started)
                await asyncio.sleep(5)
                assert (sources.asked, calls, _begun(started)) == by_then
                assert started.state == "paused"
                started.resume()
                await asyncio.sleep(0.2)
                assert _begun(started) > by_then[2]
                assert given(await drained(flow, started)) == [sorted(sources.given)] * (
                    3 if tail == "group" else 1
                )

        timed(main)

    def test_calls_under_way_go_on_to_their_end(self) -> None:
        """They finish while the run is paused, and their products wait in the next buffer."""

        async def main() -> None:
            flow = step("src", [{"x": x} for x in range(9)]) >> (few("f", 3) >> step("g", slow))
            async with start(flow) as started:
                await turns()
                assert started.stats()["f"].in_flight == 3
                started.pause()
                await asyncio.sleep(1)
                stats = started.stats()
                assert (stats["f"].in_flight, stats["f"].done, stats["f"].waiting) == (0, 3, 0)
                assert (stats["g"].in_flight, stats["g"].done) == (0, 0)
                started.resume()
                assert given(await started.result()) == [[*range(9)]]

        timed(main)

    def test_may_come_any_number_of_times(self) -> None:
        """pause() twice is one pause, resume() ends it, and a run may be paused again."""

        async def main() -> None:
            sources = Sources()
            flow = sources.made("generator") >> few("f", 2)
            async with start(flow) as started:
                for _ in range(10):
                    started.pause()
                    started.pause()
                    begun = _begun(started)
                    await asyncio.sleep(0.1)
                    assert _begun(started) == begun
                    started.resume()
                    started.resume()
                    await asyncio.sleep(0.1)
                    assert _begun(started) > begun
                assert given(await drained(flow, started)) == [sources.given]

        timed(main)

    def test_before_the_first_turn_nothing_is_opened(self) -> None:
        """A run that is paused as soon as it is started begins with resume()."""

        async def main() -> None:
            for kind in ("generator", "timed", "never", "data"):
                sources = Sources()
                started = start(sources.made(kind) >> few("f", 9))
                started.pause()
                await asyncio.sleep(1)
                assert (kind, sources.asked, sources.given) == (kind, 0, [])
                started.resume()
                await asyncio.sleep(0.1)
                assert sources.asked or sources.given
                await started.cancel()
                assert sources.closed

        timed(main)

    def test_does_not_hold_up_cancel(self) -> None:
        """A paused run is cancelled like any other, before it began and after."""

        async def main() -> None:
            for wait in (0, 0.1):
                sources = Sources()
                started = start(sources.made("timed") >> TAILS["group"]())
                started.pause()
                await asyncio.sleep(wait)
                started.resume()
                await asyncio.sleep(wait)
                started.pause()
                await started.cancel()
                assert started.state == "cancelled"
                assert sources.closed
                assert alone()

        timed(main)

    def test_nothing_is_lost_of_a_source_that_does_not_wait(self) -> None:
        """What it emits meanwhile is kept, and comes after resume()."""

        async def main() -> None:
            sources = Sources()
            async with start(sources.made("subject") >> few("f", 9)) as started:
                await turns()
                started.pause()
                for x in range(100):
                    sources.subject.on_next(sources.row(x))
                await asyncio.sleep(1)
                assert started.stats()["f"].done == 0
                started.resume()
                sources.subject.on_completed()
                assert given(await started.result()) == [[*range(100)]]

        timed(main)


def _begun(started: Run) -> int:
    """Calls that have begun, of all steps but the source."""
    steps = started.stats().steps
    return sum(one.done + one.failed + one.in_flight for one in steps[1:])


class TestDrain:
    @all_values(
        "kind, tail", KINDS, [*TAILS], keep=lambda kind, tail: kind == "timed" or tail == "group"
    )
    def test_gives_all_that_a_source_has_given(self, kind: str, tail: str) -> None:
        """What is not in the outputs is pending, and a rerun of that makes up for it, on all paths;
        the source is closed."""

        async def main() -> None:
            sources = Sources()
            flow = sources.made(kind) >> TAILS[tail]()
            started = start(flow)
            await asyncio.sleep(0.05)
            if kind == "subject":
                for x in range(50):
                    sources.subject.on_next(sources.row(x))
            result = await drained(flow, started)
            assert given(result) == [sorted(sources.given)] * (3 if tail == "group" else 1)
            assert bool(sources.given) == (kind != "never")
            assert sources.closed
            assert started.state == "done"
            assert alone()

        timed(main)

    async def test_ends_a_source_that_never_waits(self) -> None:
        """A plain generator without end before plain functions yields to the loop, and ends."""
        sources = Sources()
        flow = sources.made("generator") >> step("f", lambda x: {"y": x})
        started = start(flow)
        await turns(4)
        assert given(await drained(flow, started)) == [sources.given]
        assert sources.closed

    def test_ends_all_sources(self) -> None:
        """Sources side by side, of different kinds, all end."""

        async def main() -> None:
            many = {kind: Sources() for kind in KINDS}
            sources = [one.made(kind) for kind, one in many.items()]
            group = sources[0] & sources[1]
            for source in sources[2:]:
                group = group & source
            started = start(group >> few("f", 4))
            await asyncio.sleep(0.5)
            result = await drained(group >> few("f", 4), started)
            assert given(result) == [sorted(one.given) for one in many.values()]
            assert all(one.closed for one in many.values())

        timed(main)

    def test_waits_for_what_an_operator_holds(self) -> None:
        """What an Rx operator puts off comes out before the run ends."""

        async def main() -> None:
            sources = Sources()
            held = rx_pipe(ops.delay(1.0))
            flow = sources.made("timed") >> held >> few("f", 9)
            started = start(flow)
            await asyncio.sleep(0.1)
            assert started.stats()["f"].done == 0
            assert given(await drained(flow, started)) == [sources.given]

        timed(main)

    def test_of_an_input(self) -> None:
        """What is passed as input= is a source too."""

        async def main() -> None:
            sources = Sources()
            started = start(few("f", 2), input=sources.timed())
            await asyncio.sleep(0.1)
            result = await started.drain()
            left = [one.product["x"] for one in result.pending]
            assert sorted([output["input"]["x"] for output in result[0]] + left) == sources.given
            assert sources.closed

        timed(main)

    @pytest.mark.parametrize("kind", KINDS)
    def test_before_the_run_began_gives_nothing(self, kind: str) -> None:
        """No source is asked, and the run ends as if they were empty."""

        async def main() -> None:
            sources = Sources()
            result = await start(sources.made(kind) >> TAILS["group"]()).drain()
            assert (given(result), sources.asked) == ([[], [], []], 0)

        timed(main)

    def test_twice_gives_the_same_result(self) -> None:
        """All who drain a run get its one result, also once it is over."""

        async def main() -> None:
            started = start(Sources().made("timed") >> few("f", 9))
            await asyncio.sleep(0.1)
            first, second = await asyncio.gather(started.drain(), started.drain())
            assert first is second
            assert await started.drain() is first
            assert started.state == "done"

        timed(main)

    async def test_of_a_run_that_is_over_tells_how_it_ended(self) -> None:
        """The result, the error or the cancellation; the state stays."""

        def fail(x: int) -> Row:
            raise ZeroDivisionError

        started = start(step("src", {"x": 1}) >> step("f", fail))
        with pytest.raises(ZeroDivisionError):
            await started.result()
        with pytest.raises(ZeroDivisionError):
            await started.drain()
        assert started.state == "failed"
        started = start(step("src", {"x": 1}))
        await started.cancel()
        with pytest.raises(asyncio.CancelledError):
            await started.drain()
        assert started.state == "cancelled"

    def test_lets_a_paused_run_go_on(self) -> None:
        """Nothing more is taken; what a source had emitted by pause() is there, or pending."""

        async def main() -> None:
            sources = Sources()
            flow = sources.made("timed") >> TAILS["group"]()
            started = start(flow)
            await asyncio.sleep(0.1)
            started.pause()
            await asyncio.sleep(1)
            by_then = [*sources.given]
            draining = asyncio.create_task(drained(flow, started))
            await turns(1)
            started.pause()
            assert started.state == "draining"
            assert given(await draining) == [by_then] * 3 == [sources.given] * 3

        timed(main)

    def test_may_be_cut_short(self) -> None:
        """cancel() ends a run that is drained; who drains it gets CancelledError."""

        async def main() -> None:
            async def hang(x: int) -> Row:
                await asyncio.Event().wait()
                return {}

            sources = Sources()
            started = start(sources.made("timed") >> step("hang", hang))
            await asyncio.sleep(0.1)
            draining = asyncio.create_task(started.drain())
            await asyncio.sleep(1)
            assert sources.closed
            await started.cancel()
            with pytest.raises(asyncio.CancelledError):
                await draining
            assert alone()

        timed(main)

    @pytest.mark.parametrize("kind", ["generator", "timed"])
    def test_raises_what_a_source_raises_when_it_is_closed(self, kind: str) -> None:
        """An error in closing a source is an error of the run."""

        async def main() -> None:
            sources = Sources()

            def failing() -> Iterator[Row]:
                try:
                    yield from sources.generator()
                finally:
                    raise LookupError

            async def failing_too() -> AsyncIterator[Row]:
                try:
                    while True:
                        await asyncio.sleep(0.01)
                        yield sources.row(0)
                finally:
                    raise LookupError

            function: Any = failing if kind == "generator" else failing_too
            started = start(step("src", function) >> few("f", 2))
            await asyncio.sleep(0.1)
            with pytest.raises(LookupError):
                await started.drain()
            assert started.state == "failed"

        timed(main)
