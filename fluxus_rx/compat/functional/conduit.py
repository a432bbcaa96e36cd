"""fluxus's `fluxus.functional.conduit`: steps as classes."""

from __future__ import annotations

from ._steps import DictConsumer, DictProducer, Step

__all__ = ["DictConsumer", "DictProducer", "Step"]
