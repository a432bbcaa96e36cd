"""Does a streamed run take the same memory whatever its length, and stay near its reader?"""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from .harness import OURS, Contender, Contest, Goal, Scale, WrongOutputs, benchmark, given, peer
from .work import Attributes, async_steps, sync_steps

KIB = 1024
LIMIT = 10
STEPS = 3

#: A tenth more is what the allocator's chance makes of it; a run that keeps its items would take
#: ten times the memory.
FLAT = 1.25


@benchmark(
    "memory",
    question="Is the memory of a streamed run independent of its length, the source near its"
    " reader?",
    goal=f"peak at most {FLAT:g}x with 10 times the items; never more items ahead than limits"
    " plus buffers",
)
def contests(scale: Scale) -> Iterable[Contest]:
    """Peak memory of three kinds of flow, then how far their sources run ahead."""
    short = scale.pick(2_000, 300)
    for kind, flow in FLOWS.items():
        contenders = [
            Contender(f"{count:,} items", partial(_peak, flow, count), package=OURS)
            for count in (short, 10 * short)
        ]
        goal = Goal(contenders[0].name, FLAT)
        title = f"peak of a streamed run: {kind}"
        yield Contest(title, "KiB", contenders, [goal], subject=contenders[1].name, decimals=0)
    for kind, flow in FLOWS.items():
        yield _ahead(kind, flow, scale)


Flow = Callable[[Callable[[], Iterator[Attributes]]], Any]


def _sync_chain(produce: Callable[[], Iterator[Attributes]]) -> Any:
    flows = peer(OURS)
    steps = (flows.step(name, function) for name, function in sync_steps(STEPS).items())
    return flows.chain(flows.step("src", produce), *steps)


def _async_chain(produce: Callable[[], Iterator[Attributes]]) -> Any:
    flows = peer(OURS)
    steps = (
        flows.step(name, function).options(concurrency=LIMIT)
        for name, function in async_steps(STEPS).items()
    )
    return flows.chain(flows.step("src", produce), *steps)


def _group(produce: Callable[[], Iterator[Attributes]]) -> Any:
    flows = peer(OURS)
    steps = (
        flows.step(name, function).options(concurrency=LIMIT)
        for name, function in async_steps(STEPS).items()
    )
    return flows.step("src", produce) >> flows.parallel(*steps, flows.passthrough())


FLOWS: dict[str, Flow] = {
    f"{STEPS} sync steps": _sync_chain,
    f"{STEPS} async steps, limit {LIMIT}": _async_chain,
    f"{STEPS} async branches + passthrough": _group,
}
#: Outputs that one item of the source comes to, and the limits that it meets.
OUTPUTS = dict(zip(FLOWS, (1, 1, STEPS + 1), strict=True))
LIMITS = dict(zip(FLOWS, (0, STEPS * LIMIT, STEPS * LIMIT), strict=True))
STAGES = dict(zip(FLOWS, (0, STEPS, STEPS), strict=True))


class _Source:
    """Makes items and counts them."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.made = 0

    def __call__(self) -> Iterator[Attributes]:
        for number in range(self.count):
            self.made += 1
            yield {"x": number}


def _peak(flow: Flow, count: int) -> float:
    """Peak memory in KiB of reading a flow to its end, one product after the other."""
    source = _Source(count)
    gc.collect()
    tracemalloc.start()
    try:
        outputs = sum(1 for _ in flow(source))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    if source.made != count or not outputs or outputs % count:
        raise WrongOutputs(f"{outputs} outputs of {source.made} items instead of {count}")
    return peak / KIB


def _ahead(kind: str, flow: Flow, scale: Scale) -> Contest:
    buffers = (STAGES[kind] + 1) * peer_buffer()
    bound = "limits plus buffers"
    contenders = [
        Contender(
            OURS, partial(_items_ahead, flow, scale.pick(600, 200), OUTPUTS[kind]), package=OURS
        ),
        Contender(bound, given(LIMITS[kind] + buffers), f"{LIMITS[kind]} + {buffers}"),
    ]
    title = f"source ahead of a slow reader: {kind}"
    return Contest(title, "items at most", contenders, [Goal(bound, 1, "never more")], decimals=0)


def peer_buffer() -> int:
    """Items that each stage keeps ready beyond its calls."""
    return int(getattr(peer("fluxus_rx._streams.channel"), "BUFFER", 16))


def _items_ahead(flow: Flow, count: int, per_item: int) -> float:
    """How many items the source had made at most beyond those whose outputs were read."""
    source = _Source(count)

    async def main() -> float:
        ahead, read = 0.0, 0
        async for _ in flow(source):
            read += 1
            await asyncio.sleep(0.0005)
            ahead = max(ahead, source.made - read / per_item)
        return ahead

    box: list[float] = []

    async def boxed() -> None:
        box.append(await main())

    asyncio.run(boxed())
    return box[0]
