"""Texts as people read them: times with their units, on one line, no wider than there is room."""

from __future__ import annotations

import functools
import math
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

__all__ = [
    "counted",
    "elapsed_time",
    "html_text",
    "measured_time",
    "per_time",
    "printable",
    "remaining_time",
    "shortened",
    "table",
    "width_of",
]


def html_text(text: str) -> str:
    """A text as it is written in HTML.

    >>> html_text("a < b")
    'a &lt; b'
    """
    import html

    return html.escape(text)


def counted(count: float, one: str, several: str | None = None) -> str:
    """A number with what it counts, in the singular for 1; `several` is `one` with an s, unless it
    is given.

    >>> counted(1, "output"), counted(1200, "output"), counted(0, "call has", "calls have")
    ('1 output', '1,200 outputs', '0 calls have')
    """
    return f"{count:,} {one if count == 1 else several or one + 's'}"


def measured_time(seconds: float) -> str:
    """Seconds that were measured, with three digits and their unit.

    >>> [measured_time(seconds) for seconds in (0, 2.5e-6, 0.0123, 1, 59.96, 125, 7325)]
    ['0 s', '2.5 µs', '12.3 ms', '1 s', '60 s', '2 min 5 s', '2 h 2 min']
    """
    if seconds >= 99.95:
        minutes, rest = divmod(round(seconds), 60)
        hours, left = divmod(minutes, 60)
        return f"{hours} h {left} min" if hours else f"{minutes} min {rest} s"
    if not seconds:
        return "0 s"
    factor, unit = 1e6, "µs"
    if seconds >= 0.9995:
        factor, unit = 1, "s"
    elif seconds >= 9.995e-4:
        factor, unit = 1e3, "ms"
    return f"{float(f'{seconds * factor:.3g}'):g} {unit}"


def elapsed_time(seconds: float) -> str:
    """Seconds that have passed, and go on: with tenths, then in the two largest units.

    >>> [elapsed_time(seconds) for seconds in (12.04, 200.04, 3_900.0, 100_000.0)]
    ['12.0 s', '3 min 20 s', '1 h 05 min', '1 d 3 h']
    """
    whole = round(seconds)
    return f"{seconds:.1f} s" if whole < 60 else _largest_units(whole)


def remaining_time(seconds: float) -> str:
    """Seconds that are to come, rounded up, in the two largest units.

    >>> [remaining_time(seconds) for seconds in (0.2, 12.0, 200.0, 3_900.0, 100_000.0)]
    ['1 s', '12 s', '3 min 20 s', '1 h 05 min', '1 d 3 h']
    """
    whole = math.ceil(seconds)
    return f"{whole} s" if whole < 60 else _largest_units(whole)


def _largest_units(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def per_time(rate: float) -> str:
    """A number per second; where it is small, per minute or hour.

    >>> [per_time(rate) for rate in (12_345.6, 28.4, 2.84, 0.5, 0.01, 0.0)]
    ['12,346/s', '28/s', '2.8/s', '30/min', '36/h', '0/s']
    """
    for unit, seconds in (("s", 1), ("min", 60), ("h", 3_600)):
        number = rate * seconds
        if number >= 1 or number == 0 or unit == "h":
            digits = 1 if 0 < number < 9.95 else 0
            return f"{number:,.{digits}f}/{unit}"
    raise AssertionError(rate)


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
