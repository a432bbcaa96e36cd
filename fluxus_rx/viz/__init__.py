"""Drawings of flows: as a tree for terminals, as a graph, as text for Mermaid.

>>> from fluxus_rx import step
>>> print(to_tree(step("src", [{"x": 1}]) >> step("double", lambda x: {"x": 2 * x})))
▷ src  [{'x': 1}]
○ double
◉ end
"""

from __future__ import annotations

from .._graph.flow_graph import Edge, FlowGraph, Paths
from .._graph.parts import Node
from ._dot import to_dot
from ._draw import draw
from ._mermaid import to_mermaid
from ._tree import to_tree

__all__ = ["Edge", "FlowGraph", "Node", "Paths", "draw", "to_dot", "to_mermaid", "to_tree"]

# Users see and report what they import, not where it is written; the classes are of `graph`.
for _public in (draw, to_dot, to_mermaid, to_tree):
    _public.__module__ = __name__
