"""One function of a `FlatMap`: its calls, how many there are at once, and in which order they
return.

Rules of this file, and of `flat_map`:

1. The worker that takes an item for a stage has its turn, and passes it on when its call waits.
2. A worker that waits for room, or for a slot, without having passed it, keeps it: the stage is
held.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Sequence
from functools import partial
from math import inf
from time import perf_counter
from typing import Any

from .channel import BUFFER, Channel, CollectingChannel, FanOutChannel
from .context import Items, unmistakable
from .iteration import END, Reader, as_async, poller
from .limit import Limit
from .ordering import DeferredSlot, Ordering, Slot
from .permit import Permit
from .task_group import TaskGroup
from .timing import IdleTimes, TimeSlice

__all__ = ["CallStage", "Turns"]


class Turns:
    """What the workers of a `FlatMap` share: their tasks, and what there is for them to do."""

    __slots__ = (
        "coming",
        "is_room_awaited",
        "listed",
        "ready",
        "suspensions",
        "tasks",
        "time_slice",
        "unopened",
    )

    def __init__(self, tasks: TaskGroup, time_slice: TimeSlice) -> None:
        self.tasks = tasks
        self.time_slice = time_slice
        #: those that have an item for a worker
        self.listed: list[CallStage] = []
        #: items that a fork has passed on, each with the stage that has a slot for its call
        self.ready: list[tuple[CallStage, Any]] = []
        #: how often workers have waited: a worker that finds the same number afterwards has not
        self.suspensions = 0
        #: the slot of the call that is made now, to be opened if that has to wait
        self.unopened: DeferredSlot | None = None
        #: how many workers are about to look for something to do
        self.coming = 0
        #: whether a worker waits for room behind the last stage that has nothing else to do
        self.is_room_awaited = False

    async def wait_for_room(self, last: CallStage) -> None:
        """Wait for room behind the last stage, with nothing in hand."""
        self.is_room_awaited = True
        try:
            await last.out.wait()
        finally:
            self.is_room_awaited = False
        last.enlist()

    async def yield_to_loop(self) -> None:
        """Let everything else on the loop run once, but no other worker begin something."""
        self.coming += 1
        try:
            await self.time_slice.yield_to_loop()
        finally:
            self.coming -= 1


class CallStage:
    """The calls of one function, each with an item; `call` returns one item, or `Items`.

    There are at most `concurrency` at once here; the stage shares the `limit` with others, and
    stands at `depth` for it. It tells `idle_times` when it has to wait. `explain` adds to an error
    of a call where it came up. What calls return goes `out`. Calls that are made inside of one
    belong to its `run`, and stand behind its `trail`.
    """

    __slots__ = (
        "_explain", "_turns", "_unplaced", "before", "branches", "busy", "call", "concurrency",
        "depth", "ends", "following", "held", "idle_times", "is_listed", "is_overfull", "items",
        "limit", "ordering", "out", "poll", "run", "trail",
    )  # fmt: skip

    #: whether it passes on what it takes, and makes no calls
    is_fork = False

    def __init__(
        self,
        call: Callable[[Any], Coroutine[Any, Any, Any]],
        *,
        concurrency: float,
        ordered: bool | Callable[[Any], Hashable] = False,
        window: float | None = None,
        limit: Limit | None = None,
        depth: float = 0,
        idle_times: IdleTimes | None = None,
        explain: Callable[[BaseException, Any], object] | None = None,
        run: object = None,
        trail: object = None,
    ) -> None:
        self.call = call
        self.run = run
        self.trail = trail
        self.concurrency = concurrency
        self.limit = limit
        self.depth = depth
        self.idle_times = idle_times
        self._explain = explain
        self.out: Channel[Any] = Channel(BUFFER)
        self.ordering: Ordering | None = None
        if ordered:
            key = partial(self._key_of, ordered) if callable(ordered) else None
            self.ordering = Ordering(self.out, window or 4 * concurrency, key)
        #: what waits for room, each under a key of its own
        self._unplaced: dict[object, Any] = {}
        #: workers that have an item of it in hand
        self.busy = 0
        #: how many workers wait that have the turn, so that no other takes an item
        self.held = 0
        #: whether it is among the stages that have an item for a worker
        self.is_listed = False
        #: whether more waits behind it than there is room for
        self.is_overfull = False
        #: the stages in front of it and behind it that have the same workers
        self.before: CallStage | None = None
        self.following: CallStage | None = None
        #: those that each take all it emits, the last one first, where that goes to several
        self.branches: Sequence[CallStage] = ()
        #: where it goes at the ends of paths, beside them
        self.ends: Sequence[Channel[Any]] = ()
        self._turns: Turns
        #: returns an item that waits in front of it, or END
        self.poll: Callable[[], Any]
        #: those that wait, where the stage in front of it has the same workers
        self.items: deque[Any] = deque()

    def begin_with(self, turns: Turns, poll: Callable[[], Any]) -> None:
        """Be the first stage of these workers, who take its items by `poll`."""
        self._turns = turns
        self.poll = poll

    def follow(self, before: CallStage) -> None:
        """Have the workers of another stage, which take up what that emits."""
        self.take_from(before.out, before)
        before.following = self

    def take_from(self, inlet: Channel[Any], before: CallStage) -> None:
        """Have the workers of another stage, which take up what waits in a channel."""
        self._turns = before._turns
        self.poll = inlet.poll
        self.items = inlet.items
        self.before = before

    def fork(self, inlets: Sequence[Channel[Any]], branches: Sequence[CallStage]) -> None:
        """Have what it emits go into all of these channels, and workers come for those branches
        that take it from there; before any call has begun."""
        self.out = FanOutChannel(inlets)
        if self.ordering is not None:
            self.ordering.lead_to(self.out)
        # What comes last is taken up first.
        self.branches = [*reversed(branches)]
        self.ends = [one for one in inlets if isinstance(one, CollectingChannel)]

    @property
    def is_final(self) -> bool:
        """Whether no other stage of these workers takes what it emits."""
        return self.following is None and not self.branches

    def collect(self, channel: CollectingChannel[Any]) -> None:
        """Have what calls return collected at once, before anything has been read."""
        self.out = channel
        if self.ordering is not None:
            self.ordering.lead_to(self.out)

    def leave_row(self) -> None:
        """Know no other stage any more: they would be garbage in a circle."""
        self.before = self.following = None
        self.branches = ()

    # Whether a call may begin

    @property
    def takes(self) -> bool:
        """Whether a worker may take an item."""
        if self.held:
            return False
        return self.places > 0 if self.is_overfull else self.busy < self.concurrency

    @property
    def places(self) -> float:
        """How many calls may begin. What has found no room keeps the slot of its call."""
        over = max(0, -self.out.room)
        self.is_overfull = over > 0
        return self.concurrency - self.busy - over

    def enlist(self) -> None:
        """Have a worker come, if one may take an item that waits."""
        if self.items and not self.is_listed and self.takes:
            self.is_listed = True
            self._turns.listed.append(self)

    def enlist_takers(self) -> None:
        """Have workers come for what it has emitted."""
        if self.following is not None:
            self.following.enlist()
        else:
            for branch in self.branches:
                branch.enlist()

    def hand_on(self, item: Any) -> None:
        """Pass an item to all branches, each of which has room: where a call may begin at once,
        with the slot for it, which costs a third of a queue (benchmark "fanout")."""
        ready = self._turns.ready
        for branch in self.branches:
            if (
                branch.busy < branch.concurrency
                and branch.ordering is None
                and not (branch.items or branch.held or branch.is_overfull)
            ):
                branch.busy += 1
                ready.append((branch, item))
            else:
                branch.items.append(item)
                branch.enlist()
        for end in self.ends:
            end.put(item)

    def begin(self) -> None:
        """A worker has taken an item that waited: others may come for the next one."""
        self.busy += 1
        if self.items:
            self.enlist()
        before = self.before
        if before is not None and before.items:
            before.enlist()

    def unlist(self) -> bool:
        """A worker has come: whether it may still take an item."""
        self.is_listed = False
        return bool(self.items) and self.takes

    async def hold(self, awaitable: Awaitable[Any]) -> Any:
        """Await, and keep the turn."""
        self.held += 1
        try:
            return await awaitable
        finally:
            self.held -= 1
            self.enlist()

    async def wait_for_slot(self) -> None:
        """Wait until its order lets a call begin."""
        ordering = self.ordering
        while ordering is not None and ordering.is_full:
            await ordering.wait_for_end()
        if ordering is not None and not self.out.ready:
            await self._room()

    # Errors

    def _key_of(self, key: Callable[[Any], Hashable], item: Any) -> Hashable:
        try:
            return key(item)
        except BaseException as error:
            raise self.explain_error(error, item) from None

    def explain_error(self, error: BaseException, item: Any) -> BaseException:
        """The error to raise for one of the call with this item."""
        is_closing = self._turns.tasks.closing
        if is_closing and isinstance(error, asyncio.CancelledError | GeneratorExit):
            return error
        raised = unmistakable(error)
        if self._explain is not None:
            self._explain(raised, item)
        return raised

    # What calls return

    async def _room(self) -> None:
        """Wait until there is room for an item."""
        idle_times = self.idle_times
        if idle_times is None:
            await self.out.wait()
            return
        idle_times.block()
        try:
            await self.out.wait()
        finally:
            idle_times.unblock()

    def try_emit(self, slot: Slot | None, item: Any) -> bool:
        """Put an item out, or into the slot of its call until that is the first one in its line;
        whether there was room."""
        if slot is None or slot is slot.line[0]:
            return self.out.offer(item)
        if slot.is_full:
            return False
        slot.items.append(item)
        return True

    def overfill(self, item: Any) -> None:
        """Put an item out for which there is no room."""
        self.is_overfull = True
        self.out.put(item)

    async def place(self, slot: Slot | None, item: Any) -> None:
        """Wait for the turn of its call, if there is an order, and for room; then put the item."""
        if slot is not None and slot is slot.line[0]:
            slot = None
        key = object()
        self._unplaced[key] = item
        try:
            if slot is not None:
                await slot.wait_turn()
            if not self.out.ready:
                await self._room()
        except BaseException:
            if not self._turns.tasks.closing:  # or else `release` still returns it
                del self._unplaced[key]
            raise
        if self._unplaced.pop(key, END) is not END:
            self.out.put(item)
            self.enlist_takers()

    async def emit_several(self, slot: Slot | None, items: Items[Any], keeps_turn: bool) -> None:
        """Emit what a call yields, each item only when the one before it has been taken."""
        turns, permit = self._turns, items.permit
        reader: Reader[Any] = Reader(as_async(items.source))
        poll = poller(items.source)
        left: deque[Any] = deque()
        count, over = 0, False
        try:
            while True:
                suspensions = turns.suspensions
                try:
                    if permit is not None and permit.is_lent:
                        await permit.take_back()
                except asyncio.CancelledError as error:
                    if turns.tasks.closing:
                        raise
                    reader.throw(error)
                    continue
                # What can be polled takes no error that is thrown into it, which had to come first.
                item = poll()
                try:
                    left.append(await reader.next() if item is END else item)
                except StopAsyncIteration:
                    over = True
                count += 1
                # Others must not starve behind a call without end; but while nobody takes what
                # there is, a call that returns one product or two isn't a reason to begin another.
                keeps_turn = keeps_turn and turns.suspensions == suspensions and count <= BUFFER
                try:
                    while left:
                        await self._emit_first(slot, left, permit, keeps_turn)
                        if perf_counter() > turns.time_slice.due:
                            await turns.yield_to_loop()
                except asyncio.CancelledError as error:
                    if turns.tasks.closing or over:
                        raise
                    # What the call yields in answer comes after what it has yielded before.
                    reader.throw(error)
                    continue
                if over:
                    return
        finally:
            await reader.aclose()

    async def _emit_first(
        self, slot: Slot | None, left: deque[Any], permit: Permit | None, keeps_turn: bool
    ) -> None:
        """Emit the first that is left, and take it away once it is out."""
        if self.try_emit(slot, left[0]):
            left.popleft()
            self.enlist_takers()
        else:
            waiting = self._emit_parked(slot, left, permit)
            await (self.hold(waiting) if keeps_turn else waiting)

    async def _emit_parked(
        self, slot: Slot | None, left: deque[Any], permit: Permit | None
    ) -> None:
        """The same, waiting.

        While it waits, the call's slot is lent, and its permit where another call may have to take
        it first: one further down, or an earlier one in the same line. A call that waits for a slot
        holds no permit, so that all take the two in the same order.
        """
        limit, depth = self.limit, self.depth
        waits_for_turn = slot is not None and slot is not slot.line[0]
        if limit is not None:
            limit.park(depth)
        try:
            if permit is not None and (permit.is_needed_downstream or waits_for_turn):
                await permit.lend()
            if not self.try_emit(slot, left[0]):
                await self.place(slot, left[0])
            left.popleft()
        except BaseException:
            if limit is not None:
                limit.unpark(depth)
            raise
        self.enlist_takers()
        if limit is not None and not limit.try_resume(depth):
            try:
                if permit is not None:
                    await permit.lend()
            except BaseException:
                limit.unpark(depth)
                raise
            await limit.resume(depth)

    # The end

    def release(self) -> list[Any]:
        """What calls have returned and nobody has taken, in whatever order: it waits for a turn, or
        for room. It is not given again."""
        released = [*self.out.items, *self._unplaced.values()]
        self.out.items.clear()
        self._unplaced.clear()
        if self.ordering is not None:
            released += self.ordering.release()
        return released

    def open_up(self) -> None:
        """Have each item come to a call at once, beyond all limits."""
        self.concurrency = inf
        if self.limit is not None:
            self.limit.open_up()
        if self.ordering is not None:
            self.ordering.open_up()
        self.enlist()

    def let_through(self) -> None:
        """Pass on what waits for its turn in an order."""
        if self.ordering is not None:
            self.ordering.let_through()
        self.enlist_takers()
