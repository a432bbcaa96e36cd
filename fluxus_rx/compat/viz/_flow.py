"""Drawings of flows."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from ...viz import draw
from ._drawer import Drawer, FlowStyle, TextStyle, is_dark

__all__ = ["FlowDrawer", "FlowGraphStyle", "FlowTextStyle"]


class FlowTextStyle(TextStyle, FlowStyle):
    """The expression that makes the flow."""

    def render_flow(self, flow: Any) -> None:
        """Write the expression."""
        self._flow_write(f"{flow}\n")


class FlowGraphStyle(FlowStyle):
    """A picture made by Graphviz: into `file`, a path to which the format is added or a stream of
    bytes, or else shown in the notebook. `colors` may be "dark", or a scheme of gamma-pytools,
    which tells whether it is.

    Raises ValueError for a format other than "png", "svg" and "pdf", RuntimeError without Graphviz,
    and where there is nowhere to show it.
    """

    def __init__(
        self,
        file: str | io.BytesIO | None = None,
        *,
        format: str | None = None,
        colors: Any = None,
    ) -> None:
        self.file = file
        self.format = format or "png"
        self.colors = colors

    @classmethod
    def get_default_style_name(cls) -> str:
        """`"graph"`."""
        return "graph"

    @classmethod
    def get_named_styles(cls) -> dict[str, Callable[..., Any]]:
        """Light, and dark."""
        name = cls.get_default_style_name()
        return {name: cls, f"{name}_dark": lambda: cls(colors="dark")}

    def render_flow(self, flow: Any) -> None:
        """Draw the picture."""
        style = "graph_dark" if is_dark(self.colors) else "graph"
        if self.file is None:
            draw(flow, style)
        elif isinstance(self.file, str):
            draw(flow, style, file=f"{self.file}.{self.format}")
        else:
            draw(flow, style, file=self.file, format=self.format)


class FlowDrawer(Drawer[FlowStyle]):
    """Draws flows, in the styles "text", "graph" and "graph_dark".

    >>> sorted(FlowDrawer.get_named_styles())
    ['graph', 'graph_dark', 'text']
    """

    _flow_styles = (FlowTextStyle, FlowGraphStyle)

    @classmethod
    def get_default_style(cls) -> FlowStyle:
        """A picture, shown in the notebook."""
        return FlowGraphStyle()

    def _draw(self, data: Any) -> None:
        self.style.render_flow(data)


# Users see what they import, not where it is written.
for _public in (FlowDrawer, FlowGraphStyle, FlowTextStyle):
    _public.__module__ = "fluxus_rx.compat.viz"
