"""The errors that the library itself raises.

FlowError
├── InvalidFlowError        TypeError     a flow, a step or a call of run() is written wrongly
├── InvalidNameError        ValueError    a name that can't be used
├── InvalidOptionError      ValueError    an option out of its range
├── InvalidProductError     TypeError     a step returned something that isn't a product
├── InvalidAttributeError   ValueError    a step returned an attribute with an invalid name
├── MissingAttributeError   ValueError    a step needs an attribute that nothing before it provides
├── UsageError              RuntimeError  an object is used up, or used in the wrong place
├── FailureLimitError       RuntimeError  more calls failed than the run allows
├── BufferOverflowError     RuntimeError  a source that doesn't wait overflowed its buffer
└── ObservableError         RuntimeError  an observable ended with an error that isn't an exception

Exceptions of users' functions aren't among them: each surfaces as the object that was raised, with
notes. `RecordedError` stands in for an exception that was written down and can't be loaded.
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
    """The base of all errors that the library itself raises; catch it to catch them all.

    Each is a TypeError, ValueError or RuntimeError as well. Exceptions of users' functions are not
    wrapped in it.

    `result` is the `RunResult` of the run that the error ended, with the outputs up to then, where
    outputs are collected: by `run`, `arun`, `rerun`, `arerun` and `start`. It is None elsewhere. If
    a step runs a flow of its own, it is the result of that flow.

    >>> import fluxus_rx
    >>> try:
    ...     fluxus_rx.chain()
    ... except fluxus_rx.FlowError as error:
    ...     print(type(error).__name__, "-", error)
    InvalidFlowError - chain() needs at least one step
    """

    result: Any = None

    def _flow_complete(self, result: Any) -> None:
        """Take the outputs up to now, which only the run as a whole knows."""
        if self.result is None:
            self.result = result

    def __str__(self) -> str:
        # An error that can't be printed hides itself, and what has gone wrong.
        return encodable(super().__str__(), sys.stdout)

    def __repr__(self) -> str:
        return encodable(super().__repr__(), sys.stdout)


class InvalidFlowError(FlowError, TypeError):
    """A flow, a step or a call of `run` is written wrongly.

    Raised when the flow is built or before the run begins, so no call has been made. The message
    names the step and the correct line; correct the code. `check` finds such mistakes too.

    >>> from fluxus_rx import step
    >>> step("fetch", 5)
    Traceback (most recent call last):
    fluxus_rx.InvalidFlowError: step 'fetch': 5 (int) is neither data nor a function; ...
    """


class InvalidNameError(FlowError, ValueError):
    """A name can't be used for a step, an attribute, a label or a branch.

    Raised when the step is built. Names of steps and attributes are Python identifiers, since they
    become parameters and columns; the message proposes one.

    >>> from fluxus_rx import step
    >>> step("my step", lambda x: {"y": x})
    Traceback (most recent call last):
    fluxus_rx.InvalidNameError: 'my step' isn't a valid step name: names must be identifiers...
    """


class InvalidOptionError(FlowError, ValueError):
    """An option, or another argument, is out of its range or of the wrong type.

    Raised when the option is set, before anything runs. The message has the argument, the value and
    what is expected.

    >>> from fluxus_rx import StepOptions
    >>> StepOptions(concurrency=0)
    Traceback (most recent call last):
    fluxus_rx.InvalidOptionError: concurrency=0 (int): expected a whole number of calls from 1 on...
    """


class InvalidProductError(FlowError, TypeError):
    """A step, a source or an operator returned something that isn't a product.

    Raised during the run, and never retried. A step returns a mapping of attributes, an iterable of
    mappings, or an awaitable of one of these; to drop a product, return `[]`. For other items, pass
    `name=` to `from_observable`, `rx_pipe` or `stream_pipe`.

    >>> from fluxus_rx import run, step
    >>> run(step("src", [{"x": 1}]) >> step("double", lambda x: 2 * x))
    Traceback (most recent call last):
    fluxus_rx.InvalidProductError: step 'double' returned 2 (int); return a mapping, ...
    """


class InvalidAttributeError(FlowError, ValueError):
    """A step or a source returned an attribute whose name isn't a Python identifier.

    Raised during the run, and never retried. Later steps take attributes as parameters, so rename
    the key; the message proposes a name.

    >>> from fluxus_rx import run, step
    >>> run(step("src", [{"my key": 1}]))
    Traceback (most recent call last):
    fluxus_rx.InvalidAttributeError: step 'src' yielded an item with the key 'my key'; ...
    """


class MissingAttributeError(FlowError, ValueError):
    """A step needs an attribute that nothing before it provides.

    Raised during the run, at the first product that lacks it. It ends the run whatever `on_error`
    says, and is never retried: the flow is wired wrongly. If only some products have the attribute,
    set a default for the parameter. `check` finds a missing attribute before the run.

    >>> from fluxus_rx import run, step
    >>> run(step("src", [{"x": 1}]) >> step("add", lambda x, y: {"z": x + y}))
    Traceback (most recent call last):
    fluxus_rx.MissingAttributeError: step 'add' needs the attribute 'y', ...
    """


class UsageError(FlowError, RuntimeError):
    """An object is used up, or is used where it can't be.

    Raised for a source that can be iterated only once and is run again, for `run` inside a
    coroutine, for calls that would wait for each other for ever, and the like. The message tells
    what to use instead.

    >>> from fluxus_rx import run, step
    >>> flow = step("src", iter([{"x": 1}]))
    >>> len(run(flow)[0])
    1
    >>> run(flow)
    Traceback (most recent call last):
    fluxus_rx.UsageError: step 'src': its generator was used up by an earlier run; ...
    """


class FailureLimitError(FlowError, RuntimeError):
    """More calls failed than `max_failures` of the run allows.

    `failures` are the failed calls, as `Failure` objects. `result` is a `RunResult` with the
    outputs up to then, or None if the outputs were read as they came, as by `stream`. The cause is
    the exception of the last failed call. Correct what made the calls fail, and pass the failures
    to `rerun`; or allow more.

    >>> from fluxus_rx import run, step
    >>> invert = step("invert", lambda x: {"y": 1 / x}).options(on_error="collect")
    >>> try:
    ...     run(step("src", [{"x": 0}] * 9) >> invert, max_failures=2)
    ... except FailureLimitError as error:
    ...     print(len(error.failures), repr(error.__cause__))
    3 ZeroDivisionError('division by zero')
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
    """A source that doesn't wait emitted more than its buffer holds, with `overflow="error"`; or a
    publisher sent more than was requested.

    Raised during the run, after the items in the buffer. Enlarge `buffer`, raise the `concurrency`
    of the slow step, thin out the source, or choose another `overflow`, which drops items or sets
    no bound.

    >>> import reactivex
    >>> from fluxus_rx import from_observable, run
    >>> run(from_observable(reactivex.of(1, 2, 3), name="n", buffer=1, overflow="error"))
    Traceback (most recent call last):
    fluxus_rx.BufferOverflowError: source 'n': 1 item waits, and one more has come ...
    """


class ObservableError(FlowError, RuntimeError):
    """An observable ended with an object that isn't an exception; `error` is the object.

    Rx lets an observable call `on_error` with any object. The run raises this error after the items
    before it. If you write the observable, pass an exception to `on_error`: it surfaces as it is.

    >>> import reactivex
    >>> from fluxus_rx import from_observable, run
    >>> broken = reactivex.create(lambda observer, _: observer.on_error(404))
    >>> try:
    ...     run(from_observable(broken, name="n"))
    ... except ObservableError as error:
    ...     print(error.error)
    404
    """

    def __init__(self, text: str, error: Any = None) -> None:
        super().__init__(text)
        self.error: Any = error

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.error), self.__dict__.copy()


class RecordedError(Exception):
    """Stands in for an exception that was written down and can't be loaded.

    Failures that are unpickled, or read from JSON, have it if the class of the exception isn't
    there, takes other arguments, or held an object that can't leave its process. It isn't a
    `FlowError`.

    - `class_name`: the name of the class, with its module in front: `"httpx.HTTPStatusError"`
    - `text`: the message, as by `str()`; of a very long one the first 10,000 characters
    - `traceback`: the frames that the exception came through, as text; empty if there were none

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
