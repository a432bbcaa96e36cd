"""The errors that the library raises of its own accord.

FlowError
├── InvalidFlowError        TypeError     a flow, a step or a call of run() is written wrongly
├── InvalidNameError        ValueError    a name that can't be one
├── InvalidOptionError      ValueError    an option out of its range
├── InvalidProductError     TypeError     a step gave something that is no product
├── InvalidAttributeError   ValueError    a step gave an attribute whose name can't be one
├── MissingAttributeError   ValueError    a step needs what nothing before it provides
├── UsageError              RuntimeError  used up, or used in the wrong place
├── FailureLimitError       RuntimeError  more calls failed than the run was to put up with
└── BufferOverflowError     RuntimeError  a source that doesn't wait gave more than its buffer holds

What a user's function raises is none of these: it surfaces as the object it is, with notes.
"""

from __future__ import annotations

import asyncio
import contextlib
import reprlib
from collections.abc import Sequence
from typing import Any

__all__ = [
    "BufferOverflowError",
    "FailureLimitError",
    "FlowError",
    "InvalidAttributeError",
    "InvalidFlowError",
    "InvalidNameError",
    "InvalidOptionError",
    "InvalidProductError",
    "MissingAttributeError",
    "UsageError",
]


class FlowError(Exception):
    """Any error that the library raises of its own accord.

    >>> import fluxus_rx
    >>> try:
    ...     fluxus_rx.chain()
    ... except fluxus_rx.FlowError as error:
    ...     print(type(error).__name__, "-", error)
    InvalidFlowError - chain() needs at least one step
    """


class InvalidFlowError(FlowError, TypeError):
    """A flow, a step or a call of `run` is written wrongly."""


class InvalidNameError(FlowError, ValueError):
    """A name that can't be the name of a step."""


class InvalidOptionError(FlowError, ValueError):
    """An option out of its range."""


class InvalidProductError(FlowError, TypeError):
    """A step gave something that is no product."""


class InvalidAttributeError(FlowError, ValueError):
    """A step gave an attribute whose name is no identifier."""


class MissingAttributeError(FlowError, ValueError):
    """A step needs an attribute that nothing before it provides."""


class UsageError(FlowError, RuntimeError):
    """Something is used up, or used where it can't be."""


class FailureLimitError(FlowError, RuntimeError):
    """More calls failed than `max_failures` of the run allows.

    `failures` are all of them, as `Failure` objects; `result` is what the run had given by then,
    a `RunResult`, or None for a run whose outputs were handed on as they came. The cause is the
    exception of the last one.
    """

    def __init__(self, text: str, failures: Sequence[Any] = ()) -> None:
        super().__init__(text)
        self.failures: Sequence[Any] = failures
        self.result: Any = None

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.failures), {"result": self.result}


class BufferOverflowError(FlowError, RuntimeError):
    """A source that doesn't wait gave more than its buffer holds, under `overflow="error"`, or a
    publisher more than was requested."""


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
