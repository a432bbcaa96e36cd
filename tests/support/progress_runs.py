"""Runs that show their progress: `python -m tests.support.progress_runs <name>`, for
test_progress_processes.py. All but "short" wait for Ctrl-C."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

from fluxus_rx import arun, run, step


async def wait(x: int) -> dict[str, int]:
    try:
        await asyncio.sleep(0.001)
        if x == 100:
            print("ready")
            await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0)
    return {"y": x}


def endless() -> Iterator[dict[str, int]]:
    x = 0
    while True:
        yield {"x": x}
        x += 1


def flow(number: int = 1_000) -> Any:
    return step("source", [{"x": x} for x in range(number)]) >> step("wait", wait)


def short() -> None:
    run(flow(50), progress=True)


def asynchronous() -> None:
    run(flow(), progress=True)


def synchronous() -> None:
    run(step("source", endless) >> step("wait", lambda x: []), progress=True)


def awaited() -> None:
    asyncio.run(arun(flow(), progress=True))


def inside_a_loop() -> None:
    async def main() -> None:
        run(flow(), progress=True)

    asyncio.run(main())


RUNS: dict[str, Callable[[], None]] = {
    "short": short,
    "asynchronous": asynchronous,
    "synchronous": synchronous,
    "awaited": awaited,
    "inside a loop": inside_a_loop,
}

if __name__ == "__main__":
    stderr = sys.stderr
    try:
        RUNS[sys.argv[1]]()
    finally:
        assert sys.stderr is stderr
        assert threading.enumerate() == [threading.main_thread()]
