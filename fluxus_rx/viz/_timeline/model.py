"""What a timeline shows, whatever it is drawn with: rows of outputs, lanes of calls, bins of time.

A *row* is one output: a span for each step that made it. A *lane* is one step with all its calls.
Where there are more rows than can be told apart, neighbours form a *group*; time is cut into *bins*
of one width. All of it takes time and memory linear in the spans, however long they are."""

from __future__ import annotations

import dataclasses
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, groupby, pairwise
from operator import attrgetter
from typing import Any, Final, NamedTuple

from ..._common.text import counted, printable, shortened
from ..._monitoring.calls import Call, Timed, times_of
from ..._monitoring.summary import StepSummary, Summary

__all__ = [
    "NOTHING",
    "WAITING",
    "Cell",
    "Labels",
    "Lane",
    "RowGroup",
    "Span",
    "Timeline",
    "TimelineRow",
    "levels",
]

#: What an output does in a bin, where it isn't the index of the step that works on it.
WAITING: Final = -1
NOTHING: Final = -2

TimedOutput = Mapping[str, Mapping[str, Any]]


class Span(NamedTuple):
    """One step's work on an output, in seconds since the run began; `step` is an index."""

    step: int
    start: float
    end: float


class TimelineRow(NamedTuple):
    """One output: its path, its place there, and the work on it, in the order of the lineage.

    `added` are the attributes that came of each span, its times among them.
    """

    path: int
    item: int
    spans: Sequence[Span]
    added: Sequence[Mapping[str, Any]] = ()

    def waits(self) -> Iterator[tuple[float, float]]:
        """From the end of each step to the start of the next, where there is time between."""
        for one, other in pairwise(self.spans):
            if other.start > one.end:
                yield one.end, other.start


class Lane(NamedTuple):
    """One step: its index and its calls, by their start."""

    step: int
    calls: Sequence[Call]
    summary: StepSummary

    def work(self) -> list[tuple[float, float]]:
        """When the calls worked; a generator that waits for its reader does not."""
        return [span for call in self.calls for span in call.work()]


class Cell(NamedTuple):
    """What most outputs of a group do in a bin: a step, WAITING or NOTHING; `level` is how many of
    them do so, on the average over the bin."""

    state: int
    level: float


class RowGroup(NamedTuple):
    """Neighbouring rows that are drawn as one."""

    rows: Sequence[TimelineRow]

    def label(self, paths: Sequence[str]) -> str:
        """The outputs by the name of their path, if there are several, and their number there.

        >>> RowGroup([TimelineRow(0, item, ()) for item in range(3)]).label(["path 0", "path 1"])
        'path 0 · 0–2'
        """
        first, last = self.rows[0], self.rows[-1]
        if first.path != last.path:
            return f"paths {first.path}–{last.path}"
        items = f"{first.item}" if first is last else f"{first.item}–{last.item}"
        return f"{_short_name(paths[first.path])} · {items}" if len(paths) > 1 else items

    def cells(self, bins: int, end: float) -> list[Cell]:
        """What happens in each of so many bins from 0 to `end`.

        A row of its own shows each step that works on it, however short its work in the bin is.
        """
        spans: dict[int, list[tuple[float, float]]] = {}
        for row in self.rows:
            for step, *times in row.spans:
                spans.setdefault(step, []).append((times[0], times[1]))
            spans.setdefault(WAITING, []).extend(row.waits())
        waiting = levels(spans.pop(WAITING, ()), bins, end)
        cells = [Cell(WAITING, level) if level else Cell(NOTHING, 0.0) for level in waiting]
        works: list[Cell | None] = [None] * bins
        for step, intervals in spans.items():
            for index, level in enumerate(levels(intervals, bins, end)):
                known = works[index]
                if level and (known is None or level > known.level):
                    works[index] = Cell(step, level)
        alone = len(self.rows) == 1
        for index, work in enumerate(works):
            if work is not None and (alone or work.level >= cells[index].level):
                cells[index] = work
        return cells


@dataclasses.dataclass(frozen=True)
class Timeline:
    """The rows and lanes of one run; `steps` are the names that spans and lanes refer to, `paths`
    those of the paths."""

    elapsed: float
    steps: Sequence[str]
    lanes: Sequence[Lane]
    rows: Sequence[TimelineRow]
    paths: Sequence[str]
    summary: Summary

    @classmethod
    def of(cls, result: Timed) -> Timeline:
        """The timeline of a run. Raises UsageError for a result without times."""
        journal = result._flow_journal
        summary = Summary.of(journal)
        by_step = journal.by_step()
        indices = {step: index for index, step in enumerate(by_step)}
        labels = Labels(by_step)
        rows = []
        for path, outputs in enumerate(result):
            names = labels.of_path(outputs)
            for item, output in enumerate(outputs):
                timed = [*_timed(output, names, indices)]
                spans, added = [span for span, _ in timed], [added for _, added in timed]
                rows.append(TimelineRow(path, item, spans, added))
        lanes = [
            Lane(indices[step.step], by_step[step.step], step)
            for step in summary.steps
            if step.step in by_step  # and not one that was never called
        ]
        ends = (span.end for row in rows for span in row.spans)
        elapsed = max(journal.elapsed, max(ends, default=0.0))
        return cls(elapsed, [*indices], lanes, rows, result._flow_path_names, summary)

    def said(self) -> tuple[str, str]:
        """What the run has done, in two sentences."""
        steps = self.summary.steps
        failures, retries = sum(one.failures for one in steps), sum(one.retries for one in steps)
        calls = counted(sum(one.calls for one in steps), "call")
        failed = f", {failures:,} failed" if failures else ""
        again = f", {retries:,} called again" if retries else ""
        outputs = counted(len(self.rows), "output")
        return f"{outputs} from {calls}{failed}{again}.", self.summary.sentence

    @property
    def timed(self) -> list[TimelineRow]:
        """The rows that show work. Where an operator made an output, as a sum of many products, no
        call belongs to it alone."""
        return [row for row in self.rows if row.spans]

    def untimed(self) -> str:
        """Which outputs have no row in a picture, in a sentence; empty if all have one."""
        count = sum(not row.spans for row in self.rows)
        return f"Not shown: {counted(count, 'output')} that operators made." if count else ""

    def foremost(self, most: int) -> Sequence[Lane]:
        """The lanes, or those of so many steps that were the longest at work, in their order."""
        longest = sorted(self.lanes, key=lambda lane: -lane.summary.busy)[:most]
        kept = {lane.step for lane in longest}
        return [lane for lane in self.lanes if lane.step in kept]

    def groups(self, most: int) -> list[RowGroup]:
        """The rows that show work in at most so many groups of one size, those of a path together
        if they can be.

        The size is 1, 2 or 5 times a power of ten; the last group of a path may be smaller.
        """
        paths = [[*rows] for _, rows in groupby(self.timed, attrgetter("path"))]
        if len(paths) > most:
            paths = [self.timed]
        size = next(
            size
            for size in _sizes()
            if sum(-(-len(rows) // size) for rows in paths) <= max(most, 1)
        )
        return [
            RowGroup(rows[start : start + size])
            for rows in paths
            for start in range(0, len(rows), size)
        ]


def _timed(
    output: TimedOutput, names: Mapping[str, str], indices: dict[str, int]
) -> Iterator[tuple[Span, Mapping[str, Any]]]:
    for name, attributes in output.items():
        times = times_of(attributes)
        if times is not None:
            # What no call is known of, such as a product of a run before this one, has no lane.
            step = indices.setdefault(names.get(name, name), len(indices))
            yield Span(step, *times), attributes


def _sizes() -> Iterator[int]:
    power = 1
    while True:
        yield from (power, 2 * power, 5 * power)
        power *= 10


def levels(spans: Iterable[tuple[float, float]], bins: int, end: float) -> list[float]:
    """How many spans are in flight in each of so many bins from 0 to `end`, on the average.

    >>> levels([(0.0, 4.0), (1.5, 3.0)], 4, 4.0)
    [1.0, 1.5, 2.0, 1.0]
    """
    scale = bins / end if end else 0.0
    parts = [0.0] * bins
    # What begins and what ends to be in flight all through the bin: a span takes the same time
    # whether it lies in one bin or in a thousand.
    whole = [0] * (bins + 1)
    last = bins - 1
    for start, stop in spans:
        left, right = start * scale, stop * scale
        first, final = min(int(left), last), min(int(right), last)
        if first == final:
            # What took no time that a clock could tell has happened all the same.
            parts[first] += max(right - left, 1e-9)
        else:
            parts[first] += first + 1 - left
            parts[final] += right - final
            whole[first + 1] += 1
            whole[final] -= 1
    return [part + more for part, more in zip(parts, accumulate(whole), strict=False)]


#: How many outputs of a path are asked: they all went through the same steps.
_ASKED = 25


class Labels:
    """The labels of steps by the names in outputs.

    A run tells steps of one name apart, wherever they stand: `model`, `model#1`. An output only
    tells apart those that it went through itself. Where that leaves a choice, times decide: a
    product was made within a call.
    """

    def __init__(self, calls: Mapping[str, Sequence[Call]]) -> None:
        self._calls = calls
        self._starts = {step: [call.start for call in some] for step, some in calls.items()}
        self._choices: dict[str, list[str]] = {}
        for label in calls:
            self._choices.setdefault(_bare(label), []).append(label)

    def of_path(self, outputs: Iterable[TimedOutput]) -> Mapping[str, str]:
        """The label for each name in the outputs of one path, where it is another one."""
        votes: dict[str, Counter[str]] = {}
        for output, _ in zip(outputs, range(_ASKED), strict=False):
            for name, attributes in output.items():
                choices = self._choices.get(_bare(name), ())
                if len(choices) > 1 or (choices and name not in choices):
                    times = times_of(attributes) or (0.0, 0.0)
                    label = self._fitting(name, *times)
                    votes.setdefault(name, Counter())[label] += 1
        return {name: counter.most_common(1)[0][0] for name, counter in votes.items()}

    def _fitting(self, name: str, start: float, end: float) -> str:
        """The label whose call began last before the product did, or, as those of producers begin a
        little after, before the product was there."""
        for moment in (start, end):
            fitting = [*self._under_way(name, moment, end)]
            if fitting:
                return max(fitting)[-1]
        return name

    def _under_way(self, name: str, moment: float, end: float) -> Iterator[tuple[float, bool, str]]:
        for label in self._choices[_bare(name)]:
            index = bisect_right(self._starts[label], moment) - 1
            if index >= 0 and self._calls[label][index].end >= end:
                yield self._starts[label][index], label == name, label


def _bare(label: str) -> str:
    label = label.rpartition(": ")[2]  # behind the names of its branches
    name, sign, number = label.rpartition("#")
    return name if sign and number.isdecimal() else label


#: Columns of the name of a path in front of its outputs.
_PATH_WIDTH: Final = 16


def _short_name(path: str) -> str:
    return shortened(printable(str(path)), _PATH_WIDTH)
