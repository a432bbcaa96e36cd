"""What a flow consists of, for drawings: its conduits by occurrence, in series and in parallel."""

from __future__ import annotations

import dataclasses
import functools
import math
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Literal, TypeAlias

from .._common.messages import short, shown
from .._common.signatures import function_name
from .._common.text import printable
from .._conduits.composites import Group
from .._conduits.conduit import Conduit, options_of
from .._errors import InvalidFlowError
from .._functional.source_step import SourceStep
from .._functional.step import Step

__all__ = ["Node", "Parallel", "Part", "Role", "Series", "Through", "parts_of"]

Role: TypeAlias = Literal["producer", "transformer", "consumer", "start", "end", "join"]

_FUNCTIONS = (FunctionType, BuiltinFunctionType, MethodType, type)


@dataclasses.dataclass(frozen=True)
class Node:
    """One occurrence of a conduit in a flow, or one of the points that a drawing adds.

    All texts are printable and on one line. `content` is what a step calls, where that has another
    name, or the data that it gives; `arguments` and `options` are short representations by name.
    """

    key: str
    role: Role
    name: str
    content: str = ""
    arguments: Mapping[str, str] = dataclasses.field(default_factory=dict)
    options: Mapping[str, str] = dataclasses.field(default_factory=dict)
    n_paths = n_entries = 1

    @property
    def details(self) -> list[str]:
        """The content, the arguments and the options, a text for each.

        >>> Node("n0", "transformer", "add", "plus", {"by": "3"}, {"ordered": "True"}).details
        ['plus', 'by=3', 'ordered=True']
        """
        named = (*self.arguments.items(), *self.options.items())
        return [self.content] * bool(self.content) + [f"{name}={value}" for name, value in named]


@dataclasses.dataclass(frozen=True)
class Through:
    """A passthrough."""

    key: str
    n_paths = n_entries = 1


@dataclasses.dataclass(frozen=True)
class Series:
    """Parts one behind the other."""

    parts: tuple[Part, ...]

    @functools.cached_property
    def n_paths(self) -> int:
        """The number of paths."""
        return math.prod(part.n_paths for part in self.parts)

    @property
    def n_entries(self) -> int:
        """The number of nodes and passthroughs that what comes before it feeds."""
        return self.parts[0].n_entries


@dataclasses.dataclass(frozen=True)
class Parallel:
    """Parts side by side."""

    parts: tuple[Part, ...]

    @functools.cached_property
    def n_paths(self) -> int:
        """The number of paths."""
        return sum(part.n_paths for part in self.parts)

    @functools.cached_property
    def n_entries(self) -> int:
        """The number of nodes and passthroughs that what comes before it feeds."""
        return sum(part.n_entries for part in self.parts)


Part: TypeAlias = Node | Through | Series | Parallel


def parts_of(conduit: Conduit) -> Series:
    """The whole of a flow, with a start where no producer begins it and an end where no consumer
    ends it.

    Recursive in the depth to which groups are nested, not in the length of chains.
    """
    if not isinstance(conduit, Conduit):
        raise InvalidFlowError(f"a drawing shows a flow, not {shown(conduit)}")
    keys = (f"n{number}" for number in count())
    # The start is the first of all, so that the nodes are numbered as they are read.
    start = [] if _begins_with_producer(conduit) else [Node(next(keys), "start", "start")]
    flow = _part_of(conduit, keys)
    last = [] if conduit.final_conduit._flow_is_end else [Node(next(keys), "end", "end")]
    return Series((*start, *(flow.parts if isinstance(flow, Series) else (flow,)), *last))


def _begins_with_producer(conduit: Conduit) -> bool:
    # A group is all producers or none; a flow is no producer itself, but begins with one.
    return next(conduit.chained_conduits)._flow_is_source


def _part_of(conduit: Conduit, keys: Iterator[str]) -> Part:
    if isinstance(conduit, Group):
        return Parallel(tuple(_part_of(one, keys) for one in conduit.conduits))
    if not conduit.is_atomic:
        return Series(tuple(_part_of(one, keys) for one in conduit.chained_conduits))
    if conduit._flow_is_passthrough:
        return Through(next(keys))
    return _node_of(conduit, next(keys))


def _node_of(conduit: Conduit, key: str) -> Node:
    role: Role = "transformer"
    if conduit._flow_is_source or conduit._flow_is_end:
        role = "producer" if conduit._flow_is_source else "consumer"
    arguments = conduit.get_repr_attributes()
    if isinstance(conduit, SourceStep):  # its content says all else
        arguments = {name: value for name, value in arguments.items() if name.startswith("#")}
    return Node(
        key,
        role,
        printable(str(conduit.name)).strip() or type(conduit).__name__,
        _content(conduit),
        {printable(str(name)): _value_text(value) for name, value in arguments.items()},
        {name: _value_text(value) for name, value in options_of(conduit).given().items()},
    )


def _content(conduit: Conduit) -> str:
    """What a step calls, unless it has the step's name or none; or the data that it gives."""
    function: Callable[..., object]
    match conduit:
        case SourceStep(_is_function=False):
            return _value_text(conduit._source)
        case SourceStep():
            function = conduit._source
        case Step():
            function = conduit._function
        case _:
            return ""
    name = function_name(function)
    return "" if name in (conduit.name, "<lambda>") else printable(name)


def _value_text(value: object) -> str:
    """A value in a few words, the same in every run: without addresses."""
    if isinstance(value, _FUNCTIONS):
        return printable(function_name(value))
    if type(value) is tuple and value and all(isinstance(one, _FUNCTIONS) for one in value):
        return f"({', '.join(map(_value_text, value))})"
    if type(value).__repr__ is object.__repr__:
        return printable(f"<{type(value).__name__}>")
    text = short(value)
    if not isinstance(value, str):
        text = re.sub(r" at 0x[0-9A-Fa-f]+(?=>|\.\.\.)", "", text)
    return printable(text)
