"""Texts that can be printed wherever the program prints, whatever encoding that has."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

from .._errors import encodable
from .._typing import T

__all__ = ["printed", "to_print"]


def to_print(text: str) -> str:
    """A text as stdout can print it; see `encodable`."""
    return encodable(text, sys.stdout)


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
