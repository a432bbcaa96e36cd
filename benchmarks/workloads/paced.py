"""Are calls made at the pace that is allowed: never faster, and no slower?"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from ..measuring.contenders import Contenders
from ..measuring.contest import BrokenPromise, Clock, Contest, Goal, Size, Workload, WrongOutputs
from ..work.functions import Attributes, Function, Probe, chain_outputs, items, pause_of
from ..work.operations import Work, left_out, operation_rows
from ..work.yardsticks import TIMERS, timers_row

__all__ = ["WORKLOAD"]

#: Calls per second of both steps together, calls of each in flight, and how long a call takes.
PACE, LIMIT, SECONDS = 500.0, 50, 0.01
DEPTH = 2

#: Seconds by which a clock may be off; and by which a busy loop may be late, so that calls begin
#: together of which each was due.
_CLOCK, _LAG = 0.002, 0.05


def contests(size: Size, contenders: Contenders) -> Iterable[Contest]:
    """Two steps that share a pace."""
    count = size.pick(250, 30, 20)
    calls = count * DEPTH
    rows, absent = operation_rows(
        contenders,
        "paced",
        partial(_work, count),
        checked=partial(_work, 20),
        units=calls,
        repeats=False,
        without=left_out(size, "aiostream", "streamable", why="waits long"),
    )
    sleeps = {"count": calls, "per_second": PACE, "seconds": SECONDS}
    yield Contest(
        "paced",
        _QUESTION,
        "µs per call",
        [*rows, timers_row("wait_for_pace", lambda: sleeps, units=calls)],
        clock=Clock.WALL,
        goals=[Goal(1.02, TIMERS)],
        yardstick=TIMERS,
        absent=absent,
    )


def _work(count: int, calls: str, probe: Probe | None) -> Work:
    begun: list[float] = []
    functions = {
        name: _timed(calls, number, begun)
        for name, number in ((f"step{number}", number) for number in range(1, DEPTH + 1))
    }
    if probe is not None:
        functions = {
            name: probe.watched(calls, name, function) for name, function in functions.items()
        }
    source = items(count)
    return Work(
        {
            "items": source if probe is None else probe.source(source),
            "functions": functions,
            "limit": LIMIT,
            "per_second": PACE,
            "attempts": 1,
        },
        expected=partial(chain_outputs, count, DEPTH),
        judge=partial(_judge, count, begun),
        limit=LIMIT,
        depth=DEPTH,
    )


def _timed(calls: str, number: int, begun: list[float]) -> Function:
    """Adds `number` to `x` after a while, and notes when it began."""
    pause = pause_of(calls)

    def block(x: int) -> Attributes:
        begun.append(time.perf_counter())
        pause(SECONDS)
        return {"x": x + number}

    async def add(x: int) -> Attributes:
        begun.append(time.perf_counter())
        await pause(SECONDS)
        return {"x": x + number}

    return block if calls == "threads" else add


def _judge(count: int, begun: Sequence[float], returned: Any) -> list[Any]:
    outputs, failed = returned
    if failed:
        raise WrongOutputs(f"{len(failed):,} items are said to have failed, and none has")
    if len(begun) != count * DEPTH:
        raise WrongOutputs(f"{len(begun):,} calls were made, not {count * DEPTH:,}")
    _check_pace(sorted(begun))
    return [*outputs]


def _check_pace(begun: Sequence[float]) -> None:
    """No call began before it was due, nor more of them in any second than are allowed."""
    for number, moment in enumerate(begun):
        early = begun[0] + number / PACE - moment
        if early > _CLOCK:
            raise BrokenPromise(f"a call began {1e3 * early:.0f} ms too soon")
    second = min(1.0, (begun[-1] - begun[0]) / 4)
    allowed = (second + _LAG) * PACE + 1
    first = 0
    for number, moment in enumerate(begun):
        while moment - begun[first] > second:
            first += 1
        if (within := number - first + 1) > allowed:
            raise BrokenPromise(f"{within:,} calls within {second:.2g} s, {PACE:g} per second")


_QUESTION = f"How long do calls of two steps take that may be made at {PACE:g} per second together?"

WORKLOAD = Workload("paced", _QUESTION, contests, sizes="500 calls (quick 60)", seconds=90, rank=10)
