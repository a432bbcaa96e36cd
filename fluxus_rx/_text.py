"""Texts as a drawing shows them: on one line, and no wider than there is room for."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

__all__ = ["printable", "shortened", "table", "width_of"]

#: The joiners that hold an emoji or a word together; all else that can't be printed is escaped.
_JOINERS = "\u200c\u200d"


def printable(text: str) -> str:
    r"""A text with escapes for what can't be seen: line ends, control characters, half characters.

    >>> printable("a\nb"), printable("naïve\x00")
    ('a\\nb', 'naïve\\x00')
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one in _JOINERS else repr(one)[1:-1] for one in text)


def shortened(text: str, width: int) -> str:
    """A text that is at most so many columns wide, cut at its end.

    >>> shortened("weather", 5), shortened("東京の天気", 5)
    ('weat…', '東京…')
    """
    if len(text) * 2 <= width or width_of(text) <= width:
        return text
    columns = 1  # for the dots
    for index, one in enumerate(text):
        columns += width_of(one)
        if columns > width:
            return f"{text[:index]}…"
    return text


def width_of(text: str) -> int:
    """How many columns a text takes in a terminal.

    >>> width_of("naïve"), width_of("東京"), width_of("e\u0301")
    (5, 4, 1)
    """
    if text.isascii():
        return len(text)
    return sum(map(_columns, text))


@functools.cache
def _columns(one: str) -> int:
    if unicodedata.category(one) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(one) in "WF" else 1


def table(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The lines of a table: the first column to the left, all others to the right.

    >>> list(table([("step", "calls"), ("fetch", "10")]))
    ['step   calls', 'fetch     10']
    """
    listed = [*rows]
    widths = [max(map(width_of, column)) for column in zip(*listed, strict=True)]
    for name, *cells in listed:
        padded = [cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True)]
        yield "  ".join([name + " " * (widths[0] - width_of(name)), *padded])
