"""The tasks of an operator, which end together.

A task belongs to the operator that started it; `aclose()` cancels and awaits it. `cancel()` only
cancels, so that a whole pipeline can be told first and awaited afterwards, all at once.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Collection
from typing import Any

from .._common.messages import also_raised
from .channel import Channel

__all__ = ["TaskGroup", "wait_for_all"]


class TaskGroup:
    """The tasks of one operator, and the first error of any of them.

    The error goes to `out` behind the items that wait there, and ends all other tasks. What they
    raise while they end is added to it as a note, so that nothing is lost.
    """

    __slots__ = ("_tasks", "closing", "error", "late", "out")

    def __init__(self, out: Channel[Any]) -> None:
        self.out = out
        self.closing = False
        self.error: BaseException | None = None
        self.late: BaseException | None = None
        # In their order, so that two runs in virtual time are cancelled alike.
        self._tasks: dict[asyncio.Task[None], None] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    def start(
        self, work: Callable[[], Awaitable[None]], context: contextvars.Context | None = None
    ) -> None:
        """Run `work` as a task; `out` is closed when the last task has ended."""
        # Not loop.create_task: with an eager factory, workers that hire workers would recurse.
        loop = asyncio.get_running_loop()
        task = asyncio.Task(self._guard(work), loop=loop, context=context)
        self._tasks[task] = None
        task.add_done_callback(self._ended)

    async def _guard(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except BaseException as error:
            if not (self.closing and isinstance(error, (asyncio.CancelledError, GeneratorExit))):
                self.fail(error)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        if task.cancelled() and not self.closing:
            self.fail(asyncio.CancelledError())
        if not self._tasks:
            self.out.close()

    def fail(self, error: BaseException) -> None:
        """End everything because of `error`."""
        if self.error is not None:
            also_raised(self.error, error)
        elif self.closing:
            if self.late is None:
                self.late = error
            else:
                also_raised(self.late, error)
        else:
            self.error = error
            self.out.close(error)
            self.closing = True
            current = asyncio.current_task()
            for task in self._tasks:
                if task is not current:
                    task.cancel()

    def cancel(self) -> None:
        """Tell all tasks to end, and drop what waits in `out`."""
        self.out.cancel()
        if not self.closing:  # once: a second time would break into what they do to clean up
            self.closing = True
            for task in self._tasks:
                task.cancel()

    async def settle(self) -> None:
        """Wait until all tasks have ended; raise what they raised while they were told to."""
        try:
            await wait_for_all(self._tasks)
        finally:
            if self.late is not None:
                error, self.late = self.late, None
                raise error


async def wait_for_all(tasks: Collection[asyncio.Task[None]]) -> None:
    """Wait for all `tasks`; a cancellation that comes meanwhile is raised afterwards."""
    cancelled: asyncio.CancelledError | None = None
    while pending := [task for task in tasks if not task.done()]:
        try:
            await asyncio.wait(pending)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
