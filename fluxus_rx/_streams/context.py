"""What a call of a user's function returns, or raises; and by which calls it was called."""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any, Final, Generic, Protocol

from .._typing import T
from .permit import Permit

__all__ = ["CALLER", "Caller", "CallerPlace", "Items", "unmistakable"]


class CallerPlace(Protocol):
    """Where a call is made: in which run, at which step, and whose slot it has."""

    run: Any
    trail: Any
    limit: Any


class Caller:
    """Makes calls, one after the other: a worker of a stage, or a run for the rest."""

    __slots__ = ("outer", "place")

    def __init__(self, outer: Caller | None, place: CallerPlace | None = None) -> None:
        #: whose call it is inside of
        self.outer = outer
        #: of its call now
        self.place = place

    def __iter__(self) -> Iterator[Caller]:
        """Itself, and those that it was called by."""
        caller: Caller | None = self
        while caller is not None:
            yield caller
            caller = caller.outer


#: The caller of the call that runs here.
CALLER: Final[ContextVar[Caller | None]] = ContextVar("fluxus_rx caller", default=None)


class Items(Generic[T]):
    """What a call returns when it makes any number of items: they come from `source` one by one.

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
