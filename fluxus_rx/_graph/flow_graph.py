"""A drawing of a flow: its nodes, the edges between them, and the paths along each edge."""

from __future__ import annotations

import dataclasses
import re
import sys
from collections.abc import Generator, Hashable, Iterable, Iterator, Mapping, Sequence, Set
from itertools import count
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

from .._common.encoding import printed
from .._common.messages import short, shown
from .._common.secrets import MASK, is_secret
from .._common.signatures import function_name
from .._common.text import counted, printable
from .._errors import InvalidFlowError
from .mistakes import meant_by
from .parts import (
    Describable,
    Description,
    Node,
    Parallel,
    Part,
    Series,
    Through,
    first_role,
    in_series,
    is_describable,
    last_role,
    part_of,
)
from .trampoline import trampoline
from .wiring import Wiring

__all__ = ["Drawing", "Edge", "FlowGraph", "Paths", "lay_edges", "whole_of"]

#: Above, a drawing tells how many paths there are, not which.
MOST_PATHS = 4_096

#: Above, the edges of a junction from several nodes to several others meet in a point.
MOST_EDGES = 25

#: Above this depth, a drawing runs from top to bottom: pages are not that wide.
MOST_COLUMNS = 9

#: How many ranges of path indices a label has at most.
MOST_RANGES = 6

#: An object whose text is longer is shown by its class: that says more than how the text begins.
#: A text in angle brackets tells less than an expression, such as that of a retry policy.
LONGEST_OBJECT, LONGEST_BRACKETS = 80, 40

#: Of a conduit around others, a drawing names so many.
MOST_INNER = 5
#: how what is made of operators is connected
_PIPED = ("reactivex", "aiostream")

_COLLECTIONS = (Mapping, Sequence, Set)

_FUNCTIONS = (FunctionType, BuiltinFunctionType, MethodType, type)


@printed
@dataclasses.dataclass(frozen=True)
class Paths:
    """The paths that lead along an edge: how many, and their indices, unless there are too many.

    The path with the index n is the n-th path of the result of `run`.

    >>> print(Paths(5, (range(0, 4), range(7, 8))))
    0-3, 7
    >>> print(Paths(2**64))
    about 10^19 paths
    """

    count: int
    ranges: tuple[range, ...] | None = None

    def __str__(self) -> str:
        if self.ranges is None:
            # By its logarithm, as the digits of a huge number would take Python for ever.
            digits = int((self.count.bit_length() - 1) * 0.30103)
            return f"about 10^{digits} paths" if digits > 6 else counted(self.count, "path")
        texts = [str(one[0]) if len(one) == 1 else f"{one[0]}-{one[-1]}" for one in self.ranges]
        if len(texts) <= MOST_RANGES:
            return ", ".join(texts)
        return f"{', '.join(texts[: MOST_RANGES - 1])}, … ({counted(self.count, 'path')})"


@printed
@dataclasses.dataclass(frozen=True)
class Edge:
    """The way from one node to another, by their keys.

    `through` tells whether it leads through a passthrough. `paths` is None unless `FlowGraph.of`
    was asked for them. `branch` is the name of the branch that it leads out of, if that has one
    (`path`), after those of the branches around it which end there, too.

    >>> Edge("n0", "n1", paths=Paths(1, (range(0, 1),)), branch="alpha").label
    'alpha, 0'
    """

    source: str
    target: str
    through: bool = False
    paths: Paths | None = None
    branch: str = ""

    @property
    def label(self) -> str:
        """The text beside it in a drawing: the branch, and the paths; empty without both."""
        paths = "" if self.paths is None else str(self.paths)
        return ", ".join(text for text in (printable(self.branch), paths) if text)


@printed
@dataclasses.dataclass(frozen=True)
class FlowGraph:
    """The nodes and edges of a drawing of a flow, both in the order in which the flow is written.

    >>> from fluxus_rx import parallel, passthrough, step
    >>> flow = step("src", [{"x": 1}]) >> parallel(step("f", lambda x: {"y": x}), passthrough())
    >>> graph = FlowGraph.of(flow)
    >>> [node.name for node in graph.nodes]
    ['src', 'f', 'end']
    >>> [(edge.source, edge.target, edge.through) for edge in graph.edges]
    [('n0', 'n1', False), ('n1', 'n3', False), ('n0', 'n3', True)]
    """

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    @classmethod
    def of(cls, conduit: Describable, *, paths: bool = False) -> FlowGraph:
        """The graph of a flow or of a part of one; takes time and memory linear in its size.

        A conduit that stands in two places is two nodes. With `paths`, each edge knows its paths.
        """
        drawing = lay_edges(whole_of(conduit), paths)
        return cls(tuple(drawing.nodes), tuple(drawing.edges))

    @property
    def is_long(self) -> bool:
        """Whether its drawing should run from top to bottom rather than from left to right."""
        return self.depth > MOST_COLUMNS

    @property
    def depth(self) -> int:
        """The number of nodes on the longest way, points of junction included."""
        depths = {node.key: 1 for node in self.nodes}
        # Edges into a node come before those out of it, as the flow is written from start to end.
        for edge in self.edges:
            depths[edge.target] = max(depths[edge.target], depths[edge.source] + 1)
        return max(depths.values())


def whole_of(flow: Describable) -> Series:
    """The whole of a flow as it is drawn, with a start if no producer begins it and an end if no
    consumer ends it.

    Raises TypeError for anything but a flow.
    """
    if not is_describable(flow):
        raise InvalidFlowError(f"a drawing shows a flow, not {shown(flow)}{meant_by(flow)}")
    part = part_of(flow)
    keys = (f"n{number}" for number in count())
    # The start is the first of all, so that the nodes are numbered as they are read.
    begins = first_role(part) == "producer"
    start = [] if begins else [Node(next(keys), "start", "start")]
    placed = trampoline(_with_key(part, keys))
    last = [] if last_role(part) == "consumer" else [Node(next(keys), "end", "end")]
    return in_series((*start, placed, *last))


def _with_key(part: Part, keys: Iterator[str]) -> Generator[Any, Any, Part]:
    match part:
        case Series() | Parallel():
            parts = []
            for one in part.parts:
                parts.append((yield _with_key(one, keys)))
            return type(part)(tuple(parts), part.branch)
        case Through():
            return Through(next(keys))
        case Description():
            return _node_of(part, next(keys))
        case Node():
            return part


def _node_of(one: Description, key: str) -> Node:
    # Those of operators are its content.
    piped = one.connection in _PIPED
    arguments = {k: v for k, v in one.arguments.items() if not (piped and k == "operators")}
    return Node(
        key,
        one.role,
        printable(str(one.name)).strip() or one.kind,
        _content(one),
        {printable(str(name)): _value_text(value, name) for name, value in arguments.items()}
        | {name: f"{printable(function_name(make))}()" for name, make in one.using.items()},
        {name: _value_text(value) for name, value in {**one.inherited, **one.options}.items()},
        description=one,
    )


def _content(one: Description) -> str:
    """What a step calls, unless it has the step's name or none; or the data that it emits, unless
    that is one of its arguments."""
    if one.inner is not None:
        names = one.inner_names
        more = f" and {len(names) - MOST_INNER} more" if len(names) > MOST_INNER else ""
        return printable(f"around {', '.join(names[:MOST_INNER])}{more}")
    if one.is_step and one.function is not None:
        name = function_name(one.function)
        if one.source is not None and getattr(one.function, "__self__", None) is one.source:
            name = one.kind  # a method of the step itself
        return "" if name in (one.name, "<lambda>") else printable(name)
    if one.connection in _PIPED:
        return printable(", ".join(map(str, one.arguments.get("operators", ()))))
    if one.data is None or any(value is one.data for value in one.arguments.values()):
        return ""
    return _value_text(one.data)


def _value_text(value: object, name: str = "") -> str:
    """A value in a few words, the same in every run: without addresses, and without the state that
    locks and the like show; a secret is masked."""
    if is_secret(value, name):
        return MASK
    if isinstance(value, _FUNCTIONS):
        return printable(function_name(value))
    if type(value) is tuple and value and all(isinstance(one, _FUNCTIONS) for one in value):
        return f"({', '.join(map(_value_text, value))})"
    if type(value).__repr__ is object.__repr__:
        return printable(f"<{type(value).__name__}>")
    text = short(value)
    if isinstance(value, str):
        return printable(text)
    name = type(value).__name__
    text = re.sub(r" at 0x[0-9A-Fa-f]+(?=>| \[|\.\.\.)", "", text)
    # Paths, dates and collections say what they are by what they begin with.
    is_plain = isinstance(value, _COLLECTIONS) or type(value).__module__ in sys.stdlib_module_names
    in_brackets = text.startswith("<") and len(text) > LONGEST_BRACKETS
    is_long = in_brackets or (len(text) > LONGEST_OBJECT and not is_plain)
    if is_long or f"{name} object [" in text:
        return printable(f"<{name}>")
    return printable(text)


@dataclasses.dataclass(frozen=True)
class _Port:
    """Where the next part is fed from: a node, and the paths up to here that end in it.

    Each of these paths splits up further on, into `size` paths of the whole flow. They are told by
    the index of the first path of the whole flow that each becomes, or by their number alone.
    """

    source: str | None
    through: bool
    count: int
    starts: list[int] | None
    size: int
    #: the name of the branch that has ended there
    branch: str = ""

    @classmethod
    def merged(cls, ports: Iterable[_Port], source: str | None, through: bool = False) -> _Port:
        """All these paths, come together in one node."""
        ports = [*ports]
        starts = ports[0].starts
        if starts is not None and len(ports) > 1:
            starts = sorted(start for port in ports for start in port.starts or ())
        return cls(source, through, sum(port.count for port in ports), starts, ports[0].size)

    def of_branch(self, group: Parallel, branch: Part, before: int) -> _Port:
        """The same paths, in a branch with so many paths of the group before its own."""
        rest = self.size // group.n_paths
        starts = self.starts
        if starts is not None and before:
            starts = [start + before * rest for start in starts]
        return dataclasses.replace(self, starts=starts, size=branch.n_paths * rest)

    @property
    def paths(self) -> Paths:
        """The paths of the whole flow that lead through here."""
        if self.starts is None:
            return Paths(self.count * self.size)
        ranges: list[range] = []
        for start in self.starts:
            if ranges and ranges[-1].stop == start:
                ranges[-1] = range(ranges[-1].start, start + self.size)
            else:
                ranges.append(range(start, start + self.size))
        return Paths(self.count * self.size, tuple(ranges))


class Drawing(Wiring[_Port]):
    """Lays the edges of one drawing."""

    most_edges = MOST_EDGES

    def __init__(self, with_paths: bool) -> None:
        self.nodes: list[Node] = []
        self.edges: list[Edge] = []
        #: by the key of a node or of a passthrough
        self.paths: dict[str, Paths] = {}
        self._with_paths = with_paths
        self._joins = 0

    def reach(self, one: Description | Node, ports: list[_Port]) -> list[_Port]:
        """Lay the edges to a node."""
        assert isinstance(one, Node)
        self.nodes.append(one)
        for port in ports:
            if port.source is not None:
                paths = port.paths if self._with_paths else None
                self.edges.append(Edge(port.source, one.key, port.through, paths, port.branch))
        reached = _Port.merged(ports, one.key)
        if self._with_paths:
            self.paths[one.key] = reached.paths
        return [reached]

    def pass_by(self, through: Through, ports: list[_Port]) -> list[_Port]:
        """Edges that lead on from here have come through a passthrough."""
        if self._with_paths:
            self.paths[through.key] = _Port.merged(ports, None).paths
        return [dataclasses.replace(port, through=True) for port in ports]

    def join(self, ports: list[_Port]) -> _Port:
        """A point in which the edges meet."""
        self._joins += 1
        [port] = self.reach(Node(f"j{self._joins - 1}", "join", ""), ports)
        return port

    def origin(self, port: _Port) -> Hashable:
        """The node."""
        return port.source

    def meet(self, ports: list[_Port]) -> _Port:
        """All their paths, on one edge."""
        return _Port.merged(ports, ports[0].source, ports[0].through)

    def leave(self, branch: str, ports: list[_Port]) -> list[_Port]:
        """The edges that lead on from here have the name of the branch."""
        return [
            dataclasses.replace(
                port, branch=": ".join([branch, port.branch] if port.branch else [branch])
            )
            for port in ports
        ]

    def branch(self, ports: list[_Port], group: Parallel, branch: Part, before: int) -> list[_Port]:
        """The ports, their paths counted as those of this branch."""
        return [port.of_branch(group, branch, before) for port in ports]


def lay_edges(whole: Series, with_paths: bool) -> Drawing:
    """The nodes and edges of a whole flow."""
    drawing = Drawing(with_paths)
    indexed = with_paths and whole.n_paths <= MOST_PATHS
    # A producer is fed from nowhere.
    size = whole.n_paths if with_paths else 1
    drawing.lay(whole, [_Port(None, False, 1, [0] if indexed else None, size)])
    return drawing


# Users see and report what they import, not where it is written.
for _public in (Edge, FlowGraph, Paths):
    _public.__module__ = "fluxus_rx.graph"
