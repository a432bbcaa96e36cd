"""What attributes products have on their way, as far as data and annotations tell."""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import (
    AsyncIterable,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
)
from typing import Any, Final, NamedTuple, Union, get_args, get_origin

import typing_extensions

from .._common.messages import short
from .._common.names import normal_name
from .._common.signatures import function_name
from .._common.text import counted
from .._graph.parts import Description
from .._options.step_options import StepOptions

__all__ = [
    "KnownAttributes",
    "attributes_of",
    "merged_attributes",
    "missing_attributes",
    "passed_attributes",
]

#: How many steps of a path, and how many attributes, a message names.
MOST_NAMED: Final = 20


class KnownAttributes(NamedTuple):
    """What is known of the products at one place in a flow.

    `sure` are the attributes that they have whichever way they came, `perhaps` those that some of
    them have: some items of the data do, or some ways lead through a step that adds them and some
    through one of whose products that is not known. `adds` are the attributes that the step here
    adds; without a step, ways come together here.
    """

    step: str | None
    adds: tuple[str, ...]
    sure: frozenset[str]
    perhaps: frozenset[str]
    before: tuple[KnownAttributes, ...] = ()
    data: Any = None


class _AnnotatedAttributes(NamedTuple):
    """What a function says that it returns: the names, and whether it may return no product."""

    names: tuple[str, ...]
    drops: bool


def attributes_of(producer: Description) -> KnownAttributes | None:
    """What is known of the products of a producer; None if nothing is.

    >>> data = [{"x": 1, "y": 2}, {"x": 3}]
    >>> attributes_of(Description(role="producer", name="src", data=data)).sure
    frozenset({'x'})
    """
    if producer.is_step and producer.function is not None:
        says = _annotated_attributes(producer.function)
        return None if says is None else _begin(producer.name, says.names, [says.names], None)
    data = producer.data
    if isinstance(data, Mapping):
        return _begin(producer.name, tuple(data), [data], None)
    if not isinstance(data, list | tuple) or not data:
        return None
    if not all(isinstance(item, Mapping) for item in data):
        return None  # the list was changed since; the run will say so
    names = tuple(dict.fromkeys(name for item in data for name in item))
    return _begin(producer.name, names, data, data)


def _begin(
    step: str, names: tuple[str, ...], items: Iterable[Collection[str]], data: Any
) -> KnownAttributes:
    named = tuple(map(normal_name, names))
    if named != names:
        items = [{*map(normal_name, item)} for item in items]
        names, data = named, None if data is None else items
    sure = set(names)
    for item in items:
        if len(item) < len(sure) or not sure.issubset(item):
            sure.intersection_update(item)
    return KnownAttributes(step, names, frozenset(sure), frozenset(names) - sure, data=data)


def merged_attributes(ways: Iterable[KnownAttributes | None]) -> KnownAttributes | None:
    """What is known where these ways come together; of those that nothing is known of, nothing.

    >>> given = attributes_of(Description(role="producer", name="src", data={"x": 1}))
    >>> merged_attributes([given, None]) is given
    True
    """
    known = [way for way in ways if way is not None]
    if len(known) < 2:
        return known[0] if known else None
    return _after(None, (), tuple(known), False)


def missing_attributes(
    step: Description,
    options: StepOptions,
    ways: Collection[KnownAttributes | None],
    *,
    is_async: bool,
) -> tuple[list[tuple[str, str]], KnownAttributes | None]:
    """What a step that is reached by these ways is sure to miss, as texts and ways out; and what is
    known behind it."""
    assert step.function is not None
    assert step.parameters is not None
    needed = [name for name in step.parameters.needed if name not in step.arguments]
    found = []
    for path, names in _paths_without(needed, ways):
        named = f"needs the attribute{'s' * (len(names) > 1)} {_name_list(map(repr, names))}"
        found.append((_missing(step, named, names[0], path), _way_out(step, names[0])))
    if is_async and isinstance(options.ordered, str):  # it keeps no order otherwise
        for path, names in _paths_without([normal_name(options.ordered)], ways):
            named = f"keeps the order by the attribute {options.ordered!r}"
            found.append((_missing(step, named, names[0], path), _ORDERED_BY))
    says = None if callable(options.on_error) else _attributes_given(step)
    known = tuple(way for way in ways if way is not None)
    if says is None or not known:
        return found, None
    drops = says.drops or options.on_error != "raise"
    return found, _after(step.name, says.names, known, drops)


def _paths_without(
    needed: Collection[str], ways: Iterable[KnownAttributes | None]
) -> Iterator[tuple[list[KnownAttributes], list[str]]]:
    """The paths on which products come without some of these attributes, with those that are
    lacking in the same place."""
    for way in ways:
        missing = [] if way is None else [name for name in needed if name not in way.sure]
        while missing and way is not None:
            path = _path_without(way, missing[0])
            alike = [name for name in missing if _lacks(path, name) == _lacks(path, missing[0])]
            missing = [name for name in missing if name not in alike]
            if _lacks(path, alike[0]) is not None:
                yield path, alike


_ORDERED_BY: Final = "name one that is there, or keep the order of all by ordered=True"


def passed_attributes(
    step: Description, ways: Iterable[KnownAttributes | None]
) -> KnownAttributes | None:
    """What is known behind a step whose function takes no attributes, and which these ways lead to;
    nothing, unless the step passes products on."""
    known = tuple(way for way in ways if way is not None)
    return _after(step.name, (), known, drops=True) if step.passes_on and known else None


def _attributes_given(step: Description) -> _AnnotatedAttributes | None:
    if step.passes_on:
        return _AnnotatedAttributes((), True)
    return None if step.function is None else _annotated_attributes(step.function)


def _after(
    step: str | None, adds: tuple[str, ...], known: tuple[KnownAttributes, ...], drops: bool
) -> KnownAttributes:
    """What is known behind a step. If that may drop products, it may drop those that lack what
    others have."""
    possible = frozenset.intersection(*[way.sure | way.perhaps for way in known])
    sure = possible if drops else frozenset.intersection(*[way.sure for way in known])
    sure = sure.union(adds)
    return KnownAttributes(step, adds, sure, possible - sure, known)


def _path_without(way: KnownAttributes, name: str) -> list[KnownAttributes]:
    """A way by which products come without this attribute, from its source to here."""
    path = [way]
    while before := path[-1].before:
        # Rather one on which no product can have it.
        lacking = (one for one in before if name not in one.sure and name not in one.perhaps)
        path.append(next(lacking, None) or next(one for one in before if name not in one.sure))
    path.reverse()
    return path


def _lacks(path: list[KnownAttributes], name: str) -> int | None:
    """Which item of the data at the start of a path lacks what others have; -1 if all do, None if
    it has been provided."""
    if any(name in place.adds for place in path[1:]):
        return None
    source = path[0]
    if name not in source.adds:
        return -1
    if source.data is None:
        return None
    return next((n for n, item in enumerate(source.data) if name not in item), None)


def _missing(step: Description, needs: str, name: str, path: list[KnownAttributes]) -> str:
    steps = [place.step for place in path if place.step is not None]
    item = _lacks(path, name)
    if item is not None and item >= 0:
        return f"{needs}, which item {item} of the data of {steps[0]!r} doesn't have"
    origins: dict[str, str] = {}
    for place in reversed(path):
        for added in place.adds:
            origins.setdefault(added, place.step or "")
    there = _name_list([f"{added!r} (from {origin!r})" for added, origin in origins.items()])
    return (
        f"{needs}, which nothing before it provides on the path {_path_text([*steps, step.name])};"
        f" it is given {there or 'none'}"
    )


def _way_out(step: Description, name: str) -> str:
    if step.passes_on:
        return "have a step before it provide that"
    fixed = "".join(f", {key}={short(value, key)}" for key, value in step.arguments.items())
    call = f"step({step.name!r}, {function_name(step.function)}{fixed}, {name}=…)"
    return f"set a default for the parameter, or pass a fixed value: {call}"


def _name_list(texts: Iterable[str]) -> str:
    listed = [*texts]
    more = len(listed) - MOST_NAMED
    return ", ".join(listed[:MOST_NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _path_text(names: list[str]) -> str:
    if len(names) > MOST_NAMED:
        left = f"({counted(len(names) - MOST_NAMED + 1, 'step')})"
        names = [*names[: MOST_NAMED // 2], left, *names[-MOST_NAMED // 2 + 1 :]]
    return " → ".join(names)


def _annotated_attributes(function: Callable[..., Any]) -> _AnnotatedAttributes | None:
    """What the annotation of a function says that it returns, if that is a TypedDict, or any number
    of them.

    >>> class Row(typing_extensions.TypedDict):
    ...     x: int
    >>> def rows() -> Iterable[Row]: ...
    >>> _annotated_attributes(rows)
    _AnnotatedAttributes(names=('x',), drops=True)
    """
    try:
        annotation = inspect.signature(function, eval_str=True).return_annotation
    except Exception:
        return None  # a name that can't be resolved
    while isinstance(function, functools.partial):
        function = function.func
    if isinstance(function, type):
        return None  # it is the annotation of __init__
    return _of(annotation)


def _of(annotation: Any) -> _AnnotatedAttributes | None:
    origin, arguments = get_origin(annotation), get_args(annotation)
    kind = origin or annotation
    if origin is typing_extensions.Annotated:
        return _of(arguments[0])
    if origin in (Union, types.UnionType):
        return _any_of([one for one in arguments if one is not types.NoneType])
    if typing_extensions.is_typeddict(kind):
        # Also what is not required: it may be there.
        return _AnnotatedAttributes(tuple(map(normal_name, inspect.get_annotations(kind))), False)
    if not isinstance(kind, type) or issubclass(kind, Mapping) or not arguments:
        return None
    if issubclass(kind, Awaitable):
        return _of(arguments[-1])  # of Coroutine[Any, Any, T] too
    if issubclass(kind, tuple):
        return _of_several(_any_of([one for one in arguments if one is not Ellipsis]))
    if issubclass(kind, Iterable | AsyncIterable):
        return _of_several(_of(arguments[0]))
    return None


def _of_several(one: _AnnotatedAttributes | None) -> _AnnotatedAttributes | None:
    return None if one is None else one._replace(drops=True)


def _any_of(annotations: list[Any]) -> _AnnotatedAttributes | None:
    """Of several kinds, what any of them may have."""
    said = [_of(one) for one in annotations]
    known = [one for one in said if one is not None]
    if not known or len(known) < len(said):
        return None
    names = dict.fromkeys(name for one in known for name in one.names)
    return _AnnotatedAttributes(tuple(names), any(one.drops for one in known))
