"""The product of the functional API: a dictionary that remembers its lineage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from types import MappingProxyType
from typing import Any, Final

from .._common.encoding import printed
from .._common.messages import short
from .._common.names import known_spellings, numbered, spellings_of
from .._monitoring.calls import item_text
from .attribute_layers import AttributeLayer, with_times
from .lineage import HasLineage

__all__ = [
    "MISSING", "REPEATED", "TAKEN_IN", "DictProduct", "RemadeProduct", "item_number",
    "product_classes",
]  # fmt: skip


class _Missing:
    # Signatures show it, as a default: `...`, as in stubs, where nobody should write it.
    def __repr__(self) -> str:
        return "..."


#: the mark of what is not there; None is an attribute value like any other
MISSING: Final[Any] = _Missing()

#: instead of the position of a product that is there only since its pipeline has two steps of one
#: name: it has that of its precursor
REPEATED: Final = -1

#: The position of the first product that only takes in another. Below those of all products that
#: were made of that one: which of them comes first must not depend on when it was taken in.
TAKEN_IN: Final = -(2**52)

#: Steps that are looked up one by one, which takes less than a table of all.
_FEW_STEPS: Final = 8

#: `DictProduct` and the classes below it. Asking for one of them is a fifth of `isinstance`, which
#: asks a class with abstract methods whether it has others in its place.
product_classes: set[Any] = set()


@printed
class DictProduct(HasLineage["DictProduct | None"], Mapping[str, Any]):
    """A product of a flow of steps: a mapping of all attributes of its lineage.

    If several steps set one attribute, the latest value counts. `product_name`,
    `product_attributes` and `precursor` have what the last step added, `get_lineage()` has all
    steps. Labels aren't attributes: steps don't see them; results show them with the attributes of
    their step.

    >>> first = DictProduct("src", {"x": 1})
    >>> second = DictProduct("double", {"x": 2, "y": 0}, first)
    >>> dict(second), second.product_name, second.precursor == first
    ({'x': 2, 'y': 0}, 'double', True)
    """

    # As long as one product comes of one, and nobody else can see it, the steps of a pipeline
    # extend the same object. That is 0.3 µs and an object for the garbage collector less for each
    # step than a product of its own.
    __slots__ = (
        "_layer",
        "_lineage_labels",
        "by_step",
        "latest",
        "owner",
        "parent",
        "position",
        "times",
    )

    #: the attributes of the steps that have made and extended it, by the name of the step
    by_step: dict[str, dict[str, Any]]
    #: those of the last of these steps
    latest: dict[str, Any]
    #: the start and the end of each of these steps, if the run keeps them
    times: list[tuple[float, float]] | None
    #: the product that it comes of, which may be one that has only taken in another
    parent: DictProduct | None
    #: the pipeline that may extend it
    owner: object
    #: where attributes are looked up that its last step hasn't added, once one was
    _layer: AttributeLayer | None

    #: how far down its path, from 1 on, operators have created it; of any other product 0
    depth = 0

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        product_classes.add(cls)

    def __init__(
        self,
        name: str,
        attributes: dict[str, Any],
        precursor: DictProduct | None = None,
        position: int = 0,
        owner: object = None,
        times: tuple[float, float] | None = None,
    ) -> None:
        self.by_step = {name: attributes}
        self.latest = attributes
        self.parent = precursor
        self.position = position
        self.owner = owner
        self.times = None if times is None else [times]
        # Not left unset: to find that out takes 0.4 µs an output.
        self._lineage_labels = self._layer = None

    @classmethod
    def of_row(cls, row: dict[str, dict[str, Any]], position: int) -> DictProduct:
        """A product of these steps, see `row`; it has no precursor."""
        product = DictProduct("", {}, None, position)
        product.by_step, product.latest = row, next(reversed(row.values()))
        return product

    def extend(
        self, name: str, attributes: dict[str, Any], times: tuple[float, float] | None = None
    ) -> DictProduct:
        """The product of the next step: this one, extended, or another if this one has a step of
        that name. Only its owner may do that."""
        if name in self.by_step:
            return DictProduct(name, attributes, self, REPEATED, self.owner, times)
        self.by_step[name] = self.latest = attributes
        if times is not None and self.times is not None:
            self.times.append(times)
        return self

    def _layers(self) -> AttributeLayer:
        """All its attributes, the latest first; made when somebody looks back, and each step
        once."""
        layer = self._layer
        if layer is not None:
            if layer.n_steps < len(self.by_step):
                layer.update(self.by_step)
            return layer
        links: list[DictProduct] = []
        product: DictProduct | None = self
        while product is not None and product._layer is None:
            links.append(product)
            product = product.parent
        older = None if product is None else product._layers()
        for link in reversed(links):
            older = link._layer = AttributeLayer.of(link.by_step, older)
        assert older is not None
        return older

    def find(self, name: str) -> Any:
        """The latest value of an attribute, under whichever of the names that are the same to
        Python, or MISSING."""
        # Asked here, because a default that is taken each time isn't a reason for another call.
        if name in known_spellings or not name.isascii():
            spellings = spellings_of(name)
            if len(spellings) > 1:
                return self._find_spelled(spellings)
        by_step = self.by_step
        if len(by_step) <= _FEW_STEPS:
            for added in reversed(by_step.values()):
                if name in added:
                    return added[name]
            if self.parent is None:
                return MISSING
        layer: AttributeLayer | None = self._layers()
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
            yield from reversed(product.by_step.items())
            product = product.parent

    @property
    def product_name(self) -> str:
        """The name of the step that made this product."""
        return next(reversed(_of_step(self).by_step))

    @property
    def product_attributes(self) -> Mapping[str, Any]:
        """The attributes that this step added."""
        return MappingProxyType(_of_step(self).latest)

    @property
    def precursor(self) -> DictProduct | None:
        """The product that this one was made of; None for a product of a producer."""
        product = _of_step(self)
        steps = [*product.by_step.items()][:-1]
        if len(steps) == 1 and not any(steps[0]):
            steps = []  # it has only taken in another: that isn't a product of a step
        if not steps:
            return None if product.parent is None else _of_step(product.parent)
        name, attributes = steps[0]
        made = DictProduct(name, attributes, product.parent, product.position)
        for name, attributes in steps[1:]:
            made.extend(name, attributes)
        return made

    @property
    def precursors(self) -> tuple[DictProduct, ...]:
        """The products that this one was made of: its precursor, or those that a named `rx_pipe` or
        `stream_pipe` made it of; empty for a product of a producer."""
        product = _of_step(self)
        if product is not self:
            return product.precursors
        precursor = self.precursor
        return () if precursor is None else (precursor,)

    def get_lineage(self) -> list[HasLineage[Any]]:
        """The products that led to this one, the first one first, and this one last.

        >>> add = DictProduct("add", {"y": 2}, DictProduct("src", {"x": 1}))
        >>> [product.product_name for product in add.get_lineage()]
        ['src', 'add']
        """
        product: DictProduct | None = _of_step(self)
        lineage: list[HasLineage[Any]] = [_of_step(self)]
        while product is not None:
            parent, steps = product.parent, []
            for name, attributes in islice(product.by_step.items(), len(product.by_step) - 1):
                if name:
                    parent = DictProduct(name, attributes, parent, product.position)
                    steps.append(parent)
            lineage += reversed(steps)
            product = None if product.parent is None else _of_step(product.parent)
            if product is not None:
                lineage.append(product)
        lineage.reverse()
        return lineage

    def __copy__(self) -> DictProduct:
        # With steps of its own, and without an owner: nobody extends it.
        made = DictProduct("", {}, self.parent, self.position)
        self._copy_to(made)
        return made

    def _copy_to(self, made: DictProduct) -> None:
        made.by_step, made.latest = self.by_step.copy(), self.latest
        made.times = None if self.times is None else [*self.times]
        if self.product_labels:
            made.label(**self.product_labels)

    def flat(self) -> dict[str, Any]:
        """All attributes, each with its latest value."""
        tables = []
        layer: AttributeLayer | None = self._layers()
        while layer is not None:
            tables.append(layer.table)
            layer = layer.older
        attributes: dict[str, Any] = {}
        for table in reversed(tables):
            attributes.update(table)
        return attributes

    def positions(self) -> list[int]:
        """The positions, among the products of their precursor, of those products of the lineage
        that had siblings or may have had some, the first one first.

        Sorted by these, outputs are in the order in which a plain loop would have made them.
        """
        product, found = self, []
        while (parent := product.parent) is not None:
            if product.position != REPEATED:
                found.append(product.position)
            product = parent
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

    def row(self) -> dict[str, dict[str, Any]] | None:
        """What a result shows of it, if that is just what its own steps have added, with its times
        if they were taken; else None."""
        by_step, times = self.by_step, self.times
        if self.parent is None and self._lineage_labels is None and all(by_step.values()):
            return by_step.copy() if times is None else with_times(by_step, times)
        return None

    def nested(self) -> dict[str, dict[str, Any]]:
        """The lineage as a result shows it: the attributes by step, and times if they were taken. A
        name that occurs again is `name#1`, `name#2`; products without attributes are left out."""
        nested: dict[str, dict[str, Any]] = {}
        n_steps = 0
        for link in self._links():
            by_step, times = link.by_step, link.times
            if link._lineage_labels is not None or not all(by_step.values()):
                n_steps = -1
                break
            n_steps += len(by_step)
            if times is not None:
                nested.update(with_times(by_step, times))
            elif link is self:
                nested.update(by_step)
            else:
                # A precursor is seen by others, who may change what they hold.
                for name, attributes in by_step.items():
                    nested[name] = attributes.copy()
        if len(nested) == n_steps:
            return nested
        return {name: added.copy() for name, added in self.added()}

    def _links(self) -> list[DictProduct]:
        """The products of its lineage, the first one first."""
        links: list[DictProduct] = [self]
        parent = self.parent
        while parent is not None:
            links.append(parent)
            parent = parent.parent
        links.reverse()
        return links

    def added(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """What each step has added, by the name that a result shows it under, the first one first;
        not to be changed."""
        # The rule of UniqueNames, without a call for each name that is new, which would be 0.4 µs
        # more of 2.8 an output of four steps (benchmark "fanout").
        numbers: dict[str, int] = {}
        for product in self._links():
            times, labels = product.times, product._lineage_labels
            for index, (name, attributes) in enumerate(product.by_step.items()):
                if labels and index == len(product.by_step) - 1:
                    attributes = {**attributes, **labels}
                if not attributes:
                    continue
                if times is not None:
                    start, end = times[index]
                    attributes = {**attributes, "[start]": start, "[end]": end}
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


product_classes.add(DictProduct)


def item_number(product: DictProduct) -> int | tuple[int, ...]:
    """The position of a product, or those of the products that it descends from and its own."""
    if product.parent is None:
        return product.position
    positions = [position for position in product.positions() if position >= 0]
    while len(positions) > 1 and not positions[-1]:
        positions.pop()
    return tuple(positions)


def _of_step(product: DictProduct) -> DictProduct:
    """The product itself, or the product that it has taken in, if it has done nothing else."""
    while product.parent is not None and not next(reversed(product.by_step)):
        product = product.parent
    return product


class RemadeProduct(DictProduct):
    """One that operators have created: it begins a lineage of its own.

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
        return self.made_of if len(self.by_step) == 1 else super().precursors

    def __copy__(self) -> RemadeProduct:
        made = RemadeProduct("", {}, self.position, None, self.depth, self.made_of)
        self._copy_to(made)
        return made
