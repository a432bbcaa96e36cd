"""What all conduits have in common: a name, a place in a graph, an expression that builds them."""

from __future__ import annotations

import inspect
from abc import ABC
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import reduce
from itertools import product as cartesian
from typing import TYPE_CHECKING, Any, Union, cast

from ._errors import InvalidFlowError, short, shown
from ._generics import fits, type_name
from ._options import StepOptions
from ._typing import T

__all__ = [
    "Chain",
    "Conduit",
    "Group",
    "cannot_chain",
    "cannot_group",
    "check_types",
    "flat",
    "has_passthrough",
    "passthrough_chained",
]


_MISSING: Any = object()


class Conduit(ABC):  # noqa: B024 - what is abstract is the method of each role
    """An element of a flow, or a composition of such elements.

    Conduits are never changed by running them: one may stand in many flows, and run many times, at
    once if need be.
    """

    @property
    def name(self) -> str:
        """What messages, results and drawings call this conduit; the class name by default."""
        return type(self).__name__

    @property
    def is_chained(self) -> bool:
        """Whether there is a chain of conduits in this."""
        return False

    @property
    def is_concurrent(self) -> bool:
        """Whether there is a group of parallel conduits in this."""
        return False

    @property
    def is_atomic(self) -> bool:
        """Whether this is neither a chain nor a group."""
        return not (self.is_chained or self.is_concurrent)

    @property
    def chained_conduits(self) -> Iterator[Conduit]:
        """The conduits of a chain, from the first to the last; of anything else, itself."""
        return iter((self,))

    @property
    def final_conduit(self) -> Conduit:
        """The last conduit of a chain; of anything else, itself."""
        *_, last = self.chained_conduits
        return last

    def get_final_conduits(self) -> Iterator[Conduit]:
        """The atomic conduits that end the paths of this one, one branch after the other."""
        return iter(self._flow_finals([]))

    @property
    def n_concurrent_conduits(self) -> int:
        """The number of paths through this conduit."""
        return 1

    def iter_concurrent_conduits(self) -> Iterator[Conduit]:
        """For each path, in the order of results, the conduit that is that path alone."""
        yield self

    def get_connections(
        self, *, ingoing: Collection[Conduit] = ()
    ) -> Iterator[tuple[Conduit, Conduit]]:
        """The edges of the graph, as pairs of atomic conduits; `ingoing` are those that feed it."""
        for conduit in ingoing:
            yield conduit, self

    def get_repr_attributes(self) -> Mapping[str, Any]:
        """The arguments that make this conduit, as far as they differ from the defaults."""
        return _init_arguments(self)

    def _flow_finals(self, ingoing: list[Conduit]) -> list[Conduit]:
        return [self]

    def _flow_firsts(self) -> Iterator[Conduit]:
        yield self

    _flow_is_passthrough = False

    @property
    def _flow_is_async(self) -> bool:
        return False

    @property
    def _flow_is_source(self) -> bool:
        return False

    @property
    def _flow_is_end(self) -> bool:
        return False

    @property
    def _flow_why_source(self) -> str:
        """Why it is a producer, for messages."""
        return "(it takes no input)"

    @property
    def _flow_label(self) -> str:
        """This conduit in a message."""
        return repr(self)

    def __repr__(self) -> str:
        arguments = ", ".join(f"{k}={short(v)}" for k, v in self.get_repr_attributes().items())
        return f"{type(self).__name__}({arguments}){_options_repr(self)}"

    def __str__(self) -> str:
        return repr(self)

    def _flow_after(self, first: Conduit) -> Any:
        """`first >> self`; each role knows what may stand before it."""
        raise cannot_chain(first, self)

    if not TYPE_CHECKING:  # a type checker refuses what a role doesn't define; so do these

        def __rshift__(self, other):
            raise cannot_chain(self, other)

        def __and__(self, other):
            raise cannot_group(self, other)


def _init_arguments(conduit: Conduit) -> dict[str, Any]:
    """The arguments of `__init__` that are kept under their name, or under `_name`."""
    try:
        parameters = inspect.signature(type(conduit)).parameters.values()
    except (TypeError, ValueError):
        return {}
    kept = vars(conduit)
    found: dict[str, Any] = {}
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        value = kept.get(parameter.name, kept.get(f"_{parameter.name}", _MISSING))
        if value is not _MISSING and not _same(value, parameter.default):
            found[parameter.name] = value
    return found


def _same(value: object, default: object) -> bool:
    try:
        return value is default or bool(value == default)
    except Exception:  # an array has no truth value; then it is shown
        return False


def _options_repr(conduit: Conduit) -> str:
    changed = getattr(conduit, "_flow_options", StepOptions()).changed()
    return f".options({', '.join(f'{k}={v!r}' for k, v in changed.items())})" if changed else ""


class Chain(Conduit):
    """What chains have in common, whatever their role; `conduits` is flat."""

    conduits: tuple[Any, ...]

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
            steps = [step for step in choice if not step._flow_is_passthrough]
            yield (
                reduce(lambda chain, step: chain >> step, cast(Any, steps)) if steps else choice[0]
            )

    def get_connections(
        self, *, ingoing: Collection[Conduit] = ()
    ) -> Iterator[tuple[Conduit, Conduit]]:
        """The edges of the graph, as pairs of atomic conduits."""
        feeding = [*ingoing]
        for conduit in self.conduits:
            yield from conduit.get_connections(ingoing=feeding)
            feeding = conduit._flow_finals(feeding)

    def get_repr_attributes(self) -> Mapping[str, Any]:
        """None: a chain is the conduits in it."""
        return {}

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

    @property
    def _flow_is_async(self) -> bool:
        return any(conduit._flow_is_async for conduit in self.conduits)

    def __repr__(self) -> str:
        return " >> ".join(
            f"({conduit!r})" if isinstance(conduit, Group) else repr(conduit)
            for conduit in self.conduits
        )


class Group(Conduit):
    """What groups of parallel conduits have in common; `conduits` is flat."""

    conduits: tuple[Any, ...]

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

    def get_connections(
        self, *, ingoing: Collection[Conduit] = ()
    ) -> Iterator[tuple[Conduit, Conduit]]:
        """The edges of the graph, as pairs of atomic conduits."""
        for conduit in self.conduits:
            yield from conduit.get_connections(ingoing=ingoing)

    def get_repr_attributes(self) -> Mapping[str, Any]:
        """None: a group is the conduits in it."""
        return {}

    def _flow_finals(self, ingoing: list[Conduit]) -> list[Conduit]:
        return [final for conduit in self.conduits for final in conduit._flow_finals(ingoing)]

    def _flow_firsts(self) -> Iterator[Conduit]:
        for conduit in self.conduits:
            yield from conduit._flow_firsts()

    @property
    def _flow_is_async(self) -> bool:
        return any(conduit._flow_is_async for conduit in self.conduits)

    @property
    def product_type(self) -> Any:
        """The union of those of the conduits."""
        kinds = [
            conduit.product_type for conduit in self.conduits if hasattr(conduit, "product_type")
        ]
        return Any if Any in kinds else Union[tuple(kinds)]  # noqa: UP007 - made of values

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
    return conduit._flow_is_passthrough


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


def cannot_chain(first: object, second: object) -> InvalidFlowError:
    """The error for a chain of two things that can't be chained."""
    ends = [one if isinstance(one, Conduit) else None for one in (first, second)]
    if any(end is not None and end._flow_is_passthrough for end in ends):
        return passthrough_chained()
    names = [one._flow_label if isinstance(one, Conduit) else shown(one) for one in (first, second)]
    text = f"cannot chain {names[0]} into {names[1]}"
    if ends[1] is not None and ends[1]._flow_is_source:
        return InvalidFlowError(
            f"{text}: {names[1]} is a producer {ends[1]._flow_why_source}, and a producer can only"
            " come first"
        )
    if ends[0] is not None and ends[0]._flow_is_end:
        return InvalidFlowError(f"{text}: a consumer ends a flow, so it can only come last")
    return InvalidFlowError(f"{text}; expected a step, a group or a consumer")


def passthrough_chained() -> InvalidFlowError:
    """The error for a passthrough in a chain."""
    return InvalidFlowError(
        "a passthrough has no effect in a chain; it belongs in parallel(), beside other steps"
    )


def cannot_group(first: Conduit, second: object) -> InvalidFlowError:
    """The error for a group of two things that can't stand side by side."""
    if not isinstance(second, Conduit):
        label = shown(second)
    elif first._flow_is_end or second._flow_is_end:
        label = second._flow_label
    else:
        pair = (first, second) if first._flow_is_source else (second, first)
        return InvalidFlowError(
            f"& cannot mix producers ({pair[0]._flow_label}) with transformers"
            f" ({pair[1]._flow_label}): either all branches take input, or none does"
        )
    return InvalidFlowError(
        f"cannot group {first._flow_label} with {label}; expected a step, a passthrough or a group"
    )
