"""The arguments of functions that start a run: the flow comes first, all else by its name."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterable, Iterable
from typing import Any

from .._common.messages import short, shown
from .._common.single_values import is_text
from .._conduits.conduit import role_of
from .._errors import InvalidFlowError
from .._options.step_options import StepOptions
from .._typing import T

__all__ = ["by_name", "check_by_name"]


def by_name(function: T) -> T:
    """Have `inspect`, and so prompts and the reference, show a function as it is to be called:
    without what takes the arguments that should have been given by name."""
    shown: Any = function
    own = inspect.signature(shown)
    parameters = [one for one in own.parameters.values() if one.kind is not one.VAR_POSITIONAL]
    shown.__signature__ = own.replace(parameters=parameters)
    return function


def check_by_name(who: str, misplaced: tuple[object, ...], taken: str = "flow") -> None:
    """Refuse arguments by position that are none of those `taken`.

    >>> check_by_name("run()", ([{"x": 1}],))
    Traceback (most recent call last):
        ...
    fluxus_rx.InvalidFlowError: run() takes only the flow by position, but got [{'x': 1}] (list) as
    well; all else is given by name, such as run(flow, input=[{'x': 1}])
    """
    if misplaced:
        raise InvalidFlowError(
            f"{who} takes only the {taken.replace(', ', ' and the ')} by position, but got"
            f" {shown(misplaced[0])} as well; {_as_meant(who[:-1], misplaced[0], taken)}"
        )


def _as_meant(call: str, value: object, taken: str) -> str:
    if role_of(value) is not None:
        return f"did you mean {call}chain(…))?"
    name = "max_failures=3"
    if isinstance(value, StepOptions):
        name = f"options={short(value)}"
    elif taken == "flow" and isinstance(value, Iterable | AsyncIterable) and not is_text(value):
        name = f"input={short(value)}"
    return f"all else is given by name, such as {call}{taken}, {name})"
