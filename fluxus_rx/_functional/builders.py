"""The functional API: steps on dictionaries, and the functions that put them together."""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable, Collection, Iterable, Mapping
from functools import reduce
from typing import Any, Union, overload

from reactivex import Observable

from .._common.messages import shown
from .._common.names import check_name, check_step_name
from .._common.signatures import function_name, parameters_of
from .._common.single_values import is_single_value
from .._common.text import counted
from .._conduits.conduit import passthrough_chained, role_of
from .._conduits.producer import Producer
from .._conduits.transformer import Passthrough, Transformer, group, passes_through
from .._errors import InvalidFlowError
from .._products.dict_product import MISSING, DictProduct
from .source_data import is_function_of_source
from .source_step import SourceStep
from .step import Step

__all__ = ["chain", "parallel", "passthrough", "route", "step", "where"]

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


# What `using` makes may be all that the function takes: then it is a producer.
@overload
def step(
    name: str,
    function: Callable[..., Outcome],
    /,
    *,
    using: Mapping[str, Callable[[], Any]],
    **fixed: Any,
) -> Any: ...


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


def step(name: Any, function_or_data: Any = MISSING, /, *, using: Any = None, **fixed: Any) -> Any:
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

    `using` names what a run makes for the function and closes at its end, such as
    `using={"client": httpx.AsyncClient}`: by the name of a parameter, a class, or a function
    without parameters, plain or asynchronous. It is called on the loop of the run, before the first
    call of the step. If it gives a context manager, that is entered, and what comes of that is the
    argument; else it is what was given. A class makes one for each step, a function one for all
    steps of a run that have it. A step whose function takes nothing else is a producer.

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
    check_step_name(name)
    if function_or_data is MISSING:
        raise InvalidFlowError(f"step({name!r}) needs data or a function after the name")
    return _step(name, function_or_data, fixed, using)


def _step(name: str, given: Any, fixed: dict[str, Any], using: Any) -> Any:
    is_function, factories = is_function_of_source(name, given), None
    if is_function:
        parameters = parameters_of(name, given)
        if using is not None:
            # Here, as most flows have none (benchmark "startup, import").
            from .using import checked_factories

            factories = checked_factories(name, using, given, parameters, fixed)
            parameters = parameters.without(factories)
        if parameters.names or parameters.takes_all:
            made = Step.__new__(Step)
            made._flow_begin(name, given, fixed, parameters, factories)
            return made
    elif using is not None:
        raise InvalidFlowError(f"step {name!r} was given using=, but data takes no keywords")
    if fixed:
        what = "its function takes no arguments" if is_function else "data takes no keywords"
        raise InvalidFlowError(
            f"step {name!r} was given the fixed keyword {next(iter(fixed))!r}, but {what}"
        )
    return SourceStep._flow_of(name, given, is_function, factories)


def passthrough() -> Passthrough:
    """A branch of `parallel` that passes products on as they are.

    >>> from fluxus_rx import run
    >>> group = parallel(step("double", lambda x: {"x": 2 * x}), passthrough())
    >>> run(group, input={"x": 1})
    RunResult([{'input': {'x': 1}, 'double': {'x': 2}}], [{'input': {'x': 1}}])
    """
    return Passthrough()


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


def where(predicate: Callable[..., Any], /) -> Transformer[Attributes, DictProduct]:
    """Passes on the products for which a predicate holds; all others end here.

    The predicate is a function of attributes, like that of a step, and may be asynchronous; what it
    gives counts as true or false. A product that goes on stays as it is. In front of a branch of a
    group, it says which products the branch takes: each of the branches by itself, so a product may
    go to several, or to none. In statistics it is `where`, with as many calls as products have
    come, and as many products as have gone on.

    Raises TypeError for what is no function of attributes.

    >>> from fluxus_rx import run
    >>> src = step("src", [{"x": 1}, {"x": 5}])
    >>> small = where(lambda x: x < 3) >> step("small", lambda x: {"y": -x})
    >>> run(src >> (small & passthrough()))[0]
    [{'src': {'x': 1}, 'small': {'y': -1}}]
    """
    if not callable(predicate) or role_of(predicate) is not None:
        raise InvalidFlowError(
            f"where() takes a function of attributes, not {shown(predicate)}; such as"
            " where(lambda x: x > 0)"
        )
    # Here, as it takes 0.6 ms of the import of the library (benchmark "startup, import").
    from .selecting import Where

    return Where(predicate)


def route(
    key: str | Callable[..., Any],
    flows: Mapping[Any, Transformer[Any, Any] | Passthrough],
    /,
    *,
    default: Transformer[Any, Any] | Passthrough | None = None,
) -> Transformer[Attributes, Any]:
    """A router: each product goes to one of several flows, by its key.

    The `key` is the name of an attribute, or a function of attributes like that of a step, also an
    asynchronous one; it is called once for each product. `flows` has the flow for each value of it,
    which may be a `passthrough()`. What has another value goes to the `default`; without one, it is
    an error (`InvalidProductError`), which a run treats as any error of a step called `route`.

    The flows are the branches of a group, in the order of `flows`, with the `default` as the last:
    in results, in drawings, and in how the slowest sets the pace. Each begins with a step that has
    the value in its name; statistics tell how many products it was given.

    Raises TypeError or ValueError for what can't work.

    >>> from fluxus_rx import run
    >>> src = step("src", [{"kind": "a", "x": 1}, {"kind": "b", "x": 2}])
    >>> kinds = {"a": step("double", lambda x: {"y": 2 * x}), "b": passthrough()}
    >>> [len(outputs) for outputs in run(src >> route("kind", kinds))]
    [1, 1]
    """
    if isinstance(key, str):
        check_name("route()", key)
    elif not callable(key) or role_of(key) is not None:
        raise InvalidFlowError(
            f"route(): the key is {shown(key)}; expected the name of an attribute, or a function of"
            " attributes"
        )
    if not isinstance(flows, Mapping) or not (flows or default is not None):
        raise InvalidFlowError(
            f"route() takes a flow for each value of the key, not {shown(flows)}; such as"
            " route('kind', {'a': flow, 'b': passthrough()})"
        )
    from .selecting import Route

    router = Route(key, flows, default is not None)
    branches = [(router._flow_case_name(value), flow) for value, flow in flows.items()]
    if default is not None:
        branches.append(("default", default))
    cases = [_case(number, name, flow) for number, (name, flow) in enumerate(branches)]
    return router >> (cases[0] if len(cases) == 1 else group(cases))


def _case(number: int, name: str, flow: Any) -> Transformer[Any, Any]:
    if role_of(flow) not in ("transformer", "passthrough"):
        what = shown(flow) if role_of(flow) is None else flow._flow_label
        raise InvalidFlowError(
            f"route(): the flow for {name} is {what}; expected a step, a passthrough or a flow that"
            " takes products"
        )
    from .selecting import Case

    case = Case(number, name)
    return case if role_of(flow) == "passthrough" else case >> flow


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
