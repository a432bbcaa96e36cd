"""Awaiting what users wrote: inside a context of its own, in the task that is there."""

from __future__ import annotations

import asyncio
import types
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Generator
from typing import Any, Generic, cast

from ._channels import END
from ._typing import B, T

__all__ = ["Several", "error_of", "in_context", "resumed", "stepping"]


class Several(Generic[T]):
    """What a call gives when it gives any number of items: they come from `source` one by one.

    `ready` tells that all of them are there, and no code of the call is left to run.
    """

    __slots__ = ("ready", "source")

    def __init__(self, source: Any, ready: bool = False) -> None:
        self.source = source
        self.ready = ready


def error_of(error: BaseException, who: str = "a step") -> BaseException:
    """The error to raise for one that a user's function raised: itself, but for the two that would
    be taken for the end of an iteration."""
    if isinstance(error, StopIteration | StopAsyncIteration):
        return RuntimeError(
            f"{who} raised {type(error).__name__}, which would be taken for the end of an iteration"
        )
    return error


@types.coroutine
def resumed(
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
    return await resumed(calling, run, value)


async def _anext(iterator: AsyncIterator[T]) -> T:
    return await iterator.__anext__()


async def _athrow(iterator: Any, error: BaseException) -> Any:
    return await iterator.athrow(error)


async def stepping(
    source: Any, run: Callable[..., Any], suspended: Callable[[], None]
) -> AsyncGenerator[Any, None]:
    """The items of a sync or async iterable, each step of it inside the context of `run`."""
    if not hasattr(source, "__aiter__"):
        items = run(iter, source)
        try:
            while (item := run(next, items, END)) is not END:
                yield item
        finally:
            if hasattr(items, "close"):
                run(items.close)
        return
    iterator = run(aiter, source)
    thrown: BaseException | None = None
    try:
        while True:
            calling = _anext(iterator) if thrown is None else _athrow(iterator, thrown)
            thrown = None
            try:
                value = run(calling.send, None)
            except StopIteration as stop:
                item = stop.value
            except StopAsyncIteration:
                return
            else:
                suspended()
                try:
                    item = await resumed(calling, run, value)
                except StopAsyncIteration:
                    return
            try:
                yield item
            except asyncio.CancelledError as error:
                if not hasattr(iterator, "athrow"):
                    raise
                thrown = error
    finally:
        if hasattr(iterator, "aclose"):
            await in_context(iterator.aclose(), run)
