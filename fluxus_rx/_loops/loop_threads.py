"""The threads of an event loop, in which `asyncio.to_thread` and name look-ups make their calls."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent import futures
from functools import partial
from typing import Any, Final, ParamSpec

from .._common.messages import short
from .._common.text import counted
from .._typing import T

__all__ = ["SETTLING_SECONDS", "LoopThreads"]

_log = logging.getLogger(__name__)

_P = ParamSpec("_P")


#: Seconds that a run waits for what it has left on its loop: calls in threads, tasks at its close.
SETTLING_SECONDS: Final = 5.0

#: Threads with calls that were left, which others stand in for; beyond that, calls wait in line.
_MOST_LEFT: Final = 256


class LoopThreads(futures.ThreadPoolExecutor):
    """The default executor of an event loop.

    Up to as many threads at once as asyncio's own has. They are daemons: asyncio, and Python at its
    exit, wait for those of its own for as long as their calls take. A call that is cancelled while
    it runs is left, and another thread stands in for the one that it keeps: calls that hang don't
    keep others waiting.
    """

    def __init__(self) -> None:
        # A ThreadPoolExecutor by type alone: loops take no other. What it makes of its threads
        # can't be chosen, so it has none.
        self._most = min(32, (os.cpu_count() or 1) + 4)
        super().__init__(self._most)
        self._changed = threading.Condition()
        self._numbers = itertools.count()
        self._queue: deque[_ThreadCall] = deque()
        self._running: set[_ThreadCall] = set()
        self._left: set[_ThreadCall] = set()
        #: threads, but for those with calls that were left
        self._size = 0
        self._idle = 0
        #: how often the idle threads were told to end
        self._dismissals = 0
        self._closed = False

    def submit(
        self, fn: Callable[_P, T], /, *args: _P.args, **kwargs: _P.kwargs
    ) -> futures.Future[T]:
        """Make a call in a thread that is idle, or in a new one, or as soon as there is one."""
        call = _ThreadCall(partial(fn, *args, **kwargs), self._leave)
        with self._changed:
            if self._closed:
                raise RuntimeError("cannot schedule new futures after shutdown")
            call.dismissals = self._dismissals
            self._queue.append(call)
            try:
                self._hire()
            except RuntimeError:  # no more threads, or none at all at the exit of Python
                if not self._size:
                    self._queue.remove(call)
                    raise
            self._changed.notify()
        return call

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls, and end the threads that are idle; those with calls end after them,
        and are never waited for."""
        with self._changed:
            self._closed = True
            if cancel_futures:
                for call in [*self._queue]:
                    call.cancel()
            self._dismiss()

    @property
    def are_gone(self) -> bool:
        """Whether there are none, and no calls."""
        return not (self._size or self._left or self._running or self._queue)

    async def settle(self) -> None:
        """End the threads that are idle, once their calls are done; those that still run after some
        seconds are told of in the log, once, and not waited for again."""
        with self._changed:
            calls = [call for call in (*self._running, *self._queue) if not call.was_told]
        if calls:
            await _wait_for(calls)
        with self._changed:
            self._dismiss()
        left = [call for call in calls if not call.done()]
        for call in left:
            call.was_told = True
        if left:
            number = counted(len(left), "call")
            names = ", ".join(sorted({call.name for call in left}))
            _log.warning(
                "%s of asyncio.to_thread() or run_in_executor() (%s) still ran %g s after the run"
                " ended; threads can't be stopped, and are left to end by themselves",
                number,
                names,
                SETTLING_SECONDS,
            )

    # With the lock held

    def _hire(self) -> None:
        if len(self._queue) > self._idle and self._size < self._most:
            name = f"fluxus_rx asyncio_{next(self._numbers)}"
            work = partial(self._work, self._dismissals)
            threading.Thread(target=work, name=name, daemon=True).start()
            self._size += 1

    def _dismiss(self) -> None:
        self._dismissals += 1
        self._changed.notify_all()

    # In any thread

    def _leave(self, call: _ThreadCall) -> None:
        with self._changed:
            if call in self._running and call not in self._left and len(self._left) < _MOST_LEFT:
                self._left.add(call)
                self._size -= 1
                self._hire()

    def _work(self, dismissals: int) -> None:
        while (call := self._next(dismissals)) is not None:
            dismissals = call.dismissals
            call.run()
            with self._changed:
                self._running.discard(call)
                if call in self._left:
                    self._left.discard(call)
                    return  # another thread stands in for this one
            del call  # what it returned must not live for as long as the thread is idle

    def _next(self, dismissals: int) -> _ThreadCall | None:
        """The next call; None if the idle threads were told to end since the thread was at work."""
        with self._changed:
            self._idle += 1
            while not self._queue and dismissals == self._dismissals and not self._closed:
                self._changed.wait()
            self._idle -= 1
            if not self._queue:
                self._size -= 1
                return None
            call = self._queue.popleft()
            self._running.add(call)
            return call


class _ThreadCall(futures.Future[Any]):
    """A call in a thread; cancelled while it runs, it is left."""

    def __init__(self, work: Callable[[], Any], leave: Callable[[_ThreadCall], None]) -> None:
        super().__init__()
        self._call: Callable[[], Any] | None = work
        self._leave = leave
        #: whether the log has told that it still ran
        self.was_told = False
        #: how often idle threads had been told to end when the call was asked for: a call that was
        #: cancelled by then may wait for its thread still, which ends as well
        self.dismissals = 0

    @property
    def name(self) -> str:
        """What is called: of `asyncio.to_thread`, the function that it was given."""
        called: Any = self._call
        while isinstance(called, partial):
            is_context = getattr(called.func, "__qualname__", "") == "Context.run" and called.args
            called = called.args[0] if is_context else called.func
        return getattr(called, "__qualname__", None) or short(called)

    def cancel(self) -> bool:
        """Cancel the call if it doesn't run yet; else leave it."""
        if super().cancel():
            return True
        if self.running():
            self._leave(self)
        return False

    def run(self) -> None:
        """Make the call."""
        if self._call is None or not self.set_running_or_notify_cancel():
            return
        try:
            given = self._call()
        except BaseException as error:
            self._call = None
            self.set_exception(error)
        else:
            self._call = None
            self.set_result(given)


async def _wait_for(calls: list[_ThreadCall]) -> None:
    """Wait until these are done, for some seconds at most."""
    loop = asyncio.get_running_loop()
    done = asyncio.Event()

    def tell(_: futures.Future[Any]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(look)

    def look() -> None:
        if all(call.done() for call in calls):
            done.set()

    waiting = loop.create_task(done.wait())
    busy_until = getattr(loop, "busy_until", None)
    if busy_until is not None:  # virtual time must not jump over calls that work
        busy_until(waiting)
    for call in calls:
        call.add_done_callback(tell)
    await asyncio.wait([waiting], timeout=SETTLING_SECONDS)
    waiting.cancel()
