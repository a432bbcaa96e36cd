"""Rows of a contest about memory, made of rows of one about time."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from types import ModuleType

from ..measuring.contest import Row, Trial

__all__ = ["peak_rows"]

#: Garbage is collected so soon that what is measured is what is in use. That is cheap, because the
#: collector doesn't look at what was there before.
_SOON = 100, 1, 1


def peak_rows(rows: Iterable[Row]) -> list[Row]:
    """The same rows, whose value is the peak of memory in bytes while they run, as Python's
    allocator sees it, less what is left of it in the end: what they return."""
    return [replace(row, prepare=_Traced(row.prepare)) for row in rows]


@dataclass(frozen=True)
class _Traced:
    prepare: Callable[[ModuleType], Trial]

    def __call__(self, module: ModuleType) -> Trial:
        trial = self.prepare(module)
        peaks: list[int] = []

        def run() -> int:
            # The first run warms up, and each after the second would come to the same.
            if len(peaks) < 2:
                peaks.append(_peak(trial))
            return peaks[-1]

        return replace(trial, run=run, check=lambda _: None, value=float)


def _peak(trial: Trial) -> int:
    usual = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_SOON)
    tracemalloc.start()
    try:
        outputs = trial.run()
        peak = tracemalloc.get_traced_memory()[1]
        gc.collect()
        left = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
        gc.set_threshold(*usual)
        gc.unfreeze()
    trial.check(outputs)
    return peak - left
