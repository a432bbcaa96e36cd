"""fluxus's `fluxus.viz`: drawers, and the styles that they draw in."""

from __future__ import annotations

from ._flow import FlowDrawer, FlowGraphStyle, FlowTextStyle
from ._graph import FlowGraph
from ._timeline import TimelineDrawer, TimelineMatplotStyle, TimelineTextStyle

__all__ = [
    "FlowDrawer",
    "FlowGraph",
    "FlowGraphStyle",
    "FlowTextStyle",
    "TimelineDrawer",
    "TimelineMatplotStyle",
    "TimelineTextStyle",
]
