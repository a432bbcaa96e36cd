"""Event loops that stay open from one run to the next, so that clients can, too.

Rules of this file:

1. A thread that runs flows has loops of its own, and drives them itself: what its steps have bound
   to the thread stays there.
2. Each run has a loop to itself. Runs one after the other have the first one of their thread;
   a run within another one, or beside an iteration that is open, has the next.
3. A loop is closed when its thread has ended, when Python ends, and when a run on it didn't end as
   it should. In a process that was forked, all are new.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import itertools
import logging
import os
import select
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable
from functools import partial
from typing import Any, Final

from .._common.text import counted
from .loop_threads import SETTLING_SECONDS, LoopThreads

__all__ = ["KeptLoop", "LoopHome", "at_standstill", "homes"]

_log = logging.getLogger(__name__)

#: Loops that a thread keeps; there are more while more runs are open in it.
_MOST_KEPT: Final = 4

#: Turns in which a loop notices what has come to its connections: that one was closed by a server,
#: one that is encrypted too.
_TURNS: Final = 5


#: what makes event loops; from Python 3.14 on, the public function warns that it will be gone
_policy: Final = getattr(asyncio.events, "_get_event_loop_policy", asyncio.get_event_loop_policy)


#: The loops whose inside is known, on Windows none, and what each of them reads to be woken.
_KNOWN_LOOPS: Final = () if os.name == "nt" else (asyncio.SelectorEventLoop,)
_OWN_FILES: Final = 1


async def _turns() -> None:
    for _ in range(_TURNS):
        await asyncio.sleep(0)


def _closes_generator(task: asyncio.Task[Any]) -> bool:
    return type(task.get_coro()) is _CLOSING


async def _empty_generator() -> AsyncGenerator[None, None]:
    yield


def _type_of_closing() -> type:
    closing = _empty_generator().aclose()
    closing.close()  # or Python 3.13 warns that it was never awaited
    return type(closing)


#: what a loop makes a task of for a generator that was left to the garbage collector
_CLOSING: Final = _type_of_closing()


class KeptLoop:
    """An event loop for runs one after the other, with threads of its own."""

    def __init__(self, make_loop: Callable[[], asyncio.AbstractEventLoop], number: int) -> None:
        self.loop = make_loop()
        #: which one it is of its home; None if it is for one run only
        self.number = number if make_loop is asyncio.new_event_loop else None
        self.is_idle = False
        self._process = os.getpid()
        self._policy = _policy()
        #: whether no call was made on it since another run
        self.was_idle = False
        #: who is told that nobody drives the loop any more, though it stays open
        self.told: dict[object, Callable[[], None]] = {}
        self._threads = LoopThreads()
        self.loop.set_default_executor(self._threads)
        homes.open.add(self)

    def is_usable(self) -> bool:
        """Whether it is open, nobody else drives it, and a loop made now would be of its kind."""
        if self.loop.is_closed() or self.loop.is_running() or self._process != os.getpid():
            return False
        return self._policy is _policy()

    async def enter(self) -> None:
        """Before a call: if it is the first one after another run, notice what has come since."""
        if self.was_idle:
            self.was_idle = False
            if not self._is_bare():
                await _turns()

    def is_at_rest(self) -> bool:
        """Whether nothing is left to settle after a run, as after most of them: that would take a
        task and a dozen turns, a third of what a run costs (benchmark "startup, first result")."""
        is_told = not self.told and self._threads.are_gone
        return is_told and self._is_bare() and not asyncio.all_tasks(self.loop)

    def _is_bare(self) -> bool:
        """Whether nothing waits on the loop: no connection, no timer, no callback."""
        # By the inside of asyncio's own loop; of any other, nobody knows.
        if type(self.loop) not in _KNOWN_LOOPS:
            return False
        loop: Any = self.loop
        return not (loop._ready or loop._scheduled) and len(loop._selector.get_map()) == _OWN_FILES

    async def settle(self) -> None:
        """After a run: tell what others wait for that the loop stands still, end what is about to
        end, and wait for calls in threads."""
        for tell in [*self.told.values()]:
            tell()
        await _turns()
        # The loop closes generators that were left to the garbage collector, each in a task.
        while closing := [task for task in asyncio.all_tasks() if _closes_generator(task)]:
            await asyncio.wait(closing)
        await self._threads.settle()
        left = len(asyncio.all_tasks()) - 1
        if left:
            stay = counted(left, "task stays", "tasks stay")
            _log.debug("%s on the loop that steps have started", stay)

    def close(self) -> None:
        """Cancel the tasks that are left, wait for them for some seconds, and close the loop."""
        self.is_idle = False
        if not self.loop.is_closed():
            try:
                self.loop.run_until_complete(self._end())
            finally:
                self.loop.close()
        homes.open.discard(self)

    async def _end(self) -> None:
        this = asyncio.current_task()
        tasks = [task for task in asyncio.all_tasks() if task is not this]
        for task in tasks:
            task.cancel()
        ended: set[asyncio.Task[Any]] = set()
        if tasks:
            ended, left = await asyncio.wait(tasks, timeout=SETTLING_SECONDS)
            if left:
                _log.warning("tasks that steps have started don't end: %r", left)
        for task in ended:
            if not task.cancelled() and (error := task.exception()) is not None:
                message = "a task that a step has started raised as its loop was closed"
                self.loop.call_exception_handler(
                    {"message": message, "exception": error, "task": task}
                )
        await self.loop.shutdown_asyncgens()
        await self._threads.settle()

    def disown(self) -> None:
        """In a process that was forked: close what this process has of a loop of its parent's."""
        self.is_idle = False
        homes.open.discard(self)
        for task in asyncio.all_tasks(self.loop):
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # it lives in the parent
        if not isinstance(self.loop, asyncio.BaseEventLoop):
            return
        selector: Any = getattr(self.loop, "_selector", None)
        if isinstance(getattr(selector, "_selector", None), getattr(select, "epoll", ())):
            # The kernel has one list of what is waited for, for both processes: what this one took
            # out of it would never wake the parent again. So have another list under that number.
            with select.epoll() as own:
                os.dup2(own.fileno(), selector.fileno(), inheritable=False)
        # Of the other executor, a thread of the parent may hold the lock.
        self.loop.set_default_executor(LoopThreads())
        with contextlib.suppress(OSError):  # a kqueue is not inherited
            self.loop.close()


class LoopHome:
    """The loops that a thread keeps, the one to use first in front.

    They come back from other threads as well: code that iterates over a flow may go on in another.
    """

    def __init__(self) -> None:
        self._idle: list[KeptLoop] = []
        self._numbers = itertools.count()
        self._beneath: LoopHome | None = None

    def __del__(self) -> None:
        # The thread has ended, and can't run its loops any more: the next run of any thread closes
        # them.
        idle = [kept for kept in self._idle if kept.is_idle]
        if idle:
            homes.orphans.extend(idle)

    @property
    def beneath(self) -> LoopHome:
        """The home of threads that run flows while this one waits, as a loop runs in it."""
        if self._beneath is None:
            self._beneath = LoopHome()
        return self._beneath

    def lease(self, make_loop: Callable[[], asyncio.AbstractEventLoop]) -> KeptLoop:
        """A loop for a run, and for nobody else until it is released."""
        with homes.lock:
            while self._idle and make_loop is asyncio.new_event_loop:
                kept = self._idle.pop(0)
                if kept.is_usable():
                    kept.is_idle, kept.was_idle = False, True
                    return kept
                homes.orphans.append(kept)
        return KeptLoop(make_loop, next(self._numbers))

    def release(self, kept: KeptLoop) -> bool:
        """Keep a loop for the next run; False if it is to be closed instead."""
        with homes.lock:
            if kept.number is None or homes.are_over or not kept.is_usable():
                return False
            if len(self._idle) == _MOST_KEPT:
                return False
            self._idle.append(kept)
            self._idle.sort(key=lambda kept: kept.number or 0)
            kept.is_idle = True
            return True


class _Homes:
    """The homes of all threads of this process."""

    def __init__(self) -> None:
        #: all loops that are open: the garbage collector must not finalize one before its user
        self.open: set[KeptLoop] = set()
        #: loops for the next run to close
        self.orphans: deque[KeptLoop] = deque()
        #: whether Python exits, and no loop may stay open any more
        self.are_over = False
        # Taken again by the same thread where the garbage collector closes an iteration.
        self.lock = threading.RLock()
        self._here = threading.local()
        atexit.register(self._close_all)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._disown_all)

    def here(self) -> LoopHome:
        """That of this thread."""
        home: LoopHome | None = getattr(self._here, "home", None)
        return self.enter(LoopHome()) if home is None else home

    def enter(self, home: LoopHome) -> LoopHome:
        """Make it the home of this thread."""
        self._here.home = home
        return home

    def close_orphans(self) -> None:
        """Close the loops of threads that have ended; not while a loop runs in this thread."""
        while self.orphans:
            with contextlib.suppress(IndexError):  # another thread was faster
                self.orphans.popleft().close()

    def _close_all(self) -> None:
        # At the exit of Python. A loop on which a run goes on, in a daemon thread, stays as it is.
        with self.lock:
            self.are_over = True
            self.orphans.extend([kept for kept in [*self.open] if kept.is_idle])
        self.close_orphans()

    def _disown_all(self) -> None:
        # In a process that was forked, perhaps while a thread of the parent held the lock.
        self.lock = threading.RLock()
        self._here = threading.local()
        self.orphans.clear()
        for kept in [*self.open]:
            if kept.is_idle:
                kept.disown()


homes: Final = _Homes()


def at_standstill(loop: asyncio.AbstractEventLoop, tell: Callable[[], None]) -> Callable[[], None]:
    """Have `tell` called, on the loop, whenever a run of a synchronous caller has ended there: then
    nobody drives the loop until the next one. Called on the loop; what it returns takes that
    back."""
    key = object()
    for kept in homes.open:
        if kept.loop is loop:
            kept.told[key] = tell
            return partial(_take_back, kept.told, key)
    return _nothing_to_take_back


def _take_back(told: dict[object, Callable[[], None]], key: object) -> None:
    told.pop(key, None)


def _nothing_to_take_back() -> None:
    """Of a loop that runs for as long as it is open."""
