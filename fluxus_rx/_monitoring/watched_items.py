"""Items that are watched while they are read: when one is asked for, and what comes of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator
from typing import Any, Final, Protocol

from .._streams.iteration import Reader, aclose
from .calls import CallColumns
from .counters import PlainCalls
from .gauge import Gauge
from .loop_time import LoopTime
from .meter import Meter, SourceCalls

__all__ = ["ItemWatch", "WatchedAsyncItems", "WatchedSource", "watched_items"]


#: the iterators of sequences
_OF_SEQUENCES: Final = frozenset(map(type, (iter([]), iter(()), iter(range(0)))))


class ItemWatch(Protocol):
    """Is told when an item is asked for, and what comes of it."""

    def begin(self) -> None:
        """The next one is asked for."""

    def gave(self) -> None:
        """There it is."""

    def over(self) -> None:
        """There is none."""

    def failed(self, error: BaseException) -> None:
        """There is an error instead; or nobody asks any more."""


def watched_items(
    source: Any, watch: ItemWatch, loop_time: LoopTime | None
) -> WatchedItems | WatchedAsyncItems:
    if hasattr(source, "__aiter__"):
        return WatchedAsyncItems(source, watch, loop_time)
    return WatchedItems(source, watch, loop_time)


class WatchedItems:
    """An iterable; `watch` is told when an item is asked for, and what comes of it."""

    def __init__(self, source: Any, watch: ItemWatch, loop_time: LoopTime | None) -> None:
        self._source = source
        self._watch = watch
        self._next = next if loop_time is None else loop_time.timed(next)
        #: None until the first item is asked for
        self.iterator: Any = None

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        watch = self._watch
        watch.begin()
        try:
            if self.iterator is None:
                self.iterator = iter(self._source)
            item = self._next(self.iterator)
        except StopIteration:
            watch.over()
            raise
        except BaseException as error:
            watch.failed(error)
            raise
        watch.gave()
        return item

    def close(self) -> None:
        self._watch.failed(GeneratorExit())
        close = getattr(self._source if self.iterator is None else self.iterator, "close", None)
        if close is not None:
            close()


class WatchedSource:
    """A synchronous source, each product of which is of a call of its own. It can be told to end
    from outside, between two of them."""

    def __init__(self, source: Any, watch: SourceCalls, gauge: Gauge, meter: Meter) -> None:
        self._record = meter.recorder(gauge)
        self._first = WatchedItems(source, watch, gauge.loop_time)
        self._watch = watch
        self._gauge = gauge
        self._meter = meter
        self._is_ended = self._is_exhausted = False
        #: whether no item has come but the first
        self._is_first = True
        # A generator, which a loop resumes in half the time of a call (benchmark "watching").
        self._items = self._counted()

    def __iter__(self) -> Iterator[Any]:
        return self._items

    def _counted(self) -> Generator[Any, None, None]:
        """The items. They are counted as numbers, but for the first, which has begun before."""
        if not self._is_ended:
            for item in self._first:
                yield item
                break
            else:
                self._is_exhausted = True
                return
        self._is_first = False
        source, gauge, now = self._first.iterator, self._gauge, self._meter.clock
        plain, record = gauge.plain, self._record
        if record is None and type(source) in _OF_SEQUENCES:
            # These run no code of the user's, and take no time.
            for item in source:
                plain.over += 1
                plain.ended = now()
                yield item
                if self._is_ended:
                    break
        while not self._is_ended:
            plain.entered = since = now()
            try:
                if plain.inline_seconds < plain.due:
                    item = next(source)
                else:
                    item = gauge.look(next, source)
            except BaseException as error:
                gauge.leave_inline(since)
                self._watch.end_by(error, since)
                if error.__class__ is StopIteration:
                    self._is_exhausted = True
                    return
                raise
            plain.ended = end = now()
            plain.inline_seconds += end - since
            plain.entered = None
            plain.over += 1
            if record is not None:
                record(None, since, end)
            yield item
        self._first.close()

    @property
    def counts(self) -> PlainCalls:
        """The calls of the source, each of which has yielded an item."""
        return self._gauge.plain

    @property
    def last_span(self) -> tuple[float, float]:
        """From when to when the call was that yielded the last item, where records are kept."""
        columns, busy = self._gauge.columns, self._gauge.busy
        if self._is_first or columns is None:
            return busy.began or 0.0, busy.ended
        return columns.starts[-1], columns.ends[-1]

    @property
    def columns(self) -> CallColumns | None:
        """The records of these, where they are kept; that of the first call is elsewhere."""
        return self._gauge.columns

    def refuse(self, error: BaseException) -> None:
        """The item that came last is none: what was counted as a call has failed."""
        self._gauge.plain.over -= 1
        since, columns = None, self._gauge.columns
        if columns is not None:
            since, _ = self.last_span
            if self._is_first:
                self._meter.records.pop()
            else:
                columns.pop()
        self._meter.begin(self._gauge, since=since).end(error)

    def end(self) -> bool:
        """Emit no more; whether it might have."""
        self._is_ended = True
        return not self._is_exhausted

    def close(self) -> None:
        """Close the source."""
        self._items.close()
        self._first.close()


class WatchedAsyncItems:
    """The same of an asynchronous iterable."""

    def __init__(self, source: Any, watch: ItemWatch, loop_time: LoopTime | None) -> None:
        self._source = source
        self._watch = watch
        self._loop_time = loop_time
        self._reader: Reader[Any] | None = None

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        watch = self._watch
        watch.begin()
        try:
            if self._reader is None:
                self._reader = Reader(self._source)
            if self._loop_time is None:
                item = await self._reader.next()
            else:
                item = await self._loop_time.timed_reading(self._reader.next)
        except StopAsyncIteration:
            watch.over()
            raise
        except BaseException as error:
            watch.failed(error)
            raise
        watch.gave()
        return item

    async def athrow(self, error: BaseException) -> Any:
        if self._reader is None:
            raise error
        self._reader.throw(error)
        return await self.__anext__()

    async def aclose(self) -> None:
        self._watch.failed(GeneratorExit())
        await (aclose(self._source) if self._reader is None else self._reader.aclose())
