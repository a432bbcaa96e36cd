"""Calls on a loop that are asked for in any thread.

Rules of this file:

1. Events run in the order in which they were posted, whichever threads have posted them.
2. A loop that has been woken, and has not come round yet, is not woken again: that costs 1 µs.
3. Threads that post faster than the loop runs events don't hold it: it has a turn in between.
4. A closed loop runs nothing, and says so to whoever asks; that is no error.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

__all__ = ["Inbox", "Wakeup", "call_soon"]

#: asyncio's own, for those who write loops: None where no loop runs, which costs no exception
running_loop = asyncio._get_running_loop


def call_soon(loop: asyncio.AbstractEventLoop, callback: Callable[[], object]) -> bool:
    """Call back on the loop soon, from whatever thread; whether it will, as no closed one does."""
    try:
        loop.call_soon_threadsafe(callback)
    except RuntimeError:
        if not loop.is_closed():
            raise
        return False
    return True


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

    def request(self) -> bool:
        """Have the function called; whether it will be."""
        loop = self._loop
        if running_loop() is loop:
            self._call()
            return True
        if self.is_due:
            return not loop.is_closed()
        self.is_due = True
        if call_soon(loop, self._call):
            return True
        self.is_due = False
        return False

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
    """Events from any thread, which a loop runs in the order in which they were posted.

    An event may post more events, which run inside it. No event may raise.
    """

    __slots__ = ("_request", "_wakeup", "events")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        #: those that have not run, for who looks whether there are any
        self.events: deque[Callable[[], object]] = deque()
        self._wakeup = Wakeup(loop, self._run_events)
        self._request = self._wakeup.request

    def post(self, event: Callable[[], object]) -> bool:
        """Run `event` after all events before it, at once if this is the loop; whether it will."""
        self.events.append(event)
        return self._request()

    def _run_events(self) -> None:
        events = self.events
        # So many, and not all that come meanwhile (rule 3).
        for _ in range(len(events)):
            if events:  # an event may have run those behind it
                events.popleft()()
        if events:
            self._wakeup.postpone()
