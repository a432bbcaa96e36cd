"""Marble diagrams as data, and back; and the Observables that they describe.

The notation is that of reactivex, so that a diagram means the same there: see `marbles`."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, NamedTuple, NoReturn

from reactivex import Observable, abc
from reactivex.disposable import CompositeDisposable
from reactivex.scheduler import VirtualTimeScheduler
from reactivex.scheduler.eventloop import AsyncIOScheduler

from .._common.messages import check_seconds, short, shown
from .._errors import FlowError, InvalidOptionError, UsageError

__all__ = [
    "ENDS",
    "EXACT",
    "FAILS",
    "NEXT",
    "Event",
    "InvalidDiagramError",
    "Marbles",
    "NoRoom",
    "by_time",
    "checked_seconds",
    "drawn_diagram",
    "elements",
    "hot_marbles",
    "is_element",
    "marbles",
    "number",
    "on_this_loop",
    "parse",
]


class Marbles(Observable[Any]):
    """An Observable that a diagram describes; `marbles` and `hot_marbles` make it.

    >>> marbles("-a-|")
    marbles('-a-|')
    """

    def __init__(
        self,
        diagram: str,
        values: Mapping[Any, Any] | None,
        error: BaseException | None,
        unit: float,
    ) -> None:
        super().__init__()
        self.diagram = diagram
        self.unit = checked_seconds(unit)
        if error is not None and not isinstance(error, Exception):
            raise InvalidOptionError(f"error={shown(error)}: expected an exception, such as {_EG}")
        if values is not None and not isinstance(values, Mapping):
            raise InvalidOptionError(
                f"values={shown(values)}: expected a mapping of elements of the diagram to items"
            )
        failure = Exception("error") if error is None else error
        events, _ = parse(diagram, values, failure, self.unit)
        self._frames: Sequence[tuple[float, list[Event]]] = by_time(events)

    def _subscribe_core(
        self, observer: abc.ObserverBase[Any], scheduler: abc.SchedulerBase | None = None
    ) -> abc.DisposableBase:
        timers = scheduler if scheduler is not None else on_this_loop(self)
        passed = self._passed(timers)
        scheduled = CompositeDisposable()
        for time, events in self._frames:
            if time < passed and events[-1].kind == NEXT:
                continue
            action = _telling(
                observer, [one for one in events if one.kind != NEXT or time >= passed]
            )
            due = timedelta(0) if time <= passed else max(0.0, time - passed)
            scheduled.add(timers.schedule_relative(due, action))
        return scheduled

    def _passed(self, timers: abc.SchedulerBase) -> float:
        """How much of the diagram is over when somebody subscribes."""
        return 0.0

    def __repr__(self) -> str:
        unit = "" if self.unit == 1.0 else f", unit={self.unit:g}"
        return f"{self._name}({self.diagram!r}{unit})"

    _name = "marbles"


_EG = "ValueError('broken')"


class _Hot(Marbles):
    """One whose time goes on whether somebody is subscribed or not."""

    _name = "hot_marbles"

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        loop = asyncio._get_running_loop()
        self._began = None if loop is None else loop.time()

    def _passed(self, timers: abc.SchedulerBase) -> float:
        loop = getattr(timers, "_loop", None)
        now: float = timers.to_seconds(timers.now) if loop is None else loop.time()
        if self._began is None:
            is_virtual = isinstance(timers, VirtualTimeScheduler)
            self._began = 0.0 if is_virtual or getattr(loop, "is_virtual", False) else now
        return max(0.0, now - self._began)


def on_this_loop(source: object) -> AsyncIOScheduler:
    """A scheduler on the running loop, for `source`, which was given none."""
    try:
        return AsyncIOScheduler(asyncio.get_running_loop())
    except RuntimeError:
        raise UsageError(
            f"{source!r} needs a clock, and no event loop is running here: subscribe inside a"
            " coroutine (run_virtual(main())), or pass scheduler="
        ) from None


def _telling(observer: abc.ObserverBase[Any], events: Sequence[Event]) -> Any:
    # All of one time in one action: actions that are due together may come in any order.
    def action(scheduler: abc.SchedulerBase, state: Any = None) -> None:
        for event in events:
            if event.kind == NEXT:
                observer.on_next(event.value)
            elif event.kind == ENDS:
                observer.on_completed()
            else:
                observer.on_error(event.value)

    return action


def marbles(
    diagram: str,
    *,
    values: Mapping[Any, Any] | None = None,
    error: BaseException | None = None,
    unit: float = 1.0,
) -> Marbles:
    """An Observable that emits what a marble diagram shows, when it shows it.

    Each character takes one `unit` of seconds. The notation is that of reactivex's own marbles, and
    a diagram means the same there:

    - `-` lets time pass, and so does each character of anything else;
    - `|` ends the source, `#` is an error: `error`, or `Exception("error")`;
    - any other characters in a row are *one* item: `ab` is one, `a-b` are two;
    - `(a,b)` are several at one time, that of the opening bracket; each of its five characters
      takes a unit of time, too;
    - spaces mean nothing, and are there to align diagrams.

    `values` maps each element, as it is written or as a number, to its item. Without `values` an
    element stands for itself: the string `"a"`, or the number `12` if it reads as one.

    Cold: each subscription begins again, at the first character. It follows the clock of the
    scheduler that it is subscribed with, else that of the running loop; on a `VirtualTimeLoop` it
    takes no real time. It can stand wherever an Observable can: in `step("src", marbles(...))`,
    where values are mappings, before Rx operators, and before a transformer. It has no
    backpressure: a slow step behind it finds the items waiting. Without `|` or `#` it never ends.

    Raises `InvalidDiagramError` (a ValueError), which shows the position in a bad diagram,
    ValueError for a bad `unit`, `values` or `error`, and TypeError for a diagram that isn't a
    string.

    >>> from reactivex import operators as ops
    >>> from fluxus_rx.testing import run_virtual
    >>> async def main():
    ...     return await marbles("-a-1-(b,c)|", unit=60).pipe(ops.to_list())
    >>> run_virtual(main())
    ['a', 1, 'b', 'c']
    >>> marbles("-a-(b")
    Traceback (most recent call last):
        ...
    fluxus_rx.testing.InvalidDiagramError: this bracket is never closed, or another one is ...
      -a-(b
         ^
    """
    return Marbles(diagram, values, error, unit)


def hot_marbles(
    diagram: str,
    *,
    values: Mapping[Any, Any] | None = None,
    error: BaseException | None = None,
    unit: float = 1.0,
) -> Marbles:
    """The same as `marbles`, hot: its time goes on with or without subscribers.

    A later subscriber gets the items still to come, from that moment on; after the end, the end
    alone. Its time begins when it is made, inside a coroutine. Made elsewhere, it begins with the
    clock of the virtual time in which it is used (at 0), or, in real time, with its first
    subscription.

    >>> import asyncio
    >>> from reactivex import operators as ops
    >>> from fluxus_rx.testing import run_virtual
    >>> async def main():
    ...     source = hot_marbles("a-b-c-|")
    ...     await asyncio.sleep(3)
    ...     return await source.pipe(ops.to_list())
    >>> run_virtual(main())
    ['c']
    """
    return _Hot(diagram, values, error, unit)


ENDS: Final = "|"
FAILS: Final = "#"
NEXT: Final = "next"

#: Parts of a unit that a time may be off. Rx counts in whole microseconds.
EXACT: Final = 1e-3


class InvalidDiagramError(FlowError, ValueError):
    """A marble diagram that can't be read; the message shows the position, and what is expected.

    >>> try:
    ...     marbles("-a-(b")
    ... except InvalidDiagramError as error:
    ...     print(error)
    this bracket is never closed, or another one is opened inside
      -a-(b
         ^
    """


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

    Raises InvalidDiagramError (a ValueError), and TypeError for anything but a string.

    >>> parse("-a(b,c)|", unit=0.5)[0][2:]
    [Event(time=1.0, kind='next', value='c'), Event(time=3.5, kind='|', value=None)]
    """
    if not isinstance(diagram, str):
        raise TypeError(f"a marble diagram is a string, not {shown(diagram)}")
    parser = _Parser(diagram, values, error, unit)
    parser.parse()
    return parser.events, parser.length


class _Parser:
    """Reads one diagram from left to right."""

    def __init__(
        self, diagram: str, values: Mapping[Any, Any] | None, error: Any, unit: float
    ) -> None:
        self._diagram = diagram
        self._bare = diagram.replace(" ", "")
        #: where each character stands in the diagram, for messages
        self._places = [place for place, character in enumerate(diagram) if character != " "]
        self._values = values
        self._error = error
        self._unit = unit
        self._is_over = False
        self.events: list[Event] = []
        self.length = len(self._bare) * unit

    def parse(self) -> None:
        """Read all of it."""
        at = 0
        while at < len(self._bare):
            found = _TOKEN.match(self._bare, at)
            if found is None:
                self._refuse(at, _trouble(self._bare[at]))
            if found["group"]:
                self._add_group(at, found.group()[1:-1])
            elif found["element"]:
                self._add(at, at, found.group())
            at = found.end()

    def _add_group(self, frame: int, group: str) -> None:
        place = frame + 1
        for element in group.split(","):
            if not _ELEMENT.fullmatch(element):
                self._refuse(place, "a group is elements with commas in between, such as (a,b)")
            self._add(frame, place, element)
            place += len(element) + 1

    def _add(self, frame: int, place: int, element: str) -> None:
        if self._is_over:
            self._refuse(place, "nothing can follow the end of a diagram, | or #")
        self._is_over = element in (ENDS, FAILS)
        time = frame * self._unit
        if element == ENDS:
            self.events.append(Event(time, ENDS))
        elif element == FAILS:
            self.events.append(Event(time, FAILS, self._error))
        else:
            value = _value(element, self._values, place, self._refuse)
            self.events.append(Event(time, NEXT, value))

    def _refuse(self, place: int, why: str) -> NoReturn:
        places = self._places
        column = places[place] if place < len(places) else len(self._diagram)
        raise InvalidDiagramError(f"{why}\n  {self._diagram}\n  {' ' * column}^")


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
    """The diagram of these events; `name_of` returns the element for an item.

    Raises NoRoom where a character per unit is too little: an element takes as many units as it has
    characters, and a group as many as it has with its brackets and commas.

    >>> drawn_diagram(parse("-a--(b,c)|")[0], str)
    '-a--(b,c)|'
    >>> drawn_diagram([Event(1, "next", "a"), Event(2.5, "|")], str)
    Traceback (most recent call last):
        ...
    fluxus_rx.testing._marbles.NoRoom: 2.5
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
