"""How far a run has come: what its meter counts, with rates and the time that is left."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Literal, TypeAlias

from .._common.encoding import printed
from .._common.text import counted, elapsed_time, measured_time, per_time, printable, remaining_time

__all__ = [
    "GOES_ON",
    "Progress",
    "State",
    "StepProgress",
    "fitting_steps",
    "headline",
    "last_eta",
    "share_done",
    "shown_columns",
    "step_cells",
]

#: How a run stands; it is over in the last three.
State: TypeAlias = Literal["running", "paused", "draining", "done", "failed", "cancelled"]

#: Those in which it goes on.
GOES_ON: Final = ("running", "paused", "draining")

#: Steps in one line of text at most.
IN_LINE: Final = 8


@printed
@dataclasses.dataclass(frozen=True, slots=True)
class StepProgress:
    """How far one step has come, over all its paths; its `str` is a line for people.

    - `done`, `failed`: calls that ended, with success or with an error; of a step that begins a
      flow, products that it has emitted.
    - `in_flight`: calls in flight.
    - `expected`: how many calls there will have been at the end, estimated from the length of the
      source and from the number of products that the steps before it made of each item so far; None
      if the source has no length, as a generator, or has emitted more than its length.
    - `rate`: calls done per second, over the last 10 seconds or so, or since the step began; once
      the step or the run has ended, from its first call to its last.
    - `eta`: seconds until the expected calls are done at the present rate, and no less than the
      longest pause before another attempt; None if unknown, while the run is paused, and once it
      has ended.
    - `waiting`: calls that wait for a limiter, or for their next attempt.
    - `blocked`: whether a product of it waits for room further down (backpressure).
    - `per_call`: seconds that a call works, on average; None before one has ended.

    >>> str(StepProgress("fetch", 340, 256, 2, 1_000, rate=28.0, eta=23.5, waiting=9))
    'fetch 340/1,000 (28/s, 256 in flight, 9 waiting, 2 failed, ETA 24 s)'
    >>> str(StepProgress("fetch", 1_000, 0, 0, 1_000, rate=28.0, eta=0.0, per_call=0.04))
    'fetch 1,000/1,000 (28/s, 40 ms each)'
    """

    step: str
    done: int
    in_flight: int
    failed: int
    expected: int | None
    rate: float
    eta: float | None
    waiting: int = 0
    blocked: bool = False
    per_call: float | None = None

    @property
    def is_over(self) -> bool:
        """Whether all its expected calls are done.

        >>> StepProgress("fetch", 9, 0, 1, 10, rate=28.0, eta=0.0).is_over
        True
        """
        return self.in_flight == self.waiting == self.remaining == 0

    @property
    def remaining(self) -> int | None:
        """How many calls are still to come, wait, or are in flight; None if unknown.

        >>> StepProgress("fetch", 340, 256, 0, 1_000, rate=28.0, eta=23.5).remaining
        660
        """
        if self.expected is None:
            return None
        return max(self.expected - self.done - self.failed, 0)

    def __str__(self) -> str:
        details = []
        if self.rate:
            details.append(per_time(self.rate))
        if self.in_flight:
            details.append(f"{self.in_flight:,} in flight")
        if self.waiting:
            details.append(f"{self.waiting:,} waiting")
        if self.blocked:
            details.append("blocked")
        if self.per_call and self.is_over:
            details.append(f"{measured_time(self.per_call)} each")
        if self.failed:
            details.append(f"{self.failed:,} failed")
        if self.eta:
            details.append(f"ETA {remaining_time(self.eta)}")
        amount = f"{printable(self.step)} {_amount(self)}"
        return f"{amount} ({', '.join(details)})" if details else amount


@printed
@dataclasses.dataclass(frozen=True, slots=True)
class Progress:
    """How far a run has come, as `progress=` of `run` reports it; its `str` is one line for people.

    - `elapsed`: seconds since the run began.
    - `steps`: its steps, each behind those before it in the flow.
    - `eta`: seconds until the last step is done; None if that of any step is unknown, and once the
      run has ended.
    - `state`: `"running"`, `"paused"` or `"draining"`; once it has ended, `"done"`, `"failed"` with
      an error, or `"cancelled"`, as by Ctrl-C.

    >>> fetch = StepProgress("fetch", 340, 256, 2, 1_000, rate=28.0, eta=23.5)
    >>> parse = StepProgress("parse", 338, 0, 0, 998, rate=0.0, eta=None)
    >>> print(Progress(12.0, (fetch, parse), eta=None, state="running"))
    12.0 s: fetch 340/1,000 (28/s, 256 in flight, 2 failed, ETA 24 s), parse 338/998
    """

    elapsed: float
    steps: tuple[StepProgress, ...]
    eta: float | None
    state: State

    def __str__(self) -> str:
        start = headline(dataclasses.replace(self, eta=None))
        steps = ", ".join(map(str, fitting_steps(self.steps, IN_LINE)))
        return f"{start}: {steps}" if steps else start


#: The columns of a table behind that of the names: the head, and the cell of a step.
_COLUMNS: Final[dict[str, Callable[[StepProgress], str]]] = {
    "done": lambda step: _amount(step),
    "in flight": lambda step: f"{step.in_flight:,}",
    "waiting": lambda step: f"{step.waiting:,}{' blocked' if step.blocked else ''}",
    "failed": lambda step: f"{step.failed:,}",
    "rate": lambda step: per_time(step.rate) if step.rate else "",
    "ETA": lambda step: remaining_time(step.eta) if step.eta else "",
}


def shown_columns(steps: Iterable[StepProgress]) -> list[str]:
    """The heads of a table of these steps; that of what waits is there if anything does.

    >>> shown_columns([StepProgress("fetch", 340, 256, 0, 1_000, rate=28.0, eta=23.5)])
    ['done', 'in flight', 'failed', 'rate', 'ETA']
    """
    waits = any(step.waiting or step.blocked for step in steps)
    return [head for head in _COLUMNS if waits or head != "waiting"]


def step_cells(step: StepProgress, columns: Iterable[str]) -> list[str]:
    """What stands under these heads.

    >>> step = StepProgress("fetch", 340, 256, 0, 1_000, rate=28.0, eta=23.5)
    >>> step_cells(step, shown_columns([step]))
    ['340/1,000', '256', '0', '28/s', '24 s']
    """
    return [_COLUMNS[head](step) for head in columns]


def share_done(step: StepProgress, state: State) -> float | None:
    """How much of a step is over, from 0 to 1; None where it runs and that can't be told.

    >>> share_done(StepProgress("fetch", 340, 256, 0, 1_000, rate=28.0, eta=23.5), "running")
    0.34
    """
    if state == "done" or step.is_over:
        return 1.0
    if not step.expected:
        begun = step.done or step.in_flight
        return None if begun and state in GOES_ON else 0.0
    return min((step.done + step.failed) / step.expected, 1.0)


def headline(progress: Progress) -> str:
    """How the run is, and since when.

    >>> headline(Progress(75.0, (), eta=60.0, state="running"))
    '1 min 15 s, ETA 1 min 00 s'
    >>> headline(Progress(75.0, (), eta=None, state="paused"))
    'paused at 1 min 15 s'
    >>> headline(Progress(3.21, (), eta=None, state="failed"))
    'failed after 3.2 s'
    """
    elapsed = elapsed_time(progress.elapsed)
    if progress.state not in GOES_ON:
        return f"{progress.state} after {elapsed}"
    if progress.state != "running":
        elapsed = f"{progress.state} at {elapsed}"
    return f"{elapsed}, ETA {remaining_time(progress.eta)}" if progress.eta else elapsed


def _amount(step: StepProgress) -> str:
    return f"{step.done:,}" if step.expected is None else f"{step.done:,}/{step.expected:,}"


def fitting_steps(steps: Sequence[StepProgress], room: int) -> list[StepProgress]:
    """At most `room` steps, in their order; what there is no room for is summed up in the last.

    Those that are at work come first to stay, then those to come, then those that are over.

    >>> steps = [StepProgress(name, 2, 0, 0, 2, 0.0, 0.0) for name in "abcd"]
    >>> [step.step for step in fitting_steps(steps, 3)]
    ['a', 'b', '… 2 more steps']
    """
    if len(steps) <= room:
        return [*steps]
    ranked = sorted(range(len(steps)), key=lambda index: _rank(steps[index]))
    kept = sorted(ranked[: room - 1])
    rest = [steps[index] for index in sorted(ranked[room - 1 :])]
    return [*(steps[index] for index in kept), _summed(rest)]


def _rank(step: StepProgress) -> int:
    if step.failed:
        return 0
    if step.in_flight or step.waiting or step.blocked:
        return 1
    if step.is_over:
        return 4
    return 2 if step.done else 3


def _summed(steps: Sequence[StepProgress]) -> StepProgress:
    known = [step.expected for step in steps if step.expected is not None]
    return StepProgress(
        f"… {counted(len(steps), 'more step')}",
        sum(step.done for step in steps),
        sum(step.in_flight for step in steps),
        sum(step.failed for step in steps),
        sum(known) if len(known) == len(steps) else None,
        0.0,  # items of several steps a second: who would want to know?
        last_eta(step.eta for step in steps),
        waiting=sum(step.waiting for step in steps),
    )


def last_eta(etas: Iterable[float | None]) -> float | None:
    """The largest one; unknown if one of them is, or if there is none."""
    known = []
    for eta in etas:
        if eta is None:
            return None
        known.append(eta)
    return max(known, default=None)
