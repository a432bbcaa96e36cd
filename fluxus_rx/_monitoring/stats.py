"""Where the time of a run goes, while it goes on: what each step does, and what holds it up."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from math import inf
from typing import Any, Final

from .._common.encoding import printed, to_print
from .._common.notebook import folded, html_table
from .._common.text import counted, html_text, measured_time, printable, shortened, table
from .gauge import Gauge
from .meter import Meter

__all__ = ["Explanation", "RunStats", "StepStats", "stats_of"]


@printed
@dataclasses.dataclass(frozen=True, slots=True)
class StepStats:
    """What one step does, over all its places in the flow: a row of `RunStats`.

    - `in_flight`: calls in flight; `limit`: the concurrency limit, None for no limit and for a
      source
    - `waiting`: products in front of it, or in it until a limiter or a retry admits them
    - `done`, `failed`: calls that ended; `retried`: attempts that were followed by another one. Of
      a source, products.
    - `dropped`: products that its `overflow` policy has dropped, for want of room
    - `busy`: seconds that its calls have worked, added up
    - `held`: seconds that they have waited for a limiter, or for their next attempt, added up
    - `starved`: seconds in which it could have begun a call, but had no product
    - `blocked`: seconds in which a product of it waited for room further down (backpressure)
    - `load`: the part, 0 to 1, of its time in which it was neither starved nor blocked; of a
      source, and of a plain function on the loop, in which it worked. The step whose load is near 1
      sets the pace.
    - `on_loop`: seconds for which its code has held the loop, from one await to the next; code in
      threads and processes doesn't
    - `computing`: the part, 0 to 1, of them in which it computed rather than waited, as for a file;
      None if it took too little to be measured

    >>> fetch = StepStats("fetch", 3, 3, 16, 40, 2, 5, 0, 9.5, 0.0, 0.1, 0.0, 0.99)
    >>> fetch.done, fetch.failed, fetch.retried, fetch.load
    (40, 2, 5, 0.99)
    """

    step: str
    in_flight: int
    limit: int | None
    waiting: int
    done: int
    failed: int
    retried: int
    dropped: int
    busy: float
    held: float
    starved: float
    blocked: float
    load: float
    on_loop: float = 0.0
    computing: float | None = None
    _open: float = dataclasses.field(repr=False, default=0.0)
    _kind: str = dataclasses.field(repr=False, default="step")
    _places: int = dataclasses.field(repr=False, default=1)
    _trails: tuple[Any, ...] = dataclasses.field(repr=False, compare=False, default=())

    @classmethod
    def of(cls, places: Sequence[Gauge]) -> StepStats:
        """The numbers of a step at these places."""
        first, times = places[0], [gauge.times() for gauge in places]
        busy, starved = sum(one.busy for one in times), sum(one.starved for one in times)
        blocked, opened = sum(one.blocked for one in times), sum(one.open for one in times)
        load = 0.0
        if opened and first.kind == "step":
            load = 1 - (starved + blocked) / opened
        elif opened:
            load = busy / opened
        return cls(
            step=first.label,
            in_flight=(0 if first.kind == "source" else sum(gauge.in_flight for gauge in places)),
            limit=None if first.limit in (None, inf) else int(first.limit or 0),
            waiting=sum(gauge.waiting for gauge in places),
            done=sum(gauge.calls_done for gauge in places),
            failed=sum(gauge.failed for gauge in places),
            retried=sum(gauge.retried for gauge in places),
            dropped=sum(gauge.dropped for gauge in places),
            busy=busy,
            held=sum(one.held for one in times),
            starved=starved,
            blocked=blocked,
            load=min(max(load, 0.0), 1.0),
            on_loop=sum(gauge.seconds_on_loop for gauge in places),
            computing=_computing(places),
            _open=opened / len(places),
            _kind=first.kind,
            _places=len(places),
            _trails=tuple(gauge.trail for gauge in places if gauge.trail is not None),
        )

    @property
    def _blocked_loop(self) -> float:
        """Seconds for which it has held the loop without computing, as far as is known."""
        return 0.0 if self.computing is None else self.on_loop * (1 - self.computing)

    @property
    def _is_blocking(self) -> bool:
        """Whether it waits rather than computes while it holds the loop."""
        return self._blocked_loop > 0.7 * self.on_loop


def _computing(places: Sequence[Gauge]) -> float | None:
    """The part in which a step computed at these places, by what each has held the loop."""
    known = [
        (gauge.seconds_on_loop, part)
        for gauge in places
        if gauge.loop_time is not None and (part := gauge.loop_time.computing) is not None
    ]
    held = sum(seconds for seconds, _ in known)
    return sum(seconds * part for seconds, part in known) / held if held else None


#: The columns of the table: the heading, and the cell of a step.
_STATS_COLUMNS: Final[dict[str, Callable[[StepStats], str]]] = {
    "step": lambda step: shortened(printable(step.step), 40),
    "in flight": lambda step: f"{step.in_flight:,}",
    "waiting": lambda step: f"{step.waiting:,}",
    "done": lambda step: f"{step.done:,}",
    "failed": lambda step: f"{step.failed:,}",
    "retried": lambda step: f"{step.retried:,}",
    "dropped": lambda step: f"{step.dropped:,}",
    "busy": lambda step: measured_time(step.busy),
    "starved": lambda step: measured_time(step.starved),
    "blocked": lambda step: measured_time(step.blocked),
    "on loop": lambda step: measured_time(step.on_loop),
    "load": lambda step: f"{step.load:.0%}",
}


@printed
@dataclasses.dataclass(frozen=True, slots=True)
class RunStats:
    """What a run does at a moment: its steps in the order of the flow; its `str` is a table.

    `elapsed` is in seconds since the run began. `state` is `"running"`, `"paused"`, `"draining"`,
    `"done"`, `"failed"` or `"cancelled"`. `failures` counts the failed calls that did not end the
    run. `loop` is the part, 0 to 1, of the time in which the thread of the loop was busy: it
    computed, or a step held it while waiting.

    >>> print(RunStats(1.5, "running", 0, (), loop=0.97))
    running for 1.5 s, with the loop at work for 97% of it
    """

    elapsed: float
    state: str
    failures: int
    steps: tuple[StepStats, ...]
    loop: float = 0.0
    _paused: float = dataclasses.field(repr=False, default=0.0)

    @property
    def _head(self) -> str:
        failures = f", {counted(self.failures, 'failure')}" if self.failures else ""
        loop = f", with the loop at work for {self.loop:.0%} of it" if self.loop >= 0.5 else ""
        return f"{self.state} for {measured_time(self.elapsed)}{failures}{loop}"

    def __str__(self) -> str:
        head = self._head
        if not self.steps:
            return head
        rows = [[cell(step) for cell in _STATS_COLUMNS.values()] for step in self.steps]
        return "\n".join([head, *table([[*_STATS_COLUMNS], *rows])])

    def __repr__(self) -> str:
        return f"<RunStats {self._head}: {counted(len(self.steps), 'step')}>"

    def _repr_html_(self) -> str:
        return folded(self._head, _stats_html(self), is_open=True)

    def _repr_pretty_(self, printer: Any, is_cycle: bool) -> None:
        printer.text(str(self))

    def __getitem__(self, step: str) -> StepStats:
        """The numbers of the step of this name; raises KeyError for an unknown name."""
        for one in self.steps:
            if one.step == step:
                return one
        raise KeyError(step)

    def explain(self) -> Explanation:
        """Which step limits the throughput of the run, and why.

        >>> RunStats(1.5, "running", 0, ()).explain().bottleneck
        """
        return _Explaining(self).explanation()


@printed
@dataclasses.dataclass(frozen=True, slots=True)
class Explanation:
    """Which step limits the throughput of a run, and why.

    - `bottleneck`: the name of a step, `"the reader"` for the code that takes the outputs, `"the
      loop"` if that is busy and no single step is the cause, or None
    - `sentence`: the reason, with numbers, and what to do
    - `stats`: all numbers, as `RunStats`

    Its `str` is the sentence, with the table below it.

    >>> import asyncio
    >>> from fluxus_rx import start, step
    >>> from fluxus_rx.testing import run_virtual
    >>> async def fetch(x):
    ...     await asyncio.sleep(1)
    ...     return {"y": x}
    >>> async def main():
    ...     run = start(step("src", [{"x": 1}] * 9) >> step("fetch", fetch).options(concurrency=3))
    ...     await run.result()
    ...     return run.explain().bottleneck
    >>> run_virtual(main)
    'fetch'
    """

    bottleneck: str | None
    sentence: str
    stats: RunStats

    def __post_init__(self) -> None:
        object.__setattr__(self, "sentence", to_print(self.sentence))

    def __str__(self) -> str:
        return f"{self.sentence}\n\n{self.stats}"

    def __repr__(self) -> str:
        return f"<Explanation: {shortened(self.sentence, 200)}>"

    def _repr_html_(self) -> str:
        return f"<div><p>{html_text(self.sentence)}</p>{self.stats._repr_html_()}</div>"

    def _repr_pretty_(self, printer: Any, is_cycle: bool) -> None:
        printer.text(str(self))


def stats_of(meter: Meter, state: str, failures: int = 0) -> RunStats:
    """What a run does now that this meter counts; in O(steps).

    >>> stats_of(Meter(), "done").steps
    ()
    """
    steps = tuple(StepStats.of(places) for places in meter.gauges.by_step())
    elapsed = meter.elapsed
    blocking = sum(step._blocked_loop for step in steps)
    # What other programs take of the processor is in the second sum only.
    at_work = max(meter.computed + blocking, sum(step.on_loop for step in steps))
    loop = min(at_work / elapsed, 1.0) if elapsed else 0.0
    return RunStats(elapsed, state, failures, steps, loop, _paused=meter.paused())


#: Steps that a notebook shows at once.
_MOST_ROWS: Final = 40


def _stats_html(stats: RunStats) -> str:
    """The table of the steps; those of a long flow fold."""
    headings = [(heading, 1) for heading in _STATS_COLUMNS]
    numbers = [heading != "step" for heading in _STATS_COLUMNS]
    rows = [[cell(step) for cell in _STATS_COLUMNS.values()] for step in stats.steps]
    table = html_table([headings], rows[:_MOST_ROWS], numbers) if rows else ""
    if len(rows) > _MOST_ROWS:
        more = rows[_MOST_ROWS : 10 * _MOST_ROWS]
        title = f"{len(more):,} of {counted(len(rows) - _MOST_ROWS, 'more step')}"
        table += folded(title, html_table([headings], more, numbers))
    return table


#: From this part of the time on, in which its thread is at work, the loop sets the pace.
FULL: Final = 0.8

#: Steps that a sentence names at most.
MOST_SHARES: Final = 5


class _Explaining:
    """Looks for the step that limits the throughput, among those that were called or had something
    to do."""

    def __init__(self, stats: RunStats) -> None:
        self._stats = stats
        #: seconds in which there could be something to do
        self._elapsed = max(stats.elapsed - stats._paused, 0.0)
        self._steps = [step for step in stats.steps if _was_reached(step)]

    def explanation(self) -> Explanation:
        """Which step limits the throughput."""
        if not self._steps or not self._elapsed:
            return Explanation(None, "No step has been called yet.", self._stats)
        if self._stats.state == "paused":
            sentence = "The run is paused, and begins no call until resume() is called."
            return Explanation(None, sentence, self._stats)
        # Of equals the last one: it holds up the others.
        slowest = max(reversed(self._steps), key=self._weight)
        if self._stats.loop >= FULL:
            # Whatever else is slow then may be so because it waits for the loop.
            holder = max(reversed(self._steps), key=lambda step: step.on_loop)
            if holder.on_loop >= self._stats.loop * self._elapsed / 2:
                return self._is_slow(holder)
            return self._loop_is_full()
        reader = self._part(self._steps[-1].blocked, self._steps[-1])
        if reader > self._weight(slowest) and reader > 0.5:
            return self._reader_is_slow(reader)
        if self._weight(slowest) < 0.5:
            return self._nothing_is_slow()
        return self._is_slow(slowest)

    def _keeps_loop(self, step: StepStats) -> bool:
        """Whether a step is slow since its code holds the loop."""
        if step._kind == "inline":
            return True
        if step.on_loop < 0.5 * self._elapsed:
            return False
        return step._kind == "step" or step._is_blocking

    def _why(self, step: StepStats) -> str:
        part = f"for {self._weight(step):.0%} of {measured_time(self._elapsed)}"
        if step._kind == "source":
            return f"it was busy {part} with making products"
        if step.limit is None:
            return f"it was never without a product {part}, and has no limit"
        slots = "its one slot was" if step.limit == 1 else f"all of its {step.limit} slots were"
        waiting = f", with {counted(step.waiting, 'product')} waiting" if step.waiting else ""
        return f"{slots} taken {part}{waiting}"

    def _why_on_loop(self, step: StepStats) -> str:
        held = step.on_loop or step.busy
        part = f"for {min(held / self._elapsed, 1.0):.0%} of {measured_time(self._elapsed)}"
        if step._is_blocking:
            return f"it blocks the loop {part}, and computes in only {step.computing:.0%} of that"
        if step._kind == "inline":
            return f"its function kept the loop busy {part}"
        return f"its code kept the loop busy {part}, between its awaits"

    def _part(self, seconds: float, step: StepStats) -> float:
        """The part of the run that so many seconds are, at one of the places of a step."""
        return min(seconds / step._places / self._elapsed, 1.0)

    def _weight(self, step: StepStats) -> float:
        """The part of the run in which a step was at work, and so were all its places."""
        return step.load * step._open / self._elapsed

    def _loop_is_full(self) -> Explanation:
        parts = [(step.on_loop / self._elapsed, step.step) for step in self._steps]
        longest = sorted((part for part in parts if part[0] >= 0.01), reverse=True)[:MOST_SHARES]
        named = [f"{part:.0%} in {step}" for part, step in longest]
        rest = max(0.0, self._stats.loop - sum(part for part, _ in longest))
        named.append(f"{rest:.0%} in all else that runs on it")
        remedy = "Move what takes long off it: executor='process' for what computes, executor="
        remedy += "'thread' for what waits."
        if rest > self._stats.loop / 2:
            remedy = "Do more in a call, or in fewer steps; or run other code on a loop of its own."
        return Explanation(
            "the loop",
            f"The loop is the bottleneck: its thread was at work for {self._stats.loop:.0%} of"
            f" {measured_time(self._elapsed)}: {', '.join(named)}. {remedy}",
            self._stats,
        )

    def _reader_is_slow(self, blocked: float) -> Explanation:
        return Explanation(
            "the reader",
            f"The reader is the bottleneck: for {blocked:.0%} of {measured_time(self._elapsed)}"
            f" products of {self._steps[-1].step} waited to be taken. Take them faster, or do what"
            " takes long in a step.",
            self._stats,
        )

    def _nothing_is_slow(self) -> Explanation:
        longest = max(self._steps, key=lambda step: step.busy)
        return Explanation(
            longest.step,
            f"No step held up the others; the calls of {longest.step} took longest:"
            f" {measured_time(longest.busy)} in sum, in {measured_time(self._elapsed)}. All that"
            " could run at once did; only faster calls make it faster.",
            self._stats,
        )

    def _is_slow(self, slowest: StepStats) -> Explanation:
        why, remedy = self._why(slowest), _remedy(slowest)
        if self._keeps_loop(slowest):
            why, remedy = self._why_on_loop(slowest), _remedy_on_loop(slowest)
        sentences = [f"{slowest.step} is the bottleneck: {why}"]
        index = self._steps.index(slowest)
        for behind in self._steps[index + 1 :]:
            if _leads_to(slowest, behind):
                starved = self._part(behind.starved, behind)
                sentences.append(f"{behind.step}, behind it, was starved for {starved:.0%}")
                break
        for before in reversed(self._steps[:index]):
            if _leads_to(before, slowest):
                blocked = self._part(before.blocked, before)
                sentences.append(f"{before.step}, before it, was blocked for {blocked:.0%}")
                break
        sentence = f"{'; '.join(sentences)}. {remedy}"
        return Explanation(slowest.step, sentence, self._stats)


def _was_reached(step: StepStats) -> bool:
    """Whether a product has come to a step; its calls may all wait for their turn."""
    called = step.done or step.failed or step.in_flight
    return bool(called or step.retried or step.waiting or step.held)


def _leads_to(first: StepStats, second: StepStats) -> bool:
    """Whether a path leads from one step to the other."""
    return any(start.leads_to(end) for start in first._trails for end in second._trails)


def _remedy(step: StepStats) -> str:
    if step._kind == "source":
        return "Have it emit products faster: nothing behind it can be ahead of it."
    if step.held > step.busy:
        return (
            "Its calls waited for its limiter, or for another attempt, for"
            f" {measured_time(step.held)} in sum, and worked for {measured_time(step.busy)}: more"
            " places would not help."
        )
    return "Raise its concurrency, if what it calls allows that, or make its calls faster."


def _remedy_on_loop(step: StepStats) -> str:
    if step._is_blocking and step._kind == "step":
        return 'Await what it waits for, or do that in a plain step with executor="thread".'
    if step._is_blocking:
        return 'Set executor="thread" on it, and the loop goes on while it waits.'
    if step._kind == "inline":
        return "Run it in processes (executor='process'), or in threads if it waits for something."
    return "Move what it computes into a plain step, and run it in processes (executor='process')."


# Users see, pickle and report what they import, not where it is written.
for _public in (Explanation, RunStats, StepStats):
    _public.__module__ = "fluxus_rx"
