"""Steps and sources that are counted while they work: what a run with a meter is made of."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from functools import partial
from math import inf
from types import coroutine
from typing import Any, Final

from .._monitoring.calls import CallColumns
from .._monitoring.gauge import Gauge
from .._monitoring.loop_time import SECONDS_PER_SAMPLE, LoopTime
from .._monitoring.meter import Meter, RunningCall, SourceCalls, length_of
from .._monitoring.watched_items import WatchedAsyncItems, WatchedSource, watched_items
from .._products.factory import SourceItems
from .._rx.draining import CallNotBegun, Leftover
from .._streams.context import Items
from .._streams.iteration import relay
from .._streams.timing import IdleTimes
from .bound_step import BoundStep, Deferred

__all__ = ["counted_outcome", "metered", "metered_source"]


#: Instead of the outcome of a function that wasn't called, since the run is drained.
_UNCALLED: Final[Any] = object()


def metered(work: BoundStep, gauge: Gauge, meter: Meter, leftover: Leftover) -> BoundStep:
    """The same work, each call of it counted from its beginning to its end. In a run that is
    drained none begins: its product is a `leftover`."""
    calls = _StepCalls(work, gauge, meter, leftover)
    apply, direct = calls.inline(), work.direct
    if direct is not None:
        direct = direct.counted(apply, calls)
    return work._replace(
        apply=apply, acall=calls.awaiting(1), again=calls.awaiting, direct=direct, gauge=gauge
    )


class _StepCalls:
    """The calls of a step, counted: the usual ones, which return one product each, as numbers, and
    the others one by one.

    The functions are closures that write the numbers themselves, since calls of methods would cost
    as much again (benchmark "watching").
    """

    __slots__ = ("_gauge", "_leftover", "_locate", "_meter", "_work", "plain", "record")

    def __init__(self, work: BoundStep, gauge: Gauge, meter: Meter, leftover: Leftover) -> None:
        self._work = work
        self._gauge = gauge
        self._meter = meter
        self._leftover = leftover
        self.plain = gauge.plain
        # Without a record of each call, nobody will ask which product it was.
        self._locate = work.locate if meter.keeps_calls else None
        #: keeps the record of a call, where that is done
        self.record = meter.recorder(gauge, self._locate)

    def inline(self) -> Callable[[Any], Any]:
        """What calls the step where it can't wait."""
        inner, leftover, draining = self._work.apply, self._leftover, self._leftover.draining
        gauge, now, record = self._gauge, self._meter.clock, self.record
        plain, look = gauge.plain, partial(gauge.look, inner)

        def apply(item: Any) -> Any:
            if draining.begun:
                return leftover.of(item)
            plain.entered = since = now()
            try:
                outcome = (inner if plain.inline_seconds < plain.due else look)(item)
            except BaseException as error:
                gauge.leave_inline(since)
                self._begun(item, since).end(error, item)
                raise
            if outcome.__class__ is Items:
                gauge.leave_inline(since)
                return self._several(outcome, item, since)
            plain.ended = end = now()
            plain.inline_seconds += end - since
            plain.entered = None
            plain.over += 1
            if record is not None:
                record(item, since, end)
            return outcome

        return apply

    def direct(self, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """What calls the function of a step with a value, where its neighbours are called at once.

        Where nobody keeps records, a call doesn't know its item.
        """
        gauge, now, draining = self._gauge, self._meter.clock, self._leftover.draining
        plain, look = gauge.plain, partial(gauge.look, function)

        def call(value: Any) -> Any:
            if draining.begun:
                return _UNCALLED
            plain.entered = since = now()
            try:
                given = (function if plain.inline_seconds < plain.due else look)(value)
            except BaseException as error:
                gauge.leave_inline(since)
                self._meter.begin(gauge, since=since).end(error)
                raise
            if given.__class__ is dict:
                plain.ended = end = now()
                plain.inline_seconds += end - since
                plain.entered = None
                plain.over += 1
            return given

        return call

    @property
    def clock(self) -> Callable[[], float]:
        """What calls are timed by."""
        return self._meter.clock

    @property
    def columns(self) -> CallColumns | None:
        """Where their records are kept, if they are."""
        return self._gauge.columns

    @property
    def is_due(self) -> bool:
        """Whether the next call is looked at more closely, or isn't made."""
        plain = self.plain
        return plain.inline_seconds >= plain.due or self._leftover.draining.begun

    @property
    def next_look(self) -> float:
        """The seconds after which it may be once more."""
        return inf if self._gauge.loop_time is None else SECONDS_PER_SAMPLE

    def failed(self, error: BaseException, item: Any) -> None:
        """See `CallCounter`."""
        since = self.plain.entered
        if since is not None:
            self._gauge.leave_inline(since)
            self._begun(item, since).end(error, item)

    def direct_outcome(self, outcome: Callable[[Any, Any], Any], given: Any, item: Any) -> Any:
        """The outcome of a call that has returned no plain dictionary, and is not over; or one
        whose attributes are checked, after it was counted."""
        if given is _UNCALLED:
            return self._leftover.of(item)
        gauge, plain = self._gauge, self._gauge.plain
        since = self._meter.clock() if plain.entered is None else plain.entered
        try:
            made = outcome(given, item)
        except BaseException as error:
            if plain.entered is None:
                plain.over -= 1
            gauge.leave_inline(since)
            self._begun(item, since).end(error, item)
            raise
        if made.__class__ is Items:
            gauge.leave_inline(since)
            return self._several(made, item, since)
        if plain.entered is not None:
            plain.ended = end = self._meter.clock()
            plain.inline_seconds += end - since
            plain.entered = None
            plain.over += 1
            if self.record is not None:
                self.record(item, since, end)
        return made

    def awaiting(self, attempt: int) -> Callable[[Any], Any]:
        """What calls the step where it may wait, for that attempt of a call."""
        inner, leftover, draining = self._work.acall, self._leftover, self._leftover.draining
        plain, now = self._gauge.plain, self._meter.clock
        record = self.record if attempt == 1 else self._retry_recorder(attempt)
        loop_time = self._gauge.loop_time

        # Most calls end when they are sent on for the first time. So that is timed here, as the
        # call is: a generator and two looks at the clock less (benchmark "watching").
        @coroutine
        def acall(item: Any) -> Generator[Any, Any, Any]:
            if draining.begun:
                return leftover.of(item)
            since = now()
            if plain.began is None:
                plain.began = since
            plain.under_way += 1
            plain.since += since
            calling: Any = inner(item)
            try:
                if loop_time is None:
                    outcome = yield from calling
                    end = now()
                else:
                    try:
                        send = calling.send
                        awaited = (
                            send if loop_time.held < loop_time.due else loop_time.sampled(send)
                        )(None)
                    except StopIteration as stop:
                        outcome = stop.value
                        loop_time.held += (end := now()) - since
                    except BaseException:
                        loop_time.held += now() - since
                        raise
                    else:
                        loop_time.held += now() - since
                        outcome = yield from loop_time.timed_rest(calling, awaited)
                        end = now()
            except CallNotBegun:
                return self._not_begun(item, since)
            except BaseException as error:
                self._failed(error, item, since, attempt)
                raise
            if outcome.__class__ is Items:
                plain.leave(since)
                return self._several(outcome, item, since, attempt)
            plain.ended = end
            plain.seconds += end - since
            plain.since -= since
            plain.under_way -= 1
            plain.over += 1
            if record is not None:
                record(item, since, end)
            return outcome

        return acall

    def _retry_recorder(self, attempt: int) -> Callable[[Any, float, float], None] | None:
        """What keeps the record of that attempt of a call, where that is done."""
        if self.record is None:
            return None
        meter, gauge, locate = self._meter, self._gauge, self._locate

        def record(item: Any, start: float, end: float) -> None:
            meter.keep(gauge, None if locate is None else locate(item), start, end, attempt)

        return record

    def _begun(self, item: Any, since: float, attempt: int = 1) -> RunningCall:
        """A call that has begun then, and is none of the usual ones."""
        number = None if self._locate is None else self._locate(item)
        return self._meter.begin(self._gauge, number, since, attempt)

    def _failed(self, error: BaseException, item: Any, since: float, attempt: int) -> None:
        self.plain.leave(since)
        _OneCall(self._begun(item, since, attempt), item, self._leftover).failed(error)

    def _not_begun(self, item: Any, since: float) -> Any:
        self.plain.leave(since)
        self._begun(item, since).forget()
        return self._leftover.of(item)

    def _several(self, outcome: Items[Any], item: Any, since: float, attempt: int = 1) -> Any:
        watch = _OneCall(self._begun(item, since, attempt), item, self._leftover)
        return _metered_outcome(outcome, watch, self._gauge.loop_time)


def _metered_outcome(outcome: Any, watch: _OneCall, loop_time: LoopTime | None) -> Any:
    """What a call returned; if it is still to come, it is watched until it has."""
    if outcome.__class__ is not Items:
        watch.alone()
        return outcome
    source = outcome.source
    if source.__class__ is Deferred:
        timed = source if loop_time is None else _timed_later(source, loop_time)
        change = partial(_metered_outcome, watch=watch, loop_time=loop_time)
        return Items(timed.then(change, watch.failed))
    watch.pause()
    return Items(watched_items(source, watch, loop_time), outcome.ready)


def _timed_later(source: Deferred, loop_time: LoopTime) -> Deferred:
    """The same, with what it takes to await it timed."""

    async def finish(_: Deferred) -> Any:
        return await loop_time.timed_call(source.outcome())

    return Deferred(source, finish)


def metered_source(opened: Callable[[], Any], gauge: Gauge, meter: Meter) -> Any:
    """The items of the source that `opened` yields, each counted as a call that yields one product;
    what it takes to open it is part of the first."""
    first = meter.begin(gauge)
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
    watch = SourceCalls(gauge, meter, first)
    if hasattr(source, "__aiter__"):
        return WatchedAsyncItems(source, watch, gauge.loop_time)
    if isinstance(source, SourceItems):
        source.watch(lambda items: WatchedSource(items, watch, gauge, meter))
        return source
    return WatchedSource(source, watch, gauge, meter)


class _OneCall:
    """All products are of one call."""

    def __init__(self, call: RunningCall, item: Any, leftover: Leftover) -> None:
        self._call = call
        self._item = item
        self._leftover = leftover
        self._is_over = False

    def alone(self) -> None:
        """The call has returned one product, and is over."""
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
