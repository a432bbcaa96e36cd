"""What does it cost to go from Rx or aiostream into a flow, and out again?"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from functools import partial
from typing import Any

from .harness import AHEAD, OURS, Contest, Goal, Race, Scale, benchmark, label, peer
from .work import Attributes, Lineage, adding, adding_async, attribute, items, remembering

LIMIT = 100
UNIT = "µs per item"
RX = label("reactivex")
AIOSTREAM = label("aiostream")
WITH_LINEAGE = "the same, lineage kept"
FLOW_ALONE = "the flow alone"
STEP_INSTEAD = "a step instead"

#: What every contender makes of an item, in one step; and in the second of two.
add, add_async, add_more = adding(1), adding_async(1), adding(2)

Main = Callable[[], Awaitable[list[int]]]


@benchmark(
    "boundary",
    question="What does an item cost that crosses from Rx or aiostream into a flow, or out of it?",
    goal="at most 2x of the flow alone; async steps ahead of operators; sync ones at most 5x",
)
def contests(scale: Scale) -> Iterable[Contest]:
    """For Rx and for aiostream: into a step, into a flow, out of a flow, operators inside one."""
    count = scale.pick(2_000, 100)
    yield _rx_to_step(count, scale)
    yield _rx_to_async_step(count, scale)
    yield _rx_to_flow(count, scale, "from_observable(…) >> step", _from_observable)
    yield _rx_to_flow(count, scale, "step(name, observable) >> step", _step_of_observable)
    yield _flow_to_rx(count, scale)
    yield _rx_inside(count, scale, None)
    yield _rx_inside(count, scale, "plus")
    yield _aiostream_to_step(count, scale)
    yield _aiostream_to_async_step(count, scale)
    yield _flow_to_aiostream(count, scale)
    yield _aiostream_inside(count, scale)


# what goes in, and what must come out


def _race(count: int, added: int, scale: Scale) -> Race:
    return Race(
        lambda: [number + added for number in range(count)], units=count, at_least=scale.at_least
    )


def _flow(count: int) -> Any:
    step = peer(OURS).step
    return step("src", items(count)) >> step("add", add)


def _observable(count: int) -> Any:
    return peer("reactivex").from_iterable(items(count))


async def _numbers(count: int) -> AsyncIterator[Attributes]:
    for item in items(count):
        yield item


def _stream(count: int) -> Any:
    return peer("aiostream.stream").iterate(_numbers(count))


def _applied(function: Callable[..., Attributes]) -> Callable[[Attributes], Attributes]:
    """A step function as one of an item."""
    return lambda item: function(**item)


def _x(product: Any) -> int:
    value: int = product["x"]
    return value


def _last_x(lineage: Lineage) -> int:
    value: int = attribute(lineage, "x")
    return value


def _sourced(item: Attributes) -> Lineage:
    return {"src": item}


def _listed(observable: Callable[[], Any], read: Callable[[Any], int] = _x) -> Main:
    """What an Observable emits."""

    async def main() -> list[int]:
        emitted = await observable().pipe(peer("reactivex.operators").to_list())
        return [read(product) for product in emitted]

    return main


def _read(stream: Callable[[], Any], read: Callable[[Any], int] = _x) -> Main:
    """What a stream gives."""

    async def main() -> list[int]:
        async with stream().stream() as streamer:
            return [read(product) async for product in streamer]

    return main


def _run(flow: Callable[[], Any]) -> Main:
    """What the last step of a flow gives."""

    async def main() -> list[int]:
        result = await peer(OURS).arun(flow())
        return [[*output.values()][-1]["x"] for output in result.get_outputs()]

    return main


# Rx


def _rx_to_step(count: int, scale: Scale) -> Contest:
    ops = peer("reactivex.operators")
    race = _race(count, 1, scale)
    race.enter_async(
        OURS, _listed(lambda: _observable(count) >> peer(OURS).step("add", add)), package=OURS
    )
    race.enter_async(RX, _listed(lambda: _observable(count).pipe(ops.map(_applied(add)))), "map")
    kept = (ops.map(_sourced), ops.map(remembering("add", add)))
    race.enter_async(WITH_LINEAGE, _listed(lambda: _observable(count).pipe(*kept), _last_x))
    title = "observable >> step"
    return Contest(title, UNIT, race.contenders, [Goal(WITH_LINEAGE, 4)])


def _rx_to_async_step(count: int, scale: Scale) -> Contest:
    def ours() -> Any:
        step = peer(OURS).step("add", add_async).options(concurrency=LIMIT, ordered=True)
        return _observable(count) >> step

    def theirs() -> Any:
        rx, ops = peer("reactivex"), peer("reactivex.operators")
        calls = ops.flat_map(lambda item: rx.from_future(asyncio.ensure_future(add_async(**item))))
        return _observable(count).pipe(calls)

    race = _race(count, 1, scale)
    race.enter_async(OURS, _listed(ours), package=OURS)
    race.enter_async(RX, _listed(theirs), "flat_map of futures, no limit")
    title = "observable >> async step"
    return Contest(title, UNIT, race.contenders, [Goal(RX, 1, AHEAD)])


def _from_observable(count: int) -> Any:
    source = peer(OURS).from_observable(_observable(count), "src")
    return source >> peer(OURS).step("add", add)


def _step_of_observable(count: int) -> Any:
    step = peer(OURS).step
    return step("src", _observable(count)) >> step("add", add)


def _rx_to_flow(count: int, scale: Scale, title: str, flow: Callable[[int], Any]) -> Contest:
    ops = peer("reactivex.operators")
    race = _race(count, 1, scale)
    race.enter_async(OURS, _run(partial(flow, count)), package=OURS)
    race.enter_async(FLOW_ALONE, _run(partial(_flow, count)), "of a list", package=OURS)
    race.enter_async(RX, _listed(lambda: _observable(count).pipe(ops.map(_applied(add)))), "map")
    return Contest(title, UNIT, race.contenders, [Goal(FLOW_ALONE, 2)])


def _flow_to_rx(count: int, scale: Scale) -> Contest:
    ops = peer("reactivex.operators")

    def theirs() -> Any:
        return _observable(count).pipe(ops.map(_applied(add)), ops.map(_x))

    race = _race(count, 1, scale)
    race.enter_async(
        OURS, _listed(lambda: _flow(count).to_observable().pipe(ops.map(_x)), int), package=OURS
    )
    race.enter_async(FLOW_ALONE, _run(partial(_flow, count)), "its result", package=OURS)
    race.enter_async(RX, _listed(theirs, int), "map, map")
    title = "flow.to_observable().pipe(map)"
    return Contest(title, UNIT, race.contenders, [Goal(FLOW_ALONE, 1, AHEAD)])


def _rx_inside(count: int, scale: Scale, name: str | None) -> Contest:
    ops = peer("reactivex.operators")

    def ours() -> Any:
        flows = peer(OURS)
        pipe = flows.rx_pipe(ops.map(lambda product: add(product["x"])), name=name)
        return flows.step("src", items(count)) >> pipe >> flows.step("more", add_more)

    def theirs() -> Any:
        return _observable(count).pipe(ops.map(_applied(add)), ops.map(_applied(add_more)))

    race = _race(count, 3, scale)
    race.enter_async(OURS, _run(ours), package=OURS)
    race.enter_async(STEP_INSTEAD, _run(partial(_two_steps, count)), package=OURS)
    race.enter_async(RX, _listed(theirs), "map, map")
    title = "flow >> rx_pipe(map) >> step" if name is None else "flow >> rx_pipe(map, name) >> step"
    return Contest(title, UNIT, race.contenders, [Goal(STEP_INSTEAD, 3 if name is None else 4)])


def _two_steps(count: int) -> Any:
    return _flow(count) >> peer(OURS).step("more", add_more)


# aiostream


def _aiostream_to_step(count: int, scale: Scale) -> Contest:
    pipe = peer("aiostream.pipe")
    race = _race(count, 1, scale)
    race.enter_async(
        OURS, _read(lambda: _stream(count) | peer(OURS).step("add", add)), package=OURS
    )
    race.enter_async(AIOSTREAM, _read(lambda: _stream(count) | pipe.map(_applied(add))), "map")
    return Contest("xs | step", UNIT, race.contenders, [Goal(AIOSTREAM, 5)])


def _aiostream_to_async_step(count: int, scale: Scale) -> Contest:
    def ours() -> Any:
        step = peer(OURS).step("add", add_async).options(concurrency=LIMIT, ordered=True)
        return _stream(count) | step

    async def call(item: Attributes, *_: Attributes) -> Attributes:
        return await add_async(**item)

    def theirs() -> Any:
        return _stream(count) | peer("aiostream.pipe").map(call, task_limit=LIMIT)

    race = _race(count, 1, scale)
    race.enter_async(OURS, _read(ours), package=OURS)
    race.enter_async(AIOSTREAM, _read(theirs), "map with task_limit")
    return Contest("xs | async step", UNIT, race.contenders, [Goal(AIOSTREAM, 1, AHEAD)])


def _flow_to_aiostream(count: int, scale: Scale) -> Contest:
    pipe = peer("aiostream.pipe")

    def theirs() -> Any:
        return _stream(count) | pipe.map(_applied(add)) | pipe.map(_x)

    race = _race(count, 1, scale)
    race.enter_async(
        OURS, _read(lambda: _flow(count).to_stream() | pipe.map(_x), int), package=OURS
    )
    race.enter_async(FLOW_ALONE, _run(partial(_flow, count)), "its result", package=OURS)
    race.enter_async(AIOSTREAM, _read(theirs, int), "map, map")
    title = "flow.to_stream() | map"
    return Contest(title, UNIT, race.contenders, [Goal(FLOW_ALONE, 1.5), Goal(AIOSTREAM, 2.5)])


def _aiostream_inside(count: int, scale: Scale) -> Contest:
    pipe = peer("aiostream.pipe")

    def ours() -> Any:
        flows = peer(OURS)
        inside = flows.stream_pipe(pipe.map(lambda product: add(product["x"])))
        return flows.step("src", items(count)) >> inside >> flows.step("more", add_more)

    def theirs() -> Any:
        return _stream(count) | pipe.map(_applied(add)) | pipe.map(_applied(add_more))

    race = _race(count, 3, scale)
    race.enter_async(OURS, _run(ours), package=OURS)
    race.enter_async(STEP_INSTEAD, _run(partial(_two_steps, count)), package=OURS)
    race.enter_async(AIOSTREAM, _read(theirs), "map, map")
    title = "flow >> stream_pipe(map) >> step"
    return Contest(title, UNIT, race.contenders, [Goal(STEP_INSTEAD, 2.5)])
