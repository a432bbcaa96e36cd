"""Whatever a flow does, what is told of its progress is possible."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from math import isfinite
from random import Random
from typing import Any

import pytest

from fluxus_rx import Progress, start, step
from fluxus_rx.testing import virtual_time
from tests.monitoring.test_stats import Gaps, Row, fixed, rows

STATES = ["running", "paused", "draining", "done"]


def random_step(name: str, random: Random) -> Any:
    """A step that waits, fails, runs out of time, returns nothing or several, by chance."""
    pauses = [random.choice((0.0, 0.1, 0.7, 3.0)) for _ in range(7)]
    failing = random.choice((0.0, 0.0, 0.3, 0.9))
    most = random.choice((1, 1, 2, 5))

    async def call(x: int) -> list[Row]:
        await asyncio.sleep(random.choice(pauses))
        if random.random() < failing:
            raise LookupError(x)
        return [{"x": x}] * random.randrange(most + 1)

    async def many(x: int) -> AsyncIterator[Row]:
        for row in await call(x):
            yield row
            await asyncio.sleep(random.choice(pauses))

    def plain(x: int) -> list[Row]:
        return [{"x": x}] * random.randrange(most + 1)

    function: Any = random.choice((call, call, many, plain))
    options: dict[str, Any] = {"on_error": random.choice(("skip", lambda failure: {"x": 0}))}
    if function is not plain:
        options["concurrency"] = random.choice((1, 3, 20))
        if random.random() < 0.4:
            options["retry"] = fixed(3, random.choice((0.1, 5.0)))
            options["repeatable"] = random.random() < 0.5
        if random.random() < 0.4:
            options["timeout"] = 1.0
        if random.random() < 0.2:
            options["limiter"] = Gaps()
    return step(name, function).options(**options)


def random_run(seed: int) -> list[Progress]:
    """What a run of a random flow tells, with a pause or a drain, by chance."""
    random = Random(seed)
    flow: Any = rows(random.randrange(15))
    for index in range(random.randrange(1, 4)):
        flow = flow >> random_step(f"s{index}", random)
    if random.random() < 0.3:
        flow = flow >> (random_step("left", random) & random_step("right", random))
    told: list[Progress] = []

    async def main() -> None:
        async with start(flow, progress=told.append) as running:
            await asyncio.sleep(random.choice((0.1, 2.0)))
            if random.random() < 0.3:
                running.pause()
                await asyncio.sleep(1)
                running.resume()
            if random.random() < 0.3:
                await running.drain()
            await running.result()
            check_explanation(str(running.explain()))

    with virtual_time() as go:
        go(main)
    return told


def check_explanation(text: str) -> None:
    parts = [word.rstrip("%;,.:") for word in text.split() if "%" in word]
    assert all(0 <= int(part) <= 100 for part in parts), text


def check(progress: Progress) -> None:
    """All that can't be, whatever the run does."""
    for one in progress.steps:
        counts = (one.done, one.in_flight, one.waiting, one.failed)
        assert min(counts) >= 0, one
        assert one.eta is None or (isfinite(one.eta) and one.eta >= 0), one
        assert one.rate >= 0, one
        assert one.per_call is None or one.per_call >= 0, one
        if one.expected is not None:
            assert one.done + one.failed <= one.expected, one
            assert not (one.is_over and (one.in_flight or one.waiting)), one
    assert progress.eta is None or isfinite(progress.eta)


@pytest.mark.parametrize("seed", range(10))
def test_what_is_told_is_possible(seed: int) -> None:
    """No count below zero, nothing done beyond what is expected, no end in the past; at the end
    all that was expected is over, and nothing waits."""
    told = random_run(seed)
    for progress in told:
        check(progress)
    last = told[-1]
    assert last.state == "done"
    for one in last.steps:
        assert (one.in_flight, one.waiting, one.blocked) == (0, 0, False), one
        assert one.expected == one.done + one.failed, one
