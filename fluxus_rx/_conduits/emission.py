"""How an observable emits, guessed from the inside of reactivex.

An observable doesn't say what it was made of. That of an operator subscribes by a function that has
what it was put on in its closure, and whose module is the operator's; `tests/conduits/
test_emission.py` fails where that changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal

from reactivex import Observable
from reactivex.subject import Subject

from .._engine.observable import is_driven

__all__ = ["emission_of"]

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
        before = [one for one in _closed_over(subscribe) if isinstance(one, Observable)]
        if isinstance(source, Subject) or len(before) != 1:
            return "hot"
        source = before[0]
    return "hot"


def _closed_over(function: Any) -> Iterator[Any]:
    for cell in getattr(function, "__closure__", None) or ():
        try:
            yield cell.cell_contents
        except ValueError:  # empty
            continue
