"""Resources that a step is given by name: each is made for a run, and closed at its end."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

from .._common.messages import shown
from .._common.names import identifier, normal_name
from .._common.signatures import Parameters, function_name
from .._conduits.conduit import Conduit
from .._conduits.lifetime import conduit_in_run
from .._errors import InvalidFlowError, InvalidNameError
from .._loops.inbox import running_loop
from .._options.offload import Offload
from .._rx.run_resources import NeededResources, RunResource
from .._rx.scope import Scope
from .own_call import OwnCall

__all__ = ["UsingInRun", "checked_factories", "source_call", "using_in_run"]


def checked_factories(
    step: str, using: object, function: Any, known: Parameters, fixed: Iterable[str]
) -> dict[str, Callable[[], Any]]:
    """What is given as `using`, by the names as parameters are called; refuses what can't work."""
    fixed = {*map(normal_name, fixed)}
    way_out = ""
    if "using" in known.names:
        way_out = (
            f". For a fixed value of the parameter that {function_name(function)}() calls 'using',"
            f" there is functools.partial({function_name(function)}, using=…)"
        )
    if not isinstance(using, Mapping) or not all(isinstance(name, str) for name in using):
        raise InvalidFlowError(
            f"step {step!r}: using={shown(using)}: expected a mapping of the names of parameters to"
            ' what makes a resource for each run, such as using={"client": httpx.AsyncClient}'
            f"{way_out}"
        )
    factories: dict[str, Callable[[], Any]] = {}
    for given, factory in using.items():
        if not given.isidentifier():
            raise InvalidNameError(
                f"step {step!r}: the name {given!r} in using isn't an identifier{identifier(given)}"
            )
        name = normal_name(given)
        if name in fixed:
            raise InvalidFlowError(
                f"step {step!r}: {name!r} is a fixed keyword, and in using as well; leave out one"
            )
        if name not in known.names and not known.takes_all:
            has = ", ".join(map(repr, known.names)) or "none"
            raise InvalidFlowError(
                f"step {step!r}: {function_name(function)}() has no parameter {name!r} for what"
                f" using makes (it has {has}){way_out}"
            )
        _check_factory(step, name, factory)
        factories[name] = factory
    return factories


def _check_factory(step: str, name: str, factory: Any) -> None:
    place = f"step {step!r}: using={{{name!r}: …}}"
    if not callable(factory):
        kind = type(factory).__name__
        raise InvalidFlowError(
            f"{place} is {shown(factory)}; it takes what makes one for each run: a class, or a"
            f" function without parameters: {{{name!r}: lambda: {kind}(…)}}. For a value that all"
            f" runs share, there is the fixed keyword {name}="
        )
    if inspect.isgeneratorfunction(factory) or inspect.isasyncgenfunction(factory):
        kind = "async" if inspect.isasyncgenfunction(factory) else ""
        raise InvalidFlowError(
            f"{place}: {function_name(factory)}() is a generator, which nobody would close: put"
            f" @contextlib.{kind}contextmanager in front of it"
        )
    try:
        inspect.signature(factory).bind()
    except TypeError as error:
        raise InvalidFlowError(
            f"{place} is called without arguments, but {function_name(factory)}() takes some"
            f" ({error}): write {{{name!r}: lambda: {function_name(factory)}(…)}}"
        ) from None
    except ValueError:  # of a class or function of C, which tells nothing
        return


class UsingInRun(NamedTuple):
    """How a step's function is called in one run: what is called, what has to be open before, and
    the resources by name, once they are; None if they are none of the caller's business."""

    function: Callable[..., Any]
    needs: NeededResources
    resources: dict[str, Any] | None


def using_in_run(step: Conduit, function: Any, scope: Scope, offload: Offload | None) -> UsingInRun:
    """How the function of a step is called in a run. A function that makes resources makes one
    there, for all steps that have it; a class one for each step; off the loop in processes, each of
    them makes its own."""
    factories = step._flow_using
    if not factories:
        return _opened_in_run(step, scope, offload)
    if offload is not None:
        from .._options.processes import Processes

        if isinstance(offload, Processes):
            from .._rx.process_resources import WithResources, kept_processes

            number, needs = kept_processes(offload, f"what {step._flow_label} uses", scope)
            return UsingInRun(WithResources(number, step.name, function, factories), needs, None)
    resources: dict[str, Any] = {}

    def take(values: list[Any]) -> None:
        resources.update(zip(factories, values, strict=True))

    opened = [_factory_resource(step, name, scope) for name in factories]
    return UsingInRun(function, NeededResources(opened, take), resources)


def _opened_in_run(step: Any, scope: Scope, offload: Offload | None) -> UsingInRun:
    """How the `call` of a class is called in a run, which opens the class."""
    mine, needs, opened_there = conduit_in_run(step, scope, offload)
    function = mine.call if offload is None else OwnCall(mine, opened_there)
    return UsingInRun(function, needs, None)


def source_call(
    step: Conduit, function: Any, scope: Scope, offload: Offload | None
) -> Callable[[], Any]:
    """The call of a source's function, with its resources; it returns what the function returns, or
    an awaitable of that."""
    called, needs, resources = using_in_run(step, function, scope, offload)

    async def call_later() -> Any:
        await needs.open()
        given = partial(called, **resources or {})
        outcome = given() if offload is None else await offload.call(given)
        return await outcome if inspect.isawaitable(outcome) else outcome

    def call() -> Any:
        # Elsewhere the source is only subscribed to, by a thread that has nothing to do with the
        # loop.
        if offload is None and running_loop() is scope.loop and needs.try_open():
            return called(**resources or {})
        return call_later()

    return call


def _factory_resource(step: Conduit, name: str, scope: Scope) -> RunResource:
    factory: Any = step._flow_using[name]
    what = f"the resource {name!r} of {step._flow_label}"
    key: Any = factory
    if isinstance(factory, type):
        # Steps that have a set each, or a table, would hardly expect it to be one.
        key = id(step), name
    elif not _has_hash(factory):
        key = id(factory)
    # The step is kept: as long as it lives, no other one has its id.
    return scope.resources.get_or_create(
        ("factory", key), partial(RunResource, scope.resources, what, factory, subject=step)
    )


def _has_hash(thing: object) -> bool:
    try:
        hash(thing)
    except TypeError:
        return False
    return True
