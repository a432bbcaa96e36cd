"""What a thread has had of the processor, and what it would have liked to have."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import thread_time
from typing import Any, NamedTuple

__all__ = ["ThreadUse", "processor_times", "thread_use"]


_usage: Callable[[], Any] | None = None
try:
    import resource

    _usage = partial(resource.getrusage, resource.RUSAGE_THREAD)
except (ImportError, AttributeError):  # on Windows, and elsewhere than on Linux
    pass


class ThreadUse(NamedTuple):
    """Seconds that a thread has computed, and how often it has waited of its own accord, as for a
    file or a lock; None where the system doesn't tell."""

    computed: float
    waits: int | None


def thread_use() -> ThreadUse:
    """That of the thread that asks, in 2 µs.

    >>> thread_use().computed > 0
    True
    """
    if _usage is None:
        return ThreadUse(thread_time(), None)
    use = _usage()
    return ThreadUse(use.ru_utime + use.ru_stime, use.ru_nvcsw)


def processor_times() -> tuple[float, float]:
    """Seconds that the thread that asks has computed, and those that it would have, had no other
    program had the processor: 0, where the system doesn't tell.

    >>> processor_times() > (0.0, 0.0)
    True
    """
    try:
        # Linux: nanoseconds on a processor, and waiting for one.
        with open("/proc/thread-self/schedstat", encoding="ascii") as file:
            running, waiting, _ = file.read().split()
    except (OSError, ValueError):
        return thread_time(), 0.0
    return int(running) * 1e-9, int(waiting) * 1e-9
