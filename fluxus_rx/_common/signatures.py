"""What the signature of a step's function tells: its parameters, its kind, what it may return."""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping
from typing import Any, NamedTuple, Union, get_args, get_origin

import typing_extensions

from .._errors import InvalidFlowError
from .item_types import type_name

__all__ = ["Parameters", "function_name", "is_async_function", "is_generator", "parameters_of"]


def is_generator(function: Any) -> bool:
    """Whether a function says that it is a generator: one by itself, a partial or a bound method of
    one, or an object whose `__call__` is one.

    >>> is_generator(len), is_generator(lambda: (yield))
    (False, True)
    """
    while isinstance(function, functools.partial):
        function = function.func
    if not isinstance(function, type) and not inspect.isroutine(function):
        function = getattr(type(function), "__call__", function)  # noqa: B004 - its kind, not whether
    return inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)


class Parameters(NamedTuple):
    """The parameters of a function: needed ones, optional ones, and whether it takes any others."""

    needed: tuple[str, ...]
    optional: tuple[str, ...]
    takes_all: bool

    @property
    def names(self) -> tuple[str, ...]:
        """All named ones."""
        return (*self.needed, *self.optional)


def function_name(function: Any) -> str:
    """What messages call a function."""
    while isinstance(function, functools.partial):
        function = function.func
    return getattr(function, "__name__", None) or type(function).__name__


def parameters_of(step: str, function: Callable[..., Any]) -> Parameters:
    """Read the signature of a step's function.

    Raises `InvalidFlowError` (a TypeError) if there is none, if it can't be called with keywords,
    or if it says that it returns what can't be a product.
    """
    name = function_name(function)
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        raise InvalidFlowError(
            f"step {step!r}: the parameters of {name} cannot be determined; wrap it in a function:"
            f" lambda x: {name}(x=x)"
        ) from None
    needed: list[str] = []
    optional: list[str] = []
    takes_all = False
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.POSITIONAL_ONLY:
            if parameter.default is not parameter.empty:
                continue
            raise InvalidFlowError(
                f"step {step!r}: parameter {parameter.name!r} of {name}() is positional-only, but"
                " steps are called with keywords; leave out the '/'"
            )
        if parameter.kind is parameter.VAR_KEYWORD:
            takes_all = True
        elif parameter.kind is not parameter.VAR_POSITIONAL:
            # "is", not "==": a default may be an array.
            (needed if parameter.default is parameter.empty else optional).append(parameter.name)
    _check_returned(step, name, function, signature)
    return Parameters(tuple(needed), tuple(optional), takes_all)


def _check_returned(
    step: str, name: str, function: Callable[..., Any], signature: inspect.Signature
) -> None:
    annotation = signature.return_annotation
    if isinstance(annotation, str):
        try:
            annotation = inspect.signature(function, eval_str=True).return_annotation
        except Exception:
            return  # a name that can't be resolved: checked at run time
    while isinstance(function, functools.partial):
        function = function.func
    if annotation is inspect.Signature.empty or isinstance(function, type):
        return  # of a class, it is the annotation of __init__
    if not _may_be_products(annotation):
        raise InvalidFlowError(
            f"step {step!r}: {name}() is annotated to return {type_name(annotation)}; a step"
            " returns a mapping, an iterable of mappings, or an awaitable of these"
        )


def _may_be_products(annotation: Any) -> bool:
    """Whether a value of this type can be products; true where it can't be known."""
    return _possible(annotation, (Mapping, Iterable, AsyncIterable, Awaitable))


def _possible(annotation: Any, kinds: tuple[type, ...]) -> bool:
    origin = get_origin(annotation)
    if origin is typing_extensions.Annotated:
        return _possible(get_args(annotation)[0], kinds)
    if origin is typing_extensions.Literal or annotation is None or annotation in (str, bytes):
        return False
    if origin in (Union, types.UnionType):
        return any(_possible(member, kinds) for member in get_args(annotation))
    kind = origin or annotation
    if kind in (Any, object) or not isinstance(kind, type):
        return True
    if typing_extensions.is_typeddict(kind) or typing_extensions.is_protocol(kind):
        return True
    if not issubclass(kind, kinds):
        return False
    return issubclass(kind, Mapping) or _items_possible(kind, get_args(annotation))


def _items_possible(kind: type, arguments: tuple[Any, ...]) -> bool:
    if not arguments or (arguments[-1] is Ellipsis and len(arguments) == 1):
        return True
    if issubclass(kind, Awaitable):
        return _may_be_products(arguments[-1])  # of Coroutine[Any, Any, T] too
    if issubclass(kind, tuple):
        return all(_possible(one, (Mapping,)) for one in arguments if one is not Ellipsis)
    return _possible(arguments[0], (Mapping,))


def is_async_function(function: Any) -> bool:
    """Whether a function says that it is asynchronous: a coroutine or asynchronous generator
    function, a partial or a bound method of one, or an object whose `__call__` is one."""
    while isinstance(function, functools.partial):
        function = function.func
    if not isinstance(function, type) and not inspect.isroutine(function):
        function = getattr(type(function), "__call__", function)  # noqa: B004 - its kind, not whether
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
