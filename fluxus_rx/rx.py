"""What joins streams, observables and runs."""

from __future__ import annotations

from ._engine.conversions import to_observable, to_stream
from ._rx.scheduler import FlowScheduler

__all__ = ["FlowScheduler", "to_observable", "to_stream"]
