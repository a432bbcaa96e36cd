"""Whether a Jupyter kernel runs this, and what is shown in it: bundles, and tables that fold."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from .text import html_text, printable

__all__ = ["folded", "html_table", "in_notebook", "show_in_notebook"]

# Colours are those of the notebook, light or dark, and its own rules make the rest of a table.
_CELL: Final = "text-align:left;vertical-align:top;max-width:30em;overflow-wrap:anywhere"
_NUMBER: Final = "text-align:right;vertical-align:top;white-space:nowrap"


def in_notebook() -> bool:
    """Whether a Jupyter kernel runs this.

    >>> in_notebook()
    False
    """
    # Where IPython is not imported, nothing runs in it.
    get_ipython = getattr(sys.modules.get("IPython"), "get_ipython", None)
    return get_ipython is not None and getattr(get_ipython(), "kernel", None) is not None


def show_in_notebook(bundle: Mapping[str, object]) -> None:
    """Show a drawing in the notebook: the best of these MIME types that it knows."""
    from IPython.display import display as displayed

    show: Callable[..., object] = displayed  # it has no types of its own
    show(dict(bundle), raw=True)


def html_table(
    headings: Iterable[Sequence[tuple[str, int]]],
    rows: Iterable[Sequence[str]],
    numbers: Sequence[bool],
) -> str:
    """A table: rows of headings, each with the number of columns that it spans, and rows of cells;
    texts are escaped. `numbers` tells of each column whether it has some, which stand on the right.

    >>> html_table([[("a", 1)]], [["<b>"]], [False])
    '<table><thead>...<th ...>a</th></tr></thead><tbody><tr><td ...>&lt;b&gt;</td>...</table>'
    """
    styles = [_NUMBER if is_number else _CELL for is_number in numbers]
    head = "".join(f"<tr>{_headings(row, styles)}</tr>" for row in headings)
    body = "".join(
        "<tr>"
        + "".join(
            f'<td style="{style}">{html_text(printable(text))}</td>'
            for text, style in zip(row, styles, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    return f"<table><thead>{head}</thead><tbody>{body}</tbody></table>"


def _headings(row: Sequence[tuple[str, int]], styles: Sequence[str]) -> str:
    cells, column = [], 0
    for text, span in row:
        style = styles[column] if span == 1 else _CELL
        spans = f' colspan="{span}"' if span > 1 else ""
        cells.append(f'<th{spans} style="{style}">{html_text(printable(text))}</th>')
        column += span
    return "".join(cells)


def folded(title: str, body: str, is_open: bool = False) -> str:
    """HTML that folds, below a title that isn't HTML yet.

    >>> folded("2 < 3", "<p>yes</p>")
    '<details><summary>2 &lt; 3</summary><p>yes</p></details>'
    """
    opened = " open" if is_open else ""
    return f"<details{opened}><summary>{html_text(printable(title))}</summary>{body}</details>"
