"""What does an asynchronous step that returns at once cost, next to tasks with a semaphore?"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from . import by_hand, peers
from .harness import AHEAD, OURS, Contest, Goal, Race, Scale, benchmark, built, label
from .work import STEPS, async_steps, chain_outputs, items, last_values

LIMITS = (10, 100, 1_000)
TASKS = "tasks by hand, 1 semaphore"
PER_STEP = "tasks by hand, 1 per step"


@benchmark(
    "async",
    question="What does an async step that returns at once cost per item, 5 steps in a row?",
    goal="at most 2x hand-written tasks with a semaphore; at least 30x cheaper than fluxus;"
    " ahead of streamable; at limits 10, 100 and 1,000",
)
def contests(scale: Scale) -> Iterable[Contest]:
    """A chain of five steps at each of the limits; every output is read."""
    count = scale.pick(2_000, 100)
    for limit in LIMITS:
        race = Race(lambda: chain_outputs(count), units=count * STEPS, at_least=scale.at_least)
        _enter_ours_and_by_hand(race, count, limit)
        _enter_peers(race, count, limit)
        if limit == 100:  # about a second a run, and no different at the other limits
            _enter_stock_operators(race, count, limit)
        yield Contest(
            f"{STEPS} async steps at limit {limit:,}, {count:,} items",
            "µs per item and step",
            race.contenders,
            [
                Goal(TASKS, 2),
                Goal(PER_STEP, 2),
                Goal(label("fluxus"), 1 / 30),
                Goal(label("streamable"), 1, AHEAD),
            ],
        )


def _enter_ours_and_by_hand(race: Race, count: int, limit: int) -> None:
    source, steps = items(count), async_steps()
    race.enter(OURS, built(peers.ours_chain, source, steps, concurrency=limit), package=OURS)
    race.enter_async(TASKS, partial(by_hand.tasks, source, steps, limit), "limits items")
    race.enter_async(
        PER_STEP, partial(by_hand.tasks_limited_per_step, source, steps, limit), "limits calls"
    )
    race.enter_async(
        "workers by hand", partial(by_hand.workers, source, steps, limit), "needs a list of items"
    )
    race.enter_async(
        "awaited one by one", partial(by_hand.sequential, source, steps), "no concurrency"
    )


def _enter_peers(race: Race, count: int, limit: int) -> None:
    source, steps = items(count), async_steps()
    race.enter(
        label("fluxus"),
        built(peers.fluxus_chain, source, steps),
        "knows no limit",
        package="fluxus",
    )
    race.enter_async(
        label("streamable"),
        partial(peers.streamable_chain_async, source, steps, limit),
        "keeps no lineage",
        package="streamable",
        expected=lambda: last_values(chain_outputs(count)),
    )


def _enter_stock_operators(race: Race, count: int, limit: int) -> None:
    source, steps = items(count), async_steps()
    race.enter_async(
        label("aiostream"),
        partial(peers.aiostream_chain_async, source, steps, limit),
        "lineage by the step functions",
    )
    race.enter_async(
        label("reactivex"),
        partial(peers.rx_chain_async, source, steps),
        "lineage by the step functions, no limit",
    )
