"""What ends an observable, as an exception."""

from __future__ import annotations

from .._common.messages import short, shown
from .._errors import ObservableError
from .._streams.context import unmistakable

__all__ = ["as_exception"]


def as_exception(error: object) -> BaseException:
    """The exception for the object that an observable has passed to `on_error`, which may be any
    object.

    An exception is itself, but for the two that would be taken for the end of an iteration.

    >>> as_exception("connection lost")
    ObservableError("an observable ended with on_error('connection lost' (str)), which isn't an
    exception; pass one, such as RuntimeError('connection lost')")
    """
    if isinstance(error, BaseException):
        raised = unmistakable(error, "an observable")
        if raised is not error:
            raised.__cause__ = error
        return raised
    if isinstance(error, type) and issubclass(error, BaseException):
        instead = f"an instance of it: {error.__name__}(...)"
    else:
        instead = f"one, such as RuntimeError({short(error)})"
    return ObservableError(
        f"an observable ended with on_error({shown(error)}), which isn't an exception; pass"
        f" {instead}",
        error,
    )
