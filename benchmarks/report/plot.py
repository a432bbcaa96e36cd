"""Pictures of runs: SVG or PNG, readable 800 pixels wide, on light and on dark pages.

The background is transparent, and each colour stands out from white and from black. A picture has
a line for each contest, however many there are; the file is the same for the same run.
"""

from __future__ import annotations

import itertools
import math
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..measuring.contest import BY_HAND, OURS, Refused
from ..measuring.outcome import ContestOutcome, RowOutcome, RunOutcome
from ..measuring.statistics import Interval, ratio
from .compare import Change, ratios_of
from .numbers import interval_text, times_text
from .reading import ranked

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot", "plot_changes", "plot_history"]

_GREY = "#757d86"
_BLUE = "#2f80ed"
_RED = "#e0533f"
_GREEN = "#2a9d57"
_WORDS = {"slower": _RED, "faster": _GREEN, "within noise": _GREY}

#: Inches; a PNG has 100 pixels for each.
_WIDTH, _LINE = 8.0, 0.2
#: The shares of the width where names end, and where numbers or words begin.
_LEFT, _RIGHT, _RIGHT_OF_WORDS = 0.34, 0.83, 0.77
#: The longest name that has room.
_NAME = 46
_CENTRED: Mapping[str, Any] = {"ha": "center", "va": "center_baseline"}
#: What is beyond stands at the edge.
_EDGES = 0.02, 500.0
_SETTINGS: Mapping[str, Any] = {
    "font.family": "DejaVu Sans",  # which comes with matplotlib: the same everywhere
    "font.size": 8,
    "svg.hashsalt": "fluxus_rx",
    "svg.fonttype": "none",  # a quarter of the size, and its names can be searched for
    "text.parse_math": False,
    **dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "axes.edgecolor"), _GREY),
}


@dataclass
class _Mark:
    """A point on a line of a picture, with its interval; a bar from 1 to it, or a letter."""

    times: Interval
    colour: str
    letter: str = ""


@dataclass
class _Line:
    """A line of a picture: a name, what is marked, and numbers; or the name of a group."""

    name: str
    marks: list[_Mark] = field(default_factory=list)
    numbers: str = ""
    colour: str = _GREY
    heads: bool = False


def plot(run: RunOutcome, path: Path) -> None:
    """Draw how many times the cost of its yardstick each row of each contest costs.

    Raises ValueError where nothing was measured, or where `path` is neither SVG nor PNG.
    """
    letters = _letters(row for contest in run.contests for row in contest.rows)
    lines: list[_Line] = []
    for workload, contests in itertools.groupby(run.contests, key=lambda one: one.workload):
        lines.append(_Line(workload, heads=True))
        lines += [_contest_line(contest, letters) for contest in contests]
    used = {mark.letter for line in lines for mark in line.marks}
    peers = [f"{letter} {name}" for name, letter in letters.items() if letter in used]
    key = ["blue: fluxus_rx", *peers]
    title = f"fluxus_rx {run.library}: times the cost of the best code by hand"
    _draw(lines, path, title, key, "times the yardstick: to the left is cheaper")


def plot_changes(changes: Sequence[Change], path: Path) -> None:
    """Draw by what each ratio was multiplied between two runs."""
    lines = [
        _Line(
            each.name,
            [_Mark(each.shift.factor, _WORDS[each.shift.word])],
            each.words,
            _WORDS[each.shift.word],
        )
        for each in changes
    ]
    key = ["red: slower", "green: faster", "grey: within noise"]
    label = "times what it was: to the left is cheaper"
    _draw(lines, path, "What has changed", key, label, _RIGHT_OF_WORDS)


def plot_history(runs: Sequence[RunOutcome], path: Path) -> None:
    """Draw the ratio of each contest in each run, from the first to the last."""
    found = [ratios_of(run) for run in runs]
    names = [*dict.fromkeys(name for ratios in reversed(found) for name in ratios)]
    if not names:
        raise Refused(f"nothing was measured that {path.name} could show")
    title = "Times the cost of the best code by hand, from version to version"
    with _picture(path, len(names), title, ["up is dearer: half a line is twice as much"]) as axes:
        for place, name in enumerate(names):
            have = [(at, ratios[name].middle) for at, ratios in enumerate(found) if name in ratios]
            told = dict.fromkeys(times_text(ratio) for _, ratio in (have[0], have[-1]))
            _texts(axes, place, _Line(name, numbers=" → ".join(told)))
            _trace(axes, place, have)
        axes.set_xlim(-0.3, len(runs) - 0.7)
        axes.set_xticks(range(len(runs)), [run.library for run in runs])


def _contest_line(contest: ContestOutcome, letters: Mapping[str, str]) -> _Line:
    """Ours is a bar, or several, or a dot where it is the yardstick; others are letters."""
    rows = ranked(contest)
    names = [row.name for row in rows]
    of = next((name for name in (contest.yardstick, contest.subject) if name in names), None)
    if of is None:
        return _Line(contest.name, numbers="not measured")
    found = {row.name: ratio(contest.costs(row.name), contest.costs(of)) for row in rows}
    peers = [row for row in rows if not _is_ours(row) and row.name != of]
    ours = [row.name for row in rows if _is_ours(row)]
    marks = [_Mark(found[row.name], _GREY, letters[row.contender]) for row in peers]
    marks += [_Mark(found[name], _BLUE) for name in ours]
    told = [name for name in ours if name != of]
    main = contest.subject if contest.subject in told else next(iter(told), None)
    name = contest.name if of == BY_HAND or of in ours else f"{contest.name} (of {of})"
    return _Line(name, marks, interval_text(found[main]) if main else "", _BLUE)


def _is_ours(row: RowOutcome) -> bool:
    return row.contender.startswith(OURS)


def _letters(rows: Iterable[RowOutcome]) -> dict[str, str]:
    """A letter for each contender but ours: the first of its name that is free."""
    found: dict[str, str] = {}
    for row in rows:
        if row.contender not in found and not _is_ours(row):
            free = [letter for letter in _spelled(row.contender) if letter not in found.values()]
            found[row.contender] = free[0]
    return found


def _spelled(name: str) -> Iterator[str]:
    yield from (letter for letter in name.upper() if letter.isalnum())
    yield from (letter for letter in name.lower() if letter.isalnum())
    yield from map(str, range(1000))


def _draw(
    lines: Sequence[_Line],
    path: Path,
    title: str,
    key: Sequence[str],
    label: str,
    right: float = _RIGHT,
) -> None:
    """A picture with a line for each, on one logarithmic axis."""
    if not any(line.marks for line in lines):
        raise Refused(f"nothing was measured that {path.name} could show")
    low, high = _limits(mark.times for line in lines for mark in line.marks)
    with _picture(path, len(lines), title, key, right) as axes:
        axes.set_xscale("log")
        axes.set_xlim(low, high)
        axes.axvline(1, color=_GREY, linewidth=1)
        axes.set_xlabel(label)
        ticks = _ticks(low, high)
        axes.set_xticks(ticks, [times_text(tick) for tick in ticks])
        axes.minorticks_off()
        axes.grid(axis="x", color=_GREY, alpha=0.25, linewidth=0.5)
        for place, line in enumerate(lines):
            _texts(axes, place, line)
            for mark in line.marks:
                _draw_mark(axes, place, mark, low, high)


def check(path: Path) -> None:
    """Refuse what can't be drawn to, before anything is measured for it; ImportError without
    matplotlib."""
    if path.suffix not in (".svg", ".png"):
        raise Refused(f"a picture is .svg or .png, which {path.name} is not; choose such a name")
    try:
        import matplotlib  # noqa: F401 whether it can be
    except ImportError as error:
        raise ImportError('plots need matplotlib: pip install "matplotlib>=3.8"') from error


@contextmanager
def _picture(
    path: Path, lines: int, title: str, key: Sequence[str], right: float = _RIGHT
) -> Iterator[Axes]:
    """An empty picture with room for so many lines; it is saved in the end."""
    check(path)
    import matplotlib
    from matplotlib.figure import Figure

    told = textwrap.wrap(" · ".join(each.replace(" ", "\xa0") for each in key), 120)
    above, below = 0.42 + 0.15 * len(told), 0.5
    height = lines * _LINE + above + below
    settings: Any = _SETTINGS  # of which matplotlib knows each name as a type
    with matplotlib.rc_context(settings):
        figure = Figure(figsize=(_WIDTH, height), dpi=100)
        area = _LEFT, below / height, right - _LEFT, lines * _LINE / height
        axes = figure.add_axes(area)
        figure.text(0.01, 1 - 0.17 / height, title, fontsize=10, weight="bold", va="center")
        figure.text(0.01, 1 - 0.32 / height, "\n".join(told), va="top", linespacing=1.3)
        axes.patch.set_alpha(0)
        axes.set_ylim(lines - 0.5, -0.5)
        axes.set_yticks([])
        axes.tick_params(length=2, width=0.5)
        axes.spines[["left", "right", "top"]].set_visible(False)
        yield axes
        metadata = {"Date": None} if path.suffix == ".svg" else {"Software": None}
        figure.savefig(path, transparent=True, metadata=metadata)


def _texts(axes: Axes, place: int, line: _Line) -> None:
    """The name to the left, numbers to the right; a name of a group has a rule below."""
    name = line.name if len(line.name) <= _NAME else f"{line.name[: _NAME - 1]}…"
    along: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "va": "center"}
    left = 0.02 - _LEFT / axes.get_position().width
    axes.text(left, place, name, weight="bold" if line.heads else "normal", **along)
    axes.text(1.02, place, line.numbers, color=line.colour, **along)
    if line.heads:
        axes.axhline(place + 0.45, color=_GREY, linewidth=0.5)


def _draw_mark(axes: Axes, place: int, mark: _Mark, low: float, high: float) -> None:
    """A bar from 1 with a whisker, or a badge with a faint one; at the edge what is beyond."""
    middle, left, right = (min(max(end, low), high) for end in mark.times)
    if mark.letter:
        axes.plot([left, right], [place] * 2, color=mark.colour, alpha=0.5, linewidth=1)
        axes.plot([middle], [place], "o", color=mark.colour, markersize=8, markeredgewidth=0)
        axes.text(middle, place, mark.letter, color="white", fontsize=6.5, **_CENTRED)
        return
    axes.barh(place, middle - 1, left=1, height=0.56, color=mark.colour, alpha=0.55, linewidth=0)
    axes.plot([left, right], [place] * 2, color=mark.colour, linewidth=1.2)
    axes.plot([middle], [place], "o", color=mark.colour, markersize=4)


def _trace(axes: Axes, place: int, ratios: Sequence[tuple[int, float]]) -> None:
    """The way of a ratio over versions, within its line: half of it up is twice as much."""
    first = ratios[0][1]
    heights = [
        place - min(max(math.log2(value / first) / 2 if value and first else 0, -0.45), 0.45)
        for _, value in ratios
    ]
    axes.plot([at for at, _ in ratios], heights, "o-", color=_BLUE, markersize=3, linewidth=1)


def _limits(intervals: Iterable[Interval]) -> tuple[float, float]:
    """The ends of the axis: all middles, with a little room, but no more than the edges."""
    middles = [interval.middle for interval in intervals]
    low, high = min(*middles, 1.0), max(*middles, 1.0)
    return max(low, _EDGES[0]) / 1.25, min(high, _EDGES[1]) * 1.25


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers on the axis, the more the shorter it is."""
    digits = (1.0, 2.0, 5.0) if high > 8 * low else (1.0, 1.2, 1.5, 2.0, 3.0, 5.0, 7.0)
    ticks = (digit * 10.0**power for power in range(-3, 4) for digit in digits)
    return [tick for tick in ticks if low <= tick <= high]
