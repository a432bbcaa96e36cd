"""What does keeping the order cost where a few calls take ten times longer than the others?"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from . import by_hand
from .harness import (
    MILLISECONDS,
    OURS,
    Contender,
    Contest,
    Goal,
    Scale,
    benchmark,
    given,
    in_loop,
    peer,
    timed,
)
from .work import AsyncFunction, Attributes, Lineage, chain_outputs, items

LIMIT = 10
FAST, SLOW = 0.005, 0.05
#: One call in so many is slow.
ONE_IN = 20

#: None is the default of the library.
WINDOWS = (None, 100, 200)

UNORDERED = "unordered"
IN_ORDER = 1.3


@benchmark(
    "skew",
    question="What does keeping the order cost where 5 % of the calls are ten times slower?",
    goal=f"at most {IN_ORDER:g}x of the same run unordered, with a window of 100 or more",
)
def contests(scale: Scale) -> Iterable[Contest]:
    """The same calls with each window, next to what no order holds up.

    Which calls are slow is drawn anew in each round, the same for all: what a window of 40 costs
    is 1.2 to 1.4x, as chance has it. A slow call lasts as long as 90 fast ones at the 9 other
    places, and a window that is much smaller fills up behind it. So the goal is for those above.
    """
    count = scale.pick(400, 100)
    busy = ((count // ONE_IN) * SLOW + (count - count // ONE_IN) * FAST) / LIMIT * MILLISECONDS
    for window in WINDOWS:
        subject = "ordered, default window" if window is None else f"ordered, window {window}"
        options: dict[str, Any] = {} if window is None else {"window": window}
        yield Contest(
            f"{count} calls, {count // ONE_IN} slow, limit {LIMIT}: {subject}",
            "ms altogether",
            [
                _contender(subject, count, partial(_ours, ordered=True, **options)),
                _contender(UNORDERED, count, _ours, in_order=False),
                _contender("gather by hand", count, _by_hand, "in order", package=None),
                Contender("all places busy", given(busy), "the work, shared out evenly"),
            ],
            () if window is None else [Goal(UNORDERED, IN_ORDER)],
            subject=subject,
        )


Run = Callable[[int, AsyncFunction], list[Lineage]]


def _contender(
    name: str,
    count: int,
    run: Run,
    note: str = "",
    *,
    in_order: bool = True,
    package: str | None = OURS,
) -> Contender:
    """Does the work of one round after the other; `in_order` says that outputs must be, too."""
    seeds = itertools.count()

    def measure() -> float:
        step = _skewed(random.Random(next(seeds)).sample(range(count), count // ONE_IN))
        once = timed(partial(run, count, step), right, scale=MILLISECONDS, at_least=0)
        return once()

    def right(outputs: list[Lineage]) -> bool:
        if not in_order:
            outputs = sorted(outputs, key=lambda output: output["src"]["x"])
        return outputs == chain_outputs(count, 1)

    return Contender(name, measure, note, package)


def _skewed(slow: Iterable[int]) -> AsyncFunction:
    chosen = frozenset(slow)

    async def add(x: int) -> Attributes:
        await asyncio.sleep(SLOW if x in chosen else FAST)
        return {"x": x + 1}

    return add


def _ours(count: int, step: AsyncFunction, **options: Any) -> list[Lineage]:
    """The outputs as they come: those of a result would be in order whatever the steps do."""
    flows = peer(OURS)
    limited = flows.step("step1", step).options(concurrency=LIMIT, **options)
    flow = flows.step("src", lambda: items(count)) >> limited
    return [output for _, output in flows.stream(flow)]


def _by_hand(count: int, step: AsyncFunction) -> list[Lineage]:
    """A task per item and a semaphore; gather keeps the order."""
    return in_loop(lambda: by_hand.tasks(items(count), {"step1": step}, LIMIT))
