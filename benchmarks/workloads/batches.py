"""What does it cost to cut items into batches?"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, partial

from ..measuring.contenders import Contenders
from ..measuring.contest import Contest, Size, Workload
from ..work.functions import Attributes, Probe, items
from ..work.operations import Work, operation_rows

__all__ = ["WORKLOAD"]

_QUESTION = "What does an item cost on its way into a batch?"


def contests(size: Size, contenders: Contenders) -> Iterable[Contest]:
    """Small batches, in which what a batch costs weighs, and large ones."""
    count = size.pick(50_000, 2_000, 500)
    for length in (10, 1_000):
        rows, absent = operation_rows(
            contenders,
            "batches",
            partial(_work, count, length),
            checked=partial(_work, 101, 10),
            units=count,
        )
        yield Contest(f"batches of {length:,}", _QUESTION, "µs per item", rows, absent=absent)


def _work(count: int, length: int, calls: str, probe: Probe | None) -> Work:
    return Work(
        {"items": _items(count), "size": length},
        expected=partial(_batches, count, length),
        plain=lambda batch: batch,
        ordered=True,
    )


@cache
def _items(count: int) -> list[Attributes]:
    """Made once: a run is so short that it is repeated often."""
    return items(count)


@cache
def _batches(count: int, length: int) -> list[list[Attributes]]:
    given = _items(count)
    return [given[begin : begin + length] for begin in range(0, count, length)]


WORKLOAD = Workload(
    "batches", _QUESTION, contests, sizes="50,000 items (quick 2,000)", seconds=10, rank=17
)
