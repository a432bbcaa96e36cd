"""Synchronous steps as one loop: no task, no queue, no recursion.

Items are taken through the steps depth first, with a stack of what is left to do, so that 2,000
steps in a row are fine, and a step that gives a million products gives them one by one.
"""

from __future__ import annotations

import inspect
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Coroutine,
    Hashable,
    Iterator,
)
from math import inf
from time import perf_counter
from typing import Any, Final, NamedTuple

from ._calls import Several, error_of
from ._channels import Limit, Turn, aclose_all
from ._errors import also_raised
from ._options import StepOptions
from ._scheduler import FlowScheduler
from ._workers import FlatMap

__all__ = ["Halt", "Later", "Level", "Work", "close_levels", "staged", "walk", "walked"]


class Work(NamedTuple):
    """What a step does to one item, bound to a run.

    `apply` gives an item, or `Several`. It is called for an asynchronous step too, whose outcome is
    then awaited: a coroutine gives an item or `Several`. `explain` adds to an error where it came
    up. `may_wait` tells whether `apply` may give `Several` of a `Later`.
    """

    apply: Callable[[Any], Any]
    acall: Callable[[Any], Coroutine[Any, Any, Any]]
    explain: Callable[[BaseException, Any], None]
    options: StepOptions
    key: Hashable
    may_wait: bool = False
    depth: int = 0


class Later:
    """What a synchronous step gives, in `Several`, if its function is asynchronous after all."""

    __slots__ = ("_finish", "_source")

    def __init__(self, source: Any, finish: Callable[[Any], Coroutine[Any, Any, Any]]) -> None:
        self._source = source
        self._finish = finish

    async def outcome(self) -> Any:
        """What it comes to: an item, or `Several`."""
        return await self._finish(self._source)

    def close(self) -> None:
        """Let go of it; a coroutine would complain that it was never awaited."""
        if inspect.iscoroutine(self._source):
            self._source.close()


class Level(NamedTuple):
    """Where a walk stands in what one step gave for one item."""

    at: int
    items: Iterator[Any]
    owner: Work | None
    given: Any


class Halt(NamedTuple):
    """A walk can't go on by itself: the loop is due a turn, or the outcome must be awaited."""

    at: int
    outcome: Any
    given: Any


_GIVE: Final = Halt(-1, None, None)


def walk(works: list[Work], stack: list[Level], turn: Turn | None) -> Iterator[Any]:
    """Take items through synchronous steps, depth first, with a stack instead of recursion.

    Gives products, and `Halt` where it can't go on; after one that isn't `_GIVE` the stack tells
    what is left to do.
    """
    applies = [work.apply for work in works]
    end = len(applies)
    while stack:
        at, items, owner, given = stack[-1]
        index, outside = -1, False
        item = None
        try:
            for item in items:
                if turn is not None and perf_counter() > turn.due:
                    outside = True
                    yield _GIVE
                    outside = False
                for index in range(at, end):
                    outcome = applies[index](item)
                    if outcome.__class__ is Several:
                        break
                    item = outcome
                else:
                    outside = True
                    yield item
                    outside, index = False, -1
                    continue
                if outcome.source.__class__ is Later:
                    outside = True
                    yield Halt(index, outcome.source, item)
                    return
                stack.append(Level(index + 1, outcome.source, works[index], item))
                break
            else:
                stack.pop()
        except BaseException as error:
            if outside:
                raise
            if index >= 0:
                owner, given = works[index], item
            raised = error_of(error)
            if owner is not None:
                owner.explain(raised, given)
            if raised is error:
                raise
            raise raised from error


def close_levels(stack: list[Level]) -> None:
    """Close the iterators that a walk has left open, the innermost first."""
    first: BaseException | None = None
    while stack:
        close = getattr(stack.pop().items, "close", None)
        if close is None:
            continue
        try:
            close()
        except BaseException as error:
            if first is None:
                first = error
            else:
                also_raised(first, error)
    if first is not None:
        raise first


def staged(
    stream: AsyncIterator[Any],
    work: Work,
    call: Callable[[Any], Coroutine[Any, Any, Any]],
    turn: Turn,
    flow: FlowScheduler,
) -> FlatMap[Any]:
    size = work.options.limit
    return FlatMap(
        stream,
        call,
        concurrency=size,
        ordered=work.options.ordered or flow.scope.ordered,
        limit=flow.scope.shared(work.key, lambda: Limit(size)) if size != inf else None,
        depth=work.depth,
        turn=turn,
        explain=work.explain,
        owns_source=False,
    )


async def walked(
    base: AsyncIterator[Any] | None,
    works: list[Work],
    stack: list[Level],
    turn: Turn,
    flow: FlowScheduler,
) -> AsyncGenerator[Any, None]:
    """Take what is on the stack, then the items of `base`, through synchronous steps."""
    halt: Halt | None = None
    try:
        while halt is None:
            for product in walk(works, stack, turn):
                if product.__class__ is not Halt:
                    yield product
                elif product is _GIVE:
                    await turn.give()
                else:
                    halt = product
            if halt is None:
                if base is None:
                    return
                try:
                    item = await base.__anext__()
                except StopAsyncIteration:
                    return
                stack.append(Level(0, iter((item,)), None, None))
        inner = _halted(halt, base, works, stack, turn, flow)
        stack = []
        try:
            async for product in inner:
                yield product
        finally:
            await inner.aclose()
    except BaseException as error:
        try:
            close_levels(stack)
        except BaseException as late:
            if isinstance(error, GeneratorExit):
                raise
            also_raised(error, late)
        raise


async def _halted(
    halt: Halt,
    base: AsyncIterator[Any] | None,
    works: list[Work],
    stack: list[Level],
    turn: Turn,
    flow: FlowScheduler,
) -> AsyncGenerator[Any, None]:
    """Go on where a synchronous step turned out to be asynchronous: from there on it is a stage."""
    work = works[halt.at]

    async def feed() -> AsyncGenerator[Any, None]:
        before = walked(base, works[: halt.at], stack, turn, flow)
        try:
            yield halt
            async for item in before:
                yield item
        finally:
            await before.aclose()

    async def call(item: Any) -> Any:
        outcome = Several(item.outcome) if item.__class__ is Halt else work.apply(item)
        while outcome.__class__ is Several and outcome.source.__class__ is Later:
            outcome = await outcome.source.outcome()
        return outcome

    def explain(error: BaseException, item: Any) -> None:
        work.explain(error, item.given if item.__class__ is Halt else item)

    source = feed()
    pool = staged(source, work._replace(explain=explain), call, turn, flow)
    rest = walked(pool, works[halt.at + 1 :], [], turn, flow)
    try:
        async for product in rest:
            yield product
    finally:
        halt.outcome.close()
        pool.cancel()
        await aclose_all((rest, pool, source))
