"""Synchronous steps as one loop: no task, no queue, no recursion.

Items are taken through the steps depth first, with a stack of what is left to do, so that 2,000
steps in a row are fine, and a step that gives a million products gives them one by one.

In plain Rx the same is done in the emitter's thread and at its time, without an event loop.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import partial
from time import perf_counter
from typing import Any, Final, NamedTuple

from .._common.messages import also_raised
from .._rx.scheduler import FlowScheduler
from .._streams.context import Items, unmistakable
from .._streams.iteration import END, CompositeStream, StartWith
from .._streams.timing import IdleTimes, TimeSlice
from .async_stage import async_stage
from .bound_step import BoundStep, CollectedRows, Collector, Deferred, FusedCalls, Stopped, settle

__all__ = [
    "YIELD_TO_LOOP",
    "Cursor",
    "Fused",
    "FusedLoop",
    "PendingCall",
    "pending_stage",
]


class Cursor(NamedTuple):
    """How far the loop has come in the items of a source, or in what a step gave for one item."""

    #: the index of the step that takes the items
    taker: int
    items: Iterator[Any]
    #: who gave them, and for which item; None for those of a source
    caller: BoundStep | None = None
    argument: Any = None


class PendingCall(NamedTuple):
    """The call of a step that has turned out to be asynchronous: its outcome must be awaited."""

    #: of the step
    position: int
    outcome: Deferred
    argument: Any


#: Comes among the products where the loop of the run is due a turn.
YIELD_TO_LOOP: Final = object()

#: What is called with an item at a step, and the position behind the last step that it calls.
_CallAt = tuple[Callable[[Any], Any], int]


def _calls_of(bound_steps: Sequence[BoundStep]) -> tuple[list[_CallAt], list[FusedCalls | None]]:
    """What is called with an item at each of the steps: neighbours that are direct at once; and the
    fused calls that it is then."""
    calls: list[_CallAt] = []
    fused_calls: list[FusedCalls | None] = []
    while (first := len(calls)) < len(bound_steps):
        end = first
        while end < len(bound_steps) and bound_steps[end].is_direct:
            end += 1
        direct = bound_steps[first].direct
        if end > first and direct is not None:
            fused = direct.fused(bound_steps[first:end], first)
            calls.append((fused.carry, end))
            calls += ((partial(fused.carry, first=index), end) for index in range(1, end - first))
            fused_calls += [fused] * (end - first)
        else:
            calls.append((bound_steps[first].apply, first + 1))
            fused_calls.append(None)
    return calls, fused_calls


def _same(item: Any) -> Any:
    return item


class FusedLoop:
    """Takes items through synchronous steps, depth first, with a stack instead of recursion.

    With a `collector`, what the last step gives goes there.
    """

    __slots__ = ("_bound_steps", "_calls", "_collect", "_cursors", "_fused", "_time_slice")

    def __init__(
        self,
        bound_steps: list[BoundStep],
        cursors: list[Cursor],
        time_slice: TimeSlice | None = None,
        collector: Collector | None = None,
    ) -> None:
        self._bound_steps = bound_steps
        self._cursors = cursors
        self._time_slice = time_slice
        self._collect = None if collector is None else collector.add
        self._calls, self._fused = _calls_of(bound_steps)
        if collector is not None and time_slice is not None and self._calls and cursors:
            self._collect_rows(collector, time_slice)

    def _collect_rows(self, collector: Collector, time_slice: TimeSlice) -> None:
        """Collect rows of what is left to do, if no product is needed."""
        end, fused, source = self._calls[0][1], self._fused[0], self._cursors[0].items
        if fused is None or end < len(self._calls) or isinstance(source, CollectedRows):
            return
        rows = fused.rows(source, collector, time_slice)
        if rows is not None:
            self._cursors = [Cursor(end, rows)]

    def push(self, items: Iterator[Any]) -> None:
        """Take these items through all the steps, before what is left to do."""
        self._cursors.append(Cursor(0, items))

    @property
    def whole(self) -> Callable[[Any], Any] | None:
        """What takes an item through all steps in one call, and gives what the last one gives, or
        `Stopped`; None if there is no such call."""
        if not self._calls:
            return _same
        call, end = self._calls[0]
        return call if end == len(self._calls) and self._fused[0] is not None else None

    def go_on_from(self, stopped: Stopped) -> PendingCall | None:
        """Have what a step has given to do; or the call that is pending there."""
        position, outcome, argument = stopped
        if outcome.source.__class__ is Deferred:
            return PendingCall(position, outcome.source, argument)
        caller = self._bound_steps[position]
        self._cursors.append(Cursor(position + 1, outcome.source, caller, argument))
        return None

    def release(self) -> list[Cursor]:
        """What is left to do, which is the matter of somebody else from now on."""
        cursors, self._cursors = self._cursors, []
        for index, cursor in enumerate(cursors):
            if isinstance(cursor.items, CollectedRows):
                cursors[index] = Cursor(0, cursor.items.source)
        return cursors

    def products(self) -> Iterator[Any]:
        """What the steps give for all that is left to do; `YIELD_TO_LOOP`, where the event loop
        is due a turn; and where a call is pending that `PendingCall`, as the last."""
        cursors, calls, time_slice = self._cursors, self._calls, self._time_slice
        collect, end, new_cursor = self._collect, len(calls), tuple.__new__
        while cursors:
            if time_slice is not None and time_slice.gate is not None:
                yield YIELD_TO_LOOP
            taker, items, _, _ = cursors[-1]
            position, item, stopped, outside = -1, None, None, False
            try:
                for item in items:
                    if time_slice is not None and perf_counter() > time_slice.due:
                        outside = True
                        yield YIELD_TO_LOOP
                        outside = False
                    position = taker
                    while position < end:
                        call, after = calls[position]
                        outcome = call(item)
                        if outcome.__class__ is Items or outcome.__class__ is Stopped:
                            stopped = outcome
                            break
                        item, position = outcome, after
                    else:
                        outside = True
                        if collect is None or item is YIELD_TO_LOOP:
                            yield item
                        elif item.__class__ is not Stopped:
                            collect(item)
                        else:
                            stopped = item
                            break
                        outside, position = False, -1
                        continue
                    break
            except BaseException as error:
                raised = error if outside else self._explained(error, position, item)
                if raised is error:
                    raise
                raise raised from error
            if stopped is None:
                cursors.pop()
                continue
            if isinstance(stopped, Stopped):
                position, stopped, item = stopped
            if stopped.source.__class__ is Deferred:
                yield PendingCall(position, stopped.source, item)
                return
            step = self._bound_steps[position]
            cursors.append(new_cursor(Cursor, (position + 1, stopped.source, step, item)))

    def _explained(self, error: BaseException, position: int, item: Any) -> BaseException:
        """The error to raise for one of the call at this position, or of the items, if it's -1."""
        caller, argument = self._cursors[-1][2:]
        if position >= 0:
            if self._fused[position] is not None:
                return error  # they have explained it
            caller, argument = self._bound_steps[position], item
        raised = unmistakable(error)
        if caller is not None:
            caller.explain(raised, argument)
        return raised

    def close(self) -> None:
        """Close the iterators that are open, the innermost first."""
        first: BaseException | None = None
        while self._cursors:
            close = getattr(self._cursors.pop().items, "close", None)
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


class _Section:
    """Neighbouring steps as one loop, for what is left to do at `cursors`, then for what `base`
    gives."""

    # Not an asynchronous generator: who polls gets a product that is there without a coroutine,
    # which is 0.5 µs less (benchmark "async").
    __slots__ = (
        "_base", "_idle_times", "_is_blocked", "_loop", "_poll_base", "_products", "_run",
        "_stopped", "_time_slice", "bound_steps",
    )  # fmt: skip

    def __init__(
        self,
        base: AsyncIterator[Any] | None,
        bound_steps: list[BoundStep],
        time_slice: TimeSlice,
        *,
        cursors: list[Cursor] | None = None,
        run: Callable[..., Any] | None = None,
        idle_times: IdleTimes | None = None,
        collector: Collector | None = None,
    ) -> None:
        self._base = base
        self._poll_base = getattr(base, "poll", None)
        self.bound_steps = bound_steps
        self._time_slice = time_slice
        self._loop = FusedLoop(bound_steps, cursors or [], time_slice, collector)
        # All of it in one context, whichever task reads: what a generator sets it can reset.
        self._run = run
        self._idle_times = idle_times
        #: whether the last product waits to be taken
        self._is_blocked = False
        #: what the loop gives for what is left to do; None at the end
        self._products: Iterator[Any] | None = self._loop.products()
        #: what else has come instead of a product
        self._stopped: Any = None

    def before(self, index: int) -> _Section:
        """The steps before that with this index, on all that is left to do."""
        return _Section(
            self._base,
            self.bound_steps[:index],
            self._time_slice,
            cursors=self._loop.release(),
            run=self._run,
        )

    def poll(self) -> Any:
        """What the steps give, if nothing has to be waited for; else END."""
        if self._stopped is not None or self._products is None or self._time_slice.gate is not None:
            return END
        if self._is_blocked and self._idle_times is not None:
            self._is_blocked = False
            self._idle_times.unblock()
        if self._run is None:
            self._run = contextvars.copy_context().run
        try:
            product = self._run(next, self._products, END)
        except BaseException as error:
            self._close_after(error)
            raise
        if product is END or product is YIELD_TO_LOOP or product.__class__ is PendingCall:
            self._stopped = product
            return END
        if self._idle_times is not None:
            self._is_blocked = True
            self._idle_times.block()
        return product

    async def next(self) -> Any:
        """What the steps give; where a call is pending that `PendingCall`, as the last. Raises
        StopAsyncIteration at the end."""
        try:
            while self._products is not None:
                product = self.poll()
                if product is not END:
                    return product
                if self._time_slice.gate is not None or self._stopped is YIELD_TO_LOOP:
                    await self._time_slice.yield_to_loop()
                stopped, self._stopped = self._stopped, None
                if stopped.__class__ is PendingCall:
                    self._products = None
                    return stopped
                if stopped is END and not await self._read_on():
                    self._products = None
        except BaseException as error:
            if self._products is not None:
                self._close_after(error)
            raise
        raise StopAsyncIteration

    async def _read_on(self) -> bool:
        """Read an item of the base, for the loop to go on with; whether there was one."""
        idle_times, base = self._idle_times, self._base
        if base is None:
            if idle_times is not None:
                idle_times.close()
            return False
        try:
            if idle_times is None:
                item = await base.__anext__()
            else:
                item = await idle_times.wait_for_item(base.__anext__)
        except StopAsyncIteration:
            return False
        poll = self._poll_base
        self._loop.push(iter((item,)) if poll is None else _ready_items(item, poll))
        self._products = self._loop.products()
        return True

    def _close_after(self, error: BaseException) -> None:
        self._products = None
        try:
            self.close()
        except BaseException as late:
            # A cancellation is of nobody who would look at its notes.
            if isinstance(error, GeneratorExit | asyncio.CancelledError):
                raise
            also_raised(error, late)

    def close(self) -> None:
        """Close the iterators that are open, in the context in which they were opened."""
        self._products = None
        if self._run is None:
            self._loop.close()
        else:
            self._run(self._loop.close)


def _ready_items(item: Any, poll: Callable[[], Any]) -> Iterator[Any]:
    """An item, and what else is there."""
    # Not iter(poll, END), which would compare items by their own ideas of what is equal.
    while item is not END:
        yield item
        item = poll()


def pending_stage(
    bound_step: BoundStep, pending: PendingCall, source: AsyncIterator[Any], flow: FlowScheduler
) -> AsyncIterator[Any]:
    """A step that has turned out to be asynchronous, as a stage; the item of the pending call is
    the first one of its source."""
    begun = [pending.outcome]

    async def call(item: Any) -> Any:
        # The first call is that of the first item, which has been made already: the stage has one
        # worker until a call has to wait.
        outcome = Items(begun.pop()) if begun else bound_step.apply(item)
        return await settle(outcome)

    return async_stage(source, bound_step, call, flow)


class Fused(CompositeStream[Any]):
    """What neighbouring synchronous steps give, as a stream.

    Where a step turns out to be asynchronous, it is a stage from there on, and the steps behind it
    read from that; this stream goes over to them, so that 500 such steps are no recursion.
    """

    __slots__ = ("_flow", "_section", "poll")

    def __init__(self, section: _Section, flow: FlowScheduler) -> None:
        self._flow = flow
        super().__init__()
        self._read(section)

    @classmethod
    def over(
        cls,
        source: Any,
        bound_steps: list[BoundStep],
        flow: FlowScheduler,
        collector: Collector | None = None,
    ) -> Fused:
        """The steps on the items of `source`, an iterator or an asynchronous one; their gauges are
        told of it. With a `collector`, what they give goes there."""
        gauges = [bound_step.gauge for bound_step in bound_steps if bound_step.gauge is not None]
        idle_times = None
        if gauges:
            meter = flow.scope.meter
            idle_times = IdleTimes(None if meter is None else meter.unpaused)
            for gauge in gauges:
                gauge.runs_as("inline", idle_times, limit=1)
        is_async = hasattr(source, "__anext__")
        section = _Section(
            source if is_async else None,
            bound_steps,
            flow.scope.time_slice,
            cursors=[] if is_async else [Cursor(0, source)],
            idle_times=idle_times,
            collector=collector,
        )
        return cls(section, flow)

    def _read(self, section: _Section) -> None:
        self._section = section
        #: a product that is ready, or END
        self.poll = section.poll
        self._parts.append(section)

    async def __anext__(self) -> Any:
        while True:
            product = await self._section.next()
            if product.__class__ is not PendingCall:
                return product
            self._go_over(product)

    def _go_over(self, pending: PendingCall) -> None:
        """Make a stage of the step whose call is pending, and go over to the steps behind it."""
        section = self._section
        bound_step = section.bound_steps[pending.position]
        before = Fused(section.before(pending.position), self._flow)
        source = StartWith((pending.argument,), before)
        stage = pending_stage(bound_step, pending, source, self._flow)
        self._parts += (pending.outcome, before, source, stage)
        self._read(
            _Section(
                stage, section.bound_steps[pending.position + 1 :], self._flow.scope.time_slice
            )
        )
