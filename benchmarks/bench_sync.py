"""What does a synchronous step cost, lineage kept, next to a loop written by hand?"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from . import by_hand, peers
from .harness import OURS, Contest, Goal, Race, Scale, benchmark, built, label
from .work import STEPS, chain_outputs, items, last_values, sync_steps

LOOP = "loop by hand, lineage"


@benchmark(
    "sync",
    question="What does a synchronous step cost per item, 5 steps in a row, lineage kept?",
    goal="at most 3x a hand-written loop with the same lineage; at least 60x cheaper than fluxus",
)
def contests(scale: Scale) -> Iterable[Contest]:
    """One chain of five steps; every output is read as a nested dictionary."""
    count = scale.pick(2_000, 100)
    source, steps = items(count), sync_steps()
    race = Race(lambda: chain_outputs(count), units=count * STEPS, at_least=scale.at_least)
    race.enter(OURS, built(peers.ours_chain, source, steps), package=OURS)
    race.enter(LOOP, partial(by_hand.loop, source, steps))
    race.enter("unrolled by hand", partial(by_hand.unrolled, source, steps), "no look-up by name")
    race.enter(label("fluxus"), built(peers.fluxus_chain, source, steps), package="fluxus")
    race.enter(
        label("streamable"),
        partial(peers.streamable_chain, source, steps),
        "keeps no lineage",
        package="streamable",
        expected=lambda: last_values(chain_outputs(count)),
    )
    race.enter_async(
        label("aiostream"),
        partial(peers.aiostream_chain, source, steps),
        "lineage by the step functions",
    )
    race.enter(
        label("reactivex"),
        partial(peers.rx_chain, source, steps),
        "lineage by the step functions",
    )
    goals = [Goal(LOOP, 3), Goal(label("fluxus"), 1 / 60)]
    yield Contest(
        f"{STEPS} sync steps, {count:,} items", "µs per item and step", race.contenders, goals
    )
