"""What can be the source of a step: data, or a function without parameters."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterable, Iterable, Mapping
from typing import Any

from reactivex import Observable

from .._common.messages import shown
from .._common.signatures import function_name, parameters_of
from .._common.single_values import is_text
from .._conduits.conduit import role_of
from .._errors import InvalidFlowError
from .._products.attributes import checked
from .._products.factory import EACH_A_MAPPING, MAPPING

__all__ = ["check_takes_nothing", "is_function_of_source"]


def is_function_of_source(name: str, given: Any) -> bool:
    """Whether this is a function, for a step of that name, and no data.

    Raises TypeError or ValueError for what is neither, and for data that can't be products.
    """
    if is_text(given):
        raise InvalidFlowError(
            f"step {name!r}: a string is no data; expected a mapping, an iterable of mappings, or a"
            " function"
        )
    if inspect.iscoroutine(given):
        called = given.__name__
        given.close()  # or "was never awaited" is printed over the real error
        raise InvalidFlowError(
            f"step({name!r}, {called}(...)) passes a call; pass the function:"
            f" step({name!r}, {called})"
        )
    # What can be called is a function, also if it can be iterated, as a mock or a chain of layers.
    if role_of(given) is None:
        if callable(given):
            return True
        if isinstance(given, Mapping | Iterable | AsyncIterable | Observable):
            _check_data(name, given)
            return False
    raise InvalidFlowError(f"step {name!r}: {shown(given)} is neither data nor a function")


def _check_data(name: str, given: Any) -> None:
    """What can be known now: the items of a collection, not those of a generator."""
    if isinstance(given, Mapping):
        checked(given, name, "the data", MAPPING)
    elif isinstance(given, list | tuple):
        for index, item in enumerate(given):
            checked(item, name, f"item {index} of the data", EACH_A_MAPPING)


def check_takes_nothing(name: str, function: Any) -> None:
    """Refuse a function that takes attributes as that of a source."""
    parameters = parameters_of(name, function)
    if parameters.names or parameters.takes_all:
        raise InvalidFlowError(
            f"step {name!r}: {function_name(function)}() takes attributes, and a source has none;"
            f" what takes products is a Step, or step({name!r}, …)"
        )
