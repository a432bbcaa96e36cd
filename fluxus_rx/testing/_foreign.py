"""Other packages that read the real clock where they are given none: on a loop of virtual time,
they get that of the loop."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from reactivex.internal.basic import default_now
from reactivex.scheduler import TimeoutScheduler
from reactivex.scheduler.eventloop import AsyncIOThreadSafeScheduler
from reactivex.scheduler.scheduler import Scheduler

__all__ = ["redirected"]


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


def _loop() -> Any:
    loop = asyncio._get_running_loop()
    return loop if getattr(loop, "is_virtual", False) else None


def _singleton(cls: type[TimeoutScheduler]) -> Any:
    """The scheduler of Rx operators that are given none: on such a loop, that of the loop."""
    loop = _loop()
    return _real_singleton() if loop is None else AsyncIOThreadSafeScheduler(loop)


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
