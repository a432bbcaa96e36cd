"""Whose products are: who may extend them, and which of them others have as well."""

from __future__ import annotations

import copy
from typing import Any, Final

from .dict_product import REPEATED, DictProduct

__all__ = ["ProductOwner", "branched", "claims", "detached"]

#: Steps that are copied to each branch of a group.
_MOST_COPIED: Final = 8


class ProductOwner:
    """The pipeline that may extend products in place, by those of its steps whose name none in
    front of them has.

    A branch of a group is another one. `first` is the name of the step that begins it, if one does.
    """

    __slots__ = ("names",)

    def __init__(self, first: str = "") -> None:
        #: those of its steps
        self.names = {first}

    def claim(self, name: str) -> bool:
        """Whether no other step of it has the name; none will have it from now on."""
        if name in self.names:
            return False
        self.names.add(name)
        return True


def claims(owner: object, name: str) -> bool:
    """Whether nothing of this owner has used this name for its products; from now on something has.

    Code that emits products of an owner asks before the steps behind it do: products that have the
    name of a step would lose their attributes to it.
    """
    return not isinstance(owner, ProductOwner) or owner.claim(name)


def branched(
    product: DictProduct,
    name: str,
    attributes: dict[str, Any],
    owner: object,
    times: tuple[float, float] | None = None,
) -> DictProduct:
    """The product of a step that can't extend the product it was called with: another owner has
    that, such as the pipeline in front of a group, or it has a step of that name already.

    It has the steps of that product, copied, if they are few; else that is its precursor. Copied,
    it is a row when it is collected, which costs a third of a lineage (benchmark "fan-out").
    """
    steps = product.by_step
    if (
        times is None is product.times
        and product.owner is not owner
        and product.__class__ is DictProduct
        and product._lineage_labels is None
        and len(steps) <= _MOST_COPIED
        and isinstance(owner, ProductOwner)
        and owner.names.isdisjoint(steps)
    ):
        made = DictProduct(name, attributes, product.parent, product.position, owner)
        made.by_step = copied = steps.copy()
        for step, added in steps.items():
            copied[step] = added.copy()  # or one output would change with another
        copied[name] = attributes
        return made
    return DictProduct(name, attributes, product, REPEATED, owner, times)


def detached(product: Any) -> Any:
    """The same product with attributes of its own: one that others go on with, such as a branch
    beside a passthrough, must not change with the output that somebody gets of it."""
    if not isinstance(product, DictProduct):
        return product
    made = copy.copy(product)
    for step, added in made.by_step.items():
        made.by_step[step] = made.latest = added.copy()
    return made
