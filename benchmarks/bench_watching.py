"""What does it cost to watch a run?"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from .harness import OURS, Contest, Goal, Race, Scale, benchmark, built, peer
from .work import STEPS, Lineage, chain_outputs, items, sync_steps

UNWATCHED = "unwatched"
#: What `timestamps=True` adds to the attributes of a step.
TIMES = ("[start]", "[end]")


@benchmark(
    "watching",
    question="What do progress and timestamps add to a run, next to the same run unwatched?",
    goal="progress at most 2x, timestamps at most 5x of a step that does next to nothing",
)
def contests(scale: Scale) -> Iterable[Contest]:
    """The chain of five synchronous steps, where anything that is added weighs most."""
    count = scale.pick(2_000, 100)
    for subject, most, options in (
        ("progress", 2, {"progress": lambda progress: None}),
        ("timestamps", 5, {"timestamps": True}),
    ):
        race = Race(lambda: chain_outputs(count), units=count * STEPS, at_least=scale.at_least)
        race.enter(subject, built(_watched, count, **options), package=OURS)
        race.enter(UNWATCHED, built(_watched, count), package=OURS)
        yield Contest(
            f"{STEPS} sync steps, {count:,} items, {subject}",
            "µs per item and step",
            race.contenders,
            [Goal(UNWATCHED, most)],
            subject=subject,
        )


def _watched(count: int, **options: Any) -> Callable[[], list[Lineage]]:
    flows = peer("fluxus_rx")
    steps = [flows.step(name, function) for name, function in sync_steps().items()]
    flow = flows.chain(flows.step("src", items(count)), *steps)
    return lambda: _timeless(flows.run(flow, **options), "timestamps" in options)


def _timeless(result: Any, timed: bool) -> list[Lineage]:
    outputs = list(result.get_outputs())
    if timed:
        for output in outputs:
            for added in output.values():
                for name in TIMES:
                    del added[name]
    return outputs
