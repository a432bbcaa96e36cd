"""Where the time of a run goes, while it goes on: what each step does, and what holds it up."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from math import inf

from .._common.text import printable, seconds, shortened, table
from .._common.trail import Trail
from .gauge import Gauge
from .meter import Meter

__all__ = ["Explanation", "RunStats", "StepStats", "stats_of"]

_STATS_HEADINGS = (
    *("step", "in flight", "waiting", "done", "failed", "retried", "dropped"),
    *("busy", "starved", "blocked", "load"),
)


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
    _trails: tuple[Trail, ...] = dataclasses.field(repr=False, compare=False, default=())

    @classmethod
    def of(cls, places: Sequence[Gauge]) -> StepStats:
        """The numbers of a step at these places."""
        busy = held = starved = blocked = lasted = 0.0
        for gauge in places:
            worked, waited = gauge.seconds()
            busy, held = busy + worked, held + waited
            if gauge.idle_times is None:
                continue
            without, full, open_for = gauge.idle_times.now()
            if gauge.is_source:
                full = max(0.0, open_for - worked)
            elif gauge.is_inline:
                without = max(0.0, open_for - worked - full)
            starved, blocked, lasted = starved + without, blocked + full, lasted + open_for
        first = places[0]
        inline = first.is_source or first.is_inline
        load = busy / lasted if inline and lasted else 0.0
        if not inline and lasted:
            load = 1 - (starved + blocked) / lasted
        return cls(
            step=first.label,
            in_flight=0 if first.is_source else sum(g.started - g.over for g in places),
            limit=None if first.limit in (None, inf) else int(first.limit or 0),
            waiting=sum(gauge.waiting for gauge in places),
            done=sum(gauge.done for gauge in places),
            failed=sum(gauge.failed for gauge in places),
            retried=sum(gauge.retried for gauge in places),
            dropped=sum(gauge.dropped for gauge in places),
            busy=busy,
            held=held,
            starved=starved,
            blocked=blocked,
            load=min(max(load, 0.0), 1.0),
            _open=lasted / len(places),
            _trails=tuple(gauge.trail for gauge in places if gauge.trail is not None),
            _kind="source" if first.is_source else "inline" if first.is_inline else "step",
        )

    def _cells(self) -> tuple[str, ...]:
        counts = (
            *(self.in_flight, self.waiting, self.done, self.failed, self.retried),
            self.dropped,
        )
        times = (self.busy, self.starved, self.blocked)
        return (
            *(shortened(printable(self.step), 40), *(f"{count:,}" for count in counts)),
            *(*map(seconds, times), f"{self.load:.0%}"),
        )


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
        failures = f", {self.failures:,} failures" if self.failures else ""
        head = f"{self.state} for {seconds(self.elapsed)}{failures}"
        if not self.steps:
            return head
        return "\n".join([head, *table([_STATS_HEADINGS, *(step._cells() for step in self.steps)])])

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
        return _explanation(self)


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
    steps = tuple(StepStats.of(places) for places in meter.by_step())
    return RunStats(meter.elapsed, state, failures, steps)


def _explanation(stats: RunStats) -> Explanation:
    elapsed = stats.elapsed
    steps = [step for step in stats.steps if step.done or step.failed or step.in_flight]
    if not steps or not elapsed:
        return Explanation(None, "No step has been called yet.", stats)

    def weight(step: StepStats) -> float:
        return step.load * step._open / elapsed

    slowest = max(reversed(steps), key=weight)  # of equals the last one: it holds up the others
    last = steps[-1]
    reader = last.blocked / elapsed
    if reader > weight(slowest) and reader > 0.5:
        return Explanation(
            "the reader",
            f"The reader is the bottleneck: for {reader:.0%} of {seconds(elapsed)} products of"
            f" {last.step} waited to be taken. Take them faster, or do what takes long in a step.",
            stats,
        )
    if weight(slowest) < 0.5:
        longest = max(steps, key=lambda step: step.busy)
        return Explanation(
            longest.step,
            f"No step held up the others; the calls of {longest.step} took longest:"
            f" {seconds(longest.busy)} in sum, in {seconds(elapsed)}. All that could run at once"
            " did; only faster calls make it faster.",
            stats,
        )
    told = [f"{slowest.step} is the bottleneck: {_why(slowest, weight(slowest), elapsed)}"]
    index = steps.index(slowest)
    for behind in steps[index + 1 :]:
        if _leads_to(slowest, behind):
            told.append(f"{behind.step}, behind it, was starved for {behind.starved / elapsed:.0%}")
            break
    for before in reversed(steps[:index]):
        if _leads_to(before, slowest):
            told.append(f"{before.step}, before it, was blocked for {before.blocked / elapsed:.0%}")
            break
    return Explanation(slowest.step, f"{'; '.join(told)}. {_remedy(slowest)}", stats)


def _leads_to(first: StepStats, second: StepStats) -> bool:
    """Whether a path leads from one step to the other."""
    return any(start.leads_to(end) for start in first._trails for end in second._trails)


def _why(step: StepStats, weight: float, elapsed: float) -> str:
    part = f"for {weight:.0%} of {seconds(elapsed)}"
    if step._kind == "source":
        return f"it was busy {part} with giving products"
    if step._kind == "inline":
        return f"its function kept the loop busy {part}"
    if step.limit is None:
        return f"it was never without a product {part}, and has no limit"
    places = "its one place was" if step.limit == 1 else f"all of its {step.limit} places were"
    waiting = f", with {step.waiting:,} products waiting" if step.waiting else ""
    return f"{places} taken {part}{waiting}"


def _remedy(step: StepStats) -> str:
    if step._kind == "source":
        return "Have it give products faster: nothing behind it can be ahead of it."
    if step._kind == "inline":
        return "Run it in processes (executor='process'), or in threads if it waits for something."
    if step.held > step.busy:
        return (
            f"Its calls waited for its limiter, or for another attempt, for {seconds(step.held)} in"
            f" sum, and worked for {seconds(step.busy)}: more places would not help."
        )
    return "Raise its concurrency, if what it calls allows that, or make its calls faster."
