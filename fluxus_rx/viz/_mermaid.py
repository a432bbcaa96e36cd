"""A flow as text for Mermaid, which GitHub and notebooks show as a drawing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from .._common.text import shortened
from .._graph.flow_graph import Edge, FlowGraph
from .._graph.parts import Describable, Node, Role

__all__ = ["mermaid", "to_mermaid"]

#: How many columns a line in a node has.
MERMAID_LINE_WIDTH = 48

#: What stands around the label of a node.
MERMAID_SHAPES: Mapping[Role, tuple[str, str]] = {
    "producer": ('(["', '"])'),
    "transformer": ('["', '"]'),
    "consumer": ('[["', '"]]'),
    "start": ('(("', '"))'),
    "end": ('((("', '")))'),
    "join": ('(("', '"))'),
}

# Filled with light colours and dark text, which can be read on a white page and on a black one.
CLASSES: Mapping[Role, str] = {
    "producer": "fill:#d9f2df,stroke:#2e7d46,color:#1a1c20",
    "transformer": "fill:#dde9fc,stroke:#2f5fb3,color:#1a1c20",
    "consumer": "fill:#fde8d0,stroke:#a4560d,color:#1a1c20",
    "start": "fill:#eceef1,stroke:#7a8494,color:#1a1c20",
    "end": "fill:#eceef1,stroke:#7a8494,color:#1a1c20",
    "join": "fill:#7a8494,stroke:#7a8494,color:#7a8494",
}

#: Stands as it is in a label; all else of ASCII might mean something to Mermaid.
UNESCAPED = frozenset(" .,:=_-'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")

#: What begins a line end, a formula or an icon, unless something stands behind it that isn't seen.
MEANT = re.compile(r"\\(?=n)|\$(?=\$)|\bfa[a-z]?:(?=fa-)")
JOINER = "\u2060"


def to_mermaid(conduit: Describable, *, paths: bool = False) -> str:
    """A flow as a flowchart in the language of Mermaid.

    With `paths`, edges tell the indices of the paths along them, as in the result of `run`.

    >>> from fluxus_rx import step
    >>> print(to_mermaid(step("src", [{"x": 1}])))
    flowchart LR
        n0(["src<br/>#91;#123;'x': 1#125;#93;"]):::role_producer
        n1((("end"))):::role_end
        n0 --> n1
        ...
    """
    return mermaid(FlowGraph.of(conduit, paths=paths))


def mermaid(graph: FlowGraph) -> str:
    """The same for a graph."""
    lines = [_node(node) for node in graph.nodes]
    joins = {node.key for node in graph.nodes if node.role == "join"}
    lines += (_edge(edge, edge.target in joins) for edge in graph.edges)
    lines += _classes(graph)
    return "\n    ".join((f"flowchart {'TD' if graph.is_long else 'LR'}", *lines))


def _node(node: Node) -> str:
    opening, closing = MERMAID_SHAPES[node.role]
    texts = (node.name, *node.details)
    label = "<br/>".join(mermaid_escaped(shortened(text, MERMAID_LINE_WIDTH)) for text in texts)
    return f"{node.key}{opening}{label or ' '}{closing}:::{_class(node.role)}"


def _edge(edge: Edge, joins: bool) -> str:
    # At a junction, the heads of many arrows would hide one another.
    head = "" if joins else ">"
    line = f"-.-{head}" if edge.through else f"--{head or '-'}"
    text = shortened(edge.label, MERMAID_LINE_WIDTH)
    label = f'|"{mermaid_escaped(text)}"|' if text else ""
    return f"{edge.source} {line}{label} {edge.target}"


def _classes(graph: FlowGraph) -> Iterator[str]:
    roles = {node.role for node in graph.nodes}
    for role, style in CLASSES.items():
        if role in roles:
            yield f"classDef {_class(role)} {style}"


def _class(role: Role) -> str:
    # `end` is a keyword of Mermaid.
    return f"role_{role}"


def mermaid_escaped(text: str) -> str:
    """A text as Mermaid has to see it to show it.

    >>> mermaid_escaped('say "<hi>"')
    'say #34;#60;hi#62;#34;'
    """
    # Mermaid decodes what is escaped before it looks for these, so they have to be taken apart.
    apart = MEANT.sub(lambda found: f"{found[0]}{JOINER}", text)
    return "".join(
        one if one in UNESCAPED or not one.isascii() else f"#{ord(one)};" for one in apart
    )
