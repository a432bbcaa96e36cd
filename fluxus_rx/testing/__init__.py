"""Tests of flows without sleeping: virtual time, marble diagrams, orders of events, faults.

>>> from reactivex import operators as ops
>>> assert_marbles(ops.debounce(2), "-----b---(c,|)", source="-a-b----c|")
"""

from __future__ import annotations

from ._asserting import aassert_marbles, assert_marbles
from ._clock import DeadlockError, VirtualTimeLoop, run_virtual, virtual_time
from ._faults import faulty
from ._interleavings import InterleavingLoop, interleavings
from ._marbles import InvalidDiagramError, Marbles, hot_marbles, marbles

__all__ = [
    "DeadlockError",
    "InterleavingLoop",
    "InvalidDiagramError",
    "Marbles",
    "VirtualTimeLoop",
    "aassert_marbles",
    "assert_marbles",
    "faulty",
    "hot_marbles",
    "interleavings",
    "marbles",
    "run_virtual",
    "virtual_time",
]

# Users see and report what they import, not where it is written.
for _public in [globals()[name] for name in __all__]:
    _public.__module__ = __name__
