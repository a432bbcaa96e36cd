"""Where plain functions run: in threads, in processes, or in an executor of the user's."""

from __future__ import annotations

from concurrent import futures
from typing import Any

from .._common.messages import shown
from .._errors import InvalidOptionError
from .offload import Offload
from .processes import Processes
from .threads import Threads
from .user_executors import UserExecutor, UserThreads

__all__ = ["in_processes", "offload"]


def offload(
    executor: str | futures.Executor, who: str, size: float, *, timed: bool = False, **reading: Any
) -> Offload:
    """Where the calls of `who` run: in threads, in processes, or in an executor of the user's.

    There are `size` calls at once at most, and no more processes than processors. An executor that
    is given is used as it is, and never shut down. `timed` tells that calls have a time-out, the
    rest is what `Offload` takes for reading iterators.

    >>> import asyncio
    >>> async def main():
    ...     threads = offload("thread", "step 'power'", size=2)
    ...     try:
    ...         return await threads.call(pow, 2, 10)
    ...     finally:
    ...         await threads.aclose()
    >>> asyncio.run(main())
    1024
    """
    if isinstance(executor, futures.Executor):
        has_threads = isinstance(executor, futures.ThreadPoolExecutor)
        return (UserThreads if has_threads else UserExecutor)(
            who, size, executor, timed=timed, **reading
        )
    if executor not in ("thread", "process"):
        kinds = '"thread", "process" or an Executor'
        raise InvalidOptionError(f"{who}: executor must be {kinds}, not {shown(executor)}")
    return (Threads if executor == "thread" else Processes)(who, size, **reading)


def in_processes(executor: object) -> bool:
    """Whether calls run in processes.

    >>> in_processes("process"), in_processes("thread")
    (True, False)
    """
    if isinstance(executor, str):
        return executor == "process"
    return isinstance(executor, futures.ProcessPoolExecutor)
