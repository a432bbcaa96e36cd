"""Where plain functions run: in threads, in processes, or in an executor of the user's."""

from __future__ import annotations

import threading
from concurrent import futures
from functools import partial
from queue import SimpleQueue
from typing import Any

from ._common.messages import note, shown
from ._errors import InvalidOptionError
from ._offload import MOMENT, Future, Offload, Work
from ._processes import Processes, in_processes

__all__ = ["offload"]


class _Threads(Offload):
    """A call gets an idle thread, or else a new one: it never queues behind one that may hang.

    Daemons, unlike those of ThreadPoolExecutor, which a process waits for before it exits.
    """

    def __init__(self, who: str) -> None:
        super().__init__(who)
        self._lock = threading.Lock()
        self._idle: list[tuple[threading.Thread, SimpleQueue[Any]]] = []
        self._ending: list[threading.Thread] = []

    def _submit(self, work: Work) -> Future:
        future: Future = futures.Future()
        future.set_running_or_notify_cancel()
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
            try:
                hand_over = partial(future.set_result, work())
            except BaseException as error:
                hand_over = partial(future.set_exception, error)
            # Idle before the caller knows, whose next call shall find this thread.
            with self._lock:
                self._idle.append((threading.current_thread(), inbox))
                if self._over:
                    self._dismiss()
            hand_over()
            # What it has handed over must not live for as long as it is idle.
            del task, future, work, hand_over

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
            thread.join(MOMENT)  # has no call any more
        return super()._end()


class _Given(Offload):
    """An executor of the user's, which is never shut down here."""

    _fate = "what runs in an executor can't be stopped, and is left to end by itself"

    def __init__(self, who: str, executor: futures.Executor) -> None:
        super().__init__(who)
        self._executor = executor
        self._remote = in_processes(executor)

    def _submit(self, work: Work) -> Future:
        try:
            return self._executor.submit(work)
        except RuntimeError as error:
            note(error, f"{self._who} can't hand a call to its executor; has it been shut down?")
            raise


def offload(executor: str | futures.Executor, who: str, size: float) -> Offload:
    """Where the calls of `who` run: in threads, in processes, or in an executor of the user's.

    The caller keeps to `size` calls at once. There are no more processes than that, nor than
    processors; an executor that is given is used as it is, and never shut down.

    >>> import asyncio
    >>> async def main():
    ...     threads = offload("thread", "step 'power'", size=2)
    ...     try:
    ...         return await threads.call(pow, 2, 10)
    ...     finally:
    ...         await threads.aclose()
    >>> asyncio.run(main())
    1024
    """
    if isinstance(executor, futures.Executor):
        return _Given(who, executor)
    if executor not in ("thread", "process"):
        kinds = '"thread", "process" or an Executor'
        raise InvalidOptionError(f"{who}: executor must be {kinds}, not {shown(executor)}")
    return _Threads(who) if executor == "thread" else Processes(who, size)
