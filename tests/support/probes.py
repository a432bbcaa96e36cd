"""Sources and calls that remember what was done with them, for tests of streams and flows."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from aiostream import streamcontext
from reactivex import Observable, abc

T = TypeVar("T")

#: Items that a stage keeps ready for its reader, beyond its calls in flight.
BUFFER = 16


async def turns(number: int = 60) -> None:
    """Let everything else on the loop run, so many times over."""
    for _ in range(number):
        await asyncio.sleep(0)


async def until(condition: Callable[[], bool]) -> None:
    """Yield to the loop until the condition holds; the time limit of the test is the limit."""
    while not condition():
        await turns(1)


def alone() -> bool:
    """Whether no task but the test's own is left on the loop."""
    return asyncio.all_tasks() == {asyncio.current_task()}


async def listed(source: AsyncIterable[T]) -> list[T]:
    """All items of a stream, as `stream.list` returns them; mypy knows their type."""
    return await drained(source, [])


async def drained(source: AsyncIterable[T], seen: list[T], pace: int = 0) -> list[T]:
    """Add all items to the list as they come, with so many turns after each."""
    async with streamcontext(source) as streamer:
        async for item in streamer:
            seen.append(item)
            await turns(pace)
    return seen


class Events:
    """What an observer has seen; `ended` is set by an error or a completion, from any thread."""

    def __init__(self) -> None:
        self.items: list[Any] = []
        self.errors: list[Exception] = []
        self.completions = 0
        self.ended = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def on_error(self, error: Exception) -> None:
        self.errors.append(error)
        self._end()

    def on_completed(self) -> None:
        self.completions += 1
        self._end()

    def _end(self) -> None:
        if self._loop is None:
            self.ended.set()
        else:
            self._loop.call_soon_threadsafe(self.ended.set)

    def of(self, observable: Observable[Any], **kwargs: Any) -> abc.DisposableBase:
        """Subscribe to the observable."""
        with suppress(RuntimeError):
            self._loop = asyncio.get_running_loop()
        return observable.subscribe(self.items.append, self.on_error, self.on_completed, **kwargs)

    async def complete(self) -> list[Any]:
        """All items, once the completion has come; an error instead is raised."""
        await self.ended.wait()
        if self.errors:
            raise self.errors[0]
        return self.items


class Source:
    """0, 1, 2, … up to `end` or for ever, again on each iteration, then `error` if there is one.

    `made` counts the items yielded, `opened` and `closed` the iterations begun and ended. A source
    that is not `patient` never suspends.
    """

    def __init__(
        self, end: int | None = None, *, error: BaseException | None = None, patient: bool = True
    ) -> None:
        self.made = self.opened = self.closed = 0
        self._end = end
        self._error = error
        self._patient = patient

    def __aiter__(self) -> AsyncGenerator[int, None]:
        return self._numbers()

    async def _numbers(self) -> AsyncGenerator[int, None]:
        self.opened += 1
        try:
            for number in itertools.count() if self._end is None else range(self._end):
                if self._patient:
                    await asyncio.sleep(0)
                self.made += 1
                yield number
            if self._error is not None:
                raise self._error
        finally:
            self.closed += 1


class Calls:
    """Functions for a step, and what became of their calls.

    `started`, `finished` and `cancelled` list the items, `active` counts the calls in flight and
    `peak` the most there ever were. A call of `held` waits for `gate`.
    """

    def __init__(self) -> None:
        self.started: list[int] = []
        self.finished: list[int] = []
        self.cancelled: list[int] = []
        self.active = self.peak = 0
        self.gate = asyncio.Event()

    @contextmanager
    def noted(self, item: int) -> Iterator[None]:
        """Note the call for this item from here to the end of the block."""
        self.started.append(item)
        self.active += 1
        self.peak = max(self.peak, self.active)
        try:
            yield
        except asyncio.CancelledError:
            self.cancelled.append(item)
            raise
        else:
            self.finished.append(item)
        finally:
            self.active -= 1

    async def at_once(self, item: int) -> int:
        """The item, without a suspension."""
        with self.noted(item):
            return item

    async def briefly(self, item: int) -> int:
        """The item, after a few turns of the loop, fewer for every later item of four."""
        with self.noted(item):
            for _ in range(4 - item % 4):
                await asyncio.sleep(0)
            return item

    async def slowly(self, item: int) -> int:
        """The item, after so many turns that any number of calls in a test overlap."""
        with self.noted(item):
            await turns(40)
            return item

    async def held(self, item: int) -> int:
        """The item, once the gate is open."""
        with self.noted(item):
            await self.gate.wait()
            return item
