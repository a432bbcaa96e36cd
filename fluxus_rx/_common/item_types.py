"""Item types: read from a class, and compared.

`Producer[int]` says what it gives; these functions find it through inheritance and generics, and
tell whether a product of one type fits where another is taken. What can't be known fits.
"""

from __future__ import annotations

import types
import typing
from typing import Any, TypeVar, Union, get_args, get_origin

import typing_extensions

__all__ = ["fits", "type_arguments", "type_name"]

_PROMOTED = {int: (float, complex), float: (complex,)}


def type_arguments(thing: object, base: type) -> tuple[Any, ...]:
    """The type arguments of the generic class `base`, as the class of a thing sets them, or the
    thing itself when it is made (`SimpleProducer[int](…)`); Any where neither does.

    >>> from collections.abc import Iterable
    >>> class Numbers(typing.Generic[typing_extensions.TypeVar("T")]): ...
    >>> class Ints(Numbers[int]): ...
    >>> type_arguments(Ints(), Numbers)
    (<class 'int'>,)
    """
    parameters = getattr(base, "__parameters__", ())
    found = _arguments_of_base(type(thing), base)
    if found is None:
        return tuple(Any for _ in parameters)
    made = getattr(thing, "__orig_class__", None)
    if made is not None:
        names = getattr(get_origin(made), "__parameters__", ())
        given = dict(zip(names, get_args(made), strict=False))
        found = tuple(_substituted(argument, given) for argument in found)
    return tuple(Any if isinstance(argument, TypeVar | str) else argument for argument in found)


def _arguments_of_base(cls: Any, base: type) -> tuple[Any, ...] | None:
    if cls is base:
        return tuple(getattr(base, "__parameters__", ()))
    for parent in typing_extensions.get_original_bases(cls):
        origin = get_origin(parent) or parent
        if not (isinstance(origin, type) and issubclass(origin, base)):
            continue
        found = _arguments_of_base(origin, base)
        if found is None:
            continue
        given = dict(zip(getattr(origin, "__parameters__", ()), get_args(parent), strict=False))
        return tuple(_substituted(argument, given) for argument in found)
    return None


def _substituted(argument: Any, given: dict[Any, Any]) -> Any:
    if isinstance(argument, TypeVar):
        return given.get(argument, argument)
    parameters = getattr(argument, "__parameters__", ())
    if parameters:
        return argument[tuple(given.get(parameter, Any) for parameter in parameters)]
    return argument


def fits(given: Any, taken: Any) -> bool:
    """Whether a product of type `given` can go where `taken` is expected.

    >>> fits(bool, int), fits(int, float), fits(str, int), fits(str, int | str)
    (True, True, False, True)
    >>> fits(list[int], list[str]), fits(list[int], typing.Any), fits(typing.Any, int)
    (False, True, True)
    """
    given, taken = _runtime_type(given), _runtime_type(taken)
    if given is Any or taken is Any or taken is object:
        return True
    if _is_union(given):
        return all(fits(member, taken) for member in get_args(given))
    if _is_union(taken):
        return any(fits(given, member) for member in get_args(taken))
    given_class, taken_class = get_origin(given) or given, get_origin(taken) or taken
    if not (isinstance(given_class, type) and isinstance(taken_class, type)):
        return True
    if taken_class in _PROMOTED.get(given_class, ()):
        return True
    try:
        if not issubclass(given_class, taken_class):
            return False
    except TypeError:  # a protocol that can't be checked at run time
        return True
    return _arguments_fit(given, taken, given_class, taken_class)


def _arguments_fit(given: Any, taken: Any, given_class: type, taken_class: type) -> bool:
    wanted = get_args(taken)
    have = get_args(given)
    if given_class is not taken_class:
        bound = _arguments_of_base(given_class, taken_class)
        if bound is None:  # a builtin, such as list[int], whose bases have no arguments
            return len(have) != len(wanted) or all(map(fits, have, wanted))
        parameters = dict(zip(getattr(given_class, "__parameters__", ()), have, strict=False))
        have = tuple(_substituted(argument, parameters) for argument in bound)
    if len(have) != len(wanted) or Ellipsis in have or Ellipsis in wanted:
        return True
    return all(fits(one, other) for one, other in zip(have, wanted, strict=True))


def _runtime_type(kind: Any) -> Any:
    """A type without what makes no difference at run time."""
    if isinstance(kind, TypeVar | str | typing.ForwardRef) or kind is None:
        return types.NoneType if kind is None else Any
    if get_origin(kind) in (typing.Annotated, typing_extensions.Annotated):
        return _runtime_type(get_args(kind)[0])
    if get_origin(kind) in (typing.Literal, typing_extensions.Literal):
        kinds = tuple({type(value) for value in get_args(kind)})
        return Union[kinds]  # noqa: UP007 - made of values
    if hasattr(kind, "__supertype__"):
        return _runtime_type(kind.__supertype__)
    if typing_extensions.is_typeddict(kind):
        return dict
    return kind


def _is_union(kind: Any) -> bool:
    return get_origin(kind) in (Union, types.UnionType)


def type_name(kind: Any) -> str:
    """A type as it is written.

    >>> type_name(int), type_name(list[int]), type_name(None)
    ('int', 'list[int]', 'None')
    """
    if isinstance(kind, type) and not get_args(kind):
        return "None" if kind is types.NoneType else kind.__qualname__
    return str(kind).replace("typing.", "")
