"""Errors that come of a second event loop: what they are known by, and the way out."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from typing import Any, Final

from .._common.messages import note
from .._errors import UsageError

__all__ = ["in_foreign_loop", "note_loop_error", "require_loop"]

#: Parts of messages of asyncio, Trio, and libraries that run a loop for a synchronous caller.
_LOOP_IN_LOOP: Final = (
    "cannot be called from a running event loop",
    "can't be called from a running event loop",
    "event loop is already running",
    "Cannot run the event loop while another loop is running",
    "Already running asyncio in this thread",
    "call run() from inside a run()",
    "same thread as an async event loop",  # asgiref's async_to_sync
    "cannot call this from an async context",  # Django
    "inside the asyncio loop",  # Playwright
    "Detected nested async",  # LlamaIndex
)

_OTHER_LOOP: Final = (
    "attached to a different loop",
    "different event loop",
    "Event loop is closed",
    "an event loop other than the current one",
    "context manager should be used inside a task",  # aiohttp, whose loop has no task now
)

_WITHOUT_LOOP: Final = ("no current event loop", "no running event loop")

_NO_ANYIO_THREAD: Final = (
    "can only be run from an AnyIO worker thread",
    "inside an AnyIO worker thread",
)

_ABOUT_LOOP_IN_LOOP: Final = (
    "plain functions are called on the event loop of the run, where no other loop can run: make the"
    " function asynchronous (async def) and await in it, or have it called in threads, by"
    ' .options(executor="thread")'
)

_ABOUT_OTHER_LOOP: Final = (
    "something that is used here, such as a client or a lock, belongs to another event loop. Runs"
    " that a thread starts one after the other, by run(), rerun() or stream(), share a loop; other"
    " threads, a run inside a run or beside an open iteration, and each asyncio.run() have others,"
    " and arun() has the loop that it is awaited on. Make the client where it is used, or run all"
    " flows on one loop, with arun()"
)

_ABOUT_WITHOUT_LOOP: Final = (
    "no event loop runs where this is called: plain functions that run in threads (executor=) have"
    " none, nor have consumers: make the function asynchronous (async def), or have it run a loop"
    " of its own, by asyncio.run()"
)

_ABOUT_ANYIO: Final = (
    "steps are not called in worker threads of AnyIO: make the function asynchronous (async def)"
    " and await in it"
)

#: What messages have in them, and what to say then.
_NOTES: Final = (
    (_OTHER_LOOP, _ABOUT_OTHER_LOOP),
    (_LOOP_IN_LOOP, _ABOUT_LOOP_IN_LOOP),
    (_WITHOUT_LOOP, _ABOUT_WITHOUT_LOOP),
    (_NO_ANYIO_THREAD, _ABOUT_ANYIO),
)

#: How far causes are followed, and characters of a message that are looked at, at each end.
_MOST_CAUSES: Final = 10
_MOST_READ: Final = 500


def note_loop_error(error: BaseException, loop_in_loop: str = _ABOUT_LOOP_IN_LOOP) -> None:
    """Add the way out to an error that comes of a second event loop, or was caused by one that
    does: a library may have wrapped it. `loop_in_loop` is that of a loop inside the run's."""
    for text in _messages(error):
        for parts, about in _NOTES:
            if any(part in text for part in parts):
                note(error, loop_in_loop if parts is _LOOP_IN_LOOP else about)
                return


def _messages(error: BaseException) -> Iterator[str]:
    waiting: list[BaseException | None] = [error]
    for _ in range(_MOST_CAUSES):
        found = waiting.pop(0) if waiting else None
        if found is None:
            return
        # Not str(): what an exception shows may be large, or its own.
        for text in found.args:
            if isinstance(text, str):
                yield text[:_MOST_READ] + text[-_MOST_READ:]
        if isinstance(found, BaseExceptionGroup):
            waiting += found.exceptions[:3]
        cause = found.__cause__ or found.__context__
        if cause is not None:
            waiting.append(cause)


def in_foreign_loop() -> bool:
    """Whether another library than asyncio, such as Trio, runs tasks in this thread."""
    # Such a library tells sniffio of itself, and sniffio tells the libraries in the steps.
    sniffio: Any = sys.modules.get("sniffio")
    return sniffio is not None and sniffio.thread_local.name not in (None, "asyncio")


def require_loop() -> asyncio.AbstractEventLoop:
    """The asyncio loop that is running.

    Raises `UsageError` (a RuntimeError) if there is none.
    """
    loop = asyncio._get_running_loop()
    if loop is None:
        way_out = "call this in a coroutine (asyncio.run(main())), or call run(flow)"
        if in_foreign_loop():
            way_out = "another library runs its tasks here; call run(flow), in a thread of its own"
        raise UsageError(f"a running event loop of asyncio is needed, and there is none: {way_out}")
    return loop
