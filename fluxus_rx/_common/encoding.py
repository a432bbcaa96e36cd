"""Texts that can be printed wherever the program prints, whatever encoding that has."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

from .._errors import encodable
from .._typing import T

__all__ = ["PrintedText", "printed", "to_print"]


def to_print(text: str) -> str:
    """A text as stdout can print it; see `encodable`."""
    return encodable(text, sys.stdout)


class PrintedText(str):
    """A text that is compared and written down as it is, and is printed as stdout takes it.

    >>> PrintedText("a → b") == "a → b"
    True
    """

    __slots__ = ()

    def __str__(self) -> str:
        return to_print(super().__str__())

    def __repr__(self) -> str:
        return to_print(super().__repr__())

    def __format__(self, how: str) -> str:
        return format(str(self), how)

    def __reduce__(self) -> tuple[Any, ...]:
        return str, (super().__str__(),)  # plain, for the reader


def printed(kind: type[T]) -> type[T]:
    """A class whose objects can be printed: its `repr` and its `str` are texts that stdout takes.

    Where the text is made, because `print` asks nobody else.
    """
    for name in ("__repr__", "__str__"):
        method = vars(kind).get(name)
        if method is not None:
            setattr(kind, name, _to_print(method))
    return kind


def _to_print(method: Callable[[Any], str]) -> Callable[[Any], str]:
    @functools.wraps(method)
    def text(self: Any) -> str:
        return to_print(method(self))

    return text
