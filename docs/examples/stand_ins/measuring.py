"""What a block of code takes: seconds, seconds of CPU, and memory."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Taken", "measured"]

MIB = 2**20


@dataclass
class Taken:
    """`peak` is how far the memory of the process rose above what it was at the beginning, in MiB;
    0 where the system doesn't tell."""

    seconds: float = 0.0
    cpu: float = 0.0
    peak: float = 0.0


@contextmanager
def measured() -> Iterator[Taken]:
    """Measure a block, of this process and all its threads.

    Memory is resident memory, which takes in what C libraries use; `tracemalloc` doesn't see that,
    and would slow the block. Linux resets its peak (`VmHWM`) on demand. Elsewhere the peak is that
    of the process since it began (`ru_maxrss`), so that it may be too low, and never too high.

    >>> with measured() as taken:
    ...     block = b"x" * (64 * MIB)
    >>> taken.peak > 60 or not sys.platform.startswith("linux")
    True
    """
    taken = Taken()
    before = _reset_peak()
    began, cpu = time.perf_counter(), time.process_time()
    try:
        yield taken
    finally:
        taken.seconds = time.perf_counter() - began
        taken.cpu = time.process_time() - cpu
        taken.peak = max(_peak() - before, 0.0)


def _reset_peak() -> float:
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _peak()


def _peak() -> float:
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (MIB if sys.platform == "darwin" else 1024)
