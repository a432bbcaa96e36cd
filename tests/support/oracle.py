"""A flow as plain data, and the nested loops that say what it must return.

A graph is made of `Source`, `Step`, `Again`, `Pass`, `Chain` and `Group`. A product is a tuple of
`(step name, attributes)` pairs, from the source to the latest step; a step sees the latest value of
the attribute `x` and returns what `RULES` says. Nothing here knows of loops, tasks or Observables.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

Attributes: TypeAlias = dict[str, Any]
Product: TypeAlias = tuple[tuple[str, Attributes], ...]

RULES: dict[str, Callable[[int], list[Attributes]]] = {
    "change": lambda x: [{"x": 3 * x + 1}],
    "expand": lambda x: [{"x": x + i} for i in range(x % 4)],
    "drop odd": lambda x: [] if x % 2 else [{"x": x // 2}],
    "drop all": lambda x: [],
    "add": lambda x: [{"y": -x}],
    "blank": lambda x: [{}],
    "blank, then more": lambda x: [{}, {"x": x + 5}, {}],
}


@dataclass(frozen=True)
class Source:
    """A producer of `{"x": value}` for each value; a function, unless its kind is a list."""

    name: str
    values: tuple[int, ...]
    kind: str = "list"


@dataclass(frozen=True)
class Step:
    """A transformer that follows one of the rules.

    `kind` is how its function is written; neither that nor a limit (0: none is set) or an order of
    completion may change what a run returns.
    """

    name: str
    rule: str
    kind: str = "sync"
    limit: int = 0
    ordered: bool = False


@dataclass(frozen=True)
class Again:
    """A transformer of a class of its own, which yields each product twice as it is."""

    kind: str = "sync"


@dataclass(frozen=True)
class Pass:
    """A passthrough."""


@dataclass(frozen=True)
class Chain:
    """`first >> second`."""

    first: Graph
    second: Graph


@dataclass(frozen=True)
class Group:
    """The branches side by side, as with `&`."""

    branches: tuple[Graph, ...]


Graph: TypeAlias = Source | Step | Again | Pass | Chain | Group


def paths(graph: Graph, inputs: list[Product], calls: Counter[Any]) -> list[list[Product]]:
    """The outputs of each path, and in `calls` how often each step was called with which `x`."""
    match graph:
        case Source(name, values, kind):
            calls.update([(name, None)] if kind != "list" else [])
            return [[((name, {"x": value}),) for value in values]]
        case Step(name, rule):
            reached = [(product, latest(product)["x"]) for product in inputs]
            calls.update((name, x) for _, x in reached)
            return [[(*product, (name, out)) for product, x in reached for out in RULES[rule](x)]]
        case Again():
            return [[product for product in inputs for _ in range(2)]]
        case Pass():
            return [inputs]
        case Group(branches):
            return [path for branch in branches for path in paths(branch, inputs, calls)]
        case Chain(first, second):
            middles = paths(first, inputs, calls)
            return [path for middle in middles for path in paths(second, middle, calls)]


def latest(product: Product) -> Attributes:
    """All attributes of the product, the latest value of each."""
    return {key: value for _, attributes in product for key, value in attributes.items()}


def nested(product: Product) -> dict[str, Attributes]:
    """The product as a result shows it: by step, `name#1` where a name occurs again, blanks out."""
    seen: Counter[str] = Counter()
    shown: dict[str, Attributes] = {}
    for name, attributes in product:
        if attributes:
            shown[f"{name}#{seen[name]}" if seen[name] else name] = attributes
            seen[name] += 1
    return shown


def expected(graph: Graph, calls: Counter[Any] | None = None) -> list[list[dict[str, Attributes]]]:
    """What `list(run(flow))` returns for this graph."""
    found = paths(graph, [], Counter() if calls is None else calls)
    return [[nested(product) for product in path] for path in found]
