"""Where the progress of a run is shown: in a terminal, in a notebook, or as lines of text."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from .._common.messages import install_hint
from .._common.notebook import in_notebook
from .._common.text import html_text
from .._errors import encodable
from .progress import (
    Progress,
    State,
    StepProgress,
    fitting_steps,
    headline,
    share_done,
    shown_columns,
    step_cells,
)

__all__ = ["Display", "fitting_display"]

#: What the first line says where the live display could be shown, were it installed.
HINT: Final = install_hint("a live display of the progress", "rich")


class Display(Protocol):
    """What a run is shown by, from the run's own loop."""

    #: seconds from one `show` to the next
    interval: float

    def show(self, progress: Progress) -> None:
        """Show how far the run has come; the last time, how it has ended."""

    def close(self) -> None:
        """Leave everything as it was before, but for what has been shown."""


def fitting_display() -> Display:
    """The display that fits the place where we are."""
    if in_notebook():
        return Notebook()
    if not _in_terminal():
        return Lines()
    try:
        from .terminal import Terminal
    except ImportError:
        return Lines(HINT)
    return Terminal.opened() or Lines()


def _in_terminal() -> bool:
    # It is None in pythonw, and may be closed.
    with contextlib.suppress(AttributeError, OSError, ValueError):
        return sys.stderr.isatty() and os.environ.get("TERM", "") not in ("dumb", "unknown")
    return False


class Lines:
    """Lines on stderr, one each time; what is no longer open for them gets none."""

    interval = 5.0

    def __init__(self, first: str | None = None) -> None:
        self._first = first

    def show(self, progress: Progress) -> None:
        """Write a line."""
        if self._first is not None:
            _write_line(self._first)
            self._first = None
        _write_line(str(progress))

    def close(self) -> None:
        """There is nothing to close."""


def _write_line(line: str) -> None:
    # Looked up each time: a live display, or a test, may have put another one in its place.
    with contextlib.suppress(AttributeError, OSError, ValueError):
        # In one piece, or it is torn apart where several runs write.
        sys.stderr.write(encodable(line, sys.stderr) + "\n")
        sys.stderr.flush()


class Notebook:
    """An HTML table below the cell; without widgets, so that it is there when the notebook is
    opened again."""

    interval = 0.5

    def __init__(self) -> None:
        self._id = f"fluxus_rx-{os.urandom(16).hex()}"
        self._is_shown = False

    def show(self, progress: Progress) -> None:
        """Put the table there, or in the place of the one before."""
        from IPython.display import display as displayed
        from IPython.display import update_display

        show: Callable[..., object] = update_display if self._is_shown else displayed
        bundle = {"text/html": progress_table(progress), "text/plain": str(progress)}
        show(bundle, raw=True, display_id=self._id)
        self._is_shown = True

    def close(self) -> None:
        """The table stays."""


#: Steps in a table of a notebook at most.
ROWS: Final = 40

#: Colours that can be read on white and on black; all others are those of the notebook.
COLOURS: Final = {
    "running": "#2f81f7",
    "done": "#2da44e",
    "failed": "#e5534b",
    "cancelled": "#b08800",
    "paused": "#b08800",
    "draining": "#b08800",
}

_PADDED = "padding: 0.15em 0.7em"
_LEFT = f"{_PADDED}; text-align: left; overflow-wrap: anywhere; max-width: 24em"
_RIGHT = f"{_PADDED}; text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums"
_ROUND = "height: 0.6em; border-radius: 0.3em"
_TRACK = f"{_ROUND}; width: 12em; overflow: hidden; background: rgba(128, 128, 128, 0.25)"
_UNKNOWN = "background: repeating-linear-gradient(-45deg, {0} 0 0.5em, transparent 0.5em 1em)"


def progress_table(progress: Progress) -> str:
    """A run as an HTML table, and a line below it; names are escaped.

    >>> progress_table(Progress(1.0, (), None, "cancelled"))
    '<table>...cancelled after 1.0 s</div>'
    """
    steps = fitting_steps(progress.steps, ROWS)
    columns = shown_columns(steps)
    heads = "".join(_html_cell(head, _RIGHT, "th") for head in columns)
    rows = "".join(_progress_row(step, progress.state, columns) for step in steps)
    colour = "inherit" if progress.state == "running" else COLOURS[progress.state]
    return (
        f"<table><thead><tr>{_html_cell('step', _LEFT, 'th')}<th></th>{heads}</tr></thead>"
        f"<tbody>{rows}</tbody></table>"
        f'<div style="color: {colour}">{headline(progress)}</div>'
    )


def _progress_row(step: StepProgress, state: State, columns: Sequence[str]) -> str:
    red = f"{_RIGHT}; font-weight: bold; color: {COLOURS['failed']}"
    others = "".join(
        _html_cell(text, red if head == "failed" and step.failed else _RIGHT)
        for head, text in zip(columns, step_cells(step, columns), strict=True)
    )
    return f"<tr>{_html_cell(step.step, _LEFT)}<td>{_html_bar(step, state)}</td>{others}</tr>"


def _html_cell(text: str, style: str, tag: str = "td") -> str:
    return f'<{tag} style="{style}">{html_text(text)}</{tag}>'


def _html_bar(step: StepProgress, state: State) -> str:
    full = share_done(step, state)
    colour = COLOURS["done" if full == 1.0 else "running"]
    if full is None:
        filling = f"width: 100%; {_UNKNOWN.format(colour)}"
    else:
        filling = f"width: {full:.1%}; background: {colour}"
    return f'<div style="{_TRACK}"><div style="{_ROUND}; {filling}"></div></div>'
