"""A flow as a Graphviz drawing, light or dark."""

from __future__ import annotations

import dataclasses
import html
import shutil
import subprocess
from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING

from .._common.messages import install_hint
from .._common.text import shortened
from .._errors import UsageError
from .._graph.flow_graph import FlowGraph
from .._graph.parts import Describable, Node, Role

if TYPE_CHECKING:
    from graphviz import Digraph

__all__ = ["DARK_COLOURS", "LIGHT_COLOURS", "DotTheme", "digraph", "has_dot", "rendered", "to_dot"]

#: How many columns a line in a node has.
DOT_LINE_WIDTH = 48

FONT = {"fontname": "Helvetica,Arial,sans-serif"}
GRAPH = {"pad": "0.1", "nodesep": "0.2", "ranksep": "0.35"}
NODES = FONT | {"fontsize": "11", "style": "filled", "margin": "0.12,0.06", "height": "0.3"}
EDGES = FONT | {"fontsize": "9", "arrowsize": "0.7"}

DOT_SHAPES: Mapping[Role, dict[str, str]] = {
    "producer": {"shape": "box", "style": "filled,rounded"},
    "transformer": {"shape": "box"},
    "consumer": {"shape": "box", "peripheries": "2"},
    "start": {"shape": "circle", "margin": "0.02"},
    "end": {"shape": "doublecircle", "margin": "0.02"},
    "join": {"shape": "point", "width": "0.1"},
}


@dataclasses.dataclass(frozen=True)
class DotTheme:
    """The colours of a drawing: `fills` and `borders` are by the role of a node."""

    background: str
    text: str
    lines: str
    fills: Mapping[Role, str]
    borders: Mapping[Role, str]


LIGHT_COLOURS = DotTheme(
    background="#ffffff",
    text="#1a1c20",
    lines="#59616e",
    fills={
        "producer": "#d9f2df",
        "transformer": "#dde9fc",
        "consumer": "#fde8d0",
        "start": "#eceef1",
        "end": "#eceef1",
    },
    borders={"producer": "#2e7d46", "transformer": "#2f5fb3", "consumer": "#a4560d"},
)

DARK_COLOURS = DotTheme(
    background="#15171c",
    text="#eceef1",
    lines="#a6afbc",
    fills={
        "producer": "#1d3a29",
        "transformer": "#1e2e4d",
        "consumer": "#462f17",
        "start": "#333842",
        "end": "#333842",
    },
    borders={"producer": "#7fd19b", "transformer": "#8ab4f8", "consumer": "#f2b274"},
)


def to_dot(conduit: Describable, *, dark: bool = False, paths: bool = False) -> str:
    """A flow in the language of Graphviz.

    Raises ImportError without the Python package graphviz; the program `dot` is not needed. With
    `paths`, edges tell the indices of the paths along them, as in the result of `run`.

    >>> from fluxus_rx import step
    >>> text = to_dot(step("src", [{"x": 1}]) >> step("double", lambda x: {"x": 2 * x}))
    >>> [line.strip() for line in text.splitlines() if "->" in line]
    ['n0 -> n1', 'n1 -> n2']
    """
    return str(
        digraph(FlowGraph.of(conduit, paths=paths), DARK_COLOURS if dark else LIGHT_COLOURS).source
    )


def digraph(graph: FlowGraph, theme: DotTheme) -> Digraph:
    """The graph, for the Python package graphviz."""
    dot = _empty(theme, "TB" if graph.is_long else "LR")
    for node in graph.nodes:
        color = theme.borders.get(node.role, theme.lines)
        fill = theme.fills.get(node.role, theme.lines)
        dot.node(node.key, _dot_label(node), color=color, fillcolor=fill, **DOT_SHAPES[node.role])
    joins = {node.key for node in graph.nodes if node.role == "join"}
    for edge in graph.edges:
        label = f" {dot_escaped(shortened(edge.label, DOT_LINE_WIDTH))} " if edge.label else None
        style = {"style": "dashed"} if edge.through else {}
        # At a junction, the heads of many arrows would hide one another.
        head = {"arrowhead": "none"} if edge.target in joins else {}
        dot.edge(edge.source, edge.target, label, **style, **head)
    return dot


def _empty(theme: DotTheme, direction: str) -> Digraph:
    try:
        from graphviz import Digraph
    except ImportError:
        raise ImportError(
            f"{install_hint('a picture of a flow', 'graphviz')}; without it, there are"
            " draw(style='mermaid') and draw(style='tree')"
        ) from None
    return Digraph(
        graph_attr=GRAPH | {"rankdir": direction, "bgcolor": theme.background},
        node_attr=NODES | {"fontcolor": theme.text},
        edge_attr=EDGES | {"fontcolor": theme.text, "color": theme.lines},
    )


def _dot_label(node: Node) -> str:
    if node.role == "join":
        return ""
    name, *details = (
        dot_escaped(shortened(text, DOT_LINE_WIDTH)) for text in (node.name, *node.details)
    )
    return f"<{'<br/>'.join((f'<b>{name}</b>', *details))}>"


def dot_escaped(text: str) -> str:
    r"""A text as Graphviz has to see it to show it.

    >>> dot_escaped(r"<a> \N")
    '&lt;a&gt; \\\\N'
    """
    # Graphviz replaces \N by the name of the node, and more of that kind, and \\ by one \.
    return html.escape(text).replace("\\", r"\\")


def has_dot() -> bool:
    """Whether pictures can be made here: the Python package and the program are there."""
    return find_spec("graphviz") is not None and shutil.which("dot") is not None


def rendered(dot: Digraph, format: str) -> bytes:
    """The picture, as `dot` makes it: SVG in UTF-8, PNG or PDF."""
    from graphviz import ExecutableNotFound

    try:
        picture: bytes = dot.pipe(format=format, quiet=True)
    except ExecutableNotFound:
        raise UsageError(
            "the program `dot` of Graphviz is not installed, or not on the PATH; to install it:"
            " apt install graphviz, brew install graphviz, choco install graphviz, or"
            " conda install graphviz. Without it, there are draw(style='mermaid') and"
            " draw(style='tree')"
        ) from None
    except (OSError, subprocess.CalledProcessError) as error:
        said = (getattr(error, "stderr", None) or b"").decode(errors="replace").strip()
        raise UsageError(
            f"the program `dot` of Graphviz failed: {said or error}. Without it, there are"
            " draw(style='mermaid') and draw(style='tree')"
        ) from error
    return picture
