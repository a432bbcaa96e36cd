"""Sources whose closing takes a while, flows of them, and observers who leave these."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any

import pytest
from aiostream import pipe
from reactivex import operators as ops
from reactivex.scheduler.eventloop import AsyncIOScheduler, AsyncIOThreadSafeScheduler

from fluxus_rx import (
    AsyncProducer,
    passthrough,
    rx_pipe,
    step,
    stream_pipe,
)
from fluxus_rx.rx import FlowScheduler
from tests.support.conduits import Add, Fetch
from tests.support.probes import Events, turns, until


class Careful:
    """Sources whose clean-up takes a few turns, and may fail; the steps behind are of any kind."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.opened = self.closed = 0
        self.error = error

    async def rows(self) -> AsyncGenerator[dict[str, int], None]:
        """Rows without end."""
        self.opened += 1
        try:
            number = 0
            while True:
                await asyncio.sleep(0)
                yield {"x": number}
                number += 1
        finally:
            await turns(3)
            self.closed += 1
            if self.error is not None:
                raise self.error

    def source(self, name: str = "src") -> Any:
        """A step of the rows."""

        async def rows() -> AsyncIterator[dict[str, int]]:
            async with contextlib.aclosing(self.rows()) as items:
                async for row in items:
                    yield row

        return step(name, rows)

    def producer(self) -> Any:
        """A producer of their numbers."""
        rows = self.rows

        class Given(AsyncProducer[int]):
            async def aproduce(self) -> AsyncIterator[int]:
                async with contextlib.aclosing(rows()) as items:
                    async for row in items:
                        yield row["x"]

        return Given()


async def fetch(x: int) -> dict[str, int]:
    """The same, later."""
    await asyncio.sleep(0)
    return {"x": x}


async def several(x: int) -> AsyncIterator[dict[str, int]]:
    """The same a few times."""
    for _ in range(3):
        await asyncio.sleep(0)
        yield {"x": x}


def same(x: int) -> dict[str, int]:
    """The same."""
    return {"x": x}


FLOWS: dict[str, Callable[[Careful], Any]] = {
    "source": lambda careful: careful.source(),
    "plain": lambda careful: careful.source() >> step("s", same),
    "async": lambda careful: careful.source() >> step("s", fetch),
    "several": lambda careful: careful.source() >> step("s", several) >> step("t", same),
    "group": lambda careful: careful.source() >> (step("s", fetch) & step("t", same)),
    "through": lambda careful: careful.source() >> (step("s", same) & passthrough()),
    "two": lambda careful: (careful.source() & careful.source("b")) >> step("s", same),
    "rx_pipe": lambda careful: careful.source() >> rx_pipe(ops.map(lambda product: product)),
    "stream_pipe": lambda careful: careful.source() >> stream_pipe(pipe.skip(0)),
    "classes": lambda careful: careful.producer() >> Add(1) >> Fetch(1),
    "producer": lambda careful: careful.producer(),
}

SCHEDULERS: dict[str, Callable[[], Any]] = {
    "none": lambda: None,
    "AsyncIO": lambda: AsyncIOScheduler(asyncio.get_running_loop()),
    "ThreadSafe": lambda: AsyncIOThreadSafeScheduler(asyncio.get_running_loop()),
    "Flow": lambda: FlowScheduler(asyncio.get_running_loop()),
}

every_flow = pytest.mark.parametrize("flow", FLOWS)
every_scheduler = pytest.mark.parametrize("scheduler", SCHEDULERS)


class Left(Events):
    """An observer that leaves when it has seen so many items."""

    def __init__(self, how: str, count: int = 3) -> None:
        super().__init__()
        self.how = how
        self.count = count
        self.subscription: Any = None

    def watch(self, observable: Any, scheduler: Any) -> None:
        """Subscribe, and leave in that way."""
        if self.how == "take":
            observable = observable.pipe(ops.take(self.count))
        self.subscription = observable.subscribe(
            self._next, self.on_error, self.on_completed, scheduler=scheduler
        )

    def _next(self, item: Any) -> None:
        self.items.append(item)
        if self.how == "in on_next" and len(self.items) == self.count:
            self.subscription.dispose()

    async def leave(self) -> None:
        """Leave, if that is to be done from outside."""
        await until(lambda: len(self.items) >= self.count)
        if self.how in ("outside", "twice"):
            self.subscription.dispose()
        if self.how == "twice":
            await turns(2)
            self.subscription.dispose()
        if self.how == "in a thread":
            thread = threading.Thread(target=self.subscription.dispose)
            thread.start()
            thread.join()


LEAVING = ("outside", "twice", "in on_next", "in a thread", "take")
