"""The benchmarks ask what they say, and compare like with like. No test here looks at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from benchmarks import by_hand, peers, work
from benchmarks.__main__ import MODULES, load
from benchmarks.harness import (
    REGISTRY,
    Contender,
    Contest,
    Goal,
    Race,
    Scale,
    WrongOutputs,
    given,
    hold,
    table,
)

COUNT = 7
LIMIT = 3


def test_each_module_registers_one_benchmark_with_a_question_and_a_goal() -> None:
    registry = load()
    assert [f"bench_{name}" for name in registry] == list(MODULES)
    assert all(each.question.endswith("?") and each.goal for each in registry.values())


@pytest.mark.parametrize("name", [module.removeprefix("bench_") for module in MODULES])
def test_each_contest_has_its_subject_and_its_baselines_among_the_contenders(name: str) -> None:
    load()
    contests = list(REGISTRY[name].contests(Scale(smoke=True)))
    assert contests
    for contest in contests:
        names = [contender.name for contender in contest.contenders]
        assert len(set(names)) == len(names)
        assert {contest.subject, *(goal.baseline for goal in contest.goals)} <= set(names)


def test_a_chain_gives_what_the_loops_by_hand_give() -> None:
    source, steps = work.items(COUNT), work.sync_steps()
    expected = work.chain_outputs(COUNT)
    assert by_hand.loop(source, steps) == expected
    assert by_hand.unrolled(source, steps) == expected
    assert peers.ours_chain(source, steps)() == expected


ASYNC_BASELINES: list[Callable[..., Any]] = [
    by_hand.tasks,
    by_hand.tasks_limited_per_step,
    by_hand.workers,
]


@pytest.mark.parametrize("baseline", ASYNC_BASELINES)
async def test_an_async_chain_gives_what_the_baselines_give(baseline: Callable[..., Any]) -> None:
    source, steps = work.items(COUNT), work.async_steps()
    expected = work.chain_outputs(COUNT)
    assert await baseline(source, steps, LIMIT) == expected
    ours = asyncio.to_thread(peers.ours_chain(source, steps, concurrency=LIMIT))
    assert await ours == expected


@pytest.mark.parametrize("baseline", [by_hand.group_by_tasks, by_hand.group_by_workers])
async def test_a_group_gives_what_the_baselines_give(baseline: Callable[..., Any]) -> None:
    source, branches = work.items(COUNT), work.async_steps(4)
    expected = work.group_outputs(COUNT, 4)
    assert await baseline(source, branches, LIMIT) == expected
    ours = asyncio.to_thread(peers.ours_group(source, branches, concurrency=LIMIT))
    assert await ours == expected


def test_wrong_outputs_are_never_timed() -> None:
    race = Race(lambda: [1, 2], units=1)
    race.enter("right", lambda: [1, 2])
    race.enter("wrong", lambda: [2, 1])
    outcome = hold(Contest("order", "µs", race.contenders, subject="right"), rounds=2)
    assert isinstance(outcome.errors["wrong"], WrongOutputs)
    assert outcome.ratio("wrong") is None
    assert "failed" in table(outcome)


def test_a_peer_that_is_not_installed_is_shown_as_missing() -> None:
    contenders = [
        Contender("fluxus_rx", given(2.0)),
        Contender("by hand", given(1.0)),
        Contender("absent 1.0", given(1.0), package="no_such_package"),
    ]
    goals = [Goal("by hand", 3), Goal("absent 1.0", 1 / 60)]
    outcome = hold(Contest("ours", "µs", contenders, goals), rounds=3)
    assert [outcome.met(goal) for goal in goals] == [True, None]
    text = table(outcome)
    assert "at most 3x: met" in text
    assert "at least 60x cheaper: not measured" in text
    assert "needs no_such_package" in text
