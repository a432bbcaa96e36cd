"""Chains and groups: what they have in common whatever their role, and what fits into them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import reduce
from itertools import product as cartesian
from typing import Any, Self, cast

from .._common.encoding import printed
from .._common.item_types import fits, type_name, union_of
from .._errors import InvalidFlowError
from .._graph.parts import Parallel, Part, in_series, part_of
from .._options.step_options import StepOptions
from .._typing import T
from .conduit import Conduit

__all__ = ["Chain", "Group", "check_types", "flat", "has_passthrough"]


class Composite(Conduit):
    """What is made of other conduits."""

    conduits: tuple[Any, ...]
    _flow_set_on: tuple[Self, StepOptions] | None = None

    def options(self, **options: Any) -> Self:
        """A copy with these options for all steps in it that have none of their own, and none from
        a chain or a group further inside; see `StepOptions` for their names.

        What was set on this chain or group before stays, but for what is set anew. Raises TypeError
        for a name that is no option, ValueError for a value out of its range.
        """
        inner, before = self._flow_set_on or (self, StepOptions())
        defaults = before.replaced(options, self._flow_label)
        changed = inner._flow_defaulted(defaults, {})
        changed._flow_set_on = inner, defaults
        return changed

    @property
    def _flow_is_ordered(self) -> bool:
        return self._flow_set_on is not None and self._flow_set_on[1].ordered is True

    def _flow_of(self, conduits: tuple[Conduit, ...]) -> Self:
        """The same of other conduits."""
        return type(self)(conduits)  # type: ignore[call-arg]  # the roles' own __init__ takes them

    def _flow_defaulted(self, defaults: StepOptions, known: dict[int, Conduit]) -> Self:
        return self._flow_of(tuple(one._flow_defaulted(defaults, known) for one in self.conduits))

    def _flow_check_options(self, defaults: StepOptions) -> None:
        for conduit in self.conduits:
            conduit._flow_check_options(defaults)

    @property
    def _flow_is_async(self) -> bool:
        return any(conduit._flow_is_async for conduit in self.conduits)

    def get_repr_attributes(self) -> Mapping[str, Any]:
        """None: it is the conduits in it."""
        return {}


@printed
class Chain(Composite):
    """What chains have in common, whatever their role; `conduits` is flat."""

    @staticmethod
    def of(kind: Callable[[tuple[Any, ...]], T], first: Conduit, second: Conduit) -> T:
        """`first >> second`, flat and checked."""
        check_types(first, second)
        return kind((*first.chained_conduits, *second.chained_conduits))

    @property
    def is_chained(self) -> bool:
        """True."""
        return True

    @property
    def is_concurrent(self) -> bool:
        """Whether one of the conduits is a group."""
        return any(conduit.is_concurrent for conduit in self.conduits)

    @property
    def chained_conduits(self) -> Iterator[Conduit]:
        """The conduits from the first to the last."""
        return iter(self.conduits)

    @property
    def n_concurrent_conduits(self) -> int:
        """The number of paths: the product of those of the conduits."""
        return reduce(lambda n, conduit: n * conduit.n_concurrent_conduits, self.conduits, 1)

    def iter_concurrent_conduits(self) -> Iterator[Conduit]:
        """For each path, the chain of that path alone."""
        choices = [[*conduit.iter_concurrent_conduits()] for conduit in self.conduits]
        for choice in cartesian(*choices):
            steps = [step for step in choice if step._flow_role != "passthrough"]
            yield (
                reduce(lambda chain, step: chain >> step, cast(Any, steps)) if steps else choice[0]
            )

    def describe(self) -> Part:
        """A `Series` of what its conduits say of themselves."""
        return in_series(map(part_of, self.conduits))

    def _flow_finals(self, ingoing: list[Conduit]) -> list[Conduit]:
        # From the last conduit that lets nothing pass by it, or a chain built step by step would be
        # walked from its start for each of them.
        start = len(self.conduits) - 1
        while start and has_passthrough(self.conduits[start]):
            start -= 1
        feeding = [] if start else ingoing
        for conduit in self.conduits[start:]:
            feeding = conduit._flow_finals(feeding)
        return feeding

    def _flow_firsts(self) -> Iterator[Conduit]:
        # A passthrough in the first group lets the next conduit be a first one as well.
        for conduit in self.conduits:
            yield from conduit._flow_firsts()
            if not has_passthrough(conduit):
                return

    def __repr__(self) -> str:
        return " >> ".join(
            f"({conduit!r})" if isinstance(conduit, Group) else repr(conduit)
            for conduit in self.conduits
        )


@printed
class Group(Composite):
    """What groups of parallel conduits have in common; `conduits` is flat."""

    @property
    def is_concurrent(self) -> bool:
        """True."""
        return True

    @property
    def is_chained(self) -> bool:
        """Whether one of the branches is a chain."""
        return any(conduit.is_chained for conduit in self.conduits)

    @property
    def n_concurrent_conduits(self) -> int:
        """The number of paths: the sum of those of the conduits."""
        return sum(conduit.n_concurrent_conduits for conduit in self.conduits)

    def iter_concurrent_conduits(self) -> Iterator[Conduit]:
        """The paths of all conduits, one conduit after the other."""
        for conduit in self.conduits:
            yield from conduit.iter_concurrent_conduits()

    def describe(self) -> Part:
        """A `Parallel` of what its conduits say of themselves."""
        return Parallel(tuple(map(part_of, self.conduits)))

    def _flow_finals(self, ingoing: list[Conduit]) -> list[Conduit]:
        return [final for conduit in self.conduits for final in conduit._flow_finals(ingoing)]

    def _flow_firsts(self) -> Iterator[Conduit]:
        for conduit in self.conduits:
            yield from conduit._flow_firsts()

    @property
    def product_type(self) -> Any:
        """The union of those of the conduits."""
        return union_of(
            conduit.product_type for conduit in self.conduits if hasattr(conduit, "product_type")
        )

    def __repr__(self) -> str:
        # The brackets around chains are for the reader: Python would not need them.
        return " & ".join(
            f"({conduit!r})" if isinstance(conduit, Chain) else repr(conduit)
            for conduit in self.conduits
        )


def flat(conduits: Iterable[Conduit]) -> tuple[Conduit, ...]:
    """The conduits of nested groups, side by side."""
    return tuple(
        inner
        for conduit in conduits
        for inner in (conduit.conduits if isinstance(conduit, Group) else (conduit,))
    )


def has_passthrough(conduit: Conduit) -> bool:
    """Whether a product can come through `conduit` as it is."""
    if isinstance(conduit, Group):
        return any(has_passthrough(member) for member in conduit.conduits)
    if isinstance(conduit, Chain):
        return all(has_passthrough(member) for member in conduit.conduits)
    return conduit._flow_role == "passthrough"


def check_types(first: Conduit, second: Conduit) -> None:
    """Refuse a chain whose products don't fit."""
    for final in first._flow_finals([]):
        given = getattr(final, "product_type", Any)
        for target in second._flow_firsts():
            taken = getattr(target, "input_type", Any)
            if not fits(given, taken):
                raise InvalidFlowError(
                    f"cannot chain {final._flow_label} into {target._flow_label}: the first gives"
                    f" {type_name(given)}, but the second takes {type_name(taken)}"
                )
