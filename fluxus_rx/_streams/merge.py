"""Several streams as one; also one stream, read ahead by a task of its own."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterable, Callable
from functools import partial
from time import perf_counter
from typing import Any

from .._typing import T
from .channel import Channel
from .iteration import END, Cancellable, Reader, aclose_all
from .task_group import TaskGroup
from .timing import TimeSlice

__all__ = ["Merge"]


class _Backlog:
    """How many items of one source wait to be taken, and what its reader waits for if too many."""

    __slots__ = ("size", "writer")

    def __init__(self) -> None:
        self.size = 0
        self.writer: asyncio.Future[None] | None = None


class Merge(Cancellable[T]):
    """See `merge`; one task a source, each with its own share of the room, and in a `context`."""

    def __init__(
        self,
        sources: tuple[AsyncIterable[T], ...],
        size: int,
        time_slice: TimeSlice | None = None,
        context: Callable[[], contextvars.Context] = contextvars.copy_context,
    ) -> None:
        #: those that no task has come to yet
        self._unread = dict(enumerate(sources))
        self._context = context
        self._time_slice = time_slice
        self._share = max(1, size // max(1, len(sources)))
        self._out: Channel[tuple[_Backlog, T]] = Channel(float("inf"))
        self._task_group = TaskGroup(self._out)
        self._started = False
        self._ended = False
        #: the tasks that read, which `end` breaks into
        self._readers: dict[asyncio.Task[Any], None] = {}

    @property
    def channel(self) -> Channel[tuple[_Backlog, T]]:
        """Where items wait to be taken."""
        return self._out

    def _start(self) -> None:
        self._started = True
        if not self._unread:
            self._out.close()
        for index in self._unread:
            self._task_group.start(partial(self._drain, index), self._context())

    async def _drain(self, index: int) -> None:
        task, source = asyncio.current_task(), self._unread.pop(index)
        assert task is not None
        async with Reader(source) as reader:
            if self._ended:
                return
            self._readers[task] = None
            try:
                await self._read(reader)
            except asyncio.CancelledError:
                if not self._ended or self._task_group.closing:
                    raise
                task.uncancel()
            finally:
                self._readers.pop(task, None)

    async def _read(self, reader: Reader[T]) -> None:
        backlog, out, task_group, share = _Backlog(), self._out, self._task_group, self._share
        time_slice = self._time_slice or TimeSlice()
        while True:
            if time_slice.gate is not None:
                await time_slice.yield_to_loop()
            try:
                item = await reader.next()
            except StopAsyncIteration:
                return
            if self._ended or task_group.closing:
                return  # the source has told nobody that it was cancelled
            backlog.size += 1
            out.put((backlog, item))
            try:
                while backlog.size >= share:
                    backlog.writer = asyncio.get_running_loop().create_future()
                    await backlog.writer
                if perf_counter() > time_slice.due:
                    await time_slice.yield_to_loop()
            except asyncio.CancelledError as error:
                if self._ended or task_group.closing:
                    raise
                # The source may have one more item in answer, for which there is room then.
                reader.throw(error)

    def end(self) -> bool:
        """Emit no more than what has been read: stop reading the sources, close them, and end the
        stream after the items that wait; an error in closing one is an error of the stream.

        Whether there might have been more.
        """
        if self._ended or self._task_group.closing:
            return self._ended
        self._ended = True
        if not self._started:
            self._start()
        for task in self._readers:
            task.cancel()
        return len(self._task_group) > 0

    async def __anext__(self) -> T:
        out = self._out
        if not out.items:
            if not self._started:
                self._start()
            if not await out.filled():
                await out.__anext__()
        return self.poll()

    def poll(self) -> T:
        """An item that is ready, or END."""
        if not self._out.items:
            return END  # type: ignore[no-any-return]  # a mark of any type
        backlog, item = self._out.poll()
        backlog.size -= 1
        writer = backlog.writer
        if writer is not None:
            backlog.writer = None
            if not writer.done():
                writer.set_result(None)
        return item

    def cancel(self) -> None:
        """Tell the tasks to end."""
        self._started = True
        if self._ended:  # told already: a second time would break into what they do to clean up
            self._out.cancel()
            self._task_group.closing = True
        else:
            self._task_group.cancel()

    async def aclose(self) -> None:
        """End the tasks and close the sources; raise what they raise in doing so."""
        self.cancel()
        try:
            await self._task_group.settle()
        finally:
            # A task that is cancelled before its first turn closes nothing.
            unread, self._unread = self._unread, {}
            await aclose_all(source for source in unread.values() if hasattr(source, "__anext__"))
