"""Calls on a loop that are asked for in any thread.

Rules of this file:

1. Calls are made in the order in which they were posted, whichever threads have posted them.
2. A loop that has been woken, and has not come round yet, is not woken again: that costs 4 µs.
3. Threads that post faster than the loop calls don't hold it: it has a turn in between.
4. A closed loop calls nothing, and that isn't an error. Code that has to know posts by `try_post`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from .event_loop import call_soon

__all__ = ["Inbox", "Wakeup"]

#: asyncio's own, for those who write loops: None where no loop runs, which costs no exception
running_loop = asyncio._get_running_loop


class Wakeup:
    """Has a loop call a function, from any thread: once for all who have asked until it does.

    On the loop itself, the function is called at once.
    """

    __slots__ = ("_callback", "_loop", "is_due")

    def __init__(self, loop: asyncio.AbstractEventLoop, callback: Callable[[], object]) -> None:
        self._loop = loop
        self._callback = callback
        #: whether the loop is to call the function, and has not done so yet
        self.is_due = False

    def request(self) -> None:
        """Have the function called."""
        if running_loop() is self._loop:
            self._call()
        elif not self.is_due:
            self.is_due = True
            call_soon(self._loop, self._call)

    def postpone(self) -> None:
        """On the loop: have the function called when everything else there has had its turn."""
        if not self.is_due:
            self.is_due = True
            self._loop.call_soon(self._call)

    def _call(self) -> None:
        # First: a thread that finds it due must be sure that what it has done is seen.
        self.is_due = False
        self._callback()


class Inbox:
    """Calls asked for in any thread, which a loop makes in the order in which they were posted.

    What is called may post more, which is called inside it. It may not raise.
    """

    # `post` does what `Wakeup.request` does, for two calls of functions are a tenth of what an item
    # costs that comes in by a publisher or a thread (workloads "publishers", "hot").

    __slots__ = ("_loop", "_wakeup", "waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        #: the calls that have not been made, for who looks whether there are any
        self.waiting: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._loop = loop
        self._wakeup = Wakeup(loop, self._call_all)

    def post(self, callback: Callable[..., object], *args: Any) -> None:
        """Call back after all that was posted before; at once if this is the loop."""
        self.waiting.append((callback, args))
        if running_loop() is self._loop:
            self._call_all()
        elif not self._wakeup.is_due:
            self._wakeup.request()

    def try_post(self, callback: Callable[..., object], *args: Any) -> bool:
        """The same, unless the loop is closed; whether it isn't."""
        if self._loop.is_closed():
            return False
        self.post(callback, *args)
        return True

    def _call_all(self) -> None:
        waiting = self.waiting
        # So many, and not all that come meanwhile (rule 3).
        for _ in range(len(waiting)):
            if waiting:  # one that was called may have had those behind it called
                callback, args = waiting.popleft()
                callback(*args)
        if waiting:
            self._wakeup.postpone()
