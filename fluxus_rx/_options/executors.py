"""Where plain functions run: in threads, in processes, or in an executor of the user's."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Mapping
from concurrent import futures
from functools import partial
from queue import SimpleQueue
from typing import Any, NamedTuple

from .._common.messages import note, short, shown
from .._common.secrets import masked_text
from .._errors import InvalidFlowError, InvalidOptionError
from .offload import JOIN_SECONDS, Future, Offload, Task

__all__ = [
    "Processes",
    "Unpicklable",
    "check_picklable",
    "in_processes",
    "offload",
    "unpicklable",
]


class _Threads(Offload):
    """A call gets an idle thread, or else a new one: it never queues behind one that may hang.

    Daemons, unlike those of ThreadPoolExecutor, which a process waits for before it exits.
    """

    def __init__(self, who: str) -> None:
        super().__init__(who)
        self._lock = threading.Lock()
        self._idle: list[tuple[threading.Thread, SimpleQueue[Any]]] = []
        self._ending: list[threading.Thread] = []

    def _submit(self, work: Task) -> Future:
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
            thread.join(JOIN_SECONDS)  # has no call any more
        return super()._end()


class _UserExecutor(Offload):
    """An executor of the user's, which is never shut down here."""

    _fate = "what runs in an executor can't be stopped, and is left to end by itself"

    def __init__(self, who: str, executor: futures.Executor) -> None:
        super().__init__(who)
        self._executor = executor
        self._remote = in_processes(executor)

    def _submit(self, work: Task) -> Future:
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
        return _UserExecutor(who, executor)
    if executor not in ("thread", "process"):
        kinds = '"thread", "process" or an Executor'
        raise InvalidOptionError(f"{who}: executor must be {kinds}, not {shown(executor)}")
    return _Threads(who) if executor == "thread" else Processes(who, size)


class Processes(Offload):
    """A pool of processes, made at the first call; those that do not end are stopped."""

    _remote = True
    _fate = "its processes were stopped"

    def __init__(self, who: str, size: float) -> None:
        super().__init__(who)
        cores = os.cpu_count() or 1
        self._size = max(1, int(min(size, cores, 61 if os.name == "nt" else cores)))
        self._pool: futures.ProcessPoolExecutor | None = None
        self._processes: list[Any] = []
        self._ended: Future = futures.Future()
        self._ending = threading.Thread(target=self._shut_down, daemon=True)

    def _submit(self, work: Task) -> Future:
        if self._pool is None:
            # Not "fork": what another thread has locked stays locked in the process for ever.
            import multiprocessing  # 7 ms, for those who want it

            there = "forkserver" in multiprocessing.get_all_start_methods()
            context = multiprocessing.get_context("forkserver" if there else "spawn")
            self._pool = futures.ProcessPoolExecutor(self._size, context, _ignore_interrupts)
        return self._pool.submit(work)

    def cancel(self) -> None:
        """Take no new calls, and drop those that wait."""
        if not self._over and self._pool is not None:
            # A pool can't be asked for its processes, and forgets them when it is shut down.
            self._processes += self._pool._processes.values()
            self._ending.start()
        self._over = True  # the pool itself cancels what waits

    def _shut_down(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
        self._ended.set_result(None)

    def _pending(self) -> list[Future]:
        return [] if self._pool is None or self._ended.done() else [self._ended]

    def _end(self) -> int:
        calls = len(super()._pending())
        self._running.clear()
        for stop in ("terminate", "kill"):
            for process in () if self._ended.done() else self._processes:
                getattr(process, stop)()
            if self._pool is not None:
                self._ending.join(JOIN_SECONDS)  # milliseconds: they are dead, or as good as dead
        return calls


def _ignore_interrupts() -> None:
    # Ctrl-C reaches each process of a terminal. The one with the flow ends the others; left to
    # themselves, each would print a traceback.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def in_processes(executor: object) -> bool:
    """Whether calls run in processes.

    >>> in_processes("process"), in_processes("thread")
    (True, False)
    """
    if isinstance(executor, str):
        return executor == "process"
    return isinstance(executor, futures.ProcessPoolExecutor)


class Unpicklable(NamedTuple):
    """What can't be sent to a process: `text` says what and why, `remedy` the way out."""

    text: str
    remedy: str
    why: Exception | None = None


def unpicklable(function: Any, fixed: Mapping[str, Any]) -> Unpicklable | None:
    """What of a function, and of its arguments that are the same for all calls, can't be sent to a
    process; None if all can.

    >>> unpicklable(len, {}) is None
    True
    >>> unpicklable(lambda x: x, {}).remedy
    'define it at the top of a module, or use threads: executor="thread"'
    """
    bare = function
    while isinstance(bare, partial):
        bare = bare.func
    name = getattr(bare, "__qualname__", None) or short(bare)
    found = _refused(f"the function {name}", function, "define it at the top of a module")
    if found is not None:
        return found
    # What is typed into a shell or a notebook can be sent, but no process would find it.
    main = sys.modules.get("__main__")
    if not hasattr(main, "__file__") and getattr(bare, "__module__", None) == "__main__":
        return Unpicklable(
            f"a process can't import the function {name} from a shell or a notebook",
            'define it at the top of a module, or use threads: executor="thread"',
        )
    for key, value in fixed.items():
        found = _refused(f"the argument {key!r} of {name}", value, f"make it inside {name}")
        if found is not None:
            return found
    return None


def _refused(what: str, value: object, instead: str) -> Unpicklable | None:
    from multiprocessing.reduction import ForkingPickler

    try:
        ForkingPickler.dumps(value)  # as a pool does it
    except Exception as why:
        return Unpicklable(
            f"{what} can't be sent to a process ({masked_text(str(why))})",
            f'{instead}, or use threads: executor="thread"',
            why,
        )
    return None


def check_picklable(who: str, function: Any, fixed: Mapping[str, Any]) -> None:
    """Raise InvalidFlowError (a TypeError) if a function, or an argument of it that is the same for
    all calls, can't be sent to a process.

    >>> check_picklable("step 'add'", lambda x: x, {})
    Traceback (most recent call last):
    fluxus_rx...InvalidFlowError: step 'add': the function <lambda> can't be sent to a process ...
    """
    found = unpicklable(function, fixed)
    if found is not None:
        raise InvalidFlowError(f"{who}: {found.text}; {found.remedy}") from found.why
