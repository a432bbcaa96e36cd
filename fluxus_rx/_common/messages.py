"""Texts of errors: values shown shortly, notes on exceptions, and checks of arguments."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from math import nan
from opcode import opmap
from typing import Any, Final

from .._errors import FlowError, InvalidOptionError
from .encoding import to_print
from .short_repr import short_repr

__all__ = [
    "OPTIONAL_PACKAGES",
    "also_raised",
    "check_choice",
    "check_seconds",
    "check_whole_number",
    "install_hint",
    "note",
    "notes_of",
    "place_note",
    "short",
    "shown",
]


#: The packages that parts of the library need, with the versions that they need of them: what the
#: extras of `setup.cfg` bring.
OPTIONAL_PACKAGES: Final = {
    "graphviz": "graphviz>=0.20",
    "matplotlib": "matplotlib>=3.8",
    "pandas": "pandas>=2.1",
    "pyarrow": "pyarrow>=14",
    "rich": "rich>=13",
}


def install_hint(what: str, package: str) -> str:
    """What to say where an optional package is missing, or too old: the command that any shell
    takes, which names that package, as it works wherever the library itself came from.

    >>> install_hint("RunResult.to_frame()", "pandas")
    'RunResult.to_frame() needs pandas: pip install "pandas>=2.1"'
    """
    return f'{what} needs {package}: pip install "{OPTIONAL_PACKAGES[package]}"'


def short(value: object, name: str = "") -> str:
    """The `repr` of a value, shortened, and without secrets; never raises, and takes microseconds
    whatever it is.

    Secret is what its `name` says to be so, or its type, also in a container (`secrets.py`).

    >>> short("x" * 100)
    "'xxxxxxxxxxxxxxxxxxxxxxxxxxx...xxxxxxxxxxxxxxxxxxxxxxxxxxxx'"
    >>> short({"Authorization": "Bearer sk-1"}), short("sk-1", "api_key")
    ("{'Authorization': ***}", '***')
    """
    return short_repr(value, name)


def shown(value: object) -> str:
    """A value and its type, for messages.

    >>> shown(5), shown(None)
    ('5 (int)', 'None (NoneType)')
    """
    return f"{short(value)} ({type(value).__name__})"


def notes_of(error: BaseException) -> tuple[Any, ...]:
    """The notes of an exception; none of one that keeps none, or can't be asked.

    >>> notes_of(ValueError("no"))
    ()
    """
    try:
        notes = getattr(error, "__notes__", None)
    except Exception:  # of a __getattr__ that looks into something else
        return ()
    return (*notes,) if isinstance(notes, list | tuple) else ()


def note(error: BaseException, text: str) -> None:
    """Add a note to an exception, once; an exception that takes none stays as it is."""
    text = to_print(text)
    if text not in notes_of(error):
        with contextlib.suppress(Exception):
            error.add_note(text)


def place_note(error: BaseException, place: str, detail: str) -> str:
    """Add a note that tells at which `place` an exception came up, and in what `detail`; the note.

    One object may be raised again and again: a constant, or an error that somebody keeps. It does
    not gather what it had been told of earlier calls. If it is raised again, the notes of this
    place and the traceback before are dropped; notes of calls inside each other stay, five of a
    place.

    >>> error = ValueError("no")
    >>> place_note(error, "in step 's', ", "item 3"), error.__notes__
    ("in step 's', item 3", ["in step 's', item 3"])
    """
    place, text = to_print(place), to_print(f"{place}{detail}")
    notes = notes_of(error)
    earlier = [one for one in notes if isinstance(one, str) and one.startswith(place)]
    if earlier and text not in earlier:
        dropped = earlier if _drop_earlier_raise(error) else earlier[: 1 - _MOST_NOTES]
        with contextlib.suppress(Exception):
            error.__notes__ = [one for one in notes if one not in dropped]
    note(error, text)
    return text


#: Notes of one place: of a flow that runs itself in a step, each level has one.
_MOST_NOTES: Final = 5
#: Where these raise an exception, they pass on one that was raised elsewhere.
_HAND_ON: Final = frozenset({"asyncio", "concurrent", "fluxus_rx", "reactivex", "tenacity"})
_RAISE: Final = opmap["RAISE_VARARGS"]


def _drop_earlier_raise(error: BaseException) -> bool:
    """Cut off of a traceback what it has of an earlier raise; whether there was one.

    Python puts the frames of a new raise in front of those that are there: behind the frame that
    raises comes one that it has not called.
    """
    entry = error.__traceback__
    while entry is not None and entry.tb_next is not None:
        frame, behind = entry.tb_frame, entry.tb_next
        if behind.tb_frame is not frame and frame.f_code.co_code[entry.tb_lasti] == _RAISE:
            package = str(frame.f_globals.get("__name__")).partition(".")[0]
            if package not in _HAND_ON:
                entry.tb_next = None
                return True
        entry = behind
    return False


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
    """Refuse anything but a whole number of `unit` from `least` on; with `none`, the words for what
    None means, None is one as well.

    Raises `InvalidOptionError` (a ValueError); for anything but an int, `wrong_type`.

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
    """Refuse anything but a number of seconds above 0, or with `zero_fits` from 0 on; with `none`,
    the words for what None means, None is one as well.

    Raises `InvalidOptionError` (a ValueError).

    >>> check_seconds("timeout", 0)
    Traceback (most recent call last):
        ...
    fluxus_rx.InvalidOptionError: timeout=0 (int): expected a number of seconds above 0
    """
    if value is None and none is not None:
        return
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else nan
    # Written so that NaN, and what isn't a number, fails as well.
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
