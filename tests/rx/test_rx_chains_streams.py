"""Flows among the operators of aiostream, in virtual time: what comes, and what is left."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiostream import pipe
from aiostream import stream as streams
from reactivex import operators as ops

from fluxus_rx import AsyncProducer, arun, passthrough, rx_pipe, step, stream_pipe
from fluxus_rx.testing import run_virtual
from tests.support.conduits import Add, Fetch
from tests.support.errors import untyped
from tests.support.probes import alone, listed, turns
from tests.support.rx_flows import ALL, World
from tests.support.tables import all_pairs


class Late(World):
    """Its source may fail instead."""

    def failing_source(self, at: float = 2.5) -> Any:
        """Nothing, then the error."""

        async def rows() -> AsyncIterator[dict[str, int]]:
            self.opened += 1
            try:
                await asyncio.sleep(at)
                raise self.error
                yield {}
            finally:
                self.closed += 1

        return step("failing", rows)

    async def rows(self) -> AsyncIterator[dict[str, int]]:
        """The rows of a source, as an asynchronous generator of somebody else's."""
        self.opened += 1
        try:
            for number in range(6):
                await asyncio.sleep(1)
                yield {"x": number}
        finally:
            self.closed += 1


def numbers(products: Any) -> list[int]:
    """The last numbers in products."""
    return [product["y"] if "y" in product else product["x"] for product in products]


def each(world: Late) -> Any:
    """A function that makes a stream of a product, by way of a flow."""
    return lambda product: streams.just(product) | world.fetch()


#: a stream, the numbers in what it gives, and the second in which it ends
STREAMS: dict[str, tuple[Callable[[Late], Any], list[int], float]] = {
    "xs | fetch": (lambda w: streams.iterate(w.rows()) | w.fetch(), ALL, 6.25),
    "xs | fetch | take": (
        lambda w: streams.iterate(w.rows()) | w.fetch() | pipe.take(3),
        ALL[:3],
        3.25,
    ),
    "xs | chain | take": (
        lambda w: (
            streams.iterate(w.rows())
            | (w.fetch() >> step("x", lambda y: {"x": y}) >> w.fetch("again"))
            | pipe.take(3)
        ),
        ALL[:3],
        3.5,
    ),
    "xs | group | take": (
        lambda w: (
            streams.iterate(w.rows()) | (w.fetch() & step("b", lambda x: {"y": x})) | pipe.take(4)
        ),
        [0, 0, 1, 1],
        2.25,
    ),
    "xs | rx_pipe": (
        lambda w: streams.iterate(w.rows()) | rx_pipe(ops.delay(1)) | w.fetch(),
        ALL,
        7.25,
    ),
    "to_stream": (lambda w: w.flow.to_stream(), ALL, 6.25),
    "to_stream | takelast": (lambda w: w.flow.to_stream() | pipe.takelast(2), [4, 5], 6.25),
    "to_stream | take": (lambda w: w.flow.to_stream() | pipe.take(2), [0, 1], 2.25),
    "to_stream | fetch": (lambda w: w.source().to_stream() | w.fetch(), ALL, 6.25),
    "to_stream | merge": (
        lambda w: w.flow.to_stream() | pipe.merge(w.flow.to_stream()),
        [one for one in ALL for _ in "ab"],
        6.25,
    ),
    "merge of flows": (
        lambda w: streams.merge(w.flow, w.flow),
        [one for one in ALL for _ in "ab"],
        6.25,
    ),
    "chain of flows": (lambda w: streams.chain(w.flow, w.flow), ALL * 2, 12.5),
    "spaceout": (lambda w: w.source() >> stream_pipe(pipe.spaceout(2)) >> w.fetch(), ALL, 11.25),
    "delay": (lambda w: w.source() >> stream_pipe(pipe.delay(3)) >> w.fetch(), ALL, 9.25),
    "timeout": (lambda w: w.source() >> stream_pipe(pipe.timeout(1.5)) >> w.fetch(), ALL, 6.25),
    "takelast": (lambda w: w.source() >> stream_pipe(pipe.takelast(2)) >> w.fetch(), [4, 5], 6.25),
    "take": (lambda w: w.source() >> stream_pipe(pipe.take(2)) >> w.fetch(), [0, 1], 2.25),
    "merge": (
        lambda w: w.source() >> stream_pipe(pipe.merge(w.source())) >> w.fetch(),
        [one for one in ALL for _ in "ab"],
        6.25,
    ),
    "merge, a stream": (
        lambda w: w.source() >> stream_pipe(pipe.merge(w.source().to_stream())) >> w.fetch(),
        [one for one in ALL for _ in "ab"],
        6.25,
    ),
    "merge, take": (
        lambda w: w.source() >> stream_pipe(pipe.merge(w.source()), pipe.take(3)) >> w.fetch(),
        [0, 0, 1],
        2.25,
    ),
    "chain": (
        lambda w: w.source() >> stream_pipe(pipe.chain(w.source())) >> w.fetch(),
        ALL * 2,
        12.25,
    ),
    "zip, map": (
        lambda w: (
            w.source()
            >> stream_pipe(pipe.zip(w.source()), pipe.map(lambda pair, *_: pair[1]))
            >> w.fetch()
        ),
        ALL,
        6.25,
    ),
    "flatmap": (
        lambda w: w.source() >> stream_pipe(pipe.flatmap(each(w))),
        ALL,
        6.25,
    ),
    "concatmap": (
        lambda w: w.source() >> stream_pipe(pipe.concatmap(each(w))),
        ALL,
        6.25,
    ),
    "switchmap": (
        lambda w: w.source() >> stream_pipe(pipe.switchmap(each(w))),
        ALL,
        6.25,
    ),
    "amid a group": (
        lambda w: w.source() >> (stream_pipe(pipe.take(2)) & rx_pipe(ops.take(1))) >> w.fetch(),
        [0, 0, 1],
        2.25,
    ),
}

every_stream = pytest.mark.parametrize("name", STREAMS)


class TestOnFlows:
    @every_stream
    def test_all_comes_at_its_time(self, name: str) -> None:
        """As from any other stream of these times; afterwards nothing is left."""
        make, expected, end = STREAMS[name]
        world = Late()

        async def main() -> None:
            assert numbers(await listed(make(world))) == expected
            assert asyncio.get_running_loop().time() == end
            await turns()
            assert world.opened == world.closed
            assert alone()

        run_virtual(main)

    @every_stream
    def test_a_reader_may_be_cancelled_at_any_time(self, name: str) -> None:
        """All that has been opened is closed by then."""
        make, _, end = STREAMS[name]

        async def cancelled(after: float) -> None:
            world = Late()
            task = asyncio.create_task(listed(make(world)))
            await asyncio.sleep(after)
            task.cancel()
            if after < end:
                with pytest.raises(asyncio.CancelledError):
                    await task
            assert world.opened == world.closed
            await turns()
            assert alone()

        for after in (0, 0.5, 1, 1.25, 2.1, 3.3, 5.25, 6.2):
            run_virtual(cancelled(after))

    @pytest.mark.parametrize(
        "name", [one for one in STREAMS if "take" not in one and "amid" not in one]
    )
    def test_the_very_error_comes_out(self, name: str) -> None:
        """By then all sources are closed."""
        make, _, _ = STREAMS[name]
        world = Late(failing=99)

        async def main() -> None:
            with pytest.raises(LookupError) as caught:
                await listed(make(world))
            assert caught.value is world.error
            assert world.opened == world.closed
            await turns()
            assert alone()

        run_virtual(main)


class TestOtherSources:
    """A flow within stream_pipe that fails, or is slower, or longer."""

    @all_pairs(
        "before, how, other",
        {
            "source": lambda w: w.source(),
            "plain": lambda w: w.source() >> step("plain", lambda x: {"x": x}),
            "async": lambda w: w.flow,
            "group": lambda w: w.flow >> (step("a", lambda y: {"x": y}) & passthrough()),
            "stream_pipe": lambda w: w.source() >> stream_pipe(pipe.skip(0)),
            "plain behind": lambda w: (
                w.source() >> stream_pipe(pipe.skip(0)) >> step("p", lambda x: {"x": x})
            ),
            "rx_pipe": lambda w: w.source() >> rx_pipe(ops.map(lambda product: product)),
        },
        ["merge", "zip", "chain", "flatmap"],
        ["flow", "stream", "observable"],
    )
    def test_its_error_is_that_of_the_run(self, before: Any, how: str, other: str) -> None:
        """The very object, though the products of the run are being waited for."""
        world = Late()
        failing = world.failing_source(2.5 if how != "chain" else 0)
        makers: dict[str, Callable[[], Any]] = {
            "flow": lambda: failing,
            "stream": lambda: failing.to_stream(),
            "observable": lambda: (failing >> rx_pipe(ops.delay(0.1))).to_stream(),
        }
        given = makers[other]
        operators: dict[str, Callable[[], Any]] = {
            "merge": lambda: pipe.merge(given()),
            "zip": lambda: pipe.zip(given()),
            "chain": lambda: pipe.chain(given()),
            "flatmap": lambda: pipe.flatmap(untyped(lambda _: given())),
        }

        async def main() -> None:
            with pytest.raises(LookupError) as caught:
                await arun(before(world) >> stream_pipe(operators[how](), name="made"))
            assert caught.value is world.error
            assert world.opened == world.closed
            await turns()
            assert alone()

        run_virtual(main)

    def test_a_longer_one_is_closed(self) -> None:
        """zip ends with the shorter one."""
        world = Late()

        async def main() -> None:
            flow = step("short", [{"x": 7}]) >> stream_pipe(pipe.zip(world.source()), name="pair")
            (path,) = await arun(flow)
            assert [len(output["pair"]["pair"]) for output in path] == [2]
            assert asyncio.get_running_loop().time() == 1
            assert world.opened == world.closed == 1

        run_virtual(main)

    def test_a_time_out_is_the_error_of_the_run(self) -> None:
        """That of asyncio, not of the library."""
        world = Late()

        async def main() -> None:
            with pytest.raises(TimeoutError):
                await arun(world.source() >> stream_pipe(pipe.timeout(0.5)) >> world.fetch())
            assert asyncio.get_running_loop().time() == 0.5
            assert world.opened == world.closed == 1

        run_virtual(main)


class Given(AsyncProducer[int]):
    """Numbers, of classes."""

    def __init__(self, world: Late) -> None:
        self.world = world

    async def aproduce(self) -> AsyncIterator[int]:
        async with contextlib.aclosing(untyped(self.world.rows())) as rows:
            async for row in rows:
                yield row["x"]


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda given: given >> stream_pipe(pipe.chunks(4)), [[0, 1, 2, 3], [4, 5]]),
        (lambda given: given >> Fetch(1) >> stream_pipe(pipe.takelast(1)), [6]),
        (
            lambda given: given >> stream_pipe(pipe.merge(given)) >> Add(1),
            [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6],
        ),
        (lambda given: given >> stream_pipe(pipe.accumulate()) >> Add(0), [0, 1, 3, 6, 10, 15]),
        (
            lambda given: given >> stream_pipe(pipe.spaceout(2), pipe.enumerate()),
            [*zip(ALL, ALL, strict=True)],
        ),
        (lambda given: given.to_stream() | Add(1) | pipe.take(2), [1, 2]),
    ],
)
def test_classes_are_as_good(make: Any, expected: list[Any]) -> None:
    """With items that aren't dictionaries."""
    world = Late()

    async def main() -> None:
        assert await listed(make(Given(world))) == expected
        await turns()
        assert alone()

    run_virtual(main)
