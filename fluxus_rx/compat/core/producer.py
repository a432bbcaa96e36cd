"""fluxus's `fluxus.core.producer`: kinds of producers, for annotations and `isinstance`."""

from __future__ import annotations

from .._roles import BaseProducer, ConcurrentProducer, SerialProducer, SimpleConcurrentProducer

__all__ = ["BaseProducer", "ConcurrentProducer", "SerialProducer", "SimpleConcurrentProducer"]
