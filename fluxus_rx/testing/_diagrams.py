"""Marble diagrams as data, and back.

The notation is that of reactivex, so that a diagram means the same there: see `marbles`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple, NoReturn

from .._common.arguments import check_seconds
from .._common.messages import short, shown
from .._errors import FlowError

__all__ = [
    "ENDS",
    "EXACT",
    "FAILS",
    "NEXT",
    "Event",
    "InvalidDiagramError",
    "NoRoom",
    "by_time",
    "checked_seconds",
    "drawn_diagram",
    "elements",
    "is_element",
    "number",
    "parse",
]

ENDS: Final = "|"
FAILS: Final = "#"
NEXT: Final = "next"

#: Parts of a unit that a time may be off. Rx counts in whole microseconds.
EXACT: Final = 1e-3


class InvalidDiagramError(FlowError, ValueError):
    """A marble diagram that can't be read; the message shows where."""


class NoRoom(Exception):
    """These events can't be drawn with one character per unit."""


class Event(NamedTuple):
    """What happens at one time: `kind` is "next", "|" or "#"; `value` an item, or an error."""

    time: float
    kind: str
    value: Any = None


_TOKEN = re.compile(r"(?P<ticks>-+)|(?P<group>\([^()]*\))|(?P<element>[|#]|[^-,()#|\s]+)")


def parse(
    diagram: str,
    values: Mapping[Any, Any] | None = None,
    error: Any = None,
    unit: float = 1.0,
) -> tuple[list[Event], float]:
    """The events of a diagram, and its length in seconds.

    Raises InvalidDiagramError (a ValueError), and TypeError for what is no string.

    >>> parse("-a(b,c)|", unit=0.5)[0][2:]
    [Event(time=1.0, kind='next', value='c'), Event(time=3.5, kind='|', value=None)]
    """
    if not isinstance(diagram, str):
        raise TypeError(f"a marble diagram is a string, not {shown(diagram)}")
    # Their places are needed for messages.
    places = [place for place, character in enumerate(diagram) if character != " "]
    bare = diagram.replace(" ", "")
    events: list[Event] = []
    at, over = 0, False

    def refuse(place: int, why: str) -> NoReturn:
        column = places[place] if place < len(places) else len(diagram)
        raise InvalidDiagramError(f"{why}\n  {diagram}\n  {' ' * column}^")

    def add(frame: int, place: int, element: str) -> None:
        nonlocal over
        if over:
            refuse(place, "nothing can follow the end of a diagram, | or #")
        over = element in (ENDS, FAILS)
        if element == ENDS:
            events.append(Event(frame * unit, ENDS))
        elif element == FAILS:
            events.append(Event(frame * unit, FAILS, error))
        else:
            events.append(Event(frame * unit, NEXT, _value(element, values, place, refuse)))

    while at < len(bare):
        found = _TOKEN.match(bare, at)
        if found is None:
            refuse(at, _trouble(bare[at]))
        text = found.group()
        if found["group"]:
            place = at + 1
            for element in text[1:-1].split(","):
                if not _ELEMENT.fullmatch(element):
                    refuse(place, "a group is elements with commas in between, such as (a,b)")
                add(at, place, element)
                place += len(element) + 1
        elif found["element"]:
            add(at, at, text)
        at = found.end()
    return events, at * unit


_ELEMENT = re.compile(r"[|#]|[^-,()#|\s]+")


def _trouble(character: str) -> str:
    if character == "(":
        return "this bracket is never closed, or another one is opened inside"
    if character == ")":
        return "this bracket was never opened"
    if character == ",":
        return "a comma stands between the elements of a group only: (a,b)"
    return f"{character!r} can't stand in a diagram"


def _value(
    element: str, values: Mapping[Any, Any] | None, place: int, refuse: Callable[[int, str], object]
) -> Any:
    """What an element stands for: a number for itself where it is none of `values`."""
    key = number(element)
    if values is None:
        return key
    for known in (key, element):
        if known in values:
            return values[known]
    why = f"{element!r} is none of values, which has {short([*values])}"
    if len(element) > 1 and all(letter in values for letter in element):
        why += (
            f"; letters in a row are one element: ({','.join(element)}) is several at one time,"
            f" {'-'.join(element)} one after the other"
        )
    refuse(place, why)
    return None


def elements(diagram: str) -> list[str]:
    """The items of a diagram, as they are written.

    >>> elements("-a-(b, 12)|")
    ['a', 'b', '12']
    """
    found: list[str] = _ELEMENT.findall(diagram.replace(" ", ""))
    return [element for element in found if element not in (ENDS, FAILS)]


def is_element(text: str) -> bool:
    """Whether a diagram can have this as an item.

    >>> is_element("a"), is_element("|"), is_element("a b")
    (True, False, False)
    """
    return text not in (ENDS, FAILS) and _ELEMENT.fullmatch(text) is not None


def number(element: str) -> Any:
    """An element as an int or a float, if it is one.

    >>> number("12"), number("1.5"), number("a")
    (12, 1.5, 'a')
    """
    for kind in (int, float):
        try:
            return kind(element)
        except ValueError:
            continue
    return element


def drawn_diagram(events: Iterable[Event], name_of: Callable[[Any], str], unit: float = 1.0) -> str:
    """The diagram of these events; `name_of` gives the element for an item.

    Raises NoRoom where a character per unit is too little: an element takes as many units as it has
    characters, and a group as many as it has with its brackets and commas.

    >>> drawn_diagram(parse("-a--(b,c)|")[0], str)
    '-a--(b,c)|'
    >>> drawn_diagram([Event(1, "next", "a"), Event(2.5, "|")], str)
    Traceback (most recent call last):
        ...
    fluxus_rx.testing._diagrams.NoRoom: 2.5
    """
    drawn = ""
    for time, together in by_time(events):
        frame = round(time / unit)
        if abs(time / unit - frame) > EXACT or frame < len(drawn):
            raise NoRoom(time)
        names = [name_of(one.value) if one.kind == NEXT else one.kind for one in together]
        text = names[0] if len(names) == 1 else f"({','.join(names)})"
        # "ab" would be one element.
        if drawn and frame == len(drawn) and _runs_together(drawn[-1], text[0]):
            raise NoRoom(time)
        drawn += "-" * (frame - len(drawn)) + text
    return drawn


def _runs_together(last: str, first: str) -> bool:
    return last not in "-()#|" and first not in "-()#|"


def by_time(events: Iterable[Event]) -> list[tuple[float, list[Event]]]:
    """The events of each time, in order."""
    groups: list[tuple[float, list[Event]]] = []
    for event in events:
        if groups and abs(groups[-1][0] - event.time) <= 1e-9 * max(1.0, abs(event.time)):
            groups[-1][1].append(event)
        else:
            groups.append((event.time, [event]))
    return groups


def checked_seconds(unit: Any, argument: str = "unit") -> float:
    """A number of seconds above 0; refuses anything else."""
    check_seconds(argument, unit)
    return float(unit)
