"""An event loop for a synchronous caller, on no loop or beneath one."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import signal
import threading
from collections.abc import Callable, Coroutine
from concurrent import futures
from contextvars import ContextVar
from functools import partial
from types import TracebackType
from typing import Any

from .._common.messages import note, notes_of
from .._typing import T, Waiter
from .kept_loop import KeptLoop, homes
from .loop_errors import in_foreign_loop

__all__ = ["Loop", "call_soon", "new_loop"]

#: Functions of C, where there are any: those of `signal` look for enums by exceptions, which is
#: 8 µs of each call into a loop, or 0.5 µs of a product (benchmark "consumers").
_handlers: Any = getattr(signal, "_signal", signal)

_log = logging.getLogger(__name__)

#: what makes the loop of a synchronous caller; in virtual time another one
new_loop: ContextVar[Callable[[], asyncio.AbstractEventLoop]] = ContextVar(
    "new_loop", default=asyncio.new_event_loop
)


class Loop:
    """An event loop that a synchronous caller drives, call by call.

    The loop is one that the caller's thread keeps, and nobody else's for as long as the block
    lasts. Where a loop runs already in the caller's thread, each call runs in another thread.
    Context variables of the caller are visible inside. Ctrl-C cancels what runs, waits for it to
    clean up, and raises KeyboardInterrupt, as `asyncio.run` does.
    """

    def __init__(self) -> None:
        self._make_loop = new_loop.get()
        self._context = contextvars.copy_context()
        #: whether the last call came to its end; what it has left undone ends with the loop
        self._is_intact = True
        #: the loop, until it is left
        self._lent: KeptLoop | None = None

    def __enter__(self) -> Loop:
        try:
            # Ctrl-C waits until the loop is made, or its sockets would be nobody's.
            with _Interrupt() as interrupt:
                if homes.orphans:
                    _off_loop(homes.close_orphans, interrupt)
                self._home = homes.here()
                self._lent = self._kept = self._home.lease(self._make_loop)
        except KeyboardInterrupt:
            self._leave(_Interrupt())
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            with _Interrupt() as interrupt:
                self._leave(interrupt)
        except KeyboardInterrupt:
            self._leave(_Interrupt())  # should Ctrl-C have come before that
            raise

    def _leave(self, interrupt: _Interrupt) -> None:
        """Return the loop to the thread, or close it; once."""
        lent, self._lent = self._lent, None
        if lent is None:
            return
        try:
            if self._is_intact and not lent.is_at_rest():
                self.call(lent.settle)
        finally:
            if not (self._is_intact and self._home.release(lent)):
                _off_loop(lent.close, interrupt)

    def call(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine to its end."""
        with _Interrupt() as interrupt:
            return _off_loop(partial(self._run, work, interrupt), interrupt)

    def wait(self, tell: Callable[[Waiter], object], take: Callable[[], T]) -> T:
        """Run the loop until the one that `tell` is given is told that it has waited for long
        enough, by something on the loop; then what `take` returns. A call without the price of a
        task.

        Whatever a reader does to the loop, or to who waits on it, it does in these two: Ctrl-C
        between the result of a future and the call of who waits for it would leave that one waiting
        for ever.
        """
        with _Interrupt() as interrupt:
            return _off_loop(partial(self._wait, tell, take, interrupt), interrupt)

    def _wait(
        self, tell: Callable[[Waiter], object], take: Callable[[], T], interrupt: _Interrupt
    ) -> T:
        loop, self._is_intact = self._kept.loop, False
        waiter = _Stopping(loop)
        interrupt.watch(waiter)
        tell(waiter)
        try:
            if not waiter.is_done:
                loop.run_forever()
            if not waiter.is_done:
                raise RuntimeError("the event loop was stopped while a flow was waited for")
            self._is_intact = True
        finally:
            waiter.is_done = True  # or it would stop the loop in the midst of what comes next
        if interrupt.came:
            raise KeyboardInterrupt
        return take()

    def _run(self, work: Callable[[], Coroutine[Any, Any, T]], interrupt: _Interrupt) -> T:
        # In a box, and not as the result of the main task, for a result may be large, and what
        # shows a task, as debuggers and asyncio itself do, takes the repr of its result.
        box: list[T] = []

        async def main() -> None:
            await self._kept.enter()
            # Not before: a task that is cancelled before its first step never begins, and the work
            # may be what closes a run.
            interrupt.watch(task)
            box.append(await work())

        loop, self._is_intact = self._kept.loop, False
        task = self._context.run(loop.create_task, main())
        try:
            loop.run_until_complete(task)
        except asyncio.CancelledError as cancelled:
            if not interrupt.came:
                raise
            interrupted = KeyboardInterrupt()
            for text in notes_of(cancelled):
                note(interrupted, text)
            raise interrupted from None
        finally:
            self._is_intact = task.done()
        return box[0]


class _Stopping:
    """Stops a loop in the turn in which it is told to. A future would stop it one turn later, which
    is 0.3 µs of a product where one is waited for 16 (benchmark "consumers")."""

    __slots__ = ("_loop", "is_done")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.is_done = False

    def done(self) -> bool:
        """Whether it has been told to."""
        return self.is_done

    def set_result(self, result: None) -> None:
        """Tell it to."""
        if not self.is_done:
            self.is_done = True
            if self._loop.is_running():
                self._loop.stop()

    def cancel(self) -> None:
        """The same, at Ctrl-C."""
        self.set_result(None)

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The loop that it stops."""
        return self._loop


class _Interrupt:
    """Turns Ctrl-C into a cancellation of a task, for as long as the block lasts.

    Not by `asyncio.Runner`, which takes its own measures only once a coroutine runs: a
    KeyboardInterrupt that comes a moment before or after leaves it lying there. And it does nothing
    for a loop that runs in another thread.
    """

    def __init__(self) -> None:
        self.came = False
        self._task: asyncio.Task[None] | _Stopping | None = None
        self._previous: Any = None

    def __enter__(self) -> _Interrupt:
        if threading.current_thread() is threading.main_thread():
            handler = _handlers.getsignal(signal.SIGINT)
            # A handler that the user has set keeps its say; that of an asyncio.run() or of a run
            # around us would cancel a task of the loop that we keep waiting.
            if handler is signal.default_int_handler or _is_of_loop(handler):
                self._previous = handler
                _handlers.signal(signal.SIGINT, self._on_signal)
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._previous is not None:
            _handlers.signal(signal.SIGINT, self._previous)
            if self.came and not isinstance(exc_info[1], KeyboardInterrupt):
                raise KeyboardInterrupt

    def watch(self, task: asyncio.Task[None] | _Stopping) -> None:
        """From now on, cancel `task`."""
        self._task = task
        if self.came:
            task.cancel()

    def cancel(self) -> None:
        """Cancel the task, from whatever thread."""
        if self._task is not None and not self._task.done():
            self._task.get_loop().call_soon_threadsafe(self._task.cancel)

    def _on_signal(self, number: int, frame: object) -> None:
        if self.came:
            raise KeyboardInterrupt
        self.came = True
        self.cancel()


def _is_of_loop(handler: object) -> bool:
    function = handler.func if isinstance(handler, partial) else handler
    return isinstance(getattr(function, "__self__", None), asyncio.Runner | _Interrupt)


def _in_loop() -> bool:
    return asyncio._get_running_loop() is not None or in_foreign_loop()


def _off_loop(work: Callable[[], T], interrupt: _Interrupt) -> T:
    """Run `work` here, or while a loop runs here in another thread, which is waited for;
    interrupted, tell it and wait again."""
    if not _in_loop():
        return work()
    _log.debug("a loop runs in this thread, so the run gets a thread of its own")
    home = homes.here().beneath

    def work_beneath() -> T:
        homes.enter(home)
        return work()

    with futures.ThreadPoolExecutor(1, thread_name_prefix="fluxus_rx") as executor:
        future = executor.submit(work_beneath)
        try:
            return future.result()
        except BaseException:
            if not future.done():
                interrupt.cancel()
                futures.wait([future])
            raise


def call_soon(
    loop: asyncio.AbstractEventLoop, callback: Callable[..., object], *args: object
) -> None:
    """Call back on the loop soon, from whatever thread; never if the loop is closed."""
    try:
        loop.call_soon_threadsafe(callback, *args)
    except RuntimeError:
        if not loop.is_closed():
            raise
