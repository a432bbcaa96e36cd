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
`RecordedError` stands in for one of them that was written down and can't be made again.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Final

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
    "RecordedError",
    "UsageError",
    "encodable",
]

#: What stands for the characters of texts and drawings where the encoding has none of them, of the
#: same width in drawings.
_PLAIN_CHARACTERS: Final = str.maketrans(
    "│┊─┄├┤┬┴┼╭╮╰╯▶▷○□●◉◇…▁▂▃▄▅▆▇█·–✗↻→µ",
    "|:-.+++++++++>>o#*@<._..:::##.-x^>u",
)


def encodable(text: str, stream: object) -> str:
    """A text as it can be written to a stream: in an encoding without its characters, with plain
    ones in their place, and escapes.

    >>> import io
    >>> encodable("a → ä, 東", io.TextIOWrapper(io.BytesIO(), "latin-1"))
    'a > ä, \\\\u6771'
    """
    if text.isascii():
        return text
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeError:
        plain = text.translate(_PLAIN_CHARACTERS)
        return plain.encode(encoding, "backslashreplace").decode(encoding)
    return text


class FlowError(Exception):
    """Any error that the library raises of its own accord.

    `result` is what the run that it ended had given by then, a `RunResult`, where outputs are
    collected: by `run`, `arun`, `rerun`, `arerun` and `start`. It is None elsewhere. Where a step
    runs a flow of its own, it is the result of that.

    >>> import fluxus_rx
    >>> try:
    ...     fluxus_rx.chain()
    ... except fluxus_rx.FlowError as error:
    ...     print(type(error).__name__, "-", error)
    InvalidFlowError - chain() needs at least one step
    """

    result: Any = None

    def _flow_complete(self, result: Any) -> None:
        """Take what the run had given, which only the run as a whole knows."""
        if self.result is None:
            self.result = result

    def __str__(self) -> str:
        # An error that can't be printed hides itself, and what has gone wrong.
        return encodable(super().__str__(), sys.stdout)

    def __repr__(self) -> str:
        return encodable(super().__repr__(), sys.stdout)


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
    """A step needs an attribute that nothing before it provides.

    It ends the run also where `on_error` says that failures don't, and no attempt is made again:
    the flow is wired wrongly, and not a call gone wrong. An attribute that only some products have
    is a parameter with a default.
    """


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

    def _flow_complete_failures(self, failures: Sequence[Any]) -> None:
        """Take the failures as they are once the run has ended."""
        self.failures = failures

    def __reduce__(self) -> tuple[Any, ...]:
        # With its notes, which are among its attributes.
        return type(self), (str(self),), self.__dict__.copy()


class BufferOverflowError(FlowError, RuntimeError):
    """A source that doesn't wait gave more than its buffer holds, under `overflow="error"`, or a
    publisher more than was requested."""


class ObservableError(FlowError, RuntimeError):
    """An observable ended with something that is no exception; `error` is what it gave."""

    def __init__(self, text: str, error: Any = None) -> None:
        super().__init__(text)
        self.error: Any = error

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.error), self.__dict__.copy()


class RecordedError(Exception):
    """An exception that was written down, where it can't be made again.

    Failures that were pickled, or written as JSON, have it for an exception that can't be loaded:
    its class is not there, takes other arguments, or held something that stays in its process.

    - `class_name`: the name of the class, behind that of its module: `"httpx.HTTPStatusError"`
    - `text`: what `str()` gave; of a very long one the first 10,000 characters
    - `traceback`: the frames that it came through, as text; empty where there were none

    Its notes, its cause and its context are those of the exception.

    >>> error = RecordedError("httpx.HTTPStatusError", "429")
    >>> error, str(error)
    (RecordedError('httpx.HTTPStatusError', '429'), 'httpx.HTTPStatusError: 429')
    """

    def __init__(self, class_name: str, text: str = "", traceback: str = "") -> None:
        super().__init__(class_name, text)
        self.class_name = class_name
        self.text = text
        self.traceback = traceback

    def __str__(self) -> str:
        return f"{self.class_name}: {self.text}" if self.text else self.class_name
