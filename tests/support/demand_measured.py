"""Measures how far a source runs ahead of a slow step, with Rx operators between the two."""

from __future__ import annotations

import asyncio
import gc
import itertools
import re
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import reactivex
from reactivex import Observable
from reactivex import operators as ops
from reactivex.scheduler.eventloop import AsyncIOScheduler
from reactivex.subject import Subject

from fluxus_rx import AsyncConsumer, AsyncProducer, AsyncTransformer, Producer, rx_pipe
from fluxus_rx.testing import run_virtual

#: How many items the sources have: those that give them at once, and those that tick.
MANY = (500, 420)
TICKS = (300, 250)

#: Items that a step of 4 calls and its buffer of 16 have room for, and a few.
FEW = 25

#: Calls that the slow step runs at once.
LIMIT = 4

#: Seconds between two items of a source that ticks.
TICK = 0.1

#: Seconds before a source that is late gives anything: by then the other one is at its end.
LATE = 60.0

#: Seconds for which the slow step holds its calls, and by which everything else has happened.
HOLD = 100.0

#: Seconds within which a run has to end once its step is let go.
PATIENCE = 10_000.0


@dataclass
class Tally:
    """What has become of the items of one source."""

    asked: int = 0
    alive: int = 0
    opened: int = 0
    closed: int = 0
    #: whether the slow step was given anything before this source was at its end
    was_heard: bool = False
    drained: bool = False


class Item(float):
    """A number that tells when it is forgotten."""

    tally: Tally

    def __new__(cls, number: int, tally: Tally) -> Item:
        item = super().__new__(cls, number)
        item.tally = tally
        tally.alive += 1
        return item

    def __del__(self) -> None:
        self.tally.alive -= 1


class AtOnce(Producer[Item]):
    """So many numbers, as fast as they are asked for."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.tally = Tally()

    def produce(self) -> Iterator[Item]:
        tally = self.tally
        tally.opened += 1
        try:
            for number in range(self.number):
                tally.asked += 1
                yield Item(number, tally)
            tally.drained = True
        finally:
            tally.closed += 1


class Ticking(AsyncProducer[Item]):
    """So many numbers, one for each tick at most, the first one after `late` seconds."""

    def __init__(self, number: int, late: float = 0.0) -> None:
        self.number = number
        self.late = late
        self.tally = Tally()

    async def aproduce(self) -> AsyncIterator[Item]:
        tally = self.tally
        tally.opened += 1
        try:
            await asyncio.sleep(self.late)
            for number in range(self.number):
                await asyncio.sleep(TICK)
                tally.asked += 1
                yield Item(number, tally)
            tally.drained = True
        finally:
            tally.closed += 1


Source = AtOnce | Ticking


class Slow(AsyncTransformer[Any, Any]):
    """Holds each of its calls until the gate opens."""

    def __init__(self, source: Tally, gate: asyncio.Event) -> None:
        self.source = source
        self.gate = gate

    async def atransform(self, product: Any) -> AsyncIterator[Any]:
        if not self.source.drained:
            self.source.was_heard = True
        await self.gate.wait()
        yield product


class Collect(AsyncConsumer[Any, list[Any]]):
    """What arrives."""

    async def aconsume(self, products: AsyncIterable[tuple[int, Any]]) -> list[Any]:
        return [product async for _, product in products]


@dataclass(frozen=True)
class Found:
    """What a run has shown while its step was held, and its results in the end."""

    #: items asked of the source, and of the second one
    asked: int
    second: int
    #: items of the source that are in memory
    kept: int
    was_heard: bool
    #: whether both sources were closed as often as they were opened
    closed: bool
    #: None if the run did not end
    results: list[Any] | None = field(repr=False)


Operators = tuple[Callable[[Any], Any], ...]


def _merged(several: Any) -> Observable[Any]:
    return reactivex.merge(*several)


def _twice() -> Callable[[object], bool]:
    answers = iter((True, True, False))
    return lambda _: next(answers)


def built(written: str, other: Observable[Any]) -> Operators:
    """The operators of a row, from what the table shows: so it shows what was measured."""
    names = {
        **vars(ops),
        "rx": reactivex,
        "other": other,
        "merged": _merged,
        "nothing": lambda: None,
        "same": lambda item, *_: item,
        "pair": lambda item: (item, item),
        "yes": lambda *_: True,
        "no": lambda *_: False,
        "even": lambda item, *_: item % 2 == 0,
        "small": lambda item, *_: item < 3,
        "third": lambda item: item % 3,
        "zero": lambda item: item == 0,
        "plus": lambda one, two: one + two,
        "one": lambda item, *_: reactivex.of(item),
        "none": lambda *_: reactivex.empty(),
        "after": lambda seconds: lambda *_: reactivex.timer(seconds),
        "later": lambda item, *_: reactivex.timer(0.5).pipe(ops.map(lambda _: item)),
        "twice": _twice(),
        "numbers": itertools.count(),
        "Subject": Subject,
        "AsyncIOScheduler": lambda: AsyncIOScheduler(asyncio.get_running_loop()),
    }
    operators: Operators = eval(f"({written},)", names)
    return operators


async def measured(written: str, source: Source, second: Source) -> Found:
    """Run a flow with these operators between a source and a slow step."""
    gate, tally = asyncio.Event(), source.tally
    slow = Slow(tally, gate).options(concurrency=LIMIT, ordered=True)
    pipe = rx_pipe(*built(written, second.to_observable()))
    task = asyncio.create_task((source >> pipe >> slow >> Collect()).arun())
    await asyncio.sleep(HOLD)
    gc.collect()
    asked, asked_second, kept = tally.asked, second.tally.asked, tally.alive
    gate.set()
    await asyncio.wait([task], timeout=PATIENCE)
    results: list[Any] | None = None
    if task.done():
        results = await task
    else:
        task.cancel()
        await asyncio.wait([task])
    closed = all(one.tally.opened == one.tally.closed for one in (source, second))
    return Found(asked, asked_second, kept, tally.was_heard, closed, results)


async def plainly(written: str, number: int, tick: float) -> list[Any] | None:
    """The results of these operators in Rx alone; None if they never end."""
    loop = asyncio.get_running_loop()
    numbers: Observable[Any] = reactivex.from_iterable(range(number))
    if tick:
        numbers = reactivex.interval(tick).pipe(ops.take(number))
    floats = numbers.pipe(ops.map(float))
    found: list[Any] = []
    ended = loop.create_future()
    piped = floats.pipe(*built(written, floats))
    subscription = piped.subscribe(
        found.append,
        ended.set_exception,
        lambda: ended.set_result(found),
        scheduler=AsyncIOScheduler(loop),
    )
    await asyncio.wait([ended], timeout=PATIENCE)
    subscription.dispose()
    return found if ended.done() else None


class Measurement:
    """What the runs of one operator have shown, with sources of two lengths each."""

    def __init__(self, written: str) -> None:
        self.written = written
        self.two = bool(re.search(r"\bother\b", written))
        self.at_once = self._pair(lambda number: (AtOnce(number), AtOnce(number)), MANY)
        self.ticking = self._pair(lambda number: (Ticking(number), Ticking(number)), TICKS)
        self.first_alone = self.second_alone = self.ticking
        if self.two:
            self.first_alone = self._pair(
                lambda number: (Ticking(number), Ticking(number, LATE)), TICKS
            )
            self.second_alone = self._pair(
                lambda number: (Ticking(0, LATE), Ticking(number)), TICKS
            )

    def _pair(
        self, make: Callable[[int], tuple[Source, Source]], numbers: Iterable[int]
    ) -> list[Found]:
        return [run_virtual(self._measured(*make(number))) for number in numbers]

    async def _measured(self, source: Source, second: Source) -> Found:
        # The debug mode of the tests takes a traceback for each item that is put off.
        asyncio.get_running_loop().set_debug(False)
        return await measured(self.written, source, second)

    @property
    def every(self) -> list[Found]:
        """All that was found."""
        return [*self.at_once, *self.ticking, *self.first_alone, *self.second_alone]

    @property
    def kind(self) -> str:
        """How far the source runs ahead, in a word."""
        if not any(found.was_heard for found in self.at_once + self.ticking):
            return "drained"
        return _kind([one.asked for one in self.at_once], [one.asked for one in self.first_alone])

    @property
    def cells(self) -> list[str]:
        """How far the two sources run ahead, and what is kept."""
        kind, second = self.kind, ""
        asked = [one.asked for one in (*self.at_once, *self.ticking, *self.first_alone)]
        first = _number(kind, max(asked), self.first_alone[0].asked)
        if self.two:
            there = [[one.second for one in pair] for pair in (self.at_once, self.second_alone)]
            word = _kind(*there)
            if word != "bounded" and kind == "drained":
                word = kind
            second = _number(word, max(map(max, there)), there[1][0])
        found = self.first_alone[0]
        kept = "few" if found.kept <= FEW else "all" if found.kept >= found.asked - 2 else "some"
        return [first, second, "" if kind == "bounded" else kept]


def _kind(at_once: list[int], ticking: list[int]) -> str:
    """What two numbers of items with sources of different lengths tell, at once and in time."""
    if ticking[0] != ticking[1]:
        return "unbounded"
    return "bounded" if at_once[0] == at_once[1] else "by time"


def _number(kind: str, most: int, in_time: int) -> str:
    """A kind with its number, where it has one."""
    return {"bounded": f"{most}", "by time": f"by time: {in_time}"}.get(kind, kind)
