"""Tells which tasks wait, and where."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from os.path import basename
from types import FrameType
from typing import Any

__all__ = ["waiting_tasks"]

#: Frames of one task that are told at most.
_MOST = 6


def waiting_tasks(tasks: Collection[asyncio.Task[Any]]) -> str:
    """What to say of a loop on which these tasks wait, and nothing is left to wait for."""
    waiting = [task for task in tasks if not task.done()]
    if not waiting:
        return "nothing is left to wait for: no task, no timer, no call elsewhere"
    now = waiting[0].get_loop().time()
    head = f"nothing is left to wait for at {now:g} s of virtual time"
    lines = [f"{head}, but {_count(len(waiting))}:"]
    lines += sorted(f"  {task.get_name()}: {_where(task)}" for task in waiting)
    return "\n".join(lines)


def _count(number: int) -> str:
    return "1 task waits" if number == 1 else f"{number} tasks wait"


def _where(task: asyncio.Task[Any]) -> str:
    frames = [*_frames(task.get_coro())]
    if not frames:
        return repr(task.get_coro())
    if len(frames) > _MOST:
        frames = [*frames[:2], None, *frames[3 - _MOST :]]
    return " > ".join("…" if frame is None else _frame_text(frame) for frame in frames)


def _frame_text(frame: FrameType) -> str:
    code = frame.f_code
    return f"{code.co_qualname} ({basename(code.co_filename)}:{frame.f_lineno})"


def _frames(awaited: Any) -> Iterator[FrameType | None]:
    """The frames of a coroutine and of what it awaits, the outermost first."""
    for _ in range(10_000):
        for kind in ("cr", "gi", "ag"):
            frame = getattr(awaited, f"{kind}_frame", None)
            if frame is not None:
                yield frame
                waits_for = "gi_yieldfrom" if kind == "gi" else f"{kind}_await"
                awaited = getattr(awaited, waits_for, None)
                break
        else:
            return
