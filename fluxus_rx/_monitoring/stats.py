"""Where the time of a run goes, while it goes on: what each step does, and what holds it up."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from math import inf
from typing import Any, Final

from .._common.encoding import printed
from .._common.text import counted, measured_time, printable, shortened, table
from .gauge import Gauge
from .meter import Meter

__all__ = ["Explanation", "RunStats", "StepStats", "stats_of"]


@printed
@dataclasses.dataclass(frozen=True, slots=True)
class StepStats:
    """What one step does, over all its places in the flow.

    - `in_flight`: calls under way; `limit`: how many there may be, None for no limit and for a
      source
    - `waiting`: products in front of it, or in it until a limiter or a retry lets them go on
    - `done`, `failed`: calls that are over for good; `retried`: attempts that were followed by
      another one. Of a source, products.
    - `dropped`: products for which there was no room, and which its `overflow` policy has dropped
    - `busy`: seconds that its calls have worked, added up
    - `held`: seconds that they have waited for a limiter, or for their next attempt, added up
    - `starved`: seconds in which it could have begun a call, but had nothing to call it with
    - `blocked`: seconds in which a product of it waited for room further down
    - `load`: the part, 0 to 1, of the time in which it had something to do, that it was neither
      starved nor blocked; of a source, and of a plain function on the loop, that it has worked.
      The step whose load is near 1 sets the pace
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
    _open: float = dataclasses.field(repr=False, default=0.0)
    _kind: str = dataclasses.field(repr=False, default="step")
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
            done=sum(gauge.done for gauge in places),
            failed=sum(gauge.failed for gauge in places),
            retried=sum(gauge.retried for gauge in places),
            dropped=sum(gauge.dropped for gauge in places),
            busy=busy,
            held=sum(one.held for one in times),
            starved=starved,
            blocked=blocked,
            load=min(max(load, 0.0), 1.0),
            _open=opened / len(places),
            _kind=first.kind,
            _trails=tuple(gauge.trail for gauge in places if gauge.trail is not None),
        )


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
    "load": lambda step: f"{step.load:.0%}",
}


@printed
@dataclasses.dataclass(frozen=True, slots=True)
class RunStats:
    """What a run does at a moment: its steps in the order of the flow; its `str` is a table.

    `elapsed` is in seconds since the run began; `state` is `"running"`, `"paused"`, `"draining"`,
    `"done"`, `"failed"` or `"cancelled"`; `failures` counts the calls that failed for good and did
    not end the run.

    >>> print(RunStats(1.5, "running", 0, ()))
    running for 1.5 s
    """

    elapsed: float
    state: str
    failures: int
    steps: tuple[StepStats, ...]

    def __str__(self) -> str:
        failures = f", {counted(self.failures, 'failure')}" if self.failures else ""
        head = f"{self.state} for {measured_time(self.elapsed)}{failures}"
        if not self.steps:
            return head
        rows = [[cell(step) for cell in _STATS_COLUMNS.values()] for step in self.steps]
        return "\n".join([head, *table([[*_STATS_COLUMNS], *rows])])

    def __getitem__(self, step: str) -> StepStats:
        """The numbers of the step of this name; raises KeyError where there is none."""
        for one in self.steps:
            if one.step == step:
                return one
        raise KeyError(step)

    def explain(self) -> Explanation:
        """What holds the run up.

        >>> RunStats(1.5, "running", 0, ()).explain().bottleneck
        """
        return _Explaining(self).explanation()


@printed
@dataclasses.dataclass(frozen=True, slots=True)
class Explanation:
    """What holds a run up: `bottleneck` is the name of a step, `"the reader"` for whoever takes the
    outputs, or None; `sentence` says why, with numbers, and what to do; `stats` are all numbers.

    Its `str` is the sentence, and the table below it.
    """

    bottleneck: str | None
    sentence: str
    stats: RunStats

    def __str__(self) -> str:
        return f"{self.sentence}\n\n{self.stats}"


def stats_of(meter: Meter, state: str, failures: int = 0) -> RunStats:
    """What a run does now that this meter counts; in O(steps).

    >>> stats_of(Meter(), "done").steps
    ()
    """
    steps = tuple(StepStats.of(places) for places in meter.gauges.by_step())
    return RunStats(meter.elapsed, state, failures, steps)


class _Explaining:
    """Looks for the step that holds a run up, among those that were called."""

    def __init__(self, stats: RunStats) -> None:
        self._stats = stats
        self._elapsed = stats.elapsed
        self._steps = [step for step in stats.steps if step.done or step.failed or step.in_flight]

    def explanation(self) -> Explanation:
        """What holds the run up."""
        if not self._steps or not self._elapsed:
            return Explanation(None, "No step has been called yet.", self._stats)
        # Of equals the last one: it holds up the others.
        slowest = max(reversed(self._steps), key=self._weight)
        reader = self._steps[-1].blocked / self._elapsed
        if reader > self._weight(slowest) and reader > 0.5:
            return self._reader_is_slow(reader)
        if self._weight(slowest) < 0.5:
            return self._nothing_is_slow()
        return self._is_slow(slowest)

    def _weight(self, step: StepStats) -> float:
        """The part of the run in which a step was at work, and so were all its places."""
        return step.load * step._open / self._elapsed

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
        why = _why(slowest, self._weight(slowest), self._elapsed)
        sentences = [f"{slowest.step} is the bottleneck: {why}"]
        index = self._steps.index(slowest)
        for behind in self._steps[index + 1 :]:
            if _leads_to(slowest, behind):
                starved = behind.starved / self._elapsed
                sentences.append(f"{behind.step}, behind it, was starved for {starved:.0%}")
                break
        for before in reversed(self._steps[:index]):
            if _leads_to(before, slowest):
                blocked = before.blocked / self._elapsed
                sentences.append(f"{before.step}, before it, was blocked for {blocked:.0%}")
                break
        sentence = f"{'; '.join(sentences)}. {_remedy(slowest)}"
        return Explanation(slowest.step, sentence, self._stats)


def _leads_to(first: StepStats, second: StepStats) -> bool:
    """Whether a path leads from one step to the other."""
    return any(start.leads_to(end) for start in first._trails for end in second._trails)


def _why(step: StepStats, weight: float, elapsed: float) -> str:
    part = f"for {weight:.0%} of {measured_time(elapsed)}"
    if step._kind == "source":
        return f"it was busy {part} with giving products"
    if step._kind == "inline":
        return f"its function kept the loop busy {part}"
    if step.limit is None:
        return f"it was never without a product {part}, and has no limit"
    places = "its one place was" if step.limit == 1 else f"all of its {step.limit} places were"
    waiting = f", with {counted(step.waiting, 'product')} waiting" if step.waiting else ""
    return f"{places} taken {part}{waiting}"


def _remedy(step: StepStats) -> str:
    if step._kind == "source":
        return "Have it give products faster: nothing behind it can be ahead of it."
    if step._kind == "inline":
        return "Run it in processes (executor='process'), or in threads if it waits for something."
    if step.held > step.busy:
        return (
            "Its calls waited for its limiter, or for another attempt, for"
            f" {measured_time(step.held)} in sum, and worked for {measured_time(step.busy)}: more"
            " places would not help."
        )
    return "Raise its concurrency, if what it calls allows that, or make its calls faster."
