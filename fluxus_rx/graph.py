"""A flow as data, for drawings and reports of your own.

`flow.describe()` returns its parts: a `Description` of each conduit, in `Series` and in `Parallel`,
with a `Through` for each passthrough. `FlowGraph.of(flow)` has the same as it is drawn: a `Node`
with short texts for each place of a conduit, and the edges between them.

>>> from fluxus_rx import parallel, passthrough, step
>>> flow = step("src", [{"x": 1}]) >> parallel(step("f", lambda x: {"y": x}), passthrough())
>>> def outline(part, indent=0):
...     match part:
...         case Description(role=role, name=name):
...             print(" " * indent + f"{name} ({role})")
...         case Through():
...             print(" " * indent + "as it is")
...         case Series(parts=parts):
...             for one in parts:
...                 outline(one, indent)
...         case Parallel(parts=parts):
...             for number, one in enumerate(parts, 1):
...                 print(" " * indent + f"branch {number}")
...                 outline(one, indent + 2)
>>> outline(flow.describe())
src (producer)
branch 1
  f (transformer)
branch 2
  as it is
"""

from __future__ import annotations

from ._graph.flow_graph import Edge, FlowGraph, Paths
from ._graph.parts import Describable, Description, Node, Parallel, Part, Series, Through

__all__ = [
    "Describable",
    "Description",
    "Edge",
    "FlowGraph",
    "Node",
    "Parallel",
    "Part",
    "Paths",
    "Series",
    "Through",
]
