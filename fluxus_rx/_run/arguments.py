"""The arguments of functions that start a run: the flow comes first, all else by its name."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterable, Iterable, Mapping
from typing import Any, Final

from .._common.messages import short, shown
from .._common.single_values import is_text
from .._conduits.conduit import role_of
from .._errors import InvalidFlowError
from .._options.step_options import StepOptions
from .._typing import T

__all__ = ["by_name", "check_by_name"]


def by_name(function: T) -> T:
    """Have `inspect`, and so prompts and the reference, show a function as it is to be called:
    without what takes the arguments that should have been given by name, or have none of its
    names."""
    shown: Any = function
    own = inspect.signature(shown)
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    parameters = [one for one in own.parameters.values() if one.kind not in several]
    shown.__signature__ = own.replace(parameters=parameters)
    _KEYWORDS[f"{shown.__name__}()"] = [
        one.name for one in parameters if one.kind is one.KEYWORD_ONLY
    ]
    return function


#: the keywords that each of these functions takes
_KEYWORDS: Final[dict[str, list[str]]] = {}


def check_by_name(
    who: str, misplaced: tuple[object, ...], unknown: Mapping[str, object], taken: str = "flow"
) -> None:
    """Refuse arguments by position that are none of those `taken`, and `unknown` keywords.

    >>> check_by_name("run()", ([{"x": 1}],), {})
    Traceback (most recent call last):
        ...
    fluxus_rx.InvalidFlowError: run() takes only the flow by position, but got [{'x': 1}] (list) as
    well; all else is given by name, such as run(flow, input=[{'x': 1}])
    """
    if unknown:
        raise InvalidFlowError(_of_no_keyword(who, unknown, taken))
    if misplaced:
        raise InvalidFlowError(
            f"{who} takes only the {taken.replace(', ', ' and the ')} by position, but got"
            f" {shown(misplaced[0])} as well; {_as_meant(who[:-1], misplaced[0], taken)}"
        )


def _of_no_keyword(who: str, unknown: Mapping[str, object], taken: str) -> str:
    name = next(iter(unknown))
    names = _KEYWORDS.get(who, ())
    text = f"{who} got {name}={short(unknown[name], name)}, and has no argument {name!r}"
    if StepOptions.is_option(name):
        options = ", ".join(
            f"{one}={short(value, one)}"
            for one, value in unknown.items()
            if StepOptions.is_option(one)
        )
        return (
            f"{text}: it is an option of steps, set with step.options({options}), or for all of"
            f" them with {who[:-1]}{taken}, options=StepOptions({options}))"
        )
    close = next((one for one in names if name.startswith(one) or one.startswith(name)), None)
    meant = f"; did you mean {close}=…?" if close else ""
    return f"{text}; there are {', '.join(names)}{meant}"


def _as_meant(call: str, value: object, taken: str) -> str:
    if role_of(value) is not None:
        return f"did you mean {call}chain(…))?"
    name = "max_failures=3"
    if isinstance(value, StepOptions):
        name = f"options={short(value)}"
    elif taken == "flow" and isinstance(value, Iterable | AsyncIterable) and not is_text(value):
        name = f"input={short(value)}"
    return f"all else is given by name, such as {call}{taken}, {name})"
