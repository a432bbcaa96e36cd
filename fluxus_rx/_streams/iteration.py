"""Reading what others wrote, and closing it.

An asynchronous iterable of somebody else's is read by one task from its first item to its last: a
time-out, a task group or a context variable that it holds across a `yield` stays intact."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
)
from functools import partial
from time import perf_counter
from typing import Any, Final, Generic

from aiostream.core import Streamer

from .._common.messages import also_raised
from .._typing import T
from .timing import TimeSlice

__all__ = [
    "END",
    "Cancellable",
    "Reader",
    "StartWith",
    "aclose",
    "aclose_all",
    "as_async",
    "cancel",
    "iterate",
    "never_ready",
    "poller",
    "relay",
]


#: The mark that nothing is left; not None, which is an item like any other.
END: Final[Any] = object()


def poller(stream: object) -> Callable[[], Any]:
    """What returns an item of `stream` that is ready, or END; always END, if it can't be polled."""
    return getattr(stream, "poll", never_ready)


def never_ready() -> Any:
    """END: what a stream returns that can't be polled."""
    return END


class Cancellable(AsyncIterator[T]):
    """A stream of this library's own: it may be read by any task, and be told to end."""

    __slots__ = ()

    @abstractmethod
    def cancel(self) -> None:
        """Tell it to end; at once, and without waiting for it."""

    @abstractmethod
    async def aclose(self) -> None:
        """End it, and wait until it has ended."""


def cancel(source: object) -> None:
    """Tell `source` to end, if it is one that can be told."""
    if isinstance(source, Cancellable):
        source.cancel()


async def aclose(source: object) -> None:
    """Close `source`, if it can be closed."""
    method = getattr(source, "aclose", None)
    if method is not None:
        await method()


async def aclose_all(sources: Iterable[object]) -> None:
    """Close all of `sources`, one after the other, whatever happens; raise the first error.

    Also where it is cancelled meanwhile: what comes after must be closed all the same.
    """
    first: BaseException | None = None
    for source in sources:
        try:
            close = getattr(source, "close", None)
            if hasattr(source, "aclose"):
                await aclose(source)
            elif close is not None:
                close()
        except BaseException as error:
            if first is None:
                first = error
            else:
                also_raised(first, error)
    if first is not None:
        raise first


class CompositeStream(Cancellable[T]):
    """A stream that is made of parts, told to end together and closed one after the other, the last
    one first."""

    __slots__ = ("_parts",)

    def __init__(self, *parts: Any) -> None:
        self._parts: list[Any] = [*parts]

    def cancel(self) -> None:
        """Tell all parts to end."""
        for part in self._parts:
            cancel(part)

    async def aclose(self) -> None:
        """End all parts; raise the first error that comes up in doing so."""
        self.cancel()
        parts, self._parts = self._parts, []
        await aclose_all(reversed(parts))


class StartWith(Cancellable[Any]):
    """Items that are there already, then those of a stream, which somebody else closes."""

    def __init__(self, items: Iterable[Any], rest: AsyncIterator[Any]) -> None:
        self._items = deque(items)
        self._rest = rest

    def __anext__(self) -> Awaitable[Any]:
        return _ready(self._items.popleft()) if self._items else self._rest.__anext__()

    def cancel(self) -> None:
        """Drop the items."""
        self._items.clear()

    async def aclose(self) -> None:
        """The same as `cancel`."""
        self.cancel()


async def _ready(item: T) -> T:
    return item


def iterate(source: AsyncIterable[T]) -> AsyncGenerator[T, None]:
    """The items of somebody else's iterable, closed at the end."""
    return relay(source, time_slice=TimeSlice())


async def relay(
    source: AsyncIterable[Any],
    change: Callable[[Any], Any] | None = None,
    *,
    asked: Callable[[], None] | None = None,
    failed: Callable[[BaseException], None] | None = None,
    time_slice: TimeSlice | None = None,
) -> AsyncGenerator[Any, None]:
    """The items of somebody else's iterable, each changed by `change`; closed at the end.

    A cancellation that comes while nobody asks for an item is thrown into the iterable, if it takes
    it. `asked` is called before each item is asked for, `failed` with an error of the iterable or
    of `change`.
    """
    reader: Reader[Any] | None = None
    outside = False
    try:
        reader = Reader(source)
        if isinstance(reader.iterator, Streamer):
            await reader.iterator.__aenter__()
        while True:
            if asked is not None:
                asked()
            try:
                item = await reader.next()
            except StopAsyncIteration:
                return
            if change is not None:
                item = change(item)
            outside = True
            try:
                yield item
                if time_slice is not None and perf_counter() > time_slice.due:
                    await time_slice.yield_to_loop()
            except asyncio.CancelledError as error:
                reader.throw(error)
            outside = False
    except BaseException as error:
        if failed is not None and not outside:
            failed(error)
        raise
    finally:
        if reader is not None:
            await reader.aclose()


class Reader(Generic[T]):
    """Reads what somebody else wrote, and throws a cancellation back into it.

    A cancellation that comes while nobody asks for an item may be of a time-out or cancel scope
    that the iterable holds across its `yield`, which knows its own. Thrown in there, it may be
    answered with more items. All reading of one iterable is the matter of one task.
    """

    __slots__ = ("iterator", "next")

    def __init__(self, source: AsyncIterable[T]) -> None:
        self.iterator = aiter(source)
        #: returns an awaitable of the next item, or StopAsyncIteration. An attribute that `throw`
        #: changes for one time, because a method costs 4 % of an item (benchmark "streams").
        self.next: Callable[[], Awaitable[T]] = self.iterator.__anext__

    def throw(
        self,
        error: BaseException,
        athrow: Callable[[BaseException], Awaitable[T]] | None = None,
    ) -> None:
        """Have the next reading throw `error` into the iterable, by `athrow` if not by a method of
        that name; raise it here if nothing takes it."""
        # A Streamer of aiostream has `athrow` always, and asserts then that it reads a generator.
        source = self.iterator
        inner = source._aiterator if isinstance(source, Streamer) else None
        if athrow is None and (inner is None or isinstance(inner, AsyncGenerator)):
            athrow = getattr(self.iterator, "athrow", None)
        if athrow is None:
            raise error
        self.next = partial(self._throw, athrow, error)

    def _throw(
        self, athrow: Callable[[BaseException], Awaitable[T]], error: BaseException
    ) -> Awaitable[T]:
        self.next = self.iterator.__anext__  # or the traceback of `error` would keep it alive
        return athrow(error)

    async def aclose(self) -> None:
        """Close the iterable, if it can be closed."""
        method = getattr(self.iterator, "aclose", None)
        if method is not None:
            await method()

    async def __aenter__(self) -> Reader[T]:
        if isinstance(self.iterator, Streamer):  # a Stream of aiostream
            await self.iterator.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()


def as_async(source: Any) -> Any:
    """An iterable as an asynchronous one, if it isn't one."""
    return source if hasattr(source, "__aiter__") else _items_of(source)


async def _items_of(source: Iterable[Any]) -> AsyncGenerator[Any, None]:
    items: Any = iter(source)
    try:
        while (item := next(items, END)) is not END:
            yield item
    finally:
        if hasattr(items, "close"):
            items.close()
