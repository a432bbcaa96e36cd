"""A law of resources: what a run opens is closed once, the last one first, whatever goes wrong."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from hypothesis import given, note
from hypothesis import strategies as st

from fluxus_rx import arun, astream, parallel, step
from fluxus_rx.testing import InterleavingLoop
from tests.support.recorded_resources import KINDS, Record

NAMES = "abcd"
ENDINGS = ("runs on", "cancelled", "left", "deadline")


@st.composite
def flows(draw: st.DrawFn) -> tuple[Any, Record]:
    """A flow of steps with resources, some of them the same ones at several places; and what they
    record, some of which fails to open, or to close."""
    record = Record()
    steps = [KINDS[draw(st.sampled_from([*KINDS]))](record, name) for name in NAMES]

    def part(depth: int) -> Any:
        width = draw(st.integers(1, 2)) if depth else 1
        branches = []
        for _ in range(width):
            branch = draw(st.sampled_from(steps))
            if depth and draw(st.booleans()):
                branch = branch >> part(depth - 1)
            branches.append(branch)
        return parallel(*branches)

    for failing in (record.fails_to_open, record.fails_to_close):
        for name in draw(st.sets(st.sampled_from(NAMES), max_size=1)):
            failing[name] = OSError(f"{name} fails")
    if draw(st.integers(0, 4)) == 0:
        record.hangs.add(draw(st.sampled_from(NAMES)))
    fails_at = draw(st.none() | st.integers(0, 4))

    async def last(x: int) -> dict[str, int]:
        await asyncio.sleep(0.1)
        if x == fails_at:
            raise KeyError(x)
        return {"x": x}

    source = step("source", [{"x": x} for x in range(draw(st.integers(0, 6)))])
    return source >> part(2) >> step("last", last), record


@given(
    flow=flows(),
    ending=st.sampled_from(ENDINGS),
    turns=st.integers(0, 40),
    seed=st.integers(0, 2**32),
)
def test_what_is_opened_is_closed_whatever_goes_wrong(
    flow: tuple[Any, Record], ending: str, turns: int, seed: int
) -> None:
    """Once, in reverse order, on the loop of the run, and before it ends, in whatever order tasks
    wake up; each error of closing is raised, or a note of the one that is."""
    conduit, record = flow
    note(f"{conduit}")

    async def read() -> None:
        if ending == "left":
            async with contextlib.aclosing(astream(conduit, deadline=9)) as outputs:
                async for _ in outputs:
                    break
        else:
            await arun(conduit, deadline=9 if ending != "deadline" else 0.05)

    async def ended() -> BaseException | None:
        task = asyncio.create_task(read())
        if ending == "cancelled":
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
        try:
            await task
        except (KeyError, OSError, asyncio.CancelledError) as error:
            assert not record.names("open") or not record.is_open(record.names("open")[0])
            return error
        return None

    with asyncio.Runner(loop_factory=lambda: InterleavingLoop(seed)) as runner:
        error = runner.run(ended())
    note(f"{record.events}, {error!r}")
    record.check_closed()
    told = "" if error is None else " ".join([repr(error), *getattr(error, "__notes__", ())])
    for name, failure in record.fails_to_close.items():
        if name in record.names("close"):
            assert str(failure) in told
