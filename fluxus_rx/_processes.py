"""Plain functions in processes: a pool for a run, and what can be sent to one."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Mapping
from concurrent import futures
from functools import partial
from multiprocessing.reduction import ForkingPickler
from typing import Any

from ._common.messages import short
from ._errors import InvalidFlowError
from ._offload import MOMENT, Future, Offload, Work

__all__ = ["Processes", "check_picklable", "in_processes"]


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

    def _submit(self, work: Work) -> Future:
        if self._pool is None:
            # Not "fork": what another thread has locked stays locked in the process for ever.
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
                self._ending.join(MOMENT)  # milliseconds: they are dead, or as good as dead
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


def check_picklable(who: str, function: Any, fixed: Mapping[str, Any]) -> None:
    """Raise InvalidFlowError (a TypeError) if a function, or an argument of it that is the same for
    all calls, can't be sent to a process.

    >>> check_picklable("step 'add'", lambda x: x, {})
    Traceback (most recent call last):
    fluxus_rx...InvalidFlowError: step 'add': the function <lambda> can't be sent to a process ...
    """
    bare = function
    while isinstance(bare, partial):
        bare = bare.func
    name = getattr(bare, "__qualname__", None) or short(bare)
    _check(f"{who}: the function {name}", function, "define it at the top of a module")
    # What is typed into a shell or a notebook can be sent, but no process would find it.
    main = sys.modules.get("__main__")
    if not hasattr(main, "__file__") and getattr(bare, "__module__", None) == "__main__":
        raise InvalidFlowError(
            f"{who}: a process can't import the function {name} from a shell or a notebook; define"
            ' it at the top of a module, or use threads: executor="thread"'
        )
    for key, value in fixed.items():
        _check(f"{who}: the argument {key!r} of {name}", value, f"make it inside {name}")


def _check(what: str, value: object, instead: str) -> None:
    try:
        ForkingPickler.dumps(value)  # as a pool does it
    except Exception as why:
        raise InvalidFlowError(
            f"{what} can't be sent to a process ({why}); {instead}, or use threads:"
            ' executor="thread"'
        ) from why
