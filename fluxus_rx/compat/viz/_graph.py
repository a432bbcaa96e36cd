"""A flow as a set of edges."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from typing import Any, Never

from ..._common.messages import shown
from ..._conduits.conduit import role_of
from ..._errors import InvalidFlowError, InvalidOptionError
from ...viz import to_dot
from .._conduits import Consumer, Producer

__all__ = ["FlowGraph"]

Pair = tuple[Any, Any]


class FlowGraph:
    """The conduits of a flow: `connections` are pairs of those that are connected,
    `single_conduits` those that aren't.

    >>> from fluxus_rx.compat.functional import step
    >>> flow = step("src", {"x": 1}) >> step("add", lambda x: {"y": x + 1})
    >>> graph = FlowGraph.from_conduit(flow)
    >>> sorted((source.name, target.name) for source, target in graph.connections)
    [('add', '||'), ('src', 'add')]
    """

    def __init__(
        self,
        *,
        single_conduits: Set[Any] | None = None,
        connections: Set[Pair] | None = None,
    ) -> None:
        self.single_conduits = single_conduits or set()
        self.connections = connections or set()

    @classmethod
    def from_conduit(cls, conduit: Any) -> FlowGraph:
        """The graph of a flow, or of a part of one: with a start, and an end, where it has none.

        Raises TypeError for anything but a conduit.
        """
        if role_of(conduit) is None:
            raise InvalidFlowError(f"from_conduit() takes a flow, not {shown(conduit)}")
        whole = conduit
        if role_of(whole) in ("transformer", "consumer"):
            whole = _Start() >> whole
        if role_of(whole) == "producer":
            whole = whole >> _End()
        made = cls(connections={*whole.get_connections(ingoing=())})
        made._flow_drawn = conduit
        return made

    _flow_drawn: Any = None

    def to_dot(self, **look: Any) -> str:
        """The graph in the language of Graphviz, as `fluxus_rx.viz.to_dot` has it; fonts, sizes and
        colours (`look`) are those of this library.

        Raises ValueError for a graph that was not made of a conduit.
        """
        if self._flow_drawn is None:
            raise InvalidOptionError(
                "to_dot() needs the graph of a flow: FlowGraph.from_conduit(flow)"
            )
        return to_dot(self._flow_drawn)


class _Start(Producer[Never]):
    """Where a part of a flow gets its products from."""

    @property
    def name(self) -> str:
        """As a drawing has it."""
        return ">"

    def produce(self) -> Iterator[Never]:
        """Nothing."""
        return iter(())


class _End(Consumer[Any, None]):
    """Where the products of a flow go."""

    @property
    def name(self) -> str:
        """As a drawing has it."""
        return "||"

    def consume(self, products: Iterable[Any]) -> None:
        """Take all."""


# Users see what they import, not where it is written.
FlowGraph.__module__ = "fluxus_rx.compat.viz"
