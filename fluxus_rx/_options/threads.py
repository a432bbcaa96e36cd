"""Threads of our own, in which plain functions run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent import futures
from functools import partial
from queue import SimpleQueue
from typing import Any

from .._typing import T
from .handed_over import Future, Iteration, Task
from .offload import JOIN_SECONDS, Offload

__all__ = ["Threads", "run_into"]


class Threads(Offload):
    """A call gets an idle thread, or else a new one: it never queues behind one that may hang.

    An iterator has the thread that it was made in to itself, from its first item to its last: what
    is bound to a thread, such as a connection of sqlite3, works in a generator.

    Daemons, unlike those of ThreadPoolExecutor, which a process waits for before it exits.
    """

    def __init__(self, who: str, size: float, **reading: Any) -> None:
        super().__init__(who, size, **reading)
        self._lock = threading.Lock()
        self._idle: list[tuple[threading.Thread, SimpleQueue[Any]]] = []
        self._ending: list[threading.Thread] = []

    def _submit(self, work: Task, iteration: Iteration | None = None) -> Future:
        future: Future = futures.Future()
        future.set_running_or_notify_cancel()
        inbox: SimpleQueue[Any] | None = None if iteration is None else iteration.thread
        if inbox is None:
            with self._lock:
                inbox = self._idle.pop()[1] if self._idle else None
        if inbox is None:
            inbox, name = SimpleQueue(), f"fluxus_rx {self._who}"
            threading.Thread(target=self._work, args=(inbox,), name=name, daemon=True).start()
        inbox.put((future, work))
        return future

    def _work(self, inbox: SimpleQueue[Any]) -> None:
        while (task := inbox.get()) is not None:
            future, work = task
            run_into(future, work, partial(self._settle, inbox))
            del task, future, work  # or they would live for as long as the thread is idle

    def _settle(self, inbox: SimpleQueue[Any], iteration: Iteration | None) -> None:
        if iteration is not None:
            iteration.thread = inbox
            return
        with self._lock:
            self._idle.append((threading.current_thread(), inbox))
            if self._over:
                self._dismiss()

    def _dismiss(self) -> None:
        for thread, inbox in self._idle:
            self._ending.append(thread)
            inbox.put(None)
        self._idle.clear()

    def cancel(self) -> None:
        """Take no new calls, and end the threads that are idle."""
        with self._lock:
            super().cancel()
            self._dismiss()

    def _end(self) -> int:
        for thread in list(self._ending):
            thread.join(JOIN_SECONDS)  # has no call any more
        return super()._end()


def run_into(future: Future, work: Task, settle: Callable[[Iteration | None], T]) -> T:
    """Do work for a future. What `settle` returns, which is told of an iteration that goes on,
    before anybody knows that the work is done: the next call may be handed over at once."""
    given = None
    try:
        given = work()
        hand_over = partial(future.set_result, given)
    except BaseException as error:
        hand_over = partial(future.set_exception, error)
    goes_on = isinstance(given, Iteration) and not given.is_over
    settled = settle(given if goes_on else None)
    hand_over()
    return settled
