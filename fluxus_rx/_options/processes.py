"""Plain functions in processes of our own, one call per process at a time."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent import futures
from typing import Any

from .handed_over import Future, Iteration, Job, Task, WorkItem
from .offload import GRACE_SECONDS, done
from .process_pool import POOL, Assignment, KeptProcesses, LastCall
from .threads import Threads, run_into

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
        self._kept: KeptProcesses | None = None

    def _submit(self, work: Task, iteration: Iteration | None = None) -> Future:
        begun: Callable[[], object] = _nothing
        if isinstance(work, WorkItem) and work.begun is not None:
            begun, work.begun = work.begun, None
        assignment = Assignment(self._kept or POOL, work, self._who, begun)
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
        """Nobody waits for what it has returned, or raised."""
        if not isinstance(future.exception(), futures.CancelledError):
            super().drop(future)

    def keep_processes(self) -> None:
        """Share no process with others from now on, until `let_go`."""
        self._kept = KeptProcesses()

    async def let_go(self, work: Task) -> list[BaseException]:
        """Have each process do this, after all calls, and keep it no longer; what that raises. One
        that takes longer than the calls of a run may take at its end is ended."""
        calls = [] if self._kept is None else self._kept.last_calls(work, self._who)
        begun: list[tuple[LastCall, Future]] = []
        for call in calls:
            future: Future = futures.Future()
            task: Any = (future, call, _nothing)
            threading.Thread(target=run_into, args=task, name="fluxus_rx", daemon=True).start()
            begun.append((call, future))
        if begun:
            await asyncio.wait([done(future) for _, future in begun], timeout=GRACE_SECONDS)
        errors: list[BaseException] = []
        for call, future in begun:
            if not future.done():
                call.stop()
                errors.append(
                    TimeoutError(
                        f"{self._who}: a process took longer than {GRACE_SECONDS:g} s to close what"
                        " the run had open there, and was ended"
                    )
                )
            elif (error := future.exception()) is not None:
                errors.append(error)
        return errors


def _nothing(*_: object) -> None:
    """Nobody counts the seconds."""
