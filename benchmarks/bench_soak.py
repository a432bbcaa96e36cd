"""Does a long run lose nothing, keep nothing, and leave nothing behind, with calls that fail?

Which calls fail is told by their number and step: 1 % of the calls fail at first and are made
again, 1 % of these fail each time. So each number is an output or a failure, and it is known which;
a ledger of one byte per number checks that it is there once, while the run goes on.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import sys
import time
from array import array
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import aclosing
from functools import cache, partial
from typing import Any

from .harness import (
    MICROSECONDS,
    OURS,
    Contender,
    Contest,
    Goal,
    Measure,
    Scale,
    WrongOutputs,
    benchmark,
    in_loop,
    peer,
    timed,
)
from .work import Attributes, Lineage

STEPS = 3
LIMIT = 10
ATTEMPTS = 3
#: One call in so many fails at first, and one in so many of these each time.
FAILING = 100
#: Places between two steps, as in a flow.
BUFFER = 16

FLAT = 1.25
STEADY = 1.25
BY_HAND = 3

TENACITY = "tenacity"

#: Stretches of the long run.
MARKS = 200
_FIRST, _LAST = slice(MARKS // 10), slice(-MARKS // 10, None)


@benchmark(
    "soak",
    question="Do a million products, some of whose calls fail, get lost, or leave anything behind?",
    goal="all accounted for, no task left; after a tenth of them, memory at most"
    f" {FLAT:g}x, a product at most {STEADY:g}x; at most {BY_HAND:g}x of workers by hand",
)
def contests(scale: Scale) -> Iterable[Contest]:
    """The time of a product in runs of 20,000, then one long run, the same whatever the rounds."""
    yield _short(scale.pick(20_000, 2_000))
    count = scale.pick(1_000_000, 20_000)
    soak = cache(partial(_soaked, count))
    yield _tenths("time", "µs per product", STEADY, lambda part: soak().pace(part), count)
    yield _tenths("memory", "live blocks", FLAT, lambda part: soak().live(part), count)


# The work, and what must come of it


class Flaked(Exception):
    """A call has failed."""


class _Step:
    """A step that adds a number to `x`, and fails where it should; counts its calls."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.calls = 0
        self._failed: set[int] = set()

    async def call(self, x: int) -> Attributes:
        await asyncio.sleep(0)
        self.calls += 1
        if x % FAILING == self.number and self._fails(x):
            raise Flaked(x)
        return {"x": x + self.number}

    def _fails(self, x: int) -> bool:
        if _hopeless(x, self.number):
            return True
        if x in self._failed:
            self._failed.remove(x)
            return False
        self._failed.add(x)
        return True


def _hopeless(x: int, step: int) -> bool:
    return x // FAILING % FAILING == step


def _fate(number: int) -> tuple[int, int]:
    """The step in which this number fails for good, or 0; and how many calls it takes."""
    x, calls = number, 0
    for step in range(1, STEPS + 1):
        calls += 1
        if x % FAILING == step:
            if _hopeless(x, step):
                return step, calls + ATTEMPTS - 1
            calls += 1
        x += step
    return 0, calls


class _Ledger:
    """What has become of each number; raises `WrongOutputs` as soon as anything is wrong."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.steps = [_Step(number) for number in range(1, STEPS + 1)]
        self.outputs = 0
        self._seen = bytearray(count)
        self._calls = 0

    def source(self) -> Iterator[Attributes]:
        return ({"x": number} for number in range(self.count))

    def output(self, output: Lineage) -> None:
        """An output has come."""
        x = output["src"]["x"]
        expected = {"src": {"x": x}}
        self._settle(x, 0)
        for step in self.steps:
            x += step.number
            expected[f"step{step.number}"] = {"x": x}
        if output != expected:
            raise WrongOutputs(f"{output} came instead of {expected}")
        self.outputs += 1

    def failure(self, step: str, lineage: Lineage, attempts: int) -> None:
        """A call has failed for good."""
        if attempts != ATTEMPTS:
            raise WrongOutputs(f"{step} gave {lineage} up after {attempts} attempts")
        self._settle(lineage["src"]["x"], int(step.removeprefix("step")))

    def _settle(self, number: int, failed: int) -> None:
        expected, calls = _fate(number)
        if failed != expected:
            raise WrongOutputs(f"{number} failed in step {failed} instead of {expected} (0: none)")
        if self._seen[number]:
            raise WrongOutputs(f"{number} came twice")
        self._seen[number] = 1
        self._calls += calls

    def close(self) -> None:
        """The run is over; to be called on its loop."""
        if lost := self._seen.count(0):
            raise WrongOutputs(f"{lost} of {self.count} are lost, {self._seen.find(0)} for one")
        made = sum(step.calls for step in self.steps)
        if made != self._calls:
            raise WrongOutputs(f"{made} calls were made instead of {self._calls}")
        if left := asyncio.all_tasks() - {asyncio.current_task()}:
            raise WrongOutputs(f"{len(left)} tasks are left: {left!r:.300}")


# Who does it


def _flow(ledger: _Ledger) -> Any:
    """The flow; its retries are those of tenacity, as those of a number would wait a while."""
    flows, tenacity = peer(OURS), peer(TENACITY)
    retry = tenacity.AsyncRetrying(
        wait=tenacity.wait_none(), stop=tenacity.stop_after_attempt(ATTEMPTS)
    )
    steps = (flows.step(f"step{step.number}", step.call) for step in ledger.steps)
    return flows.chain(flows.step("src", ledger.source), *steps).options(
        concurrency=LIMIT, buffer=BUFFER, retry=retry, on_error="collect"
    )


def _failed(ledger: _Ledger) -> Callable[[Any], None]:
    return lambda failure: ledger.failure(failure.step, failure.lineage, failure.attempts)


async def _astreamed(ledger: _Ledger) -> AsyncGenerator[Lineage, None]:
    outputs = peer(OURS).astream(_flow(ledger), on_failure=_failed(ledger))
    async with aclosing(outputs):
        async for _, output in outputs:
            yield output


async def _by_hand(ledger: _Ledger) -> AsyncGenerator[Lineage, None]:
    """Workers for each step, bounded queues between them, a loop around each call."""
    queues: list[asyncio.Queue[Lineage | None]] = [asyncio.Queue(BUFFER) for _ in range(STEPS + 1)]

    async def produce() -> None:
        for item in ledger.source():
            await queues[0].put({"src": item})
        await queues[0].put(None)

    async def stage(step: _Step, before: Any, after: Any) -> None:
        async with asyncio.TaskGroup() as workers:
            for _ in range(LIMIT):
                workers.create_task(work(step, f"step{step.number}", before, after))
        await after.put(None)

    async def work(step: _Step, name: str, before: Any, after: Any) -> None:
        while (lineage := await before.get()) is not None:
            latest = next(reversed(lineage.values()))
            for attempt in range(1, ATTEMPTS + 1):
                try:
                    lineage[name] = await step.call(x=latest["x"])
                except Exception:
                    if attempt == ATTEMPTS:
                        ledger.failure(name, lineage, attempt)
                else:
                    await after.put(lineage)
                    break
        await before.put(None)  # for the next worker

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(produce())
        for step, before, after in zip(ledger.steps, queues[:-1], queues[1:], strict=True):
            tasks.create_task(stage(step, before, after))
        while (output := await queues[-1].get()) is not None:
            yield output


# A short run against the clock


def _short(count: int) -> Contest:
    def contender(name: str, run: Callable[[], _Ledger], package: str | None) -> Contender:
        return Contender(name, _timed(run, count), package=package)

    hand = "workers by hand"
    contenders = [
        contender(OURS, partial(_read, _astreamed, count), TENACITY),
        contender("fluxus_rx, stream", partial(_read_blocking, count), TENACITY),
        contender(hand, partial(_read, _by_hand, count), None),
    ]
    title = f"{count:,} products, {STEPS} steps, streamed, 1 % of the calls fail"
    return Contest(title, "µs per product", contenders, [Goal(hand, BY_HAND)], decimals=1)


def _timed(run: Callable[[], _Ledger], count: int) -> Measure:
    return timed(run, lambda ledger: ledger.count == count, units=count, at_least=0)


def _read(run: Callable[[_Ledger], AsyncGenerator[Lineage, None]], count: int) -> _Ledger:
    async def main() -> _Ledger:
        ledger = _Ledger(count)
        async for output in run(ledger):
            ledger.output(output)
        ledger.close()
        return ledger

    return in_loop(main)


def _read_blocking(count: int) -> _Ledger:
    ledger = _Ledger(count)
    for _, output in peer(OURS).stream(_flow(ledger), on_failure=_failed(ledger)):
        ledger.output(output)

    async def close() -> None:
        ledger.close()

    in_loop(close)
    return ledger


# The long run


class _Marks:
    """For each stretch of the long run, the seconds it took, and the blocks alive at its end."""

    def __init__(self, every: int) -> None:
        self.every = every
        # Arrays, as lists of numbers would be memory that grows.
        self._seconds = array("d")
        self._blocks = array("q")
        gc.collect()
        self._before = sys.getallocatedblocks()
        self._since = time.perf_counter()

    def set(self) -> None:
        """A stretch is over."""
        self._seconds.append(time.perf_counter() - self._since)
        gc.collect()
        self._blocks.append(sys.getallocatedblocks() - self._before)
        self._since = time.perf_counter()

    def pace(self, part: slice) -> float:
        """Microseconds per product."""
        return statistics.median(self._seconds[part]) / self.every * MICROSECONDS

    def live(self, part: slice) -> float:
        """Blocks of memory at most, beyond those from before the run.

        Counted by Python's allocator; tracemalloc would see their sizes too, and make a run several
        times longer. Anything that is kept for each product is a block at least.
        """
        return max(self._blocks[part])

    def close(self) -> None:
        """Raises `WrongOutputs` where memory grows with the products, a block for ten at least."""
        first, last = (statistics.median(self._blocks[part]) for part in (_FIRST, _LAST))
        if last - first > len(self._blocks) * self.every / 10:
            raise WrongOutputs(f"{last:,.0f} blocks are alive at the end, not {first:,.0f}")


def _soaked(count: int) -> _Marks:
    """The long run."""
    _read(_astreamed, FAILING)  # what is imported and cached by a first run is no growth

    async def main() -> _Marks:
        ledger = _Ledger(count)
        marks = _Marks(count // MARKS)
        async for output in _astreamed(ledger):
            ledger.output(output)
            if ledger.outputs % marks.every == 0:
                marks.set()
        ledger.close()
        marks.close()
        return marks

    return in_loop(main)


def _tenths(
    of: str,
    unit: str,
    at_most: float,
    measure: Callable[[slice], float],
    count: int,
) -> Contest:
    """The first tenth of the long run, and the rest of it."""
    first, rest = "the first tenth", "all after it"
    tenth = MARKS // 10
    contenders = [
        Contender(first, lambda: measure(slice(tenth)), package=TENACITY),
        Contender(rest, lambda: measure(slice(tenth, None)), package=TENACITY),
    ]
    title = f"{of} of a streamed run of {count:,} products"
    return Contest(title, unit, contenders, [Goal(first, at_most)], subject=rest, decimals=1)
