"""Conduits put together by functions: `chain` and `parallel`."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import Any, overload

from typing_extensions import TypeVar

from .._common.messages import shown
from .._common.single_values import is_single_value
from .._common.text import counted
from .._conduits.conduit import Conduit, role_of
from .._conduits.consumer import Consumer
from .._conduits.producer import Producer
from .._conduits.transformer import Passthrough, Transformer, group, passes_through
from .._errors import InvalidFlowError
from .._graph.mistakes import holds_conduits, meant_by, passthrough_chained
from .._typing import A, B, Behind, C, P, R, T, Whole, Whole2, Whole3, Whole4

__all__ = ["chain", "parallel"]

OneConduit = TypeVar("OneConduit", bound=Conduit)


# What is behind a producer says what the two become, and so on; which role a transformer begins has
# to be written out. Of six and more, type checkers are told nothing.
@overload
def chain(only: OneConduit, /) -> OneConduit: ...
@overload
def chain(first: Producer[A], second: Behind[Producer[A], Whole], /) -> Whole: ...
@overload
def chain(
    first: Producer[A], second: Behind[Producer[A], Whole], third: Behind[Whole, Whole2], /
) -> Whole2: ...
@overload
def chain(
    first: Producer[A],
    second: Behind[Producer[A], Whole],
    third: Behind[Whole, Whole2],
    fourth: Behind[Whole2, Whole3],
    /,
) -> Whole3: ...
@overload
def chain(
    first: Producer[A],
    second: Behind[Producer[A], Whole],
    third: Behind[Whole, Whole2],
    fourth: Behind[Whole2, Whole3],
    fifth: Behind[Whole3, Whole4],
    /,
) -> Whole4: ...
@overload
def chain(first: Transformer[A, B], second: Transformer[B, C], /) -> Transformer[A, C]: ...
@overload
def chain(first: Transformer[A, B], second: Consumer[B, R], /) -> Consumer[A, R]: ...
@overload
def chain(
    first: Transformer[A, B], second: Transformer[B, C], third: Transformer[C, P], /
) -> Transformer[A, P]: ...
@overload
def chain(
    first: Transformer[A, B], second: Transformer[B, C], third: Consumer[C, R], /
) -> Consumer[A, R]: ...
@overload
def chain(
    first: Transformer[A, B],
    second: Transformer[B, C],
    third: Transformer[C, P],
    fourth: Transformer[P, T],
    /,
) -> Transformer[A, T]: ...
@overload
def chain(
    first: Transformer[A, B],
    second: Transformer[B, C],
    third: Transformer[C, P],
    fourth: Transformer[P, Any],
    fifth: Transformer[Any, T],
    /,
) -> Transformer[A, T]: ...
@overload
def chain(
    first: Transformer[A, B],
    second: Transformer[B, C],
    third: Transformer[C, P],
    fourth: Consumer[P, R],
    /,
) -> Consumer[A, R]: ...
@overload
def chain(
    first: Transformer[A, B],
    second: Transformer[B, C],
    third: Transformer[C, P],
    fourth: Transformer[P, T],
    fifth: Consumer[T, R],
    /,
) -> Consumer[A, R]: ...
@overload
def chain(
    first: Conduit, b: Conduit, c: Conduit, d: Conduit, e: Conduit, f: Conduit, /, *more: Conduit
) -> Any: ...
def chain(*steps: Any) -> Any:
    """Steps in series: `chain(a, b, c)` is `a >> b >> c`.

    A chain that begins with a producer is a producer, one that ends with a consumer is a flow or a
    consumer, any other is a transformer. Raises TypeError for steps that can't be chained.

    >>> chain(step("src", {"x": 1}), step("double", lambda x: {"x": 2 * x}))
    step('src', {'x': 1}) >> step('double', <lambda>)
    """
    if not steps:
        raise InvalidFlowError("chain() needs at least one step")
    first, *more = steps
    for index, conduit in enumerate(steps):
        if role_of(conduit) is not None or (index and role_of(first) is not None):
            continue
        if holds_conduits(conduit):
            raise InvalidFlowError(
                f"chain() takes steps, but argument {index} is a {type(conduit).__name__} of"
                f" {counted(len(conduit), 'step')}; did you mean chain(*steps)?"
            )
        raise InvalidFlowError(
            f"chain(): argument {index} is {shown(conduit)}; expected a step, a group or a flow"
            f"{meant_by(conduit)}"
        )
    if role_of(first) == "passthrough":
        raise passthrough_chained()
    return reduce(lambda chained, conduit: chained >> conduit, more, first)


@overload
def parallel(first: Producer[A], second: Producer[B], /) -> Producer[A | B]: ...
@overload
def parallel(*steps: Producer[A] | Iterable[Producer[A]]) -> Producer[A]: ...
@overload
def parallel(first: Transformer[A, B], second: Transformer[A, C], /) -> Transformer[A, B | C]: ...
@overload
def parallel(*steps: Transformer[A, B] | Iterable[Transformer[A, B]]) -> Transformer[A, B]: ...
@overload
def parallel(
    *steps: Transformer[A, Any] | Passthrough | Iterable[Transformer[A, Any] | Passthrough],
) -> Transformer[A, Any]: ...
def parallel(*steps: Any) -> Any:
    """Steps in parallel: `parallel(a, b, c)` is `a & b & c`; iterables of steps are unpacked.

    Each product goes to every branch (fan-out). Each branch is a path of the result, in the order
    of the arguments. Either all are producers, or all are transformers, with one passthrough at
    most. Raises TypeError for steps that can't stand side by side.

    >>> parallel(step("a", lambda x: {"y": x}), [step("b", lambda x: {"y": -x}), passthrough()])
    step('a', <lambda>) & step('b', <lambda>) & Passthrough()
    """
    if not steps:
        raise InvalidFlowError("parallel() needs at least one step")
    members: list[tuple[Any, str]] = []
    for index, argument in enumerate(steps):
        place = f"argument {index}"
        if (
            role_of(argument) is not None
            or not isinstance(argument, Iterable)
            or is_single_value(argument)
            or callable(argument)
        ):
            members.append((argument, place))
        else:
            members += [(one, f"item {i} of {place}") for i, one in enumerate(argument)]
    if not members:
        kind = type(steps[0]).__name__
        raise InvalidFlowError(
            f"parallel() needs at least one step; the {kind} that it was given is empty"
        )
    for one, place in members:
        if role_of(one) not in ("producer", "transformer", "passthrough"):
            what = shown(one) if role_of(one) is None else one._flow_label
            raise InvalidFlowError(
                f"parallel(): {place} is {what}; expected a step, a passthrough or a flow"
                f"{meant_by(one)}"
            )
    return _parallel(members)


def _parallel(members: list[tuple[Any, str]]) -> Any:
    conduits = [one for one, _ in members]
    through = [place for one, place in members if role_of(one) == "passthrough"]
    nested = [
        f"one in the nested group of {place}"
        for one, place in members
        if passes_through(one) and role_of(one) != "passthrough"
    ]
    if len(through) + len(nested) > 1:
        places = _argument_list(through, nested)
        raise InvalidFlowError(
            f"parallel() got {counted(len(through) + len(nested), 'passthrough')} ({places}); the"
            " second would double the outputs"
        )
    if len(conduits) == 1:
        if through:
            raise InvalidFlowError(
                "parallel() of a passthrough alone has no effect; add a step beside it, or leave"
                " out the group"
            )
        return conduits[0]
    producers = [one for one in conduits if role_of(one) == "producer"]
    if producers and len(producers) < len(conduits):
        other = next(one for one in conduits if role_of(one) != "producer")
        is_through = role_of(other) == "passthrough"
        what = "a passthrough" if is_through else f"transformers ({other.name!r})"
        raise InvalidFlowError(
            f"parallel() cannot mix producers ({producers[0].name!r}) with {what}: either all"
            f" branches take input, or none does, and {producers[0].name!r} takes none"
            f" {producers[0]._flow_why_source}"
        )
    if producers:
        return reduce(lambda grouped, one: grouped & one, producers[1:], producers[0])
    return group(conduits)


def _argument_list(through: list[str], nested: list[str]) -> str:
    numbers = [place.removeprefix("argument ") for place in through]
    if len(through) > 1 and all(number.isdigit() for number in numbers):
        found = ["arguments " + " and ".join(numbers)]
    else:
        found = [*through]
    return ", and ".join([*found, *nested])
