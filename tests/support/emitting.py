"""Threads that emit, and a loop that is watched in its sleep."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.hot import Rude

THREADS = 4
EACH = 2_000

#: Nobody sleeps that long: who isn't woken runs into the time limit of the test.
LONG = 3_600.0


class Emitters:
    """Threads that emit to one observer at once, as no grammar of Rx allows."""

    def __init__(self, threads: int = THREADS, each: int = EACH) -> None:
        self.source = Rude()
        self.emitted = 0
        self.over = threading.Event()
        self._each = each
        self._lock = threading.Lock()
        self._barrier = threading.Barrier(threads)
        self._threads = [
            threading.Thread(target=self._emit, args=(number,)) for number in range(threads)
        ]

    def _emit(self, thread: int) -> None:
        (observer,) = self.source.observers
        self._barrier.wait()
        for number in range(self._each):
            if self.over.is_set():
                return
            observer.on_next((thread, number))
            with self._lock:
                self.emitted += 1

    def start(self) -> None:
        """Begin to emit."""
        for thread in self._threads:
            thread.start()

    def conclude(self) -> None:
        """Wait for all, and say that it is over."""
        for thread in self._threads:
            thread.join()
        for observer in self.source.observers:
            observer.on_completed()


@contextmanager
def switching() -> Iterator[None]:
    """Threads take turns as often as they can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)


class Asleep:
    """Knows when the loop sleeps for long: inside of its select, with nothing to do."""

    def __init__(self) -> None:
        loop: Any = asyncio.get_running_loop()
        self._now = threading.Event()
        self._timer = loop.call_later(LONG, print)
        select = loop._selector.select

        def watched(timeout: float | None = None) -> Any:
            if timeout is None or timeout > LONG / 2:
                self._now.set()
            try:
                return select(timeout)
            finally:
                self._now.clear()

        loop._selector.select = watched

    def then(self, action: Callable[[], object]) -> threading.Thread:
        """Do it in a thread, as soon as the loop is asleep."""

        def act() -> None:
            self._now.wait()
            action()

        thread = threading.Thread(target=act)
        thread.start()
        return thread

    def end(self) -> None:
        self._timer.cancel()


def in_order(items: list[tuple[int, int]]) -> bool:
    """Whether those of each thread come in the order in which it emitted them, and once."""
    return all(
        (own := [number for one, number in items if one == thread]) == sorted(set(own))
        for thread in range(THREADS)
    )


def within(action: Callable[[], object]) -> None:
    """Do it in a thread, while the loop stands still."""
    thread = threading.Thread(target=action)
    thread.start()
    thread.join()
