"""Two runs compared, and the history of many: by ratios, which another machine hardly changes."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..measuring.contest import OURS, Clock, Refused
from ..measuring.outcome import ContestOutcome, RunOutcome
from ..measuring.statistics import Costs, Interval, Shift, change, ratio
from .numbers import interval_text, times_text
from .reading import BUSY, share_of_others
from .record import load

__all__ = [
    "Change",
    "compared",
    "comparison",
    "history",
    "past_runs",
    "ratios_of",
    "warnings",
]

_WIDTH = 100


@dataclass(frozen=True)
class Change:
    """How many times the cost of the yardstick something costs, in an old run and in a new one.

    `name` is that of a contest; with the names of two rows where that leaves a question.
    """

    name: str
    clock: Clock
    old: Interval
    new: Interval
    shift: Shift

    @property
    def slower(self) -> bool:
        """Whether it has become dearer, beyond noise."""
        return self.shift.word == "slower"

    def __str__(self) -> str:
        new, old = interval_text(self.new, "x"), interval_text(self.old, "x")
        return f"{self.name}: {new} was {old}: {self.words}"

    @property
    def words(self) -> str:
        """`slower by 7 % (2–13 %)`, `faster by 30 %`, or `within noise`."""
        factor, word = self.shift.factor, str(self.shift.word)
        if word == "within noise":
            return word
        if self.clock is Clock.VALUE:
            word = "more" if word == "slower" else "less"
        sign = 1 if factor.middle > 1 else -1
        ends = sorted(sign * (end - 1) for end in factor[1:])
        if ends[0] <= 0 or factor.low == factor.high:  # sure that it is, and not by how much
            return f"{word} by {_percent(sign * (factor.middle - 1))}"
        between = "–".join(_percent(end).removesuffix(" %") for end in ends)
        return f"{word} by {_percent(sign * (factor.middle - 1))} ({between} %)"


def compared(old: RunOutcome, new: RunOutcome) -> list[Change]:
    """The changes of all that both runs have measured, in the order of the new one."""
    before = {contest.name: contest for contest in old.contests}
    found = []
    for contest in new.contests:
        if (other := before.get(contest.name)) is not None:
            for name, row, of in _pairs(contest, other):
                was, now = (Costs(each.costs(row), each.costs(of)) for each in (other, contest))
                shift = change(was, now)
                found.append(Change(name, contest.clock, ratio(*was), ratio(*now), shift))
    return found


def comparison(old: RunOutcome, new: RunOutcome) -> str:
    """What has changed, a line for each; what to make of it; how many are slower."""
    changes = compared(old, new)
    lines = [f"new: {_called(new)}", f"old: {_called(old)}"]
    lines += [f"warning: {warning}" for warning in warnings(old, new)]
    lines += [f"  {each}" for each in changes]
    if alone := _in_one_only(old, new):
        lines.append(f"not measured in both: {', '.join(alone)}")
    words = [each.words.partition(" by ")[0] for each in changes]
    counts = ", ".join(f"{words.count(word)} {word}" for word in dict.fromkeys(words))
    lines.append(f"{len(changes)} compared: {counts}" if changes else "nothing to compare")
    return "\n".join(line for text in lines for line in _wrapped(text))


def warnings(old: RunOutcome, new: RunOutcome) -> list[str]:
    """What makes two runs differ beside the code."""
    found = [
        f"they are of {words}: {old.circumstances.get(name)}, and {new.circumstances.get(name)}"
        for name, words in _DIFFERENT.items()
        if old.circumstances.get(name) != new.circumstances.get(name)
    ]
    if old.size != new.size:
        found.append(f"they are of different sizes: {old.size}, and {new.size}")
    for name in sorted(old.contenders.keys() & new.contenders.keys() - {OURS}):
        before, after = old.contenders[name], new.contenders[name]
        if before != after:
            found.append(f"they are of different versions of {name}: {before}, and {after}")
    for run in (old, new):
        if share_of_others(run) > BUSY:
            found.append(f"{_called(run)}: others used {share_of_others(run):.0%} of the CPU")
        if not run.complete:
            found.append(f"{_called(run)} was interrupted")
    return found


#: Circumstances that change ratios, and what it means if they differ.
_DIFFERENT = {
    "cpu": "two machines, with other processors",
    "cores": "two machines, with other numbers of cores",
    "system": "two systems",
    "python": "two versions of Python",
    "build": "two builds of Python",
    "loop": "two event loops",
}


def past_runs(folder: Path) -> list[RunOutcome]:
    """The runs of a folder's files, in the order of the versions of the library.

    Raises ValueError where there are none.
    """
    runs = [load(path) for path in sorted(folder.glob("*.json"))]
    if not runs:
        raise Refused(
            f"there is no run in {folder}; a run of the benchmarks with --json"
            f" {folder / 'VERSION.json'} writes one"
        )
    return sorted(runs, key=lambda run: _version(run.library))


def history(runs: Sequence[RunOutcome]) -> str:
    """A line for each contest, with its ratio in each run; the last ones, if not all fit."""
    names = list(dict.fromkeys(name for run in reversed(runs) for name in ratios_of(run)))
    if not names:
        return "nothing was measured"
    first = min(max(map(len, names)), 52)
    width = max(8, *(len(run.library) for run in runs)) + 2
    shown = runs[-max(1, (_WIDTH - first) // width) :]
    heads = "".join(f"{run.library:>{width}}" for run in shown)
    lines = [f"{'times the best code by hand':<{first}}{heads}"]
    found = [ratios_of(run) for run in shown]
    for name in names:
        cells = [times_text(run[name].middle) if name in run else "" for run in found]
        line = f"{_short(name, first):<{first}}" + "".join(f"{cell:>{width}}" for cell in cells)
        lines.append(line.rstrip())
    return "\n".join(lines)


def ratios_of(run: RunOutcome) -> dict[str, Interval]:
    """The ratios that a run is compared by, by name."""
    return {
        name: ratio(contest.costs(row), contest.costs(of))
        for contest in run.contests
        for name, row, of in _pairs(contest)
    }


def _pairs(*contests: ContestOutcome) -> list[tuple[str, str, str]]:
    """What a contest is compared by, in all of its runs: a name, and two rows.

    That is its subject with its yardstick; of other rows that goals are about, and where there is
    no yardstick, what a goal compares with.
    """
    contest = contests[0]

    def is_measured(row: str, of: str) -> bool:
        return row != of and all(each.costs(row) and each.costs(of) for each in contests)

    main = contest.subject, contest.yardstick
    pairs = {main: contest.name} if is_measured(*main) else {}
    for goal in contest.goals:
        of = contest.yardstick if is_measured(goal.row, contest.yardstick) else goal.of
        if is_measured(goal.row, of):
            pairs.setdefault((goal.row, of), f"{contest.name}, {goal.row} of {of}")
    return [(name, row, of) for (row, of), name in pairs.items()]


def _in_one_only(old: RunOutcome, new: RunOutcome) -> list[str]:
    """The contests of which nothing can be compared."""
    before, after = ({contest.name: contest for contest in run.contests} for run in (old, new))
    both = [name for name in after if name in before and _pairs(after[name], before[name])]
    return [name for name in {**after, **before} if name not in both]


def _called(run: RunOutcome) -> str:
    date = run.circumstances.get("date")
    return f"{run.library} ({run.size}{f', {date}' if date else ''})"


def _percent(share: float) -> str:
    percent = 100 * share
    return f"{percent:,.0f} %" if percent >= 1 or percent < 0.05 else f"{percent:.1f} %"


def _version(text: str) -> tuple[tuple[int, ...], bool, str]:
    """For sorting: 0.9 before 0.10, and 1.0rc1 before 1.0."""
    release = re.match(r"[\d.]*", text)
    numbers = release.group().strip(".") if release else ""
    rest = text[len(numbers) :]
    parts = tuple(int(part) for part in numbers.split(".") if part)
    return parts, not re.match(r"[.-]?(a|b|rc|dev)", rest), rest


def _wrapped(text: str) -> list[str]:
    indent = len(text) - len(text.lstrip())
    return textwrap.wrap(
        text.strip(), _WIDTH, initial_indent=" " * indent, subsequent_indent=" " * (indent + 4)
    )


def _short(name: str, width: int) -> str:
    return name if len(name) <= width else f"{name[: width - 1]}…"
