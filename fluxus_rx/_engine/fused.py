"""Neighbouring synchronous steps as a stream, which goes over to a stage where one turns out to be
asynchronous."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from .._common.messages import also_raised
from .._products.collector import Collector
from .._rx.scheduler import FlowScheduler
from .._streams.context import Items
from .._streams.iteration import END, CompositeStream, StartWith
from .._streams.timing import IdleTimes, TimeSlice
from .bound_step import BoundStep, settle
from .fused_loop import YIELD_TO_LOOP, Cursor, FusedLoop, PendingCall
from .stage import async_stage

__all__ = ["Fused", "pending_stage"]


class _Section:
    """Neighbouring steps as one loop, for what is left to do at `cursors`, then for what `base`
    yields."""

    # Not an asynchronous generator: a poll returns a product that is there without a coroutine,
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
        #: what the loop yields for what is left to do; None at the end
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
        """What the steps return, if nothing has to be waited for; else END."""
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
        """What the steps return; where a call is pending that `PendingCall`, as the last. Raises
        StopAsyncIteration at the end."""
        try:
            while self._products is not None:
                product = self.poll()
                if product is not END:
                    return product
                if self._time_slice.gate is not None or self._stopped is YIELD_TO_LOOP:
                    await self._loop.yield_to_loop()
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
        stopped, self._stopped = self._stopped, None
        if stopped.__class__ is PendingCall:  # nobody has come for it
            stopped.outcome.close()
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
    """What neighbouring synchronous steps emit, as a stream.

    Where a step turns out to be asynchronous, it is a stage from there on, and the steps behind it
    read from that; this stream goes over to them, so that 500 such steps don't recurse.
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
        told of it. With a `collector`, what they emit goes there."""
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
