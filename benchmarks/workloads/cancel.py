"""How soon is everything quiet when a run with a great many calls in flight ends early?"""

from __future__ import annotations

import asyncio
import gc
import inspect
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import aclosing
from functools import partial
from types import ModuleType
from typing import Any

from ..measuring.contenders import Contender, Contenders
from ..measuring.contest import (
    BrokenPromise,
    CannotDo,
    Clock,
    Contest,
    Goal,
    Row,
    Size,
    Trial,
    Workload,
)
from ..work.functions import Attributes, Planned
from ..work.operations import left_out
from ..work.trials import trial
from ..work.yardsticks import bound_row

__all__ = ["WORKLOAD"]

#: Seconds after which a run that isn't quiet never will be; and, in a quick run, that of somebody
#: who doesn't promise that it will.
PATIENCE, LESS = 0.5, 0.1
#: Seconds within which it is to be.
SOON = 0.05
_BOUND = "50 ms"

LEFT, CANCELLED, LATE, FAILED = "left early", "cancelled", "out of time", "an error"


def contests(size: Size, contenders: Contenders) -> Iterable[Contest]:
    """The reader leaves; its task is cancelled; it runs out of time; a call fails."""
    able, absent = contenders.offering("stream")
    others = {one.name: f"its calls are those of {one.calls}" for one in able if not _fits(one)}
    without = left_out(size)
    for ending in (LEFT, CANCELLED, LATE, FAILED):
        yield Contest(
            f"cancel, {ending}",
            _QUESTION,
            "ms",
            [
                *(
                    Row(one.name, one.name, partial(_prepare, ending, size, one), one.note)
                    for one in able
                    if _fits(one) and one.name not in without
                ),
                bound_row(_BOUND, lambda: SOON, "not measured"),
            ],
            clock=Clock.VALUE,
            scale=1e3,
            goals=[Goal(1, _BOUND)],
            absent={**without, **absent, **others},
        )


def _fits(one: Contender) -> bool:
    return one.calls == "asyncio"


def _prepare(ending: str, size: Size, contender: Contender, module: ModuleType) -> Trial:
    if not inspect.isasyncgenfunction(module.stream):
        raise CannotDo("nothing of it can be cancelled")

    async def main() -> float:
        return await _Scene(ending, size, contender, module.stream).seconds()

    return trial(main, lambda _: None, value=float)


class _Scene:
    """A stream of calls that ends in one way, once so many of them are in flight."""

    def __init__(
        self, ending: str, size: Size, contender: Contender, stream: Callable[..., Any]
    ) -> None:
        self._ending = ending
        self._count = size.pick(1_000, 200, 50)
        self._promised = "cleanup" in contender.promises
        self._patience = PATIENCE if self._promised or size is Size.FULL else LESS
        self._stream = stream
        self._in_flight = 0
        self._full = asyncio.Event()
        self._clock = asyncio.timeout(None)
        self._is_open = False
        self._began = 0.0

    async def seconds(self) -> float:
        """How long it takes from what ends the run until nothing is left of it."""
        reader = asyncio.create_task(self._read())
        await self._until_full(reader)
        if self._ending == CANCELLED:
            self._began = time.perf_counter()
            reader.cancel()
        elif self._ending == LATE:
            self._began = time.perf_counter()
            self._clock.reschedule(asyncio.get_running_loop().time())
        await asyncio.wait([reader], timeout=PATIENCE)
        self._check(reader)
        del reader, self._clock  # with the error that holds whatever the run had
        await self._until_quiet()
        return time.perf_counter() - self._began

    async def _read(self) -> None:
        outputs = self._stream(self._items(), {"step1": self._wait}, self._count)
        async with self._clock, aclosing(outputs):
            async for _ in outputs:
                self._began = time.perf_counter()
                break

    def _items(self) -> Iterator[Attributes]:
        """Some more than there is room for: the source isn't at its end."""
        self._is_open = True
        try:
            for number in range(4 * self._count):
                yield {"x": number}
        finally:
            self._is_open = False

    async def _wait(self, x: int) -> Attributes:
        """The first call ends when all others are in flight; these never do."""
        self._in_flight += 1
        try:
            if self._in_flight == self._count:
                self._full.set()
            await self._full.wait()
            if x != 0 or self._ending in (CANCELLED, LATE):
                await asyncio.Event().wait()
            if self._ending == FAILED:
                self._began = time.perf_counter()
                raise Planned("the first call")
            return {"x": x}
        finally:
            self._in_flight -= 1

    async def _until_full(self, reader: asyncio.Task[None]) -> None:
        full = asyncio.create_task(self._full.wait())
        await asyncio.wait([full, reader], timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        if not full.done():
            full.cancel()
            reader.cancel()
            await asyncio.wait([reader, full])
            raise CannotDo(f"never has {self._count:,} calls in flight")

    async def _until_quiet(self) -> None:
        """A source that only the collector closes is closed by it, and that counts."""
        until = time.perf_counter() + self._patience
        collected = False
        while left := self._left():
            if self._is_forgotten and not collected:
                gc.collect()
                collected = True
            if time.perf_counter() > until:
                kind = BrokenPromise if self._promised else CannotDo
                raise kind(f"left after {self._patience:g} s: {left}")
            await asyncio.sleep(0)

    @property
    def _is_forgotten(self) -> bool:
        """Whether only the source is still there."""
        return self._is_open and not self._in_flight and len(asyncio.all_tasks()) == 1

    def _left(self) -> str:
        """What is still there of the run."""
        numbers = {"tasks": len(asyncio.all_tasks()) - 1, "calls": self._in_flight}
        left = [f"{number:,} {what}" for what, number in numbers.items() if number]
        return ", ".join([*left, "the source"] if self._is_open else left)

    def _check(self, reader: asyncio.Task[None]) -> None:
        """The reader has ended in the way that it must."""
        if not reader.done():
            raise BrokenPromise(f"the reader goes on for {PATIENCE:g} s")
        error = asyncio.CancelledError() if reader.cancelled() else reader.exception()
        if not isinstance(error, _ENDS[self._ending]):
            raise BrokenPromise(f"the reader ended with {error!r:.60}")


#: What comes out where the reader is.
_ENDS: dict[str, type[Any]] = {
    LEFT: type(None),
    CANCELLED: asyncio.CancelledError,
    LATE: TimeoutError,
    FAILED: Exception,
}

_QUESTION = "How soon is nothing left of a run that ends early, with all of its calls in flight?"

WORKLOAD = Workload(
    "cancel",
    _QUESTION,
    contests,
    sizes="1,000 calls in flight (quick 200)",
    seconds=10,
    rank=12,
)
