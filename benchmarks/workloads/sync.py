"""What does a synchronous step cost, lineage kept?"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from ..measuring.contenders import Contenders
from ..measuring.contest import Contest, Goal, Size, Workload
from ..work.functions import STEPS, Probe, chain_outputs, items, steps
from ..work.operations import Work, operation_rows

__all__ = ["WORKLOAD"]


def contests(size: Size, contenders: Contenders) -> Iterable[Contest]:
    """A chain of 5 steps; of 1, and of 80, in which what is around a step, or between, weighs
    more."""
    for depth, goals, counts in (
        (STEPS, [Goal(4), Goal(1 / 20, "fluxus")], (2_000, 1_000, 50)),
        (1, [], (2_000, 500, 50)),
        (80, [], (500, 100, 10)),
    ):
        count = size.pick(*counts)
        rows, absent = operation_rows(
            contenders,
            "sync_chain",
            partial(_work, count, depth),
            checked=partial(_work, 20, depth),
            units=count * depth,
        )
        yield Contest(
            f"sync, {depth} step{'s' if depth > 1 else ''}",
            "What does a synchronous step cost per item, lineage kept?",
            "µs per item and step",
            rows,
            goals=goals,
            absent=absent,
        )


def _work(count: int, depth: int, calls: str, probe: Probe | None) -> Work:
    source = items(count)
    return Work(
        {
            "items": source if probe is None else probe.source(source),
            "functions": steps(calls, depth, probe=probe),
        },
        expected=partial(chain_outputs, count, depth),
        ordered=True,
        calls=count * depth,
        depth=depth,
    )


WORKLOAD = Workload(
    "sync",
    "What does a synchronous step cost per item, lineage kept?",
    contests,
    sizes="2,000 items, 500 with 80 steps (quick 1,000, 500 with 1, 100 with 80)",
    seconds=20,
    rank=1,
)
