"""Products as plain data, with all that a run needs to go on with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from .dict_product import DictProduct, RemadeProduct

__all__ = ["ProductRecord", "product_record", "restored_product"]

#: the products of a lineage, the first one first: the steps that made each of them, its position
ProductRecord: TypeAlias = list[dict[str, Any]]


def product_record(
    product: DictProduct, encode: Callable[[Any, str, str], Any] = lambda value, step, name: value
) -> ProductRecord:
    """The lineage of a product; each value as `encode` returns it, called with the names of its
    step and of its attribute too.

    A product that operators have created doesn't tell what it was made of.

    >>> first = DictProduct("src", {"x": 1}, position=5)
    >>> product_record(DictProduct("add", {"y": 2}, first))  # doctest: +NORMALIZE_WHITESPACE
    [{'steps': [{'step': 'src', 'attributes': {'x': 1}}], 'position': 5},
     {'steps': [{'step': 'add', 'attributes': {'y': 2}}], 'position': 0}]
    """
    record: ProductRecord = []
    link: DictProduct | None = product
    while link is not None:
        steps = []
        for index, (name, attributes) in enumerate(link.by_step.items()):
            encoded = {key: encode(value, name, key) for key, value in attributes.items()}
            told_step: dict[str, Any] = {"step": name, "attributes": encoded}
            if link.times is not None:
                told_step["times"] = [*link.times[index]]
            steps.append(told_step)
        told: dict[str, Any] = {"steps": steps, "position": link.position}
        if link.depth:
            told["depth"] = link.depth
        if link.product_labels:
            name = link.product_name
            told["labels"] = {
                key: encode(value, name, key) for key, value in link.product_labels.items()
            }
        record.append(told)
        link = link.parent
    record.reverse()
    return record


def restored_product(
    record: ProductRecord, decode: Callable[[Any], Any] = lambda value: value
) -> DictProduct:
    """The product of a record, with its lineage; each value as `decode` returns it.

    >>> record = product_record(DictProduct("add", {"y": 2}, DictProduct("src", {"x": 1})))
    >>> restored_product(record).nested()
    {'src': {'x': 1}, 'add': {'y': 2}}
    """
    product: DictProduct | None = None
    for told in record:
        first, *more = (
            (one["step"], _decoded(one["attributes"], decode), one.get("times"))
            for one in told["steps"]
        )
        name, attributes, times = first
        if told.get("depth"):
            product = RemadeProduct(name, attributes, told["position"], None, told["depth"])
        else:
            product = DictProduct(name, attributes, product, told["position"], None, _pair(times))
        for name, attributes, times in more:
            product = product.extend(name, attributes, _pair(times))
        if told.get("labels"):
            product.label(**_decoded(told["labels"], decode))
    if product is None:
        raise ValueError("it has no product")
    return product


def _decoded(attributes: dict[str, Any], decode: Callable[[Any], Any]) -> dict[str, Any]:
    return {str(name): decode(value) for name, value in attributes.items()}


def _pair(times: list[float] | None) -> tuple[float, float] | None:
    return None if times is None else (times[0], times[1])
