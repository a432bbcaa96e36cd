"""A small flow around each building block, whose source tells how far it was asked."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeVar

import reactivex
from aiostream import pipe
from reactivex import Observable
from reactivex import operators as ops
from reactivex.scheduler.eventloop import AsyncIOScheduler

from fluxus_rx import (
    AsyncConsumer,
    Failure,
    arun,
    astream,
    from_observable,
    passthrough,
    path,
    route,
    rx_pipe,
    start,
    step,
    stream_pipe,
    where,
)
from fluxus_rx.reactive_streams import from_publisher, to_publisher
from fluxus_rx.rx import to_observable, to_stream
from fluxus_rx.streams import buffer, flat_map, merge
from fluxus_rx.testing import VirtualTimeLoop
from tests.support.demand_measured import Item, Tally
from tests.support.reactive import Probe

__all__ = ["BLOCKS", "Block", "Rig", "in_virtual_time"]

T = TypeVar("T")

#: Calls that a step runs at once, unless the block says otherwise.
LIMIT = 4

#: Seconds by which everything has happened while calls wait.
SETTLED = 60.0


class Rig:
    """A source, and a slow step, that tell what happens to them."""

    def __init__(self, items: int, *, holds: bool = True, fails: bool = False) -> None:
        self.items = items
        self.holds = holds
        self.fails = fails
        self.tally = Tally()
        #: calls that have begun, are in flight, and were cancelled
        self.begun = self.in_flight = self.cancelled = 0
        self.gate = threading.Event()
        #: items of which an attempt has failed
        self.cut: set[float] = set()

    def numbers(self) -> Iterator[dict[str, Item]]:
        """The items of the source; the last one is an error if it `fails`."""
        tally = self.tally
        tally.opened += 1
        try:
            for number in range(self.items):
                if self.fails and number == self.items - 1:
                    raise LookupError("upstream")
                tally.asked += 1
                yield {"x": Item(number, tally)}
        finally:
            tally.closed += 1

    async def anumbers(self) -> AsyncIterator[dict[str, Item]]:
        """The same, to be awaited."""
        for item in self.numbers():
            yield item

    @property
    def source(self) -> Any:
        return step("numbers", self.numbers)

    async def held(self, x: Item) -> dict[str, Any]:
        """A call that waits, if the rig holds them."""
        self.begun += 1
        self.in_flight += 1
        try:
            await asyncio.sleep(3600 if self.holds else 0.01)
            return {"y": float(x)}
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.in_flight -= 1

    async def held_generator(self, x: Item) -> AsyncIterator[dict[str, Any]]:
        """Yields two products, and waits before each."""
        for _ in range(2):
            yield await self.held(x)

    async def passing(self, x: Item) -> dict[str, Any]:
        """Waits for nothing."""
        return {"z": float(x)}

    async def cut_off(self, x: Item) -> AsyncIterator[dict[str, Any]]:
        """Yields two products, between which each first attempt fails."""
        yield await self.held(x)
        if float(x) not in self.cut:
            self.cut.add(float(x))
            raise ConnectionError("lost")
        yield {"y": float(x)}

    async def held_once(self, x: Item) -> dict[str, Any]:
        """Only the first call waits."""
        return {"y": float(x)} if x else await self.held(x)

    async def failing(self, x: Item) -> dict[str, Any]:
        """Fails as long as the rig holds it."""
        if self.holds:
            raise ConnectionError("down")
        return {"y": float(x)}

    async def failing_first(self, x: Item) -> dict[str, Any]:
        """The first hundred calls fail, the others wait, as long as the rig holds them."""
        return await (self.failing if x < 100 else self.held)(x)

    def blocking(self, x: Item) -> dict[str, Any]:
        """Holds its thread."""
        self.begun += 1
        if self.holds:
            self.gate.wait(30)
        return {"y": float(x)}

    async def hold(self) -> None:
        """Wait, if the rig holds readers."""
        if self.holds:
            await asyncio.sleep(3600)

    @property
    def slow(self) -> Any:
        """The step behind the block that sets the pace."""
        return step("slow", self.held).options(concurrency=LIMIT)

    def stepped(self, function: Callable[..., Any] | None = None, **options: Any) -> Any:
        """The block is a step with these options."""
        made = step("f", self.held if function is None else function)
        return self.source >> made.options(**{"concurrency": LIMIT, **options})

    async def measured(self, block: Block) -> Found:
        """Run the block until everything has happened, and leave it."""
        task: asyncio.Task[int] = asyncio.ensure_future(block.flow(self))
        await asyncio.sleep(SETTLED)
        gc.collect()
        found = Found(self.tally.asked, self.tally.alive, self.in_flight)
        task.cancel()
        self.gate.set()
        await asyncio.wait([task])
        return found


@dataclass(frozen=True)
class Found:
    """What was seen while calls, or the reader, waited."""

    #: items that the source was asked for; those that are in memory
    asked: int
    kept: int
    in_flight: int


@dataclass(frozen=True)
class Block:
    """A flow around a building block, which returns how many products it has emitted."""

    flow: Callable[[Rig], Coroutine[Any, Any, int]]
    #: how many products come of 50 items
    emits: int = 50


async def collected(flow: Any, rig: Rig) -> int:
    """How many outputs a run has; what it keeps is kept as long as the rig holds it."""
    result = await arun(flow)
    await rig.hold()
    return sum(map(len, result))


async def started(flow: Any, rig: Rig) -> int:
    async with start(flow) as running:
        result = await running.result()
    await rig.hold()
    return sum(map(len, result))


async def read(items: Any, rig: Rig) -> int:
    """How many items there are, for a reader who stops after the first while the rig holds."""
    count = 0
    async with aclosing(aiter(items)) as ahead:
        async for _ in ahead:
            count += 1
            await rig.hold()
    return count


class Reading(AsyncConsumer[Any, int]):
    """Counts what it reads, and stops after the first while the rig holds."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig

    async def aconsume(self, products: AsyncIterable[tuple[int, Any]]) -> int:
        count = 0
        async for _ in products:
            count += 1
            await self.rig.hold()
        return count


async def subscribed(observable: Observable[Any], rig: Rig) -> int:
    """How many items an Observable emits, to an observer that knows nothing of demand."""
    loop, count = asyncio.get_running_loop(), 0
    ended = loop.create_future()

    def take(_: Any) -> None:
        nonlocal count
        count += 1

    subscription = observable.subscribe(
        take, ended.set_exception, lambda: ended.set_result(None), scheduler=AsyncIOScheduler(loop)
    )
    try:
        await ended
        await rig.hold()
    finally:
        subscription.dispose()
    return count


async def requested(publisher: Any, rig: Rig) -> int:
    """How many items a publisher emits to a subscriber that requests two, or all."""
    probe = Probe(first=2 if rig.holds else 10_000)
    publisher.subscribe(probe)
    try:
        await probe.ended.wait()
    finally:
        probe.subscription.cancel()
        await asyncio.sleep(1)
    for signal, argument in probe.signals:
        if signal == "on_error":
            raise argument
    return len(probe.items)


async def shared(rig: Rig) -> int:
    async with rig.source.share() as hub:
        return await collected(hub >> rig.slow, rig)


async def of_stream(stream: Any, rig: Rig) -> int:
    """How many items a stream of aiostream has."""
    async with stream.stream() as items:
        count = 0
        async for _ in items:
            count += 1
            await rig.hold()
        return count


async def in_threads(rig: Rig) -> int:
    with ThreadPoolExecutor(LIMIT) as pool:
        return await collected(rig.stepped(rig.blocking, executor=pool), rig)


def in_virtual_time(main: Coroutine[Any, Any, T]) -> T:
    """Run in time that takes none, and wait for threads for a moment only."""
    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(patience=0.02)) as runner:
        runner.get_loop().set_debug(False)  # It takes a traceback for each item that is put off.
        return runner.run(main)


def replaced(_: Failure) -> dict[str, Any]:
    return {"y": None}


def same(item: T) -> T:
    return item


def observed(rig: Rig, **options: Any) -> Any:
    """A flow behind `from_observable`."""
    return from_observable(rig.source.to_observable(), "x", **options) >> rig.slow


def pushed(rig: Rig) -> Any:
    """An Observable that knows nothing of demand."""
    return reactivex.from_iterable(rig.numbers())


#: Each block by its name in the table; a step is asynchronous, and has a concurrency of 4.
BLOCKS: dict[str, Block] = {
    "step, plain function": Block(
        lambda rig: collected(rig.source >> step("f", lambda x: {"z": x}) >> rig.slow, rig)
    ),
    "step, coroutine function": Block(lambda rig: collected(rig.stepped(), rig)),
    "step, async generator": Block(
        lambda rig: collected(rig.stepped(rig.held_generator), rig), emits=100
    ),
    "two steps in a chain": Block(
        lambda rig: collected(rig.source >> step("f", rig.passing) >> rig.slow, rig)
    ),
    "where": Block(
        lambda rig: collected(rig.source >> where(lambda x: x % 2 == 0) >> rig.slow, rig), emits=25
    ),
    "path": Block(lambda rig: collected(rig.source >> path("name", rig.slow), rig)),
    "a & b, branches": Block(
        lambda rig: collected(rig.source >> (step("f", rig.passing) & rig.slow), rig), emits=100
    ),
    "a & b, sources": Block(
        lambda rig: collected((rig.source & step("more", [{"x": -1.0}])) >> rig.slow, rig), emits=51
    ),
    "passthrough": Block(
        lambda rig: collected(rig.source >> (passthrough() & rig.slow), rig), emits=100
    ),
    "route": Block(
        lambda rig: collected(
            rig.source >> route(lambda x: x % 2, {0: rig.slow, 1: passthrough()}), rig
        )
    ),
    'buffered(8, "keep")': Block(
        lambda rig: collected(rig.source >> rig.slow.buffered(8, "keep"), rig)
    ),
    'buffered(8, "drop_oldest")': Block(
        lambda rig: collected(rig.source >> rig.slow.buffered(8, "drop_oldest"), rig), emits=8
    ),
    "concurrency=8": Block(lambda rig: collected(rig.stepped(concurrency=8), rig)),
    "concurrency=None": Block(lambda rig: collected(rig.stepped(concurrency=None), rig)),
    "ordered=True": Block(lambda rig: collected(rig.stepped(rig.held_once, ordered=True), rig)),
    "ordered=True, window=8": Block(
        lambda rig: collected(rig.stepped(rig.held_once, ordered=True, window=8), rig)
    ),
    "buffer=2": Block(
        lambda rig: collected(
            rig.source >> step("f", rig.passing) >> rig.slow.options(buffer=2), rig
        )
    ),
    "limiter": Block(lambda rig: collected(rig.stepped(limiter=asyncio.Semaphore(1)), rig)),
    "retry=1000": Block(lambda rig: collected(rig.stepped(rig.failing, retry=1000), rig)),
    "repeatable=True": Block(
        lambda rig: collected(rig.stepped(rig.cut_off, retry=3, repeatable=True), rig), emits=100
    ),
    "timeout=600": Block(lambda rig: collected(rig.stepped(timeout=600), rig)),
    'on_error="skip"': Block(
        lambda rig: collected(rig.stepped(rig.failing_first, on_error="skip"), rig)
    ),
    'on_error="collect"': Block(
        lambda rig: collected(rig.stepped(rig.failing_first, on_error="collect"), rig)
    ),
    "on_error=function": Block(
        lambda rig: collected(rig.stepped(rig.failing_first, on_error=replaced), rig)
    ),
    "executor": Block(in_threads),
    "rx_pipe": Block(lambda rig: collected(rig.source >> rx_pipe(ops.map(same)) >> rig.slow, rig)),
    "stream_pipe": Block(
        lambda rig: collected(rig.source >> stream_pipe(pipe.skip(0)) >> rig.slow, rig)
    ),
    "from_observable, of a flow": Block(lambda rig: collected(observed(rig), rig)),
    "from_observable, of Rx": Block(
        lambda rig: collected(from_observable(pushed(rig), "x") >> rig.slow, rig)
    ),
    'overflow="drop_oldest", buffer=8': Block(
        lambda rig: collected(observed(rig, overflow="drop_oldest", buffer=8), rig), emits=8
    ),
    'overflow="latest"': Block(
        lambda rig: collected(observed(rig, overflow="latest"), rig), emits=1
    ),
    "from_publisher, buffer=4": Block(
        lambda rig: collected(
            from_publisher(to_publisher(rig.source), "x", buffer=4) >> rig.slow, rig
        )
    ),
    "flow.share()": Block(shared),
    "flow.to_observable()": Block(lambda rig: subscribed(rig.source.to_observable(), rig)),
    "flow.to_stream()": Block(lambda rig: of_stream(rig.source.to_stream(), rig)),
    "to_publisher": Block(lambda rig: requested(to_publisher(rig.source), rig)),
    "rx.to_observable": Block(lambda rig: subscribed(to_observable(rig.anumbers()), rig)),
    "rx.to_stream": Block(lambda rig: of_stream(to_stream(pushed(rig)), rig)),
    "streams.flat_map": Block(
        lambda rig: of_stream(
            flat_map(rig.anumbers(), lambda item: rig.held(**item), concurrency=LIMIT), rig
        )
    ),
    "streams.merge": Block(lambda rig: of_stream(merge(rig.anumbers()), rig)),
    "streams.buffer(8)": Block(lambda rig: of_stream(buffer(rig.anumbers(), 8), rig)),
    "run, arun": Block(lambda rig: collected(rig.source, rig)),
    "start": Block(lambda rig: started(rig.source, rig)),
    "stream, astream": Block(lambda rig: read(astream(rig.source), rig)),
    "for, async for": Block(lambda rig: read(rig.source, rig)),
    "Consumer": Block(lambda rig: (rig.source >> Reading(rig)).arun()),
}
