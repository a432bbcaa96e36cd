"""Observables of all kinds, and the ways to run a flow of them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import reactivex
from reactivex import Observable
from reactivex import operators as ops
from reactivex.disposable import Disposable
from reactivex.scheduler import NewThreadScheduler
from reactivex.subject import AsyncSubject, BehaviorSubject, ReplaySubject, Subject

from fluxus_rx import (
    arun,
    astream,
    start,
    step,
)
from tests.support.errors import untyped
from tests.support.probes import listed

Row = dict[str, int]


def row(number: Any) -> Row:
    """A number as the product of a step."""
    return {"x": int(number)}


def rows(*numbers: int) -> Observable[Row]:
    """So many at once."""
    return reactivex.of(*map(row, numbers))


def ticks(seconds: float | timedelta = 1, count: int = 3) -> Observable[Row]:
    """0, 1, 2, … one per interval."""
    return reactivex.interval(seconds).pipe(ops.take(count), ops.map(row))


async def soon() -> Row:
    """7, in a second."""
    await asyncio.sleep(1)
    return row(7)


def filled(subject: Any, completed: bool = True) -> Any:
    """A subject that has been given 0, 1, 2."""
    for number in range(3):
        subject.on_next(row(number))
    if completed:
        subject.on_completed()
    return subject


def emitting(observer: Any, scheduler: Any = None) -> Any:
    """Two items and the end, within subscribe."""
    observer.on_next(row(1))
    observer.on_next(row(2))
    observer.on_completed()
    return Disposable()


def in_a_thread(observer: Any, scheduler: Any = None) -> Any:
    """The same from a thread."""
    threading.Thread(target=emitting, args=(observer,)).start()
    return Disposable()


def of_future() -> Observable[Row]:
    """What a task of this loop returns; a new one for each subscriber."""
    return reactivex.defer(lambda _: reactivex.from_future(asyncio.ensure_future(soon())))


#: what makes the source, the numbers that come, and the second of the last one, which of a thread
#: is nobody's promise
SOURCES: dict[str, tuple[Callable[[], Observable[Any]], list[int], int | None]] = {
    "of": (lambda: rows(1, 2), [1, 2], 0),
    "just": (lambda: reactivex.just(row(5)), [5], 0),
    "empty": (reactivex.empty, [], 0),
    "from_iterable": (lambda: reactivex.from_iterable(map(row, range(50))), [*range(50)], 0),
    "range": (lambda: reactivex.range(50).pipe(ops.map(row)), [*range(50)], 0),
    "generate": (
        lambda: reactivex.generate(0, lambda n: n < 50, lambda n: n + 1).pipe(ops.map(row)),
        [*range(50)],
        0,
    ),
    "generate_with_relative_time": (
        lambda: reactivex.generate_with_relative_time(
            0, lambda n: n < 3, lambda n: n + 1, lambda n: n + 1.0
        ).pipe(ops.map(row)),
        [0, 1, 2],
        6,
    ),
    "repeat_value": (lambda: reactivex.repeat_value(row(4), 3), [4, 4, 4], 0),
    "create": (lambda: reactivex.create(emitting), [1, 2], 0),
    "create, in a thread": (lambda: reactivex.create(in_a_thread), [1, 2], None),
    "defer": (lambda: reactivex.defer(lambda _: rows(3)), [3], 0),
    "interval": (ticks, [0, 1, 2], 3),
    "interval of a timedelta": (lambda: ticks(timedelta(seconds=2)), [0, 1, 2], 6),
    "timer": (lambda: reactivex.timer(2).pipe(ops.map(row)), [0], 2),
    "periodic timer": (lambda: reactivex.timer(2, 1).pipe(ops.take(3), ops.map(row)), [0, 1, 2], 4),
    "from_future": (of_future, [7], 1),
    "start_async": (
        lambda: reactivex.defer(
            lambda _: reactivex.start_async(lambda: asyncio.ensure_future(soon()))
        ),
        [7],
        1,
    ),
    "from_callback": (lambda: reactivex.from_callback(lambda give: give(row(6)))(), [6], 0),
    "Subject, over": (lambda: filled(Subject()), [], 0),
    "ReplaySubject": (lambda: filled(ReplaySubject()), [0, 1, 2], 0),
    "ReplaySubject of one": (lambda: filled(ReplaySubject(1)), [2], 0),
    "AsyncSubject": (lambda: filled(AsyncSubject()), [2], 0),
    "BehaviorSubject": (
        lambda: filled(BehaviorSubject(row(9)), completed=False).pipe(ops.take(1)),
        [2],
        0,
    ),
    "concat": (lambda: reactivex.concat(ticks(1, 1), rows(8)), [0, 8], 1),
    "merge": (lambda: reactivex.merge(ticks(2, 1), rows(8)), [8, 0], 2),
    "zip": (
        lambda: reactivex.zip(reactivex.of("a", "b"), ticks()).pipe(
            ops.map(lambda pair: untyped(pair)[1])
        ),
        [0, 1],
        2,
    ),
    "combine_latest": (
        lambda: reactivex.combine_latest(rows(1), ticks(1, 2)).pipe(
            ops.map(lambda pair: untyped(pair)[1])
        ),
        [0, 1],
        2,
    ),
    "fork_join": (
        lambda: reactivex.fork_join(rows(1, 2), ticks()).pipe(
            ops.map(lambda pair: row(10 * untyped(pair)[0]["x"] + untyped(pair)[1]["x"]))
        ),
        [22],
        3,
    ),
    "never, with a time-out": (lambda: reactivex.never().pipe(ops.timeout(3, rows(9))), [9], 3),
    "subscribe_on": (
        lambda: rows(1, 2).pipe(ops.subscribe_on(NewThreadScheduler())),
        [1, 2],
        None,
    ),
}


async def double(x: int) -> Row:
    """Twice the number, in half a second."""
    await asyncio.sleep(0.5)
    return {"y": 2 * x}


DOUBLES: dict[str, Callable[[], Any]] = {
    "plain": lambda: step("double", lambda x: {"y": 2 * x}),
    "async": lambda: step("double", double).options(ordered=True),
}

#: all products of a flow, in each of the ways to have them
WAYS: dict[str, Callable[[Any], Any]] = {}


def way(function: Any) -> Any:
    WAYS[function.__name__] = function
    return function


@way
async def by_arun(flow: Any) -> list[Any]:
    return [output["double"]["y"] for output in (await arun(flow)).get_outputs()]


@way
async def by_astream(flow: Any) -> list[Any]:
    return [output["double"]["y"] async for _, output in astream(flow)]


@way
async def by_iteration(flow: Any) -> list[Any]:
    return [product["y"] async for product in flow]


@way
async def by_observable(flow: Any) -> list[Any]:
    products = await flow.to_observable().pipe(ops.to_list())
    return [product["y"] for product in products]


@way
async def by_stream(flow: Any) -> list[Any]:
    return [product["y"] for product in await listed(flow.to_stream())]


@way
async def by_start(flow: Any) -> list[Any]:
    async with start(flow) as running:
        return [output["double"]["y"] for output in (await running.result()).get_outputs()]
