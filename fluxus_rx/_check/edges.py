"""How many products the edges of a flow can hold.

What lies between two steps are calls that wait for room, queues, and the hand of what drives a
pipeline; the numbers are those of `_workers`, `_pipelines`, `_bridge` and `_merging`.
"""

from __future__ import annotations

import dataclasses
from itertools import count
from math import inf, isnan, nan
from typing import Final, Literal, NamedTuple

from .._common.text import counted
from .._graph.parts import Description
from .._options.step_options import StepOptions
from .._streams.channel import BUFFER
from .attributes import KnownAttributes, merged_attributes
from .options import Remark, calls_of

__all__ = [
    "UNKNOWN",
    "Capacity",
    "CheckedEdge",
    "Port",
    "capacity_of_calls",
    "joined_ports",
    "port_keys",
]


@dataclasses.dataclass(eq=False)
class Capacity:
    """Products that one part of an edge can hold; not a number where that isn't known."""

    size: float
    words: str = ""
    #: the option that sets it
    lower: str = ""
    #: whether it is a source that is read ahead, if what comes behind it calls for that
    ahead: bool = False


UNKNOWN: Final = Capacity(nan)

port_keys = count()


class Port(NamedTuple):
    """Where the next part is fed from: a step, and what products wait in behind it.

    `queues` are those whose size the next asynchronous step sets. Products come as they are asked
    for, in a pipeline, or out of one: to a branch of a group, or through Rx operators; then they
    have to be taken in.
    """

    source: str | None
    key: int
    parts: tuple[Capacity, ...] = ()
    queues: tuple[Capacity, ...] = ()
    come: Literal["as asked for", "to a branch", "through operators"] = "as asked for"
    #: whether several paths lead to here
    many: bool = False
    known: KnownAttributes | None = None

    @property
    def holds(self) -> float:
        """How many products wait in all."""
        return sum(part.size for part in self.parts)

    def taken_in(self) -> Port:
        """The same, in a pipeline."""
        if self.come == "as asked for":
            return self
        queue = "the queue of the branch" if self.come == "to a branch" else "a queue behind it"
        intake = Capacity(BUFFER, f"in {queue}")
        return self._replace(parts=(*self.parts, intake), queues=(intake,), come="as asked for")

    def emitted(self) -> Port:
        """The same, out of its pipeline; what drives that has one product in its hand."""
        if self.come == "to a branch":
            return self
        port = self.taken_in()
        return port._replace(
            parts=(*port.parts, Capacity(1, "on its way")), queues=(), come="to a branch"
        )


def joined_ports(ports: list[Port]) -> Port:
    """The ports as one, for a junction with too many edges."""
    named = [port for port in ports if port.source is not None]
    holds = [port.holds for port in named]
    most = nan if any(map(isnan, holds)) else max(holds, default=0)
    known = merged_attributes(port.known for port in ports)
    parts = (Capacity(most, "behind the one that holds most"),)
    source = counted(len(named), "step") if named else None
    return Port(source, next(port_keys), parts, (), "to a branch", True, known)


def _number(number: float) -> str:
    return "any number" if number == inf else f"{number:,}"


class CheckedEdge(NamedTuple):
    """What lies between a port and the step behind it; `taken` says how that takes products."""

    port: Port
    taken: str

    def told(self) -> Remark:
        """What it can hold; once all sizes are set."""
        parts = [part for part in self.port.parts if part.size]
        holds = self.port.holds
        if isnan(holds):
            return Remark("info", "how many products wait depends on how they are taken")
        if not parts:
            return Remark("info", f"no products wait; {self.taken}")
        most = f"at most {counted(holds, 'product waits', 'products wait')}"
        if holds == inf:
            most = "any number of products wait"
        each = " on each path" if self.port.many else ""
        detail = ", ".join(f"{_number(part.size)} {part.words}" for part in parts)
        lower = " and ".join(dict.fromkeys(part.lower for part in parts if part.lower))
        remedy = f"for fewer, lower {lower}" if lower else ""
        return Remark("info", f"{most}{each} ({detail}); {self.taken}", remedy)


def capacity_of_calls(step: Description, settled: StepOptions) -> Capacity:
    """What an asynchronous step holds beside its queue."""
    name, calls = step.name, calls_of(settled)
    if not settled.ordered:
        words = f"with calls of {name!r} that wait for room"
        return Capacity(calls, words, f"concurrency= of {name!r}")
    others = (settled.window or 4 * settled.limit) - 1
    # The last one begins while there is room in the queue for one more.
    held = others
    if not step.is_step or step.is_generator:
        held = others * BUFFER + calls  # each of the calls in flight has one more in its hand
    return Capacity(held, f"in the window of {name!r}", f"window= of {name!r}")
