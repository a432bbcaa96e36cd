"""Simple producers, under the names that users of fluxus know."""

from __future__ import annotations

from ._components.simple_producer import SimpleAsyncProducer, SimpleProducer

__all__ = ["SimpleAsyncProducer", "SimpleProducer"]
