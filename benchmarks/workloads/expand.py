"""What does it cost to make many of one, and one of these again?"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import replace
from functools import partial

from ..measuring.contenders import Contenders
from ..measuring.contest import OURS, Clock, Contest, Goal, Size, Workload
from ..work.functions import Attributes, Probe, items
from ..work.memory import peak_rows
from ..work.operations import Work, operation_rows

__all__ = ["WORKLOAD"]

#: Peak memory with ten times the items: more than a tenth above is kept for items that are done.
FLAT = 1.25
TENTH = "fluxus_rx, a tenth of the items"


def contests(size: Size, contenders: Contenders) -> Iterable[Contest]:
    """What it costs; then whether its memory depends on how many items there are."""
    parents, per_item = size.pick(100, 8, 4), size.pick(1_000, 500, 100)
    rows, absent = operation_rows(
        contenders,
        "expand",
        partial(_work, parents, per_item),
        checked=partial(_work, 10, 20),
        units=parents * per_item,
    )
    yield Contest(
        "expand and reduce", _QUESTION, "µs per child", rows, goals=[Goal(30)], absent=absent
    )
    yield _memory(size, contenders)


def _memory(size: Size, contenders: Contenders) -> Contest:
    parents, per_item = size.pick(1_000, 100, 50), size.pick(100, 20, 10)
    rows, absent = operation_rows(contenders, "expand", partial(_work, parents, per_item), units=1)
    fewer, _ = operation_rows(
        contenders,
        "expand",
        partial(_work, parents // 10, per_item),
        units=1,
        only=lambda one: one.name == OURS,
    )
    return Contest(
        "expand and reduce, peak memory",
        "How much memory does it take at once, what it returns left out, and is that flat?",
        "KiB",
        peak_rows([*rows, *(replace(row, name=TENTH) for row in fewer)]),
        clock=Clock.VALUE,
        scale=1 / 1024,
        goals=[Goal(FLAT, of=TENTH)],
        absent=absent,
    )


def _work(parents: int, per_item: int, calls: str, probe: Probe | None) -> Work:
    source = items(parents)
    return Work(
        {
            "items": source if probe is None else probe.source(source),
            "function": _children if probe is None else _watched(probe),
            "per_item": per_item,
        },
        expected=partial(_outputs, parents, per_item),
        plain=lambda output: output,
        ordered=True,
        calls=parents,
    )


def _children(x: int, per_item: int) -> Generator[Attributes, None, None]:
    for number in range(per_item):
        yield {"y": x + number}


def _watched(probe: Probe) -> Callable[..., Generator[Attributes, None, None]]:
    begin = probe.watched("plain", "expand", dict)

    def children(x: int, per_item: int) -> Generator[Attributes, None, None]:
        begin()
        yield from _children(x, per_item)

    return children


def _outputs(parents: int, per_item: int) -> list[Attributes]:
    """What comes of `items(parents)`."""
    numbers = sum(range(per_item))
    return [{"x": x, "total": per_item * x + numbers} for x in range(parents)]


_QUESTION = "What does a child cost where an item becomes a thousand, and these one again?"

WORKLOAD = Workload(
    "expand", _QUESTION, contests, sizes="100 x 1,000 (quick 8 x 500)", seconds=60, rank=9
)
