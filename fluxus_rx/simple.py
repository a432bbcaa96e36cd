"""Simple producers, under the names that users of fluxus know."""

from __future__ import annotations

from ._conduits.from_observable import SimpleAsyncProducer, SimpleProducer

__all__ = ["SimpleAsyncProducer", "SimpleProducer"]
