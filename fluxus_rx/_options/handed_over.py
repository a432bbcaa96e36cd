"""What is handed over to run off the loop: a call, and the iterator that it may return."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator
from concurrent import futures
from functools import partial
from time import perf_counter
from typing import Any, TypeAlias

from .._common.left_watch import outside_waiter
from .._common.messages import short
from .._common.signatures import function_name
from .._streams.iteration import END
from .._streams.timing import SLICE

__all__ = ["Future", "Iteration", "Job", "Release", "Task", "WorkItem", "run_remotely", "sendable"]

Snapshot: TypeAlias = Callable[[Any], Any]
Task: TypeAlias = Callable[[], Any]
Future: TypeAlias = futures.Future[Any]
#: Releases what a call has held.
Release: TypeAlias = Callable[[], Awaitable[object]]


class Job:
    """Work that was handed over, seen from the loop. If it `is_left`, it runs on, and nobody waits;
    `releases` follow its end. If it `is_dropped`, nobody wants what it returns."""

    __slots__ = (
        "_waiter", "future", "has_ended", "is_dropped", "is_left", "releases", "task", "turn",
    )  # fmt: skip

    def __init__(self, future: Future, turn: object = None) -> None:
        self.future = future
        #: that in an executor of the user's
        self.turn = turn
        self.has_ended = self.is_left = self.is_dropped = False
        self.releases: list[Release] = []
        #: the one that has left it
        self.task: asyncio.Task[Any] | None = None
        self._waiter: asyncio.Future[None] | None = None

    def news(self) -> asyncio.Future[None]:
        """What is done when there is news of it: its end, or what it `wake`s for."""
        # One that nobody came to wait for still is what it is told by; virtual time waits for each.
        if self._waiter is None or self._waiter.done():
            self._waiter = outside_waiter()
        if self.has_ended:
            self._waiter.set_result(None)
        return self._waiter

    def wake(self, _: object = None) -> None:
        """There is news of it."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class WorkItem:
    """A call without arguments, in the context of its caller; an iterator that it returns becomes
    an `Iteration` in that context.

    Pickled, it leaves the context behind, which can't travel: it then is `run_remotely`. So one
    object serves every executor, whether it turns out to be one of threads, of processes, or of
    machines. `begun` is called where the call begins to run; pickled, when it goes.
    """

    __slots__ = ("_function", "_reading", "begun", "context")

    def __init__(self, function: Callable[[], Any], size: int, snapshot: Snapshot | None) -> None:
        self._function = function
        self.context = contextvars.copy_context()
        self._reading = (size, snapshot)
        self.begun: Callable[[], object] | None = None

    def __call__(self) -> Any:
        if self.begun is not None:
            self.begun()
        given = self.context.run(self._function)
        if isinstance(given, Iterator):
            return Iteration(given, self.context, *self._reading).begun_here()
        return given

    @property
    def __name__(self) -> str:
        # What Dask shows on its pages.
        return function_name(self._function)

    def __reduce__(self) -> tuple[Any, ...]:
        if self.begun is not None:
            self.begun()
        return partial, (run_remotely, self._function)


class Iteration:
    """An iterator that is read off the loop, all of it in one context, some items a trip.

    The first trip makes one item, and each one after it four times as many, up to `size`, for as
    long as they are made quickly: items that are slow are made when they are asked for, those that
    are quick share the price of a trip, 100 µs. An item waits in `ready`, and not for those behind
    it. The call that returns an iterator makes the first trip, too.

    A trip that finds itself the last one closes the iterator; it is closed once, and never while it
    runs. `snapshot` returns an item as it is now.
    """

    __slots__ = (
        "_is_left", "_items", "_iterator", "_lock", "_makes", "_most", "_size", "_snapshot",
        "begun", "context", "error", "is_over", "kind", "notify", "ready", "thread",
    )  # fmt: skip

    def __init__(
        self,
        items: Iterable[Any],
        context: contextvars.Context,
        size: int,
        snapshot: Snapshot | None = None,
    ) -> None:
        self.kind = type(items).__name__
        self._items = items
        self._iterator = items if isinstance(items, Iterator) else None
        self.context = context
        self._size, self._most = 1, size
        self._snapshot = snapshot
        self._lock = threading.Lock()
        self._is_left = self._makes = False
        self.ready: deque[Any] = deque()
        #: as that of a `WorkItem`
        self.begun: Callable[[], object] | None = None
        #: called once when the next item is there; set by a reader who waits
        self.notify: Callable[[], object] | None = None
        #: whether nothing is left to be made
        self.is_over = False
        #: the thread that keeps to it, if there is one
        self.thread: Any = None
        #: that of the trip which the call made that has returned the iterator
        self.error: BaseException | None = None

    def begun_here(self) -> Iteration:
        """Make the first item at once, where the iterator was made."""
        self.begin()
        try:
            self.context.run(self._trip)
        except BaseException as error:
            self.error = error
        return self

    def begin(self) -> None:
        """A trip is asked for."""
        self._makes = True

    def trip(self) -> Iteration:
        """Make some items; itself, so that the thread knows whose it is."""
        if self.begun is not None:
            self.begun()
        self.context.run(self._trip)
        return self

    def _trip(self) -> None:
        is_last, due = True, perf_counter() + SLICE
        try:
            if self._iterator is None:
                self._iterator = iter(self._items)
            for _ in range(self._size):
                item = next(self._iterator, END)
                if item is END:
                    break
                self.ready.append(item if self._snapshot is None else self._snapshot(item))
                if (notify := self.notify) is not None:
                    self.notify = None
                    notify()
                if self._is_left or perf_counter() > due:
                    self._size = 1
                    is_last = False
                    break
            else:
                is_last = False
                self._size = min(4 * self._size, self._most)
        finally:
            with self._lock:
                self._makes = False
                self.is_over = is_last = is_last or self._is_left
            if is_last:
                self._close()

    def leave(self, begun: bool) -> bool:
        """Ask for no more; whether the caller must have it closed, since no trip will. `begun`
        tells whether the trip that was asked for last will run."""
        with self._lock:
            was_left, self._is_left = self._is_left, True
            return not (was_left or self.is_over or (begun and self._makes))

    def close(self) -> Iteration:
        """Close the iterator, if it is one that can be closed, in its context."""
        self.is_over = True
        self.context.run(self._close)
        return self

    def _close(self) -> None:
        close = getattr(self._iterator, "close", None)
        if close is not None:
            close()


def run_remotely(work: Callable[[], Any]) -> Any:
    """Run in a process, of whatever executor: an iterator is sent back as a list, and an error as
    one that can be sent."""
    try:
        given = work()
        return list(given) if isinstance(given, Iterator) else given
    except BaseException as error:
        raised = sendable(error)
        if raised is error:
            raise
        raise raised from error


def sendable(error: BaseException) -> BaseException:
    """An error as it can be sent to another process: itself, or one that has its text.

    One whose class takes other arguments than `args` can be sent, but not received.
    """
    import pickle

    try:
        pickle.loads(pickle.dumps(error))
    except Exception as why:
        return RuntimeError(
            f"{short(error)} was raised in a process, and can't be sent back: {short(why)}"
        )
    return error
