"""What can be sent to a process, and what to say of what can't."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

from .._common.messages import short
from .._common.secrets import masked_text
from .._errors import InvalidFlowError

__all__ = ["Unpicklable", "check_picklable", "unpicklable"]


class Unpicklable(NamedTuple):
    """What can't be sent to a process: `text` says what and why, `remedy` the way out."""

    text: str
    remedy: str
    why: Exception | None = None


def unpicklable(function: Any, fixed: Mapping[str, Any]) -> Unpicklable | None:
    """What of a function, and of its arguments that are the same for all calls, can't be sent to a
    process; None if all can.

    >>> unpicklable(len, {}) is None
    True
    >>> unpicklable(lambda x: x, {}).remedy
    'define it at the top of a module, or use threads: executor="thread"'
    """
    bare = function
    while isinstance(bare, partial):
        bare = bare.func
    owner: Any = getattr(bare, "__self__", None)
    if hasattr(owner, "_flow_without_options"):
        function = getattr(owner._flow_without_options(), bare.__name__)  # as it is sent
    name = getattr(bare, "__qualname__", None) or short(bare)
    found = _refused(f"the function {name}", function, "define it at the top of a module")
    if found is not None:
        return found
    # What is typed into a shell or a notebook can be sent, but no process would find it.
    main = sys.modules.get("__main__")
    if not hasattr(main, "__file__") and getattr(bare, "__module__", None) == "__main__":
        return Unpicklable(
            f"a process can't import the function {name} from a shell or a notebook",
            'define it at the top of a module, or use threads: executor="thread"',
        )
    for key, value in fixed.items():
        found = _refused(f"the argument {key!r} of {name}", value, f"make it inside {name}")
        if found is not None:
            return found
    return None


def _refused(what: str, value: object, instead: str) -> Unpicklable | None:
    from multiprocessing.reduction import ForkingPickler

    try:
        ForkingPickler.dumps(value)  # as a pool does it
    except Exception as why:
        return Unpicklable(
            f"{what} can't be sent to a process ({masked_text(str(why))})",
            f'{instead}, or use threads: executor="thread"',
            why,
        )
    return None


def check_picklable(who: str, function: Any, fixed: Mapping[str, Any]) -> None:
    """Raise InvalidFlowError (a TypeError) if a function, or an argument of it that is the same for
    all calls, can't be sent to a process.

    >>> check_picklable("step 'add'", lambda x: x, {})
    Traceback (most recent call last):
    fluxus_rx...InvalidFlowError: step 'add': the function <lambda> can't be sent to a process ...
    """
    found = unpicklable(function, fixed)
    if found is not None:
        raise InvalidFlowError(f"{who}: {found.text}; {found.remedy}") from found.why
