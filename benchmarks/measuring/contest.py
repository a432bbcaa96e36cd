"""A contest as data: the same work, done by several contenders, and the goals that are set."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

__all__ = [
    "BY_HAND",
    "OURS",
    "BrokenPromise",
    "CannotDo",
    "Clock",
    "Contest",
    "Goal",
    "Refused",
    "Row",
    "Size",
    "Trial",
    "Workload",
    "WrongOutputs",
]

#: The row that every cost is told in terms of.
OURS = "fluxus_rx"
#: The row that most goals are set against.
BY_HAND = "by-hand"


class Refused(ValueError):
    """What was asked for can't be done; the message says why, and what to do instead."""


class WrongOutputs(Exception):
    """Outputs are not those that must come: the time would mean nothing."""


class BrokenPromise(Exception):
    """Outputs are right, and a contender has not kept what it promises: it isn't ranked."""


class CannotDo(Exception):
    """A contender finds out, when it is asked, that it can't do this; the message says why."""


class Clock(enum.Enum):
    """What a cost is."""

    #: seconds of CPU of the process, its threads and the children that it has waited for
    CPU = "cpu"
    #: seconds that passed
    WALL = "wall"
    #: no time: a number that the trial makes of the outputs, such as bytes or items
    VALUE = "value"


class Size(enum.Enum):
    """How large a workload is."""

    #: on a quiet machine, for the record
    FULL = "full"
    #: real verdicts with wider intervals
    QUICK = "quick"
    #: are all outputs right? No numbers
    SMOKE = "smoke"

    def pick(self, full: int, quick: int, smoke: int | None = None) -> int:
        """One of the numbers; a smoke run takes that of a quick one where it has none."""
        if self is Size.FULL:
            return full
        return quick if self is Size.QUICK or smoke is None else smoke

    @property
    def seconds(self) -> float:
        """For how long, at least, a trial is repeated for one value."""
        return {Size.FULL: 0.05, Size.QUICK: 0.005, Size.SMOKE: 0.0}[self]


@dataclass(frozen=True)
class Trial:
    """One way to do the work of a contest, ready to be done in the process of its contender.

    - `setup`, called before each run and outside of the time, lays out what the run takes.
    - `run` does the work once, from beginning to end; it is what is timed, and it is called again
      and again.
    - `check` raises `WrongOutputs` where what a run has returned is wrong; outside of the time.
    - `units`: the cost of a run is divided by this number.
    - `value`: for `Clock.VALUE`, the cost, made of what a run has returned.
    - `verify`, called once before any time counts, raises `BrokenPromise` or `WrongOutputs`.
    - `repeats`: whether a short run is repeated until it has taken long enough to be timed; False
      for what waits, or is long by itself.
    """

    run: Callable[[], Any]
    check: Callable[[Any], None]
    units: float = 1
    setup: Callable[[], None] | None = None
    value: Callable[[Any], float] | None = None
    verify: Callable[[], None] | None = None
    repeats: bool = True


@dataclass(frozen=True)
class Row:
    """A line of a contest: its name, whose process does it, and how.

    `prepare` is called in that process, with the contender's module. The name begins with that of
    the contender, except where the row is a bound that others are held against.
    """

    name: str
    contender: str
    prepare: Callable[[ModuleType], Trial]
    note: str = ""


@dataclass(frozen=True)
class Goal:
    """`row` costs at most `at_most` times what `of` does."""

    at_most: float
    of: str = BY_HAND
    row: str = OURS

    def __str__(self) -> str:
        if self.at_most < 1:
            return f"{self.row} at least {1 / self.at_most:g}x cheaper than {self.of}"
        if self.at_most == 1:
            return f"{self.row} not dearer than {self.of}"
        return f"{self.row} at most {self.at_most:g}x of {self.of}"


@dataclass(frozen=True)
class Contest:
    """The same work done by several contenders.

    - `name` is unique over all workloads and says nothing that depends on the size: files are
      compared by it.
    - `question` is one sentence.
    - `unit` is what a cost is given in; `scale` makes it of seconds, or of the value.
    - `yardstick` is the row that comparisons and plots refer to: the best code by hand where there
      is any. It is that of `subject`, whose cost is 1.
    - `absent`: contenders that don't enter, with the reason of each.
    """

    name: str
    question: str
    unit: str
    rows: Sequence[Row]
    clock: Clock = Clock.CPU
    scale: float = 1e6
    goals: Sequence[Goal] = ()
    subject: str = OURS
    yardstick: str = BY_HAND
    absent: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Workload:
    """A question, and the contests that answer it: `contests(size, contenders)`.

    `sizes` tells how large it is, full and quick; `seconds` is what a full run takes on two idle
    cores, about.
    """

    name: str
    question: str
    contests: Callable[..., Iterable[Contest]]
    sizes: str = ""
    seconds: float = 0.0
    #: where it stands among others: what is asked most comes first
    rank: int = 100
