"""Synchronous steps as one loop: no task, no queue, no recursion.

Items are taken through the steps depth first, with a stack of what is left to do, so that 2,000
steps in a row are fine, and a step that gives a million products gives them one by one.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from time import perf_counter
from typing import Any, Final, NamedTuple

from .._common.messages import also_raised
from .._rx.scheduler import FlowScheduler
from .._streams.context import Several, unmistakable
from .._streams.iteration import END, Endable, aclose_all, cancel
from .._streams.timing import IdleTimes, TimeSlice
from .async_stage import async_stage
from .bound_step import BoundStep, Deferred

__all__ = ["Frame", "Fused", "Suspension", "close_frames", "run_fused"]


class Frame(NamedTuple):
    """Where a walk stands in what one step gave for one item."""

    at: int
    items: Iterator[Any]
    owner: BoundStep | None
    given: Any


class Suspension(NamedTuple):
    """A walk can't go on by itself: the loop is due a turn, or the outcome must be awaited."""

    at: int
    outcome: Any
    given: Any


_YIELD_TO_LOOP: Final = Suspension(-1, None, None)


def run_fused(
    bound_steps: list[BoundStep], stack: list[Frame], time_slice: TimeSlice | None
) -> Iterator[Any]:
    """Take items through synchronous steps, depth first, with a stack instead of recursion.

    Gives products, and `Suspension` where it can't go on; after one that isn't `_YIELD_TO_LOOP` the
    stack tells what is left to do.
    """
    applies = [bound_step.apply for bound_step in bound_steps]
    end = len(applies)
    while stack:
        if time_slice is not None and time_slice.gate is not None:
            yield _YIELD_TO_LOOP
        at, items, owner, given = stack[-1]
        index, outside = -1, False
        item = None
        try:
            for item in items:
                if time_slice is not None and perf_counter() > time_slice.due:
                    outside = True
                    yield _YIELD_TO_LOOP
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
                if outcome.source.__class__ is Deferred:
                    outside = True
                    yield Suspension(index, outcome.source, item)
                    return
                stack.append(Frame(index + 1, outcome.source, bound_steps[index], item))
                break
            else:
                stack.pop()
        except BaseException as error:
            if outside:
                raise
            if index >= 0:
                owner, given = bound_steps[index], item
            raised = unmistakable(error)
            if owner is not None:
                owner.explain(raised, given)
            if raised is error:
                raise
            raise raised from error


def close_frames(stack: list[Frame]) -> None:
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


def _ready_items(item: Any, poll: Callable[[], Any]) -> Iterator[Any]:
    """An item, and what else is there."""
    # Not iter(poll, END), which would compare items by their own ideas of what is equal.
    while item is not END:
        yield item
        item = poll()


class Fused(Endable[Any]):
    """Takes what is on a stack, then the items of `base`, through synchronous steps.

    Where a step turns out to be asynchronous, it is a stage from there on, and the steps behind it
    read from that; this stream goes over to them, so that 500 such steps are no recursion.
    """

    def __init__(
        self,
        base: AsyncIterator[Any] | None,
        bound_steps: list[BoundStep],
        stack: list[Frame],
        flow: FlowScheduler,
    ) -> None:
        self._time_slice = flow.scope.time_slice
        self._flow = flow
        gauges = [bound_step.gauge for bound_step in bound_steps if bound_step.gauge is not None]
        idle_times = None
        if gauges:
            idle_times = IdleTimes()
            for gauge in gauges:
                gauge.runs_as("inline", idle_times, limit=1)
        self._stream = self._walking(base, bound_steps, stack, idle_times=idle_times)
        self._parts: list[Any] = [self._stream]

    async def __anext__(self) -> Any:
        while True:
            item = await self._stream.__anext__()
            if item.__class__ is not _Continuation:
                return item
            self._stream = item.stream

    async def _walking(
        self,
        base: AsyncIterator[Any] | None,
        bound_steps: list[BoundStep],
        stack: list[Frame],
        run: Callable[..., Any] | None = None,
        idle_times: IdleTimes | None = None,
    ) -> AsyncGenerator[Any, None]:
        # All of it in one context, whichever task reads: what a generator sets it can reset.
        run = run or contextvars.copy_context().run
        time_slice = self._time_slice
        poll = getattr(base, "poll", None)
        try:
            while True:
                products = run_fused(bound_steps, stack, time_slice)
                while (product := run(next, products, END)) is not END:
                    if product.__class__ is not Suspension:
                        if idle_times is None:
                            yield product
                        else:
                            idle_times.block()
                            yield product
                            idle_times.unblock()
                        if time_slice.gate is not None:
                            await time_slice.yield_to_loop()
                    elif product is _YIELD_TO_LOOP:
                        await time_slice.yield_to_loop()
                    else:
                        left, stack = stack, []
                        yield self._go_over(product, base, bound_steps, left, run)
                        return
                if base is None:
                    if idle_times is not None:
                        idle_times.close()
                    return
                if time_slice.gate is not None:
                    await time_slice.yield_to_loop()
                try:
                    if idle_times is not None:
                        idle_times.starve()
                    item = await base.__anext__()
                except StopAsyncIteration:
                    if idle_times is not None:
                        idle_times.close()
                    return
                finally:
                    if idle_times is not None:
                        idle_times.feed()
                items = iter((item,)) if poll is None else _ready_items(item, poll)
                stack.append(Frame(0, items, None, None))
        except BaseException as error:
            try:
                run(close_frames, stack)
            except BaseException as late:
                # A cancellation is of nobody who would look at its notes.
                if isinstance(error, GeneratorExit | asyncio.CancelledError):
                    raise
                also_raised(error, late)
            raise

    def _go_over(
        self,
        halt: Suspension,
        base: AsyncIterator[Any] | None,
        bound_steps: list[BoundStep],
        stack: list[Frame],
        run: Callable[..., Any],
    ) -> _Continuation:
        bound_step = bound_steps[halt.at]
        before = self._walking(base, bound_steps[: halt.at], stack, run)

        async def call(item: Any) -> Any:
            outcome = (
                Several(item.outcome) if item.__class__ is Suspension else bound_step.apply(item)
            )
            while outcome.__class__ is Several and outcome.source.__class__ is Deferred:
                outcome = await outcome.source.outcome()
            return outcome

        def explain(error: BaseException, item: Any) -> None:
            bound_step.explain(error, item.given if item.__class__ is Suspension else item)

        source = _start_with(halt, before)
        pool = async_stage(source, bound_step._replace(explain=explain), call, self._flow)
        rest = self._walking(pool, bound_steps[halt.at + 1 :], [])
        # A generator that was never begun closes nothing: the levels are a part of their own.
        self._parts += (halt.outcome, _OpenFrames(stack, run), before, source, pool, rest)
        return _Continuation(rest)

    def cancel(self) -> None:
        """Tell the stages to end."""
        for part in self._parts:
            cancel(part)

    async def aclose(self) -> None:
        """End the stages, and close the iterators that are open, the last one first."""
        self.cancel()
        parts, self._parts = self._parts, []
        await aclose_all(reversed(parts))


class _OpenFrames(NamedTuple):
    """What a walk has left open, to be closed in the context in which it was opened."""

    stack: list[Frame]
    run: Callable[..., Any]

    def close(self) -> None:
        """Close it, if nobody has."""
        self.run(close_frames, self.stack)


class _Continuation(NamedTuple):
    """Where a walk goes on."""

    stream: AsyncGenerator[Any, None]


async def _start_with(halt: Suspension, rest: AsyncIterator[Any]) -> AsyncGenerator[Any, None]:
    yield halt
    async for item in rest:
        yield item
