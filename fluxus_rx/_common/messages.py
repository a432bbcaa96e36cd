"""Texts of errors: values shown shortly, and notes on exceptions."""

from __future__ import annotations

import asyncio
import contextlib
import reprlib

__all__ = ["also_raised", "note", "short", "shown"]


class _Short(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = 60

    def repr1(self, x: object, level: int) -> str:
        # Not `repr_instance` alone: an int may have too many digits, and what a class is called may
        # make it pass for a container.
        try:
            return super().repr1(x, level)
        except BaseException as error:
            return f"<{type(x).__name__}: its repr raised {type(error).__name__}>"


_SHORT = _Short()


def short(value: object) -> str:
    """The `repr` of a value, shortened; never raises.

    >>> short("x" * 100)
    "'xxxxxxxxxxxxxxxxxxxxxxxxxxx...xxxxxxxxxxxxxxxxxxxxxxxxxxxx'"
    """
    return _SHORT.repr(value)


def shown(value: object) -> str:
    """A value and its type, for messages.

    >>> shown(5), shown(None)
    ('5 (int)', 'None (NoneType)')
    """
    return f"{short(value)} ({type(value).__name__})"


def note(error: BaseException, text: str) -> None:
    """Add a note to an exception, once; an exception that takes none stays as it is."""
    if text not in getattr(error, "__notes__", ()):
        with contextlib.suppress(Exception):
            error.add_note(text)


def also_raised(first: BaseException, second: BaseException) -> None:
    """Keep `second` as a note of `first`, which is the one that is raised."""
    if second is not first and not isinstance(second, (asyncio.CancelledError, GeneratorExit)):
        note(first, f"while this ended the run, another error came up: {short(second)}")
