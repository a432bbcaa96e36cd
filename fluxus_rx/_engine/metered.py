"""Steps and sources that are counted while they work: what a run with a meter is made of."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from functools import partial
from typing import Any

from .._monitoring.gauge import Gauge
from .._monitoring.loop_time import LoopTime
from .._monitoring.meter import Meter, RunningCall, length_of
from .._rx.draining import CallNotBegun, Leftover
from .._streams.context import Items
from .._streams.iteration import Reader, aclose, relay
from .._streams.timing import IdleTimes
from .bound_step import BoundStep, Deferred

__all__ = ["counted_outcome", "metered", "metered_source"]


def metered(work: BoundStep, gauge: Gauge, meter: Meter, leftover: Leftover) -> BoundStep:
    """The same work, each call of it counted from its beginning to its end. In a run that is
    drained none begins: its product is a `leftover`."""
    inner, locate = work.apply, work.locate
    ainner: Callable[[Any], Awaitable[Any]] = work.acall
    draining = leftover.draining

    if meter.calls is None:
        locate = None  # nobody will ask which product it was
    if gauge.loop_time is not None:
        inner, ainner = gauge.loop_time.timed(inner), partial(_timed_call, work, gauge.loop_time)

    def apply(item: Any) -> Any:
        if draining.begun:
            return leftover.of(item)
        call = meter.begin(gauge, "" if locate is None else locate(item))
        try:
            outcome = inner(item)
        except BaseException as error:
            call.end(error, item)
            raise
        if outcome.__class__ is Items:
            return _metered_outcome(outcome, _OneCall(call, item, leftover), gauge.loop_time)
        call.alone()
        return outcome

    async def acall(item: Any) -> Any:
        if draining.begun:
            return leftover.of(item)
        call = meter.begin(gauge, "" if locate is None else locate(item))
        try:
            outcome = await ainner(item)
        except CallNotBegun:
            call.forget()
            return leftover.of(item)
        except BaseException as error:
            _OneCall(call, item, leftover).failed(error)
            raise
        if outcome.__class__ is Items:
            return _metered_outcome(outcome, _OneCall(call, item, leftover), gauge.loop_time)
        call.alone()
        return outcome

    return work._replace(apply=apply, acall=acall, gauge=gauge)


def _metered_outcome(outcome: Any, watch: _OneCall, loop_time: LoopTime | None) -> Any:
    """What a call gave; if it is still to come, it is watched until it has."""
    if outcome.__class__ is not Items:
        watch.alone()
        return outcome
    source = outcome.source
    if source.__class__ is Deferred:
        timed = source if loop_time is None else _timed_later(source, loop_time)
        change = partial(_metered_outcome, watch=watch, loop_time=loop_time)
        return Items(timed.then(change, watch.failed))
    watch.pause()
    return Items(_metered_items(source, watch, loop_time), outcome.ready)


def _timed_call(work: BoundStep, loop_time: LoopTime, item: Any) -> Awaitable[Any]:
    return loop_time.timed_call(work.acall(item))


def _timed_later(source: Deferred, loop_time: LoopTime) -> Deferred:
    """The same, with what it takes to await it timed."""

    async def finish(_: Deferred) -> Any:
        return await loop_time.timed_call(source.outcome())

    return Deferred(source, finish)


def _metered_items(
    source: Any, watch: _OneCall | _CallPerItem, loop_time: LoopTime | None
) -> _MeteredItems | _MeteredAsyncItems:
    if hasattr(source, "__aiter__"):
        return _MeteredAsyncItems(source, watch, loop_time)
    return _MeteredItems(source, watch, loop_time)


def metered_source(opened: Callable[[], Any], gauge: Gauge, meter: Meter) -> Any:
    """The items of the source that `opened` gives, each counted as a call that gives one product;
    what it takes to open it is part of the first."""
    first = meter.begin(gauge, "")
    total = gauge.total
    gauge.live += 1
    try:
        source = (opened if gauge.loop_time is None else gauge.loop_time.timed(opened))()
    except BaseException as error:
        first.end(error)
        gauge.live -= 1
        raise
    first.pause()
    if gauge.total == total and (length := length_of(source)) is not None:
        gauge.expect(length)
    gauge.runs_as("source", IdleTimes(meter.unpaused))
    return _metered_items(source, _CallPerItem(gauge, meter, first), gauge.loop_time)


class _OneCall:
    """All products are of one call."""

    def __init__(self, call: RunningCall, item: Any, leftover: Leftover) -> None:
        self._call = call
        self._item = item
        self._leftover = leftover
        self._is_over = False

    def alone(self) -> None:
        """The call has given one product, and is over."""
        self._call.alone()

    def pause(self) -> None:
        """Its products are still to come."""
        self._call.pause()

    def begin(self) -> None:
        """The next product is asked for."""
        self._call.resume()

    def gave(self) -> None:
        """There it is."""
        self._call.rest()

    def over(self) -> None:
        """There is none."""
        self._is_over = True
        self._call.end()

    def failed(self, error: BaseException) -> None:
        """There is an error instead; or nobody asks any more."""
        self._call.end(error, self._item)
        if not self._is_over:
            self._is_over = True
            self._leftover.of_call(error, self._item)


class _CallPerItem:
    """Each product is of a call of its own."""

    def __init__(self, gauge: Gauge, meter: Meter, first: RunningCall) -> None:
        self._gauge = gauge
        self._meter = meter
        self._call: RunningCall | None = first
        self._left = False

    def begin(self) -> None:
        """The next product is asked for."""
        if self._call is None:
            self._call = self._meter.begin(self._gauge, "")
        else:
            self._call.resume()

    def gave(self) -> None:
        """There it is."""
        assert self._call is not None
        self._call.alone()
        self._call = None

    def over(self) -> None:
        """There is none."""
        if self._call is not None:
            self._call.forget()
            self._call = None
        if not self._left:
            self._left = True
            self._gauge.live -= 1
            if self._gauge.idle_times is not None:
                self._gauge.idle_times.close()

    def failed(self, error: BaseException) -> None:
        """There is an error instead; or nobody asks any more."""
        if self._call is not None and not isinstance(error, GeneratorExit):
            self._call.end(error)
            self._call = None
        self.over()


class _MeteredItems:
    """An iterable; `watch` is told when an item is asked for, and what comes of it."""

    def __init__(
        self, source: Any, watch: _OneCall | _CallPerItem, loop_time: LoopTime | None
    ) -> None:
        self._source = source
        self._watch = watch
        self._next = next if loop_time is None else loop_time.timed(next)
        self._iterator: Any = None

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        watch = self._watch
        watch.begin()
        try:
            if self._iterator is None:
                self._iterator = iter(self._source)
            item = self._next(self._iterator)
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
        close = getattr(self._source if self._iterator is None else self._iterator, "close", None)
        if close is not None:
            close()


class _MeteredAsyncItems:
    """The same of an asynchronous iterable."""

    def __init__(
        self, source: Any, watch: _OneCall | _CallPerItem, loop_time: LoopTime | None
    ) -> None:
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


def counted_outcome(outcome: Any, gauge: Gauge) -> Any:
    """What stands in for a call that failed; each product of it counts as one of the step."""
    if outcome.__class__ is not Items:
        gauge.gave(1)
        return outcome
    source = outcome.source
    if source.__class__ is Deferred:
        change = partial(counted_outcome, gauge=gauge)
        return Items(source.then(change, _ignore))
    if hasattr(source, "__aiter__"):
        return Items(relay(source, partial(_counted_product, gauge)), outcome.ready)
    return Items(_counted_products(gauge, source), outcome.ready)


def _counted_product(gauge: Gauge, product: Any) -> Any:
    gauge.gave(1)
    return product


def _counted_products(gauge: Gauge, source: Iterable[Any]) -> Iterator[Any]:
    try:
        for product in source:
            yield _counted_product(gauge, product)
    finally:
        close = getattr(source, "close", None)
        if close is not None:
            close()


def _ignore(_: BaseException) -> None:
    """An error in making a replacement is none of a call."""
