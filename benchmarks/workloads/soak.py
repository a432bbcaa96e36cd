"""Does a long run lose nothing, keep nothing, and leave nothing behind, with calls that fail?

Which calls fail is told by their number and step: 1 % of the calls fail at first and are made
again, 1 % of these fail each time. So each number is an output or a failure, and it is known which;
a ledger of one byte per number checks that it is there once, while the run goes on.
"""

from __future__ import annotations

import asyncio
import gc
import random
import statistics
import sys
import time
from array import array
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator
from contextlib import aclosing, closing
from functools import cache, partial
from typing import Any

from ..measuring.contenders import Contenders
from ..measuring.contest import (
    BY_HAND,
    OURS,
    CannotDo,
    Clock,
    Contest,
    Goal,
    Row,
    Size,
    Workload,
    WrongOutputs,
)
from ..work.functions import Attributes, Lineage
from ..work.trials import in_loop, prepared

__all__ = ["WORKLOAD"]

STEPS = 3
LIMIT = 10
ATTEMPTS = 3
#: One call in so many fails at first, and one in so many of these each time.
FAILING = 100
#: Places between two steps, as in a flow.
BUFFER = 16

STREAM = f"{OURS}, stream"
TENTH = f"{OURS}, the first tenth"

#: What reads the outputs of a ledger's items.
Read = Callable[["_Ledger"], AsyncGenerator[Lineage, None]]


def contests(size: Size, contenders: Contenders) -> Iterable[Contest]:
    """The time of a product in short runs; then that of one long run, and the memory that it
    takes, in its first tenth and after it."""
    short = size.pick(10_000, 400, 400)
    rows = [
        _row(OURS, OURS, partial(_reading, _needs_tenacity, _astreamed, short), short),
        _row(STREAM, OURS, partial(_reading_blocked, short), short),
        _row(BY_HAND, BY_HAND, partial(_reading, _needs_nothing, _by_hand, short), short),
    ]
    question = f"What does a product streamed through {STEPS} steps cost, 1 % of calls failing?"
    yield Contest("soak, a product", question, "µs per product", rows, goals=[Goal(3)])
    count = size.pick(1_000_000, 5_000)
    marks = size.pick(200, 40)
    for name, question, unit, scale, part in (
        ("time", "Does a product cost more as a run goes on?", "µs per product", 1e6, _Marks.pace),
        ("memory", "Is more kept in memory as a run goes on?", "blocks alive", 1, _Marks.alive),
    ):
        yield Contest(
            f"soak, {name} of a long run",
            question,
            unit,
            [
                _long_row(OURS, count, marks, partial(part, is_first=False)),
                _long_row(TENTH, count, marks, partial(part, is_first=True)),
            ],
            clock=Clock.VALUE,
            scale=scale,
            goals=[Goal(1.25, of=TENTH)],
            yardstick=TENTH,
        )


def _row(name: str, contender: str, make: Callable[[], Any], count: int) -> Row:
    return Row(name, contender, prepared(make, _Ledger.close, units=count))


def _long_row(name: str, count: int, marks: int, value: Callable[[Any], float]) -> Row:
    def make() -> Callable[[], _Marks]:
        _needs_tenacity()
        return partial(_soaked, count, marks)

    return Row(name, OURS, prepared(make, _Marks.check, value=value, repeats=False))


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
            raise WrongOutputs(f"{step} failed for {lineage} after {attempts} attempts")
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
        """The run is over."""
        if lost := self._seen.count(0):
            raise WrongOutputs(f"{lost} of {self.count} are lost, {self._seen.find(0)} for one")
        made = sum(step.calls for step in self.steps)
        if made != self._calls:
            raise WrongOutputs(f"{made} calls were made instead of {self._calls}")


# Who does it


def _flow(ledger: _Ledger) -> Any:
    """The flow; its retries are those of tenacity, as those of a number would wait a while."""
    import tenacity

    from fluxus_rx import chain, step

    retry = tenacity.AsyncRetrying(
        wait=tenacity.wait_none(), stop=tenacity.stop_after_attempt(ATTEMPTS)
    )
    steps = (step(f"step{each.number}", each.call) for each in ledger.steps)
    return chain(step("src", ledger.source), *steps).options(
        concurrency=LIMIT, buffer=BUFFER, retry=retry, on_error="collect"
    )


def _needs_tenacity() -> None:
    try:
        import tenacity
    except ModuleNotFoundError:
        raise CannotDo("needs tenacity, the extra retry") from None
    assert tenacity


def _needs_nothing() -> None:
    """By hand there is nothing to install."""


def _failed(ledger: _Ledger) -> Callable[[Any], None]:
    return lambda failure: ledger.failure(failure.step, failure.lineage, failure.attempts)


async def _astreamed(ledger: _Ledger) -> AsyncGenerator[Lineage, None]:
    from fluxus_rx import astream

    outputs = astream(_flow(ledger), on_failure=_failed(ledger))
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


def _reading(check: Callable[[], None], read: Read, count: int) -> Callable[[], Awaitable[_Ledger]]:
    check()

    async def main() -> _Ledger:
        ledger = _Ledger(count)
        async for output in read(ledger):
            ledger.output(output)
        return ledger

    return main


def _reading_blocked(count: int) -> Callable[[], _Ledger]:
    _needs_tenacity()
    from fluxus_rx import stream

    def main() -> _Ledger:
        ledger = _Ledger(count)
        for _, output in stream(_flow(ledger), on_failure=_failed(ledger)):
            ledger.output(output)
        return ledger

    return main


# The long run


class _Marks:
    """For each stretch of the long run, the CPU that it took, and the blocks alive at its end."""

    def __init__(self, every: int, count: int) -> None:
        self.every = every
        self._tenth = count // 10
        # Arrays, as lists of numbers would be memory that grows.
        self._seconds = array("d")
        self._blocks = array("q")
        self._random = random.Random(0)
        gc.collect()
        gc.freeze()  # or the collection at the end of each stretch would look at all that again
        self._before = sys.getallocatedblocks()
        self._since = time.process_time()

    def set(self) -> None:
        """A stretch is over."""
        self._seconds.append(time.process_time() - self._since)
        gc.collect()
        self._blocks.append(sys.getallocatedblocks() - self._before)
        self._since = time.process_time()

    def pace(self, is_first: bool) -> float:
        """Seconds per product in the first tenth, or after it."""
        return self._middle(self._seconds, is_first) / self.every

    def alive(self, is_first: bool) -> float:
        """Blocks of memory beyond those from before the run, in the first tenth, or after it.

        Counted by Python's allocator; tracemalloc would see their sizes too, and make a run several
        times longer. Anything that is kept for each product is a block at least.
        """
        return self._middle(self._blocks, is_first)

    def _middle(self, values: array[Any], is_first: bool) -> float:
        """The median of stretches, drawn again for each round: the long run is made once, and it is
        the spread over its stretches that tells how sure a median is."""
        part = values[: self._tenth] if is_first else values[self._tenth :]
        return float(statistics.median(self._random.choices(part, k=len(part))))

    def close(self) -> None:
        """The run is over."""
        gc.unfreeze()

    def check(self) -> None:
        """Raises `WrongOutputs` where memory grows with the products, a block for ten at least."""
        first = statistics.median(self._blocks[: self._tenth])
        last = statistics.median(self._blocks[-self._tenth :])
        if last - first > len(self._blocks) * self.every / 10:
            raise WrongOutputs(f"{last:,.0f} blocks are alive at the end, not {first:,.0f}")


@cache
def _soaked(count: int, marks: int) -> _Marks:
    """The long run, which is made once."""
    in_loop(_reading(_needs_tenacity, _astreamed, FAILING))  # imports and caches aren't growth

    async def main() -> _Marks:
        ledger = _Ledger(count)
        made = _Marks(count // marks, marks)
        with closing(made):
            async for output in _astreamed(ledger):
                ledger.output(output)
                if ledger.outputs % made.every == 0:
                    made.set()
        ledger.close()
        return made

    return in_loop(main)


WORKLOAD = Workload(
    "soak",
    "Do a million products, some of whose calls fail, get lost, or leave anything behind?",
    contests,
    sizes="10,000 and 1,000,000 products (quick 400 and 5,000)",
    seconds=60,
    rank=33,
)
