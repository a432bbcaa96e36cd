"""What a call of a user's function gives, or raises."""

from __future__ import annotations

from typing import Any, Generic

from .._typing import T
from .permit import Permit

__all__ = ["Items", "unmistakable"]


class Items(Generic[T]):
    """What a call gives when it gives any number of items: they come from `source` one by one.

    `ready` tells that all of them are there, and no code of the call is left to run. That code
    needs a `permit`, if there is one.
    """

    __slots__ = ("permit", "ready", "source")

    def __init__(self, source: Any, ready: bool = False, permit: Permit | None = None) -> None:
        self.source = source
        self.ready = ready
        self.permit = permit


def unmistakable(error: BaseException, who: str = "a step") -> BaseException:
    """The error to raise for one that a user's function raised: itself, but for the two that would
    be taken for the end of an iteration."""
    if isinstance(error, StopIteration | StopAsyncIteration):
        return RuntimeError(
            f"{who} raised {type(error).__name__}, which would be taken for the end of an iteration"
        )
    return error
