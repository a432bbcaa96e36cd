"""The functional API: steps on dictionaries, and the functions that put them together."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterable, Awaitable, Callable, Collection, Iterable, Mapping
from functools import reduce
from typing import Any, Union, overload

from reactivex import Observable

from .._common.messages import short, shown
from .._common.names import identifier
from .._common.signatures import function_name, parameters_of
from .._common.single_values import is_single_value, is_text
from .._common.text import counted
from .._conduits.conduit import passthrough_chained, role_of
from .._conduits.producer import Producer
from .._conduits.transformer import Passthrough, Transformer, group, passes_through
from .._errors import InvalidFlowError, InvalidNameError
from .._products.dict_product import MISSING, DictProduct, checked
from .._products.factory import EACH_A_MAPPING, MAPPING
from .._typing import A, B
from .source_step import SourceStep
from .step import Step

__all__ = ["chain", "parallel", "passthrough", "path", "step"]

#: what a step's function gives
Attributes = Mapping[str, Any]


Outcome = Union[  # noqa: UP007 - read as a list
    Attributes,
    Iterable[Attributes],
    AsyncIterable[Attributes],
    Awaitable[Attributes | Iterable[Attributes] | AsyncIterable[Attributes]],
]


# No parameters: a producer; one or more: a transformer, which no signature can say.
@overload
def step(  # pyright: ignore[reportOverlappingOverload]  # see above
    name: str, function: Callable[[], Outcome], /
) -> Producer[DictProduct]: ...


@overload
def step(
    name: str, function: Callable[..., Outcome], /, **fixed: Any
) -> Transformer[Attributes, DictProduct]: ...


@overload
def step(
    name: str,
    data: Attributes | Iterable[Attributes] | AsyncIterable[Attributes] | Observable[Any],
    /,
) -> Producer[DictProduct]: ...


def step(name: Any, function_or_data: Any = MISSING, /, **fixed: Any) -> Any:
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
    if function_or_data is MISSING and callable(name):
        raise InvalidFlowError(
            f"step() needs a name before the function: step('name', {function_name(name)})"
        )
    if not isinstance(name, str):
        raise InvalidFlowError(f"the name of a step must be a string, not {shown(name)}")
    if not name.isidentifier():
        raise InvalidNameError(
            f"{name!r} is no valid step name: names must be identifiers{identifier(name)}"
        )
    if function_or_data is MISSING:
        raise InvalidFlowError(f"step({name!r}) needs data or a function after the name")
    return _step(name, function_or_data, fixed)


def _step(name: str, given: Any, fixed: dict[str, Any]) -> Any:
    if is_text(given):
        raise InvalidFlowError(
            f"step {name!r}: a string is no data; expected a mapping, an iterable of mappings, or a"
            " function"
        )
    if inspect.iscoroutine(given):
        called = given.__name__
        given.close()  # or "was never awaited" is printed over the real error
        raise InvalidFlowError(
            f"step({name!r}, {called}(...)) passes a call; pass the function:"
            f" step({name!r}, {called})"
        )
    # What can be called is a function, also if it can be iterated, as a mock or a chain of layers.
    is_data = isinstance(given, Mapping | Iterable | AsyncIterable | Observable)
    if is_data and not callable(given) and role_of(given) is None:
        if fixed:
            raise InvalidFlowError(
                f"step {name!r} was given the fixed keyword {next(iter(fixed))!r}, but data takes"
                " no keywords"
            )
        _check_data(name, given)
        return SourceStep(name, given, False)
    if not callable(given) or role_of(given) is not None:
        raise InvalidFlowError(f"step {name!r}: {shown(given)} is neither data nor a function")
    parameters = parameters_of(name, given)
    if parameters.names or parameters.takes_all:
        return Step(name, given, fixed, parameters)
    if fixed:
        raise InvalidFlowError(
            f"step {name!r} was given the fixed keyword {next(iter(fixed))!r}, but its function"
            " takes no arguments"
        )
    return SourceStep(name, given, True)


def _check_data(name: str, given: Any) -> None:
    """What can be known now: the items of a collection, not those of a generator."""
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


@overload
def path(name: str, flow: Producer[A], /) -> Producer[A]: ...
@overload
def path(name: str, flow: Transformer[A, B], /) -> Transformer[A, B]: ...
@overload
def path(name: str, flow: Passthrough, /) -> Passthrough: ...
def path(name: str, flow: Any, /) -> Any:
    """A branch with a name: a step, a chain, a group or a passthrough that is called so.

    It runs as it does without the name, which tells its outputs, failures and calls from those of
    other branches: in `RunResult.paths`, `result[name]` and data frames, in the `path` of a failure
    (`src → alpha: ask`), in the names of steps in statistics, progress and timelines
    (`alpha: ask`), and in drawings. So a flow that asks several models has one step for it, and
    each of their answers says whose it is.

    The name is any text that can be printed, but for arrows; branches of one group have different
    ones. Branches with names may stand in others, and one behind the other. A step that stands in
    several branches has one limit, which they share.

    Raises ValueError for another name, TypeError for what is no branch, such as a flow that ends
    with a consumer.

    >>> from fluxus_rx import run
    >>> ask = step("ask", lambda n: {"answer": n + 1})
    >>> flow = step("numbers", [{"n": 1}, {"n": 2}]) >> (path("a", ask) & path("b", ask >> ask))
    >>> result = run(flow)
    >>> result.paths, result["a"][0]
    (('a', 'b'), {'numbers': {'n': 1}, 'ask': {'answer': 2}})
    """
    if not isinstance(name, str):
        raise InvalidFlowError(
            f"path(): the name of a branch must be a string, not {shown(name)}: path('name', flow)"
        )
    if not name.isprintable() or name != name.strip() or not name or "→" in name:
        raise InvalidNameError(
            f"path(): {short(name)} is no name of a branch: expected a text that can be printed,"
            " without an arrow, nor blanks around it"
        )
    if role_of(flow) not in ("producer", "transformer", "passthrough"):
        what = shown(flow) if role_of(flow) is None else flow._flow_label
        raise InvalidFlowError(
            f"path({name!r}): {what} is no branch; expected a step, a chain, a group or a"
            " passthrough, with outputs to tell from others"
        )
    # Here, as it takes half a millisecond of the import of the library.
    from .._conduits.labeling import named_branch

    return named_branch(name, flow)


def chain(first: Any = MISSING, /, *more: Any) -> Any:
    """Steps one behind the other: `chain(a, b, c)` is `a >> b >> c`.

    A chain that begins with a producer is a producer, one that ends with a consumer a flow or a
    consumer, any other a transformer. Raises TypeError for what can't be chained.

    >>> chain(step("src", {"x": 1}), step("double", lambda x: {"x": 2 * x}))
    step('src', {'x': 1}) >> step('double', <lambda>)
    """
    if first is MISSING:
        raise InvalidFlowError("chain() needs at least one step")
    for index, conduit in enumerate((first, *more)):
        if role_of(conduit) is not None or (index and role_of(first) is not None):
            continue
        if isinstance(conduit, Collection) and not (is_single_value(conduit) or callable(conduit)):
            raise InvalidFlowError(
                f"chain() takes steps, but argument {index} is a {type(conduit).__name__} of"
                f" {counted(len(conduit), 'step')}; did you mean chain(*steps)?"
            )
        raise InvalidFlowError(
            f"chain(): argument {index} is {shown(conduit)}; expected a step, a group or a flow"
        )
    if role_of(first) == "passthrough":
        raise passthrough_chained()
    return reduce(lambda chained, conduit: chained >> conduit, more, first)


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
            " branches take input, or none does"
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
