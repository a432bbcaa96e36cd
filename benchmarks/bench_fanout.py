"""What does an output of a wide group cost?"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from . import by_hand, peers
from .harness import AHEAD, OURS, Contest, Goal, Race, Scale, benchmark, built, label
from .work import async_steps, group_outputs, items, last_values

WIDTH = 8
LIMIT = 100


@benchmark(
    "fanout",
    question=f"What does an output of {WIDTH} async branches and a passthrough cost?",
    goal="at least 15x cheaper than fluxus; ahead of streamable",
)
def contests(scale: Scale) -> Iterable[Contest]:
    """A source, and a group of steps that return at once; outputs are read path by path."""
    count = scale.pick(500, 50)
    source, branches = items(count), async_steps(WIDTH)
    race = Race(
        lambda: group_outputs(count, WIDTH), units=count * (WIDTH + 1), at_least=scale.at_least
    )
    race.enter(OURS, built(peers.ours_group, source, branches, concurrency=LIMIT), package=OURS)
    race.enter_async("tasks by hand", partial(by_hand.group_by_tasks, source, branches, LIMIT))
    race.enter_async(
        "workers by hand",
        partial(by_hand.group_by_workers, source, branches, LIMIT),
        "needs a list of items",
    )
    race.enter(
        label("fluxus"),
        built(peers.fluxus_group, source, branches),
        "knows no limit",
        package="fluxus",
    )
    race.enter_async(
        label("streamable"),
        partial(peers.streamable_group, source, branches, LIMIT),
        "keeps no lineage, reads the source per branch",
        package="streamable",
        expected=lambda: [last_values(path) for path in group_outputs(count, WIDTH)],
    )
    race.enter_async(
        label("aiostream"),
        partial(peers.aiostream_group, source, branches, LIMIT),
        "lineage by the step functions, reads the source per branch",
    )
    race.enter_async(
        label("reactivex"),
        partial(peers.rx_group, source, branches),
        "lineage by the step functions, no limit",
    )
    yield Contest(
        f"{WIDTH} async branches + passthrough at limit {LIMIT}, {count:,} items",
        "µs per output",
        race.contenders,
        [Goal(label("fluxus"), 1 / 15), Goal(label("streamable"), 1, AHEAD)],
    )
