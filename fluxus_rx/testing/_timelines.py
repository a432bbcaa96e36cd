"""What a flow emits, and when: recorded, compared and told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Callable, Collection, Mapping, Sequence
from itertools import zip_longest
from string import ascii_letters
from typing import Any, Final

from reactivex import Observable

from .._common.messages import short, shown
from .._conduits.conduit import Conduit, role_of
from .._engine.conversions import to_observable
from .._engine.execution import Execution
from .._errors import InvalidFlowError
from .._rx.run_settings import RunSettings
from ._marbles import (
    ENDS,
    EXACT,
    FAILS,
    NEXT,
    Event,
    NoRoom,
    drawn_diagram,
    elements,
    is_element,
    number,
)

__all__ = ["difference", "recorded", "subject"]

#: Items beyond those that are expected, after which a flow is no longer watched.
_BEYOND: Final = 1_000

#: Parts of a unit that a diagram is drawn in, if whole ones are too coarse.
_PARTS: Final = (1, 2, 4, 5, 10, 20, 50, 100)
_WIDEST: Final = 200

#: paths that a flow is compiled to, and the settings that it runs with
Compiled = tuple[Sequence[Observable[Any]], RunSettings]


def subject(flow: Any, source: Observable[Any] | None) -> Callable[[], Compiled]:
    """What compiles a flow, for one run, with a source in front of what needs one.

    Raises InvalidFlowError (a TypeError) for what can't be watched.
    """
    role = role_of(flow)
    takes = _takes_products(flow)
    if takes and source is None:
        raise InvalidFlowError(f"{short(flow)} takes products: pass some, by source='--a-b-|'")
    if not takes and source is not None:
        raise InvalidFlowError(
            f"source= is for what takes products, a transformer or an Rx operator; {shown(flow)}"
            " begins by itself"
        )
    if role == "producer":
        return lambda: (flow._flow_observables(), _settings_for(flow))
    if role == "transformer":
        given: Any = source
        return lambda: (flow._flow_connect(given), _settings_for(flow))
    if isinstance(flow, Observable):
        return lambda: ([flow], RunSettings())
    if isinstance(flow, AsyncIterable):
        return lambda: ([to_observable(flow)], RunSettings())
    if takes:
        return lambda: ([_applied(flow, source)], RunSettings())
    raise InvalidFlowError(
        f"what can be watched is a producer, a chain that begins with one, an Observable or an"
        f" asynchronous iterable, and with source= a transformer or an Rx operator, not"
        f" {shown(flow)}"
    )


def _takes_products(flow: Any) -> bool:
    role = role_of(flow)
    if role is not None:
        return role == "transformer"
    return callable(flow) and not isinstance(flow, Observable | AsyncIterable)


def _settings_for(flow: Conduit) -> RunSettings:
    settings = RunSettings.of(on_failure=lambda failure: None)
    flow._flow_check_options(settings.options)
    return settings


def _applied(operator: Any, source: Any) -> Observable[Any]:
    given = operator(source)
    if not isinstance(given, Observable):
        raise InvalidFlowError(
            f"{short(operator)} isn't an Rx operator: for an Observable it returned {shown(given)};"
            " an operator of aiostream goes into stream_pipe(...)"
        )
    return given


async def recorded(compile_flow: Callable[[], Compiled], until: float, most: int) -> list[Event]:
    """What a flow emits in so many seconds from now; the rest of it is cancelled then."""
    paths, settings = compile_flow()
    loop = asyncio.get_running_loop()
    start = loop.time()
    events: list[Event] = []
    most += _BEYOND

    def receive(item: Any) -> None:
        if len(events) < most:
            events.append(Event(loop.time() - start, NEXT, item))
        else:
            channel.close()

    ended: float | None = None
    try:
        async with Execution(paths, settings, [receive] * len(paths)) as channel:
            try:
                async with asyncio.timeout_at(start + until):
                    await channel.filled()
            except TimeoutError:
                pass
            else:
                if len(events) < most:
                    ended = loop.time() - start
    except Exception as error:
        if ended is None:
            raise  # it came up in cleaning up
        return [*events, Event(ended, FAILS, error)]
    return events if ended is None else [*events, Event(ended, ENDS)]


def _same_time(one: float, other: float, unit: float) -> bool:
    return abs(one - other) <= EXACT * unit + 1e-9 * max(one, other)


def same(expected: Any, got: Any) -> bool:
    """Whether two items are equal; mappings of any kind are compared as such."""
    if isinstance(expected, Mapping) and isinstance(got, Mapping):
        return expected.keys() == got.keys() and all(same(expected[k], got[k]) for k in expected)
    if expected is got:
        return True
    try:
        return bool(expected == got)
    except Exception:  # such as an array's, which is equal here and there
        return False


def _same_error(expected: Any, got: Any) -> bool:
    if expected is None or expected is got:
        return True
    if isinstance(expected, type):
        return isinstance(got, expected)
    return type(got) is type(expected) and same(expected.args, got.args)


def _agree(expected: Event | None, got: Event | None, unit: float) -> bool:
    if expected is None or got is None or expected.kind != got.kind:
        return False
    alike = _same_error if expected.kind == FAILS else same
    return _same_time(expected.time, got.time, unit) and alike(expected.value, got.value)


def difference(
    diagram: str,
    expected: Sequence[Event],
    got: Sequence[Event],
    unit: float,
    values: Mapping[Any, Any] | None,
) -> str | None:
    """How two timelines differ: both of them drawn, and the first event that isn't the same."""
    pairs = zip_longest(expected, got)
    first = next((pair for pair in pairs if not _agree(*pair, unit)), None)
    if first is None:
        return None
    names = _Names(values, elements(diagram))
    lines = _drawn_pair(expected, got, unit, names)
    lines.append(f"first difference: {_told(*first, names)}")
    lines += [f"  where {name} = {_item_text(value)}" for name, value in names.given]
    return "\n".join(lines)


class _Names:
    """The elements that items are drawn as."""

    def __init__(self, values: Mapping[Any, Any] | None, drawn: Collection[str]) -> None:
        known = [(str(name), value) for name, value in (values or {}).items()]
        # Where an item has two names, that which the reader sees in the other diagram.
        self._known = sorted(known, key=lambda one: one[0] not in drawn)
        self._plain = values is None
        self._taken = {name for name, _ in known} | set(drawn)
        #: names that were made up, since the items have none
        self.given: list[tuple[str, Any]] = []

    def __call__(self, item: Any) -> str:
        for name, value in (*self._known, *self.given):
            if same(value, item):
                return name
        text = str(item) if isinstance(item, str | int | float) else ""
        if self._plain and is_element(text) and same(number(text), item):
            return text
        free = (letter for letter in ascii_letters if letter not in self._taken)
        name = next(free, "?")
        self._taken.add(name)
        self.given.append((name, item))
        return name


def _drawn_pair(
    expected: Sequence[Event], got: Sequence[Event], unit: float, names: _Names
) -> list[str]:
    for parts in _PARTS:
        try:
            drawn = [drawn_diagram(events, names, unit / parts) for events in (expected, got)]
        except NoRoom:
            continue
        if parts > 1 and max(map(len, drawn)) > _WIDEST:
            break
        return [
            f"other events than expected (1 character = {unit / parts:g} s):",
            f"  expected  {drawn[0]}",
            f"  got       {drawn[1]}",
        ]
    return [
        "other events than expected:",
        f"  expected  {_event_list(expected, names)}",
        f"  got       {_event_list(got, names)}",
    ]


def _event_list(events: Sequence[Event], names: _Names) -> str:
    shown = [f"{_event_name(event, names)} at {event.time:g} s" for event in events[:50]]
    return ", ".join([*shown, "…"] if len(events) > 50 else shown) or "nothing"


def _event_name(event: Event, names: _Names) -> str:
    return names(event.value) if event.kind == NEXT else event.kind


def _told(expected: Event | None, got: Event | None, names: _Names) -> str:
    if got is None:
        assert expected is not None
        return f"expected {_event(expected, names)}, and nothing more came"
    if expected is None:
        return f"got {_event(got, names)}, where nothing more was expected"
    return f"expected {_event(expected, names)}, got {_event(got, names)}"


def _event(event: Event, names: _Names) -> str:
    if event.kind == ENDS:
        return f"the end at {event.time:g} s"
    if event.kind == FAILS:
        what = "an error" if event.value is None else f"the error {_error(event.value)}"
        return f"{what} at {event.time:g} s"
    name, value = names(event.value), _item_text(event.value)
    text = name if value in (name, repr(name)) else f"{name} = {value}"
    return f"{text} at {event.time:g} s"


def _item_text(item: Any) -> str:
    # As what it is compared as.
    return short(dict(item) if isinstance(item, Mapping) else item)


def _error(error: Any) -> str:
    return error.__name__ if isinstance(error, type) else short(error)
