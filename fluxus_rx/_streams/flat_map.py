"""Many calls at once: the engine of every asynchronous step."""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Generator, Iterable
from functools import partial
from math import inf
from time import perf_counter
from types import coroutine
from typing import Any, Final

from .._typing import B
from .call_stage import CallStage, Turns
from .channel import Channel, CollectingChannel
from .context import CALLER, Caller, Items
from .iteration import END, Cancellable, aclose, cancel, poller
from .ordering import DeferredSlot
from .task_group import TaskGroup
from .timing import TimeSlice

__all__ = ["CONCURRENCY", "FlatMap", "ForkStage"]

#: Calls in flight at most where nothing else is said.
CONCURRENCY: Final = 256

#: Workers that come at once at most: if the first one finds that it has to wait for the source, the
#: others have come for nothing.
_MOST_WOKEN: Final = 32

#: What a carrying generator yields between two calls, and when there is nothing to do any more.
_BETWEEN_CALLS: Final[Any] = object()
_AT_THE_END: Final[Any] = object()


class FlatMap(Cancellable[B]):
    """See `flat_map`; a stage, and those that follow it, with workers in common.

    Workers take turns to read the source, and carry an item through the stages, as far as it goes:
    where a stage has none waiting and may begin a call. Else they put it in front of that stage,
    and one who has nothing else to do takes it up. So an item costs no task, queue or future.
    A worker that has to wait passes the turn: to a worker that is free, else to a new one, if there
    is something to do. Calls that never suspend are all served by one worker.
    """

    def __init__(
        self,
        source: AsyncIterator[Any],
        stage: CallStage,
        *,
        owns_source: bool = True,
        time_slice: TimeSlice | None = None,
    ) -> None:
        self._source = source
        self._owns_source = owns_source
        self._task_group = TaskGroup(stage.out)
        self._turns = Turns(self._task_group, time_slice or TimeSlice())
        stage.begin_with(self._turns, poller(source))
        self._stages = [stage]
        #: where what the calls return waits to be taken, or the end alone
        self._out: Channel[Any] = stage.out
        #: an item that is ready, or END
        self.poll = stage.out.poll
        self._context: contextvars.Context | None = None
        self._is_exhausted = False
        #: whether an item was there when a worker came for one
        self._is_source_ready = False
        self._idle: deque[asyncio.Future[None]] = deque()

    def then(self, stage: CallStage) -> None:
        """Have one more stage, before anything has been read."""
        stage.follow(self._stages[-1])
        self._stages.append(stage)
        self._give_to(stage.out)

    def branch(self, stages: Iterable[CallStage]) -> None:
        """Have these stages behind the last one, which is forked, before anything has been read.
        What the last ones among them return is collected: a reader is told of the end alone."""
        self._stages += stages
        self._give_to(Channel())

    def collect(self, channel: CollectingChannel[B]) -> None:
        """Have what the last stage emits collected at once, before anything has been read: then
        no reader is woken for it, and a reader is told of the end alone."""
        stage = self._stages[-1]
        stage.collect(channel)
        self._give_to(stage.out)

    def _give_to(self, out: Channel[Any]) -> None:
        self._task_group.out = self._out = out
        self.poll = out.poll

    @property
    def last(self) -> CallStage:
        """The stage that what comes next is behind."""
        return self._stages[-1]

    @property
    def channel(self) -> Channel[B]:
        """Where what the calls return waits to be taken."""
        return self._out

    def __anext__(self) -> Coroutine[Any, Any, B]:
        if self._context is None:
            self._context = contextvars.copy_context()
            self._pass_turn()
        return self._out.__anext__()

    # The workers

    @coroutine
    def _work(self) -> Generator[Any, Any, None]:
        """Make calls in contexts of their own, one after the other; wait where one does."""
        # Not a task for each call: that costs 5 us more. Not an eagerly started coroutine put into
        # a task later: that breaks `asyncio.timeout`.
        assert self._context is not None
        turns, first = self._turns, self._stages[0]
        # Once a worker, and not once a call: what calls inside of a call belong to is seen by it.
        caller = Caller(self._context.get(CALLER))
        variables, context = None, self._context.copy()
        context.run(CALLER.set, caller)
        carrying: Any = self._carry(caller)
        go_on = carrying.send
        turns.coming -= 1
        while True:
            # Not its methods at hand: 64 bytes each for a call in flight (benchmark "memory").
            value = context.run(go_on, None)
            while value is not _BETWEEN_CALLS:
                if value is _AT_THE_END:
                    caller.place = None  # a task that a call has left behind may hold it
                    return
                turns.suspensions += 1
                if turns.unopened is not None:
                    turns.unopened.open()
                    turns.unopened = None
                if not turns.coming and (
                    turns.ready or turns.listed or (not self._is_exhausted and first.takes)
                ):
                    # As many as are there, so that many calls begin soon; but one where a call
                    # merely yields to the loop, as it goes on soon itself (benchmark "async,
                    # yielding").
                    self._pass_turn(1 if value is None else self._missing())
                try:
                    sent = yield value
                except BaseException as error:
                    value = context.run(carrying.throw, error)
                else:
                    value = context.run(go_on, sent)
            if variables is None:
                variables = self._context.copy()
                variables.run(CALLER.set, caller)
            context = variables.copy()

    @coroutine
    def _carry(self, caller: Caller) -> Generator[Any, Any, None]:
        """Take items, and carry each through the stages; yields what must be waited for.

        A generator runs in the context of the code that sends to it: that may change between two
        calls.
        """
        # One function, and few calls in it: each costs 0.05 us and more (benchmark "async").
        turns, first = self._turns, self._stages[0]
        ready, listed, time_slice = turns.ready, turns.listed, turns.time_slice
        deferred: Any = None
        placing: Any
        read: Any = self._source.__anext__
        if first.idle_times is not None:
            read = partial(first.idle_times.wait_for_item, read)
        while True:
            if ready:
                stage, item = ready.pop()
                ordering, slot = None, None
            else:
                if listed:
                    stage = listed.pop()
                    if not stage.unlist():
                        continue
                elif first.takes and not self._is_exhausted:
                    stage = first
                else:
                    if (waiting := self._nothing_to_do()) is None:
                        yield _AT_THE_END
                        return
                    yield from waiting
                    continue
                ordering, slot = stage.ordering, None
                if ordering is not None and (ordering.is_full or not stage.out.ready):
                    yield from stage.hold(stage.wait_for_slot())
                item = stage.poll()
                if item is not END:
                    self._is_source_ready = True
                elif stage is first:
                    self._is_source_ready = False
                    first.held += 1
                    try:
                        item = yield from read()
                    except StopAsyncIteration:
                        self._is_exhausted = True
                        self._wake_idle(len(self._idle))
                        continue
                    finally:
                        first.held -= 1
                else:
                    continue
                if stage.is_fork:
                    stage.hand_on(item)
                    continue
                stage.begin()
            origin, taken = stage, turns.suspensions
            while True:
                if ordering is not None:
                    # An order costs nothing where calls don't wait (benchmark "async, ordered").
                    if ordering.count or ordering.is_keyed:
                        slot = ordering.open_slot(item)
                    else:
                        turns.unopened = deferred = deferred or DeferredSlot()
                        deferred.ordering, deferred.item = ordering, item
                limit = stage.limit
                if limit is not None:
                    if limit.waiting or limit.in_flight >= limit.size:
                        yield from stage.hold(limit.enter(stage.depth))
                    else:
                        limit.in_flight += 1
                caller.place = stage
                suspensions = turns.suspensions
                try:
                    if time_slice.gate is not None:
                        yield from turns.yield_to_loop()
                        suspensions = turns.suspensions
                    outcome = yield from stage.call(item)
                    if ordering is not None and slot is None:
                        if turns.unopened is not deferred:
                            slot = deferred.slot
                        elif outcome.__class__ is Items:
                            slot = ordering.open_slot(item)
                        turns.unopened = None
                    if outcome.__class__ is Items:
                        keeps_turn = suspensions == turns.suspensions
                        yield from stage.emit_several(slot, outcome, keeps_turn)
                except BaseException as error:
                    raised = stage.explain_error(error, item)
                    if raised is error:
                        raise
                    raise raised from error
                finally:
                    if limit is not None:
                        limit.in_flight -= 1
                        if limit.waiting:
                            limit.admit()
                following = stage.following
                if outcome.__class__ is Items:
                    following = None
                elif (
                    following is not None
                    and not (following.items or following.held)
                    and following.busy < following.concurrency
                    and not following.is_overfull
                    and (slot is None or slot is slot.line[0])
                    and (following.ordering is None or not following.ordering.is_full)
                ):
                    following.busy += 1
                else:
                    following = None
                    if slot is None and stage.branches and stage.out.ready:
                        stage.hand_on(outcome)
                    elif not (
                        stage.out.offer(outcome) if slot is None else stage.try_emit(slot, outcome)
                    ):
                        if suspensions != turns.suspensions and stage.idle_times is None:
                            stage.overfill(outcome)
                        else:
                            placing = stage.place(slot, outcome)
                            if suspensions == turns.suspensions:
                                placing = stage.hold(placing)
                            if taken == turns.suspensions:
                                placing = origin.hold(placing)
                            yield from placing
                if ordering is not None and slot is not None:
                    ordering.close_slot(slot)
                    slot = None
                    if following is not None and following.items:
                        following.enlist()  # those that this one has let through
                stage.busy -= 1
                if stage.items:
                    stage.enlist()
                if following is None:
                    if stage.following is not None or stage.branches:
                        stage.enlist_takers()
                elif following.ordering is not None and not following.out.ready:
                    placing = following.hold(following.wait_for_slot())
                    if taken == turns.suspensions:
                        placing = origin.hold(placing)
                    yield from placing
                # Not before: what a call has yielded must not be dropped by a cancellation here.
                if suspensions == turns.suspensions and perf_counter() > time_slice.due:
                    placing = turns.yield_to_loop()
                    if following is not None:
                        placing = following.hold(placing)
                    yield from placing
                yield _BETWEEN_CALLS
                if following is None:
                    break
                stage, item, ordering = following, outcome, following.ordering

    def _nothing_to_do(self) -> Any:
        """What a worker waits for that has nothing to do; None, if there will be nothing more."""
        if not (self._out.ready or self._turns.is_room_awaited):
            return self._turns.wait_for_room(self._stages[-1])
        return None if self._is_exhausted else self._wait_idle()

    async def _wait_idle(self) -> None:
        idle = asyncio.get_running_loop().create_future()
        self._idle.append(idle)
        await idle
        self._turns.coming -= 1

    def _missing(self) -> int:
        """How many workers there is something to do for, up to as many as there are, or so."""
        places: float = sum(min(len(stage.items), stage.places) for stage in self._turns.listed)
        places += len(self._turns.ready)
        first = self._stages[0]
        if self._is_source_ready and first.takes and not self._is_exhausted:
            places += first.places
        return max(1, int(min(places, len(self._task_group), _MOST_WOKEN)))

    def _wake_idle(self, count: int) -> int:
        """Have so many of the workers that wait look for something to do; how many did not."""
        while count and self._idle:
            idle = self._idle.popleft()
            if not idle.done():
                idle.set_result(None)
                self._turns.coming += 1
                count -= 1
        return count

    def _pass_turn(self, count: int = 1) -> None:
        """Have so many workers come that have nothing else to do."""
        for _ in range(self._wake_idle(count)):
            if not self._task_group.closing:
                self._turns.coming += 1
                self._task_group.start(self._work)

    # The end

    def release(self) -> list[B]:
        """What calls have returned and nobody has taken, in whatever order: it waits for a turn, or
        for room. It is not given again."""
        if self._stages[-1].out is self._out:
            return self._stages[-1].release()
        for stage in self._stages:
            if stage.is_final:
                for item in stage.release():
                    stage.out.put(item)
        return []

    def open_up(self) -> None:
        """Have each item come to a call at once, beyond all limits. For stages whose calls do no
        more from now on than to note what they are called with."""
        for stage in self._stages:
            stage.open_up()
        if self._context is not None:
            self._pass_turn()  # the workers that are there may never come back

    def let_through(self) -> None:
        """Pass on what waits for its turn in an order: the calls before it will not end."""
        for stage in self._stages:
            stage.let_through()
        if self._turns.listed:
            self._pass_turn()

    def cancel(self) -> None:
        """Tell the workers, and a source that can be told, to end."""
        if self._context is None:
            self._context = contextvars.copy_context()
        self._is_exhausted = True
        for stage in self._stages:
            if not stage.is_final:
                stage.out.cancel()
        self._task_group.cancel()
        if self._owns_source:
            cancel(self._source)

    async def aclose(self) -> None:
        """End the workers, then close the source; raise what these raise in doing so."""
        self.cancel()
        try:
            await self._task_group.settle()
        finally:
            for stage in self._stages:
                stage.leave_row()
            if self._owns_source:
                await aclose(self._source)


class ForkStage(CallStage):
    """The first stage, where what a source emits goes to several branches at once: it makes no
    calls."""

    __slots__ = ()
    is_fork = True

    def __init__(self) -> None:
        super().__init__(_no_call, concurrency=inf)

    @property
    def takes(self) -> bool:
        """Whether a worker may take an item: each branch has room for it."""
        return not self.held and self.out.ready

    @property
    def places(self) -> float:
        """How many items there is room for."""
        return self.out.room


async def _no_call(item: Any) -> Any:
    return item
