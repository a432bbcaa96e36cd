"""Does a stream with a slow stage, or a slow reader, stay small, and begin at once?"""

from __future__ import annotations

import asyncio
import gc
import inspect
import statistics
import sys
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing, closing
from functools import cache, partial
from types import ModuleType
from typing import Any

from ..measuring.contenders import Contender, Contenders
from ..measuring.contest import (
    BY_HAND,
    OURS,
    CannotDo,
    Clock,
    Contest,
    Goal,
    Row,
    Size,
    Trial,
    Workload,
    WrongOutputs,
)
from ..work.functions import Attributes, Function, Probe, chain_outputs, items, pause_of, steps
from ..work.operations import Work, left_out, operation_rows
from ..work.trials import in_loop
from ..work.yardsticks import bound_row

__all__ = ["WORKLOAD"]

LIMIT, DEPTH = 10, 2
#: A call of the slow stage lets others have their turn so often; so does a slow reader.
TURNS, READER_TURNS = 3, 20
#: A run that keeps its items takes ten times the memory with ten times the items.
FLAT = 1.25
#: Seconds within which the first output is to come, and first outputs of which it is the median.
SOON, FIRSTS = 0.001, 5

_FLAT, _BOUND, _SOON = "flat", "limits plus buffers", "1 ms"


def contests(size: Size, contenders: Contenders) -> Iterable[Contest]:
    """Costs, peak memory, whether it grows with the items, how far the source is ahead of a slow
    reader, and how soon the first output comes."""
    without = left_out(size)
    yield _costs(size.pick(2_000, 300, 100), contenders, without)
    yield _peaks(size.pick(10_000, 100, 100), contenders, without)
    count = size.pick(100_000, 1_000, 1_000)
    yield _growth(f"{_NAME}, growth of memory", count, contenders, without)
    if size is Size.FULL:
        yield _growth(f"{_NAME}, a million items", 1_000_000, contenders, {}, {OURS, BY_HAND})
    # Where a reader lets others have their turn, threads do nothing but change.
    yield _ahead(size.pick(2_000, 200, 200), contenders, left_out(size, "threads"))
    yield _firsts(size.pick(10_000, 500, 500), contenders, without)


# What all have in common: a fast stage, then a slow one


def _slowed(calls: str, function: Function) -> Function:
    """The function, after some turns of others."""
    pause = pause_of(calls)
    if calls == "threads":

        def block(x: int) -> Attributes:
            for _ in range(TURNS):
                pause(0)
            attributes: Attributes = function(x=x)
            return attributes

        return block

    async def slow(x: int) -> Attributes:
        for _ in range(TURNS):
            await pause(0)
        attributes: Attributes = await function(x=x)
        return attributes

    return slow


def _functions(calls: str, probe: Probe | None = None) -> dict[str, Function]:
    functions = steps(calls, DEPTH, probe=probe)
    last = f"step{DEPTH}"
    return functions if probe else {**functions, last: _slowed(calls, functions[last])}


def _last(x: int) -> Attributes:
    return {"x": x + sum(range(1, DEPTH + 1))}


class _Reader:
    """Reads a stream, and does something for each item that is made or read.

    `made(number)` and `read(number)` are given how many there are by then. It stops after `stop`
    outputs, and lets others have `turns` turns after each.
    """

    def __init__(
        self, contender: Contender, module: ModuleType, *, stop: int = 0, turns: int = 0
    ) -> None:
        self._contender = contender
        self._stream = module.stream
        self._stop = stop
        self._turns = turns
        #: when the stream was asked for
        self.began = 0.0
        self.made: Callable[[int], None] = lambda number: None
        self.read: Callable[[int], None] = lambda number: None

    def run(self, count: int) -> None:
        """Read the stream of so many items."""
        if inspect.isasyncgenfunction(self._stream):
            in_loop(partial(self._read_async, count))
        elif inspect.isgeneratorfunction(self._stream):
            self._read(count)
        else:
            raise CannotDo("returns nothing before the end")

    def _begun(self, count: int) -> Any:
        self.began = time.process_time()
        return self._stream(self._items(count), _functions(self._contender.calls), LIMIT)

    async def _read_async(self, count: int) -> None:
        total, seen = 0, 0
        outputs: AsyncIterator[Any]
        async with aclosing(self._begun(count)) as outputs:
            async for output in outputs:
                for _ in range(self._turns):
                    await asyncio.sleep(0)
                total, seen = total + self._number(output), seen + 1
                self.read(seen)
                if seen == self._stop:
                    return
        _check(total, count)

    def _read(self, count: int) -> None:
        total, seen = 0, 0
        with closing(self._begun(count)) as outputs:
            for output in outputs:
                for _ in range(self._turns):
                    time.sleep(0)
                total, seen = total + self._number(output), seen + 1
                self.read(seen)
                if seen == self._stop:
                    return
        _check(total, count)

    def _items(self, count: int) -> Iterator[Attributes]:
        for number in range(count):
            self.made(number + 1)
            yield {"x": number}

    def _number(self, output: Any) -> int:
        lineage = "lineage" in self._contender.promises
        attributes = output[f"step{DEPTH}"] if lineage else output
        number: int = attributes["x"]
        return number


def _check(total: int, count: int) -> None:
    expected = sum(_last(x)["x"] for x in range(count))
    if total != expected:
        raise WrongOutputs(f"the numbers of the outputs add up to {total:,}, not {expected:,}")


Measure = Callable[[Contender, ModuleType], float]
#: Why contenders are left out.
Reasons = Mapping[str, str]


def _contest(
    name: str,
    question: str,
    unit: str,
    scale: float,
    measure: Measure,
    contenders: Contenders,
    *,
    goals: list[Goal],
    more: list[Row],
    without: Reasons,
    yardstick: str = BY_HAND,
    names: set[str] | None = None,
    once: bool = False,
) -> Contest:
    """A contest of values that `measure` takes of each contender that can stream, or of those of
    these names; `without` are left out."""
    able, absent = contenders.offering("stream")
    rows = [
        Row(one.name, one.name, partial(_prepare, partial(measure, one), once), one.note)
        for one in able
        if one.name not in without and (names is None or one.name in names)
    ]
    return Contest(
        name,
        question,
        unit,
        [*rows, *more],
        clock=Clock.VALUE,
        scale=scale,
        goals=goals,
        yardstick=yardstick,
        absent={**without, **absent},
    )


def _prepare(measure: Callable[[ModuleType], float], once: bool, module: ModuleType) -> Trial:
    """`once`: it hardly varies, and takes long: a process measures it once, and repeats that."""
    run = partial(measure, module)
    return Trial(cache(run) if once else run, lambda _: None, value=float)


# Costs


def _costs(count: int, contenders: Contenders, without: Reasons) -> Contest:
    rows, absent = operation_rows(
        contenders,
        "stream",
        partial(_work, count),
        # Enough to see who reads ahead.
        checked=partial(_work, 250),
        units=count * DEPTH,
        without=without,
    )
    return Contest(
        f"{_NAME}, streamed",
        "What does a step cost whose outputs are yielded as they come, the second of 2 slow?",
        "µs per item and step",
        rows,
        absent=absent,
    )


def _work(count: int, calls: str, probe: Probe | None) -> Work:
    source = items(count)
    return Work(
        {
            "items": source if probe is None else probe.source(source),
            "functions": _functions(calls, probe),
            "limit": LIMIT,
        },
        expected=partial(chain_outputs, count, DEPTH),
        calls=count * DEPTH,
        limit=LIMIT,
        depth=DEPTH,
    )


# Memory


def _peaks(count: int, contenders: Contenders, without: Reasons) -> Contest:
    able, _ = contenders.offering("stream")
    longer = f"{OURS}, 10 times the items"
    more = [
        Row(longer, one.name, partial(_prepare, partial(_peak, 10 * count, one), True))
        for one in able
        if one.name == OURS
    ]
    return _contest(
        f"{_NAME}, peak memory",
        "What memory does a stream take at most, whose second stage is slow?",
        "KiB",
        1 / 1024,
        partial(_peak, count),
        contenders,
        goals=[Goal(FLAT, OURS, longer)],
        more=more,
        without=without,
        once=True,
    )


def _peak(count: int, contender: Contender, module: ModuleType) -> float:
    """Bytes that Python's allocator sees at most."""
    reader = _Reader(contender, module)
    reader.run(10)  # what is made once isn't part of it
    gc.collect()
    tracemalloc.start()
    try:
        reader.run(count)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _growth(
    name: str,
    count: int,
    contenders: Contenders,
    without: Reasons,
    names: set[str] | None = None,
) -> Contest:
    return _contest(
        name,
        "How much more does a stream hold at most than it does in the first tenth of its items?",
        "x the first tenth",
        1,
        partial(_grown, count),
        contenders,
        goals=[Goal(FLAT, _FLAT)],
        more=[bound_row(_FLAT, lambda: 1, "not measured")],
        yardstick=_FLAT,
        without=without,
        names=names,
        once=True,
    )


def _grown(count: int, contender: Contender, module: ModuleType) -> float:
    """The most blocks of memory that there are at any time, over those in the first tenth.

    To count them takes no time, so that a run can be long.
    """
    reader = _Reader(contender, module)
    reader.run(10)
    gc.collect()
    before = sys.getallocatedblocks()
    first, highest = 1, 1

    def look(number: int) -> None:
        nonlocal first, highest
        if number % (count // 500) == 0:
            highest = max(highest, sys.getallocatedblocks() - before)
            if number == count // 10:
                first = highest

    reader.made = look
    reader.run(count)
    return highest / first


# Items ahead


def _ahead(count: int, contenders: Contenders, without: Reasons) -> Contest:
    return _contest(
        f"{_NAME}, items ahead",
        "How many items have been taken from the source that a slow reader isn't done with?",
        "items at most",
        1,
        partial(_items_ahead, count),
        contenders,
        goals=[Goal(1, _BOUND)],
        more=[bound_row(_BOUND, _allowed, "not measured")],
        without=without,
    )


def _allowed() -> float:
    from fluxus_rx._streams.channel import BUFFER

    return float(DEPTH * LIMIT + (DEPTH + 1) * BUFFER)


def _items_ahead(count: int, contender: Contender, module: ModuleType) -> float:
    reader = _Reader(contender, module, turns=READER_TURNS)
    made, ahead = 0, 0

    def take(number: int) -> None:
        nonlocal made
        made = number

    def look(number: int) -> None:
        nonlocal ahead
        ahead = max(ahead, made - (number - 1))

    reader.made, reader.read = take, look
    reader.run(count)
    return float(ahead)


# The first output


def _firsts(count: int, contenders: Contenders, without: Reasons) -> Contest:
    return _contest(
        f"{_NAME}, first output",
        "How soon does a stream yield its first output, whose second stage is slow?",
        "ms of CPU",
        1e3,
        partial(_first, count),
        contenders,
        goals=[Goal(1, _SOON)],
        more=[bound_row(_SOON, lambda: SOON, "not measured")],
        without=without,
    )


def _first(count: int, contender: Contender, module: ModuleType) -> float:
    """Seconds of CPU from asking for the stream to its first output, in the middle of several.

    Nothing is waited for before that, so on a quiet machine these are the seconds that pass.
    """
    waits: list[float] = []

    def look(_: int) -> None:
        waits.append(time.process_time() - reader.began)

    reader = _Reader(contender, module, stop=1)
    reader.read = look
    for _ in range(FIRSTS):
        reader.run(count)
    return statistics.median(waits)


_NAME = "slow stage"

WORKLOAD = Workload(
    "slow_stage",
    "Does a stream with a slow stage, or a slow reader, stay small, and begin at once?",
    contests,
    sizes="10,000, 100,000 and 1,000,000 items (quick 100 to 1,000)",
    seconds=90,
    rank=6,
)
