"""Other packages that read the real clock where they are given none: on a loop of virtual time,
they get that of the loop.

A timer of Rx is a thread, in which no loop runs. Virtual time takes away the thread, and nothing
else: what a timer calls finds no running loop, and has to hand things on as from a thread.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar

from reactivex import abc
from reactivex import typing as rx_typing
from reactivex.disposable import CompositeDisposable, Disposable, SingleAssignmentDisposable
from reactivex.internal.basic import default_now
from reactivex.scheduler import TimeoutScheduler
from reactivex.scheduler.scheduler import Scheduler

__all__ = ["TimerScheduler", "is_outside_of", "redirected"]

_State = TypeVar("_State")


class _Redirection:
    """What is replaced while any such loop runs; a thread that runs none doesn't notice."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loops = 0
        self._undo: list[Any] = []

    def enter(self) -> None:
        with self._lock:
            self._loops += 1
            if self._loops == 1:
                self._redirect()

    def leave(self) -> None:
        with self._lock:
            self._loops -= 1
            if not self._loops:
                while self._undo:
                    owner, name, value = self._undo.pop()
                    setattr(owner, name, value)

    def _redirect(self) -> None:
        self._replace(TimeoutScheduler, "singleton", classmethod(_singleton))
        self._replace(Scheduler, "now", property(_now))
        tenacity = sys.modules.get("tenacity")
        if tenacity is not None and getattr(tenacity, "time", None) is time:
            self._replace(tenacity, "time", _Time())

    def _replace(self, owner: Any, name: str, value: Any) -> None:
        self._undo.append((owner, name, vars(owner)[name]))
        setattr(owner, name, value)


_redirection = _Redirection()
_real_singleton = TimeoutScheduler.singleton


@contextmanager
def redirected() -> Iterator[None]:
    """While a loop of virtual time runs."""
    _redirection.enter()
    try:
        yield
    finally:
        _redirection.leave()


#: the loop whose timer calls something in this thread, if any does
_in_timer = threading.local()


def _loop() -> Any:
    loop = asyncio._get_running_loop() or getattr(_in_timer, "loop", None)
    return loop if getattr(loop, "is_virtual", False) else None


def _singleton(cls: type[TimeoutScheduler]) -> Any:
    """The scheduler of Rx operators that are given none: on such a loop, one of the loop."""
    loop = _loop()
    return _real_singleton() if loop is None else TimerScheduler(loop)


@contextmanager
def outside_of(loop: Any) -> Iterator[None]:
    """For as long as the block lasts, the thread of the loop is one in which no loop runs."""
    before = getattr(_in_timer, "loop", None)
    running = asyncio._get_running_loop()
    _in_timer.loop = loop
    asyncio._set_running_loop(None)
    try:
        yield
    finally:
        asyncio._set_running_loop(running)
        _in_timer.loop = before


def is_outside_of(loop: Any) -> bool:
    """Whether a timer of the loop calls something in this thread."""
    return getattr(_in_timer, "loop", None) is loop


class TimerScheduler(TimeoutScheduler):
    """The scheduler that starts threads, on a loop of virtual time: without the threads.

    An error in a timer reaches nobody, but for `threading.excepthook`, as it does in a thread.
    """

    def __new__(cls, loop: Any) -> TimerScheduler:
        return object.__new__(cls)

    def __init__(self, loop: Any = None) -> None:
        # TimeoutScheduler() gets one from `singleton`, and Python calls this again, without a loop.
        if loop is not None:
            self._loop = loop

    def schedule(
        self, action: abc.ScheduledAction[_State], state: _State | None = None
    ) -> abc.DisposableBase:
        """Call `action` soon."""
        return self.schedule_relative(0, action, state)

    def schedule_relative(
        self,
        duetime: rx_typing.RelativeTime,
        action: abc.ScheduledAction[_State],
        state: _State | None = None,
    ) -> abc.DisposableBase:
        """Call `action` after so many seconds of virtual time."""
        disposable = SingleAssignmentDisposable()
        timer: list[asyncio.TimerHandle] = []

        def call() -> None:
            with outside_of(self._loop):
                try:
                    disposable.disposable = self.invoke_action(action, state)
                except Exception as error:
                    self._loop._flow_lose(error)

        def start() -> None:
            if not disposable.is_disposed:
                timer.append(self._loop._flow_start_timer(self.to_seconds(duetime), call))

        def stop() -> None:
            if timer:
                timer[0].cancel()

        if _loop() is self._loop:
            start()
        else:
            self._loop.call_soon_threadsafe(start)
        return CompositeDisposable(disposable, Disposable(stop))


def _now(scheduler: Any) -> datetime:
    """What delays and time stamps of Rx go by: on such a loop its time, from 1970 on."""
    loop = getattr(scheduler, "_loop", None) or _loop()
    if not getattr(loop, "is_virtual", False):
        return default_now()
    return Scheduler.to_datetime(float(loop.time()))


class _Time:
    """The module `time`, for tenacity."""

    @staticmethod
    def monotonic() -> float:
        """The time that time-limits of a policy go by."""
        loop = _loop()
        return time.monotonic() if loop is None else float(loop.time())

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)
