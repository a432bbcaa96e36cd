"""Transformers that see the whole stream: their own `process` or `aprocess` on what comes.

Rules of this file:

1. `process` runs in a thread of its own, since it may block. What it is ahead by is bounded: a
   batch of products that it has asked for, and a buffer of those that it has made.
2. While the thread waits for the loop, virtual time goes on; while it works, it doesn't.
3. An error of what comes before is the error of the run, also where the method catches it.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import threading
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from functools import partial
from queue import SimpleQueue
from typing import Any, Final

from reactivex import Observable

from .._common.left_watch import outside_waiter
from .._common.messages import place_note
from .._common.trail import Trail
from .._engine.execution import wait_out
from .._engine.observable import FlowObservable, flow_observable
from .._engine.stage import ForeignItems
from .._loops.event_loop import call_soon
from .._rx.run_resources import NeededResources
from .._streams.channel import BUFFER, Channel
from .._streams.context import unmistakable
from .._streams.iteration import END, Cancellable, poller, relay
from .._streams.task_group import TaskGroup
from .._streams.timing import TimeSlice
from .conduit import Conduit
from .iterables import iterator_of, not_iterable
from .lifetime import conduit_in_run
from .remaker import Remaker

__all__ = ["seen_whole"]

#: what a thread is told instead of a product
_TOLD_TO_END: Final = "the run was cancelled"


def seen_whole(
    transformer: Conduit, plainly: Callable[[Any], bool], source: Observable[Any]
) -> FlowObservable[Any]:
    """A transformer on an observable, by its own method on the whole stream: `process` if that is
    `plainly` called in a run with these settings, else `aprocess`."""
    upstream = flow_observable(source, True)
    trail = Trail(transformer.name, upstream.trail)
    name = transformer.name if transformer.name.isidentifier() else None
    foreign = ForeignItems(name or upstream.foreign_items.label, trail.depth)

    def opened(before: Any, owner: object) -> AsyncIterator[Any]:
        scope = before.flow.scope
        called, needs = transformer, NeededResources([])
        if transformer._flow_is_opened:
            called, needs, _ = conduit_in_run(transformer, scope, None)
        stream = _WholeStream(called, trail.path, before, needs)
        remaker = Remaker(foreign, has_products=not upstream.shows_items)
        if plainly(scope.settings):
            return _ProcessInThread(stream, remaker.product)
        return relay(stream.awaited(), remaker.product, time_slice=TimeSlice())

    return FlowObservable(opened, trail=trail, before=upstream, foreign_items=foreign)


class _WholeStream(AsyncIterator[Any]):
    """What comes to a transformer, passed to its own method, and what that yields."""

    def __init__(
        self, transformer: Any, path: str, before: AsyncIterator[Any], needs: NeededResources
    ) -> None:
        self.transformer = transformer
        self._path = path
        self._before = before
        #: what has to be open before the method is called
        self.needs = needs
        self._poll = poller(before)
        #: what has come instead of a product
        self.error: BaseException | None = None

    async def __anext__(self) -> Any:
        try:
            return await self._before.__anext__()
        except (StopAsyncIteration, asyncio.CancelledError):
            raise
        except BaseException as error:
            self.error = error
            raise

    def ready(self) -> Iterator[Any]:
        """What has come by now."""
        for _ in range(BUFFER - 1):
            item = self._poll()
            if item is END:
                return
            yield item

    async def awaited(self) -> AsyncGenerator[Any, None]:
        """What `aprocess` yields."""
        await self.needs.open()
        given: Any = None
        try:
            given = self.transformer.aprocess(self)
            if inspect.isawaitable(given):
                given = await given
            if not hasattr(given, "__aiter__"):
                if getattr(type(given), "__iter__", None) is None:
                    wanted = "an asynchronous generator"
                    raise not_iterable(self.transformer, "aprocess", given, wanted)
                given = _each(iterator_of(given, self.transformer, "aprocess"))
            async with contextlib.aclosing(relay(given)) as items:
                async for item in items:
                    yield item
        except BaseException as error:
            raise self.explained(error, "aprocess") from error.__cause__
        self.raise_missed()

    def explained(self, error: BaseException, method: str) -> BaseException:
        """The error to raise for one of a method, with a note that tells where it came up."""
        if isinstance(error, GeneratorExit | asyncio.CancelledError):
            return error
        raised = unmistakable(error)
        if error is not self.error:
            name = self.transformer.name
            place_note(raised, f"in {name}, ", f"path {self._path}, in its {method}()")
        return raised

    def raise_missed(self) -> None:
        """Raise the error of what comes before, which the method has caught."""
        if self.error is not None:
            raise self.error


async def _each(items: Iterator[Any]) -> AsyncGenerator[Any, None]:
    for item in items:
        yield item


class _ProcessInThread(Cancellable[Any]):
    """What `process` yields, in a thread of its own: a daemon, as Python waits at its exit for any
    other."""

    # A stream that can be told to end, as what it reads is: or it would take that for the end.

    def __init__(self, stream: _WholeStream, change: Callable[[Any], Any]) -> None:
        self._stream = stream
        self._change = change
        self._loop = asyncio.get_running_loop()
        self._out: Channel[Any] = Channel(float("inf"))
        self._task_group = TaskGroup(self._out)
        #: what the thread is given: a list of products, END, or an error
        self._inbox: SimpleQueue[Any] = SimpleQueue()
        self._asked = asyncio.Event()
        #: what the thread has made, and whether the loop has been told
        self._made: deque[Any] = deque()
        self._is_told = False
        self._room = threading.Semaphore(BUFFER)
        self._begun = self._is_left = False
        self._is_room_awaited = False
        #: for as long as the thread has something to do
        self._busy = self._loop.create_future()
        self._ended: asyncio.Future[None] = self._loop.create_future()

    # in the thread

    def _work(self) -> None:
        error: BaseException | None = None
        try:
            self._give_all()
        except BaseException as raised:
            error = raised
        call_soon(self._loop, partial(self._over, error))

    def _give_all(self) -> None:
        transformer: Any = self._stream.transformer
        arrivals = self._arrivals()
        given: Any = None
        try:
            given = transformer.process(arrivals)
            for item in iterator_of(given, transformer, "process"):
                if not self._room.acquire(blocking=False):
                    call_soon(self._loop, self._await_room)
                    self._room.acquire()
                if self._is_left:
                    return
                self._made.append(item)
                if not self._is_told:
                    self._is_told = True
                    call_soon(self._loop, self._deliver)
        finally:
            for one in (given, arrivals):
                close = getattr(one, "close", None)
                if close is not None:
                    close()

    def _arrivals(self) -> Iterator[Any]:
        while True:
            batch = END
            if not self._is_left:  # else the loop may be closed by now
                call_soon(self._loop, self._ask)
                batch = self._inbox.get()
            if self._is_left:
                raise asyncio.CancelledError(_TOLD_TO_END)
            if batch is END:
                return
            if isinstance(batch, BaseException):
                try:
                    raise batch
                finally:
                    del batch  # it knows this frame
            for item in batch:
                if self._is_left:
                    raise asyncio.CancelledError(_TOLD_TO_END)
                yield item

    # on the loop

    def _begin(self) -> None:
        self._begun = True
        self._busy = outside_waiter()
        run = partial(contextvars.copy_context().run, self._work)
        name = f"fluxus_rx {self._stream.transformer.name}"
        threading.Thread(target=run, name=name, daemon=True).start()
        self._task_group.start(self._serve)

    def _rest(self) -> None:
        if not self._busy.done():
            self._busy.set_result(None)

    def _ask(self) -> None:
        self._rest()
        self._asked.set()

    async def _serve(self) -> None:
        """Hand over what comes, as often as the thread asks."""
        while not self._ended.done():
            await self._asked.wait()
            self._asked.clear()
            if self._ended.done():
                return
            given: Any
            try:
                given = [await self._stream.__anext__(), *self._stream.ready()]
            except StopAsyncIteration:
                if self._is_left:
                    return
                given = END
            except BaseException as error:
                if self._is_left:
                    raise
                given = error
            self._busy = outside_waiter()
            self._inbox.put(given)

    def _await_room(self) -> None:
        """The thread waits for room, unless some has come meanwhile."""
        self._is_room_awaited = True
        self._rest()
        self._deliver()

    def _deliver(self) -> None:
        self._is_told = False
        while self._made:
            self._out.put(self._made.popleft())

    def _over(self, error: BaseException | None) -> None:
        """The thread is at its end."""
        self._deliver()
        self._rest()
        self._ended.set_result(None)
        self._asked.set()
        if error is not None:
            error = self._stream.explained(error, "process")
        elif not self._is_left:
            error = self._stream.error
        if error is None:
            return
        if not self._is_left:
            self._task_group.fail(error)
        elif not isinstance(error, asyncio.CancelledError):
            self._task_group.late = error

    def poll(self) -> Any:
        """A product that is ready, or END."""
        item = self._out.poll()
        if item is END:
            return END
        if self._is_room_awaited:
            self._is_room_awaited = False
            self._busy = outside_waiter()
        self._room.release()
        return self._change(item)

    async def __anext__(self) -> Any:
        if not self._begun:
            await self._stream.needs.open()
            self._begin()
        if not self._out.items and not await self._out.filled():
            return await self._out.__anext__()  # raises
        return self.poll()

    def cancel(self) -> None:
        """Tell the thread to end."""
        if self._is_left:
            return
        self._is_left = True
        if not self._begun:
            self._begun = True
            self._ended.set_result(None)
        self._rest()
        self._inbox.put(END)
        self._room.release()
        self._task_group.cancel()

    async def aclose(self) -> None:
        """End the thread, and wait for that, but not for ever; raise what it raises in doing so."""
        self.cancel()
        await wait_out(self._ended, self._stream.transformer.process, "process()")
        await self._task_group.settle()
