"""Awaiting what users wrote: inside a context of its own, in the task that is there."""

from __future__ import annotations

import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, Generic, cast

from .._typing import B, T
from .permit import Permit

__all__ = ["Items", "in_context", "resume", "unmistakable"]


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


@types.coroutine
def resume(
    calling: Coroutine[Any, Any, B], run: Callable[..., Any], value: Any
) -> Generator[Any, Any, B]:
    """Go on with a coroutine that has given `value`, inside its own context, in this task.

    Not a task of its own: that costs 5 µs more a call. Not an eagerly started coroutine put into a
    task later: that breaks `asyncio.timeout`.
    """
    while True:
        sent, thrown = None, None
        try:
            sent = yield value
        except BaseException as error:
            thrown = error
        try:
            value = run(calling.send, sent) if thrown is None else run(calling.throw, thrown)
        except StopIteration as stop:
            return cast(B, stop.value)


async def in_context(awaitable: Awaitable[T], run: Callable[..., Any]) -> T:
    """Await inside the context of `run`, in this task."""

    async def waiting() -> T:
        return await awaitable

    calling = waiting()
    try:
        value = run(calling.send, None)
    except StopIteration as stop:
        return cast(T, stop.value)
    return await resume(calling, run, value)
