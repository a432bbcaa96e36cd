"""Asynchronous iteration over what a run emits, which outlives a cancelled `anext`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from time import perf_counter
from types import TracebackType
from typing import Any, Final, Generic

from .._errors import UsageError
from .._typing import T
from .iteration import END, never_ready, poller
from .timing import TimeSlice

__all__ = ["Resumable"]

#: Turns of the loop that a stream which has come to its end gets to clean up, before the reading of
#: an item is cancelled that nobody waits for.
_TURNS_TO_END: Final = 8


class Resumable(AsyncGenerator[T, None], Generic[T]):
    """The items of the stream that `block` yields, each as `change` makes it, if there is one.

    `block` is an asynchronous generator that opens the stream, yields it, and cleans up behind its
    one `yield`: at the end, after an error, or when it is closed. Items are waited for outside of
    it, because a generator that is cancelled is at its end.

    Where a task waits for one item and nothing else, such as `asyncio.ensure_future(anext(items))`
    (before Python 3.12, `asyncio.wait_for(anext(items), 1)` starts one by itself), a cancellation
    is of the waiting alone: the next reader to ask gets the item. Where it comes to a task in the
    midst of what the task does, the block cleans up before the task goes on, and the next one to
    ask is told. With `survives`, somebody else cleans up, and it can always go on: then the
    `__anext__` of the stream must lose nothing when it is cancelled.

    A reader that holds the loop, item by item, yields to it in between.
    """

    __slots__ = (
        "_asking",
        "_block",
        "_change",
        "_dismissed",
        "_is_dismissed",
        "_is_read",
        "_is_to_end",
        "_pending",
        "_poll",
        "_reader",
        "_stream",
        "_survives",
        "_time_slice",
        "_was_cancelled",
    )

    def __init__(
        self,
        block: AsyncGenerator[AsyncIterator[Any], None],
        change: Callable[[Any], T] | None = None,
        *,
        survives: bool = False,
    ) -> None:
        self._block = block
        self._change = change
        self._survives = survives
        self._stream: AsyncIterator[Any] | None = None
        #: returns an item of it that is there, or END, if it has something to tell that
        self._poll: Callable[[], Any] | None = None
        self._is_read = False
        #: the task that waits for an item; whether it is told that this is closed, and when it has
        #: left, for the code that closes it
        self._asking: asyncio.Task[Any] | None = None
        self._is_dismissed = False
        self._dismissed: asyncio.Event | None = None
        #: whether a cancellation is meant to end it
        self._is_to_end = False
        #: the reading of an item that nobody waits for now
        self._pending: asyncio.Task[tuple[Any, BaseException | None]] | None = None
        #: the latest task that has read it in the midst of what it does
        self._reader: asyncio.Task[Any] | None = None
        self._was_cancelled = False
        self._time_slice: TimeSlice | None = None

    @property
    def ag_running(self) -> bool:
        """Whether somebody waits for an item.

        A generator can't be closed while it runs. So what wants to close one asks this, and if it
        runs, leaves it to the cancellation of the task that waits, as operators of aiostream do.
        """
        self._is_to_end = self._is_to_end or self._is_read
        return self._is_read

    async def __anext__(self) -> T:
        time_slice = self._time_slice
        if self._is_read or self._was_cancelled:
            raise self._refusal()
        # An item that is there is nothing to be waited for, and cancelled (benchmark "consumers").
        if (
            self._poll is not None
            and self._pending is None
            and time_slice is not None
            and perf_counter() <= time_slice.due
        ):
            try:
                if (item := self._poll()) is not END:
                    return item if self._change is None else self._change(item)
            except BaseException as error:
                await self._end(error)
        self._is_read = True
        # Without a loop, what opens the stream says best what is missing.
        has_loop = asyncio._get_running_loop() is not None
        self._asking = task = asyncio.current_task() if has_loop else None
        try:
            return await self._next(task)
        except asyncio.CancelledError:
            if not self._is_dismissed or (task is not None and task.uncancel()):
                raise
        finally:
            self._is_read = False
            self._asking = None
            if self._dismissed is not None:
                self._dismissed.set()
        raise UsageError("this iteration was closed while a task waited for an item")

    def _refusal(self) -> UsageError:
        """The error for one who may not ask for an item."""
        if self._is_read:
            return UsageError(
                "two tasks ask for the next item of one iterator at once: read it in one task, or"
                " merge the two"
            )
        return UsageError(
            "this iteration is not complete: the task that read it was cancelled while it waited"
            " for an item, and that ended its run. To wait for so long only and go on reading, wait"
            " in a task that can be cancelled by itself: waiting ="
            " asyncio.ensure_future(anext(items)), then asyncio.wait({waiting}, timeout=…)"
        )

    async def _next(self, task: asyncio.Task[Any] | None) -> T:
        if self._stream is None or self._time_slice is None:
            self._stream = await self._block.__anext__()
            poll = poller(self._stream)
            self._poll = None if poll is never_ready else poll
            self._time_slice = TimeSlice()
        try:
            if perf_counter() > self._time_slice.due:
                await self._time_slice.yield_to_loop()
            # Asked of each task once: it is 1 µs of an item.
            if task is not self._reader and (self._survives or not _waits_alone()):
                self._reader = task
            if self._pending is None and task is self._reader:
                item = await self._stream.__anext__()
            else:
                item = await self._next_pending(self._stream)
            return item if self._change is None else self._change(item)
        except StopAsyncIteration:
            self._stream = self._poll = None
            await self._block.__anext__()
        except asyncio.CancelledError as error:
            if self._is_dismissed:
                raise  # the code that closes it cleans up
            if _is_cancelled():
                if self._survives or (_waits_alone() and not self._is_to_end):
                    raise  # and what is being read comes the next time
                self._was_cancelled = True
            await self._end(error)
        except BaseException as error:
            await self._end(error)
        raise StopAsyncIteration

    async def _next_pending(self, stream: AsyncIterator[Any]) -> Any:
        """The next item, read by a task that goes on where the waiting is cancelled."""
        pending = self._pending
        if pending is None:
            pending = self._pending = asyncio.ensure_future(_item_or_error(stream))
        await asyncio.wait([pending])
        self._pending = None
        item, error = pending.result()
        if error is not None:
            raise error
        return item

    async def _end(self, error: BaseException) -> None:
        """Let the block clean up behind this error, which it raises."""
        await self._leave()
        await self._block.athrow(error)

    async def _leave(self) -> None:
        """Read nothing more."""
        self._stream = self._poll = None
        pending, self._pending = self._pending, None
        if pending is not None:
            for _ in range(_TURNS_TO_END):
                if not pending.done():
                    await asyncio.sleep(0)
            pending.cancel()
            await asyncio.wait([pending])

    async def _dismiss(self) -> None:
        """Have a task that waits for an item leave, which is an error there."""
        asking = self._asking
        if asking is None or asking is asyncio.current_task() or self._survives:
            return
        self._dismissed = self._dismissed or asyncio.Event()
        # One that has come to the end cleans up already.
        is_reading = self._stream is not None or self._time_slice is None
        if is_reading and not self._is_dismissed:
            self._is_dismissed = True
            asking.cancel()
        await self._dismissed.wait()

    def asend(self, value: None) -> Coroutine[Any, Any, T]:
        """The same as `__anext__`."""
        return self.__anext__()

    async def athrow(
        self,
        kind: type[BaseException] | BaseException,
        error: BaseException | object = None,
        trace: TracebackType | None = None,
    ) -> T:
        """End with an error, as if it had come from the stream."""
        if isinstance(kind, BaseException):
            error = kind
        elif not isinstance(error, BaseException):
            error = kind()
        await self._dismiss()
        if self._stream is None:
            await self.aclose()
            raise error
        await self._end(error)
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """End it, and wait until all has been cleaned up."""
        try:
            await self._dismiss()
            await self._leave()
        finally:
            await self._block.aclose()


async def _item_or_error(stream: AsyncIterator[Any]) -> tuple[Any, BaseException | None]:
    """The next item, or the error instead: one that nobody asks for isn't logged."""
    try:
        return await anext(stream), None
    except BaseException as error:
        if isinstance(error, asyncio.CancelledError) and _is_cancelled():
            raise
        return None, error


def _is_cancelled() -> bool:
    """Whether a cancellation is of the task that we are in; else somebody raised it as an error."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def _waits_alone() -> bool:
    """Whether the task that we are in waits for one item and does nothing else."""
    task = asyncio.current_task()
    awaited = None if task is None else task.get_coro()
    # The second is what `anext(items, default)` returns.
    return getattr(awaited, "cr_code", None) is Resumable.__anext__.__code__ or (
        type(awaited).__name__ == "anext_awaitable"
    )
