"""The product of the functional API: a dictionary that remembers where it came from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from .._common.messages import short, shown
from .._common.names import identifier
from .._errors import InvalidAttributeError, InvalidProductError
from .lineage import HasLineage

__all__ = ["MISSING", "DictProduct", "MadeProduct", "checked", "known_names"]

#: the mark of what is not there; None is an attribute value like any other
MISSING: Final[Any] = object()

#: Products whose attributes are looked up one by one before they are merged into one table. Merged
#: tables are merged again, eight by eight, so that a look-up takes a number of steps that grows
#: with the logarithm of the chain, and a product costs no more memory at the end of it than at its
#: start.
_FAN: Final = 8

#: Names known to be identifiers: tells so in 80 ns for a whole dictionary. Bounded.
known_names: set[Any] = set()
_KNOWN_MOST: Final = 10_000


class _Layer:
    """Attributes of several products in a row, and the layers before them."""

    __slots__ = ("older", "rank", "run", "table")

    def __init__(
        self, table: dict[str, Any], older: DictProduct | _Layer | None, rank: int
    ) -> None:
        self.table = table
        self.older = older
        self.rank = rank
        self.run: int = older.run + 1 if older is not None and older.rank == rank else 1


class DictProduct(HasLineage["DictProduct | None"], Mapping[str, Any]):
    """What travels in a functional flow: a mapping of all attributes of its lineage.

    Where several steps set one attribute, the latest value counts. `product_name`,
    `product_attributes` and `precursor` tell what the last step added, `get_lineage()` the steps.
    Labels are no attributes: steps don't see them, results show them with what the step added.

    >>> first = DictProduct("src", {"x": 1})
    >>> second = DictProduct("double", {"x": 2, "y": 0}, first)
    >>> dict(second), second.product_name, second.precursor == first
    ({'x': 2, 'y': 0}, 'double', True)
    """

    # As long as one product comes of one, and nobody else can see it, the steps of a pipeline
    # extend the same object: `trail` is names and attributes by turns. That is 0.3 µs and a object
    # for the garbage collector less for each step than a product of its own. `owner` is the
    # pipeline that may do so; a branch of a group is another one. `merged` of the trail is in
    # `_table`.
    __slots__ = (
        *("_lineage_labels", "_table", "merged", "older", "origin", "owner"),
        *("position", "rank", "run", "times", "trail"),
    )

    older: DictProduct | _Layer | None

    #: how far down its path, from 1 on, operators have made it anew; of any other product 0
    depth = 0

    def __init__(
        self,
        name: str,
        attributes: dict[str, Any],
        precursor: DictProduct | None = None,
        position: int = 0,
        owner: object = None,
        times: tuple[float, float] | None = None,
    ) -> None:
        self.trail: list[Any] = [name, attributes]
        self._table = attributes
        self.merged = 2
        self.origin = self.older = precursor
        self.position = position
        self.owner = owner
        self.times: list[tuple[float, float]] | None = None if times is None else [times]
        # Not left unset: to find that out takes 0.4 µs an output.
        self._lineage_labels = None
        self.rank = 0
        self.run: int
        if precursor is None or precursor.rank:
            self.run = 1
        else:
            self.run = precursor.run + 1
            if self.run == _FAN:
                self._merge()

    def _merge(self) -> None:
        layer: DictProduct | _Layer = self
        while layer.run == _FAN:
            tables = []
            older: DictProduct | _Layer | None = layer
            for _ in range(_FAN):
                assert older is not None
                tables.append(older.table)
                older = older.older
            table: dict[str, Any] = {}
            for newer in reversed(tables):
                table.update(newer)
            layer = _Layer(table, older, layer.rank + 1)
        self._table, self.older = layer.table, layer.older
        self.rank, self.run = layer.rank, layer.run

    def extend(
        self, name: str, attributes: dict[str, Any], times: tuple[float, float] | None = None
    ) -> DictProduct:
        """Become the product of the next step; only its owner may do that."""
        self.trail += (name, attributes)
        if times is not None and self.times is not None:
            self.times.append(times)
        return self

    @property
    def table(self) -> dict[str, Any]:
        """All attributes of the trail, each with its latest value."""
        trail = self.trail
        if self.merged < len(trail):
            # Merged when somebody looks back, and each step once.
            table = self._table.copy() if self.merged == 2 else self._table
            for index in range(self.merged + 1, len(trail), 2):
                table.update(trail[index])
            self._table, self.merged = table, len(trail)
        return self._table

    def find(self, name: str) -> Any:
        """The latest value of an attribute, or MISSING."""
        layer: DictProduct | _Layer | None = self
        while layer is not None:
            if name in layer.table:
                return layer.table[name]
            layer = layer.older
        return MISSING

    def steps(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The name and the attributes of each step, the latest first."""
        product: DictProduct | None = self
        while product is not None:
            trail = product.trail
            for index in range(len(trail) - 2, -1, -2):
                yield trail[index], trail[index + 1]
            product = product.origin

    @property
    def product_name(self) -> str:
        """The name of the step that gave this product."""
        name: str = _of_step(self).trail[-2]
        return name

    @property
    def product_attributes(self) -> Mapping[str, Any]:
        """The attributes that this step added."""
        return MappingProxyType(_of_step(self).trail[-1])

    @property
    def precursor(self) -> DictProduct | None:
        """The product that this one was made of; None for that of a producer."""
        product = _of_step(self)
        trail = product.trail[:-2]
        if not any(trail[:2]) and len(trail) <= 2:
            # None, or one that has only taken in another: it is no product of a step.
            return None if product.origin is None else _of_step(product.origin)
        name, attributes, *more = trail
        made = DictProduct(name, attributes, product.origin, product.position)
        for index in range(0, len(more), 2):
            made.extend(more[index], more[index + 1])
        return made

    @property
    def precursors(self) -> tuple[DictProduct, ...]:
        """The products that this one was made of: its precursor, or those of which a named
        `rx_pipe` or `stream_pipe` has made it; none for that of a producer."""
        product = _of_step(self)
        if product is not self:
            return product.precursors
        precursor = self.precursor
        return () if precursor is None else (precursor,)

    def get_lineage(self) -> list[HasLineage[Any]]:
        """The products that led to this one, the first one first, and this one last."""
        product: DictProduct | None = _of_step(self)
        lineage: list[HasLineage[Any]] = [_of_step(self)]
        while product is not None:
            trail, origin, steps = product.trail, product.origin, []
            for index in range(0, len(trail) - 2, 2):
                if trail[index]:
                    origin = DictProduct(trail[index], trail[index + 1], origin, product.position)
                    steps.append(origin)
            lineage += reversed(steps)
            product = None if product.origin is None else _of_step(product.origin)
            if product is not None:
                lineage.append(product)
        lineage.reverse()
        return lineage

    def __copy__(self) -> DictProduct:
        # With a trail of its own, and without an owner: nobody extends it.
        made = DictProduct(self.trail[0], self.trail[1], self.origin, self.position)
        self._copy_to(made)
        return made

    def _copy_to(self, made: DictProduct) -> None:
        made.trail = [*self.trail]
        made.times = None if self.times is None else [*self.times]
        if self.product_labels:
            made.label(**self.product_labels)

    def flat(self) -> dict[str, Any]:
        """All attributes, each with its latest value."""
        tables = []
        layer: DictProduct | _Layer | None = self
        while layer is not None:
            tables.append(layer.table)
            layer = layer.older
        attributes: dict[str, Any] = {}
        for table in reversed(tables):
            attributes.update(table)
        return attributes

    def positions(self) -> list[int]:
        """The position among its precursor's products, of each product of the lineage that had
        siblings or may have had some, the first one first.

        Sorted by these, outputs are in the order in which a plain loop would have made them.
        """
        found = [self.position]
        product: DictProduct = self
        while product.origin is not None:
            product = product.origin
            found.append(product.position)
        if product.depth:
            found.append(-product.depth)
        found.reverse()
        return found

    def where(self) -> str:
        """The item number, for messages."""
        if self.origin is None:
            return str(self.position)
        positions = [position for position in self.positions() if position >= 0]
        while len(positions) > 1 and not positions[-1]:
            positions.pop()
        return ".".join(map(str, positions))

    def path(self) -> list[str]:
        """The names of the lineage, the first one first."""
        names = [name for name, _ in self.steps() if name]
        names.reverse()
        return names

    def nested(self) -> dict[str, dict[str, Any]]:
        """The lineage as a result shows it: the attributes by step, and its times if they were
        taken. A name that occurs again is `name#1`, `name#2`; products without attributes are left
        out."""
        trail = self.trail
        if self.origin is None and self.times is None and self._lineage_labels is None:
            names, added = trail[::2], trail[1::2]
            alone = dict(zip(names, added, strict=True))
            if len(alone) == len(names) and all(added):
                return alone
        # A precursor is seen by others, who may change what they hold.
        return {name: added.copy() for name, added in self.added()}

    def added(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """What each step has added, by the name that a result shows it under, the first one first;
        not to be changed."""
        links: list[DictProduct] = [self]
        while (origin := links[-1].origin) is not None:
            links.append(origin)
        again: dict[str, int] = {}
        for product in reversed(links):
            trail, times = product.trail, product.times
            labels = product._lineage_labels
            for index in range(0, len(trail), 2):
                attributes = trail[index + 1]
                if labels and index == len(trail) - 2:
                    attributes = {**attributes, **labels}
                if not attributes:
                    continue
                if times is not None:
                    start, end = times[index // 2]
                    attributes = {**attributes, "[start]": start, "[end]": end}
                name = trail[index]
                count = again.get(name)
                again[name] = 0 if count is None else count + 1
                yield name if count is None else f"{name}#{count + 1}", attributes

    def __getitem__(self, name: str) -> Any:
        value = self.find(name)
        if value is MISSING:
            raise KeyError(name)
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self.flat())

    def __len__(self) -> int:
        return len(self.flat())

    def __repr__(self) -> str:
        return f"DictProduct({short(self.nested())})"


def _of_step(product: DictProduct) -> DictProduct:
    """The product itself, or what it has taken in, if it has done nothing else."""
    while product.origin is not None and not product.trail[-2]:
        product = product.origin
    return product


class MadeProduct(DictProduct):
    """One that operators have made anew: it begins a lineage of its own.

    Its position is one among those that were made at the same depth of the path, and says nothing
    of positions in front of that.
    """

    __slots__ = ("depth", "made_of")

    def __init__(
        self, name: str, attributes: dict[str, Any], position: int, owner: object, depth: int
    ) -> None:
        super().__init__(name, attributes, None, position, owner)
        self.depth = depth
        self.made_of: tuple[DictProduct, ...] = ()

    @property
    def precursors(self) -> tuple[DictProduct, ...]:
        """The products that this one was made of."""
        return self.made_of if len(self.trail) == 2 else super().precursors

    def __copy__(self) -> MadeProduct:
        made = MadeProduct(self.trail[0], self.trail[1], self.position, None, self.depth)
        self._copy_to(made)
        made.made_of = self.made_of
        return made


def checked(attributes: Any, step: str, said: Iterable[str]) -> dict[str, Any]:
    """A copy of what a step gave, if it is a mapping of attribute names to values.

    A copy, because a function may yield one dictionary again and again, changed in between.
    `said` are the words of the messages: how the step gave it, and what it must be.
    """
    if type(attributes) is dict and known_names.issuperset(attributes):
        return attributes.copy()
    if not isinstance(attributes, Mapping):
        given, wanted = said
        raise InvalidProductError(f"step {step!r}: {given} is {shown(attributes)}; {wanted}")
    for name in attributes:
        if not isinstance(name, str):
            raise InvalidProductError(
                f"step {step!r} yielded an item with the key {shown(name)}; attribute names must be"
                " strings"
            )
        if not name.isidentifier():
            perhaps = identifier(name)
            raise InvalidAttributeError(
                f"step {step!r} yielded an item with the key {name!r}; attribute names must be"
                f" identifiers{perhaps}"
            )
    if len(known_names) < _KNOWN_MOST:
        known_names.update(attributes)
    return dict(attributes)
