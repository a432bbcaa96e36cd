"""Sources that can be told to give no more, while what they have given goes on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ._scheduler import Scope

__all__ = ["steered"]


def steered(source: Any, scope: Scope) -> Any:
    """The items of a source of a steered run."""
    if not hasattr(source, "__aiter__"):
        return scope.feed(_Tap(iter(source)))
    return source  # a task of its own will read it, which can be told to end


class _Tap:
    """A synchronous source that can be closed from outside, between two items."""

    def __init__(self, source: Iterator[Any]) -> None:
        self._source = source
        self._ended = False

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if self._ended:
            self.close()
            raise StopIteration
        return next(self._source)

    def end(self) -> None:
        """Give no more."""
        self._ended = True

    def close(self) -> None:
        """Close the source."""
        close = getattr(self._source, "close", None)
        if close is not None:
            close()
