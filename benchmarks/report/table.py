"""A run as tables of reStructuredText."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from ..measuring.contest import Goal, Refused
from ..measuring.outcome import ContestOutcome, RowOutcome, RunOutcome
from .meaning import meaning
from .numbers import cost_text, interval_text
from .page import escaped, list_table
from .reading import (
    Judged,
    circumstance_lines,
    cost_words,
    failed,
    grouped,
    judged,
    keeps,
    median_cost,
    ranked,
    times,
    trouble,
)

__all__ = ["BEGIN", "SIDE", "side_by_side", "table"]

#: The mark where tables begin on a page.
BEGIN = ".. benchmarks: from here on made by `python -m benchmarks show RUN.json --table PAGE.rst`"
#: The same around what is made of several runs.
SIDE = ".. benchmarks: made by `python -m benchmarks compare RUN.json ... --table PAGE.rst`"


def side_by_side(runs: Sequence[RunOutcome]) -> str:
    """What we cost in each of these runs, and how many times the yardstick: a row a contest.

    A run is named by its interpreter and its event loop.
    """
    heads = [f"{run.circumstances.get('python')}, {run.circumstances.get('loop')}" for run in runs]
    found = [{contest.name: contest for contest in run.contests} for run in runs]
    names = [name for name in found[0] if all(name in contests for contests in found)]
    rows = [
        [
            escaped(f"{name} ({cost_words(found[0][name])})"),
            *(_cost_of_ours(contests[name]) for contests in found),
        ]
        for name in names
    ]
    return list_table(["contest", *map(escaped, heads)], rows) + "\n"


def _cost_of_ours(contest: ContestOutcome) -> str:
    row = contest.row(contest.subject)
    if row is None or not row.costs(contest.clock):
        return ""
    found = times(contest, contest.subject, contest.yardstick)
    ratio = f", {interval_text(found, 'x')}" if found else ""
    return escaped(f"{cost_text(median_cost(contest, row))}{ratio}")


def table(run: RunOutcome) -> str:
    """Where the run took place, how many goals are met, and a section for each workload.

    Raises ValueError for a smoke run, which has no numbers.
    """
    if run.size == "smoke":
        raise Refused("a smoke run has no numbers to make a table of; run without --smoke")
    blocks = [*_circumstances(run), *meaning(run)]
    for name, contests in itertools.groupby(run.contests, key=lambda contest: contest.workload):
        blocks += _workload(name, [*contests])
    return "\n\n".join(blocks) + "\n"


def _circumstances(run: RunOutcome) -> Iterator[str]:
    cut = "" if run.complete else " The run was interrupted."
    yield (
        f"Measured with fluxus_rx {escaped(run.library)}: a {run.size} run of {run.rounds} rounds."
        f"{cut}"
    )
    lines = circumstance_lines(run)
    if run.absent:
        lines.append(f"take no part: {'; '.join(grouped(run.absent))}")
    if lines:
        yield "\n".join(f"- {escaped(line)}" for line in lines)
    verdicts = Counter[str](
        one.verdict or "not measured" for contest in run.contests for one in judged(contest)
    )
    words = [word for word in ("met", "not met", "can't tell", "not measured") if verdicts[word]]
    if words:
        yield f"Goals: {', '.join(f'{verdicts[word]} {word}' for word in words)}."


def _workload(name: str, contests: Sequence[ContestOutcome]) -> Iterator[str]:
    """A section: the questions, a table, and who isn't in it."""
    yield f"{name}\n{'~' * len(name)}"
    yield " ".join(dict.fromkeys(escaped(contest.question) for contest in contests))
    if any(ranked(contest) for contest in contests):
        yield list_table(_HEAD, (row for contest in contests for row in _rows(contest)))
    wrong = [
        f"{contest.name}: {row.name}: {trouble(row)}"
        for contest in contests
        for row in failed(contest)
    ]
    if wrong:
        yield "Not ranked:"
        yield _list(wrong)
    if absent := _absent(contests):
        yield escaped(f"Not here: {'; '.join(grouped(absent))}.")


def _absent(contests: Sequence[ContestOutcome]) -> dict[str, str]:
    """Why contenders are in none of these contests, or not in this one."""
    found: dict[str, str] = {}
    for contest in contests:
        for name, reason in contest.absent.items():
            always = all(each.absent.get(name) == reason for each in contests)
            found[name if always else f"{name} in {contest.name}"] = reason
    return found


_HEAD = ("contest", "contender", "cost", "times fluxus_rx", "keeps", "goal")


def _rows(contest: ContestOutcome) -> Iterator[list[str]]:
    """Rows of the table: the contest and what a cost is stand in the first."""
    first = f"{contest.name} ({cost_words(contest)})"
    told = "" if contest.subject == "fluxus_rx" else f"; times {contest.subject}"
    for row in ranked(contest):
        yield [*map(escaped, [f"{first}{told}", *_told(contest, row)])]
        first = told = ""


def _told(contest: ContestOutcome, row: RowOutcome) -> Iterable[str]:
    found = times(contest, row.name)
    goals = [
        _goal_text(contest, one) for one in judged(contest) if _place(contest, one) == row.name
    ]
    return (
        f"{row.name} ({row.note})" if row.note else row.name,
        cost_text(median_cost(contest, row)),
        "1" if row.name == contest.subject else interval_text(found) if found else "",
        keeps(row),
        "; ".join(goals),
    )


def _place(contest: ContestOutcome, one: Judged) -> str:
    """The row that a goal stands in: whom the subject is compared with, or else who has it."""
    return one.goal.of if one.goal.row == contest.subject else one.goal.row


def _goal_text(contest: ContestOutcome, one: Judged) -> str:
    limit = _limit(one.goal) if one.goal.row == contest.subject else str(one.goal)
    return f"{limit}: {one.words}"


def _limit(goal: Goal) -> str:
    """A goal without the names of rows."""
    text = str(goal).removeprefix(f"{goal.row} ")
    return text.removesuffix(f" of {goal.of}").removesuffix(f" than {goal.of}")


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {escaped(line)}" for line in lines)
