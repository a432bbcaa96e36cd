"""Asynchronous flows as observables, and schedulers with a loop and without."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import reactivex
from aiostream import pipe
from reactivex import operators as ops
from reactivex.scheduler import (
    CurrentThreadScheduler,
    EventLoopScheduler,
    HistoricalScheduler,
    ImmediateScheduler,
    NewThreadScheduler,
    ThreadPoolScheduler,
    TimeoutScheduler,
    TrampolineScheduler,
)
from reactivex.scheduler.eventloop import AsyncIOScheduler, AsyncIOThreadSafeScheduler
from reactivex.testing import TestScheduler

from fluxus_rx import rx_pipe, step, stream_pipe
from fluxus_rx.rx import FlowScheduler, to_observable
from tests.support.errors import untyped
from tests.support.probes import alone, turns

ROWS = [{"x": 1}, {"x": 2}, {"x": 3}]


def here() -> tuple[int, int]:
    """The thread that we are in, and the loop."""
    return threading.get_ident(), id(asyncio.get_running_loop())


async def where(x: int) -> dict[str, Any]:
    """Where a step runs."""
    await asyncio.sleep(0)
    return {"x": x, "where": here()}


#: flows that are asynchronous, as observables
FLOWS: dict[str, Callable[[], Any]] = {
    "a flow": lambda: (step("src", ROWS) >> step("s", where)).to_observable(),
    "a group": lambda: (step("src", ROWS) >> (step("s", where) & step("t", where))).to_observable(),
    "sources": lambda: ((step("a", ROWS) & step("b", ROWS)) >> step("s", where)).to_observable(),
    "an operator": lambda: reactivex.from_iterable(ROWS).pipe(step("s", where)),
    "a group as an operator": lambda: reactivex.from_iterable(ROWS).pipe(
        step("s", where) & step("t", where)
    ),
    "an operator on a timer": lambda: reactivex.interval(0.001).pipe(
        ops.take(3), ops.map(lambda number: {"x": untyped(number) + 1}), step("s", where)
    ),
    "rx_pipe": lambda: (
        step("src", ROWS) >> step("s", where) >> rx_pipe(ops.delay(0.001))
    ).to_observable(),
    "stream_pipe": lambda: (
        step("src", ROWS) >> step("s", where) >> stream_pipe(pipe.skip(0))
    ).to_observable(),
    "an iterable": lambda: to_observable(step("src", ROWS) >> step("s", where)),
    "a flow that repeats": lambda: (
        (step("src", ROWS[:1]) >> step("s", where)).to_observable().pipe(ops.repeat(2))
    ),
    "a flow per item": lambda: reactivex.from_iterable(ROWS).pipe(
        ops.flat_map(untyped(lambda item: reactivex.of(item) >> step("s", where)))
    ),
    "a subscription on the same": lambda: (
        (step("src", ROWS) >> step("s", where)).to_observable().pipe(ops.share())
    ),
}

LOOPS: dict[str, Callable[[asyncio.AbstractEventLoop], Any]] = {
    "AsyncIO": AsyncIOScheduler,
    "ThreadSafe": AsyncIOThreadSafeScheduler,
    "Flow": FlowScheduler,
}

#: these know of no loop
OTHERS: dict[str, Callable[[], Any]] = {
    "none": lambda: None,
    "CurrentThread": CurrentThreadScheduler,
    "Immediate": ImmediateScheduler,
    "Trampoline": TrampolineScheduler,
    "Test": TestScheduler,
    "Historical": HistoricalScheduler,
    "ThreadPool": lambda: ThreadPoolScheduler(1),
    "Timeout": TimeoutScheduler.singleton,
    "NewThread": NewThreadScheduler,
    "EventLoop": EventLoopScheduler,
}

#: the others begin with an operator of Rx that schedules on what it is given, whatever comes of it
BEGUN_BY_RX = ("a flow that repeats", "a flow per item", "an operator on a timer")

OWN_FLOWS = [one for one in FLOWS if one not in BEGUN_BY_RX]

every_own_flow = pytest.mark.parametrize("flow", OWN_FLOWS)
every_loop = pytest.mark.parametrize("scheduler", LOOPS)
every_other = pytest.mark.parametrize("other", OTHERS)


@contextmanager
def other_loop() -> Iterator[tuple[asyncio.AbstractEventLoop, int]]:
    """A loop that runs in a thread, and the thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    assert thread.ident is not None
    try:
        yield loop, thread.ident

        async def settled() -> bool:
            await turns()
            return alone()

        assert asyncio.run_coroutine_threadsafe(settled(), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class Heard:
    """What an observer has heard, and in which thread."""

    def __init__(self) -> None:
        self.items: list[Any] = []
        self.errors: list[Any] = []
        self.threads: set[int] = set()
        self.ended = threading.Event()

    def of(self, observable: Any, scheduler: Any) -> Any:
        """Subscribe."""
        return observable.subscribe(
            self.on_next, self.on_error, self.on_completed, scheduler=scheduler
        )

    def on_next(self, item: Any) -> None:
        self.threads.add(threading.get_ident())
        self.items.append(item)

    def on_error(self, error: Any) -> None:
        self.threads.add(threading.get_ident())
        self.errors.append(error)
        self.ended.set()

    def on_completed(self) -> None:
        self.threads.add(threading.get_ident())
        self.ended.set()

    def all(self) -> list[Any]:
        """All items; waits for the end."""
        assert self.ended.wait(20)
        assert self.errors == []
        return self.items


def setting(event: threading.Event) -> Callable[[Any], None]:
    """What sets the event."""
    return lambda _: event.set()
