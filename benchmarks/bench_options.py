"""What does each option of a step add to a call?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from . import by_hand, peers
from .harness import OURS, Contest, Goal, Race, Scale, benchmark, built, in_loop, peer
from .work import (
    AsyncFunction,
    Attributes,
    Function,
    Lineage,
    adding,
    adding_async,
    chain_outputs,
    items,
)

LIMIT = 100
THREADS = 20
BARE = "no option"
UNIT = "µs per call"
ATTEMPTS = 3
SECONDS = 10
PERMITS = 1_000
LIMITER = f"Semaphore({PERMITS})"

#: For a step that does nothing, where an option weighs most.
DEARER = 3
STARTED = 2
IN_THREADS = 2

Wrap = Callable[[AsyncFunction], AsyncFunction]


@benchmark(
    "options",
    question="What does each option add to a call that does nothing?",
    goal=f"at most {DEARER:g}x of the same call without it, all together too; `start` at most"
    f" {STARTED:g}x of `arun`; threads at most {IN_THREADS:g}x of `run_in_executor`",
)
def contests(scale: Scale) -> Iterable[Contest]:
    """An async step with each option, a sync one in threads, and a run that is started."""
    count = scale.pick(2_000, 100)
    for option, value in _ALL.items():
        shown = f"{option}={LIMITER if option == 'limiter' else repr(value)}"
        yield _option(shown, {option: value}, WRAPS[option], count, scale)
    yield _option("all four", _ALL, _altogether, count, scale)
    yield _threads(count, scale)
    yield _started("async", adding_async(1), count, scale)
    yield _started("sync", adding(1), count, scale)


# The options by hand: what wraps a call


def _retried(call: AsyncFunction) -> AsyncFunction:
    async def retried(x: int) -> Attributes:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await call(x=x)
            except Exception:
                if attempt == ATTEMPTS:
                    raise
                await asyncio.sleep(2**attempt)
        raise AssertionError("no attempt left")

    return retried


def _timed(call: AsyncFunction) -> AsyncFunction:
    async def timed(x: int) -> Attributes:
        async with asyncio.timeout(SECONDS):
            return await call(x=x)

    return timed


def _limited(call: AsyncFunction) -> AsyncFunction:
    semaphore = asyncio.Semaphore(PERMITS)

    async def limited(x: int) -> Attributes:
        async with semaphore:
            return await call(x=x)

    return limited


def _skipping(call: AsyncFunction) -> AsyncFunction:
    """The same with failures as no attributes; there are none here."""

    async def skipping(x: int) -> Attributes:
        try:
            return await call(x=x)
        except Exception:
            return {}

    return skipping


def _altogether(call: AsyncFunction) -> AsyncFunction:
    return _skipping(_retried(_limited(_timed(call))))


Options = Mapping[str, Any]

_ALL: Options = {
    "retry": ATTEMPTS,
    "timeout": SECONDS,
    # One for all runs: as nobody ever waits for it, it belongs to no loop.
    "limiter": asyncio.Semaphore(PERMITS),
    "on_error": "skip",
}
WRAPS: Mapping[str, Wrap] = {
    "retry": _retried,
    "timeout": _timed,
    "limiter": _limited,
    "on_error": _skipping,
}


def _race(count: int, scale: Scale) -> Race:
    return Race(lambda: chain_outputs(count, 1), units=count, at_least=scale.at_least)


def _option(name: str, options: Options, wrap: Wrap, count: int, scale: Scale) -> Contest:
    race, source, step = _race(count, scale), items(count), adding_async(1)
    for contender, given in ((name, options), (BARE, {})):
        flow = built(peers.ours_chain, source, {"step1": step}, concurrency=LIMIT, **given)
        race.enter(contender, flow, package=OURS)
    race.enter_async("by hand", lambda: by_hand.workers(source, {"step1": wrap(step)}, LIMIT))
    title = f"async step, limit {LIMIT}: {name}"
    return Contest(title, UNIT, race.contenders, [Goal(BARE, DEARER)], subject=name)


# Threads


def _threads(count: int, scale: Scale) -> Contest:
    race, source, step = _race(count, scale), items(count), adding(1)
    name, pool = 'executor="thread"', "run_in_executor by hand"
    options = {"concurrency": THREADS, "executor": "thread"}
    race.enter(name, built(peers.ours_chain, source, {"step1": step}, **options), package=OURS)
    race.enter_async("asyncio.to_thread by hand", lambda: _to_thread(source, step))
    race.enter_async(pool, lambda: _to_pool(source, step), "no contextvars")
    title = f"sync step in {THREADS} threads"
    return Contest(title, UNIT, race.contenders, [Goal(pool, IN_THREADS)], subject=name)


async def _to_thread(source: list[Attributes], step: Function) -> list[Lineage]:
    async def call(x: int) -> Attributes:
        return await asyncio.to_thread(step, x=x)

    # The loop's own pool depends on the machine: six threads where there are two cores.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS))
    return await by_hand.workers(source, {"step1": call}, THREADS)


async def _to_pool(source: list[Attributes], step: Function) -> list[Lineage]:
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(THREADS) as pool:

        async def call(x: int) -> Attributes:
            return await loop.run_in_executor(pool, step, x)

        return await by_hand.workers(source, {"step1": call}, THREADS)


# A run that can be steered


def _started(kind: str, step: Function | AsyncFunction, count: int, scale: Scale) -> Contest:
    race, source = _race(count, scale), items(count)
    race.enter("start", built(_run, "start", source, step), package=OURS)
    race.enter("arun", built(_run, "arun", source, step), package=OURS)
    title = f"{kind} step, a run that is started"
    return Contest(title, UNIT, race.contenders, [Goal("arun", STARTED)], subject="start")


def _run(
    how: str, source: list[Attributes], step: Function | AsyncFunction
) -> Callable[[], list[Lineage]]:
    flows = peer(OURS)
    flow = flows.step("src", lambda: source) >> flows.step("step1", step)

    async def main() -> list[Lineage]:
        result = await (flows.start(flow).result() if how == "start" else flows.arun(flow))
        return list(result.get_outputs())

    return lambda: in_loop(main)
