"""Worker processes, which live on from run to run."""

from __future__ import annotations

import atexit
import os
import signal
import threading
import traceback
from collections.abc import Callable
from concurrent import futures
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, NoReturn

from .._common.messages import note
from .handed_over import sendable

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import BaseContext

__all__ = [
    "IDLE_SECONDS",
    "POOL",
    "Assignment",
    "KeptProcesses",
    "LastCall",
    "close_processes",
    "kept_in_process",
]

#: Seconds after which a process that has nothing to do ends by itself.
IDLE_SECONDS: Final = 60.0

#: Seconds at most in which a process ends that has been told to.
END_SECONDS: Final = 1.0


class _EndedError(Exception):
    """A process has ended that was to do something."""


class _WorkerProcess:
    """A process that makes one call at a time, and the pipe to it."""

    def __init__(self, context: BaseContext) -> None:
        self._pipe, theirs = context.Pipe()
        self._process: Any = context.Process(  # type: ignore[attr-defined]  # of each context
            target=_serve, args=(theirs,), name="fluxus_rx"
        )
        self.is_ready = self.has_ended = False
        self.idle_since = 0.0
        try:
            self._process.start()
        finally:
            theirs.close()

    def send(self, data: bytes) -> None:
        """Have it make a call; raises `_EndedError`."""
        try:
            self._pipe.send_bytes(data)
        except OSError:
            self._end()

    def receive(self) -> bytes:
        """What it answers; raises `_EndedError`."""
        try:
            return self._pipe.recv_bytes()
        except (EOFError, OSError):
            self._end()

    def _end(self) -> NoReturn:
        self.has_ended = True
        raise _EndedError from None

    def kill(self) -> None:
        """End it, whatever it does; from any thread."""
        self._process.kill()

    def exit_text(self) -> str:
        """How it has ended; waits for that."""
        self._process.join(END_SECONDS)
        code = self._process.exitcode
        if code is None:
            return "has closed its pipe"
        if code >= 0:
            return f"has ended with exit code {code}"
        try:
            return f"was ended by {signal.Signals(-code).name}"
        except ValueError:
            return f"was ended by signal {-code}"

    def close(self) -> None:
        """Tell it to end, if it has no call."""
        self._pipe.close()

    def join(self) -> None:
        """Wait for its end, which is near."""
        self._process.join(END_SECONDS)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join(END_SECONDS)


class _Pool:
    """Processes that have no call, for the next call that needs one, in whatever run and thread.

    No more than processors are kept, and each for IDLE_SECONDS. They end with the interpreter,
    however that ends: each watches the process that it belongs to.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[_WorkerProcess] = []
        self._workers: set[_WorkerProcess] = set()
        self._context: BaseContext | None = None
        #: whether Python exits, and would wait for a process that begins now
        self._is_over = False

    def take(self) -> _WorkerProcess:
        """A process that waits for a call, or else a new one, which is not ready yet."""
        with self._lock:
            if self._is_over:
                raise futures.CancelledError("Python exits: no process can begin any more")
            self._trim()
            if self._idle:
                return self._idle.pop()
            worker = _WorkerProcess(self._context or self._begin())
            self._workers.add(worker)
            return worker

    def _begin(self) -> BaseContext:
        import multiprocessing  # 7 ms, for those who want it
        import multiprocessing.util  # whose own exit, before which ours must come, waits for ours

        # Not "fork": what another thread has locked stays locked in the process for ever.
        there = "forkserver" in multiprocessing.get_all_start_methods()
        self._context = multiprocessing.get_context("forkserver" if there else "spawn")
        if there:
            _preload(self._context)
        atexit.register(self._exit)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget)
        return self._context

    def give_back(self, worker: _WorkerProcess) -> None:
        """It waits for a call again."""
        with self._lock:
            worker.idle_since = monotonic()
            self._idle.append(worker)
            self._trim()

    def discard(self, worker: _WorkerProcess) -> None:
        """It has ended, or shall end."""
        with self._lock:
            self._workers.discard(worker)
        worker.close()

    def _trim(self) -> None:
        due = monotonic() - IDLE_SECONDS
        while self._idle and (
            self._idle[0].idle_since < due or len(self._idle) > (os.cpu_count() or 1)
        ):
            worker = self._idle.pop(0)
            self._workers.discard(worker)
            worker.close()

    def close(self) -> None:
        """End those that have no call, and wait for that."""
        with self._lock:
            ending, self._idle = self._idle, []
            self._workers.difference_update(ending)
        for worker in ending:
            worker.close()
        for worker in ending:
            worker.join()

    def _exit(self) -> None:
        with self._lock:
            self._is_over = True
            busy = self._workers.difference(self._idle)
        for worker in busy:
            worker.kill()
        self.close()

    def _forget(self) -> None:
        """In a fork of this process, which has the pipes to its workers open as well."""
        from multiprocessing import get_context, process

        self._context = get_context("spawn")  # a fork can't ask the server of its parent
        # They would live on until the fork ends, too; and multiprocessing would wait for them.
        for worker in self._workers:
            worker.close()
            process._children.discard(worker._process)  # type: ignore[attr-defined]  # no other way
        self._lock = threading.Lock()
        self._is_over = False
        self._idle, self._workers = [], set()


def _preload(context: BaseContext) -> None:
    """Have the server that processes are forked from import this library once, for all of them: a
    process then begins in 20 ms and not in 400, but for what the main script imports.

    Not if the user has said what it shall import, or if it is there already.
    """
    from multiprocessing import forkserver

    server = getattr(forkserver, "_forkserver", None)
    if getattr(server, "_preload_modules", None) == ["__main__"]:
        context.set_forkserver_preload(["__main__", __name__.partition(".")[0]])


POOL: Final = _Pool()


def close_processes() -> None:
    """End the processes that `executor="process"` keeps for the next run.

    A process imports a module once. So call this after you have changed a function that runs in
    processes, or to free their memory; the next run begins new ones. Returns when they have ended.
    Processes with a call in flight go on.

    >>> close_processes()
    """
    POOL.close()


class KeptProcesses:
    """Processes of one run, which nobody else gets for as long as something is open in them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[_WorkerProcess] = []

    def take(self) -> _WorkerProcess:
        """A process that waits for a call, or else one of those that nobody has."""
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return POOL.take()

    def give_back(self, worker: _WorkerProcess) -> None:
        """It waits for a call again."""
        with self._lock:
            self._idle.append(worker)

    def discard(self, worker: _WorkerProcess) -> None:
        """It has ended, or shall end."""
        POOL.discard(worker)

    def last_calls(self, work: Callable[[], Any], who: str) -> list[LastCall]:
        """A call in each of them, after which nothing is open in it."""
        with self._lock:
            workers, self._idle = self._idle, []
        return [LastCall(worker, work, who) for worker in workers]


class Assignment:
    """A call in a process: called in a thread, it returns what the process returns, or raises.
    `begun` is called when the process begins with it.

    If it is stopped, it raises `concurrent.futures.CancelledError`.
    """

    __slots__ = ("_begun", "_lock", "_pool", "_stopped", "_who", "_work", "_worker")

    def __init__(
        self,
        pool: _Pool | KeptProcesses,
        work: Callable[[], Any],
        who: str,
        begun: Callable[[], object],
    ) -> None:
        self._pool = pool
        self._work = work
        self._who = who
        self._begun = begun
        self._lock = threading.Lock()
        self._worker: _WorkerProcess | None = None
        self._stopped = False

    def stop(self) -> None:
        """End it, by ending its process."""
        with self._lock:
            self._stopped = True
            if self._worker is not None:
                self._worker.kill()

    def __call__(self) -> Any:
        answer = None
        while answer is None:
            answer = self._ask(self._pool.take())
        return _unpacked(answer)

    def _ask(self, worker: _WorkerProcess) -> bytes | None:
        """The answer of a process; None if that had ended before it could be asked."""
        when = "as it began"
        with self._lock:
            self._worker = worker
        try:
            if self._stopped:
                raise futures.CancelledError
            if worker.is_ready:
                when = ""  # it may have ended while it was idle
            else:
                worker.receive()
                worker.is_ready = True
            worker.send(_dumps(self._work))
            worker.receive()  # that it begins, with all imported that the function needs
            when = "while it ran this call"
            self._begun()
            return worker.receive()
        except _EndedError:
            if self._stopped:
                raise futures.CancelledError from None
            if not when:
                return None
            raise self._died(worker, when) from None
        finally:
            with self._lock:  # code that stops it from now on must not hit the next call
                self._worker = None
            if worker.has_ended or self._stopped:
                self._pool.discard(worker)
            else:
                self._pool.give_back(worker)

    def _died(self, worker: _WorkerProcess, when: str) -> BaseException:
        error = futures.BrokenExecutor(
            f"a process of {self._who} {worker.exit_text()} {when}; no other call is lost with it"
        )
        note(
            error,
            f"a process of {self._who} crashed, was killed, or could not begin. Each process"
            " imports the main script, so what starts a run there must stand under `if __name__"
            ' == "__main__":`',
        )
        return error


class LastCall(Assignment):
    """A call in a process that a run has kept; nothing, if that has ended."""

    __slots__ = ("_kept",)

    def __init__(self, worker: _WorkerProcess, work: Callable[[], Any], who: str) -> None:
        super().__init__(POOL, work, who, lambda: None)
        self._kept = worker

    def __call__(self) -> Any:
        answer = self._ask(self._kept)
        return None if answer is None else _unpacked(answer)


class RemoteTraceback(Exception):
    """The traceback of an error that was raised in a process, as text."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f'\n"""\n{self.text}"""'


def _unpacked(answer: bytes) -> Any:
    import pickle

    error, given = pickle.loads(answer)
    if error is None:
        return given
    error.__cause__ = RemoteTraceback(given)
    try:
        raise error
    finally:
        del error


# In the process

#: what calls have left here for others of their run, by the number of that
kept_in_process: Final[dict[int, Any]] = {}


def _serve(pipe: Connection) -> None:
    """Make the calls that come, until nobody is there any more."""
    # Ctrl-C reaches each process of a terminal. The one with the flow ends the others; left to
    # themselves, each would print a traceback.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="fluxus_rx parent", daemon=True).start()
    try:
        pipe.send_bytes(b"ready")
        # A while longer than it may be given a call for; with something open, as long as it takes.
        while pipe.poll(None if kept_in_process else IDLE_SECONDS + 10):
            data = pipe.recv_bytes()
            pipe.send_bytes(_answer(data, lambda: pipe.send_bytes(b"begins")))
    except (EOFError, OSError):
        pass  # told to end


def _end_with_parent() -> None:
    """A parent that is killed can't tell its processes to end, which may be busy for hours."""
    from multiprocessing import connection, parent_process

    parent = parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)


def _answer(data: bytes, begin: Callable[[], None]) -> bytes:
    import pickle

    try:
        try:
            # Imports the module of the function, which may take seconds.
            work = pickle.loads(data)
        finally:
            begin()
        return _dumps((None, work()))
    except BaseException as error:
        return _dumps((sendable(error), traceback.format_exc()))


def _dumps(value: object) -> bytes:
    from multiprocessing.reduction import ForkingPickler

    return bytes(ForkingPickler.dumps(value))


# Users see, pickle and report what they import, not where it is written.
for _public in (close_processes,):
    _public.__module__ = "fluxus_rx"
