"""What does memory hold: an output that is kept, a call in flight, a run that is streamed?"""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, partial
from types import ModuleType
from typing import Any, NamedTuple

from ..measuring.contenders import Contenders
from ..measuring.contest import (
    BY_HAND,
    OURS,
    Clock,
    Contest,
    Goal,
    Row,
    Size,
    Trial,
    Workload,
    WrongOutputs,
)
from ..work.functions import Attributes, chain_output, chain_outputs, steps
from ..work.operations import Work, call
from ..work.trials import in_loop
from ..work.yardsticks import bound_row

__all__ = ["WORKLOAD"]

#: Of the chain whose outputs are kept.
DEPTH = 2
#: Of the flows that are streamed.
STEPS, LIMIT = 3, 10
#: A run that keeps its items takes ten times the memory with ten times the items.
FLAT = 1.25
_TENTH = f"{OURS}, a tenth of the items"
_BOUND = "limits plus buffers"


def contests(size: Size, contenders: Contenders) -> Iterable[Contest]:
    """Bytes for what is kept, then the peaks of streamed runs and how far sources run ahead."""
    yield _outputs(size.pick(1_000_000, 1_000, 500))
    yield _in_flight(size.pick(100_000, 1_000, 500))
    for kind in _KINDS:
        yield _peaks(kind, size.pick(2_000, 100, 100))
    for kind in _KINDS:
        yield _ahead(kind, size.pick(600, 200, 100))


def _row(name: str, contender: str, measure: Callable[[ModuleType], float]) -> Row:
    """Bytes, which hardly differ from run to run: a process measures once, and repeats that."""

    def prepare(module: ModuleType) -> Trial:
        return Trial(cache(partial(measure, module)), lambda _: None, value=float)

    return Row(name, contender, prepare)


# Outputs that are kept


def _outputs(count: int) -> Contest:
    rows = [
        _row(OURS, OURS, partial(_kept, count, _result)),
        _row(BY_HAND, BY_HAND, partial(_kept, count, _sync_chain)),
    ]
    return Contest(
        "memory, outputs collected",
        "What does an output take that is kept, with the lineage of 2 steps?",
        "bytes per output",
        rows,
        clock=Clock.VALUE,
        scale=1,
        goals=[Goal(1.25)],
    )


def _kept(count: int, make: Callable[[ModuleType, int], Any], module: ModuleType) -> float:
    """Bytes for each of so many outputs that are there when all have come."""
    make(module, 10)  # what is made once isn't part of an output
    gc.collect()
    tracemalloc.start()
    try:
        outputs = make(module, count)
        gc.collect()
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    if not isinstance(outputs, list):
        outputs = [*outputs.get_outputs()]
    if outputs != chain_outputs(count, DEPTH):
        raise WrongOutputs(f"{outputs!r:.100} came")
    return held / count


def _source(count: int) -> Iterator[Attributes]:
    return ({"x": number} for number in range(count))


def _sync_chain(module: ModuleType, count: int) -> Any:
    return module.sync_chain(_source(count), steps("plain", DEPTH))


def _result(module: ModuleType, count: int) -> Any:
    """The result of a run, whose outputs are dictionaries when they are read."""
    from fluxus_rx import chain, run, step

    functions = (step(name, function) for name, function in steps("plain", DEPTH).items())
    return run(chain(step("src", partial(_source, count)), *functions))


# Calls in flight


def _in_flight(count: int) -> Contest:
    return Contest(
        "memory, calls in flight",
        "What does a call take that waits, when a great many are in flight at once?",
        "bytes per call",
        [_row(name, name, partial(_waiting, count)) for name in (OURS, BY_HAND)],
        clock=Clock.VALUE,
        scale=1,
        goals=[Goal(2)],
    )


def _waiting(count: int, module: ModuleType) -> float:
    """Bytes for each of so many calls that are there when the last has begun."""
    begun, held = 0, 0.0
    gate = asyncio.Event()

    async def wait(x: int) -> Attributes:
        nonlocal begun, held
        begun += 1
        if begun == count:
            held = tracemalloc.get_traced_memory()[0]
            gate.set()
        await gate.wait()
        return {"x": x + 1}

    arguments = {"functions": {"step1": wait}, "limit": count, "ordered": False}
    work = Work({"items": _source(count), **arguments}, expected=partial(chain_outputs, count, 1))
    gc.collect()
    tracemalloc.start()
    try:
        outputs = call(module.async_chain, work)
    finally:
        tracemalloc.stop()
    if sorted(outputs, key=lambda output: output["src"]["x"]) != work.expected():
        raise WrongOutputs(f"{outputs!r:.100} came")
    return held / count


# Runs that are streamed

Produce = Callable[[], Iterator[Attributes]]


def _chain_of(calls: str, produce: Produce) -> Any:
    from fluxus_rx import chain, step

    return chain(step("src", produce), *_steps_of(calls))


def _group(produce: Produce) -> Any:
    from fluxus_rx import chain, parallel, passthrough, step

    return chain(step("src", produce), parallel(*_steps_of("asyncio"), passthrough()))


def _steps_of(calls: str) -> Sequence[Any]:
    from fluxus_rx import step

    made = [step(name, function) for name, function in steps(calls, STEPS).items()]
    return made if calls == "plain" else [each.options(concurrency=LIMIT) for each in made]


class _Kind(NamedTuple):
    """Makes a flow; the outputs of an item; the steps that have a limit, and a buffer each."""

    make: Callable[[Produce], Any]
    per_item: int
    stages: int


_KINDS = {
    "sync steps": _Kind(partial(_chain_of, "plain"), 1, 0),
    "async steps": _Kind(partial(_chain_of, "asyncio"), 1, STEPS),
    "branches": _Kind(_group, STEPS + 1, STEPS),
}


class _Counted:
    """Makes items and counts them."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.made = 0

    def __call__(self) -> Iterator[Attributes]:
        for number in range(self.count):
            self.made += 1
            yield {"x": number}


def _peaks(kind: str, count: int) -> Contest:
    rows = [
        _row(name, OURS, partial(_peak, kind, items))
        for name, items in ((OURS, 10 * count), (_TENTH, count))
    ]
    return Contest(
        f"memory, peak of a streamed run, {kind}",
        "Is the memory of a streamed run independent of its length?",
        "KiB",
        rows,
        clock=Clock.VALUE,
        scale=1 / 1024,
        goals=[Goal(FLAT, _TENTH)],
        yardstick=_TENTH,
    )


def _prepare(measure: Callable[[], float], _: ModuleType) -> Trial:
    return Trial(measure, lambda _: None, value=float)


def _peak(kind: str, count: int, module: ModuleType) -> float:
    """Bytes at most while a flow is read to its end, one output after the other."""
    make, per_item = _KINDS[kind][:2]
    source = _Counted(count)
    for _ in make(_Counted(10)):
        pass  # what is made once isn't part of a run
    gc.collect()
    tracemalloc.start()
    try:
        outputs = sum(_is_right(output) for output in make(source))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    if (source.made, outputs) != (count, per_item * count):
        raise WrongOutputs(f"{outputs:,} right outputs of {source.made:,} items")
    return peak


def _is_right(output: Any) -> bool:
    """Whether the number at the end is what the steps that it went through make of the first."""
    lineage = output.get_lineage_attributes()
    x = lineage["src"]["x"]
    whole = chain_output(x, STEPS)
    branches = [{"src": {"x": x}, f"step{n}": {"x": x + n}} for n in range(1, STEPS + 1)]
    return lineage in (whole, *branches, {"src": {"x": x}})


def _ahead(kind: str, count: int) -> Contest:
    rows = [
        Row(OURS, OURS, partial(_prepare, partial(_items_ahead, kind, count))),
        bound_row(_BOUND, partial(_allowed, kind), "not measured"),
    ]
    return Contest(
        f"memory, ahead of a slow reader, {kind}",
        "How many items have been made that the reader of the outputs isn't done with?",
        "items at most",
        rows,
        clock=Clock.VALUE,
        scale=1,
        goals=[Goal(1, _BOUND)],
        yardstick=_BOUND,
    )


def _allowed(kind: str) -> float:
    from fluxus_rx._streams.channel import BUFFER

    stages = _KINDS[kind].stages
    return float(stages * LIMIT + (stages + 1) * BUFFER)


def _items_ahead(kind: str, count: int) -> float:
    """How many items were made at most beyond those that the reader is done with."""
    make, per_item = _KINDS[kind][:2]
    source = _Counted(count)

    async def main() -> float:
        ahead, read = 0.0, 0
        async for _ in make(source):
            for _ in range(20):  # turns in which all that can run ahead
                await asyncio.sleep(0)
            ahead = max(ahead, source.made - read / per_item)
            read += 1
        if read != per_item * count:
            raise WrongOutputs(f"{read:,} outputs came")
        return ahead

    return in_loop(main)


WORKLOAD = Workload(
    "memory",
    "What does memory hold: an output that is kept, a call in flight, a run that is streamed?",
    contests,
    sizes="1,000,000 outputs, 100,000 calls (quick 1,000)",
    seconds=60,
    rank=14,
)
