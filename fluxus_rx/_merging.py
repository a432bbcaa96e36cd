"""Several streams as one; also one stream, read ahead by a task of its own.

An asynchronous iterable of somebody else's is read by one task from its first item to its last: a
time-out, a task group or a context variable that it holds across a `yield` stays intact.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable
from functools import partial
from time import perf_counter
from typing import Generic

from aiostream.core import Streamer

from ._channels import Channel, Endable, Turn
from ._crews import Crew
from ._typing import T

__all__ = ["Merge", "closing", "entered"]


async def entered(source: AsyncIterable[T]) -> AsyncGenerator[T, None]:
    """The items of somebody else's iterable, closed at the end."""
    turn = Turn()
    async with closing(source) as items:
        async for item in items:
            yield item
            if perf_counter() > turn.due:
                await turn.give()


class closing(Generic[T]):
    """Iterate over any asynchronous iterable and close it on every way out.

    aiostream's streamcontext, without the price of a call per item for what is no Stream.
    """

    __slots__ = ("_iterator", "_streamer")

    def __init__(self, source: AsyncIterable[T]) -> None:
        iterator = aiter(source)
        self._streamer = iterator if isinstance(iterator, Streamer) else None
        self._iterator = iterator

    async def __aenter__(self) -> AsyncIterator[T]:
        if self._streamer is not None:
            await self._streamer.__aenter__()
        return self._iterator

    async def __aexit__(self, *exc_info: object) -> None:
        aclose = getattr(self._iterator, "aclose", None)
        if aclose is not None:
            await aclose()


class _Pump:
    """One source of a merge: how many of its items wait, and whether it waits for room."""

    __slots__ = ("giver", "held")

    def __init__(self) -> None:
        self.held = 0
        self.giver: asyncio.Future[None] | None = None


class Merge(Endable[T]):
    """See `merge`; one task a source, each with its own share of the room."""

    def __init__(self, sources: tuple[AsyncIterable[T], ...], size: int) -> None:
        self._sources = sources
        self._share = max(1, size // max(1, len(sources)))
        self._out: Channel[tuple[_Pump, T]] = Channel(float("inf"))
        self._crew = Crew(self._out)
        self._started = False

    def _start(self) -> None:
        self._started = True
        if not self._sources:
            self._out.close()
        for source in self._sources:
            self._crew.start(partial(self._pump, source))

    async def _pump(self, source: AsyncIterable[T]) -> None:
        pump, out, share, turn = _Pump(), self._out, self._share, Turn()
        async with closing(source) as items:
            athrow = getattr(items, "athrow", None)
            while True:
                awaited: Awaitable[T] | None = None
                while pump.held >= share and awaited is None:
                    pump.giver = asyncio.get_running_loop().create_future()
                    try:
                        await pump.giver
                    except asyncio.CancelledError as error:
                        if athrow is None or self._crew.closing:
                            raise
                        # By a time-out or cancel scope that the source holds across its yield; it
                        # may have one more item in answer, for which there is room then.
                        awaited = athrow(error)
                try:
                    item = await (items.__anext__() if awaited is None else awaited)
                except StopAsyncIteration:
                    return
                pump.held += 1
                out.put((pump, item))
                if perf_counter() > turn.due:
                    await turn.give()

    async def __anext__(self) -> T:
        out = self._out
        if not len(out):
            if not self._started:
                self._start()
            if not await out.filled():
                await out.__anext__()
        pump, item = out.poll()
        pump.held -= 1
        giver = pump.giver
        if giver is not None:
            pump.giver = None
            if not giver.done():
                giver.set_result(None)
        return item

    def cancel(self) -> None:
        """Tell the tasks to end."""
        self._started = True
        self._crew.cancel()

    async def aclose(self) -> None:
        """End the tasks and close the sources; raise what they raise in doing so."""
        self.cancel()
        await self._crew.settle()
