"""What outcomes say: who is cheapest, which goals are met, what went wrong."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import NamedTuple

from ..measuring.contenders import PROMISES
from ..measuring.contest import OURS, Clock, Goal
from ..measuring.outcome import ContestOutcome, RowOutcome, RunOutcome
from ..measuring.statistics import Interval, Verdict, ratio, verdict
from .numbers import interval_text, inverse

__all__ = [
    "BUSY",
    "Judged",
    "Lead",
    "circumstance_lines",
    "cost_words",
    "failed",
    "grouped",
    "judged",
    "keeps",
    "lead",
    "median_cost",
    "ranked",
    "share_of_others",
    "times",
    "trouble",
    "went_wrong",
]

#: A machine is busy where others use more than this share of its CPU.
BUSY = 0.1

_CLOCKS: Mapping[Clock, str] = {
    Clock.CPU: " of CPU time",
    Clock.WALL: " of time that passes",
    Clock.VALUE: "",
}


class Judged(NamedTuple):
    """A goal, the ratio that it is about, and whether it is met; no ratio where a row of it has
    failed, or has not had its turn."""

    goal: Goal
    interval: Interval | None
    verdict: Verdict | None

    def __str__(self) -> str:
        return f"{self.goal}: {self.words}"

    @property
    def words(self) -> str:
        """`met, 1.31x (1.25–1.38)`, or `can't tell, 3x (2.6–3.4)`: a factor of dearer or cheaper,
        as the goal says it."""
        if self.interval is None or self.verdict is None:
            return "not measured"
        shown = self.interval if self.goal.at_most >= 1 else inverse(self.interval)
        if self.verdict == "can't tell":
            return f"can't tell, {interval_text(shown, 'x')}"
        return f"{self.verdict}, {interval_text(shown, 'x')}"


class Lead(NamedTuple):
    """The cheapest library of those that keep lineage and a limit, and how many times that the
    next one costs; where it is the only one, the next is the cheapest of the others."""

    first: str
    alone: bool
    second: str
    times: Interval

    @property
    def certain(self) -> bool:
        """Whether one of the two is cheaper, and not only by chance."""
        return not self.times.low <= 1 <= self.times.high


def times(contest: ContestOutcome, row: str, of: str | None = None) -> Interval | None:
    """How many times the cost of `of`, or of the subject, a row costs; None if not measured."""
    ours, theirs = contest.costs(row), contest.costs(of or contest.subject)
    return ratio(ours, theirs) if ours and theirs else None


def median_cost(contest: ContestOutcome, row: RowOutcome) -> float:
    """The median cost, in the unit of the contest."""
    return statistics.median(row.costs(contest.clock)) * contest.scale


def cost_words(contest: ContestOutcome) -> str:
    """What a cost is: `µs per item, of CPU time`."""
    return f"{contest.unit}{_CLOCKS[contest.clock]}"


def ranked(contest: ContestOutcome) -> list[RowOutcome]:
    """The rows that were measured, from cheapest to dearest: by their ratio to the subject, which
    a slow spell changes less than costs."""

    def rank(row: RowOutcome) -> float:
        found = times(contest, row.name)
        return median_cost(contest, row) if found is None else found.middle

    return sorted((row for row in contest.rows if row.costs(contest.clock)), key=rank)


def failed(contest: ContestOutcome) -> list[RowOutcome]:
    """The rows that went wrong, or couldn't be done."""
    return [row for row in contest.rows if row.error]


def went_wrong(row: RowOutcome) -> bool:
    """Whether something is to be put right; an inability isn't."""
    return bool(row.error) and row.error != "can't"


def keeps(row: RowOutcome, other: str = "") -> str:
    """The promises that its contender keeps, as letters, with `other` for each of the others;
    nothing for a bound, and for who promises nothing."""
    if row.is_bound or not row.promises:
        return ""
    return "".join(letter if letter in row.promises else other for letter in PROMISES.values())


def trouble(row: RowOutcome) -> str:
    """What went wrong: `broke its promise: limit 100, 113 in flight`."""
    return f"{row.error}: {row.message}" if row.message else row.error


def judged(contest: ContestOutcome) -> list[Judged]:
    """Each goal between rows that take part, with what came of it."""
    names = {row.name for row in contest.rows}
    found = []
    for goal in contest.goals:
        if not {goal.row, goal.of} <= names:
            continue
        interval = times(contest, goal.row, goal.of)
        found.append(Judged(goal, interval, interval and verdict(interval, goal.at_most)))
    return found


def lead(contest: ContestOutcome, versions: Mapping[str, str]) -> Lead | None:
    """The cheapest library of those that keep lineage and a limit; None where that isn't a
    question: where all do or nobody does, or where no time is compared.

    `versions` are those of the contenders in the run: those without one aren't libraries, but code
    by hand. Each library counts once: another API of ours isn't another library.
    """
    rows = [
        row
        for row in ranked(contest)
        if versions.get(row.name) and not row.name.startswith(f"{OURS} ")
    ]
    both = {PROMISES["lineage"], PROMISES["limit"]}
    keeping = [row.name for row in rows if both <= {*row.promises}]
    rest = [row.name for row in rows if row.name not in keeping]
    if not keeping or not rest or contest.clock is Clock.VALUE:
        return None
    first, second = [*keeping, *rest][:2]
    ahead = ratio(contest.costs(second), contest.costs(first))
    return Lead(first, len(keeping) == 1, second, ahead)


def grouped(absent: Mapping[str, str]) -> list[str]:
    """Those that can't, once for each reason: `dask, trio (not installed)`."""
    names: dict[str, list[str]] = {}
    for name, reason in absent.items():
        names.setdefault(reason, []).append(name)
    return [f"{', '.join(each)} ({reason})" for reason, each in names.items()]


def share_of_others(run: RunOutcome) -> float:
    """The share of the CPU that other processes used during a run, as far as that is known."""
    share = run.circumstances.get("others")
    return float(share) if isinstance(share, int | float) else 0.0


def circumstance_lines(run: RunOutcome) -> list[str]:
    """Where and when a run took place: names and texts."""
    told = {name: _told(each) for name, each in run.circumstances.items()}
    lines = [f"{name.replace('_', ' ')}: {text}" for name, text in told.items() if text]
    versions = ", ".join(f"{name} {each}" for name, each in run.contenders.items() if each)
    return [*lines, f"versions: {versions}"] if versions else lines


def _told(told: object) -> str:
    if isinstance(told, Mapping):
        return ", ".join(f"{name} {_told(each)}" for name, each in told.items())
    return "" if told is None else str(told)
