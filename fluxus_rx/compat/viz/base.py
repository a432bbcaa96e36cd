"""fluxus's `fluxus.viz.base`: what styles of drawings derive from."""

from __future__ import annotations

from ._drawer import FlowStyle, TimelineStyle

__all__ = ["FlowStyle", "TimelineStyle"]
