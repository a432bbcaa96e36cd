"""What does an asynchronous step cost, at several limits?"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from ..measuring.contenders import Contenders
from ..measuring.contest import Contest, Goal, Size, Workload
from ..work.functions import STEPS, Probe, chain_outputs, items, steps
from ..work.operations import Work, left_out, operation_rows

__all__ = ["WORKLOAD"]

LIMITS = (10, 100, 1_000)
_KINDS = (("", None, False), (", yielding", 0, False), (", ordered", None, True))
#: What is measured now, and a little more: whatever is slower than this has become so.
_GOALS = {
    "": (Goal(4), Goal(1 / 12, "fluxus"), Goal(1, "streamable")),
    ", yielding": (Goal(2), Goal(1 / 4, "fluxus"), Goal(1.25, "streamable")),
    ", ordered": (Goal(5), Goal(1, "streamable")),
}


def contests(size: Size, contenders: Contenders) -> Iterable[Contest]:
    """Steps that return at once at each limit; at 100 also such that yield to the loop once, and
    in the order of the items. A quick run has the limits that most have, and doesn't yield."""
    for limit in (100, 1_000) if size is Size.QUICK else LIMITS:
        count = size.pick(2_000, max(500, limit), 200)
        for kind, seconds, ordered in _kinds(size, limit):
            slow = ("aiostream", "reactivex") if limit == 1_000 or ordered else ()
            # Where there are so many places, one step is enough to see a limit that is broken.
            checked = (limit + 20, 1 if limit == 1_000 else STEPS, limit, ordered, None)
            rows, absent = operation_rows(
                contenders,
                "async_chain",
                partial(_work, count, STEPS, limit, ordered, seconds),
                checked=partial(_work, *checked),
                units=count * STEPS,
                promises=("order",) if ordered else (),
                without=left_out(size, *slow, alike=limit == 1_000 or ordered),
            )
            yield Contest(
                f"async, limit {limit:,}{kind}",
                _QUESTION,
                "µs per item and step",
                rows,
                goals=_GOALS[kind],
                absent=absent,
            )


def _kinds(size: Size, limit: int) -> Iterable[tuple[str, int | None, bool]]:
    for kind, seconds, ordered in _KINDS if limit == 100 else _KINDS[:1]:
        if seconds is None or size is not Size.QUICK:
            yield kind, seconds, ordered


def _work(
    count: int,
    depth: int,
    limit: int,
    ordered: bool,
    seconds: float | None,
    calls: str,
    probe: Probe | None,
) -> Work:
    source = items(count)
    return Work(
        {
            "items": source if probe is None else probe.source(source),
            "functions": steps(calls, depth, seconds=seconds, probe=probe),
            "limit": limit,
            "ordered": ordered,
        },
        expected=partial(chain_outputs, count, depth),
        ordered=ordered,
        calls=count * depth,
        limit=limit,
        depth=depth,
    )


_QUESTION = "What does an asynchronous step that does next to nothing cost per item, 5 in a row?"

WORKLOAD = Workload(
    "async", _QUESTION, contests, sizes="2,000 items; quick 500 and 1,000", seconds=60, rank=2
)
