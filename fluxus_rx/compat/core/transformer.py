"""fluxus's `fluxus.core.transformer`: kinds of transformers, for annotations and `isinstance`."""

from __future__ import annotations

from .._roles import (
    BaseTransformer,
    ConcurrentTransformer,
    SerialTransformer,
    SimpleConcurrentTransformer,
)

__all__ = [
    "BaseTransformer",
    "ConcurrentTransformer",
    "SerialTransformer",
    "SimpleConcurrentTransformer",
]
