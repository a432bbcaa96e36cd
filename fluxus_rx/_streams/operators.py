"""Operators for asynchronous iteration, made with aiostream's own decorators.

A useful library by itself: `flat_map`, `merge` and `buffer` stand in any aiostream pipeline. They
know neither flows nor Rx. Nothing starts before the first item is asked for.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from typing import Any, Protocol, cast

from aiostream import Stream, pipable_operator, sources_operator

from .._common.messages import check_whole_number, shown
from .._common.signatures import function_name, is_coroutine_function
from .._common.single_values import is_single_value
from .._errors import InvalidFlowError, InvalidProductError
from .._typing import A, B, T
from .call_stage import CallStage
from .channel import BUFFER
from .context import Items
from .flat_map import CONCURRENCY, FlatMap
from .iteration import Cancellable
from .merge import Merge

__all__ = ["buffer", "flat_map", "merge"]


def _owned(source: AsyncIterable[T]) -> AsyncIterator[T]:
    """`source`, read by one task."""
    if isinstance(source, Cancellable):
        return source
    return Merge((source,), BUFFER)


@pipable_operator
def flat_map(
    source: AsyncIterable[A],
    function: Callable[[A], Awaitable[B] | AsyncIterable[B]],
    *,
    concurrency: int | None = CONCURRENCY,
    ordered: bool = False,
    window: int | None = None,
) -> AsyncIterator[B]:
    """Call `function` with each item of `source`, up to `concurrency` calls at once.

    `function` returns an awaitable of one item, or an asynchronous iterable of any number. Items
    come in the order of completion, and a slow call delays no other. With `ordered`, they come in
    the order of the source, and a slow call holds back at most `window` items behind it (4 times
    `concurrency` by default). `concurrency=None` sets no limit. An empty source yields nothing.

    Backpressure: the source is read ahead by the calls in flight and 16 items that are ready at
    most (16 more if it isn't one of these operators, because one task reads it for all). Each call
    has a context of its own, copied from that of the reader: no other call sees the variables that
    it sets. `asyncio.current_task()` is the same from the start to the end of a call, so time-outs,
    task groups and cancel scopes in it work.

    The first error, of the source or of a call, cancels everything else, and is raised as it is
    after the items that were ready. Closing cancels all calls, waits for them, and then closes the
    source. Raises ValueError or TypeError for arguments out of their range.

    >>> import asyncio
    >>> from aiostream import pipe, stream
    >>> async def double(x):
    ...     return 2 * x
    >>> async def main():
    ...     return await (stream.range(3) | flat_map.pipe(double, concurrency=2) | pipe.list())
    >>> asyncio.run(main())
    [0, 2, 4]
    """
    if not callable(function):
        raise InvalidFlowError(f"flat_map(): {shown(function)} isn't a function")
    _check_size("flat_map()", "concurrency", concurrency, "calls", none="no limit")
    _check_size("flat_map()", "window", window, "calls", none="the default")

    async def call(item: A) -> Any:
        result = function(item)
        if inspect.isawaitable(result):
            return await result
        if is_single_value(result):
            raise InvalidProductError(
                f"flat_map(): {function_name(function)}() returned {shown(result)}; it must be an"
                " awaitable of one item, or an asynchronous iterable: write it with async def"
            )
        return Items(result)

    awaited: Any = function if is_coroutine_function(function) else call
    stage = CallStage(
        awaited,
        concurrency=float("inf") if concurrency is None else concurrency,
        ordered=ordered,
        window=window,
    )
    return FlatMap(_owned(source), stage)


@sources_operator
def merge(*sources: AsyncIterable[T]) -> AsyncIterator[T]:
    """The items of all sources, as they come.

    One task per source keeps the order of its items. Sources share the room for 16 items, at least
    one each, so a source that is always ready can't starve another. The first error cancels the
    other sources, and is raised after the items that were ready. The stream ends when all sources
    have ended; without sources, at once.

    >>> import asyncio
    >>> from aiostream import pipe, stream
    >>> async def main():
    ...     return await (merge(stream.just(1), stream.just(2)) | pipe.list())
    >>> sorted(asyncio.run(main()))
    [1, 2]
    """
    return Merge(sources, BUFFER)


class _Buffer(Protocol):
    """What `buffer` is: aiostream's own type loses T where it goes in and comes out."""

    def __call__(self, source: AsyncIterable[T], /, size: int) -> Stream[T]: ...
    def raw(self, source: AsyncIterable[T], /, size: int) -> AsyncIterator[T]: ...
    def pipe(self, size: int) -> Callable[[AsyncIterable[T]], Stream[T]]: ...


@cast(Callable[[Any], _Buffer], pipable_operator)
def buffer(source: AsyncIterable[T], size: int) -> AsyncIterator[T]:
    """Read up to `size` items ahead of the reader, in a task of its own.

    Items keep their order; at most `size` of them wait. An error comes after the items before it.
    Raises ValueError or TypeError for a size that isn't a whole number from 1 on.

    >>> import asyncio
    >>> from aiostream import pipe, stream
    >>> async def main():
    ...     return await (stream.range(3) | buffer.pipe(2) | pipe.list())
    >>> asyncio.run(main())
    [0, 1, 2]
    """
    _check_size("buffer()", "size", size, "items")
    return Merge((source,), size)


def _check_size(
    operator: str, argument: str, size: int | None, unit: str, none: str | None = None
) -> None:
    check_whole_number(argument, size, unit, who=operator, none=none, wrong_type=InvalidFlowError)
