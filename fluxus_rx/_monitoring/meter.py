"""What a run counts, when somebody wants to know: calls under way, done and failed, step by step.

A run without a meter counts nothing, and does no more than it would without this module.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from operator import length_hint
from typing import Final, NamedTuple

from .._common.messages import short
from .._streams.timing import clock, is_real
from .calls import Count, Record, RunTimes, WorkSpans
from .gauge import Gauge, Gauges
from .progress import State
from .thread_use import processor_times

__all__ = ["ItemCounter", "Meter", "RunningCall", "always_running", "length_of"]


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
        #: seconds in which the run has been paused
        self.paused: Callable[[], float] = float
        #: the calls that are over, in the order in which they ended
        self.calls: list[Record] | None = [] if journal else None
        self.gauges = Gauges(times_loop)
        self._thread = threading.get_ident()
        #: what the thread of the loop had had of the processor when the run began
        self._processor_times = (0.0, 0.0)
        #: how often calls with a product have failed
        self._failures: dict[tuple[Gauge, str], int] = {}

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return self.clock() - self.started

    def unpaused(self) -> float:
        """The clock, but that it stands still while the run is paused."""
        return self.clock() - self.paused()

    def enter(self) -> None:
        """The run begins on the loop that is running now: its times are those of this loop."""
        now = clock()
        if now != self.clock:
            self.clock = now
            self.started = now() - self.began
        self._thread = threading.get_ident()
        self._processor_times = processor_times()

    @property
    def computed(self) -> float:
        """Seconds that the thread of the loop has computed since the run began, or could have, but
        for other programs; 0 where that can't be told: in virtual time, and in another thread."""
        if not is_real(self.clock) or threading.get_ident() != self._thread:
            return 0.0
        before, now = self._processor_times, processor_times()
        computed, queued = now[0] - before[0], now[1] - before[1]
        # One that hardly computes, and is queued for long, is on a busy machine, but not full.
        return computed + queued if computed > LEAST * self.elapsed else computed

    def begin(self, gauge: Gauge, item: str) -> RunningCall:
        """A call begins; `item` is the position of what it is called with."""
        gauge.started += 1
        attempt = 1 + self._failures.get((gauge, item), 0) if item and self._failures else 1
        return RunningCall(self, gauge, item, attempt)

    def failed(self, gauge: Gauge, item: str) -> None:
        """A call has failed; another one with the same product is another attempt."""
        if item:
            self._failures[gauge, item] = self._failures.get((gauge, item), 0) + 1

    def times(self, elapsed: float) -> RunTimes:
        """What the result of a run of `elapsed` seconds keeps: with a journal, the calls that are
        over, step by step in the order of the flow, then by their start."""
        if self.calls is None:
            return RunTimes(untimed=True)
        steps = tuple(count.step for count in self.counts())
        ranks = {step: rank for rank, step in enumerate(steps)}
        return RunTimes(
            records=sorted(self.calls, key=lambda call: (ranks[call[0]], call[3])),
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
    """Counts what gives products that take no call: what takes in an observable."""

    meter: Meter
    gauge: Gauge

    def gave(self) -> None:
        """It has given one."""
        self.meter.begin(self.gauge, "").alone()

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

    def __init__(self, meter: Meter, gauge: Gauge, item: str, attempt: int) -> None:
        self._meter = meter
        self._gauge = gauge
        self._item = item
        self._attempt = attempt
        self._busy = 0.0
        self._products = 0
        self._over = False
        self._start = meter.clock()
        self._since: float | None = self._start
        #: when it worked last, and all spans of that, once there are several, where they are kept
        self._worked = (self._start, self._start)
        self._spans: WorkSpans | None = None
        gauge.busy.start(self._start)

    def resume(self) -> None:
        """It is asked for more."""
        if self._meter.calls is not None:
            if self._spans is None:
                self._spans = WorkSpans()
            self._spans.add(*self._worked)
        self._since = self._meter.clock()
        self._gauge.busy.start(self._since)

    def rest(self) -> None:
        """It has given a product, and waits."""
        self.pause()
        self._products += 1
        self._gauge.given += 1

    def alone(self) -> None:
        """It has given a product, and is over: the usual case, in one go."""
        if not self._over:
            self._over = True
            self._products = 1
            gauge = self._gauge
            self.pause()
            gauge.given += 1
            gauge.over += 1
            gauge.done += 1
            gauge.made += 1
            if self._meter.calls is not None:
                self._meter.calls.append(self._record(None, None))

    def pause(self) -> None:
        """It waits to be asked."""
        if self._since is not None:
            now = self._meter.clock()
            self._busy += now - self._since
            self._gauge.busy.stop(self._since, now)
            if self._meter.calls is not None:
                self._worked = (self._since, now)
            self._since = None

    def forget(self) -> None:
        """It was none: the source had nothing more to give."""
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
        if self._meter.calls is not None:
            self._meter.calls.append(self._record(None, None))

    def _fail(self, error: BaseException, given: object) -> None:
        gauge = self._gauge
        gauge.count_overrun = None
        gauge.failed += 1
        self._meter.failed(gauge, self._item)
        if self._meter.calls is not None:
            self._meter.calls.append(self._record(error, given))

    def _record(self, error: BaseException | None, given: object) -> Record:
        now, zero = self._meter.clock(), self._meter.started
        spans: tuple[float, ...] = ()
        if self._spans is not None:
            self._spans.add(*self._worked)
            spans = self._spans.since(zero)
        return (
            self._gauge.label,
            self._gauge.path,
            self._item,
            self._start - zero,
            now - zero,
            self._busy,
            self._products,
            self._attempt,
            None if error is None else f"{short(error)}, given {_short_input(given)}",
            spans,
        )


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
