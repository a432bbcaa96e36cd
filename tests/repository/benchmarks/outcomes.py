"""Outcomes as a shared machine has them, made by a seeded generator."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping

from benchmarks.measuring.contest import BY_HAND, OURS, Clock, Goal
from benchmarks.measuring.outcome import ContestOutcome, RowOutcome, RunOutcome

#: Who takes part: promises, what a unit costs in terms of ours, a note.
CONTENDERS: Mapping[str, tuple[str, float, str]] = {
    OURS: ("LlOBC", 1.0, ""),
    BY_HAND: ("LlOBC", 0.65, ""),
    "streamable": ("lOB", 1.15, "keeps no lineage"),
    "aiometer": ("l", 5.2, "keeps no lineage; a task for each item"),
    "fluxus": ("L", 20.3, "no limit; through its asynchronous API"),
    "anyio": ("lC", 3.4, "memory object streams, by hand"),
    "langchain": ("lO", 61.0, "keeps no lineage"),
}
#: Those that are installed; what has no version is code by hand.
VERSIONS = {name: "" if name == BY_HAND else "1.0" for name in CONTENDERS}
ABSENT = {
    "trio": "not installed",
    "dask": "has no async_chain",
    "joblib": "has no async_chain",
    "eventkit": "not installed",
}
CIRCUMSTANCES = {
    "date": "2025-12-01",
    "cpu": "A Processor of 3 GHz",
    "cores": 2,
    "python": "CPython 3.11.7",
    "environment": {"PYTHONHASHSEED": "0"},
    "load_before": 0.35,
    "steal_seconds": None,
    "others": 0.031,
}


def noisy(cost: float, rounds: int, noise: random.Random, sigma: float = 0.03) -> list[float]:
    """Costs of some rounds: most near to each other, some much higher."""
    return [
        cost * math.exp(noise.gauss(0, sigma)) * (1 + 0.5 * (noise.random() < 0.1))
        for _ in range(rounds)
    ]


def a_row(name: str, cpu: float, rounds: int, noise: random.Random, **more: object) -> RowOutcome:
    """A row that was measured by both clocks."""
    promises, _, note = CONTENDERS.get(name, ("", 1, ""))
    row = RowOutcome(name, name, promises, note)
    row.cpu = noisy(cpu, rounds, noise)
    row.wall = [cost * 1.01 for cost in row.cpu]
    for key, value in more.items():
        setattr(row, key, value)
    return row


def a_contest(
    name: str = "async, limit 100",
    *,
    rounds: int = 7,
    seed: int = 1,
    slower: float = 1.0,
    workload: str = "async",
    **more: object,
) -> ContestOutcome:
    """The contest that readers ask for most; ours is dearer by `slower`."""
    noise = random.Random(f"{seed} {name}")
    rows = []
    for contender, (_, times, _) in CONTENDERS.items():
        factor = slower if contender == OURS else 1
        rows.append(a_row(contender, 3.4e-6 * times * factor, rounds, noise))
    contest = ContestOutcome(
        workload=workload,
        name=name,
        question="What does an asynchronous step cost that does next to nothing?",
        unit="µs per item and step",
        clock=Clock.CPU,
        scale=1e6,
        goals=[Goal(2), Goal(1 / 20, "fluxus"), Goal(1, "streamable"), Goal(1, "rx")],
        subject=OURS,
        yardstick=BY_HAND,
        rows=rows,
        absent=dict(ABSENT),
    )
    for key, value in more.items():
        setattr(contest, key, value)
    return contest


def a_count(name: str = "calls made", *, rounds: int = 7) -> ContestOutcome:
    """A contest without noise: something is counted."""
    contest = a_contest(name, rounds=rounds, workload="retrying", unit="calls", scale=1)
    contest.clock, contest.goals = Clock.VALUE, [Goal(1)]
    for number, row in enumerate(contest.rows):
        row.values = [float(10_020 + (number > 1))] * rounds
    contest.rows[2].values = [0.0] * rounds
    return contest


def fail(contest: ContestOutcome, name: str, error: str, message: str) -> None:
    """Have a row of it go wrong."""
    row = contest.row(name)
    assert row is not None
    row.error, row.message = error, message


def a_run(*contests: ContestOutcome, size: str = "quick", library: str = "0.1.0") -> RunOutcome:
    """A run of these contests, or of two."""
    found = contests or (a_contest(), a_contest("sync, 5 steps", workload="sync"), a_count())
    return RunOutcome(
        library=library,
        size=size,
        rounds=7,
        circumstances=dict(CIRCUMSTANCES),
        contenders={OURS: library, BY_HAND: "", "fluxus": "1.0.3", "streamable": "2.0.0"},
        contests=[*found],
    )


def a_large_run(contests: int = 75, rounds: int = 10) -> RunOutcome:
    """As many contests as there are, over workloads of five each."""
    return a_run(
        *(
            a_contest(
                f"workload {number // 5}, contest of number {number % 5}",
                rounds=rounds,
                seed=number,
                workload=f"workload {number // 5}",
            )
            for number in range(contests)
        ),
        size="full",
    )
