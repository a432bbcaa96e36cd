"""Conversions between aiostream streams and observables, and the scheduler of a run."""

from __future__ import annotations

from ._engine.conversions import to_observable, to_stream
from ._rx.scheduler import FlowScheduler

__all__ = ["FlowScheduler", "to_observable", "to_stream"]

# Users see, pickle and report what they import, not where it is written.
for _public in [globals()[name] for name in __all__]:
    _public.__module__ = __name__
