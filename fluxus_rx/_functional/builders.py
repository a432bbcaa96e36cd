"""The functional API: steps on dictionaries, named branches, routes."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Any, Concatenate, Protocol, Union, cast, overload

from reactivex import Observable

from .._common.messages import short, shown
from .._common.names import check_name, check_step_name
from .._common.signatures import function_name, parameters_of
from .._conduits.conduit import role_of
from .._conduits.producer import Producer
from .._conduits.transformer import Passthrough, Transformer, group
from .._errors import InvalidFlowError, InvalidNameError
from .._options.step_options import option_hint
from .._products.dict_product import DictProduct
from .._typing import (
    A,
    B,
)
from .source_data import is_function_of_source
from .source_step import SourceStep
from .step import Step
from .step_function import Factories

__all__ = ["passthrough", "path", "route", "step", "where"]

#: what a step's function returns
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
        """What it returns for them."""
        ...


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
# A function that can be called without arguments isn't a producer if it takes some all the same.
# What types can't say: that all are keyword-only and have defaults. What a partial takes, mypy
# doesn't know.
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
def step(
    name: Any = ..., function_or_data: Any = ..., /, *, using: Any = None, **fixed: Any
) -> Any:
    """A step of a flow: a name, and data or a function.

    - Data (a mapping, an iterable or async iterable of mappings, an Observable of mappings), or a
      function without parameters, makes a producer: a step that begins a flow.
    - A function with parameters makes a transformer: a step that is called with each product. Its
      arguments are looked up by name in the lineage of the product, the latest value first, and in
      `fixed`; parameters with a default are optional; `**kwargs` gets all attributes.

    A function returns a mapping (one product), an iterable or async iterable of mappings (any
    number, none to drop the product), or an awaitable of one of these. An `async def` function runs
    up to 256 calls concurrently (`.options(concurrency=…)`); products leave in order of completion,
    and the result sorts them. A plain function runs on the loop's thread, one call at a time; if it
    returns an awaitable, it runs like an `async def` function. Options are set by `.options(…)`,
    not here.

    `using` names resources that a run opens for the function and closes at its end, such as
    `using={"client": httpx.AsyncClient}`: for the name of a parameter, a class, or a function
    without parameters, plain or asynchronous. It is called on the loop of the run, before the first
    call of the step. If it returns a context manager, the run enters that and passes the entered
    value; otherwise it passes what was returned. A class makes one resource for each step, a
    function one for all steps of a run that share it. A step whose function takes nothing else is a
    producer.

    Raises TypeError or ValueError while the flow is built, if the step can't work: for a name that
    isn't an identifier, a call in place of a function, or fixed arguments that the function doesn't
    take.

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
    hint = ""
    if not isinstance(name, str) and isinstance(function_or_data, str):
        hint = f"; did you mean step({short(function_or_data)}, …)?"
    check_step_name(name, hint)
    if function_or_data is ...:
        raise InvalidFlowError(f"step({name!r}) needs data or a function after the name")
    return _step(name, function_or_data, fixed, using)


# Prompts and the reference show what is to be given; that less can be is for the message alone.
_own: Any = inspect.signature(step)
_needed = [
    one.replace(default=one.empty) if one.kind is one.POSITIONAL_ONLY else one
    for one in _own.parameters.values()
]
cast(Any, step).__signature__ = _own.replace(parameters=_needed)


def _step(name: str, given: Any, fixed: dict[str, Any], using: Any) -> Any:
    is_function = is_function_of_source(name, given)
    factories: Factories | None = None
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
            f"{option_hint(f'step({name!r}, …)', fixed, of_source=True)}"
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


@overload
def path(name: str, flow: Producer[A], /) -> Producer[A]: ...
@overload
def path(name: str, flow: Transformer[A, B], /) -> Transformer[A, B]: ...
@overload
def path(name: str, flow: Passthrough, /) -> Passthrough: ...
def path(name: str, flow: Any, /) -> Any:
    """A branch with a name: a step, a chain, a group or a passthrough that is called `name`.

    The branch runs as it does without the name. The name tells its outputs, failures and calls from
    those of other branches: in `RunResult.paths`, `result[name]` and data frames, in the `path` of
    a failure (`src → alpha: ask`), in the names of steps in statistics, progress and timelines
    (`alpha: ask`), and in drawings. So a flow that asks several models needs one step for them, and
    each answer says which model it is from.

    The name is any printable text without arrows; branches of one group have different names.
    Branches with names may stand inside each other, and one after the other. A step that stands in
    several branches has one concurrency limit for all of them.

    Raises ValueError for any other name, TypeError for anything but a branch, such as a flow that
    ends with a consumer.

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
            f"path(): {short(name)} isn't a name for a branch: expected a text that can be printed,"
            " without an arrow, nor blanks around it"
        )
    if role_of(flow) not in ("producer", "transformer", "passthrough"):
        what = shown(flow) if role_of(flow) is None else flow._flow_label
        raise InvalidFlowError(
            f"path({name!r}): {what} isn't a branch; expected a step, a chain, a group or a"
            " passthrough, with outputs to tell from others"
        )
    # Here, as it takes half a millisecond of the import of the library.
    from .._components.labeling import named_branch

    return named_branch(name, flow)


def where(predicate: Callable[..., Any], /) -> Transformer[Attributes, DictProduct]:
    """A filter: passes on the products for which a predicate holds, and drops all others.

    The predicate is a function of attributes, like that of a step, and may be asynchronous; its
    value counts as true or false. A product that passes stays as it is. In front of a branch of a
    group, the filter decides for that branch alone, so a product may go to several branches, or to
    none. In statistics it is called `where`: its calls are the products that came, its products
    those that passed.

    Raises TypeError for anything but a function of attributes.

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
    """A router: sends each product to one of several flows, by its key.

    `key` is the name of an attribute, or a function of attributes like that of a step, plain or
    asynchronous; it is called once for each product. `flows` has the flow for each value of the
    key, which may be a `passthrough()`. Other values go to the `default`; without one, they raise
    `InvalidProductError`, which a run treats as any error of a step called `route`.

    The flows are the branches of a group, in the order of `flows`, with the `default` as the last:
    in results and in drawings; and the slowest sets the pace, as in any group. Each branch begins
    with a step that has the value in its name; statistics count the products that it took.

    Raises TypeError or ValueError while the flow is built, for keys and flows that can't work.

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
