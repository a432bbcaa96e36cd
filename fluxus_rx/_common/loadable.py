"""Values that can be pickled, and loaded again: found out before anything is written."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any, Final

from .._errors import InvalidProductError
from .messages import short, shown

__all__ = ["LoadCheck"]

_PLAIN: Final = frozenset(
    {
        *(str, int, float, bool, bytes, type(None), complex, bytearray),
        *(datetime.datetime, datetime.date, datetime.time, datetime.timedelta),
    }
)


class LoadCheck:
    """Refuses what can't be pickled, and what can't be loaded again; looks at each value once.

    >>> LoadCheck().check([1, {"x": 0.5}], lambda: "the attribute 'y' of step 's'")
    """

    def __init__(self) -> None:
        #: what was looked at, by its id; kept, because ids are given again
        self._seen: dict[int, Any] = {}

    def knows(self, value: Any) -> bool:
        """Whether nothing is left to be found out of a value."""
        return type(value) in _PLAIN or id(value) in self._seen

    def check(self, value: Any, where: Callable[[], str]) -> None:
        """Raise `InvalidProductError` (a TypeError) for a value that wouldn't be there again;
        `where` tells what the message calls it."""
        if self.knows(value):
            return
        kind = type(value)
        self._seen[id(value)] = value
        if kind is list or kind is tuple or kind is set or kind is frozenset:
            for one in value:
                self.check(one, where)
        elif kind is dict:
            for key, one in value.items():
                self.check(key, where)
                self.check(one, where)
        else:
            why = _why_not(value)
            if why is not None:
                raise InvalidProductError(
                    f"{where()} has {shown(value)}, which can't be pickled and loaded again:"
                    f" {short(why)}; leave it out of what the step returns, or return what"
                    " it is made of"
                ) from why


def _why_not(value: object) -> Exception | None:
    import pickle

    try:
        pickle.loads(pickle.dumps(value))
    except Exception as why:
        return why
    return None
