"""How an observable emits, and the names of operators, guessed from the inside of reactivex, and of
aiostream.

An observable doesn't say what it was made of. That of an operator subscribes by a function that has
what it was put on in its closure, and whose module is the operator's. An operator itself is a
function that has the one of its name in its closure. `tests/conduits/test_emission.py` fails where
that changes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any, Final, Literal

from reactivex import Observable
from reactivex.subject import Subject

from .._common.signatures import function_name
from .._engine.observable import is_driven

__all__ = ["emission_of", "operator_names"]

#: Where operators come from that thin out what they are given.
_THINNING: Final = {
    f"reactivex.operators.{name}" for name in ("_debounce", "_sample", "_throttlefirst")
}

#: How many operators an observable is followed up through, to what they were put on.
_FAR: Final = 100


def emission_of(source: object) -> Literal["", "with demand", "thinned out", "hot"]:
    """How an observable emits; empty of anything else.

    One of this library emits with demand, through operators too. Any other counts as hot, whether
    or not it could wait, unless an operator thins it out.

    >>> import reactivex
    >>> from reactivex import operators as ops
    >>> emission_of(reactivex.of(1)), emission_of(reactivex.of(1).pipe(ops.sample(1.0)))
    ('hot', 'thinned out')
    """
    if not isinstance(source, Observable):
        return ""
    for _ in range(_FAR):
        if is_driven(source):
            return "with demand"
        subscribe = getattr(source, "_subscribe", None)
        if getattr(subscribe, "__module__", None) in _THINNING:
            return "thinned out"
        before = [one for one in _closed_over(subscribe).values() if isinstance(one, Observable)]
        if isinstance(source, Subject) or len(before) != 1:
            return "hot"
        source = before[0]
    return "hot"


def _closed_over(function: Any) -> dict[str, Any]:
    """What a function has in its closure, by name."""
    names = getattr(getattr(function, "__code__", None), "co_freevars", ())
    found: dict[str, Any] = {}
    for name, cell in zip(names, getattr(function, "__closure__", None) or (), strict=False):
        with contextlib.suppress(ValueError):  # empty
            found[name] = cell.cell_contents
    return found


def operator_names(operators: Iterable[Any]) -> tuple[str, ...]:
    """The names of operators of reactivex and aiostream; any other function by its own name.

    >>> from aiostream import pipe
    >>> from reactivex import operators as ops
    >>> operator_names([ops.map(abs), ops.buffer_with_count(2), pipe.chunks(2), abs])
    ('map', 'buffer_with_count', 'chunks', 'abs')
    """
    return tuple(map(_operator_name, operators))


def _operator_name(operator: Any) -> str:
    inside = _closed_over(operator)
    match str(getattr(operator, "__module__", None)).partition(".")[0]:
        case "reactivex" if "fun" in inside:
            return str(inside["fun"].__name__).strip("_")
        case "reactivex" if isinstance(inside.get("operators"), tuple):  # several in one
            return ", ".join(operator_names(inside["operators"]))
        case "aiostream" if "operator_instance" in inside:
            return type(inside["operator_instance"]).__name__
        case "reactivex":
            return function_name(operator).strip("_")
    return function_name(operator)
