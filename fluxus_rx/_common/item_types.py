"""Item types: read from a class, and compared.

`Producer[int]` says what it emits; these functions find it through inheritance and generics, and
tell whether a product of one type fits where another is taken. What a type checker accepts fits,
and so does what can't be known: a chain that works must not be refused.
"""

from __future__ import annotations

import types
import typing
from collections.abc import (
    AsyncGenerator,
    Callable,
    Coroutine,
    Generator,
    Hashable,
    Iterable,
)
from typing import Any, Final, TypeVar, Union, get_args, get_origin
from weakref import WeakKeyDictionary

import typing_extensions

__all__ = ["fits", "type_arguments", "type_name", "union_of"]

#: What PEP 484 takes for wider kinds of numbers and of bytes, their subclasses as well.
_PROMOTED: Final = (
    (int, (float, complex)),
    (float, (complex,)),
    ((bytearray, memoryview), (bytes,)),
)

#: Pairs that fit, so that a chain of steps is compared once: a tenth of the price of a step
#: (benchmark "startup, building"). None that don't: a class may be registered with another later.
_FITTING: Final[set[tuple[Any, Any]]] = set()
_MOST_FITTING: Final = 1_000

#: What everything is: also a dataclass, for a type checker, is hashable.
_ALL: Final = (object, Hashable, typing_extensions.Buffer)

#: Whose arguments aren't items alone: what goes in may be wider.
_TWO_WAYS: Final = (AsyncGenerator, Callable, Coroutine, Generator)

#: Where containers are defined whose arguments are their items, in whatever class.
_OF_CONTAINERS: Final = ("builtins", "collections", "collections.abc", "typing")


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
        given = _assigned(get_origin(made), get_args(made))
        found = tuple(_substituted(argument, given) for argument in found)
    return tuple(Any if isinstance(argument, TypeVar | str) else argument for argument in found)


#: Of each class, those of its bases that somebody has asked for: each run asks for those of its
#: last conduits.
_ARGUMENTS: Final[WeakKeyDictionary[type, dict[type, tuple[Any, ...] | None]]] = WeakKeyDictionary()


def _arguments_of_base(cls: Any, base: type) -> tuple[Any, ...] | None:
    known = _ARGUMENTS.setdefault(cls, {})
    if base not in known:
        known[base] = _found_arguments(cls, base)
    return known[base]


def _found_arguments(cls: Any, base: type) -> tuple[Any, ...] | None:
    if cls is base:
        return tuple(getattr(base, "__parameters__", ()))
    for parent in typing_extensions.get_original_bases(cls):
        origin = get_origin(parent) or parent
        if not (isinstance(origin, type) and base in origin.__mro__):
            continue
        found = _arguments_of_base(origin, base)
        if found is None:
            continue
        given = _assigned(origin, get_args(parent))
        return tuple(_substituted(argument, given) for argument in found)
    return None


def _assigned(generic: Any, arguments: tuple[Any, ...]) -> dict[Any, Any]:
    """The parameters of a generic class with these arguments; nothing is known of those of one
    that takes any number."""
    parameters = getattr(generic, "__parameters__", ())
    if not all(isinstance(parameter, TypeVar) for parameter in parameters):
        return {}
    return dict(zip(parameters, arguments, strict=False))


def _substituted(argument: Any, given: dict[Any, Any]) -> Any:
    if isinstance(argument, TypeVar):
        return given.get(argument, argument)
    parameters = getattr(argument, "__parameters__", ())
    if not parameters:
        return argument
    try:
        return argument[tuple(given.get(parameter, Any) for parameter in parameters)]
    except TypeError:  # parameters that take no type, such as those of a function
        return Any


def union_of(kinds: Iterable[Any]) -> Any:
    """The union of these types; Any if one of them is, or they can't be compared.

    >>> union_of([int, str, int]) == int | str, union_of([int, Any])
    (True, typing.Any)
    """
    listed = tuple(kinds)
    try:
        return Any if Any in listed else Union[listed]  # noqa: UP007 - made of values
    except TypeError:  # annotated with what has no hash
        return Any


def fits(given: Any, taken: Any) -> bool:
    """Whether a product of type `given` can go where `taken` is expected.

    >>> fits(bool, int), fits(int, float), fits(str, int), fits(str, int | str)
    (True, True, False, True)
    >>> fits(list[int], list[str]), fits(list[int], typing.Any), fits(typing.Any, int)
    (False, True, True)
    """
    try:
        if (given, taken) in _FITTING:
            return True
    except TypeError:  # annotated with what has no hash
        return _fits(given, taken)
    found = _fits(given, taken)
    if found:
        if len(_FITTING) == _MOST_FITTING:
            _FITTING.clear()
        _FITTING.add((given, taken))
    return found


def _fits(given: Any, taken: Any) -> bool:
    given, taken = _runtime_type(given), _runtime_type(taken)
    if given is Any or taken is Any:
        return True
    if _is_union(given):
        return all(fits(member, taken) for member in get_args(given))
    if _is_union(taken):
        return any(fits(given, member) for member in get_args(taken))
    given_class, taken_class = get_origin(given) or given, get_origin(taken) or taken
    if not (isinstance(given_class, type) and isinstance(taken_class, type)):
        return True
    if not _class_fits(given_class, taken_class):
        return False
    return _arguments_fit(given, taken, given_class, taken_class)


def _class_fits(given: type, taken: type) -> bool:
    # What has a base of any type may be anything; a checker takes mocks for such.
    if any(base is Any or base.__module__ == "unittest.mock" for base in given.__mro__):
        return True
    # The members of a protocol may be set anywhere, and those of a class by its metaclass.
    if taken in _ALL or typing_extensions.is_protocol(taken):
        return True
    if given is type and taken is not type:
        return True
    try:
        return issubclass(given, taken) or any(
            issubclass(given, narrow) and taken in wider for narrow, wider in _PROMOTED
        )
    except Exception:  # a class that has its own ideas of what its subclasses are
        return True


def _arguments_fit(given: Any, taken: Any, given_class: type, taken_class: type) -> bool:
    wanted, have = get_args(taken), get_args(given)
    if given_class is not taken_class:
        bound = _arguments_of_base(given_class, taken_class)
        if bound is not None:
            parameters = _assigned(given_class, have)
            have = tuple(_substituted(argument, parameters) for argument in bound)
        elif {given_class.__module__, taken_class.__module__}.difference(_OF_CONTAINERS):
            return True  # a class that says nothing of how its arguments are those of the other
    if taken_class in _TWO_WAYS or len(have) != len(wanted) or Ellipsis in (*have, *wanted):
        return True
    generic: tuple[Any, ...] = getattr(taken_class, "__parameters__", ())
    kinds = generic or (None,) * len(wanted)
    return len(kinds) != len(wanted) or all(
        _goes_in(kind) or fits(one, other)
        for one, other, kind in zip(have, wanted, kinds, strict=True)
    )


def _goes_in(parameter: Any) -> bool:
    """Whether a type parameter may be of what a generic takes, for which a wider one does."""
    return getattr(parameter, "__contravariant__", False) or getattr(
        parameter, "__infer_variance__", False
    )


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
