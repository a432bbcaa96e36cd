"""fluxus's `fluxus.core`: what a conduit is, for annotations and `isinstance`."""

from __future__ import annotations

from .._roles import (
    AtomicConduit,
    ConcurrentConduit,
    Conduit,
    Processor,
    SerialConduit,
    SerialProcessor,
    SerialSource,
    Source,
)

__all__ = [
    "AtomicConduit",
    "ConcurrentConduit",
    "Conduit",
    "Processor",
    "SerialConduit",
    "SerialProcessor",
    "SerialSource",
    "Source",
]
