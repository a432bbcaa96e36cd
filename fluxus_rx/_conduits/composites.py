"""Chains and groups: what they have in common whatever their role, and what fits into them.

Flows are nested deeper than Python's stack is, by programs that write them. So what follows from
the conduits of a composite is found from the innermost on, and kept: conduits never change.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from functools import reduce
from itertools import chain as concatenated
from itertools import product as cartesian
from itertools import takewhile
from math import prod
from typing import TYPE_CHECKING, Any, Self, Unpack, cast

from reactivex import Observable

from .._common.encoding import printed
from .._common.item_types import fits, type_name, union_of
from .._engine.observable import fan_out
from .._errors import InvalidFlowError, InvalidNameError
from .._graph.trampoline import trampoline
from .._options.step_options import NO_OPTIONS, OptionKeywords, StepOptions, shows_options
from .._typing import T
from .conduit import Conduit

if TYPE_CHECKING:
    from .._graph.parts import Part

__all__ = [
    "Chain", "Group", "check_types", "compiled", "entries_of", "flat", "union_of_products",
]  # fmt: skip


@printed
class Composite(Conduit):
    """A conduit that is made of other conduits."""

    _flow_set_on: tuple[Self, StepOptions] | None = None

    def __init__(self, conduits: tuple[Any, ...]) -> None:
        #: what follows from the conduits, as far as somebody has asked
        self._flow_facts: dict[str, Any] = {}
        self._flow_conduits = conduits

    @property
    def conduits(self) -> tuple[Any, ...]:
        """What it is made of."""
        return self._flow_conduits

    @shows_options()
    def options(self, **options: Unpack[OptionKeywords]) -> Self:
        """A copy with these options for all steps in it that set none themselves, nor inherit any
        from a chain or group further inside; `StepOptions` has their meaning.

        Options set on this chain or group before stay, except those set again. Raises TypeError for
        an unknown option, ValueError for a value out of its range.
        """
        return self._flow_with_options(options)

    def _flow_with_options(self, options: OptionKeywords) -> Self:
        inner, before = self._flow_set_on or (self, NO_OPTIONS)
        defaults = before.replaced(options, self._flow_label)
        changed: Self = inner._flow_defaulted(defaults, {})
        changed._flow_set_on = inner, defaults
        return changed

    @property
    def _flow_is_ordered(self) -> bool:
        return self._flow_set_on is not None and self._flow_set_on[1].ordered is True

    def _flow_of(self, conduits: tuple[Conduit, ...]) -> Self:
        """The same of other conduits."""
        return type(self)(conduits)

    def _flow_defaulted(self, defaults: StepOptions, known: dict[int, Conduit]) -> Self:
        changed: Self = trampoline(_defaulted(self, defaults, known))
        return changed

    def _flow_check_options(self, defaults: StepOptions) -> None:
        for one in self._flow_atoms():
            one._flow_check_options(defaults)

    def _flow_keeps_failures(self, defaults: StepOptions) -> bool:
        return any(one._flow_keeps_failures(defaults) for one in self._flow_atoms())

    def _flow_atoms(self) -> Iterator[Conduit]:
        """The conduits in it that aren't composites."""
        inside: list[Conduit] = [self]
        while inside:
            one = inside.pop()
            if isinstance(one, Composite):
                inside += reversed(one.conduits)
            else:
                yield one

    def _flow_fact(self, name: str, find: Callable[[tuple[Any, ...]], T]) -> T:
        """What is found of the conduits under this name, which all those further inside know by
        then; once."""
        facts = self._flow_facts
        if name not in facts:
            for one in reversed(_composites_in(self, name)):
                getattr(one, name, None)
            facts[name] = find(self.conduits)
        found: T = facts[name]
        return found

    @property
    def _flow_is_async(self) -> bool:
        return self._flow_fact(
            "_flow_is_async", lambda inside: any(one._flow_is_async for one in inside)
        )

    def _flow_finals(self) -> Iterator[Conduit]:
        # Each with the chain that it stands in and how many of that come before it, and so on
        # outwards: that is what feeds a passthrough.
        inside: list[tuple[Conduit, Any]] = [(self, None)]
        while inside:
            one, place = inside.pop()
            if isinstance(one, Group):
                inside += [(member, place) for member in reversed(one.conduits)]
            elif isinstance(one, Chain):
                place = one.conduits, len(one.conduits) - 1, place
                inside.append((one.conduits[-1], place))
            elif one._flow_role != "passthrough":
                yield from one._flow_finals()
            elif place is not None:
                conduits, before, outer = place
                while not before and outer is not None:
                    conduits, before, outer = outer
                if before:
                    place = conduits, before - 1, outer
                    inside.append((conduits[before - 1], place))

    def _flow_firsts(self) -> Iterator[Conduit]:
        inside: list[Conduit] = [self]
        while inside:
            one = inside.pop()
            if isinstance(one, Group):
                inside += reversed(one.conduits)
            elif isinstance(one, Chain):
                # A passthrough in the first group lets the next conduit be a first one as well.
                passing = [*takewhile(lambda first: first._flow_passes, one.conduits)]
                inside += reversed(one.conduits[: len(passing) + 1])
            else:
                yield from one._flow_firsts()

    @property
    def _flow_entries(self) -> list[Conduit]:
        return self._flow_fact("_flow_entries", lambda _: entries_of(self._flow_firsts()))

    def describe(self) -> Part:
        """What its conduits say of themselves: those of a chain in a `Series`, those of a group in
        a `Parallel`."""
        return trampoline(_described(self))

    def get_repr_attributes(self) -> Mapping[str, Any]:
        """None: it is the conduits in it."""
        return {}

    def _flow_written(self) -> list[Conduit | str]:
        """The conduits in it, and what is written between them."""
        # The brackets around chains are for the reader: Python would not need them.
        other: type[Composite] = Group if isinstance(self, Chain) else Chain
        written: list[Conduit | str] = []
        for number, inner in enumerate(self.conduits):
            if number:
                written.append(" >> " if isinstance(self, Chain) else " & ")
            is_other = isinstance(inner, other) and not inner._flow_branch
            written += ["(", inner, ")"] if is_other else [inner]
        return written

    def __repr__(self) -> str:
        texts: list[str] = []
        inside: list[Conduit | str] = [self]
        while inside:
            one = inside.pop()
            if not isinstance(one, Composite):
                texts.append(one if isinstance(one, str) else repr(one))
                continue
            inside += reversed(one._flow_written())
        return "".join(texts)


class Chain(Composite):
    """What chains have in common, whatever their role; `conduits` is flat."""

    #: the two that it was made of, until somebody asks for all of its conduits
    _flow_ends: tuple[Conduit, Conduit] | None = None

    @staticmethod
    def of(kind: Callable[[tuple[Any, ...]], T], first: Conduit, second: Conduit) -> T:
        """`first >> second`, flat and checked; the price doesn't depend on how long they are."""
        check_types(first, second)
        made: Any = kind(())
        made._flow_ends = first, second
        exits = second._flow_exits
        if second._flow_passes:
            exits = _exits_of((second, first))
        passes = first._flow_passes and second._flow_passes
        made._flow_facts |= {"_flow_exits": exits, "_flow_passes": passes}
        return cast(T, made)

    @property
    def conduits(self) -> tuple[Any, ...]:
        """The conduits from the first to the last."""
        if self._flow_ends is not None:
            found: list[tuple[Conduit, ...]] = []
            inside: list[Conduit] = [self]
            while inside:
                one = inside.pop()
                ends = one._flow_ends if isinstance(one, Chain) else None
                if ends is not None:  # read once: another thread may be faster
                    inside += ends
                else:
                    found.append(one._flow_links)
            self._flow_conduits = (*concatenated.from_iterable(reversed(found)),)
            self._flow_ends = None
        return self._flow_conduits

    @property
    def _flow_is_chained(self) -> bool:
        return True

    @property
    def _flow_is_concurrent(self) -> bool:
        return self._flow_fact(
            "_flow_is_concurrent", lambda inside: any(one._flow_is_concurrent for one in inside)
        )

    @property
    def _flow_links(self) -> tuple[Conduit, ...]:
        return self.conduits

    @property
    def _flow_n_paths(self) -> int:
        count: int = self._flow_fact(
            "_flow_n_paths", lambda inside: prod(one._flow_n_paths for one in inside)
        )
        return count

    def _flow_paths(self) -> Iterator[Conduit]:
        yield from self._flow_alone(trampoline(_choices(self)))

    def _flow_alone(self, choices: list[list[Conduit]]) -> Iterator[Conduit]:
        """Each path alone, given the paths through each of the conduits."""
        return _chains_of(choices)

    def _flow_part(self, parts: tuple[Part, ...]) -> Part:
        """It as data, given the parts of its conduits."""
        from .._graph.parts import in_series

        return in_series(parts)

    def _flow_begun(self, source: Any) -> Any:
        """What its first conduit is put on, an observable; None, if it is a producer."""
        return source

    def _flow_ended(self, paths: list[Any]) -> list[Any]:
        """What it emits, given the paths that its last conduit emits."""
        return paths

    @property
    def _flow_passes(self) -> bool:
        return self._flow_fact(
            "_flow_passes", lambda inside: all(one._flow_passes for one in inside)
        )

    @property
    def _flow_exits(self) -> list[Conduit]:
        return self._flow_fact("_flow_exits", _exits_of_chain)


class Group(Composite):
    """What groups of parallel conduits have in common; `conduits` is flat."""

    @property
    def _flow_is_concurrent(self) -> bool:
        return True

    @property
    def _flow_is_chained(self) -> bool:
        return self._flow_fact(
            "_flow_is_chained", lambda inside: any(one._flow_is_chained for one in inside)
        )

    @property
    def _flow_n_paths(self) -> int:
        count: int = self._flow_fact(
            "_flow_n_paths", lambda inside: sum(one._flow_n_paths for one in inside)
        )
        return count

    def _flow_paths(self) -> Iterator[Conduit]:
        for conduit in self.conduits:
            yield from conduit._flow_paths()

    @property
    def _flow_passes(self) -> bool:
        return self._flow_fact(
            "_flow_passes", lambda inside: any(one._flow_passes for one in inside)
        )

    @property
    def _flow_exits(self) -> list[Conduit]:
        return self._flow_fact("_flow_exits", _exits_of)

    @property
    def product_type(self) -> Any:
        """The union of those of the conduits."""
        return self._flow_fact("product_type", union_of_products)


def _composites_in(composite: Composite, fact: str) -> list[Composite]:
    """The composites in a composite that don't know a fact, each before those in it."""
    found: list[Composite] = []
    seen: set[int] = set()
    inside: list[Any] = [*composite.conduits]
    while inside:
        one = inside.pop()
        if not isinstance(one, Composite) or fact in one._flow_facts or id(one) in seen:
            continue
        seen.add(id(one))
        found.append(one)
        inside += one.conduits
    return found


def _exits_of(conduits: Iterable[Conduit]) -> list[Conduit]:
    return _distinct((final for one in conduits for final in one._flow_exits), "product_type")


def _exits_of_chain(conduits: tuple[Conduit, ...]) -> list[Conduit]:
    passing = [*takewhile(lambda one: one._flow_passes, reversed(conduits))]
    return _exits_of([*reversed(conduits)][: len(passing) + 1])


def entries_of(conduits: Iterable[Conduit]) -> list[Conduit]:
    """What begins these conduits and shows products to users, one for each type that it takes."""
    return _distinct((first for one in conduits for first in one._flow_entries), "input_type")


def union_of_products(conduits: Iterable[Any]) -> Any:
    """The union of the types of products that these conduits emit."""
    return union_of(one.product_type for one in conduits if hasattr(one, "product_type"))


# The others are recursive, on a trampoline.


def _defaulted(
    one: Conduit, defaults: StepOptions, known: dict[int, Conduit]
) -> Generator[Any, Any, Any]:
    if not isinstance(one, Composite):
        return one._flow_defaulted(defaults, known)
    changed = []
    for inner in one.conduits:
        changed.append((yield _defaulted(inner, defaults, known)))
    return one._flow_of(tuple(changed))


def _described(one: Conduit) -> Generator[Any, Any, Part]:
    from .._graph.parts import Parallel, part_of

    if not isinstance(one, Composite):
        return part_of(one)
    parts = []
    for inner in one.conduits:
        parts.append((yield _described(inner)))
    return one._flow_part((*parts,)) if isinstance(one, Chain) else Parallel((*parts,))


def _choices(chain: Chain) -> Generator[Any, Any, list[list[Conduit]]]:
    """For each conduit of a chain, the paths through it."""
    choices = []
    for conduit in chain.conduits:
        paths: list[Conduit] = []
        for branch in conduit.conduits if isinstance(conduit, Group) else (conduit,):
            if isinstance(branch, Chain):
                paths += branch._flow_alone((yield _choices(branch)))
            else:
                paths += branch._flow_paths()
        choices.append(paths)
    return choices


def _chains_of(choices: list[list[Conduit]]) -> Iterator[Conduit]:
    for choice in cartesian(*choices):
        steps = [step for step in choice if step._flow_role != "passthrough"]
        yield reduce(lambda chain, step: chain >> step, cast(Any, steps)) if steps else choice[0]


def flat(conduits: Iterable[Conduit]) -> tuple[Conduit, ...]:
    """The conduits of nested groups, side by side; refuses two branches of one name."""
    found: list[Conduit] = []
    for conduit in conduits:
        found += conduit.conduits if isinstance(conduit, Group) else (conduit,)
    names = [conduit._flow_branch for conduit in found if conduit._flow_branch]
    if len({*names}) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidNameError(
            f"two branches of a group have the name {twice!r}, so that nobody could tell their"
            " outputs apart; name each path() differently"
        )
    return tuple(found)


def _distinct(conduits: Iterable[Conduit], kind: str) -> list[Conduit]:
    """Of conduits with the same type of that kind, the first one."""
    found: dict[Any, Conduit] = {}
    for conduit in conduits:
        try:
            found.setdefault(getattr(conduit, kind, Any), conduit)
        except TypeError:  # annotated with what has no hash
            found[id(conduit)] = conduit
    return [*found.values()]


def check_types(first: Conduit, second: Conduit) -> None:
    """Refuse a chain whose products don't fit."""
    for final in first._flow_exits:
        given = getattr(final, "product_type", Any)
        for target in second._flow_firsts():
            taken = getattr(target, "input_type", Any)
            if not fits(given, taken):
                raise InvalidFlowError(
                    f"cannot chain {final._flow_label} into {target._flow_label}: the first emits"
                    f" {type_name(given)}, but the second takes {type_name(taken)}"
                )


def compiled(one: Any, source: Observable[Any] | None) -> Generator[Any, Any, list[Any]]:
    """The paths of a conduit on a source, or of a producer on none; for a trampoline."""
    if isinstance(one, Chain):
        paths: list[Any] = [one._flow_begun(source)]
        for conduit in one.conduits:
            paths, before = [], paths
            for path in before:
                paths += yield compiled(conduit, path)
        return one._flow_ended(paths)
    if not isinstance(one, Group):
        given = one._flow_observables() if source is None else one._flow_connect(source)
        return cast(list[Any], given)
    paths, count = [], len(one.conduits)
    sources = [None] * count if source is None else fan_out(source, count, one._flow_is_async)
    for conduit, branch in zip(one.conduits, sources, strict=True):
        paths += yield compiled(conduit, branch)
    return paths
