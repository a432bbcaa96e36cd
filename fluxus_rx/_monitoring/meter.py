"""What a run counts, when somebody wants to know: calls in flight, done and failed, step by step.

A run without a meter counts nothing, and does no more than it would without this module.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from operator import length_hint
from typing import Any, Final, NamedTuple, TypeAlias

from .._common.messages import short
from .._streams.timing import RunClock, clock, is_real
from .calls import CallColumns, Count, ItemNumber, Record, Records, RunTimes, WorkSpans, item_text
from .gauge import Gauge, Gauges
from .progress import State
from .thread_use import processor_times

__all__ = [
    "ItemCounter",
    "Meter",
    "Recorder",
    "RunningCall",
    "SourceCalls",
    "always_running",
    "length_of",
]


#: Keeps the record of a call.
Recorder: TypeAlias = Callable[[Any, float, float], None] | None

#: The part of the time that a loop computes, if it may be full.
LEAST: Final = 0.05


class Meter:
    """Counts what a run does; with a `journal`, keeps a record of each call as well.

    Times begin at `elapsed` seconds, those of the run that this one goes on from, if there is one.
    With `times_loop`, it tells for how long steps hold the loop. Counters may be read from any
    thread at any time.
    """

    def __init__(
        self, journal: bool = False, elapsed: float = 0.0, times_loop: bool = False
    ) -> None:
        self.clock = clock()
        #: when this run began, in the times of the run that it goes on from
        self.began = elapsed
        #: tells how the run stands while it goes on, for one that can be steered
        self.state: Callable[[], State] = always_running
        self.started = self.clock() - elapsed
        #: the clock, but that it stands still while the run is paused
        self.unpaused = RunClock(self.clock)
        #: whether a record of each call is kept
        self.keeps_calls = journal
        #: those of the calls that aren't in the columns of their gauge, as they ended
        self.records: list[Record] = []
        self.gauges = Gauges(times_loop)
        self._times_loop = times_loop
        self._thread = threading.get_ident()
        #: what the thread of the loop had had of the processor when the run began
        self._processor_times = (0.0, 0.0)

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return self.clock() - self.started

    def paused(self) -> float:
        """Seconds in which the run has been paused."""
        return self.unpaused.paused()

    def enter(self) -> None:
        """The run begins on the loop that is running now: its times are those of this loop."""
        now = clock()
        if now != self.clock:
            self.clock = now
            self.started = now() - self.began
        self._thread = threading.get_ident()
        if self._times_loop:  # that is 50 µs
            self._processor_times = processor_times()

    @property
    def computed(self) -> float:
        """Seconds that the thread of the loop has computed since the run began, or could have, but
        for other programs; 0 where that isn't told: without `times_loop`, in virtual time, and in
        another thread."""
        if not self._times_loop or not is_real(self.clock) or threading.get_ident() != self._thread:
            return 0.0
        before, now = self._processor_times, processor_times()
        computed, queued = now[0] - before[0], now[1] - before[1]
        # One that hardly computes, and is queued for long, is on a busy machine, but not full.
        return computed + queued if computed > LEAST * self.elapsed else computed

    def begin(
        self,
        gauge: Gauge,
        item: ItemNumber = None,
        since: float | None = None,
        attempt: int = 1,
    ) -> RunningCall:
        """A call begins now, or has begun at `since` on the clock; `item` is the position of what
        it is called with, `attempt` the number that its step counts."""
        gauge.started += 1
        start = self.clock() if since is None else since
        return RunningCall(self, gauge, item, attempt + gauge.escaped.get(item, 0), start)

    def recorder(self, gauge: Gauge, locate: Callable[[Any], ItemNumber] | None = None) -> Recorder:
        """What keeps the record of a call that returned one product, called with that call's item,
        start and end; None, where none is kept. `locate` tells the position of an item."""
        if not self.keeps_calls:
            return None
        columns = gauge.columns = gauge.columns or CallColumns(gauge.label, gauge.path)
        add_start, add_end = columns.starts.append, columns.ends.append
        add_item, escaped = columns.items.append, gauge.escaped

        def record(item: Any, start: float, end: float) -> None:
            number = None if locate is None else locate(item)
            if escaped and number in escaped:
                self.keep(gauge, number, start, end, 1)
                return
            add_start(start)
            add_end(end)
            add_item(number)

        return record

    def keep(self, gauge: Gauge, item: ItemNumber, start: float, end: float, attempt: int) -> None:
        """Keep the record of a call that returned one product, but not at the first attempt."""
        zero, text, busy = self.started, item_text(item), end - start
        attempt += gauge.escaped.get(item, 0)
        self.records.append(
            (gauge.label, gauge.path, text, start - zero, end - zero, busy, 1, attempt, None, ())
        )

    def times(self, elapsed: float) -> RunTimes:
        """What the result of a run of `elapsed` seconds keeps: with a journal, the calls that are
        over, step by step in the order of the flow, then by their start."""
        if not self.keeps_calls:
            return RunTimes(untimed=True)
        steps = tuple(places[0].label for places in self.gauges.by_step())
        return RunTimes(
            records=Records(steps, self.gauges.columns(), [*self.records], self.started),
            elapsed=elapsed,
            steps=steps,
            began=self.began,
        )

    def counts(self) -> list[Count]:
        """How far each step has come, in the order of the flow."""
        return self.gauges.counts(is_drained=self.state() == "draining")


def always_running() -> State:
    """The state of a run of which nothing else is known."""
    return "running"


class ItemCounter(NamedTuple):
    """Counts products that take no call: what takes in an observable."""

    meter: Meter
    gauge: Gauge

    def gave(self) -> None:
        """It has emitted one."""
        self.meter.begin(self.gauge).alone()

    def dropped(self) -> None:
        """It had no room for one."""
        self.gauge.dropped += 1


class RunningCall:
    """A call that has begun. It is busy until it `rests`, and again after it `resumes`."""

    __slots__ = (
        "_attempt",
        "_busy",
        "_gauge",
        "_item",
        "_meter",
        "_over",
        "_products",
        "_since",
        "_spans",
        "_start",
        "_worked",
    )

    def __init__(
        self, meter: Meter, gauge: Gauge, item: ItemNumber, attempt: int, start: float
    ) -> None:
        self._meter = meter
        self._gauge = gauge
        self._item = item
        self._attempt = attempt
        self._busy = 0.0
        self._products = 0
        self._over = False
        self._start = start
        self._since: float | None = start
        #: when it worked last, and all spans of that, once there are several, where they are kept
        self._worked = (start, start)
        self._spans: WorkSpans | None = None
        gauge.busy.start(start)

    def resume(self) -> None:
        """It is asked for more."""
        if self._meter.keeps_calls:
            if self._spans is None:
                self._spans = WorkSpans()
            self._spans.add(*self._worked)
        self._since = self._meter.clock()
        self._gauge.busy.start(self._since)

    def rest(self) -> None:
        """It has yielded a product, and waits."""
        self.pause()
        self._products += 1
        self._gauge.given += 1

    def alone(self) -> None:
        """It has returned a product, and is over: the usual case, in one go."""
        if not self._over:
            self._over = True
            self._products = 1
            gauge = self._gauge
            self.pause()
            gauge.given += 1
            gauge.over += 1
            gauge.done += 1
            gauge.made += 1
            if self._meter.keeps_calls:
                self._meter.records.append(self._record(None, None))

    def pause(self) -> None:
        """It waits to be asked."""
        if self._since is not None:
            now = self._meter.clock()
            self._busy += now - self._since
            self._gauge.busy.stop(self._since, now)
            if self._meter.keeps_calls:
                self._worked = (self._since, now)
            self._since = None

    def forget(self) -> None:
        """It was none: the source had nothing more to emit."""
        busy = self._gauge.busy
        ended = busy.ended
        self.pause()
        busy.ended = ended
        self._over = True
        self._gauge.started -= 1

    def end(self, error: BaseException | None = None, given: object = None) -> None:
        """It is over, with `error` or without; only the first end counts.

        A call that is cancelled, or closed before its end, has neither succeeded nor failed.
        """
        if self._over:
            return
        self._over = True
        self.pause()
        gauge = self._gauge
        gauge.over += 1
        gauge.made += self._products
        if isinstance(error, asyncio.CancelledError | GeneratorExit):
            gauge.count_overrun = self._fail
            return
        if error is not None:
            self._fail(error, given)
            return
        gauge.done += 1
        if self._meter.keeps_calls:
            self._meter.records.append(self._record(None, None))

    def _fail(self, error: BaseException, given: object) -> None:
        gauge = self._gauge
        gauge.count_overrun = None
        gauge.failed += 1
        gauge.escapes(self._item)
        if self._meter.keeps_calls:
            self._meter.records.append(self._record(error, given))

    def _record(self, error: BaseException | None, given: object) -> Record:
        now, zero = self._meter.clock(), self._meter.started
        spans: tuple[float, ...] = ()
        if self._spans is not None:
            self._spans.add(*self._worked)
            spans = self._spans.since(zero)
        return (
            self._gauge.label,
            self._gauge.path,
            item_text(self._item),
            self._start - zero,
            now - zero,
            self._busy,
            self._products,
            self._attempt,
            None if error is None else f"{short(error)}, given {_short_input(given)}",
            spans,
        )


class SourceCalls:
    """The calls of a source, each of which yields one product."""

    def __init__(self, gauge: Gauge, meter: Meter, first: RunningCall) -> None:
        self._gauge = gauge
        self._meter = meter
        #: the first call, until it is over, since it has begun before its product is asked for
        self._first: RunningCall | None = first
        #: when the call began that is in flight, if it is another one
        self._since: float | None = None
        self._left = False
        self._record = meter.recorder(gauge)

    def begin(self) -> None:
        """The next product is asked for."""
        if self._first is not None:
            self._first.resume()
        else:
            self._since = self._meter.clock()
            self._gauge.plain.begin(self._since)

    def gave(self) -> None:
        """There it is."""
        if self._first is not None:
            self._first.alone()
            self._first = None
            return
        since, plain = self._since, self._gauge.plain
        assert since is not None
        plain.ended = end = self._meter.clock()
        plain.seconds += end - since
        plain.leave(since)
        plain.over += 1
        self._since = None
        if self._record is not None:
            self._record(None, since, end)

    def over(self) -> None:
        """There is none."""
        if (call := self._running()) is not None:
            call.forget()
        self._leave()

    def failed(self, error: BaseException) -> None:
        """There is an error instead; or nobody asks any more."""
        call = self._running()
        if isinstance(error, GeneratorExit):
            if call is not None:
                call.forget()
        elif call is not None:
            call.end(error)
        self._leave()

    def end_by(self, error: BaseException, since: float) -> None:
        """A call that has begun then ended by an error, or by that which tells of the end."""
        self._first = self._meter.begin(self._gauge, since=since)
        if isinstance(error, StopIteration):
            self.over()
        else:
            self.failed(error)

    def _running(self) -> RunningCall | None:
        """The call that is in flight, if there is one; it is none of the usual ones any more."""
        call, since = self._first, self._since
        self._first = self._since = None
        if since is not None:
            self._gauge.plain.leave(since)
            call = self._meter.begin(self._gauge, since=since)
        return call

    def _leave(self) -> None:
        if not self._left:
            self._left = True
            self._gauge.live -= 1
            if self._gauge.idle_times is not None:
                self._gauge.idle_times.close()


def length_of(source: object) -> int | None:
    """How many items `source` says that it has, or None if it can't tell.

    >>> length_of([1, 2]), length_of(iter([1, 2])), length_of(x for x in [1, 2])
    (2, 2, None)
    """
    try:
        length = length_hint(source, -1)
    except Exception:  # a lazy collection may raise whatever it likes, and is iterable all the same
        return None
    return length if length >= 0 else None


def _short_input(given: object) -> str:
    return short(dict(given) if isinstance(given, Mapping) else given)
