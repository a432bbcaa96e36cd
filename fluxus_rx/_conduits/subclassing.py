"""What a class of conduits says by its methods, and which names it may use for itself.

Rules of this file:

1. The engine calls a class by its contract (`CONTRACT`) and by names that begin with `_flow_`. All
   other names are the class's own: for methods, for fields of a dataclass, for attributes.
2. What can't work is refused when the class is made.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from types import MethodType
from typing import TYPE_CHECKING, Any, Final, TypeVar

import typing_extensions

from .._errors import InvalidFlowError

__all__ = ["Elsewhere", "derived", "fact", "own_method", "prepare_class", "uncounted"]

_F = TypeVar("_F", bound=Callable[..., Any])

_LIBRARY: Final = __name__.partition(".")[0]
_TRANSFORMER: Final = ("transform", "atransform")

if TYPE_CHECKING:
    fact = property
else:

    class fact(property):
        """A property that a class may also have as an attribute of its objects: one that is set in
        `__init__`, or a field of a dataclass."""

        def __set_name__(self, owner, name):
            self._name = name

        def __get__(self, thing, kind=None):
            if thing is None:
                return self
            kept = vars(thing)
            return kept[self._name] if self._name in kept else self.fget(thing)

        def __set__(self, thing, value):
            vars(thing)[self._name] = value

        def __delete__(self, thing):
            try:
                del vars(thing)[self._name]
            except KeyError:
                raise AttributeError(self._name) from None


def derived(method: _F) -> _F:
    """Mark a method that follows from others: a class that has it has said nothing by it."""
    method._flow_derived = True  # type: ignore[attr-defined]
    return method


class Elsewhere:
    """A method that conduits of another role have, or a function: asked for here, it is absent, and
    the error says where it is. A class may have the name for itself."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, thing: Any, kind: type) -> Any:
        name = self._name
        if thing is None:
            raise AttributeError(f"type object {kind.__name__!r} has no attribute {name!r}")
        raise AttributeError(
            f"{thing._flow_label} has no attribute {name!r}: write {name}(flow), with the function"
            f" {_LIBRARY}.{name}, for the outputs of steps; of flows of other products, those have"
            " run() and arun() that end with a consumer, and producers are iterated over",
            name=name,
            obj=thing,
        )


class _Inherited:
    """A name of the library that a class annotates: unset for who makes a dataclass of the class,
    who would take what is inherited for the default of the field."""

    def __init__(self, kind: type, name: str) -> None:
        self._kind = kind
        self._name = name

    def __get__(self, thing: Any, kind: type | None = None) -> Any:
        if thing is None:
            raise AttributeError(f"type object {self._kind.__name__!r} has no {self._name!r}")
        return getattr(super(self._kind, thing), self._name)


def _found(cls: type, name: str) -> tuple[type, Any] | None:
    """The class that has what `cls` has under this name, and that."""
    return next(((kind, vars(kind)[name]) for kind in cls.__mro__ if name in vars(kind)), None)


def _is_of_library(kind: type) -> bool:
    return kind.__module__.partition(".")[0] == _LIBRARY


def own_method(cls: type, name: str) -> Any:
    """The method that a class has under this name, if it says something by it: neither abstract,
    nor derived, nor a field; else None."""
    found = _found(cls, name)
    if found is None:
        return None
    kind, method = found
    said = method.__func__ if isinstance(method, staticmethod | classmethod) else method
    if not callable(said) or name in _annotations(kind):
        return None
    # Not only whether they are there, as all attributes of a mock are.
    abstract = getattr(said, "__isabstractmethod__", False) is True
    return None if abstract or getattr(said, "_flow_derived", False) is True else method


def _count_calls(cls: Any) -> None:
    """Have calls of the `atransform` of a class be calls of the run that they are made in."""
    method = own_method(cls, "atransform")
    if method is None or "_flow_uncounted" in getattr(method, "__dict__", ()):
        return

    @functools.wraps(method.__func__ if isinstance(method, staticmethod | classmethod) else method)
    def atransform(self: Any, product: Any) -> Any:
        # By another class's name for it, it is a part of the call of that one.
        if getattr(self.atransform, "__func__", None) is atransform:
            return self._flow_atransform(product)
        return _bound(method, self)(product)

    counted: Any = atransform
    counted._flow_uncounted = method
    cls.atransform = counted


def uncounted(method: Any) -> Any:
    """A bound method as it was written, without the counting."""
    if isinstance(method, MethodType) and "_flow_uncounted" in vars(method.__func__):
        return _bound(vars(method.__func__)["_flow_uncounted"], method.__self__)
    return method


def _bound(method: Any, thing: Any) -> Any:
    return method.__get__(thing, type(thing)) if hasattr(method, "__get__") else method


def _annotations(kind: type) -> dict[str, Any]:
    """What a class annotates itself."""
    own = vars(kind).get("__annotations__")
    if own is None and "__annotate_func__" in vars(kind):  # from Python 3.14 on
        form = typing_extensions.Format.FORWARDREF
        own = typing_extensions.get_annotations(kind, format=form)
    return own or {}


def prepare_class(cls: type) -> None:
    """Refuse what can't work in a class that is made; note what it says by its methods."""
    for name in _annotations(cls):
        found = None if name in vars(cls) else _found(cls, name)
        if found is not None and _is_of_library(found[0]):
            setattr(cls, name, _Inherited(cls, name))
    halves: tuple[str, str] | None = getattr(cls, "_flow_halves", None)
    for refusal in _refusals(cls, halves):
        raise InvalidFlowError(f"{cls.__name__}{refusal}")
    if halves is not None:
        kind: Any = cls
        kind._flow_is_twin = all(own_method(cls, half) is not None for half in halves)
        if kind._flow_is_twin:
            kind._flow_awaits = True
        if halves == _TRANSFORMER:
            _count_calls(kind)
        kind._flow_whole = tuple(
            halves == _TRANSFORMER and own_method(cls, name) is not None
            for name in ("process", "aprocess")
        )


def _refusals(cls: type, halves: tuple[str, str] | None) -> Iterator[str]:
    """Why a class can't work."""
    if halves is not None:
        yield from _refused_fields(cls, halves)
        yield from _refused_kinds(cls, halves)
        yield from _refused_halves(cls, halves)
        if not _is_of_library(cls):
            yield from _refused_overrides(cls, halves)
    if halves == _TRANSFORMER:
        yield from _refused_whole(cls)
    for name in ("name", "input_type", "product_type"):
        if inspect.isfunction(vars(cls).get(name)) and name not in _annotations(cls):
            yield (
                f".{name} is a method, and conduits have it as a value: make it a @property, or"
                " choose another name"
            )


def _refused_fields(cls: type, halves: tuple[str, str]) -> Iterator[str]:
    for name in (*halves, "describe"):
        said = vars(cls).get(name)
        if name in _annotations(cls) or not (said is None or callable(said) or _binds(said)):
            yield f".{name} must be a method, since the library calls it: name the field otherwise"


def _binds(said: object) -> bool:
    return hasattr(said, "__get__")


def _refused_kinds(cls: type, halves: tuple[str, str]) -> Iterator[str]:
    plain, awaiting = halves
    role = _role_of(cls)
    said = vars(cls).get(plain)
    if inspect.iscoroutinefunction(said) or inspect.isasyncgenfunction(said):
        yield (
            f".{plain}() is asynchronous, and plain callers call it: make the class an Async{role},"
            f" and the method `async def {awaiting}`"
        )
    said = vars(cls).get(awaiting)
    if getattr(said, "__isabstractmethod__", False):
        return
    gives_result = awaiting == "aconsume"
    wanted = "it must be `async def`, and return the result"
    if not gives_result:
        wanted = "it must be an asynchronous generator: `async def`, and yield the products in it"
    if inspect.isgeneratorfunction(said):
        yield f".{awaiting}() is a plain generator; {wanted}"
    elif inspect.isasyncgenfunction(said) and gives_result:
        yield f".{awaiting}() is an asynchronous generator; {wanted}"
    elif inspect.iscoroutinefunction(said) and not gives_result:
        yield f".{awaiting}() is a coroutine; {wanted}"


def _refused_halves(cls: type, halves: tuple[str, str]) -> Iterator[str]:
    """The one half that it has isn't that of its base, whose own half nobody would ever call."""
    plain, awaiting = (own_method(cls, half) is not None for half in halves)
    has, lacks = halves if plain else reversed(halves)
    found = _found(cls, lacks)
    if plain is awaiting or found is None or not getattr(found[1], "__isabstractmethod__", False):
        return
    role = _role_of(cls)
    base, other = (f"Async{role}", role) if plain else (role, f"Async{role}")
    yield (
        f" has {has}() and no {lacks}(), and is {_a(base)}: make it {_a(other)}, or write both,"
        f" {halves[0]}() for plain callers and {halves[1]}() for asynchronous ones"
    )


def _refused_overrides(cls: Any, halves: tuple[str, str]) -> Iterator[str]:
    """A half that no caller would call, or only some where the others call that of the library."""
    said: dict[str, type] = {}
    for half in halves:
        found = _found(cls, half)
        if found is not None and own_method(cls, half) is not None:
            said[half] = found[0]
    own = [half for half, kind in said.items() if not _is_of_library(kind)]
    caller = cls._flow_caller
    if own and caller is not None:
        yield (
            f" has {own[0]}(), which nobody would call, as {_a(caller)} makes its calls by call():"
            f" override call(), or make the class {_a(_role_of(cls))}"
        )
    elif len(own) == 1 and len(said) == 2:
        [other] = said.keys() - own
        base = said[other].__name__
        yield (
            f" has {own[0]}(), and the {other}() of {base}, which other callers would call:"
            f" override {other}() alone, which serves all, or write both, {halves[0]}() for plain"
            f" callers and {halves[1]}() for asynchronous ones"
        )


def _refused_whole(cls: type) -> Iterator[str]:
    said = vars(cls).get("process")
    if inspect.iscoroutinefunction(said) or inspect.isasyncgenfunction(said):
        yield (
            ".process() is asynchronous, and takes a plain iterable: name it aprocess(), and it"
            " takes an asynchronous one"
        )
    if inspect.isgeneratorfunction(vars(cls).get("aprocess")):
        yield (
            ".aprocess() is a plain generator, and takes an asynchronous iterable: write it with"
            " `async def`, or name it process()"
        )


def _role_of(cls: Any) -> str:
    return str(cls._flow_role).title()


def _a(noun: str) -> str:
    return f"an {noun}" if noun[0] in "AEIOU" else f"a {noun}"
