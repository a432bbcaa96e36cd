"""How the parts of a flow are connected: a walk through it, and the pairs of conduits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Generator, Hashable, Iterator
from math import inf
from typing import Any, Generic

from .._typing import T
from .parts import Description, Node, Parallel, Part, Series, Through, first_role
from .trampoline import trampoline

__all__ = ["Wiring", "connections"]


class Wiring(ABC, Generic[T]):
    """Walks once through a flow from its sources on, and feeds each part from the ports of those
    before it.

    A port is the point that feeds the next part; a subclass decides what it knows.
    """

    #: above, the edges of a junction from several ports into a group meet in one
    most_edges: float = inf

    def lay(self, part: Part, ports: list[T]) -> list[T]:
        """Feed a part from these ports, and return its own."""
        return trampoline(self._lay(part, ports))

    def _lay(self, part: Part, ports: list[T]) -> Generator[Any, Any, list[T]]:
        match part:
            case Series():
                for one in part.parts:
                    ports = yield self._lay(one, ports)
                return self.leave(part.branch, ports) if part.branch else ports
            case Parallel():
                split: list[T] = yield self._split(part, ports)
                return split
            case Through():
                return self.pass_by(part, ports)
            case _:
                return self.reach(part, ports)

    @abstractmethod
    def reach(self, one: Description | Node, ports: list[T]) -> list[T]:
        """Feed one conduit from these ports, and return its own; none of one that ends the flow."""

    @abstractmethod
    def pass_by(self, through: Through, ports: list[T]) -> list[T]:
        """The ports behind a passthrough."""

    @abstractmethod
    def join(self, ports: list[T]) -> T:
        """These ports as one, for a junction with too many edges."""

    @abstractmethod
    def origin(self, port: T) -> Hashable:
        """The origin of a port; two ports with one origin are one port."""

    @abstractmethod
    def meet(self, ports: list[T]) -> T:
        """Ports with one origin, as one."""

    def fan_out(self, ports: list[T]) -> list[T]:
        """The ports as a group reads from them."""
        return ports

    def branch(self, ports: list[T], group: Parallel, branch: Part, before: int) -> list[T]:
        """The ports as a branch of a group reads from them; there are so many paths before it."""
        return ports

    def leave(self, branch: str, ports: list[T]) -> list[T]:
        """The ports at the end of a branch with a name."""
        return ports

    def _split(self, group: Parallel, ports: list[T]) -> Generator[Any, Any, list[T]]:
        ports = self.fan_out(ports)
        if len(ports) > 1 and len(ports) * group.n_entries > self.most_edges:
            ports = [self.join(ports)]
        exits: list[T] = []
        before = 0
        for branch in group.parts:
            branched = self.branch(ports, group, branch, before)
            left: list[T] = yield self._lay(branch, branched)
            exits += left
            before += branch.n_paths
        # A passthrough may lie beside a chain of groups that have one each. Only then are all exits
        # looked at, which are looked at again by each group that this one is in.
        return self._met(exits) if sum(branch._passes for branch in group.parts) > 1 else exits

    def _met(self, exits: list[T]) -> list[T]:
        by_origin: dict[Hashable, list[T]] = {}
        for port in exits:
            by_origin.setdefault(self.origin(port), []).append(port)
        return [same[0] if len(same) == 1 else self.meet(same) for same in by_origin.values()]


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


def _connections(whole: Part, feeding: Collection[Any]) -> Iterator[tuple[Any, Any]]:
    # From the outermost part inwards.
    inside: list[_Place] = [_Place(iter((whole,)), feeding)]
    while inside:
        place = inside[-1]
        part = next(place.parts, None)
        match part:
            case Series():
                inside.append(_Place(iter(part.parts), place.feeding))
                continue
            case Parallel():
                inside.append(_Place(iter(part.parts), place.feeding, []))
                continue
            case Description():
                conduit = part if part.source is None else part.source
                for one in place.feeding:
                    yield one, conduit
                given: Collection[Any] = [conduit]
            case None:
                inside.pop()
                given = place.feeding if place.exits is None else place.exits
            case _:
                given = place.feeding
        if inside:
            inside[-1].take(given)


class _Place:
    """Where the walk stands in a part that is made of others."""

    __slots__ = ("exits", "feeding", "parts")

    def __init__(
        self, parts: Iterator[Part], feeding: Collection[Any], exits: list[Any] | None = None
    ) -> None:
        self.parts = parts
        #: what feeds the next one
        self.feeding = feeding
        #: what those side by side have emitted so far; None of those one behind the other
        self.exits = exits

    def take(self, given: Collection[Any]) -> None:
        """Take the ports of the part that comes next."""
        if self.exits is None:
            self.feeding = given
        else:
            self.exits += given
