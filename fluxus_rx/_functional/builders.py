"""The functional API: steps on dictionaries, and the functions that put them together."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping
from functools import partial, reduce
from typing import Any, Concatenate, Protocol, Union, cast, overload

from reactivex import Observable
from typing_extensions import TypeVar

from .._common.messages import short, shown
from .._common.names import identifier
from .._common.signatures import function_name, parameters_of
from .._common.single_values import is_single_value, is_text
from .._common.text import counted
from .._conduits.conduit import Conduit, role_of
from .._conduits.consumer import Consumer
from .._conduits.producer import Producer
from .._conduits.transformer import Passthrough, Transformer, group, passes_through
from .._errors import InvalidFlowError, InvalidNameError
from .._graph.mistakes import (
    check_no_frame,
    holds_conduits,
    is_conduit,
    meant_by,
    passthrough_chained,
)
from .._options.step_options import option_hint
from .._products.dict_product import DictProduct, checked
from .._products.factory import EACH_A_MAPPING, MAPPING
from .._typing import (
    A,
    B,
    Behind,
    C,
    P,
    R,
    T,
    Whole,
    Whole2,
    Whole3,
    Whole4,
)
from .source_step import SourceStep
from .step import Step

__all__ = ["chain", "parallel", "passthrough", "step"]

OneConduit = TypeVar("OneConduit", bound=Conduit)
#: what a step's function gives
Attributes = Mapping[str, Any]


Outcome = Union[  # noqa: UP007 - read as a list
    Attributes,
    Iterable[Attributes],
    AsyncIterable[Attributes],
    Awaitable[Attributes | Iterable[Attributes] | AsyncIterable[Attributes]],
]


class TakesAttributes(Protocol):
    """A function that takes any attributes, as `**attributes`."""

    def __call__(self, **attributes: Any) -> Outcome:
        """What it gives for them."""
        ...


# A function that can be called without arguments is no producer if it takes some all the same. What
# types can't say: that all are keyword-only and have defaults. What a partial takes, mypy doesn't
# know.
@overload
def step(name: str, function: partial[Any], /, **fixed: Any) -> Any: ...
@overload
def step(
    name: str, function: Callable[Concatenate[Any, ...], Outcome], /, **fixed: Any
) -> Transformer[Attributes, DictProduct]: ...
@overload
def step(  # type: ignore[overload-overlap]  # see above
    name: str, function: TakesAttributes, /, **fixed: Any
) -> Transformer[Attributes, DictProduct]: ...
@overload
def step(  # pyright: ignore[reportOverlappingOverload]  # see above
    name: str, function: Callable[[], Outcome], /
) -> Producer[DictProduct]: ...
@overload
def step(  # type: ignore[overload-cannot-match]  # pyright: ignore[reportOverlappingOverload]  # for keyword-only parameters
    name: str, function: Callable[..., Outcome], /, **fixed: Any
) -> Transformer[Attributes, DictProduct]: ...
@overload
def step(
    name: str,
    data: Attributes | Iterable[Attributes] | AsyncIterable[Attributes] | Observable[Any],
    /,
) -> Producer[DictProduct]: ...
def step(name: Any = ..., function_or_data: Any = ..., /, **fixed: Any) -> Any:
    """One step of a flow.

    - Data (a mapping, an iterable or async iterable of mappings, an Observable of mappings), or a
      function without parameters: a producer.
    - A function with parameters: a transformer. Its arguments are looked up by name in the lineage
      of each product, the latest value first, and in `fixed`; parameters with a default are
      optional; `**kwargs` gets all attributes.

    A function returns a mapping (one product), an iterable or async iterable of mappings (any
    number), or an awaitable of one of these. An `async def` function runs up to 256 calls at once
    (`.options(concurrency=…)`); what it gives flows on in order of completion, and is sorted in the
    result. A plain function runs on the loop's thread, one call at a time; if it returns an
    awaitable, it is run as an `async def` function is.

    Raises TypeError or ValueError, while the flow is written, for what can't work.

    >>> from fluxus_rx import run
    >>> flow = step("src", [{"x": 1}, {"x": 2}]) >> step("add", lambda x, by: {"y": x + by}, by=10)
    >>> run(flow)
    RunResult([{'src': {'x': 1}, 'add': {'y': 11}}, {'src': {'x': 2}, 'add': {'y': 12}}])
    """
    if function_or_data is ... and callable(name):
        raise InvalidFlowError(
            f"step() needs a name before the function: step('name', {function_name(name)})"
        )
    if name is ...:
        raise InvalidFlowError(
            "step() takes a name and a function, or data, both by position: step('name', f)"
        )
    if not isinstance(name, str):
        swapped = isinstance(function_or_data, str)
        hint = f"; did you mean step({short(function_or_data)}, …)?" if swapped else ""
        raise InvalidFlowError(f"the name of a step must be a string, not {shown(name)}{hint}")
    if not name.isidentifier():
        raise InvalidNameError(
            f"{name!r} is no valid step name: names must be identifiers{identifier(name)}"
        )
    if function_or_data is ...:
        raise InvalidFlowError(f"step({name!r}) needs data or a function after the name")
    return _step(name, function_or_data, fixed)


# Prompts and the reference show what is to be given; that less can be is for the message alone.
_own: Any = inspect.signature(step)
_needed = [one.replace(default=one.empty) for one in _own.parameters.values()]
cast(Any, step).__signature__ = _own.replace(parameters=_needed)


def _step(name: str, given: Any, fixed: dict[str, Any]) -> Any:
    # What can be called is a function, also if it can be iterated, as a mock or a chain of layers.
    is_data = isinstance(given, Mapping | Iterable | AsyncIterable | Observable)
    if is_data and not callable(given) and not is_text(given) and role_of(given) is None:
        if fixed:
            raise InvalidFlowError(
                f"step {name!r} was given the fixed keyword {next(iter(fixed))!r}, but data takes"
                f" no keywords{option_hint(_shape(name), fixed, of_source=True)}"
            )
        _check_data(name, given)
        return SourceStep(name, given, False)
    if not callable(given) or is_conduit(given):
        raise _no_function(name, given)
    parameters = parameters_of(name, given)
    if parameters.names or parameters.takes_all:
        return Step(name, given, fixed, parameters)
    if fixed:
        raise InvalidFlowError(
            f"step {name!r} was given the fixed keyword {next(iter(fixed))!r}, but its function"
            f" takes no arguments{option_hint(_shape(name), fixed, of_source=True)}"
        )
    return SourceStep(name, given, True)


def _no_function(name: str, given: Any) -> InvalidFlowError:
    """The error for what is neither data nor a function."""
    if inspect.iscoroutine(given):
        called = given.__name__
        given.close()  # or "was never awaited" is printed over the real error
        return InvalidFlowError(
            f"step({name!r}, {called}(...)) passes a call; pass the function:"
            f" step({name!r}, {called})"
        )
    if is_conduit(given):
        made = f"{given.__name__}()" if isinstance(given, type) else short(given)
        return InvalidFlowError(
            f"step {name!r}: {shown(given)} is neither data nor a function, but a conduit, which"
            f" stands in a flow by itself: {made}, and not step({name!r}, …)"
        )
    what = f"{shown(given)} is neither data nor a function"
    if is_text(given):
        what = "a string is no data; expected a mapping, an iterable of mappings, or a function"
    return InvalidFlowError(
        f"step {name!r}: {what}; of a call, pass the function itself: step({name!r}, f), not"
        f" step({name!r}, f(…))"
    )


def _shape(name: str) -> str:
    return f"step({name!r}, …)"


def _check_data(name: str, given: Any) -> None:
    """What can be known now: the items of a collection, not those of a generator."""
    check_no_frame(f"step {name!r}", given)
    if isinstance(given, Mapping):
        checked(given, name, "the data", MAPPING)
    elif isinstance(given, list | tuple):
        for index, item in enumerate(given):
            checked(item, name, f"item {index} of the data", EACH_A_MAPPING)


def passthrough() -> Passthrough:
    """A branch of `parallel` that passes products on as they are.

    >>> from fluxus_rx import run
    >>> group = parallel(step("double", lambda x: {"x": 2 * x}), passthrough())
    >>> run(group, input={"x": 1})
    RunResult([{'input': {'x': 1}, 'double': {'x': 2}}], [{'input': {'x': 1}}])
    """
    return Passthrough()


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
    first: Conduit, b: Conduit, c: Conduit, d: Conduit, e: Conduit, f: Conduit, /, *more: Conduit
) -> Any: ...
def chain(*steps: Any) -> Any:
    """Steps one behind the other: `chain(a, b, c)` is `a >> b >> c`.

    A chain that begins with a producer is a producer, one that ends with a consumer a flow or a
    consumer, any other a transformer. Raises TypeError for what can't be chained.

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
    """Steps side by side: `parallel(a, b, c)` is `a & b & c`; iterables of steps are unpacked.

    Each product goes to every branch; each branch is a path of the result, in the order of the
    arguments. All are producers, or all are transformers with one passthrough at most. Raises
    TypeError for what can't stand side by side.

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
