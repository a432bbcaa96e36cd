"""What does it cost to go from Rx or aiostream into a flow, and out again?

A flow keeps the lineage, and its result is read as nested dictionaries; operators of Rx and
aiostream do neither, except where a row says so. That a flow as an Observable costs less than its
result isn't a feat: nothing is collected and sorted then.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from functools import partial
from typing import Any

from ..measuring.contenders import Contenders
from ..measuring.contest import BY_HAND, OURS, Contest, Goal, Size, Workload
from ..work.functions import Attributes, Lineage, items, last_attributes, step_function
from ..work.trials import Function, Make, row, same_as

__all__ = ["WORKLOAD"]

LIMIT = 100
RX = "reactivex"
AIOSTREAM = "aiostream"
OF_A_LIST = "fluxus_rx, of a list"
ITS_RESULT = "fluxus_rx, its result"
STEP_INSTEAD = "fluxus_rx, a step instead"

#: What every contender makes of an item in one step; and in the second of two.
add: Any = step_function("plain", 1)
add_async: Any = step_function("asyncio", 1)
add_more: Any = step_function("plain", 2)

#: A row: its name, its function, and what keeps it from being even.
Entry = tuple[str, Make, str]


def contests(size: Size, _: Contenders) -> Iterable[Contest]:
    """For Rx and for aiostream: into a step, into a flow, out of a flow, operators inside one."""
    count = size.pick(2_000, 1_000, 100)
    fewer = size.pick(1_000, 300, 100)
    yield _rx_to_step(count)
    yield _rx_to_async_step(fewer)
    yield _rx_to_flow(count, "boundary, from_observable", _from_observable)
    if size is not Size.QUICK:  # it does the same as the one before
        yield _rx_to_flow(count, "boundary, step of an Observable", _step_of_observable)
    yield _flow_to_rx(count)
    yield _rx_inside(count, None)
    yield _rx_inside(count, "plus")
    yield _aiostream_to_step(count)
    yield _aiostream_to_async_step(fewer)
    yield _flow_to_aiostream(count)
    yield _aiostream_inside(count)


def _contest(
    name: str,
    question: str,
    count: int,
    entries: Sequence[Entry],
    goals: Sequence[Goal],
    added: int = 1,
) -> Contest:
    """The entries emit the numbers from 0, `added` to each."""
    check = same_as(lambda: [number + added for number in range(count)])
    rows = [row(name, make, check, note=note, units=count) for name, make, note in entries]
    by_hand = any(row.name == BY_HAND for row in rows)
    yardstick = BY_HAND if by_hand else OURS
    return Contest(name, question, "µs per item", rows, goals=goals, yardstick=yardstick)


# what goes in, and how what comes out is read


def _flow(count: int) -> Any:
    from fluxus_rx import step

    return step("src", items(count)) >> step("add", add)


def _two_steps(count: int) -> Any:
    from fluxus_rx import step

    return _flow(count) >> step("more", add_more)


def _observable(count: int) -> Any:
    import reactivex

    return reactivex.from_iterable(items(count))


async def _numbers(count: int) -> AsyncIterator[Attributes]:
    for item in items(count):
        yield item


def _stream(count: int) -> Any:
    from aiostream import stream

    return stream.iterate(_numbers(count))


def _applied(function: Callable[..., Attributes]) -> Any:
    """A step function as one of an item."""
    return lambda item: function(**item)


def _add_to(product: Any) -> Any:
    """The first step as an operator's function, which gets a product of a flow."""
    return add(product["x"])


def _x(product: Any) -> int:
    value: int = product["x"]
    return value


def _listed(observable: Callable[[], Any], read: Callable[[Any], int] = _x) -> Function:
    """What an Observable emits."""
    from reactivex import operators as ops

    async def main() -> list[int]:
        emitted = await observable().pipe(ops.to_list())
        return [read(product) for product in emitted]

    return main


def _read(stream: Callable[[], Any], read: Callable[[Any], int] = _x) -> Function:
    """What a stream yields."""

    async def main() -> list[int]:
        async with stream().stream() as streamer:
            return [read(product) async for product in streamer]

    return main


def _run(flow: Callable[[], Any]) -> Function:
    """What the last step of a flow returns, read from its result."""
    from fluxus_rx import arun

    async def main() -> list[int]:
        outputs: Any = (await arun(flow())).get_outputs()
        return [last_attributes(output)["x"] for output in outputs]

    return main


# Rx


def _rx_to_step(count: int) -> Contest:
    def ours() -> Function:
        from fluxus_rx import step

        return _listed(lambda: _observable(count) >> step("add", add))

    def by_hand() -> Function:
        from reactivex import operators as ops

        kept = ops.map(_sourced), ops.map(_adding)
        return _listed(lambda: _observable(count).pipe(*kept), _last_x)

    return _contest(
        "boundary, Rx >> step",
        "What does an item of an Observable cost that goes through one step?",
        count,
        [
            (OURS, ours, ""),
            (BY_HAND, by_hand, "maps of Rx that keep the lineage"),
            (RX, partial(_rx_maps, count, [add]), "map, no lineage"),
        ],
        [Goal(4)],
    )


def _sourced(item: Attributes) -> Lineage:
    return {"src": item}


def _adding(lineage: Lineage) -> Lineage:
    """The step as a function from lineage to lineage."""
    lineage["add"] = add(x=_last_x(lineage))
    return lineage


def _last_x(lineage: Lineage) -> int:
    for attributes in reversed(lineage.values()):
        if "x" in attributes:
            return _x(attributes)
    raise KeyError("x")


def _rx_maps(count: int, functions: Sequence[Callable[..., Attributes]]) -> Function:
    from reactivex import operators as ops

    maps = [ops.map(_applied(function)) for function in functions]
    return _listed(lambda: _observable(count).pipe(*maps))


def _rx_to_async_step(count: int) -> Contest:
    def ours() -> Function:
        from fluxus_rx import step

        options = {"concurrency": LIMIT, "ordered": True}
        return _listed(lambda: _observable(count) >> step("add", add_async).options(**options))

    def theirs() -> Function:
        import reactivex as rx
        from reactivex import operators as ops

        def call(item: Attributes) -> Any:
            return rx.from_future(asyncio.ensure_future(add_async(**item)))

        return _listed(lambda: _observable(count).pipe(ops.flat_map(call)))

    return _contest(
        "boundary, Rx >> async step",
        "What does an item of an Observable cost that goes through one asynchronous step?",
        count,
        [(OURS, ours, ""), (RX, theirs, "flat_map of futures, no limit")],
        [Goal(1, RX)],
    )


def _from_observable(count: int) -> Any:
    from fluxus_rx import from_observable, step

    return from_observable(_observable(count), "src") >> step("add", add)


def _step_of_observable(count: int) -> Any:
    from fluxus_rx import step

    return step("src", _observable(count)) >> step("add", add)


def _rx_to_flow(count: int, name: str, flow: Callable[[int], Any]) -> Contest:
    return _contest(
        name,
        "What does an item cost of a flow whose source is an Observable?",
        count,
        [
            (OURS, lambda: _run(partial(flow, count)), ""),
            (OF_A_LIST, lambda: _run(partial(_flow, count)), ""),
            (RX, partial(_rx_maps, count, [add]), "map, no lineage"),
        ],
        [Goal(2, OF_A_LIST)],
    )


def _flow_to_rx(count: int) -> Contest:
    def ours() -> Function:
        from reactivex import operators as ops

        return _listed(lambda: _flow(count).to_observable().pipe(ops.map(_x)), int)

    def theirs() -> Function:
        from reactivex import operators as ops

        maps = ops.map(_applied(add)), ops.map(_x)
        return _listed(lambda: _observable(count).pipe(*maps), int)

    return _contest(
        "boundary, to_observable",
        "What does an output of a flow cost that goes on in Rx?",
        count,
        [
            (OURS, ours, ""),
            (ITS_RESULT, lambda: _run(partial(_flow, count)), ""),
            (RX, theirs, "map, map, no lineage"),
        ],
        [Goal(1.5, ITS_RESULT)],
    )


def _rx_inside(count: int, name: str | None) -> Contest:
    def ours() -> Function:
        from reactivex import operators as ops

        from fluxus_rx import rx_pipe, step

        def flow() -> Any:
            pipe = rx_pipe(ops.map(_add_to), name=name)
            return step("src", items(count)) >> pipe >> step("more", add_more)

        return _run(flow)

    return _contest(
        "boundary, rx_pipe" if name is None else "boundary, rx_pipe with a name",
        "What does an item cost that goes through an operator of Rx inside a flow?",
        count,
        [
            (OURS, ours, ""),
            (STEP_INSTEAD, lambda: _run(partial(_two_steps, count)), ""),
            (RX, partial(_rx_maps, count, [add, add_more]), "map, map, no lineage"),
        ],
        [Goal(4.5 if name is None else 7, STEP_INSTEAD)],
        added=3,
    )


# aiostream


def _aiostream_maps(count: int, functions: Sequence[Callable[..., Attributes]]) -> Function:
    from aiostream import pipe

    def stream() -> Any:
        mapped = _stream(count)
        for function in functions:
            mapped |= pipe.map(_applied(function))
        return mapped

    return _read(stream)


def _aiostream_to_step(count: int) -> Contest:
    def ours() -> Function:
        from fluxus_rx import step

        return _read(lambda: _stream(count) | step("add", add))

    return _contest(
        "boundary, aiostream | step",
        "What does an item of an aiostream cost that goes through one step?",
        count,
        [
            (OURS, ours, ""),
            (AIOSTREAM, partial(_aiostream_maps, count, [add]), "map, no lineage"),
        ],
        [Goal(5, AIOSTREAM)],
    )


def _aiostream_to_async_step(count: int) -> Contest:
    def ours() -> Function:
        from fluxus_rx import step

        options = {"concurrency": LIMIT, "ordered": True}
        return _read(lambda: _stream(count) | step("add", add_async).options(**options))

    def theirs() -> Function:
        from aiostream import pipe

        async def call(item: Attributes, *_: Attributes) -> Any:
            return await add_async(**item)

        return _read(lambda: _stream(count) | pipe.map(call, task_limit=LIMIT))

    return _contest(
        "boundary, aiostream | async step",
        "What does an item of an aiostream cost that goes through one asynchronous step?",
        count,
        [(OURS, ours, ""), (AIOSTREAM, theirs, "map with task_limit, no lineage")],
        [Goal(1, AIOSTREAM)],
    )


def _flow_to_aiostream(count: int) -> Contest:
    def ours() -> Function:
        from aiostream import pipe

        return _read(lambda: _flow(count).to_stream() | pipe.map(_x), int)

    def theirs() -> Function:
        from aiostream import pipe

        return _read(lambda: _stream(count) | pipe.map(_applied(add)) | pipe.map(_x), int)

    return _contest(
        "boundary, to_stream",
        "What does an output of a flow cost that goes on in aiostream?",
        count,
        [
            (OURS, ours, ""),
            (ITS_RESULT, lambda: _run(partial(_flow, count)), ""),
            (AIOSTREAM, theirs, "map, map, no lineage"),
        ],
        [Goal(2.2, ITS_RESULT), Goal(2.5, AIOSTREAM)],
    )


def _aiostream_inside(count: int) -> Contest:
    def ours() -> Function:
        from aiostream import pipe

        from fluxus_rx import step, stream_pipe

        def flow() -> Any:
            inside: Any = stream_pipe(pipe.map(_add_to))
            return step("src", items(count)) >> inside >> step("more", add_more)

        return _run(flow)

    return _contest(
        "boundary, stream_pipe",
        "What does an item cost that goes through an operator of aiostream inside a flow?",
        count,
        [
            (OURS, ours, ""),
            (STEP_INSTEAD, lambda: _run(partial(_two_steps, count)), ""),
            (
                AIOSTREAM,
                partial(_aiostream_maps, count, [add, add_more]),
                "map, map, no lineage",
            ),
        ],
        [Goal(5, STEP_INSTEAD)],
        added=3,
    )


WORKLOAD = Workload(
    "boundary",
    "What does an item cost that crosses from Rx or aiostream into a flow, or out of it?",
    contests,
    sizes="2,000 items, 1,000 where dear (quick 1,000 and 300)",
    seconds=30,
    rank=20,
)
