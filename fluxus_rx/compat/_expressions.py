"""Conduits and results as expressions of gamma-pytools."""

from __future__ import annotations

import operator
from functools import reduce
from typing import TYPE_CHECKING, Any

from .util import simplify_repr_attributes

if TYPE_CHECKING:
    from pytools.expression import Expression

__all__ = ["conduit_expression", "product_expression", "result_expression"]


def conduit_expression(conduit: Any, compact: bool) -> Expression:
    """The expression that makes a conduit; if it is `compact`, with short arguments."""
    form = getattr(conduit, "_flow_form", "")
    if form:
        inside = [conduit_expression(one, compact) for one in _parts(conduit, form)]
        return reduce(operator.rshift if form == "chain" else operator.and_, inside)
    arguments = dict(conduit.get_repr_attributes())
    called = conduit.name if compact else type(conduit)
    return _identifier(called)(**(simplify_repr_attributes(arguments) if compact else arguments))  # type: ignore[no-any-return]


def _parts(conduit: Any, form: str) -> Any:
    return conduit.chained_conduits if form == "chain" else conduit.conduits


def result_expression(result: Any) -> Expression:
    """The expression that makes a result."""
    return _identifier(type(result))(*result)  # type: ignore[no-any-return]


def product_expression(product: Any) -> Expression:
    """The expression that makes a product of its own attributes and times."""
    times = {"start_time": product.start_time, "end_time": product.end_time}
    return _identifier(type(product))(  # type: ignore[no-any-return]
        name=product.name, product_attributes=dict(product), **times
    )


def _identifier(name: Any) -> Any:
    try:
        from pytools.expression.atomic import Id
    except ImportError as error:
        raise ImportError(
            "to_expression() needs gamma-pytools: pip install gamma-pytools; without it, repr()"
            " tells the same"
        ) from error
    return Id(name)
