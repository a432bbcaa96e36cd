"""A flow as a graph: nodes by occurrence, edges between them, and the paths along each edge."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from .._conduits.conduit import Conduit
from ._parts import Node, Parallel, Part, Series, Through, parts_of

__all__ = ["Edge", "FlowGraph", "Node", "Paths", "Wiring", "wired"]

#: Above, a drawing tells how many paths there are, not which.
MOST_PATHS = 4_096

#: Above, the edges of a junction from several nodes to several others meet in a point.
MOST_EDGES = 25

#: Above this depth, a drawing runs from top to bottom: pages are not that wide.
MOST_COLUMNS = 9

#: How many ranges of path indices a label has at most.
MOST_RANGES = 6


@dataclasses.dataclass(frozen=True)
class Paths:
    """The paths that lead along an edge: how many, and their indices, unless there are too many.

    The n-th path is the n-th one of `run`'s result.

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
            return f"about 10^{digits} paths" if digits > 6 else f"{self.count} paths"
        texts = [str(one[0]) if len(one) == 1 else f"{one[0]}-{one[-1]}" for one in self.ranges]
        if len(texts) <= MOST_RANGES:
            return ", ".join(texts)
        return f"{', '.join(texts[: MOST_RANGES - 1])}, … ({self.count} paths)"


@dataclasses.dataclass(frozen=True)
class Edge:
    """The way from one node to another, by their keys.

    `through` tells that it leads through a passthrough. `paths` is None unless it was asked for.
    """

    source: str
    target: str
    through: bool = False
    paths: Paths | None = None


@dataclasses.dataclass(frozen=True)
class FlowGraph:
    """The nodes and edges of a drawing, both in the order in which the flow is written.

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
    def of(cls, conduit: Conduit, *, paths: bool = False) -> FlowGraph:
        """The graph of a flow or of a part of one, in time and memory linear in its size.

        A conduit that occurs twice is two nodes. With `paths`, each edge knows its paths.
        """
        wiring = wired(parts_of(conduit), paths)
        return cls(tuple(wiring.nodes), tuple(wiring.edges))

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


@dataclasses.dataclass(frozen=True)
class _Port:
    """Where the next part is fed from: a node, and the paths up to here that end in it.

    Each of these paths splits up further on. They are told by the index of the first path of the
    whole flow that each becomes, or by their number alone.
    """

    source: str | None
    through: bool
    count: int
    starts: list[int] | None

    @classmethod
    def merged(cls, ports: Iterable[_Port], source: str | None, through: bool = False) -> _Port:
        """All these paths, come together in one node."""
        ports = [*ports]
        starts = ports[0].starts
        if starts is not None and len(ports) > 1:
            starts = sorted(start for port in ports for start in port.starts or ())
        return cls(source, through, sum(port.count for port in ports), starts)

    def shifted(self, offset: int) -> _Port:
        """The same paths, in a branch whose paths have these indices more."""
        if self.starts is None or not offset:
            return self
        return dataclasses.replace(self, starts=[start + offset for start in self.starts])

    def paths(self, size: int) -> Paths:
        """The paths of the whole flow, `size` for each that leads up to here."""
        if self.starts is None:
            return Paths(self.count * size)
        ranges: list[range] = []
        for start in self.starts:
            if ranges and ranges[-1].stop == start:
                ranges[-1] = range(ranges[-1].start, start + size)
            else:
                ranges.append(range(start, start + size))
        return Paths(self.count * size, tuple(ranges))


class Wiring:
    """Lays the edges of one graph, part by part."""

    def __init__(self, with_paths: bool) -> None:
        self.nodes: list[Node] = []
        self.edges: list[Edge] = []
        #: by the key of a node or of a passthrough
        self.paths: dict[str, Paths] = {}
        self._with_paths = with_paths
        self._joins = 0

    def lay(self, part: Part, ports: list[_Port], size: int) -> list[_Port]:
        """Feed a part from these ports, and give its own.

        `size` is the number of paths, of the whole flow, into which each path up to here splits.
        """
        match part:
            case Node():
                return [self._reach(part, ports, size)]
            case Through():
                if self._with_paths:
                    self.paths[part.key] = _Port.merged(ports, None).paths(size)
                return [dataclasses.replace(port, through=True) for port in ports]
            case Series():
                for one in part.parts:
                    ports = self.lay(one, ports, size)
                    size //= one.n_paths
                return ports
            case Parallel():
                return self._split(part, ports, size)

    def _reach(self, node: Node, ports: list[_Port], size: int) -> _Port:
        self.nodes.append(node)
        for port in ports:
            if port.source is not None:
                paths = port.paths(size) if self._with_paths else None
                self.edges.append(Edge(port.source, node.key, port.through, paths))
        reached = _Port.merged(ports, node.key)
        if self._with_paths:
            self.paths[node.key] = reached.paths(size)
        return reached

    def _split(self, part: Parallel, ports: list[_Port], size: int) -> list[_Port]:
        if len(ports) > 1 and len(ports) * part.n_entries > MOST_EDGES:
            join = Node(f"j{self._joins}", "join", "")
            self._joins += 1
            ports = [self._reach(join, ports, size)]
        rest = size // part.n_paths
        exits: list[_Port] = []
        offset = 0
        for branch in part.parts:
            fed = [port.shifted(offset * rest) for port in ports]
            exits += self.lay(branch, fed, branch.n_paths * rest)
            offset += branch.n_paths
        return _distinct(exits)


def _distinct(ports: Sequence[_Port]) -> list[_Port]:
    """One port for each node: a passthrough may lie beside a chain of groups that have one each."""
    by_source: dict[str | None, list[_Port]] = {}
    for port in ports:
        by_source.setdefault(port.source, []).append(port)
    return [
        same[0] if len(same) == 1 else _Port.merged(same, source, same[0].through)
        for source, same in by_source.items()
    ]


def wired(whole: Series, with_paths: bool) -> Wiring:
    """The wiring of a whole flow."""
    wiring = Wiring(with_paths)
    indexed = with_paths and whole.n_paths <= MOST_PATHS
    # A producer is fed from nowhere.
    outside = _Port(None, False, 1, [0] if indexed else None)
    wiring.lay(whole, [outside], whole.n_paths if with_paths else 1)
    return wiring
