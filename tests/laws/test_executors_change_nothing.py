"""Where plain functions run changes nothing of what comes out, and no run waits for ever: random
flows, in threads and in pools that their steps share, some with a limiter or a step used twice."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any

from fluxus_rx import arun, step


def one(x: int) -> dict[str, int]:
    return {"x": x + 1}


def several(x: int) -> Iterator[dict[str, int]]:
    for y in range(x % 4):
        yield {"x": 2 * x + y}


def many(x: int) -> Iterator[dict[str, int]]:
    row = {}
    for y in range(20):
        row["x"] = x + y
        yield row


def a_list(x: int) -> list[dict[str, int]]:
    return [{"x": x}, {"x": -x}]


async def awaited(x: int) -> dict[str, int]:
    await asyncio.sleep(0)
    return {"x": x + 3}


Options = dict[str, Any]


def random_steps(choice: random.Random) -> list[tuple[Callable[..., Any], Options, bool]]:
    """Functions, what is set for them, and whether they run elsewhere."""
    steps = []
    for _ in range(choice.randint(1, 4)):
        function = choice.choice([one, several, many, a_list, awaited])
        options: Options = {"concurrency": choice.choice([1, 2, 3, 8])}
        if choice.random() < 0.4:
            options["buffer"] = choice.choice([1, 2])
        if choice.random() < 0.3:
            options["ordered"] = True
        if choice.random() < 0.3:
            options["timeout"] = 60
        if choice.random() < 0.3:
            options["limiter"] = True
        steps.append((function, options, function is not awaited))
    return steps


async def result_of(
    seed: int, executors: list[Any], limiter: Any
) -> list[dict[str, dict[str, Any]]]:
    """What the flow of this seed returns if its plain functions run in these executors."""
    choice = random.Random(seed)
    made = []
    for index, (function, options, is_plain) in enumerate(random_steps(choice)):
        executor = choice.choice([0, 1, 2]) if is_plain else 0
        settings = options | ({"limiter": limiter} if "limiter" in options else {})
        if is_plain:
            settings["executor"] = executors[executor]
        made.append(step(f"s{index}", function).options(**settings))
    if choice.random() < 0.3:
        made.append(made[0])
    flow: Any = step("src", [{"x": x} for x in range(choice.choice([2, 6]))])
    if choice.random() < 0.3 and len(made) > 1:
        flow, made = flow >> (made[0] & made[1]), made[2:]
    for each in made:
        flow = flow >> each
    return [*(await arun(flow))]


async def test_an_executor_changes_nothing_of_a_result() -> None:
    """It is that of the same flow on the loop, however small the pool is."""
    for seed in range(15):
        on_the_loop = await result_of(seed, [None, None, None], asyncio.Semaphore(1))
        with futures.ThreadPoolExecutor(1 + seed % 3) as pool:
            executors = ["thread", pool, pool]
            elsewhere = await result_of(seed, executors, asyncio.Semaphore(1))
        assert elsewhere == on_the_loop, f"seed {seed}"
