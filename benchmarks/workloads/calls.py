"""How close to the waiting itself is a step whose calls wait?"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from ..measuring.contenders import Contenders
from ..measuring.contest import Clock, Contest, Goal, Size, Workload
from ..work.functions import Probe, chain_outputs, items, steps
from ..work.operations import Work, left_out, operation_rows
from ..work.yardsticks import TIMERS, timers_row

__all__ = ["WORKLOAD"]

#: How long a call takes.
SECONDS = 0.01
#: Calls by limit: full, quick and smoke.
#: At most so many times as long as sleeping takes, by limit: with 1,000 in flight it computes.
_GOALS = {10: 1.05, 100: 1.25, 1_000: 2.5}
_COUNTS = {10: (500, 100, 50), 100: (2_000, 300, 200), 1_000: (20_000, 2_000, 1_000)}
#: Contenders that take far longer with so many calls in flight.
_SLOW = {1_000: ("aiostream", "anyio", "reactivex", "threads")}


def contests(size: Size, contenders: Contenders) -> Iterable[Contest]:
    """Calls of 10 ms at each limit, next to as many sleeps of 10 ms."""
    for limit, counts in _COUNTS.items():
        if size is Size.QUICK and limit == 10:
            continue
        count = size.pick(*counts)
        rows, absent = operation_rows(
            contenders,
            "async_chain",
            partial(_work, count, limit, SECONDS),
            checked=partial(_work, limit + 20, limit, None),
            units=count,
            promises=("limit",),
            repeats=False,
            without=left_out(size, *_SLOW.get(limit, ())),
        )
        sleeps = partial(_sleeps, count, limit)
        yield Contest(
            f"calls, limit {limit:,}",
            _QUESTION,
            "µs per call",
            [*rows, timers_row("wait", sleeps, units=count)],
            clock=Clock.WALL,
            goals=[Goal(_GOALS[limit], TIMERS)],
            yardstick=TIMERS,
            absent=absent,
        )


def _work(count: int, limit: int, seconds: float | None, calls: str, probe: Probe | None) -> Work:
    source = items(count)
    return Work(
        {
            "items": source if probe is None else probe.source(source),
            "functions": steps(calls, 1, seconds=seconds, probe=probe),
            "limit": limit,
            "ordered": False,
        },
        expected=partial(chain_outputs, count, 1),
        calls=count,
        limit=limit,
    )


def _sleeps(count: int, limit: int) -> dict[str, object]:
    return {"seconds": [SECONDS] * count, "limit": limit}


_QUESTION = "How long do calls of 10 ms take, next to sleeping as often and as long?"

WORKLOAD = Workload(
    "calls",
    _QUESTION,
    contests,
    sizes="500, 2,000 and 20,000 calls (quick 300 and 2,000)",
    seconds=60,
    rank=3,
)
