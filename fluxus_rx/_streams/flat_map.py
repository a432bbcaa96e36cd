"""Many calls at once: the engine of every asynchronous step."""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Hashable
from dataclasses import dataclass, field
from functools import partial
from math import inf
from time import perf_counter
from typing import Any, Final

from .._typing import A, B
from .channel import BUFFER, Channel
from .context import Items, in_context, resume, unmistakable
from .iteration import END, Cancellable, aclose, cancel, poller, reader_in_context
from .limit import Limit
from .ordering import Ordering, Slot
from .permit import Permit
from .task_group import TaskGroup
from .timing import IdleTimes, TimeSlice

__all__ = ["CONCURRENCY", "FlatMap", "Runtime"]

#: Calls in flight at most where nothing else is said.
CONCURRENCY: Final = 256


CallFunction = Callable[[A], Coroutine[Any, Any, B]]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Runtime:
    """What the run around a stage hands to it.

    The stage shares the `limit` with others, and stands at `depth` for it. It takes its turns from
    `time_slice` and tells `idle_times` when it has to wait. `explain` adds to an error of a call
    where it came up.
    """

    time_slice: TimeSlice = field(default_factory=TimeSlice)
    limit: Limit | None = None
    depth: int = 0
    idle_times: IdleTimes | None = None
    explain: Callable[[BaseException, Any], object] | None = None


class FlatMap(Cancellable[B]):
    """See `flat_map`; `call` gives one item, or `Items`.

    Workers take turns to read the source, and await the call directly, so that an item costs no
    task, queue or future. Whoever's call suspends passes the turn: to a worker that is free, else
    to a new one as long as the limit allows. Calls that never suspend are all served by one worker.
    """

    def __init__(
        self,
        source: AsyncIterator[A],
        call: CallFunction[A, Any],
        *,
        concurrency: float = CONCURRENCY,
        ordered: bool | Callable[[A], Hashable] = False,
        window: float | None = None,
        owns_source: bool = True,
        runtime: Runtime | None = None,
    ) -> None:
        self._source = source
        self._call = call
        self._concurrency = concurrency
        self._owns_source = owns_source
        self._runtime = runtime or Runtime()
        self._out: Channel[B] = Channel(BUFFER)
        #: an item that is ready, or END
        self.poll = self._out.poll
        self._ordering: Ordering | None = None
        if ordered:
            key = partial(self._key_of, ordered) if callable(ordered) else None
            self._ordering = Ordering(self._out, window or 4 * concurrency, key)
        self._task_group = TaskGroup(self._out)
        self._context: contextvars.Context | None = None
        self._reading = False
        self._exhausted = False
        self._idle: deque[asyncio.Future[None]] = deque()
        #: what waits for room, each under a key of its own
        self._unplaced: dict[object, B] = {}

    @property
    def channel(self) -> Channel[B]:
        """Where what the calls give waits to be taken."""
        return self._out

    def __anext__(self) -> Coroutine[Any, Any, B]:
        if self._context is None:
            self._context = contextvars.copy_context()
            self._task_group.start(self._work)
        return self._out.__anext__()

    # The workers

    async def _work(self) -> None:
        # One function: a coroutine of its own for reading costs 4 % of an item where few are ready
        # (benchmark "async" at limit 10), and 4 % where order is kept (benchmark "streams").
        assert self._context is not None
        copy_context = self._context.copy
        call, out, ordering = self._call, self._out, self._ordering
        limit, time_slice = self._runtime.limit, self._runtime.time_slice
        poll, read = poller(self._source), self._source.__anext__
        if self._runtime.idle_times is not None:
            read = partial(self._runtime.idle_times.wait_for_item, read)
        slot = None
        while True:
            while self._reading:
                await self._wait_idle()
            if self._exhausted:
                return
            self._reading = True
            try:
                if ordering is not None and (ordering.is_full or not out.ready):
                    await self._wait_for_slot(ordering)
                item = poll()
                if item is END:
                    item = await read()
            except StopAsyncIteration:
                self._exhausted = True
                return
            finally:
                self._reading = False
                if self._exhausted:
                    self._release_idle()
            if ordering is not None:
                slot = ordering.open_slot(item)
            if limit is not None and not limit.try_enter():
                await limit.enter(self._runtime.depth)
            try:
                if time_slice.gate is not None:
                    await time_slice.yield_to_loop()
                calling = call(item)
                run = copy_context().run
                try:
                    value = run(calling.send, None)
                except StopIteration as stop:
                    outcome = stop.value
                else:
                    self._pass_turn()
                    outcome = await resume(calling, run, value)
                if outcome.__class__ is Items:
                    await self._emit_several(slot, outcome, run)
            except BaseException as error:
                raised = self._explain_error(error, item)
                if raised is error:
                    raise
                raise raised from error
            finally:
                if limit is not None:
                    limit.leave()
            if ordering is not None and slot is not None:
                if outcome.__class__ is not Items:
                    await self._emit(slot, outcome)
                ordering.close_slot(slot)
            elif outcome.__class__ is not Items and not out.offer(outcome):
                await self._place(outcome)
            # Not before: what a call has given must not be dropped by a cancellation here.
            if perf_counter() > time_slice.due:
                await time_slice.yield_to_loop()

    async def _wait_for_slot(self, ordering: Ordering) -> None:
        while ordering.is_full:
            await ordering.wait_for_end()
        if not self._out.ready:
            await self._room()

    def _key_of(self, key: Callable[[Any], Hashable], item: Any) -> Hashable:
        try:
            return key(item)
        except BaseException as error:
            raise self._explain_error(error, item) from None

    def _explain_error(self, error: BaseException, item: Any) -> BaseException:
        if self._task_group.closing and isinstance(error, asyncio.CancelledError | GeneratorExit):
            return error
        raised = unmistakable(error)
        if self._runtime.explain is not None:
            self._runtime.explain(raised, item)
        return raised

    async def _wait_idle(self) -> None:
        idle = asyncio.get_running_loop().create_future()
        self._idle.append(idle)
        await idle

    def _release_idle(self) -> None:
        while self._idle:
            idle = self._idle.popleft()
            if not idle.done():
                idle.set_result(None)

    def _pass_turn(self) -> None:
        """This worker will be away: let another one read."""
        if self._reading or self._exhausted:
            return
        while self._idle:
            idle = self._idle.popleft()
            if not idle.done():
                idle.set_result(None)
                return
        if len(self._task_group) < self._concurrency and not self._task_group.closing:
            self._task_group.start(self._work)

    # What they give

    async def _room(self) -> None:
        """Wait until there is room for an item."""
        idle_times = self._runtime.idle_times
        if idle_times is None:
            await self._out.wait()
            return
        idle_times.block()
        try:
            await self._out.wait()
        finally:
            idle_times.unblock()

    async def _place(self, item: B, slot: Slot | None = None) -> None:
        """Wait for the turn of the slot, if there is one, then for room; then put the item."""
        key = object()
        self._unplaced[key] = item
        try:
            if slot is not None:
                await slot.wait_turn()
            if not self._out.ready:
                await self._room()
        except BaseException:
            if not self._task_group.closing:  # or else `release` still gives it
                del self._unplaced[key]
            raise
        if self._unplaced.pop(key, END) is not END:
            self._out.put(item)

    async def _emit(self, slot: Slot | None, item: B) -> None:
        if slot is not None and slot is not slot.line[0]:
            if slot.is_full:
                await self._place(item, slot)
            else:
                slot.items.append(item)
        elif not self._out.offer(item):
            await self._place(item)

    async def _emit_several(
        self, slot: Slot | None, items: Items[B], run: Callable[..., Any]
    ) -> None:
        """Emit what a call yields, each item only when the one before it has been taken."""
        time_slice, permit = self._runtime.time_slice, items.permit
        reader = reader_in_context(items.source, run, self._pass_turn)
        left: deque[Any] = deque()
        count, over = 0, False
        try:
            while True:
                try:
                    if permit is not None and permit.is_lent:
                        await in_context(permit.take_back(), run)
                except asyncio.CancelledError as error:
                    if self._task_group.closing:
                        raise
                    reader.throw(error)
                    continue
                try:
                    left.append(await reader.next())
                except StopAsyncIteration:
                    over = True
                count += 1
                if count > BUFFER and not (self._out.ready and (slot is None or not slot.is_full)):
                    # Others must not starve behind a call without end; but while nobody takes what
                    # there is, a call that gives one product or two is no reason to begin another.
                    self._pass_turn()
                try:
                    while left:
                        await self._emit_first(slot, left, permit, run)
                        if perf_counter() > time_slice.due:
                            await time_slice.yield_to_loop()
                except asyncio.CancelledError as error:
                    if self._task_group.closing or over:
                        raise
                    # What the call gives in answer comes after what it has given before.
                    reader.throw(error)
                    continue
                if over:
                    return
        finally:
            await reader.aclose()

    async def _emit_first(
        self,
        slot: Slot | None,
        left: deque[Any],
        permit: Permit | None,
        run: Callable[..., Any],
    ) -> None:
        """Emit the first that is left, and take it away once it is out.

        While it waits, the call's place is lent, and its permit where another call may have to take
        it first: one further down, or an earlier one in the same line. Who waits for a place holds
        no permit, so that all take the two in the same order.
        """
        waits_for_turn = slot is not None and slot is not slot.line[0]
        if slot is not None and waits_for_turn and not slot.is_full:
            slot.items.append(left.popleft())
            return
        if not waits_for_turn and self._out.offer(left[0]):
            left.popleft()
            return
        limit, depth = self._runtime.limit, self._runtime.depth
        if limit is not None:
            limit.park(depth)
        try:
            if permit is not None and (permit.is_needed_downstream or waits_for_turn):
                await in_context(permit.lend(), run)
            await self._emit(slot, left[0])
            left.popleft()
        except BaseException:
            if limit is not None:
                limit.unpark(depth)
            raise
        if limit is not None and not limit.try_resume(depth):
            try:
                if permit is not None:
                    await in_context(permit.lend(), run)
            except BaseException:
                limit.unpark(depth)
                raise
            await limit.resume(depth)

    # The end

    def release(self) -> list[B]:
        """What calls have given and nobody has taken, in whatever order: it waits for a turn, or
        for room. It is not given again."""
        released = [*self._out.items, *self._unplaced.values()]
        self._out.items.clear()
        self._unplaced.clear()
        if self._ordering is not None:
            released += self._ordering.release()
        return released

    def open_up(self) -> None:
        """Have each item come to a call at once, beyond all limits. For a stage whose calls do no
        more from now on than to note what they are called with."""
        self._concurrency = inf
        if self._runtime.limit is not None:
            self._runtime.limit.open_up()
        if self._ordering is not None:
            self._ordering.open_up()
        if self._context is not None:
            self._pass_turn()  # the workers that are there may never come back

    def let_through(self) -> None:
        """Hand on what waits for its turn in an order: the calls before it will not end."""
        if self._ordering is not None:
            self._ordering.let_through()

    def cancel(self) -> None:
        """Tell the workers, and a source that can be told, to end."""
        if self._context is None:
            self._context = contextvars.copy_context()
        self._exhausted = True
        self._task_group.cancel()
        if self._owns_source:
            cancel(self._source)

    async def aclose(self) -> None:
        """End the workers, then close the source; raise what these raise in doing so."""
        self.cancel()
        try:
            await self._task_group.settle()
        finally:
            if self._owns_source:
                await aclose(self._source)
