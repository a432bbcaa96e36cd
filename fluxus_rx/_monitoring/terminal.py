"""The progress of a run in a terminal, drawn by rich; imported where that is wanted."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Sequence
from typing import Any, Final

from rich.console import Console, Group
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from .._common.text import printable
from .progress import (
    GOES_ON,
    Progress,
    State,
    StepProgress,
    fitting_steps,
    headline,
    share_done,
    shown_columns,
    step_cells,
)

__all__ = ["Terminal", "progress_group"]

#: Lines that aren't steps: the heads, the last line, and the one that the cursor stands in.
OTHERS: Final = 3

#: Between two columns.
GAP: Final = 2

#: Letters of a name that there is always room for.
NAME: Final = 18

#: How long a bar is. Shorter ones say nothing; where there is no room for them, there are none.
BAR: Final = range(8, 41)

#: Rates and times change their length all the time: with less room, all would be on the move.
ROOM: Final = {"rate": 7, "ETA": 7}

#: Named colours are those of the terminal's own theme, so they can be read on it.
STATE_STYLES: Final = {
    "running": "",
    "paused": "yellow",
    "draining": "yellow",
    "done": "green",
    "failed": "bold red",
    "cancelled": "bold",
}

#: Held by the one live display: two of them would overwrite each other.
_screen = threading.Lock()


class Terminal:
    """A table on stderr, drawn again each time; what is printed meanwhile goes above it."""

    interval = 0.1

    def __init__(self, live: Live) -> None:
        self._live: Live | None = live

    @classmethod
    def opened(cls) -> Terminal | None:
        """A live display; None if there is one already, or the terminal can't show it."""
        console = Console(stderr=True)
        if not (console.is_terminal and console.is_interactive) or console.is_dumb_terminal:
            return None
        live = Live(
            console=console,
            # Our own task draws: a thread of rich's would draw while ours writes.
            auto_refresh=False,
            # What is piped elsewhere belongs there, and not above the table.
            redirect_stdout=_is_terminal(sys.stdout),
        )
        return cls(live) if _screen.acquire(blocking=False) else None

    def show(self, progress: Progress) -> None:
        """Draw the table."""
        if self._live is None:
            return
        console = self._live.console
        try:
            self._live.update(progress_group(progress, console.width, console.height))
            self._live.start()
            if progress.state in GOES_ON:
                self._live.refresh()
        except (OSError, ValueError):
            self.close()  # the terminal is gone, and the run goes on

    def close(self) -> None:
        """Draw it for the last time, and show the cursor again."""
        live, self._live = self._live, None
        if live is None:
            return
        try:
            with contextlib.suppress(OSError, ValueError):
                live.stop()
        finally:
            _screen.release()


def progress_group(progress: Progress, width: int, height: int) -> Group:
    """A run as rich draws it, in as many columns and lines.

    In a narrow terminal, the bars are left out first, then what is on the right.
    """
    steps = fitting_steps(progress.steps, max(height - OTHERS, 1))
    longest = max(len("step"), *(len(step.step) for step in (*progress.steps, *steps)), 0)
    names = min(longest, max(width // 4, NAME))
    columns = shown_columns(steps)
    rows = [step_cells(step, columns) for step in steps]
    widths = [
        max(ROOM.get(head, 0), len(head), *(len(row[index]) for row in rows))
        for index, head in enumerate(columns)
    ]
    while len(widths) > 1 and names + sum(widths) + GAP * len(widths) > width:
        widths.pop()
    bar = width - names - sum(widths) - GAP * (len(widths) + 1)
    # No padding: where it goes at the edges depends on the version of rich.
    table = Table(box=None, pad_edge=False, padding=0, header_style="bold")
    table.add_column("step", no_wrap=True, width=names)
    if bar >= BAR.start:
        table.add_column("", width=min(bar, BAR.stop - 1) + GAP)
    columns = columns[: len(widths)]
    for head, room in zip(columns, widths, strict=True):
        table.add_column(head, justify="right", no_wrap=True, width=room + GAP)
    for step in steps:
        bars = (
            [Padding(_progress_bar(step, progress.state), (0, 0, 0, GAP))]
            if bar >= BAR.start
            else []
        )
        table.add_row(_fitting_name(step.step, names), *bars, *_number_cells(step, columns))
    return Group(table, Text(headline(progress), STATE_STYLES[progress.state]))


def _is_terminal(stream: Any) -> bool:
    # It may be None, closed, or of a class that knows no more than write().
    with contextlib.suppress(AttributeError, OSError, ValueError):
        return bool(stream.isatty())
    return False


def _fitting_name(name: str, room: int) -> Text:
    """A name; of one that is too long, the two ends, for names often differ at their end."""
    name = printable(name)
    if len(name) > room:
        back = room // 3
        name = f"{name[: room - back - 1]}…{name[-back:]}"
    # No string, or rich would take what is in brackets for its markup.
    return Text(name, no_wrap=True, overflow="ellipsis")


def _progress_bar(step: StepProgress, state: State) -> ProgressBar:
    full = share_done(step, state)
    total = None if full is None else 1.0
    return ProgressBar(
        total,
        full or 0.0,
        style="bright_black",
        # Rich's own is pink, which says that something is wrong.
        complete_style="cyan",
        finished_style="green",
        pulse_style="cyan",
    )


def _number_cells(step: StepProgress, columns: Sequence[str]) -> list[Text]:
    return [
        Text(text, STATE_STYLES["failed"] if head == "failed" and step.failed else "")
        for head, text in zip(columns, step_cells(step, columns), strict=True)
    ]
