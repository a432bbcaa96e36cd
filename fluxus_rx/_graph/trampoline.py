"""Recursion without Python's stack, for flows that are nested deeper than that is."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from .._typing import T

__all__ = ["trampoline"]


def trampoline(call: Generator[Any, Any, T]) -> T:
    """What a recursive function comes to that is written as a generator: it yields the call whose
    result it needs, as a generator again, and is sent that.

    >>> def depth_of(nested):
    ...     deepest = 0
    ...     for one in nested:
    ...         deepest = max(deepest, (yield depth_of(one)))
    ...     return deepest + 1
    >>> nested = []
    >>> for _ in range(10_000):
    ...     nested = [nested]
    >>> trampoline(depth_of(nested))
    10001
    """
    calls: list[Generator[Any, Any, Any]] = [call]
    result: Any = None
    while calls:
        try:
            called = calls[-1].send(result)
        except StopIteration as stop:
            result = stop.value
            calls.pop()
        else:
            calls.append(called)
            result = None
    return result  # type: ignore[no-any-return]  # that of the first call
