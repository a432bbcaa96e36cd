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
├── BufferOverflowError     RuntimeError  a source that doesn't wait gave more than its buffer holds
└── ObservableError         RuntimeError  an observable ended with what is no exception

What a user's function raises is none of these: it surfaces as the object it is, with notes.
"""

from __future__ import annotations

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
    "ObservableError",
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

    def _flow_complete(self, failures: Sequence[Any], result: Any) -> None:
        """Take what only the run as a whole knows, once it has ended."""
        self.failures = failures
        self.result = result

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.failures), {"result": self.result}


class BufferOverflowError(FlowError, RuntimeError):
    """A source that doesn't wait gave more than its buffer holds, under `overflow="error"`, or a
    publisher more than was requested."""


class ObservableError(FlowError, RuntimeError):
    """An observable ended with something that is no exception; `error` is what it gave."""

    def __init__(self, text: str, error: Any = None) -> None:
        super().__init__(text)
        self.error: Any = error

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.error)
