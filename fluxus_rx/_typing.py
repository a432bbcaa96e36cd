"""The type variables and protocols of the library, in one place."""

from __future__ import annotations

from typing import Any, Protocol

from typing_extensions import TypeVar, TypeVarTuple

__all__ = [
    "A",
    "B",
    "Behind",
    "C",
    "Demand",
    "P",
    "R",
    "T",
    "Ts",
    "Waiter",
    "Whole",
    "Whole2",
    "Whole3",
    "Whole4",
]

#: any item
T = TypeVar("T")
#: any arguments
Ts = TypeVarTuple("Ts")
#: what goes in, what comes out, what comes out after that
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
#: a product, and the result of a consumer
P = TypeVar("P")
R = TypeVar("R")
#: what two conduits are together, and with more; of those that don't fit, a type checker says just
#: that
Whole = TypeVar("Whole", default=Any)
Whole2 = TypeVar("Whole2", default=Any)
Whole3 = TypeVar("Whole3", default=Any)
Whole4 = TypeVar("Whole4", default=Any)


class Demand(Protocol):
    """Whether the next asynchronous stage downstream can take one more item."""

    @property
    def ready(self) -> bool:
        """Whether one more item can be taken now."""
        ...

    async def wait(self) -> None:
        """Return once one more item can be taken, or nobody will take any."""
        ...


class Waiter(Protocol):
    """A waiter: a future of asyncio, or an object that serves as one."""

    def done(self) -> bool:
        """Whether the wait is over."""
        ...

    def set_result(self, result: None, /) -> None:
        """End the wait."""
        ...


#: as above, for the roles: what a conduit takes is contravariant, what it emits covariant
A_contra = TypeVar("A_contra", contravariant=True)
B_co = TypeVar("B_co", covariant=True)
P_co = TypeVar("P_co", covariant=True)
R_co = TypeVar("R_co", covariant=True)
#: the product before, or None
Precursor_co = TypeVar("Precursor_co", covariant=True)
#: the conduit in front, and what the two are together
First_contra = TypeVar("First_contra", contravariant=True)
Whole_co = TypeVar("Whole_co", covariant=True)


class Behind(Protocol[First_contra, Whole_co]):
    """What may stand behind a conduit: `first >> behind` is the whole that the two make.

    A role says with it which roles may stand before it, and `>>` of a role names no other one.
    """

    def _flow_after(self, first: First_contra, /) -> Whole_co: ...
