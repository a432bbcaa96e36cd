"""A service reads the outputs of a run, stops it in time, and has a call that hangs.

Right: the run waits for its slow reader; told to end, it begins no call and hands out what is done;
a call that hangs is cancelled after the seconds that it was given, and is told as pending; the
reader is told that the run was cancelled, and not that it was complete.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from fluxus_rx import start, step

begun: list[int] = []
given = 0


def ticks() -> Iterator[dict[str, int]]:
    global given
    while True:
        given += 1
        yield {"tick": given}


async def work(tick: int) -> dict[str, int]:
    begun.append(tick)
    if tick == 3:
        await asyncio.Event().wait()
    await asyncio.sleep(0.001)
    return {"worked": tick}


async def main() -> None:
    flow = step("ticks", ticks) >> step("work", work).options(concurrency=4)
    seen: list[int] = []
    count = 0
    async with start(flow) as running:
        try:
            async for _, output in running:
                seen.append(output["work"]["worked"])
                if len(seen) == 20:
                    await asyncio.sleep(0.05)
                    assert given < 60, f"the source ran ahead of its reader: {given}"
                    ending = asyncio.create_task(running.cancel(within=0.05))
                    await asyncio.sleep(0)
                    count = len(begun)
            raise AssertionError("the run ended as if it were complete")
        except asyncio.CancelledError:
            await ending
        assert len(begun) == count, f"{len(begun) - count} calls began after that"
    assert running.state == "cancelled", running.state
    partial = running.partial
    left = [one.product["tick"] for one in partial.pending]
    assert 3 in left, f"the call that hung is lost: {left}"
    unread = [output["work"]["worked"] for output in partial[0]]
    everything = sorted([*seen, *unread, *left])
    assert everything == [*range(1, given + 1)], f"lost, or twice: {everything}"


asyncio.run(main())
