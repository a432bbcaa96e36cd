"""What does it cost to merge sources, and does each get its turn?"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from types import ModuleType

from ..measuring.contenders import Contenders
from ..measuring.contest import Clock, Contest, Goal, Size, Trial, Workload
from ..work.functions import Function, Probe, pause_of
from ..work.operations import Work, operation_rows
from ..work.yardsticks import bound_row

__all__ = ["WORKLOAD"]

SOURCES = 8
#: Items that the bursty source emits at once; then it rests for as many turns.
BURST = 50
EVEN = "even shares"


def contests(size: Size, contenders: Contenders) -> Iterable[Contest]:
    """What an item costs, then what came of each source in the first half of all."""
    each = size.pick(500, 100, 100)
    work = partial(_work, each)
    rows, absent = operation_rows(contenders, "merge", work, units=SOURCES * each)
    yield Contest(
        "merge, one source bursty",
        "What does an item cost where 8 sources are merged, one of which comes in bursts?",
        "µs per item",
        rows,
        goals=[Goal(1, "aiostream")],
        absent=absent,
    )
    yield Contest(
        "merge, fairness",
        "How far is the slowest source behind an even share when half of all items have come?",
        "times less than its share",
        [
            *(replace(row, prepare=_Fairness(row.prepare)) for row in rows),
            bound_row(EVEN, lambda: 1.0, "not measured"),
        ],
        clock=Clock.VALUE,
        scale=1,
        goals=[Goal(2, EVEN)],
        yardstick=EVEN,
        absent=absent,
    )


def _work(each: int, calls: str, probe: Probe | None) -> Work:
    pause = pause_of(calls)
    steady = [_steady(pause, number, each) for number in range(1, SOURCES)]
    return Work(
        {"sources": [_bursty(pause, 0, each), *steady]},
        expected=lambda: [(source, item) for source in range(SOURCES) for item in range(each)],
        plain=lambda output: output,
    )


#: The number of its source, and its own number in it.
Item = tuple[int, int]


async def _steady(pause: Function, source: int, count: int) -> AsyncIterator[Item]:
    for number in range(count):
        await pause(0)
        yield source, number


async def _bursty(pause: Function, source: int, count: int) -> AsyncIterator[Item]:
    for number in range(count):
        yield source, number
        if number % BURST == BURST - 1:
            for _ in range(BURST):
                await pause(0)


@dataclass(frozen=True)
class _Fairness:
    prepare: Callable[[ModuleType], Trial]

    def __call__(self, module: ModuleType) -> Trial:
        return replace(self.prepare(module), value=_behind)


def _behind(outputs: list[Item]) -> float:
    """An even share of the first half of what came, over that of the source that got least."""
    came = Counter(source for source, _ in outputs[: len(outputs) // 2])
    least = min(came[source] for source in range(SOURCES))
    return len(outputs) / 2 / SOURCES / max(1, least)


WORKLOAD = Workload(
    "merge",
    "What does merging cost, and does each source get its turn?",
    contests,
    sizes="8 sources of 500 items (quick 100)",
    seconds=15,
    rank=11,
)
