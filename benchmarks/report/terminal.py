"""What a run came to, as text for a terminal: never wider than 100 columns."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from ..measuring.contenders import PROMISES
from ..measuring.outcome import ContestOutcome, RowOutcome, RunOutcome
from ..measuring.statistics import spread
from .numbers import bytes_text, cost_text, interval_text
from .reading import (
    BUSY,
    Judged,
    Lead,
    circumstance_lines,
    cost_words,
    failed,
    grouped,
    judged,
    keeps,
    lead,
    median_cost,
    ranked,
    share_of_others,
    times,
    trouble,
    went_wrong,
)

__all__ = ["WIDTH", "block", "busy", "head", "legend", "summary"]

WIDTH = 100

_NAME_WIDTH = 36
_ESCAPES = re.compile(r"\x1b\[[\d;]*[A-Za-z]")
_STYLES = {
    "strong": "1",
    "faint": "2",
    "met": "32",
    "not met": "31",
    "can't tell": "33",
    "": "",
}


class _Line(NamedTuple):
    """A line, and what it is painted in where colour is asked for."""

    text: str
    style: str = ""

    def painted(self, colour: bool) -> str:
        code = _STYLES[self.style] if colour else ""
        return f"\x1b[{code}m{self.text}\x1b[0m" if code and self.text else self.text


def legend() -> str:
    """How a block is read: once in an output."""
    letters = ", ".join(f"{letter} {_KEPT[name]}" for name, letter in PROMISES.items())
    lines = [
        *_wrapped("How to read it. Each block is a contest: the same work, done by several."),
        *_entry("cost", "what a unit of the work costs: the median of the rounds"),
        *_entry("±", "half the distance between the quartiles of the rounds, as a share of it"),
        *_entry(
            "times",
            "what counts: how many times the cost of fluxus_rx it costs, from cheapest to dearest:"
            " 0.5 is half as much, 12 is twelve times as much. It is the median of the ratios"
            " within a round, so it may differ a little from the quotient of two costs. In"
            " parentheses: where it lies with 95 % certainty. If 1 lies in there, it can't be told"
            " who is cheaper.",
        ),
        *_entry("keeps", f"what it promises, checked before any time counts: {letters}; - for not"),
        *_entry(
            "goals",
            "met, not met, or can't tell, where the interval holds the limit: more rounds help",
        ),
        *_entry(
            "by-hand",
            "isn't a library, but the best code for just this work that we know of which keeps all"
            " that a flow keeps: a limit for each step, and for each call a context of its own."
            " Workers by hand, tasks by hand and threads aren't libraries either; they keep"
            " less, as their remarks say.",
        ),
    ]
    return _joined(lines, colour=False)


_KEPT = {
    "lineage": "keeps the lineage of each output",
    "limit": "keeps a limit of calls in flight",
    "order": "keeps the order",
    "bounded": "reads no more ahead than it must",
    "cleanup": "leaves nothing behind after an error",
}


def head(run: RunOutcome) -> str:
    """Where and when a run took place, and with what."""
    size = {"smoke": "smoke (outputs only)", "quick": "quick (wider intervals)"}
    told = [
        f"fluxus_rx {run.library}, {size.get(run.size, run.size)}"
        + (f", {run.rounds} rounds" if run.rounds else ""),
        *circumstance_lines(run),
    ]
    if run.absent:
        told.append(f"take no part: {'; '.join(grouped(run.absent))}")
    return _joined([line for text in told for line in _wrapped(text, hanging=4)], colour=False)


def busy(run: RunOutcome) -> str:
    """What to make of a run on a machine that was busy; nothing where it wasn't."""
    share = share_of_others(run)
    if share <= BUSY:
        return ""
    text = (
        f"The machine was busy: others used {share:.0%} of its CPU, so intervals are wider, and"
        " more can't be told. Ask again when it is quiet, or add rounds with --budget SECONDS."
    )
    return _joined(_wrapped(text, style="can't tell"), colour=False)


def block(
    contest: ContestOutcome,
    versions: Mapping[str, str],
    *,
    smoke: bool = False,
    colour: bool = False,
) -> str:
    """A contest: its question, who takes part from cheapest to dearest, its goals, who can't.

    `versions` are those of the contenders in the run. In a smoke run there are no numbers: a row is
    right, or something went wrong.
    """
    lines = [_Line(contest.name, "strong"), *_wrapped(contest.question, 2)]
    lines += _right(contest) if smoke else _measured(contest, versions)
    if absent := grouped(contest.absent):
        lines += _wrapped(f"can't: {'; '.join(absent)}", 2, 4, style="faint")
    return _joined(lines, colour)


def summary(run: RunOutcome, *, colour: bool = False) -> str:
    """How many goals were met, which were not, and what went wrong."""
    rows = [(contest, row) for contest in run.contests for row in contest.rows]
    wrong = [(contest, row) for contest, row in rows if went_wrong(row)]
    lines = [_Line("Summary", "strong")]
    if not run.complete:
        lines += _wrapped("The run was interrupted: what follows is what there was by then.", 2)
    if run.size == "smoke":
        able = len([row for _, row in rows if row.error != "can't"])
        text = f"{able - len(wrong):,} of {able:,} rows are right"
        if len(rows) > able:
            text = f"{text}; {len(rows) - able:,} more can't be done"
        lines += _wrapped(text, 2)
    else:
        lines += _goals_of_all(run)
    if wrong:
        lines.append(_Line("  went wrong:", "not met"))
        for contest, row in wrong:
            lines += _wrapped(f"{contest.name}: {row.name}: {trouble(row)}", 4, 6, style="not met")
    return _joined([*lines, *(_Line(line) for line in busy(run).splitlines())], colour)


def _goals_of_all(run: RunOutcome) -> list[_Line]:
    pairs = [(contest, one) for contest in run.contests for one in judged(contest)]
    counts = Counter(one.verdict or "not measured" for _, one in pairs)
    told = ", ".join(
        f"{counts[word]} {word}" for word in ("met", "not met", "can't tell", "not measured")
    )
    lines = _wrapped(f"{len(run.contests)} contests; goals: {told}", 2)
    for word in ("not met", "can't tell"):
        if counts[word]:
            lines.append(_Line(f"  {word}:", word))
        for contest, one in pairs:
            if one.verdict == word:
                lines += _wrapped(f"{contest.name}: {one}", 4, 6)
    return lines


def _right(contest: ContestOutcome) -> list[_Line]:
    names = [row.name for row in contest.rows if not row.error]
    lines = _wrapped(f"right: {', '.join(names)}", 2, 4, style="met") if names else []
    return lines + _troubles(contest)


def _measured(contest: ContestOutcome, versions: Mapping[str, str]) -> list[_Line]:
    rows = ranked(contest)
    rounds = max((len(row.costs(contest.clock)) for row in rows), default=0)
    lines = []
    if rows:
        words = f"cost in {cost_words(contest)}; {rounds} round{'s' if rounds != 1 else ''}"
        lines += [*_wrapped(words, 2, style="faint"), *_table(contest, rows)]
    lines += _troubles(contest)
    missing = [row.name for row in contest.rows if not row.error and row not in rows]
    if missing:
        lines += _wrapped(f"not measured: {', '.join(missing)}", 2, 4)
    if (first := lead(contest, versions)) is not None:
        lines += _wrapped(_lead_text(first), 2, 4)
    return [*lines, *_against_by_hand(contest), *_goals(judged(contest)), *_memory(rows)]


def _against_by_hand(contest: ContestOutcome) -> list[_Line]:
    """How many times the yardstick the subject costs, where no goal tells it."""
    told = {(one.goal.row, one.goal.of) for one in judged(contest)}
    found = times(contest, contest.subject, contest.yardstick)
    if found is None or (contest.subject, contest.yardstick) in told:
        return []
    if contest.subject == contest.yardstick:
        return []
    text = f"{contest.subject} costs {interval_text(found, 'x')} of {contest.yardstick}"
    return _wrapped(text, 2, 4)


def _lead_text(found: Lead) -> str:
    """The answer to who is cheapest, by how much, and whether that is certain."""
    if found.alone:
        told = f"Only {found.first} keeps lineage and a limit (L l), of the libraries here; the"
        told = f"{told} cheapest other one, {found.second},"
    else:
        told = f"Cheapest library that keeps lineage and a limit (L l): {found.first}; the next,"
        told = f"{told} {found.second},"
    sure = "95 % sure" if found.certain else "not sure: it may be dearer or cheaper"
    return f"{told} costs {interval_text(found.times)} times as much, which is {sure}."


def _goals(goals: Sequence[Judged]) -> Iterator[_Line]:
    for one in goals:
        if one.verdict is not None:
            yield from _wrapped(f"goal: {one}", 2, 4, style=one.verdict)
    unknown = [str(one.goal) for one in goals if one.verdict is None]
    if unknown:
        yield from _wrapped(f"goals, not measured: {'; '.join(unknown)}", 2, 4, style="faint")


def _memory(rows: Iterable[RowOutcome]) -> list[_Line]:
    peaks = [f"{row.name} {bytes_text(row.traced)}" for row in rows if row.traced is not None]
    if not peaks:
        return []
    return _wrapped(f"peak of memory in Python: {', '.join(peaks)}", 2, 4, style="faint")


def _troubles(contest: ContestOutcome) -> list[_Line]:
    return [
        line
        for row in failed(contest)
        for line in _wrapped(f"{row.name}: {trouble(row)}", 2, 4, style="not met")
    ]


def _table(contest: ContestOutcome, rows: Sequence[RowOutcome]) -> Iterator[_Line]:
    """The rows in columns, the numbers to the right; a note that doesn't fit has its own line."""
    heads = ("", "cost", "±", _short(f"times {contest.subject}"), "keeps", "")
    cells = [heads, *(_cells(contest, row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row, cell in zip([None, *rows], cells, strict=True):
        name, cost, share, many, kept, note = cell
        style = "strong" if row is not None and row.name == contest.subject else ""
        line = (
            f"  {name:<{widths[0]}}  {cost:>{widths[1]}}  {share:>{widths[2]}}"
            f"  {many:<{widths[3]}}  {kept:<{widths[4]}}"
        )
        if len(line) + 2 + len(note) <= WIDTH:
            yield _Line(f"{line}  {note}".rstrip(), style)
        else:
            yield _Line(line.rstrip(), style)
            yield from _wrapped(note, 6)


def _cells(contest: ContestOutcome, row: RowOutcome) -> tuple[str, str, str, str, str, str]:
    costs, found = row.costs(contest.clock), times(contest, row.name)
    many = "1" if row.name == contest.subject else found and interval_text(found)
    cost = cost_text(median_cost(contest, row))
    return _short(row.name), cost, _share(costs), many or "", keeps(row, "-"), row.note


def _share(costs: Sequence[float]) -> str:
    """The spread, where there is one to tell."""
    if len(costs) < 3:
        return ""
    share = spread(costs)
    return f"{share:.0%}" if share >= 0.01 or not share else "<1%"


def _short(name: str) -> str:
    return name if len(name) <= _NAME_WIDTH else f"{name[: _NAME_WIDTH - 1]}…"


def _entry(name: str, text: str) -> list[_Line]:
    return [
        _Line(line)
        for line in textwrap.wrap(
            text, WIDTH, initial_indent=f"  {name:<8} ", subsequent_indent=" " * 11
        )
    ]


def _wrapped(
    text: str, indent: int = 0, hanging: int | None = None, style: str = ""
) -> list[_Line]:
    further = " " * (indent if hanging is None else hanging)
    lines = textwrap.wrap(
        _plain(text), WIDTH, initial_indent=" " * indent, subsequent_indent=further
    )
    return [_Line(line, style) for line in lines]


def _plain(text: str) -> str:
    """The text without what a terminal would obey, such as colours in the message of an error."""
    printable = (each if each.isprintable() else " " for each in _ESCAPES.sub("", text))
    return " ".join("".join(printable).split())


def _joined(lines: Iterable[_Line], colour: bool) -> str:
    return "\n".join(line.painted(colour) for line in lines)
