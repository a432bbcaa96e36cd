"""fluxus's `fluxus.functional.product`: what travels in a flow of steps."""

from __future__ import annotations

from .._products import DictProduct

__all__ = ["DictProduct"]
