"""Texts as a drawing shows them: on one line, and no wider than there is room for."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

__all__ = ["duration", "per_time", "printable", "seconds", "shortened", "table", "width_of"]


def duration(seconds: float, *, precise: bool = False) -> str:
    """A length of time in the two largest units that it has; `precise`, with tenths of seconds.

    >>> [duration(seconds) for seconds in (0.2, 12.0, 200.0, 3_900.0, 100_000.0)]
    ['0 s', '12 s', '3 min 20 s', '1 h 05 min', '1 d 3 h']
    >>> duration(12.04, precise=True), duration(200.04, precise=True)
    ('12.0 s', '3 min 20 s')
    """
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{seconds:.1f} s" if precise else f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    if not hours:
        return f"{minutes} min {rest:02} s"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if days else f"{hours} h {minutes:02} min"


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


def seconds(time: float) -> str:
    """A time with three digits and its unit.

    >>> [seconds(time) for time in (0, 2.5e-6, 0.0123, 1, 59.96, 125, 7325)]
    ['0 s', '2.5 µs', '12.3 ms', '1 s', '60 s', '2 min 5 s', '2 h 2 min']
    """
    if time >= 99.95:
        minutes, rest = divmod(round(time), 60)
        hours, left = divmod(minutes, 60)
        return f"{hours} h {left} min" if hours else f"{minutes} min {rest} s"
    if not time:
        return "0 s"
    factor, unit = (1, "s") if time >= 0.9995 else (1e3, "ms") if time >= 9.995e-4 else (1e6, "µs")
    return f"{float(f'{time * factor:.3g}'):g} {unit}"


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
