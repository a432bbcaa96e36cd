"""How close to the ideal is a step that waits, with a limit?"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import partial

from . import by_hand, peers
from .harness import (
    MILLISECONDS,
    OURS,
    Contender,
    Contest,
    Goal,
    Race,
    Scale,
    benchmark,
    built,
    given,
    label,
)
from .work import AsyncFunction, Attributes, adding_late, chain_outputs, items, last_values

LIMIT = 100
SECONDS = 0.01


@benchmark(
    "latency",
    question="How long do items take through one step that sleeps, next to the ideal?",
    goal="at most 1.15x of the ideal",
)
def contests(scale: Scale) -> Iterable[Contest]:
    """2,000 calls of 10 ms, 100 at a time: 0.2 s if everything but sleeping were free."""
    count = scale.pick(2_000, 400)
    source, steps = items(count), {"step1": adding_late(1, SECONDS)}
    race = Race(lambda: chain_outputs(count, 1), units=1, scale=MILLISECONDS, at_least=0)
    race.enter(OURS, built(peers.ours_chain, source, steps, concurrency=LIMIT), package=OURS)
    race.enter_async("workers by hand", partial(by_hand.workers, source, steps, LIMIT))
    race.enter_async("tasks by hand", partial(by_hand.tasks, source, steps, LIMIT))
    race.enter(
        label("fluxus"),
        partial(_fluxus, count),
        "a semaphore in the step function",
        package="fluxus",
    )
    race.enter_async(
        label("streamable"),
        partial(peers.streamable_chain_async, source, steps, LIMIT),
        "keeps no lineage",
        package="streamable",
        expected=lambda: last_values(chain_outputs(count, 1)),
    )
    race.enter_async(label("aiostream"), partial(peers.aiostream_chain_async, source, steps, LIMIT))
    race.enter_async(label("reactivex"), partial(peers.rx_chain_limited, source, steps, LIMIT))
    ideal = Contender("ideal", given(count / LIMIT * SECONDS * MILLISECONDS))
    yield Contest(
        f"{count:,} items, one sleep of {SECONDS:g} s each, limit {LIMIT}",
        "ms altogether",
        [*race.contenders, ideal],
        [Goal("ideal", 1.15)],
    )


def _fluxus(count: int) -> object:
    # A new semaphore for each run: it belongs to the first loop that it waits on.
    step = _limited(adding_late(1, SECONDS), LIMIT)
    return peers.fluxus_chain(items(count), {"step1": step})()


def _limited(function: AsyncFunction, limit: int) -> AsyncFunction:
    semaphore = asyncio.Semaphore(limit)

    async def limited(x: int) -> Attributes:
        async with semaphore:
            return await function(x=x)

    return limited
