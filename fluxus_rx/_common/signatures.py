"""What the signature of a step's function tells: its parameters, its kind, what it may return."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import types
from collections.abc import AsyncIterable, Awaitable, Callable, Collection, Iterable, Mapping
from types import BuiltinFunctionType, FunctionType
from typing import Any, Final, NamedTuple, Union, get_args, get_origin

import typing_extensions

from .._errors import InvalidFlowError
from .item_types import type_name

__all__ = [
    "Parameters",
    "call_parameters",
    "function_name",
    "is_async_function",
    "is_coroutine_function",
    "is_generator",
    "parameters_of",
]

_ASYNCHRONOUS: Final = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR

_EMPTY: Final = inspect.Signature.empty

#: What `unittest.mock` marks functions with that are made for asynchronous ones.
_MARK: Final = getattr(asyncio.coroutines, "_is_coroutine", None)


def is_generator(function: Any) -> bool:
    """Whether a function says that it is a generator: one by itself, a partial or a bound method of
    one, or an object whose `__call__` is one.

    >>> is_generator(len), is_generator(lambda: (yield))
    (False, True)
    """
    function = _called(function)
    return inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)


def is_coroutine_function(function: Any) -> bool:
    """Whether a function says that what it returns must be awaited: one by itself, a partial or a
    bound method of one, an object whose `__call__` is one, or a mock of one.

    >>> from unittest.mock import AsyncMock
    >>> is_coroutine_function(asyncio.sleep), is_coroutine_function(AsyncMock())
    (True, True)
    >>> is_coroutine_function(len)
    False
    """
    if type(function) is FunctionType and not vars(function):
        return bool(function.__code__.co_flags & inspect.CO_COROUTINE)
    called = _called(function)
    # As `create_autospec` marks what it makes.
    marked = getattr(called, "_is_coroutine", None) is _MARK and _MARK is not None
    return marked or inspect.iscoroutinefunction(called)


def is_async_function(function: Any) -> bool:
    """Whether a function says that it is asynchronous: that it returns an awaitable or an
    asynchronous generator."""
    if type(function) is BuiltinFunctionType:
        return False
    if type(function) is FunctionType and not vars(function):
        return bool(function.__code__.co_flags & _ASYNCHRONOUS)
    return is_coroutine_function(function) or inspect.isasyncgenfunction(_called(function))


def _called(function: Any) -> Any:
    """What a call of this comes to, which knows its kind: a function, a method, or a class.

    Of a mock, another function of its kind: it passes for a function, and for one of each kind.
    """
    while isinstance(function, functools.partial):
        function = function.func
    if _is_mock(function):
        is_async = any(base.__name__ == "AsyncMockMixin" for base in type(function).__mro__)
        return asyncio.sleep if is_async else len
    if not isinstance(function, type) and not inspect.isroutine(function):
        function = getattr(type(function), "__call__", function)  # noqa: B004 - its kind, not whether
    return function


def _is_mock(function: Any) -> bool:
    return any(base.__module__ == "unittest.mock" for base in type(function).__mro__)


class Parameters(NamedTuple):
    """The parameters of a function: needed ones, optional ones, and whether it takes any others."""

    needed: tuple[str, ...]
    optional: tuple[str, ...]
    takes_all: bool

    @property
    def names(self) -> tuple[str, ...]:
        """All named ones."""
        return (*self.needed, *self.optional)

    def joined(self, more: Parameters) -> Parameters:
        """These, and those that a function of theirs takes, to which they hand all others on.

        >>> Parameters(("x",), (), True).joined(Parameters(("x", "y"), ("z",), False))
        Parameters(needed=('x', 'y'), optional=('z',), takes_all=False)
        """
        needed = (name for name in more.needed if name not in self.names)
        optional = (name for name in more.optional if name not in self.names)
        return Parameters((*self.needed, *needed), (*self.optional, *optional), more.takes_all)

    def without(self, names: Collection[str]) -> Parameters:
        """All but those of these names."""
        needed, optional = (
            tuple(name for name in some if name not in names)
            for some in (self.needed, self.optional)
        )
        return Parameters(needed, optional, self.takes_all)


def function_name(function: Any) -> str:
    """What messages call a function."""
    while isinstance(function, functools.partial):
        function = function.func
    name = getattr(function, "__name__", None)
    return name if isinstance(name, str) and name else type(function).__name__


def parameters_of(step: str, function: Callable[..., Any]) -> Parameters:
    """Read the signature of a step's function.

    Raises `InvalidFlowError` (a TypeError) if there is none, if it can't be called with keywords,
    or if it says that it returns what can't be a product.
    """
    parameters, returned = _read_signature(step, function)
    _check_returned(step, function, returned)
    return parameters


def call_parameters(step: str, function: Callable[..., Any]) -> Parameters:
    """The same for a function that may return anything."""
    return _read_signature(step, function)[0]


def _read_signature(step: str, function: Callable[..., Any]) -> tuple[Parameters, Any]:
    """The parameters, and what it is annotated to return."""
    if type(function) is FunctionType and not (
        vars(function) or function.__code__.co_posonlyargcount
    ):
        # What `inspect` would tell, at a tenth of the price (benchmark "startup, building").
        returned = function.__annotations__.get("return", _EMPTY)
        return _parameters_of_code(function), returned
    name = function_name(function)
    try:
        signature = _signature_of(function)
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
    parameters = Parameters(tuple(needed), tuple(optional), takes_all)
    return parameters, signature.return_annotation


def _parameters_of_code(function: FunctionType) -> Parameters:
    """The parameters of a plain function that has no positional-only ones."""
    code, keyword_defaults = function.__code__, function.__kwdefaults__ or {}
    n_defaults = len(function.__defaults__ or ())
    positional = code.co_varnames[: code.co_argcount]
    keywords = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    split = len(positional) - n_defaults
    needed = (*positional[:split], *(name for name in keywords if name not in keyword_defaults))
    optional = (*positional[split:], *(name for name in keywords if name in keyword_defaults))
    return Parameters(needed, optional, bool(code.co_flags & inspect.CO_VARKEYWORDS))


def _signature_of(function: Callable[..., Any]) -> inspect.Signature:
    """The signature of a function; of the mock of one, that of the function."""
    bare = inspect.unwrap(function)
    if isinstance(bare, functools.partial) and _is_mock(bare.func):

        def stand_in() -> None:
            """What `inspect` can read in the place of the mock."""

        stand_in.__signature__ = _signature_of_mock(bare.func)  # type: ignore[attr-defined]  # any may have it
        bare = function = functools.partial(stand_in, *bare.args, **bare.keywords)
    return _signature_of_mock(bare) if _is_mock(bare) else inspect.signature(function)


def _signature_of_mock(mock: Any) -> inspect.Signature:
    """The signature of what a mock stands for, or calls; else one that takes whatever comes."""
    # Not by `inspect`: a mock passes for a function, of which it would read attributes that are
    # mocks. Of an object that can be called, the class of the mock has a signature without `self`.
    own = vars(mock)
    for known in (getattr(type(mock), "__signature__", None), own.get("_spec_signature")):
        if isinstance(known, inspect.Signature):
            return known
    for called in (own.get("_mock_wraps"), own.get("_mock_side_effect")):
        # A class is one of exceptions to raise, and what is iterated yields the results.
        if callable(called) and not isinstance(called, type):
            with contextlib.suppress(TypeError, ValueError):
                return _signature_of(called)
    return inspect.signature(lambda *args, **kwargs: None)


def _check_returned(step: str, function: Callable[..., Any], annotation: Any) -> None:
    if isinstance(annotation, str):
        try:
            annotation = _evaluated(function, annotation)
        except Exception:
            return  # a name that can't be resolved: checked at run time
    called: Any = function
    while isinstance(called, functools.partial):
        called = called.func
    if annotation is _EMPTY or isinstance(called, type):
        return  # of a class, it is the annotation of __init__
    if not _may_be_products(annotation):
        raise InvalidFlowError(
            f"step {step!r}: {function_name(function)}() is annotated to return"
            f" {type_name(annotation)}; a step returns a mapping, an iterable of mappings, or an"
            " awaitable of these"
        )


def _evaluated(function: Any, annotation: str) -> Any:
    """What a function is annotated to return, where that is written as a text."""
    if type(function) is not FunctionType or hasattr(function, "__wrapped__"):
        return inspect.signature(function, eval_str=True).return_annotation
    # Of a function that is annotated with nothing else, so that nothing else is evaluated.
    stand_in = FunctionType(function.__code__, function.__globals__, closure=function.__closure__)
    stand_in.__annotations__ = {"return": annotation}
    return inspect.get_annotations(stand_in, eval_str=True)["return"]


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
