"""All kinds of endings, one after the other: `python -m tests.support.endings asyncio|uvloop`.

For test_breakers_places.py, which looks at what this prints to stderr: nothing.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Callable, Iterator
from typing import Any

from fluxus_rx import arun, run, step
from tests.support.failing import (
    SHAPES,
    STEPS,
    Journal,
    feeding,
    numbers,
    source_step,
    sources,
    steps,
)

ERRORS: list[Callable[[], BaseException]] = [
    lambda: KeyError("price"),
    StopIteration,
    StopAsyncIteration,
    GeneratorExit,
    KeyboardInterrupt,
    SystemExit,
    asyncio.CancelledError,
]


def failing_flows(shape: str) -> Iterator[Any]:
    for make in ERRORS:
        for kind in ("generator", "async generator", "data"):
            source = source_step(kind, sources(make(), 2, 4, Journal()))
            yield source >> feeding(shape, True, Journal())
        for kind in STEPS:
            function = steps(make(), lambda x: x == 5, Journal())[kind]
            behind = feeding(shape, True, Journal())
            yield numbers(100, Journal()) >> step("s", function) >> behind
            yield numbers(100, Journal()) >> behind >> step("s", function)


def runner(loop: str) -> asyncio.Runner:
    if loop == "uvloop":
        import uvloop

        return asyncio.Runner(loop_factory=uvloop.new_event_loop, debug=True)
    return asyncio.Runner(debug=True)


async def cancelled(turns: int, shape: str) -> None:
    async def wait(x: int) -> dict[str, int]:
        await asyncio.Event().wait()
        return {}

    flow = numbers(100, Journal()) >> feeding(shape, True, Journal()) >> step("wait", wait)
    task = asyncio.create_task(arun(flow))
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return
    raise AssertionError("not cancelled")


def fails(call: Callable[[Any], Any], flow: Any) -> None:
    try:
        call(flow)
    except BaseException:
        return
    raise AssertionError(f"{flow} did not fail")


def main(loop: str) -> None:
    for flow in failing_flows("two groups"):
        fails(run, flow)
    gc.collect()
    with runner(loop) as one:
        for flow in failing_flows("group"):
            fails(lambda flow: one.run(arun(flow)), flow)
        gc.collect()
        for shape in SHAPES:
            for turns in range(20):
                one.run(cancelled(turns, shape))
    for shape in SHAPES:
        for _ in numbers(100, Journal()) >> feeding(shape, True, Journal()):
            break
        gc.collect()
    print("all endings")


if __name__ == "__main__":
    main(sys.argv[1])
