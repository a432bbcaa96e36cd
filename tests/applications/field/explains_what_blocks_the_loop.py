"""A step writes each record to the disk, with fsync, in a plain function on the loop. All is slow,
and the statistics of the other steps look as if they were to blame. What is right: the run says
that this step blocks the loop, and that a thread is the way out; and it takes no step that computes
for one that blocks, however busy the machine is."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from fluxus_rx import Explanation, start, step

ROWS = [{"x": x} for x in range(25)]


def save(x: int) -> dict[str, int]:
    time.sleep(0.008)  # as a disk takes for it
    return {"x": x}


def parse(x: int) -> dict[str, int]:
    until = time.thread_time() + 0.008
    while time.thread_time() < until:
        pass
    return {"x": x}


async def send(x: int) -> dict[str, int]:
    await asyncio.sleep(0.001)
    return {"x": x}


async def explained(slow: Any) -> Explanation:
    async with start(step("rows", ROWS) >> slow >> step("send", send)) as run:
        await run.result()
        return run.explain()


blocking = asyncio.run(explained(step("save", save)))
assert blocking.bottleneck == "save", blocking
assert "blocks the loop" in blocking.sentence, blocking
assert 'executor="thread"' in blocking.sentence, blocking

computing = asyncio.run(explained(step("parse", parse)))
assert computing.bottleneck == "parse", computing
assert "kept the loop busy" in computing.sentence, computing
assert "executor='process'" in computing.sentence, computing
