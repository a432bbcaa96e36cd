"""For how long the code of a step holds the thread of the loop, and whether it computes there."""

from __future__ import annotations

import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from functools import partial
from math import inf
from typing import Any, Final

from .._streams.timing import clock, is_real
from .._typing import T
from .thread_use import thread_use

__all__ = ["SECONDS_PER_SAMPLE", "LoopTime", "next_due"]

#: Asking what the thread has had of the processor takes 2 µs at the beginning and at the end of
#: what holds the loop, so that is done once for so many seconds for which it has been held.
SECONDS_PER_SAMPLE: Final = 2e-4

#: So many in a row at most: a generator holds the loop by turns for long and for nothing at all.
SAMPLES: Final = 16


class LoopTime:
    """Adds up the seconds for which the code of one step has held the loop, from one await to the
    next; and of some of them, how long it computed."""

    __slots__ = ("_clock", "_computed", "_sampled", "due", "held")

    def __init__(self) -> None:
        self._clock = clock()
        #: the held seconds from which on a sample is taken; none in virtual time, which doesn't
        #: pass while something computes
        self.due = SECONDS_PER_SAMPLE if is_real(self._clock) else inf
        #: of what was looked at: seconds that passed, and that were computed
        self._sampled = self._computed = 0.0
        self.held = 0.0

    @property
    def computing(self) -> float | None:
        """The part of it, 0 to 1, in which it computed, if that is known."""
        return min(1.0, self._computed / self._sampled) if self._sampled else None

    def timed(self, function: Callable[..., T]) -> Callable[..., T]:
        """The same function, timed."""
        return partial(self.call, function)

    def call(self, function: Callable[..., T], *args: Any) -> T:
        """What the function returns, timed."""
        now = self._clock
        since = now()
        try:
            return function(*args) if self.held < self.due else self.sample_due(function, *args)
        finally:
            self.held += now() - since

    def sampled(self, function: Callable[..., T]) -> Callable[..., T]:
        """The same function, as a sample is due."""
        return partial(self.sample_due, function)

    def sample_due(self, function: Callable[..., T], *args: Any) -> T:
        """The same, since the next sample is due."""
        self.due = next_due(self.held, self.due)
        return self.sample(function, *args)

    def sample(self, function: Callable[..., T], *args: Any) -> T:
        """What the function returns; how long it computes is looked at."""
        before, since = thread_use(), self._clock()
        try:
            return function(*args)
        finally:
            took, use = self._clock() - since, thread_use()
            self._sampled += took
            # What didn't wait would have computed all the time, but for other programs.
            has_waited = use.waits is None or use.waits != before.waits
            self._computed += use.computed - before.computed if has_waited else took

    def timed_reading(self, read: Callable[[], Awaitable[T]]) -> Awaitable[T]:
        """What `read` returns, timed from one await to the next."""

        async def awaited() -> T:
            return await read()

        return self.timed_call(awaited())

    @types.coroutine
    def timed_call(self, calling: Coroutine[Any, Any, T]) -> Generator[Any, Any, T]:
        """The same coroutine, timed from one await to the next."""
        # As `call` does it, without that call: most end here (benchmark "watching").
        now = self._clock
        since = now()
        try:
            if self.held < self.due:
                value = calling.send(None)
            else:
                value = self.sample_due(calling.send, None)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]  # what a coroutine returns
        finally:
            self.held += now() - since
        return (yield from self.timed_rest(calling, value))

    def timed_rest(self, calling: Coroutine[Any, Any, T], value: Any) -> Generator[Any, Any, T]:
        """What a coroutine yields that has been sent on once and awaits this, timed likewise."""
        while True:
            # The traceback of an error knows this frame: they would keep each other alive.
            resume, sent = calling.send, None
            try:
                sent = yield value
            except BaseException as error:
                resume, sent = calling.throw, error
            try:
                value = self.call(resume, sent)
            except StopIteration as stop:
                return stop.value  # type: ignore[no-any-return]  # what a coroutine returns


def next_due(held: float, due: float) -> float:
    """The held seconds from which on the next sample is taken, after one at `held` that was due.

    >>> round(next_due(0.0003, 0.0002), 6), round(next_due(1.0, 0.0002), 4)
    (0.0004, 0.9972)
    """
    credit = min(held - due + SECONDS_PER_SAMPLE, SAMPLES * SECONDS_PER_SAMPLE)
    return held + 2 * SECONDS_PER_SAMPLE - credit
