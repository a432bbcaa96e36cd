"""What can be the source of a step: data, or a function without parameters."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterable, Iterable, Mapping
from typing import Any

from reactivex import Observable

from .._common.messages import short, shown
from .._common.signatures import function_name, parameters_of
from .._common.single_values import is_text
from .._errors import InvalidFlowError
from .._graph.mistakes import check_no_frame, is_conduit
from .._products.attributes import checked
from .._products.factory import EACH_A_MAPPING, MAPPING

__all__ = ["check_takes_nothing", "is_function_of_source"]


def is_function_of_source(name: str, given: Any) -> bool:
    """Whether this is a function, for a step of that name, and no data.

    Raises TypeError or ValueError for what is neither, and for data that can't be products.
    """
    # What can be called is a function, also if it can be iterated, as a mock or a chain of layers.
    if not is_conduit(given):
        if callable(given):
            return True
        is_data = isinstance(given, Mapping | Iterable | AsyncIterable | Observable)
        if is_data and not is_text(given):
            _check_data(name, given)
            return False
    raise _no_function(name, given)


def _no_function(name: str, given: Any) -> InvalidFlowError:
    """The error for what is neither data nor a function."""
    if inspect.iscoroutine(given):
        called = given.__name__
        given.close()  # or "was never awaited" is printed over the real error
        return InvalidFlowError(
            f"step({name!r}, {called}(...)) passes a call; pass the function:"
            f" step({name!r}, {called})"
        )
    if is_conduit(given):
        made = f"{given.__name__}()" if isinstance(given, type) else short(given)
        return InvalidFlowError(
            f"step {name!r}: {shown(given)} is neither data nor a function, but a conduit, which"
            f" stands in a flow by itself: {made}, and not step({name!r}, …)"
        )
    what = f"{shown(given)} is neither data nor a function"
    if is_text(given):
        what = "a string isn't data; expected a mapping, an iterable of mappings, or a function"
    return InvalidFlowError(
        f"step {name!r}: {what}; of a call, pass the function itself: step({name!r}, f), not"
        f" step({name!r}, f(…))"
    )


def _check_data(name: str, given: Any) -> None:
    """What can be known now: the items of a collection, not those of a generator."""
    check_no_frame(f"step {name!r}", given)
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
