"""What do a few calls that take far longer than the others cost, with and without order?"""

from __future__ import annotations

import asyncio
import math
import random
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import ModuleType
from typing import Any

from ..measuring.contenders import Contenders
from ..measuring.contest import (
    BY_HAND,
    OURS,
    BrokenPromise,
    Clock,
    Contest,
    Goal,
    Row,
    Size,
    Trial,
    Workload,
    WrongOutputs,
)
from ..work.functions import (
    Attributes,
    Function,
    Lineage,
    Probe,
    chain_output,
    chain_outputs,
    items,
    pause_of,
    steps,
)
from ..work.operations import Work, left_out, operation_rows
from ..work.trials import trial
from ..work.yardsticks import TIMERS, timers_row

__all__ = ["WORKLOAD"]

LIMIT = 10
#: How many times the median latency one call in a hundred takes.
SLOW, ONE_IN = 50, 100
#: What fluxus_rx takes by itself, in terms of the limit, and what rides out a slow call.
WINDOW, WIDE = 4, 16
#: Different values of the attribute whose order is kept.
KEYS = 50
_LIST = "no window: a list in the end"


def contests(size: Size, contenders: Contenders) -> Iterable[Contest]:
    """Outputs as they come; in order; in order among those of the same key."""
    calls = {
        Size.FULL: _Calls(500, 0.002, seed=14),
        # There are few slow calls in it: none of these comes when nothing is left to do beside it.
        Size.QUICK: _Calls(200, 0.001, seed=43),
        Size.SMOKE: _Calls(50, 0.001, seed=43),
    }[size]
    others = [one.name for one in contenders if one.name not in (OURS, BY_HAND, TIMERS)]
    without = left_out(size, *others, why="waits long")
    yield _unordered(calls, contenders, without)
    yield _ordered(calls, contenders, without)
    yield _per_key(calls)


@dataclass(frozen=True)
class _Calls:
    """How many calls there are, and the median of their latencies."""

    count: int
    seconds: float
    seed: int

    def latencies(self) -> list[float]:
        """How long each takes: log-normal (sigma 1), and one in a hundred 50 times the median."""
        chance = random.Random(self.seed)
        slow = frozenset(chance.sample(range(self.count), self.count // ONE_IN))
        drawn = (self.seconds * math.exp(chance.gauss(0, 1)) for _ in range(self.count))
        return [SLOW * self.seconds if x in slow else seconds for x, seconds in enumerate(drawn)]


def _step(kind: str, latencies: Sequence[float]) -> Function:
    """Adds 1 to `x` when the latency of the item has passed."""
    pause = pause_of(kind)
    if kind == "threads":

        def block(x: int) -> Attributes:
            pause(latencies[x])
            return {"x": x + 1}

        return block

    async def add(x: int) -> Attributes:
        await pause(latencies[x])
        return {"x": x + 1}

    return add


def _contest(
    name: str,
    rows: Sequence[Row],
    goals: Sequence[Goal],
    absent: dict[str, str] | None = None,
) -> Contest:
    return Contest(
        name,
        _QUESTION,
        "µs per call",
        rows,
        clock=Clock.WALL,
        goals=goals,
        yardstick=TIMERS,
        absent=absent or {},
    )


def _timers(calls: _Calls) -> Row:
    """The best schedule for calls that begin in the order of the items, slept."""
    sleeps = {"seconds": calls.latencies(), "limit": LIMIT}
    return timers_row("wait", lambda: sleeps, units=calls.count)


def _operations(
    calls: _Calls,
    contenders: Contenders,
    ordered: bool,
    without: dict[str, str],
    *elsewhere: str,
) -> tuple[list[Row], dict[str, str]]:
    return operation_rows(
        contenders,
        "async_chain",
        partial(_work, calls, ordered),
        checked=partial(_checked, ordered),
        units=calls.count,
        promises=("limit", "order") if ordered else ("limit",),
        repeats=False,
        only=lambda one: one.name not in elsewhere,
        without=without,
    )


def _work(calls: _Calls, ordered: bool, kind: str, probe: Probe | None) -> Work:
    functions = {"step1": _step(kind, calls.latencies())}
    return _work_of(calls.count, ordered, items(calls.count), functions)


def _checked(ordered: bool, kind: str, probe: Probe | None) -> Work:
    """Many more calls than places, of which none waits."""
    count = 20 * LIMIT
    source = items(count) if probe is None else probe.source(items(count))
    return _work_of(count, ordered, source, steps(kind, 1, probe=probe))


def _work_of(
    count: int, ordered: bool, source: Iterable[Attributes], functions: dict[str, Function]
) -> Work:
    return Work(
        {"items": source, "functions": functions, "limit": LIMIT, "ordered": ordered},
        expected=partial(chain_outputs, count, 1),
        ordered=ordered,
        calls=count,
        limit=LIMIT,
    )


def _unordered(calls: _Calls, contenders: Contenders, without: dict[str, str]) -> Contest:
    rows, absent = _operations(calls, contenders, False, without)
    goals = [Goal(1.05, TIMERS)]
    return _contest("skew, unordered", [*rows, _timers(calls)], goals, absent)


def _ordered(calls: _Calls, contenders: Contenders, without: dict[str, str]) -> Contest:
    """Outputs in order, as they come. A slow call lasts as long as hundreds of others do in the
    places beside it, and fills up any window that is smaller: then the best schedule with that
    window is what can be reached."""
    rows, absent = _operations(calls, contenders, True, without, OURS)
    rows = [replace(row, note=_LIST) if row.name == BY_HAND else row for row in rows]
    check = partial(_check_order, calls.count, lambda x: 0)
    wide = f"{OURS}, window {WIDE} x limit"
    best = f"{TIMERS}, window {WINDOW} x limit"
    sleeps = {"seconds": calls.latencies(), "limit": LIMIT, "window": WINDOW * LIMIT}
    return _contest(
        "skew, ordered",
        [
            _ours(OURS, calls, check, ordered=True, window=WINDOW * LIMIT),
            _ours(wide, calls, check, ordered=True, window=WIDE * LIMIT),
            *rows,
            _timers(calls),
            timers_row("wait_in_order", lambda: sleeps, units=calls.count, name=best),
        ],
        [Goal(1.05, best), Goal(1.3, TIMERS, wide)],
        absent,
    )


def _per_key(calls: _Calls) -> Contest:
    check = partial(_check_order, calls.count, _key)
    by_hand = partial(_prepare_by_hand, calls, check)
    return _contest(
        "skew, in order per key",
        [
            _ours(OURS, calls, check, ordered="key"),
            Row(BY_HAND, BY_HAND, by_hand),
            _timers(calls),
        ],
        [Goal(1.3, TIMERS)],
    )


def _key(x: int) -> int:
    return x % KEYS


def _keyed(count: int) -> list[Attributes]:
    return [{"x": x, "key": _key(x)} for x in range(count)]


Check = Callable[[list[Lineage]], None]


def _check_order(count: int, key: Callable[[int], int], outputs: list[Lineage]) -> None:
    """All outputs came; those of the same key in the order of the items."""
    numbers = [output["src"]["x"] for output in outputs]
    if sorted(numbers) != [*range(count)]:
        raise WrongOutputs(f"{len(numbers):,} outputs came, not one for each of {count:,} items")
    for x, output in zip(numbers, outputs, strict=True):
        if output["step1"] != chain_output(x, 1)["step1"]:
            raise WrongOutputs(f"{output!r:.100} came")
    if (by_key := sorted(numbers, key=key)) != sorted(numbers, key=lambda x: (key(x), x)):
        raise BrokenPromise(f"outputs come in another order: {by_key!r:.60}")


def _ours(name: str, calls: _Calls, check: Check, **options: Any) -> Row:
    """Outputs as they come: those of a result would be in order whatever the steps do."""

    def prepare(_: ModuleType) -> Trial:
        from fluxus_rx import astream, chain, step

        source = _keyed(calls.count)
        slow = step("step1", _step("asyncio", calls.latencies()))
        flow = chain(step("src", lambda: source), slow.options(concurrency=LIMIT, **options))

        async def main() -> list[Any]:
            return [output async for _, output in astream(flow)]

        return trial(main, check, units=calls.count, repeats=False)

    return Row(name, OURS, prepare)


def _prepare_by_hand(calls: _Calls, check: Check, _: ModuleType) -> Trial:
    """Workers; an output waits behind those of its key that are in flight."""
    source, function = _keyed(calls.count), _step("asyncio", calls.latencies())

    async def main() -> list[Lineage]:
        pending = iter(source)
        under_way: dict[int, deque[Lineage]] = {}
        outputs: list[Lineage] = []

        async def work() -> None:
            for item in pending:
                lineage = {"src": item}
                waiting = under_way.setdefault(item["key"], deque())
                waiting.append(lineage)
                lineage["step1"] = await function(x=item["x"])
                while waiting and "step1" in waiting[0]:
                    outputs.append(waiting.popleft())

        await asyncio.gather(*(work() for _ in range(LIMIT)))
        return outputs

    return trial(main, check, units=calls.count, repeats=False)


_QUESTION = (
    "How long do calls take of which 1 % are 50 times slower, next to the best schedule of sleeps?"
)

WORKLOAD = Workload(
    "skew", _QUESTION, contests, sizes="500 calls (quick 200, half as long)", seconds=100, rank=8
)
