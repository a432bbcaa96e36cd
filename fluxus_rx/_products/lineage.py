"""Products that know their lineage."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Generic, Self, final
from weakref import WeakKeyDictionary

from .._common.messages import shown
from .._common.names import unique_names
from .._errors import InvalidNameError, InvalidProductError, UsageError
from .._typing import Precursor_co

__all__ = ["HasLineage", "LineageOrigin"]

_NOT_KEPT_ARGUMENT: Any = object()
_MORE = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class HasLineage(ABC, Generic[Precursor_co]):
    """A product that knows which product it was made of: a mixin for classes of your own.

    A subclass implements `precursor` and `product_name`. `product_attributes` are its part of the
    lineage: by default the parameters of its `__init__`, without the precursor. `label` adds more,
    from outside. A product without precursor is a `LineageOrigin`.

    >>> class City(LineageOrigin):
    ...     product_name = "city"
    ...     def __init__(self, name):
    ...         self.name = name
    >>> class Leg(HasLineage[HasLineage]):
    ...     product_name = "leg"
    ...     def __init__(self, start, to):
    ...         self.start, self.to = start, to
    ...     @property
    ...     def precursor(self):
    ...         return self.start
    >>> trip = Leg(Leg(City("Rome"), to="Paris"), to="London").label(mode="train")
    >>> trip.get_lineage_attributes()
    {'city': {'name': 'Rome'}, 'leg': {'to': 'Paris'}, 'leg#1': {'to': 'London', 'mode': 'train'}}
    """

    # A subclass may have slots; it then names this one among them, if its products are labelled.
    __slots__ = ()

    _lineage_labels: dict[str, Any] | None

    @property
    @abstractmethod
    def precursor(self) -> Precursor_co:
        """The product that this one was made of, or None."""

    @property
    @abstractmethod
    def product_name(self) -> str:
        """The name of products of this kind in a lineage."""

    @property
    def product_attributes(self) -> Mapping[str, Any]:
        """The attributes that this product adds to its lineage: the parameters of `__init__`, each
        as it is kept under its name or under `_name`, without the precursor.

        Raises `UsageError` (a RuntimeError) for a parameter that isn't kept.
        """
        precursor = self.precursor
        return {
            name: value
            for name, value in _kept_parameters(self)
            if precursor is None or value is not precursor
        }

    @property
    @final
    def product_labels(self) -> Mapping[str, Any]:
        """The labels that `label` has added to this product."""
        return dict(getattr(self, "_lineage_labels", None) or ())

    def label(self, /, **labels: Any) -> Self:
        """Add labels to this product, and return it; a label that is there already is replaced.

        Labels are part of the lineage, under the name of the product. Raises ValueError if one has
        the name of an attribute of this product.

        >>> class City(LineageOrigin):
        ...     product_name = "city"
        >>> City().label(size="big").label(river="Thames").product_labels
        {'size': 'big', 'river': 'Thames'}
        """
        attributes = self.product_attributes
        for name in labels:
            if name in attributes:
                raise InvalidNameError(
                    f"{self.product_name!r}: the label {name!r} would override the attribute"
                    f" {name!r}, which is {shown(attributes[name])}; choose another name for the"
                    " label"
                )
        try:
            # Not by plain assignment, which a frozen dataclass refuses.
            object.__setattr__(self, "_lineage_labels", {**self.product_labels, **labels})
        except AttributeError:
            raise UsageError(
                f"{type(self).__name__} has slots, and none for labels: add '_lineage_labels' to"
                " its __slots__, or to those of a base class"
            ) from None
        return self

    def get_lineage(self) -> list[HasLineage[Any]]:
        """The products that led to this one, the first one first, and this one last.

        Linear in their number, without recursion. Raises TypeError for a precursor that has no
        lineage, RuntimeError for a lineage that leads back to itself.
        """
        lineage: list[HasLineage[Any]] = []
        seen: set[int] = set()
        product: Any = self
        while product is not None:
            if not isinstance(product, HasLineage):
                raise InvalidProductError(
                    f"{lineage[-1].product_name!r} has the precursor {shown(product)}; it must be a"
                    " product that has a lineage itself (HasLineage), or None"
                )
            if id(product) in seen:
                raise UsageError(f"the lineage of {self.product_name!r} leads back to itself")
            seen.add(id(product))
            lineage.append(product)
            product = product.precursor
        lineage.reverse()
        return lineage

    def get_lineage_attributes(self) -> dict[str, dict[str, Any]]:
        """The attributes and labels of the lineage, product by product, the first one first.

        A name that occurs again is `name#1`, `name#2`; products that add nothing are left out. A
        label takes precedence over an attribute of the same name.
        """
        names, added = [], []
        for product in self.get_lineage():
            own = {**product.product_attributes, **product.product_labels}
            if own:
                names.append(product.product_name)
                added.append(own)
        return dict(zip(unique_names(names), added, strict=True))


class LineageOrigin(HasLineage[None]):
    """A product that begins a lineage; a subclass implements `product_name`.

    >>> class City(LineageOrigin):
    ...     product_name = "city"
    >>> City().precursor is None
    True
    """

    __slots__ = ()

    @property
    @final
    def precursor(self) -> None:
        """None: a `LineageOrigin` was made of no other product."""
        return None


def _is_own_method(value: object) -> bool:
    """Whether this is a method of `HasLineage`: a parameter may be called `label` as well."""
    function = getattr(value, "__func__", None)
    return function is not None and function in vars(HasLineage).values()


#: the parameters of `__init__` of a class: each with the names that it may be kept under, and its
#: kind. Asked of a class once, for 14 µs of a product (benchmark "classes").
_parameters: WeakKeyDictionary[type, list[tuple[str, str, Any]]] = WeakKeyDictionary()


def _parameters_of(kind: type) -> list[tuple[str, str, Any]]:
    found = _parameters.get(kind)
    if found is None:
        found = _parameters[kind] = [
            (name, f"_{name}", parameter.kind)
            for name, parameter in inspect.signature(kind).parameters.items()
        ]
    return found


def _kept_parameters(product: object) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, private, kind in _parameters_of(type(product)):
        for kept in (name, private):
            value = getattr(product, kept, _NOT_KEPT_ARGUMENT)
            if value is not _NOT_KEPT_ARGUMENT and not _is_own_method(value):
                break
        else:
            if kind in _MORE:
                continue  # passed on, to a base class that keeps what it wants
            raise UsageError(
                f"{type(product).__name__}: its parameter {name!r} is kept neither as .{name} nor"
                f" as ._{name}; keep it, or define product_attributes"
            )
        if kind is inspect.Parameter.VAR_KEYWORD and isinstance(value, Mapping):
            found += value.items()
        else:
            found.append((name, value))
    return found
