"""Texts of errors: values shown shortly, notes on exceptions, and checks of arguments."""

from __future__ import annotations

import asyncio
import contextlib
import reprlib
from collections.abc import Iterable
from itertools import islice
from math import nan
from typing import Any, Final

from .._errors import FlowError, InvalidOptionError
from .secrets import MASK, is_secret, masked_text

__all__ = [
    "also_raised",
    "check_choice",
    "check_seconds",
    "check_whole_number",
    "note",
    "short",
    "shown",
]


#: Characters at the start and at the end of a long text in which secrets are looked for; no more
#: of them are shown.
_LOOKED_AT: Final = 1_000


class _Short(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = 60

    def repr1(self, x: object, level: int) -> str:
        # Not `repr_instance` alone: an int may have too many digits, and what a class is called may
        # make it pass for a container.
        try:
            return MASK if is_secret(x) else super().repr1(x, level)
        except BaseException as error:
            return f"<{type(x).__name__}: its repr raised {type(error).__name__}>"

    def repr_str(self, x: str, level: int) -> str:
        return super().repr_str(masked_text(_ends_of(x)), level)

    def repr_dict(self, x: dict[Any, Any], level: int) -> str:
        if not x or level <= 0:
            return "{...}" if x else "{}"
        keys: Iterable[Any] = x
        with contextlib.suppress(Exception):  # keys that can't be compared
            keys = sorted(x)
        pieces = [
            f"{self.repr1(key, level - 1)}: "
            + (MASK if is_secret(x[key], key) else self.repr1(x[key], level - 1))
            for key in islice(keys, self.maxdict)
        ]
        more = ["..."] if len(x) > self.maxdict else []
        return f"{{{', '.join([*pieces, *more])}}}"

    def repr_instance(self, x: object, level: int) -> str:
        try:
            text = masked_text(_ends_of(repr(x)))
        except Exception:
            return super().repr_instance(x, level)  # which tells its class and its address
        if len(text) <= self.maxother:
            return text
        head = max(0, (self.maxother - 3) // 2)
        tail = max(0, self.maxother - 3 - head)
        return f"{text[:head]}...{text[len(text) - tail :]}"


def _ends_of(text: str) -> str:
    if len(text) <= 2 * _LOOKED_AT:
        return text
    return text[:_LOOKED_AT] + text[-_LOOKED_AT:]


_SHORT = _Short()


def short(value: object, name: str = "") -> str:
    """The `repr` of a value, shortened, and without secrets; never raises.

    Secret is what its `name` says to be so, or its type, also in a container (`secrets.py`).

    >>> short("x" * 100)
    "'xxxxxxxxxxxxxxxxxxxxxxxxxxx...xxxxxxxxxxxxxxxxxxxxxxxxxxxx'"
    >>> short({"Authorization": "Bearer sk-1"}), short("sk-1", "api_key")
    ("{'Authorization': ***}", '***')
    """
    return MASK if is_secret(value, name) else _SHORT.repr(value)


def shown(value: object) -> str:
    """A value and its type, for messages.

    >>> shown(5), shown(None)
    ('5 (int)', 'None (NoneType)')
    """
    return f"{short(value)} ({type(value).__name__})"


def note(error: BaseException, text: str) -> None:
    """Add a note to an exception, once; an exception that takes none stays as it is."""
    if text not in getattr(error, "__notes__", ()):
        with contextlib.suppress(Exception):
            error.add_note(text)


def also_raised(first: BaseException, second: BaseException) -> None:
    """Keep `second` as a note of `first`, which is the one that is raised."""
    if second is not first and not isinstance(second, (asyncio.CancelledError, GeneratorExit)):
        note(first, f"while this ended the run, another error came up: {short(second)}")


#: Seconds from which on a number is a mistake: added to the time of a loop, it would be infinite.
_TOO_MANY_SECONDS: Final = 1e300


def check_whole_number(
    argument: str,
    value: object,
    unit: str,
    *,
    who: str = "",
    least: int = 1,
    none: str | None = None,
    wrong_type: type[FlowError] = InvalidOptionError,
) -> None:
    """Refuse what is no whole number of `unit` from `least` on; with `none`, the words for what
    None means, None is one as well.

    Raises `InvalidOptionError` (a ValueError); for what is no int, `wrong_type`.

    >>> check_whole_number("window", None, "calls", none="the default")
    >>> check_whole_number("size", 0, "items", who="buffer()")
    Traceback (most recent call last):
        ...
    fluxus_rx.InvalidOptionError: buffer(): size=0 (int): expected a whole number of items from 1 on
    """
    if (value is None and none is not None) or (type(value) is int and value >= least):
        return
    kind = InvalidOptionError if type(value) is int else wrong_type
    caller = f"{who}: " if who else ""
    or_none = f", or None for {none}" if none is not None else ""
    raise kind(
        f"{caller}{argument}={shown(value)}: expected a whole number of {unit} from {least}"
        f" on{or_none}"
    )


def check_seconds(
    argument: str, value: object, *, zero_fits: bool = False, none: str | None = None
) -> None:
    """Refuse what is no number of seconds above 0, or with `zero_fits` from 0 on; with `none`, the
    words for what None means, None is one as well.

    Raises `InvalidOptionError` (a ValueError).

    >>> check_seconds("timeout", 0)
    Traceback (most recent call last):
        ...
    fluxus_rx.InvalidOptionError: timeout=0 (int): expected a number of seconds above 0
    """
    if value is None and none is not None:
        return
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else nan
    # Written so that NaN, and what is no number, fails as well.
    if 0 < number < _TOO_MANY_SECONDS or (zero_fits and number == 0):
        return
    least = "from 0 on" if zero_fits else "above 0"
    or_none = f", or None for {none}" if none is not None else ""
    raise InvalidOptionError(
        f"{argument}={shown(value)}: expected a number of seconds {least}{or_none}"
    )


def check_choice(argument: str, value: object, choices: Iterable[str], *, who: str = "") -> str:
    """The value of an argument that has these choices.

    Raises `InvalidOptionError` (a ValueError) for anything else.

    >>> check_choice("style", "grpah", ["graph", "tree"])
    Traceback (most recent call last):
        ...
    fluxus_rx.InvalidOptionError: style='grpah' (str): expected one of 'graph', 'tree'
    """
    names = [*choices]
    if isinstance(value, str) and value in names:
        return value
    caller = f"{who}: " if who else ""
    raise InvalidOptionError(
        f"{caller}{argument}={shown(value)}: expected one of {', '.join(map(repr, names))}"
    )
