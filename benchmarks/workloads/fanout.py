"""What does a group of branches cost, and are its calls those that the graph needs?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from ..measuring.contenders import Contenders
from ..measuring.contest import Contest, Goal, Size, Workload
from ..work.functions import Lineage, Probe, items, last_attributes, step_function
from ..work.operations import Work, left_out, operation_rows

__all__ = ["WORKLOAD"]

WIDTH = 8
LIMIT = 100
#: What a step adds that joins branches.
_JOINED = 100
#: Contenders that take far longer; the last where a group comes after another.
_SLOW = ("aiostream", "anyio", "reactivex")
#: Items and limit where promises are checked: enough to meet the limit.
_CHECKED = 8, 5


def contests(size: Size, contenders: Contenders) -> Iterable[Contest]:
    """One group, and two in series: a contender that runs the source, or a group, again for each
    branch makes more calls than the graph needs."""
    for groups, title, count, slow, goals in (
        (1, "fan-out, joined", size.pick(500, 60, 20), _SLOW[:2], (8, 1)),
        (2, "fan-out, two groups in series", size.pick(60, 15, 3), _SLOW, (16, 2)),
    ):
        rows, absent = operation_rows(
            contenders,
            "fan_out",
            partial(_work, count, groups, LIMIT),
            checked=partial(_work, _CHECKED[0] // groups**2, groups, _CHECKED[1]),
            units=count,
            without=left_out(size, *slow),
        )
        yield Contest(
            title,
            _QUESTION,
            "µs per item",
            rows,
            goals=[Goal(goals[0]), Goal(goals[1], "streamable")],
            absent=absent,
        )


def _work(count: int, groups: int, limit: int, calls: str, probe: Probe | None) -> Work:
    source = items(count)
    return Work(
        {
            "items": source if probe is None else probe.source(source),
            "groups": [
                (
                    {
                        name: step_function(calls, number, probe=probe, name=name)
                        for number, name in _branches(group)
                    },
                    (_join(group), step_function(calls, _JOINED, probe=probe, name=_join(group))),
                )
                for group in range(groups)
            ],
            "limit": limit,
        },
        expected=lambda: _sorted(_outputs(count, groups)),
        judge=_sorted,
        calls=sum(count * (WIDTH + 1) ** group * (WIDTH + WIDTH + 1) for group in range(groups)),
        limit=limit,
        depth=2 * groups,
    )


def _branches(group: int) -> Iterator[tuple[int, str]]:
    """What the branches of a group add, and their names: a1, a2, …, and b1, b2, …"""
    return ((number, f"{'ab'[group]}{number}") for number in range(1, WIDTH + 1))


def _join(group: int) -> str:
    return f"join{group + 1}"


def _outputs(count: int, groups: int) -> list[Lineage]:
    """What the groups make of `items(count)`."""
    outputs: list[Lineage] = [{"src": item} for item in items(count)]
    for group in range(groups):
        branched = [
            {**output, name: {"x": last_attributes(output)["x"] + number}}
            for number, name in _branches(group)
            for output in outputs
        ]
        outputs = [
            {**output, _join(group): {"x": last_attributes(output)["x"] + _JOINED}}
            for output in [*outputs, *branched]
        ]
    return outputs


def _sorted(outputs: Any) -> list[Any]:
    """By their items and ways, as far as they have a lineage: that is cheaper to compare."""
    given = [*outputs]
    if all("src" in output for output in given):
        given.sort(key=lambda output: (output["src"]["x"], *output))
    return given


_QUESTION = (
    f"What does an item cost that goes to {WIDTH} asynchronous branches and past them, and all"
    " that comes of it into a step?"
)

WORKLOAD = Workload(
    "fanout",
    _QUESTION,
    contests,
    sizes="500 items (quick 60); in series 60 (quick 15)",
    seconds=60,
    rank=4,
)
