"""Many calls at once: the engine of every asynchronous step.

Workers take turns to read the source, and await the call directly, so that an item costs no task,
queue or future. Whoever's call suspends passes the turn: to a worker that is free, else to a new
one as long as the limit allows. Calls that never suspend are all served by one worker.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Hashable
from time import perf_counter
from typing import Any, Final

from .._typing import A, B
from .channel import BUFFER, Channel
from .context import Several, resumed, unmistakable
from .iteration import END, Endable, aclose, cancel, poll_nothing, reader_in_context
from .limit import Limit
from .task_group import TaskGroup
from .timing import IdleTimes, TimeSlice

__all__ = ["CONCURRENCY", "FlatMap"]

#: Calls in flight at most where nothing else is said.
CONCURRENCY: Final = 256


CallFunction = Callable[[A], Coroutine[Any, Any, B]]


class _Slot:
    """Where the products of one call wait for their turn, in an ordered `FlatMap`; `line` are the
    calls that it keeps its order with."""

    __slots__ = ("done", "head", "items", "key", "line")

    def __init__(self, key: Hashable, line: deque[_Slot]) -> None:
        self.items: deque[Any] = deque()
        self.done = False
        self.head: asyncio.Future[None] | None = None
        self.key = key
        self.line = line


class FlatMap(Endable[B]):
    """See `flat_map`; `call` gives one item, or `Several`.

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
        limit: Limit | None = None,
        depth: int = 0,
        time_slice: TimeSlice | None = None,
        idle_times: IdleTimes | None = None,
        explain: Callable[[BaseException, Any], None] | None = None,
        owns_source: bool = True,
    ) -> None:
        self._explain = explain
        self._owns_source = owns_source
        self._source = source
        self._call = call
        self._concurrency = concurrency
        self._limit = limit
        self._depth = depth
        self._time_slice = time_slice or TimeSlice()
        self._idle_times = idle_times
        self._out: Channel[B] = Channel(BUFFER)
        #: an item that is ready, or END
        self.poll = self._out.poll
        self._task_group = TaskGroup(self._out)
        self._context: contextvars.Context | None = None
        self._reading = False
        self._exhausted = False
        self._idle: deque[asyncio.Future[None]] = deque()
        #: the calls that keep the order among each other, by their key, each with its line
        self._lines: dict[Hashable, deque[_Slot]] | None = {} if ordered else None
        self._key = ordered if callable(ordered) else None
        self._slots = 0
        self._window = window or 4 * concurrency
        self._slot_free: asyncio.Future[None] | None = None

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
        base = self._context
        assert base is not None
        out, limit, call, time_slice = self._out, self._limit, self._call, self._time_slice
        read = self._source.__anext__
        poll: Callable[[], Any] = getattr(self._source, "poll", poll_nothing)
        slot = None
        while True:
            while self._reading:
                await self._wait_idle()
            if self._exhausted:
                return
            self._reading = True
            try:
                if self._lines is not None:
                    await self._slot_room()
                item = poll()
                if item is END:
                    item = await (read() if self._idle_times is None else self._starved(read))
                if self._lines is not None:
                    slot = self._slot(self._lines, item)
            except StopAsyncIteration:
                self._exhausted = True
                return
            finally:
                self._reading = False
                if self._exhausted:
                    self._release_idle()
            if limit is not None and not limit.try_enter():
                await limit.enter(self._depth)
            try:
                if time_slice.gate is not None:
                    await time_slice.yield_to_loop()
                calling = call(item)
                run = base.copy().run
                try:
                    value = run(calling.send, None)
                except StopIteration as stop:
                    outcome = stop.value
                else:
                    self._pass_turn()
                    outcome = await resumed(calling, run, value)
                if outcome.__class__ is Several:
                    await self._emit_several(slot, outcome.source, run)
            except BaseException as error:
                raised = self._explain_error(error, item)
                if raised is error:
                    raise
                raise raised from error
            finally:
                if limit is not None:
                    limit.leave()
            if slot is not None:
                if outcome.__class__ is not Several:
                    await self._emit(slot, outcome)
                self._close_slot(slot)
            elif outcome.__class__ is not Several and not out.offer(outcome):
                await self._room()
                out.put(outcome)
            # Not before: what a call has given must not be dropped by a cancellation here.
            if perf_counter() > time_slice.due:
                await time_slice.yield_to_loop()

    def _explain_error(self, error: BaseException, item: Any) -> BaseException:
        if self._task_group.closing and isinstance(error, asyncio.CancelledError | GeneratorExit):
            return error
        raised = unmistakable(error)
        if self._explain is not None:
            self._explain(raised, item)
        return raised

    async def _starved(self, read: Callable[[], Awaitable[A]]) -> A:
        """The next item; that a call could begin but for it is told."""
        assert self._idle_times is not None
        self._idle_times.starve()
        try:
            return await read()
        except StopAsyncIteration:
            self._idle_times.close()
            raise
        finally:
            self._idle_times.feed()

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
        if self._idle_times is None:
            await self._out.wait()
            return
        self._idle_times.block()
        try:
            await self._out.wait()
        finally:
            self._idle_times.unblock()

    async def _emit(self, slot: _Slot | None, item: B) -> None:
        if slot is not None and slot is not slot.line[0]:
            if len(slot.items) < BUFFER:
                slot.items.append(item)
                return
            slot.head = asyncio.get_running_loop().create_future()
            await slot.head
        if not self._out.offer(item):
            await self._room()
            self._out.put(item)

    async def _emit_several(self, slot: _Slot | None, source: Any, run: Callable[..., Any]) -> None:
        """Emit what a call yields, each item only when the one before it has been taken."""
        time_slice = self._time_slice
        reader = reader_in_context(source, run, self._pass_turn)
        left: deque[Any] = deque()
        count, over = 0, False
        try:
            while True:
                try:
                    left.append(await reader.next())
                except StopAsyncIteration:
                    over = True
                count += 1
                full = not self._out.ready or (slot is not None and len(slot.items) >= BUFFER)
                if full and count > BUFFER:
                    # Others must not starve behind a call without end; but while nobody takes what
                    # there is, a call that gives one product or two is no reason to begin another.
                    self._pass_turn()
                try:
                    while left:
                        await self._emit_parked(slot, left, full)
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

    async def _emit_parked(self, slot: _Slot | None, left: deque[Any], full: bool) -> None:
        """Emit the first that is left, and take it away once it is out."""
        limit = self._limit
        if not full or limit is None:
            await self._emit(slot, left[0])
            left.popleft()
            return
        limit.park(self._depth)
        try:
            await self._emit(slot, left[0])
            left.popleft()
        except BaseException:
            limit.unpark(self._depth)
            raise
        await limit.resume(self._depth)

    def _slot(self, lines: dict[Hashable, deque[_Slot]], item: Any) -> _Slot:
        """A slot for the call with this item, the last one in its line."""
        key = None
        if self._key is not None:
            try:
                key = self._key(item)
            except BaseException as error:
                raise self._explain_error(error, item) from None
        line = lines.setdefault(key, deque())
        slot = _Slot(key, line)
        line.append(slot)
        self._slots += 1
        return slot

    async def _slot_room(self) -> None:
        while self._slots >= self._window:
            self._slot_free = asyncio.get_running_loop().create_future()
            await self._slot_free
        if not self._out.ready:
            await self._room()

    def _close_slot(self, slot: _Slot) -> None:
        slot.done = True
        line = slot.line
        while line and line[0].done:
            line.popleft()
            self._slots -= 1
            if line:
                head = line[0]
                while head.items:
                    self._out.put(head.items.popleft())
                if head.head is not None and not head.head.done():
                    head.head.set_result(None)
        if not line and self._lines is not None:
            self._lines.pop(slot.key, None)
        if self._slot_free is not None and not self._slot_free.done():
            self._slot_free.set_result(None)

    # The end

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
