"""The text of a result as fluxus prints it: on one line if it fits, else over several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

__all__ = ["laid_out"]

_WIDTH: Final = 80
_INDENT: Final = 4


def laid_out(call: str, arguments: Sequence[object]) -> str:
    """A call with these arguments.

    >>> print(laid_out("f", [["a" * 40], ["b" * 40]]))
    f(
        ['aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'],
        ['bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb']
    )
    """
    inside = ", ".join(map(repr, arguments))
    if len(call) + len(inside) + 2 <= _WIDTH:
        return f"{call}({inside})"
    return _lines(f"{call}(", ")", inside, [("", one) for one in arguments], 0, ())


def _lines(
    opening: str,
    closing: str,
    inside: str,
    items: Sequence[tuple[str, object]],
    indent: int,
    within: tuple[int, ...],
) -> str:
    """What is in brackets on a line of its own, or if that is too long, each item on one."""
    inner = indent + _INDENT
    rows = [inside]
    if inner + len(inside) > _WIDTH:
        commas = [1] * (len(items) - 1) + [0]
        rows = [
            before + _value(one, inner, len(before) + comma, within)
            for (before, one), comma in zip(items, commas, strict=True)
        ]
    separator = ",\n" + " " * inner
    return f"{opening}\n{' ' * inner}{separator.join(rows)}\n{' ' * indent}{closing}"


def _value(value: Any, indent: int, beside: int, within: tuple[int, ...]) -> str:
    """A value behind so many blanks, and beside so many characters."""
    text = repr(value)
    fits = indent + beside + len(text) <= _WIDTH
    if fits or type(value) not in (list, tuple, dict, set) or not value or id(value) in within:
        return text
    items = [("", one) for one in value]
    if isinstance(value, dict):
        items = [(f"{key!r}: ", one) for key, one in value.items()]
    inside = text[1:-1].removesuffix(",")
    return _lines(text[0], text[-1], inside, items, indent, (*within, id(value)))
