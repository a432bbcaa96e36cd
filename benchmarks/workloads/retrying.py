"""What does it cost to call again where a call has failed?"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from ..measuring.contenders import Contenders
from ..measuring.contest import Contest, Goal, Size, Workload, WrongOutputs
from ..work.functions import Attributes, Function, Probe, chain_output, items
from ..work.operations import Work, left_out, operation_rows

__all__ = ["WORKLOAD"]

LIMIT = 100
ATTEMPTS = 3
#: Calls of a thousand that fail once, and for good.
ONCE, FOR_GOOD = 20, 1


def contests(size: Size, contenders: Contenders) -> Iterable[Contest]:
    """Calls that return at once, some of which fail."""
    count = size.pick(10_000, 400, 400)
    rows, absent = operation_rows(
        contenders,
        "retrying",
        partial(_work, count, LIMIT),
        checked=partial(_work, 200, 10),
        units=count,
        without=left_out(size),
    )
    yield Contest(
        "retrying, 2 % fail once",
        _QUESTION,
        "µs per item",
        rows,
        goals=[Goal(9)],
        absent=absent,
    )


class Refused(Exception):
    """A call has failed."""


def _work(count: int, limit: int, calls: str, probe: Probe | None) -> Work:
    """Work of which all is accounted for: what came, failed calls, each call made."""
    fails = failures(count)
    made = [0] * count
    function = _function(calls, fails, made)
    source = items(count)
    return Work(
        {
            "items": source if probe is None else probe.source(source),
            "function": function if probe is None else probe.watched(calls, "step1", function),
            "limit": limit,
            "attempts": ATTEMPTS,
        },
        expected=lambda: [chain_output(x, 1) for x in range(count) if fails.get(x, 0) < ATTEMPTS],
        judge=partial(_judge, fails, made),
        limit=limit,
    )


def failures(count: int) -> dict[int, int]:
    """How often the call for an item fails, where it does."""
    chosen = random.Random(7).sample(range(count), count * (ONCE + FOR_GOOD) // 1_000)
    lost = max(1, count * FOR_GOOD // 1_000)
    return {x: ATTEMPTS if number < lost else 1 for number, x in enumerate(chosen)}


def _function(calls: str, fails: Mapping[int, int], made: list[int]) -> Function:
    def add(x: int) -> Attributes:
        made[x] += 1
        if x in fails and made[x] <= fails[x]:
            raise Refused(x)
        return {"x": x + 1}

    async def add_later(x: int) -> Attributes:
        return add(x)

    return add if calls == "threads" else add_later


def _judge(fails: Mapping[int, int], made: list[int], returned: Any) -> list[Any]:
    outputs, failed = returned
    lost = [{"x": x} for x in sorted(fails) if fails[x] == ATTEMPTS]
    if sorted(failed, key=lambda item: int(item["x"])) != lost:
        raise WrongOutputs(f"{len(failed):,} items are said to have failed, and {len(lost):,} have")
    needed = [min(1 + fails.get(x, 0), ATTEMPTS) for x in range(len(made))]
    if made != needed:
        raise WrongOutputs(f"{sum(made):,} calls were made, not {sum(needed):,}")
    return [*outputs]


_QUESTION = (
    f"What does a call that returns at once cost where some fail, and are made again, at limit"
    f" {LIMIT}?"
)

WORKLOAD = Workload(
    "retrying", _QUESTION, contests, sizes="10,000 calls (quick 400)", seconds=30, rank=7
)
