"""A timeline as a text of block characters and letters, for terminals, logs and tests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import ceil
from typing import Final

from ..._common.text import counted, printable, shortened, width_of
from .axis import ticks
from .model import NOTHING, WAITING, Lane, RowGroup, Timeline, levels

__all__ = ["to_text"]

#: Columns of the drawing, and of the names in it; lines for outputs, and lanes.
WIDTH: Final = 100
TEXT_NAME_WIDTH: Final = 24
MOST_TEXT_ROWS: Final = 20
MOST_TEXT_LANES: Final = 60

_BLOCKS: Final = " ▁▂▃▄▅▆▇█"
_MORE_SYMBOLS: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
#: for the steps that have no lane, where there are too many
_OTHER: Final = "+"


def to_text(timeline: Timeline) -> str:
    """The drawing, 100 columns wide (more only where terminals differ on a character's width).

    Above, a lane for each step, as high as many of its calls were at work: a full block is the most
    at once. Below, a line for each output or, where there are more than 20, for several: at
    each time the letter of the step that worked on it (on most of them), or a dot if it waited.
    """
    lanes = timeline.foremost(MOST_TEXT_LANES)
    texts = _TextDrawing(timeline, lanes, timeline.groups(MOST_TEXT_ROWS))
    return "\n".join(line.rstrip() for line in texts.lines())


class _TextDrawing:
    """The lines of one drawing. All bars begin in the same column, and end in the same one."""

    def __init__(
        self, timeline: Timeline, lanes: Sequence[Lane], groups: Sequence[RowGroup]
    ) -> None:
        self._timeline = timeline
        self._lanes = lanes
        self._groups = groups
        self._symbols = _symbols([timeline.steps[lane.step] for lane in lanes])
        names = [shortened(printable(timeline.steps[lane.step]), TEXT_NAME_WIDTH) for lane in lanes]
        self._names = [f"{one} {name}" for one, name in zip(self._symbols, names, strict=True)]
        self._labels = [group.label(timeline.paths) for group in groups]
        heads = [*self._names, *self._labels, "  again"]
        self._left = max(map(width_of, heads)) + 2
        self._counts = [(f"{one.summary.calls:,}", f"{one.summary.peak:,}") for one in lanes]
        calls, peaks = zip(("calls", "peak"), *self._counts, strict=True)
        self._right = max(map(len, calls)) + 2, max(map(len, peaks)) + 2
        self._bins = WIDTH - self._left - sum(self._right)

    def lines(self) -> Iterator[str]:
        """All of them, from the top down."""
        yield from self._timeline.said()
        if self._lanes:
            yield ""
            yield from self._lane_lines()
        if self._groups:
            yield ""
            yield self._line("", self._rows_title())
            for group, label in zip(self._groups, self._labels, strict=True):
                yield self._line(label, self._bar(group))
        if untimed := self._timeline.untimed():
            yield from ("", self._line("", untimed))
        if self._lanes or self._groups:
            yield from self._axis()
        legend = self._legend()
        if legend:
            yield ""
            yield legend

    def _line(self, label: str, bar: str, counts: tuple[str, str] = ("", "")) -> str:
        head = label + " " * (self._left - width_of(label))
        calls, peak = (text.rjust(width) for text, width in zip(counts, self._right, strict=True))
        return f"{head}{bar}{' ' * (self._bins - width_of(bar))}{calls}{peak}"

    def _lane_lines(self) -> Iterator[str]:
        yield self._line("", "calls in flight", ("calls", "peak"))
        end = self._timeline.elapsed
        for lane, name, counts in zip(self._lanes, self._names, self._counts, strict=True):
            heights = levels(lane.work(), self._bins, end)
            peak = lane.summary.peak
            bar = "".join(_BLOCKS[min(ceil(8 * level / peak), 8)] for level in heights)
            yield self._line(name, bar, counts)
            failed = [call.end for call in lane.calls if call.error is not None]
            again = [call.start for call in lane.calls if call.attempt > 1]
            if failed:
                yield self._line("  failed", self._marks(failed, "✗"), (f"{len(failed):,}", ""))
            if again:
                yield self._line("  again", self._marks(again, "↻"), (f"{len(again):,}", ""))
        hidden = len(self._timeline.lanes) - len(self._lanes)
        if hidden:
            more = counted(hidden, "more step, which was", "more steps, which were")
            yield self._line(_OTHER, f"{more} not as long at work")

    def _marks(self, times: Iterable[float], mark: str) -> str:
        scale = self._bins / self._timeline.elapsed if self._timeline.elapsed else 0.0
        hits = {min(int(time * scale), self._bins - 1) for time in times}
        return "".join(mark if index in hits else " " for index in range(self._bins))

    def _rows_title(self) -> str:
        most = max(len(group.rows) for group in self._groups)
        if most == 1:
            return "outputs"
        return f"outputs: a line stands for up to {most:,}, and shows what most of them did"

    def _bar(self, group: RowGroup) -> str:
        letters = {lane.step: one for lane, one in zip(self._lanes, self._symbols, strict=True)}
        letters |= {WAITING: "·", NOTHING: " "}
        cells = group.cells(self._bins, self._timeline.elapsed)
        return "".join(letters.get(cell.state, _OTHER) for cell in cells)

    def _axis(self) -> Iterator[str]:
        line, texts = ["─"] * self._bins, ""
        for place, text in ticks(self._timeline.elapsed, self._bins // 12):
            column = min(int(place * self._bins), self._bins - 1)
            line[column] = "┴"
            texts = texts.ljust(column - (len(text) - 1) // 2) + text
        yield self._line("", "".join(line))
        yield self._line("", texts[: self._bins])

    def _legend(self) -> str:
        shown = [lane.summary for lane in self._lanes]
        parts = ["· waits for the next step"] if self._groups else []
        parts += ["✗ a call failed"] if any(step.failures for step in shown) else []
        parts += ["↻ called again after that"] if any(step.retries for step in shown) else []
        return "   ".join(parts)


def _symbols(names: Sequence[str]) -> list[str]:
    """A letter for each name, the first one of its own that is still free."""
    symbols: list[str] = []
    for name in names:
        own = [char for char in name if char.isascii() and char.isalnum()]
        wanted = [*own, *map(str.swapcase, own), *_MORE_SYMBOLS]
        symbols.append(next(char for char in wanted if char not in symbols))
    return symbols
