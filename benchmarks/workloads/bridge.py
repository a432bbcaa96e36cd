"""What does it cost to cross between Rx and asynchronous iteration?"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from functools import partial
from typing import Any

from ..measuring.contenders import Contenders
from ..measuring.contest import BY_HAND, OURS, Contest, Goal, Size, Workload
from ..work.trials import Function, row, same_as

__all__ = ["WORKLOAD"]

LIMIT = 100
RX = "reactivex"
AIOSTREAM = "aiostream"
UNIT = "µs per item"


def contests(size: Size, _: Contenders) -> Iterable[Contest]:
    """Stream to Observable, Observable to stream, and an async transformer in either world."""
    count = size.pick(4_000, 2_000, 200)
    yield _to_observable(count)
    yield _to_stream(count)
    count = size.pick(2_000, 400, 200)
    yield _transformer_in_rx(count)
    yield _transformer_in_aiostream(count)


async def _numbers(count: int) -> AsyncIterator[int]:
    for number in range(count):
        yield number


async def _double(number: int, *_: int) -> Any:
    return 2 * number


def _doubles(count: int) -> list[int]:
    return [2 * number for number in range(count)]


def _listed(observable: Callable[[], Any]) -> Function:
    """What an Observable emits."""
    from reactivex import operators as ops

    async def main() -> Any:
        return await observable().pipe(ops.to_list())

    return main


def _read(stream: Callable[[], Any]) -> Function:
    """What a stream yields."""

    async def main() -> list[int]:
        async with stream().stream() as streamer:
            return [number async for number in streamer]

    return main


def _to_observable(count: int) -> Contest:
    def ours() -> Function:
        from fluxus_rx.rx import to_observable

        return _listed(lambda: to_observable(_numbers(count)))

    check = same_as(lambda: [*range(count)])
    note = "a task; no demand, no cleaning up"
    return Contest(
        "bridge, stream to Observable",
        "What does an item of an asynchronous iterator cost that goes on in Rx?",
        UNIT,
        [
            row(OURS, ours, check, units=count),
            row(
                BY_HAND,
                lambda: _listed(lambda: _pumped(_numbers(count))),
                check,
                units=count,
                note=note,
            ),
        ],
        goals=[Goal(3.5)],
    )


def _pumped(source: AsyncIterator[int]) -> Any:
    """An Observable of what a task reads from the source."""
    import reactivex
    from reactivex.disposable import Disposable

    def subscribe(observer: Any, _: Any = None) -> Any:
        async def pump() -> None:
            async for number in source:
                observer.on_next(number)
            observer.on_completed()

        task: Any = asyncio.ensure_future(pump())
        return Disposable(task.cancel)

    return reactivex.create(subscribe)


def _to_stream(count: int) -> Contest:
    def ours() -> Function:
        import reactivex

        from fluxus_rx.rx import to_stream

        return _read(lambda: to_stream(reactivex.from_iterable(range(count))))

    def by_hand() -> Function:
        import reactivex

        async def main() -> list[int]:
            return [number async for number in _queued(reactivex.from_iterable(range(count)))]

        return main

    check = same_as(lambda: [*range(count)])
    note = "a queue; no errors, no other threads"
    return Contest(
        "bridge, Observable to stream",
        "What does an item of an Observable cost that is read by asynchronous iteration?",
        UNIT,
        [
            row(OURS, ours, check, units=count),
            row(BY_HAND, by_hand, check, units=count, note=note),
        ],
        goals=[Goal(3.5)],
    )


async def _queued(observable: Any) -> AsyncIterator[int]:
    queue: asyncio.Queue[Any] = asyncio.Queue()
    end = object()
    observable.subscribe(on_next=queue.put_nowait, on_completed=lambda: queue.put_nowait(end))
    while (item := await queue.get()) is not end:
        yield item


def _doubling() -> Any:
    """An async transformer of ours."""
    from fluxus_rx import AsyncTransformer

    class Double(AsyncTransformer[int, int]):
        async def atransform(self, product: int) -> AsyncIterator[int]:
            yield await _double(product)

    return Double().options(concurrency=LIMIT, ordered=True)


def _transformer_in_rx(count: int) -> Contest:
    def ours() -> Function:
        import reactivex

        double = _doubling()
        return _listed(lambda: reactivex.from_iterable(range(count)).pipe(double))

    def theirs() -> Function:
        import reactivex
        from reactivex import operators as ops

        def call(number: int) -> Any:
            return reactivex.from_future(asyncio.ensure_future(_double(number)))

        return _listed(lambda: reactivex.from_iterable(range(count)).pipe(ops.flat_map(call)))

    check = same_as(partial(_doubles, count))
    note = "flat_map of futures, no limit"
    return Contest(
        "bridge, async transformer in Rx",
        "What does an item cost that goes through an async transformer as one of Rx?",
        UNIT,
        [
            row(OURS, ours, check, units=count),
            row(RX, theirs, check, units=count, note=note),
        ],
        goals=[Goal(1, RX)],
        yardstick=OURS,
    )


def _transformer_in_aiostream(count: int) -> Contest:
    def ours() -> Function:
        from aiostream import stream

        double = _doubling()
        return _read(lambda: stream.iterate(_numbers(count)) | double)

    def theirs() -> Function:
        from aiostream import pipe, stream

        return _read(lambda: stream.iterate(_numbers(count)) | pipe.map(_double, task_limit=LIMIT))

    check = same_as(partial(_doubles, count))
    note = "map with task_limit"
    return Contest(
        "bridge, async transformer in aiostream",
        "What does an item cost that goes through an async transformer as one of aiostream?",
        UNIT,
        [
            row(OURS, ours, check, units=count),
            row(AIOSTREAM, theirs, check, units=count, note=note),
        ],
        goals=[Goal(1, AIOSTREAM)],
        yardstick=OURS,
    )


WORKLOAD = Workload(
    "bridge",
    "What does the bridge between Rx and streams cost per item, and a step as an operator?",
    contests,
    sizes="4,000 items, 2,000 through transformers (quick 2,000 and 400)",
    seconds=10,
    rank=21,
)
