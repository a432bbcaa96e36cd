"""A loop whose time passes when nothing is left to do.

Rules of this file:

1. Time moves in one place, where the loop would wait; it jumps to the next timer, exactly.
2. It doesn't move while something is ready, nor while a call in a thread works.
3. Where there is no timer to jump to, and nobody left who could wake the loop, that is an error,
   which tells which tasks wait, and where."""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import inspect
import itertools
import selectors
import threading
from collections.abc import Callable, Collection, Coroutine, Iterator
from concurrent import futures
from contextlib import contextmanager
from functools import partial
from math import inf, ulp
from os.path import basename
from types import FrameType
from typing import Any, Final, TypeAlias, Unpack

from .._common.messages import also_raised, check_seconds, note, short, shown
from .._common.text import counted
from .._errors import FlowError, InvalidFlowError, InvalidOptionError, UsageError
from .._loops.event_loop import new_loop
from .._typing import T, Ts
from ._foreign import is_outside_of, redirected

__all__ = [
    "PATIENCE",
    "DeadlockError",
    "VirtualTimeLoop",
    "run_virtual",
    "virtual_time",
    "waiting_tasks",
]

#: What can be run: a coroutine, or a function that makes one.
Main: TypeAlias = Coroutine[Any, Any, T] | Callable[[], Coroutine[Any, Any, T]]

#: Seconds, real ones, that the loop waits for what happens outside of it, before time jumps.
PATIENCE: Final = 5.0

#: The same where sockets are open, which may be waited for or not: nobody can tell.
SOCKET_SECONDS: Final = 0.02


class DeadlockError(FlowError, AssertionError):
    """A deadlock: nothing is left to wait for, no callback, no timer, no call in a thread, no
    socket.

    All waiting tasks would wait for ever. The message names them, and where they wait; notes have
    errors of Rx timers, the first of which is the cause. Look for a lock that is never released, a
    queue that is never filled, or an observable that never ends.

    >>> import asyncio
    >>> try:
    ...     run_virtual(asyncio.Event().wait)
    ... except DeadlockError as error:
    ...     print(error)
    nothing is left to wait for at 0 s of virtual time...
    """


class _Jumping(selectors.DefaultSelector):
    """Where a loop would wait, its time jumps to the end of the waiting."""

    loop: VirtualTimeLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        patience = self.loop._patience_for(timeout, sockets=len(self.get_map()) > 1)
        if patience is None or patience > 0:
            ready = super().select(patience)
            if ready:
                return ready
        self.loop._jump()
        return []


class _Timer(asyncio.TimerHandle):
    """Of two that are due at the same time, the one that was set first comes first.

    asyncio leaves that open; in real time nothing is due at the same time.
    """

    __slots__ = ("number",)

    number: int

    def __lt__(self, other: Any) -> bool:
        key: tuple[float, int] = (self._when, self.number)  # type: ignore[attr-defined]  # asyncio's
        return key < (other._when, other.number)


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An asyncio loop in virtual time: a day passes at once.

    Its `time()` begins at 0, and moves only when nothing is ready: then it jumps to the next timer.
    asyncio's sleeps and time-outs, `call_later`, retries and the time operators of Rx follow it:
    those under a `FlowScheduler` or an `AsyncIOScheduler` of this loop, and those without a
    scheduler, which would otherwise start threads. So do the times of this library: time stamps,
    statistics, progress. Two runs of the same code are the same, event by event, in the same order;
    timers that are due at the same time run in the order in which they were set.

    A callback of an Rx timer without scheduler finds no running loop, as in the thread that it
    would have in real time; of this loop it may call `call_soon_threadsafe` only.

    Work outside the loop takes no virtual time. While a call in a thread or process is in flight
    (steps with an `executor`, `asyncio.to_thread`, `run_in_executor`), the loop waits for it, in
    real time: for as long as the next timer would take, and `patience` seconds at most; only then
    does time jump. A thread that itself waits for a coroutine of this loop
    (`run_coroutine_threadsafe`) doesn't count. Sockets work; while one is open, the loop waits 20
    ms for it before time jumps. The loop doesn't wait for threads that you start yourself: a
    time-out may come before their results.

    If nothing is ready and there is no timer, `DeadlockError` is raised out of the loop, and names
    the waiting tasks and where they wait; after `patience` seconds, if a socket or another thread
    may still wake the loop.

    Raises ValueError for a `patience` below 0.

    >>> import asyncio
    >>> async def main():
    ...     await asyncio.sleep(86_400)
    ...     return asyncio.get_running_loop().time()
    >>> with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
    ...     runner.run(main())
    86400.0
    """

    #: What the rest of the library knows such a loop by.
    is_virtual: Final = True

    def __init__(self, patience: float = PATIENCE) -> None:
        self._now = 0.0
        self._patience = patience
        self._numbers = itertools.count()
        #: calls elsewhere that the loop waits for, and what threads wait for in turn
        self._calls: set[asyncio.Future[Any]] = set()
        self._asked: set[futures.Future[Any]] = set()
        #: errors of timers, which nobody has heard of
        self._lost: list[Exception] = []
        selector = _Jumping()
        selector.loop = self
        super().__init__(selector)
        if patience != inf:
            try:
                check_seconds("patience", patience, zero_fits=True)
            except InvalidOptionError:
                self.close()
                raise

    def time(self) -> float:
        """Seconds since the loop was made, by its own clock."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass while a callback or a task holds the loop, as a computation would.

        Raises ValueError for a time in the past.
        """
        if not seconds >= 0:
            raise InvalidOptionError(f"advance({seconds!r}): time doesn't go back")
        self._set(self._now + seconds)

    def busy_until(self, future: asyncio.Future[Any]) -> None:
        """Work goes on elsewhere until `future` is done: time doesn't jump meanwhile."""
        self._calls.add(future)
        future.add_done_callback(self._calls.discard)

    def _flow_start_timer(
        self, seconds: float, callback: Callable[[], object]
    ) -> asyncio.TimerHandle:
        """Call back after so many seconds; for timers that are threads in real time."""
        return self._call_at(self._now + max(0.0, seconds), callback, (), None)

    def _flow_lose(self, error: Exception) -> None:
        """Take an error that nobody hears of, as in a thread, to tell of it should the loop wait in
        vain."""
        self._lost.append(error)
        thread = threading.current_thread()
        kind, trace = type(error), error.__traceback__
        threading.excepthook(threading.ExceptHookArgs((kind, error, trace, thread)))

    # What asyncio calls

    def call_soon(
        self,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        """Call back soon; not from a timer of Rx, which is a thread in real time.

        Raises RuntimeError there, as asyncio does in debug mode: a loop that waits would not wake.
        """
        self._check_is_inside()
        return super().call_soon(callback, *args, context=context)

    def _check_is_inside(self) -> None:
        if is_outside_of(self):
            raise RuntimeError(
                "Non-thread-safe operation invoked on an event loop other than the current one: a"
                " timer of Rx that is given no scheduler calls from a thread of its own. Pass the"
                " operator, or subscribe(), scheduler=AsyncIOThreadSafeScheduler(loop), or call"
                " loop.call_soon_threadsafe()"
            )

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """Call back at that time; of two at the same time, the first one first."""
        self._check_is_inside()
        return self._call_at(when, callback, args, context)

    def _call_at(
        self,
        when: float,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        context: contextvars.Context | None,
    ) -> asyncio.TimerHandle:
        loop: Any = self  # the rest is asyncio's own
        loop._check_closed()
        if self.get_debug():
            loop._check_thread()
            loop._check_callback(callback, "call_at")
        timer = _Timer(when, callback, args, self, context)
        timer.number = next(self._numbers)
        heapq.heappush(loop._scheduled, timer)
        timer._scheduled = True  # type: ignore[attr-defined]  # asyncio's own
        return timer

    def call_soon_threadsafe(
        self,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        """Call back soon, from whatever thread."""
        if getattr(callback, "__qualname__", "") == "run_coroutine_threadsafe.<locals>.callback":
            # That thread will wait, or may: what it waits for must be able to take its time.
            future = inspect.getclosurevars(callback).nonlocals["future"]
            self._asked.add(future)
            future.add_done_callback(self._asked.discard)
        return super().call_soon_threadsafe(callback, *args, context=context)

    def run_in_executor(
        self,
        executor: futures.Executor | None,
        func: Callable[[Unpack[Ts]], T],
        *args: *Ts,
    ) -> asyncio.Future[T]:
        """Call `func` elsewhere; time doesn't jump over it."""
        future = super().run_in_executor(executor, func, *args)
        self.busy_until(future)
        return future

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Wait for the threads to end, however long: a time-out, which Python has from 3.12 on,
        would be over at once in virtual time."""
        await super().shutdown_default_executor()

    def run_forever(self) -> None:
        """Run until stopped."""
        with redirected():
            super().run_forever()

    def run_until_complete(self, future: Any) -> Any:
        """Run until it is done; at a deadlock, cancel all that waits, and raise that."""
        try:
            return super().run_until_complete(future)
        except DeadlockError as deadlock:
            waiting = asyncio.all_tasks(self)
            for task in waiting:
                task.cancel()
            ended = asyncio.gather(*waiting, return_exceptions=True)
            try:
                for error in super().run_until_complete(ended):
                    if isinstance(error, BaseException):
                        also_raised(deadlock, error)
            except DeadlockError as again:
                note(deadlock, f"cancelled, they went on to wait: {again}")
            raise

    # What the selector asks

    def _patience_for(self, timeout: float | None, sockets: bool) -> float | None:
        """For how long to wait in real time before time jumps; None for as long as it takes."""
        if len(self._calls) > len(self._asked):
            return None if timeout is None else min(timeout, self._patience)
        if timeout is not None:
            return min(timeout, SOCKET_SECONDS) if sockets else 0
        return self._patience if sockets or threading.active_count() > 1 else 0

    def _jump(self) -> None:
        timers: list[asyncio.TimerHandle] = self._scheduled  # type: ignore[attr-defined]  # asyncio's
        if not timers:
            deadlock = DeadlockError(waiting_tasks(asyncio.all_tasks(self)))
            for error in self._lost:
                note(
                    deadlock,
                    f"an error was raised in a timer, where nobody hears of it: {short(error)}",
                )
            raise deadlock from (self._lost[0] if self._lost else None)
        self._set(max(self._now, timers[0].when()))

    def _set(self, now: float) -> None:
        self._now = now
        # asyncio calls what is due before now plus this, which must be more than now: years from
        # its beginning, a nanosecond is nothing to a float.
        self._clock_resolution = max(1e-9, 2 * ulp(now))


def run_virtual(main: Main[T], *, patience: float = PATIENCE) -> T:
    """Run a coroutine to its end in virtual time, as `asyncio.run` does in real time.

    Takes a coroutine, or a function that makes one, and runs it on a new `VirtualTimeLoop`, whose
    time begins at 0. Returns its result, raises its error, and cancels the tasks that it leaves.

    Raises `DeadlockError` (an AssertionError) if the coroutine can never end, and RuntimeError
    inside a running loop.

    >>> import asyncio
    >>> async def main():
    ...     async with asyncio.timeout(3600):
    ...         await asyncio.sleep(3599)
    ...     return asyncio.get_running_loop().time()
    >>> run_virtual(main())
    3599.0
    >>> run_virtual(asyncio.Event().wait())
    Traceback (most recent call last):
        ...
    fluxus_rx.testing.DeadlockError: nothing is left to wait for at 0 s of virtual time, but 1 task
    waits: ...
    """
    with virtual_time(patience=patience) as run_in:
        given: T = run_in(main)
        return given


@contextmanager
def virtual_time(*, patience: float = PATIENCE) -> Iterator[Callable[[Main[Any]], Any]]:
    """Virtual time for everything that runs inside the block.

    The block gets a function that runs a coroutine, or the coroutine of a function without
    arguments, to its end, like `run_virtual`; called again, it continues on the same loop, at the
    time reached. At the end of the block, tasks that are left on that loop are cancelled, and it is
    closed.

    Synchronous runs inside the block, `run(flow)`, `stream(flow)`, `process()` or `for product in
    flow`, take no real time either; each of these has a clock of its own, which begins at 0.

    >>> import asyncio
    >>> from fluxus_rx import run, step
    >>> async def slow(x):
    ...     await asyncio.sleep(3600)
    ...     return {"y": x}
    >>> with virtual_time() as run_in:
    ...     run_in(asyncio.sleep(5))
    ...     run_in(asyncio.sleep(5, "at 10 s"))
    ...     run(step("src", {"x": 1}) >> step("slow", slow))
    'at 10 s'
    RunResult([{'src': {'x': 1}, 'slow': {'y': 1}}])
    """
    make_loop = partial(VirtualTimeLoop, patience)
    make_loop().close()  # tells of a bad argument here, and not in the run
    token = new_loop.set(make_loop)
    # Not entered: it makes its loop when it first runs something.
    runner = asyncio.Runner(loop_factory=make_loop)
    try:
        yield partial(_run_in, runner)
    finally:
        new_loop.reset(token)
        runner.close()


def _run_in(runner: asyncio.Runner, main: Main[T]) -> T:
    coroutine = main() if callable(main) else main
    if asyncio._get_running_loop() is not None:
        if inspect.iscoroutine(coroutine):
            coroutine.close()
        raise UsageError(
            "virtual time needs a loop of its own, and one is running here already: call this in a"
            " plain function, or await what you want to run"
        )
    if not inspect.iscoroutine(coroutine):
        raise InvalidFlowError(
            f"virtual time runs a coroutine, or a function that makes one, not {shown(coroutine)}"
        )
    given: T = runner.run(coroutine)
    return given


#: Frames of one task that are told at most.
_MOST = 6


def waiting_tasks(tasks: Collection[asyncio.Task[Any]]) -> str:
    """What to say of a loop on which these tasks wait, and nothing is left to wait for."""
    waiting = [task for task in tasks if not task.done()]
    if not waiting:
        return "nothing is left to wait for: no task, no timer, no call elsewhere"
    now = waiting[0].get_loop().time()
    head = f"nothing is left to wait for at {now:g} s of virtual time"
    lines = [f"{head}, but {counted(len(waiting), 'task waits', 'tasks wait')}:"]
    lines += sorted(f"  {task.get_name()}: {_where(task)}" for task in waiting)
    return "\n".join(lines)


def _where(task: asyncio.Task[Any]) -> str:
    frames = [*_frames(task.get_coro())]
    if not frames:
        return repr(task.get_coro())
    if len(frames) > _MOST:
        frames = [*frames[:2], None, *frames[3 - _MOST :]]
    return " > ".join("…" if frame is None else _frame_text(frame) for frame in frames)


def _frame_text(frame: FrameType) -> str:
    code = frame.f_code
    return f"{code.co_qualname} ({basename(code.co_filename)}:{frame.f_lineno})"


def _frames(awaited: Any) -> Iterator[FrameType | None]:
    """The frames of a coroutine and of what it awaits, the outermost first."""
    for _ in range(10_000):
        for kind in ("cr", "gi", "ag"):
            frame = getattr(awaited, f"{kind}_frame", None)
            if frame is not None:
                yield frame
                waits_for = "gi_yieldfrom" if kind == "gi" else f"{kind}_await"
                awaited = getattr(awaited, waits_for, None)
                break
        else:
            return
