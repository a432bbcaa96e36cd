"""What has been measured: of a row, of a contest, of a whole run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .contest import Clock, Goal

__all__ = ["ContestOutcome", "RowOutcome", "RunOutcome"]


@dataclass
class RowOutcome:
    """The costs of a row, round by round, or what went wrong.

    - `cpu` and `wall` are in seconds for a unit; `values` is what a contest of `Clock.VALUE` is
      about. The lists of all rows of a contest are parallel: one entry for each round.
    - `error` is "wrong outputs", "broke its promise", "can't" or "crashed", and `message` says
      more; there are no costs then.
    - `traced` and `rss` are the peaks of memory in bytes, where they were taken.
    """

    name: str
    contender: str
    promises: str = ""
    note: str = ""
    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    error: str = ""
    message: str = ""
    traced: int | None = None
    rss: int | None = None

    @property
    def is_bound(self) -> bool:
        """Whether it isn't work of its contender, but what others are held against: it isn't called
        by the contender's name."""
        return not self.name.startswith(self.contender)

    def costs(self, clock: Clock) -> list[float]:
        """The costs by the clock of the contest; none where something went wrong."""
        if self.error:
            return []
        return {Clock.CPU: self.cpu, Clock.WALL: self.wall, Clock.VALUE: self.values}[clock]


@dataclass
class ContestOutcome:
    """What a contest came to; its fields are those of `Contest`."""

    workload: str
    name: str
    question: str
    unit: str
    clock: Clock
    scale: float
    goals: list[Goal]
    subject: str
    yardstick: str
    rows: list[RowOutcome]
    absent: dict[str, str]

    def row(self, name: str) -> RowOutcome | None:
        """The row of this name."""
        return next((row for row in self.rows if row.name == name), None)

    def costs(self, name: str) -> list[float]:
        """The costs of this row; none if it has none."""
        row = self.row(name)
        return [] if row is None else row.costs(self.clock)


@dataclass
class RunOutcome:
    """What a run of the benchmarks came to.

    `size` is "full", "quick" or "smoke"; `complete` is False where it was interrupted;
    `circumstances` has texts and numbers; `contenders` the version of each that took part, and
    `absent` why others did not.
    """

    library: str
    size: str
    rounds: int
    circumstances: Mapping[str, Any]
    contenders: dict[str, str]
    contests: list[ContestOutcome] = field(default_factory=list)
    complete: bool = True
    absent: dict[str, str] = field(default_factory=dict)

    def contest(self, name: str) -> ContestOutcome | None:
        """The contest of this name."""
        return next((contest for contest in self.contests if contest.name == name), None)
