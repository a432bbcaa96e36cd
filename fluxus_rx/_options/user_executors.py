"""Executors of users, which are used as they are, and never shut down."""

from __future__ import annotations

import contextvars
import threading
from concurrent import futures
from functools import partial
from math import inf
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeAlias
from weakref import WeakKeyDictionary

from .._common.messages import note, short
from .._streams.permit import Claim
from .handed_over import Future, Iteration, Task, WorkItem
from .offload import Offload
from .slots import ExecutorSlots
from .threads import run_into

__all__ = ["UserExecutor", "UserThreads"]

TripInbox: TypeAlias = SimpleQueue[tuple[Future, Task] | None]


class UserExecutor(Offload):
    """An executor of the user's, which is never shut down here."""

    _fate = "what runs in an executor can't be stopped, and is left to end by itself"
    _begins_at_once = False

    # Whether a call has begun, which can't be stopped then, only a pool of threads is sure of.
    _calls_off = False

    def __init__(
        self, who: str, size: float, executor: futures.Executor, *, timed: bool, **reading: Any
    ) -> None:
        workers = _workers_of(executor, timed)
        super().__init__(who, min(size, workers), **reading)
        self._executor = executor
        if workers < inf:
            self._slots.shared = ExecutorSlots.of(executor, workers)

    def _submit(self, work: Task, iteration: Iteration | None = None) -> Future:
        try:
            return self._executor.submit(work)
        except RuntimeError as error:
            note(error, f"{self._who} can't hand a call to its executor; has it been shut down?")
            raise

    def _explain(self, error: BaseException) -> None:
        super()._explain(error)
        if isinstance(error, futures.BrokenExecutor):
            note(
                error,
                f"a process of the executor of {self._who} crashed, was killed, or could not begin;"
                " Python gives up such an executor, and all its calls with it. With"
                " executor='process' no call fails but the one in that process. Each process"
                " imports the main script, so what starts a run there must stand under `if __name__"
                ' == "__main__":`',
            )


class UserThreads(UserExecutor):
    """A pool of threads of the user's, of which an iterator keeps one while it is read: what is
    bound to a thread works in a generator.

    It frees its thread when other calls wait for one, ours or not: a generator whose reader
    waits for such a call would wait for ever.
    """

    _calls_off = True

    def __init__(self, who: str, size: float, executor: futures.Executor, **settings: Any) -> None:
        super().__init__(who, size, executor, **settings)
        pool: Any = executor
        self._queue: SimpleQueue[Any] = pool._work_queue
        with _lock:
            self._occupancy = _occupancies.setdefault(executor, _Occupancy(pool._max_workers))
        self._slots.claim = partial(_PoolCall, executor, who, self._occupancy.workers)

    def _submit(self, work: Task, iteration: Iteration | None = None) -> Future:
        future: Future = futures.Future()
        context = _context_of(work, iteration)
        call = _PoolCall(self._executor, self._who, self._occupancy.workers)
        context.run(call.enter)
        if iteration is not None and self._occupancy.go_on(iteration, future, work):
            call.hold_place()
            future.add_done_callback(call.give_up_place)
            return future
        if iteration is None or work != iteration.close:  # nobody waits for that for long
            context.run(call.await_place)
        future.add_done_callback(call.give_up_place)
        self._occupancy.enter()
        try:
            queued = super()._submit(partial(self._work, future, work, call))
        except BaseException:
            self._occupancy.leave()
            call.give_up_place()
            raise
        queued.add_done_callback(partial(self._pass_end, future))
        return future

    def _pass_end(self, future: Future, queued: Future) -> None:
        # A pool that is shut down may drop what is in its queue, and one whose threads can't begin,
        # or that wraps what it is given, may fail before the call.
        if queued.cancelled():
            self._occupancy.leave()
            if future.cancel():
                future.set_running_or_notify_cancel()
        elif (error := queued.exception()) is not None and not future.done():
            self._occupancy.leave()
            future.set_exception(error)

    def _work(self, future: Future, work: Task, call: _PoolCall) -> None:
        if not future.set_running_or_notify_cancel():
            self._occupancy.leave()
            return
        call.hold_place()
        inbox: TripInbox = SimpleQueue()
        keep = partial(self._occupancy.keep, inbox)
        while (iteration := run_into(future, work, keep)) is not None:
            del future, work  # or they would live for as long as nothing is to be made
            task = self._next_trip(inbox, iteration)
            if task is None:
                return
            future, work = task

    def _next_trip(self, inbox: TripInbox, iteration: Iteration) -> tuple[Future, Task] | None:
        looks = 0
        while True:
            try:
                return inbox.get(timeout=_LOOK_SECONDS)
            except Empty:
                # Calls of others, or a shutdown. Twice, since a call may be on its way to a thread.
                looks = looks + 1 if self._queue.qsize() else 0
                if looks > 1:
                    self._occupancy.give_up(iteration)


class _PoolCall(Claim):
    """A call's thread in a pool: a call that runs in one may begin a run that needs another one."""

    __slots__ = ("_workers",)

    def __init__(self, pool: futures.Executor, who: str, workers: int) -> None:
        super().__init__(pool, who)
        self._workers = workers

    def give_up_place(self, future: object = None) -> None:
        """It has ended, or was called off; the next one of an iterator has the same context."""
        self.is_over = True
        super().give_up_place(future)

    def is_full(self, holders: int) -> bool:
        """Whether each thread has a call of ours: one of somebody else's may end."""
        return holders >= self._workers

    @property
    def _texts(self) -> tuple[str, str]:
        advice = (
            "Use another executor for the flow that is run inside of a call, or"
            ' executor="thread", which has as many threads as it needs'
        )
        return f"executor={short(self._shared)}", advice


#: Seconds after which a thread that waits for an iteration to go on looks whether it is wanted.
_LOOK_SECONDS: Final = 0.05


class _Occupancy:
    """What all steps have in a pool of threads: calls that run or wait, and threads that are kept
    for iterations. No thread is kept where more calls wait than there are threads."""

    def __init__(self, workers: int) -> None:
        #: how many threads there can be
        self.workers = workers
        self._lock = threading.Lock()
        self._occupied = 0
        self._kept: dict[Iteration, TripInbox] = {}

    def enter(self) -> None:
        """A call is submitted."""
        with self._lock:
            self._occupied += 1
            if self._kept and self._occupied > self.workers:
                self._give_up(next(iter(self._kept)))

    def leave(self) -> None:
        """A call was made, or called off."""
        with self._lock:
            self._occupied -= 1

    def keep(self, inbox: TripInbox, iteration: Iteration | None) -> Iteration | None:
        """A call was made: keep its thread if that may be, for an iteration that goes on."""
        with self._lock:
            if iteration is None or self._occupied > self.workers:
                self._occupied -= 1
                return None
            self._kept[iteration] = inbox
            return iteration

    def go_on(self, iteration: Iteration, future: Future, work: Task) -> bool:
        """Have the thread do it that is kept for an iteration, if there is one."""
        with self._lock:
            inbox = self._kept.pop(iteration, None)
        if inbox is None:
            return False
        future.set_running_or_notify_cancel()
        inbox.put((future, work))
        return True

    def give_up(self, iteration: Iteration) -> None:
        """Keep no thread for it any more."""
        with self._lock:
            if iteration in self._kept:
                self._give_up(iteration)

    def _give_up(self, iteration: Iteration) -> None:
        self._occupied -= 1
        self._kept.pop(iteration).put(None)


_lock = threading.Lock()
_occupancies: WeakKeyDictionary[futures.Executor, _Occupancy] = WeakKeyDictionary()


def _context_of(work: Task, iteration: Iteration | None) -> contextvars.Context:
    """The one in which the work is done."""
    begins = work if iteration is None else iteration
    return begins.context if isinstance(begins, WorkItem | Iteration) else contextvars.Context()


def _workers_of(executor: Any, timed: bool) -> float:
    """How many calls an executor runs at once, if it says so. Others wait better here: a time-out
    doesn't count that, and who is cancelled is gone.

    The executor of a Dask client doesn't, but its client does. It may have more tomorrow, so it is
    only asked where the calls are `timed`.
    """
    workers = getattr(executor, "_max_workers", None)
    if workers is None and timed and hasattr(executor, "_client"):
        threads = executor._client.nthreads()
        workers = sum(threads.values()) if isinstance(threads, dict) else None
    return workers if isinstance(workers, int) and workers > 0 else inf
