"""What can't stand in a flow, or not together: what is told of it, and what may have been meant.

Knows conduits by what they say of themselves, and imports none.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Collection, Iterator, Mapping
from itertools import islice
from typing import Any, Final

from .._common.messages import short, shown
from .._common.single_values import is_text
from .._errors import InvalidFlowError

__all__ = [
    "cannot_chain",
    "cannot_group",
    "cannot_join",
    "check_no_frame",
    "holds_conduits",
    "is_conduit",
    "meant_by",
    "passthrough_chained",
]

#: the roles that nothing can stand behind
_LAST: Final = ("consumer", "flow")
#: of which a message writes out how they were meant
_MOST_NAMED: Final = 8


def _role(thing: object) -> str | None:
    """The role of a conduit; None of anything else, also of a class of conduits."""
    # Asked of the class: a mock has any attribute.
    return getattr(type(thing), "_flow_role", None)


def _label(thing: Any) -> str:
    return shown(thing) if _role(thing) is None else str(thing._flow_label)


def holds_conduits(thing: object) -> bool:
    """Whether this is a list, or another collection, of conduits; an empty one is, too.

    >>> holds_conduits([]), holds_conduits([{"x": 1}])
    (True, False)
    """
    if not isinstance(thing, Collection) or callable(thing) or is_text(thing):
        return False
    some = [*islice(thing, 3)]
    return not isinstance(thing, Mapping) and (not some or any(map(is_conduit, some)))


def is_conduit(thing: object) -> bool:
    """Whether this is a conduit, or a class of conduits."""
    return hasattr(thing if isinstance(thing, type) else type(thing), "_flow_role")


def meant_by(thing: object) -> str:
    """What may have been meant by something that stands where a conduit should, for the end of a
    message; empty if that can't be told.

    >>> meant_by(len), meant_by([{"x": 1}])
    ("; did you mean step('name', len)?", "; did you mean step('name', [{'x': 1}])?")
    """
    meant = _meant(thing)
    return f"; did you mean {meant}?" if meant else ""


def _meant(thing: Any) -> str:
    if _role(thing) is not None:
        return ""
    name = str(getattr(thing, "__name__", ""))
    if is_conduit(thing):
        return f"{name}()"
    module = str(getattr(thing, "__module__", None))
    if callable(thing):
        if module.partition(".")[0] in _PIPES:
            return f"{_PIPES[module.partition('.')[0]]}(…)"
        if module == "fluxus_rx":
            return f"{name}()" if name == "passthrough" else f"{name}(flow)"
        return f"step('name', {name or short(thing)})"
    if callable(getattr(thing, "subscribe", None)):
        return "from_observable(…)"
    if is_text(thing):
        return ""
    if rows := _rows_of_frame(thing):
        return f"step('name', {rows})"
    if isinstance(thing, Mapping):
        return f"step('name', {short(thing)})"
    if isinstance(thing, list | tuple):
        inside = "parallel(*steps), or chain(*steps)" if thing else ""
        return inside if holds_conduits(thing) else f"step('name', {short(thing)})"
    return "step('name', …)" if isinstance(thing, Iterator | AsyncIterable) else ""


def _rows_of_frame(thing: object) -> str:
    """How the rows of a data frame are written, which yields the names of its columns where it is
    iterated over; empty of anything else."""
    if type(thing).__name__ != "DataFrame" or not hasattr(thing, "columns"):
        return ""
    return "frame.to_dicts()" if hasattr(thing, "to_dicts") else "frame.to_dict('records')"


def check_no_frame(who: str, data: object) -> None:
    """Refuse a data frame, which would yield the names of its columns."""
    if rows := _rows_of_frame(data):
        raise InvalidFlowError(
            f"{who}: a DataFrame isn't an iterable of mappings; pass its rows: {rows}"
        )


#: Operators of other libraries stand in these.
_PIPES: Final = {"reactivex": "rx_pipe", "aiostream": "stream_pipe"}


def cannot_chain(first: Any, second: Any) -> InvalidFlowError:
    """The error for a chain of two things that can't be chained."""
    roles = _role(first), _role(second)
    if "passthrough" in roles:
        return passthrough_chained()
    text = f"cannot chain {_label(first)} into {_label(second)}"
    if roles[1] == "producer":
        return InvalidFlowError(
            f"{text}: {_label(second)} is a producer {second._flow_why_source}, and a producer can"
            " only come first"
        )
    if roles[0] in _LAST:
        return InvalidFlowError(f"{text}: a consumer ends a flow, so it can only come last")
    return InvalidFlowError(
        f"{text}; expected a step, a group or a consumer{meant_by(first) or meant_by(second)}"
    )


def passthrough_chained() -> InvalidFlowError:
    """The error for a passthrough in a chain."""
    return InvalidFlowError(
        "a passthrough has no effect in a chain; it belongs in parallel(), beside other steps"
    )


def cannot_group(first: Any, second: Any) -> InvalidFlowError:
    """The error for a group of two things that can't stand side by side."""
    roles = _role(first), _role(second)
    if None in roles or roles[0] in _LAST or roles[1] in _LAST:
        return InvalidFlowError(
            f"cannot group {_label(first)} with {_label(second)}; expected a step, a passthrough or"
            f" a group{meant_by(first) or meant_by(second) or _precedence(first, second)}"
        )
    producer, other = (first, second) if roles[0] == "producer" else (second, first)
    kind = "a passthrough" if "passthrough" in roles else f"transformers ({_label(other)})"
    why = (
        _precedence(first, second)
        or f", and {_label(producer)} takes none {producer._flow_why_source}"
    )
    return InvalidFlowError(
        f"& cannot mix producers ({_label(producer)}) with {kind}: either all branches take input,"
        f" or none does{why}"
    )


def _precedence(first: Any, second: Any) -> str:
    """What to write if `&` was to bind more tightly than `>>`, where that could be."""
    if None in (_role(first), _role(second)):
        return ""
    before, behind = [*first.chained_conduits], [*second.chained_conduits]
    last, next_one = before.pop(), behind.pop(0)
    if not (first.is_chained or second.is_chained):
        return ""
    if not (before or behind) or (_role(last) == "producer") != (_role(next_one) == "producer"):
        return ". >> binds more tightly than &: put a fork into brackets, as in src >> (a & b) >> c"
    fork = f"({_name(last)} & {_name(next_one)})"
    if len(before) + len(behind) < _MOST_NAMED:
        meant = " >> ".join([*map(_name, before), fork, *map(_name, behind)])
    else:
        meant = f"… >> {fork} >> …"
    return f". >> binds more tightly than &; if a fork was meant, write {meant}"


def _name(conduit: Any) -> str:
    if _role(conduit) == "passthrough":
        return "passthrough()"
    return str(conduit.name) if conduit.is_atomic else "(…)"


def cannot_join(symbol: str, first: Any, second: Any) -> InvalidFlowError:
    """The error for an operator that flows don't have."""
    return InvalidFlowError(
        f"{symbol} can't stand between {_label(first)} and {_label(second)}: write a & b for side"
        f" by side, a >> b for one behind the other{meant_by(first) or meant_by(second)}"
    )
