"""Plain functions in processes of our own, one call per process at a time."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent import futures
from typing import Any

from .handed_over import Future, Iteration, Job, Task, WorkItem
from .process_pool import POOL, Assignment
from .threads import Threads

__all__ = ["Processes"]


class Processes(Threads):
    """A call has a process to itself, and a thread that waits for that.

    So it is known which call a process is at. One that is left, cancelled or out of time, ends with
    its process, and one whose process dies fails; no other call does. Not a ProcessPoolExecutor: it
    doesn't tell which process has which call, breaks as a whole if one dies, and can't end a call.
    """

    _begins_at_once = False

    def __init__(self, who: str, size: float, **reading: Any) -> None:
        super().__init__(who, min(size, os.cpu_count() or 1), **reading)
        self._assignments: dict[Future, Assignment] = {}

    def _submit(self, work: Task, iteration: Iteration | None = None) -> Future:
        begun: Callable[[], object] = _nothing
        if isinstance(work, WorkItem) and work.begun is not None:
            begun, work.begun = work.begun, None
        assignment = Assignment(POOL, work, self._who, begun)
        future = super()._submit(assignment)
        self._assignments[future] = assignment
        future.add_done_callback(self._forget)
        return future

    def _forget(self, future: Future) -> None:
        self._assignments.pop(future, None)

    def leave(self, job: Job) -> None:
        """The current task waits for it no longer: its process is ended."""
        super().leave(job)
        assignment = self._assignments.get(job.future)
        if assignment is not None:
            assignment.stop()

    def drop(self, future: Future) -> None:
        """Nobody waits for what it has given, or raised."""
        if not isinstance(future.exception(), futures.CancelledError):
            super().drop(future)


def _nothing() -> None:
    """Nobody counts the seconds."""
