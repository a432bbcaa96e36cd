"""A page of the docs that has tables between marks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from ..measuring.contest import Refused

__all__ = ["END", "escaped", "list_table", "updated"]

#: A comment of reStructuredText. What is between the mark where a table begins and this one is
#: written again; what is around is by hand.
END = ".. benchmarks: up to here"


def updated(page: str, text: str, begin: str) -> str:
    """The page with this text between `begin` and the END that follows, all else as it is.

    An empty page gets the marks. Raises ValueError where a page has them not, or more than once.
    """
    if not page.strip():
        page = f"{begin}\n{END}\n"
    before, mark, rest = page.partition(begin)
    _, end, after = rest.partition(END)
    if not (mark and end) or begin in rest:
        raise Refused(
            f"the page must have two lines, between which tables are written, once: {begin!r} and"
            f" then {END!r}"
        )
    return f"{before}{begin}\n\n{text}\n{END}{after}"


def list_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; its cells are reStructuredText of one line."""
    lines = [line for row in (head, *rows) for line in _cells(row)]
    return "\n".join([".. list-table::", "   :header-rows: 1", "", *lines])


def _cells(cells: Sequence[str]) -> Iterator[str]:
    for place, cell in enumerate(cells):
        yield f"   {'* -' if not place else '  -'} {cell}".rstrip()


def escaped(text: str) -> str:
    """The text as it is, whatever it would mean to reStructuredText; in one line."""
    return re.sub(r"([\\*`|]|_(?![A-Za-z0-9]))", r"\\\1", " ".join(text.split()))
