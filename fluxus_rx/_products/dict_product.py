"""The product of the functional API: a dictionary that remembers where it came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from .._common.encoding import printed
from .._common.messages import short, shown
from .._common.names import identifier, know_spelling, known_spellings, numbered, spellings_of
from .._errors import InvalidAttributeError, InvalidProductError
from .._monitoring.calls import item_text
from .lineage import HasLineage

__all__ = [
    "MISSING", "DictProduct", "RemadeProduct", "checked", "item_number", "known_names", "snapshot",
]  # fmt: skip

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
    """Attributes of several products in a row, and the layers before them.

    `level` and `level_count` are those of a product.
    """

    __slots__ = ("level", "level_count", "older", "table")

    def __init__(
        self, table: dict[str, Any], older: DictProduct | _Layer | None, level: int
    ) -> None:
        self.table = table
        self.older = older
        self.level = level
        self.level_count = 1
        if older is not None and older.level == level:
            self.level_count += older.level_count


@printed
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
    # extend the same object. That is 0.3 µs and an object for the garbage collector less for each
    # step than a product of its own.
    __slots__ = (
        "_lineage_labels",
        "_n_merged",
        "_table",
        "entries",
        "level",
        "level_count",
        "older",
        "owner",
        "parent",
        "position",
        "times",
    )

    #: the names and the attributes of the steps that have made and extended it, by turns
    entries: list[Any]
    #: the start and the end of each of these steps, if the run keeps them
    times: list[tuple[float, float]] | None
    #: the product that it comes of, which may be one that has only taken in another
    parent: DictProduct | None
    #: the pipeline that may extend it; a branch of a group is another one
    owner: object
    #: where attributes are looked up that its own steps haven't added
    older: DictProduct | _Layer | None
    #: how often its table was merged with older ones, and how many in a row were as often
    level: int
    level_count: int
    #: all attributes of its entries, as far as they have been merged
    _table: dict[str, Any]
    _n_merged: int

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
        self.entries = [name, attributes]
        self._table = attributes
        self._n_merged = 2
        self.parent = self.older = precursor
        self.position = position
        self.owner = owner
        self.times = None if times is None else [times]
        # Not left unset: to find that out takes 0.4 µs an output.
        self._lineage_labels = None
        self.level = 0
        if precursor is None or precursor.level:
            self.level_count = 1
        else:
            self.level_count = precursor.level_count + 1
            if self.level_count == _FAN:
                self._merge()

    def _merge(self) -> None:
        layer: DictProduct | _Layer = self
        while layer.level_count == _FAN:
            tables = []
            older: DictProduct | _Layer | None = layer
            for _ in range(_FAN):
                assert older is not None
                tables.append(older.table)
                older = older.older
            table: dict[str, Any] = {}
            for newer in reversed(tables):
                table.update(newer)
            layer = _Layer(table, older, layer.level + 1)
        self._table, self.older = layer.table, layer.older
        self.level, self.level_count = layer.level, layer.level_count

    def extend(
        self, name: str, attributes: dict[str, Any], times: tuple[float, float] | None = None
    ) -> DictProduct:
        """Become the product of the next step; only its owner may do that."""
        self.entries += (name, attributes)
        if times is not None and self.times is not None:
            self.times.append(times)
        return self

    @property
    def table(self) -> dict[str, Any]:
        """All attributes of its own steps, each with its latest value."""
        entries = self.entries
        if self._n_merged < len(entries):
            # Merged when somebody looks back, and each step once.
            table = self._table.copy() if self._n_merged == 2 else self._table
            for index in range(self._n_merged + 1, len(entries), 2):
                table.update(entries[index])
            self._table, self._n_merged = table, len(entries)
        return self._table

    def find(self, name: str) -> Any:
        """The latest value of an attribute, under whichever of the names that are the same to
        Python, or MISSING."""
        # Asked here, because a default that is taken each time is no reason for another call.
        if name in known_spellings or not name.isascii():
            spellings = spellings_of(name)
            if len(spellings) > 1:
                return self._find_spelled(spellings)
        layer: DictProduct | _Layer | None = self
        while layer is not None:
            if name in layer.table:
                return layer.table[name]
            layer = layer.older
        return MISSING

    def _find_spelled(self, spellings: tuple[str, ...]) -> Any:
        # By steps: of two names in a table of several, nothing tells which one is later.
        for _, added in self.steps():
            for spelling in spellings:
                if spelling in added:
                    return added[spelling]
        return MISSING

    def steps(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The name and the attributes of each step, the latest first."""
        product: DictProduct | None = self
        while product is not None:
            entries = product.entries
            for index in range(len(entries) - 2, -1, -2):
                yield entries[index], entries[index + 1]
            product = product.parent

    @property
    def product_name(self) -> str:
        """The name of the step that gave this product."""
        name: str = _of_step(self).entries[-2]
        return name

    @property
    def product_attributes(self) -> Mapping[str, Any]:
        """The attributes that this step added."""
        return MappingProxyType(_of_step(self).entries[-1])

    @property
    def precursor(self) -> DictProduct | None:
        """The product that this one was made of; None for that of a producer."""
        product = _of_step(self)
        entries = product.entries[:-2]
        if not any(entries[:2]) and len(entries) <= 2:
            # None, or one that has only taken in another: it is no product of a step.
            return None if product.parent is None else _of_step(product.parent)
        name, attributes, *more = entries
        made = DictProduct(name, attributes, product.parent, product.position)
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
            entries, parent, steps = product.entries, product.parent, []
            for index in range(0, len(entries) - 2, 2):
                if entries[index]:
                    name, attributes = entries[index], entries[index + 1]
                    parent = DictProduct(name, attributes, parent, product.position)
                    steps.append(parent)
            lineage += reversed(steps)
            product = None if product.parent is None else _of_step(product.parent)
            if product is not None:
                lineage.append(product)
        lineage.reverse()
        return lineage

    def __copy__(self) -> DictProduct:
        # With entries of its own, and without an owner: nobody extends it.
        made = DictProduct(self.entries[0], self.entries[1], self.parent, self.position)
        self._copy_to(made)
        return made

    def _copy_to(self, made: DictProduct) -> None:
        made.entries = [*self.entries]
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
        while product.parent is not None:
            product = product.parent
            found.append(product.position)
        if product.depth:
            found.append(-product.depth)
        found.reverse()
        return found

    def where(self) -> str:
        """The item number, for messages."""
        return item_text(item_number(self))

    def path(self) -> list[str]:
        """The names of the lineage, the first one first."""
        names = [name for name, _ in self.steps() if name]
        names.reverse()
        return names

    def nested(self) -> dict[str, dict[str, Any]]:
        """The lineage as a result shows it: the attributes by step, and its times if they were
        taken. A name that occurs again is `name#1`, `name#2`; products without attributes are left
        out."""
        entries, times = self.entries, self.times
        if self.parent is None and self._lineage_labels is None:
            names, added = entries[::2], entries[1::2]
            alone = dict(zip(names, added, strict=True))
            if len(alone) == len(names) and all(added):
                if times is not None:
                    for name, (start, end) in zip(names, times, strict=True):
                        # A copy first: a new one takes twice as long (benchmark "watching").
                        attributes = alone[name] = alone[name].copy()
                        attributes["[start]"], attributes["[end]"] = start, end
                return alone
        # A precursor is seen by others, who may change what they hold.
        return {name: added.copy() for name, added in self.added()}

    def added(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """What each step has added, by the name that a result shows it under, the first one first;
        not to be changed."""
        links: list[DictProduct] = [self]
        while (parent := links[-1].parent) is not None:
            links.append(parent)
        # The rule of UniqueNames, without a call for each name that is new, which would be 0.4 µs
        # more of 2.8 an output of four steps (benchmark "fanout").
        numbers: dict[str, int] = {}
        for product in reversed(links):
            entries, times = product.entries, product.times
            labels = product._lineage_labels
            for index in range(0, len(entries), 2):
                attributes = entries[index + 1]
                if labels and index == len(entries) - 2:
                    attributes = {**attributes, **labels}
                if not attributes:
                    continue
                if times is not None:
                    start, end = times[index // 2]
                    attributes = {**attributes, "[start]": start, "[end]": end}
                name = entries[index]
                if name in numbers:
                    name = numbered(name, numbers)
                numbers[name] = 0
                yield name, attributes

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


def item_number(product: DictProduct) -> int | tuple[int, ...]:
    """The position of a product, or those of the products that it comes of and its own."""
    if product.parent is None:
        return product.position
    positions = [position for position in product.positions() if position >= 0]
    while len(positions) > 1 and not positions[-1]:
        positions.pop()
    return tuple(positions)


def _of_step(product: DictProduct) -> DictProduct:
    """The product itself, or the product that it has taken in, if it has done nothing else."""
    while product.parent is not None and not product.entries[-2]:
        product = product.parent
    return product


class RemadeProduct(DictProduct):
    """One that operators have made anew: it begins a lineage of its own.

    Its position is one among those that were made at the same depth of the path, and says nothing
    of positions in front of that.
    """

    __slots__ = ("depth", "made_of")

    def __init__(
        self,
        name: str,
        attributes: dict[str, Any],
        position: int,
        owner: object,
        depth: int,
        made_of: tuple[DictProduct, ...] = (),
    ) -> None:
        super().__init__(name, attributes, None, position, owner)
        self.depth = depth
        self.made_of = made_of

    @property
    def precursors(self) -> tuple[DictProduct, ...]:
        """The products that this one was made of."""
        return self.made_of if len(self.entries) == 2 else super().precursors

    def __copy__(self) -> RemadeProduct:
        name, attributes = self.entries[:2]
        made = RemadeProduct(name, attributes, self.position, None, self.depth, self.made_of)
        self._copy_to(made)
        return made


def snapshot(item: Any) -> Any:
    """What a step yields as it is now, for one who looks at it later; see `checked`."""
    return dict(item) if isinstance(item, Mapping) else item


def checked(attributes: Any, step: str, subject: str, wanted: str) -> dict[str, Any]:
    """A copy of what a step gave, if it is a mapping of attribute names to values.

    A copy, because a function may yield one dictionary again and again, changed in between. Else
    the message says that the `subject`, such as `"item 3 of the list it returned"`, is no mapping,
    and what is `wanted`.
    """
    if type(attributes) is dict and known_names.issuperset(attributes):
        return attributes.copy()
    if not isinstance(attributes, Mapping):
        raise InvalidProductError(f"step {step!r}: {subject} is {shown(attributes)}; {wanted}")
    for name in attributes:
        if not isinstance(name, str):
            raise InvalidProductError(
                f"step {step!r} yielded an item with the key {shown(name)}; attribute names must be"
                " strings"
            )
        if not name.isidentifier():
            perhaps = identifier(name)
            raise InvalidAttributeError(
                f"step {step!r} yielded an item with the key {short(name)}; attribute names must be"
                f" identifiers{perhaps}"
            )
        know_spelling(name)
    if len(known_names) < _KNOWN_MOST:
        known_names.update(attributes)
    return dict(attributes)
