"""What a flow consists of: the descriptions of its conduits, in series and in parallel."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, Protocol, TypeAlias

from .._common.encoding import printed
from .._common.messages import short, shown
from .._common.signatures import Parameters, is_generator
from .._errors import InvalidFlowError

__all__ = [
    "Describable",
    "Description",
    "Node",
    "Parallel",
    "Part",
    "Role",
    "Series",
    "Through",
    "first_role",
    "in_series",
    "is_describable",
    "last_role",
    "part_of",
]

Role: TypeAlias = Literal["producer", "transformer", "consumer", "start", "end", "join"]


@printed
@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Description:
    """The description of a conduit that is neither a chain nor a group; see `Conduit.describe`.

    All fields but `role` and `name` have defaults that claim as little as possible.

    - `role`, `name`; `kind`: the name of its class
    - `function`: the function that it calls, for each product or for all; of a class, its method.
      `parameters` are those of the function of a step, which is called with attributes by name;
      None for others.
    - `data`: the items that it emits, if they are there already
    - `arguments`: the fixed arguments of a step's function; of a class, the arguments that differ
      from the defaults, and labels as `#label`
    - `using`: functions and classes that make other arguments for each run, by name
    - `options`: those set on the conduit itself; `inherited`: on the chains and groups that it is
      in; `implied`: those that the conduit uses if none are set, not even for the run
    - `awaits`: whether it is asynchronous by itself, whatever its options are
    - `connection`: how a transformer connects its input and its output: as a `"stage"` that calls
      its function, as a `"buffer"`, by operators of `"reactivex"` or of `"aiostream"`, or in a way
      of its `"own"`, of which nothing is known
    - `buffer`: how many products wait in a buffer of its own, that no option sets; `overflow`: what
      becomes of one more, empty if the source waits
    - `emission`: how its data emits, if that is an observable: `"with demand"`, `"thinned out"` by
      an operator, or `"hot"`, whether or not there is room
    - `inner`: the conduit inside it that it calls by itself; the products of that are its own
    - `passes_on`: whether it passes on products as they are, and emits no others
    - `source`: the conduit, to tell by identity whether two descriptions are of the same one

    >>> from fluxus_rx import step
    >>> ask = step("ask", lambda x, by: {"y": x * by}, by=2).options(retry=3).describe()
    >>> ask.role, ask.name, ask.arguments, ask.options
    ('transformer', 'ask', {'by': 2}, {'retry': 3})
    """

    role: Literal["producer", "transformer", "consumer"]
    name: str
    kind: str = ""
    function: Callable[..., Any] | None = None
    parameters: Parameters | None = None
    data: Any = None
    arguments: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    using: Mapping[str, Callable[[], Any]] = dataclasses.field(default_factory=dict)
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    inherited: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    implied: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    awaits: bool = False
    connection: Literal["stage", "buffer", "reactivex", "aiostream", "own"] = "stage"
    buffer: int | None = None
    overflow: str = ""
    emission: Literal["", "with demand", "thinned out", "hot"] = ""
    inner: Part | None = dataclasses.field(default=None, repr=False)
    passes_on: bool = False
    source: object = dataclasses.field(default=None, repr=False)
    n_paths = n_entries = 1
    _passes = False

    def __repr__(self) -> str:
        # It has the values themselves; what it shows of them has no secrets.
        names = [field.name for field in dataclasses.fields(self) if field.repr]
        return f"Description({', '.join(f'{name}={short(getattr(self, name))}' for name in names)})"

    @property
    def input_type(self) -> Any:
        """The type of products that the conduit takes, as far as it is known."""
        return getattr(self.source, "input_type", Any)

    @property
    def product_type(self) -> Any:
        """The type of products that the conduit emits, as far as it is known."""
        return getattr(self.source, "product_type", Any)

    @property
    def is_step(self) -> bool:
        """Whether its function is called with attributes by name, and may return a product,
        several, or an awaitable. The method of a class always yields any number.

        >>> Description(role="producer", name="numbers").is_step
        False
        """
        return self.parameters is not None

    @property
    def inner_names(self) -> list[str]:
        """The names of the conduits inside it, in the order of the flow.

        >>> inner = Series((Description(role="transformer", name="a"), Through()))
        >>> Description(role="transformer", name="retry", inner=inner).inner_names
        ['a']
        """
        names: list[str] = []
        inside: list[Part | None] = [self.inner]
        while inside:
            part = inside.pop()
            if isinstance(part, Series | Parallel):
                inside += reversed(part.parts)
            elif isinstance(part, Description | Node):
                names.append(part.name)
        return names

    @property
    def is_generator(self) -> bool:
        """Whether its function says that it is a generator."""
        return self.function is not None and is_generator(self.function)


@printed
@dataclasses.dataclass(frozen=True)
class Node:
    """One place of a conduit in a flow, or a point that a drawing adds.

    All texts are printable and on one line. `content` is the function that a step calls, if that
    has another name, or the data that it emits; `arguments` and `options` are short representations
    by name. `description` has the values themselves; a point that a drawing adds has none.

    >>> from fluxus_rx import step
    >>> from fluxus_rx.graph import FlowGraph
    >>> [node.name for node in FlowGraph.of(step("src", [{"x": 1}])).nodes]
    ['src', 'end']
    """

    key: str
    role: Role
    name: str
    content: str = ""
    arguments: Mapping[str, str] = dataclasses.field(default_factory=dict)
    options: Mapping[str, str] = dataclasses.field(default_factory=dict)
    description: Description | None = dataclasses.field(
        default=None, kw_only=True, repr=False, compare=False
    )
    n_paths = n_entries = 1
    _passes = False

    @property
    def details(self) -> list[str]:
        """The content, the arguments and the options, a text for each.

        >>> Node("n0", "transformer", "add", "plus", {"by": "3"}, {"ordered": "True"}).details
        ['plus', 'by=3', 'ordered=True']
        """
        named = (*self.arguments.items(), *self.options.items())
        return [self.content] * bool(self.content) + [f"{name}={value}" for name, value in named]


@printed
@dataclasses.dataclass(frozen=True)
class Through:
    """A passthrough; `key` distinguishes its places in a drawing.

    >>> from fluxus_rx import passthrough
    >>> passthrough().describe()
    Through(key='')
    """

    key: str = ""
    n_paths = n_entries = 1
    _passes = True


@printed
@dataclasses.dataclass(frozen=True)
class _Composite:
    """What a series and a group have in common."""

    parts: tuple[Part, ...]
    #: the name that `path` has set for a series, if it has
    branch: str = ""

    # Asked at once, when all parts know theirs; later, it would recurse into what is nested.
    def __post_init__(self) -> None:
        for fact in ("n_paths", "n_entries", "_passes"):
            if self.parts:
                getattr(self, fact)


# Neither is a dataclass of its own, as each of them would make the import of the library longer.
class Series(_Composite):
    """Parts in series; `branch` is the name that `path` has set for them, if any.

    >>> from fluxus_rx import step
    >>> (step("src", [{"x": 1}]) >> step("add", lambda x: {"y": x + 1})).describe().n_paths
    1
    """

    @functools.cached_property
    def n_paths(self) -> int:
        """The number of paths through it."""
        return math.prod(part.n_paths for part in self.parts)

    @functools.cached_property
    def n_entries(self) -> int:
        """The number of conduits and passthroughs that the part before it feeds."""
        return self.parts[0].n_entries

    @functools.cached_property
    def _passes(self) -> bool:
        """Whether a product can come through it as it is."""
        return all(part._passes for part in self.parts)


class Parallel(_Composite):
    """Parts in parallel.

    >>> from fluxus_rx import step
    >>> (step("a", [{"x": 1}]) & step("b", [{"x": 2}])).describe().n_paths
    2
    """

    @functools.cached_property
    def n_paths(self) -> int:
        """The number of paths through it."""
        return sum(part.n_paths for part in self.parts)

    @functools.cached_property
    def n_entries(self) -> int:
        """The number of conduits and passthroughs that the part before it feeds."""
        return sum(part.n_entries for part in self.parts)

    @functools.cached_property
    def _passes(self) -> bool:
        """Whether a product can come through it as it is."""
        return any(part._passes for part in self.parts)


#: A part of a flow: what `describe()` returns has descriptions at its ends, a drawing has nodes.
Part: TypeAlias = Description | Node | Through | Series | Parallel


class Describable(Protocol):
    """Any object that describes itself as a flow, or as a part of one.

    >>> from fluxus_rx import step
    >>> flow: Describable = step("src", [{"x": 1}])
    >>> flow.describe().n_paths
    1
    """

    def describe(self) -> Part:
        """The description: a `Description`, `Series`, `Parallel` or `Through`."""
        ...


def is_describable(flow: object) -> bool:
    """Whether an object has a method `describe`."""
    return not isinstance(flow, type) and callable(getattr(flow, "describe", None))


def part_of(flow: Describable) -> Part:
    """The description of a conduit, or of any other part of a flow.

    Raises TypeError if `describe()` returns anything else.
    """
    part = flow.describe()
    if not isinstance(part, Description | Through | Series | Parallel):
        raise InvalidFlowError(
            f"{type(flow).__name__}.describe() returned {shown(part)}; expected a Description, or a"
            " Series or Parallel of them"
        )
    if isinstance(part, Description) and part.source is None:
        kind = part.kind or type(flow).__name__
        part = dataclasses.replace(part, kind=kind, source=flow)
    return part


def in_series(parts: Iterable[Part]) -> Series:
    """The parts one behind the other, series in them taken apart unless they are named branches.

    >>> in_series([Series((Through(), Through())), Through()]) == Series((Through(),) * 3)
    True
    """
    return Series(
        tuple(
            inner
            for part in parts
            for inner in (part.parts if isinstance(part, Series) and not part.branch else (part,))
        )
    )


def first_role(part: Part) -> Role | None:
    """The role of what begins a part; the branches of a group begin alike, but for a passthrough,
    which has none."""
    while isinstance(part, Series | Parallel):
        part = part.parts[0]
    return None if isinstance(part, Through) else part.role


def last_role(part: Part) -> Role | None:
    """The role of what ends a part; None of a group."""
    while isinstance(part, Series):
        part = part.parts[-1]
    return None if isinstance(part, Through | Parallel) else part.role


# Users see and report what they import, not where it is written.
for _public in (Describable, Description, Node, Parallel, Series, Through):
    _public.__module__ = "fluxus_rx.graph"
