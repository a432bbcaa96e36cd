"""How the parts of a flow are connected: a walk through it, and the pairs of conduits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Generator, Hashable, Iterator
from math import inf
from typing import Any, Generic

from .._typing import T
from .parts import Description, Node, Parallel, Part, Series, Through, first_role

__all__ = ["Wiring", "connections"]


class Wiring(ABC, Generic[T]):
    """Walks once through a flow from its sources on, and feeds each part from the ports of those
    before it.

    A port is where the next part is fed from; what it knows is up to the subclass.
    """

    #: above, the edges of a junction from several ports into a group meet in one
    most_edges: float = inf

    def lay(self, part: Part, ports: list[T]) -> list[T]:
        """Feed a part from these ports, and give its own.

        Recursive in the depth to which groups are nested, not in the length of chains.
        """
        match part:
            case Series():
                for one in part.parts:
                    ports = self.lay(one, ports)
                return ports
            case Parallel():
                return self._split(part, ports)
            case Through():
                return self.pass_by(part, ports)
            case _:
                return self.reach(part, ports)

    @abstractmethod
    def reach(self, one: Description | Node, ports: list[T]) -> list[T]:
        """Feed one conduit from these ports, and give its own; none of one that ends the flow."""

    @abstractmethod
    def pass_by(self, through: Through, ports: list[T]) -> list[T]:
        """The ports behind a passthrough."""

    @abstractmethod
    def join(self, ports: list[T]) -> T:
        """These ports as one, for a junction with too many edges."""

    @abstractmethod
    def origin(self, port: T) -> Hashable:
        """Where a port comes from; two that come from one place are one port."""

    @abstractmethod
    def meet(self, ports: list[T]) -> T:
        """Ports that come from one place, as one."""

    def fan_out(self, ports: list[T]) -> list[T]:
        """The ports as a group reads from them."""
        return ports

    def branch(self, ports: list[T], group: Parallel, branch: Part, before: int) -> list[T]:
        """The ports as a branch of a group reads from them; there are so many paths before it."""
        return ports

    def _split(self, group: Parallel, ports: list[T]) -> list[T]:
        ports = self.fan_out(ports)
        if len(ports) > 1 and len(ports) * group.n_entries > self.most_edges:
            ports = [self.join(ports)]
        exits: dict[Hashable, list[T]] = {}
        before = 0
        for branch in group.parts:
            for port in self.lay(branch, self.branch(ports, group, branch, before)):
                exits.setdefault(self.origin(port), []).append(port)
            before += branch.n_paths
        # A passthrough may lie beside a chain of groups that have one each.
        return [same[0] if len(same) == 1 else self.meet(same) for same in exits.values()]


def connections(part: Part, ingoing: Collection[Any]) -> Iterator[tuple[Any, Any]]:
    """The edges of a flow as pairs of conduits, the first of them from those of `ingoing`; one by
    one, as they are asked for.

    Raises ValueError at once if these would feed a producer.
    """
    if ingoing and first_role(part) == "producer":
        names = ", ".join(one.name for one in ingoing)
        raise ValueError(
            f"{_first_name(part)} is a producer: nothing goes into it, but got ingoing={names}"
        )
    return _connections(part, ingoing)


def _first_name(part: Part) -> str:
    while isinstance(part, Series | Parallel):
        part = part.parts[0]
    assert isinstance(part, Description)
    return part.name


def _connections(
    part: Part, feeding: Collection[Any]
) -> Generator[tuple[Any, Any], None, Collection[Any]]:
    """The edges; in the end, what feeds the part behind this one."""
    match part:
        case Series():
            for one in part.parts:
                feeding = yield from _connections(one, feeding)
            return feeding
        case Parallel():
            exits: list[Any] = []
            for branch in part.parts:
                exits += yield from _connections(branch, feeding)
            return exits
        case Description():
            conduit = part if part.source is None else part.source
            for one in feeding:
                yield one, conduit
            return [conduit]
        case _:
            return feeding
