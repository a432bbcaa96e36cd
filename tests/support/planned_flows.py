"""Random flows of steps with options, and the nested loops that say what they must return.

Each call of a step has a plan of its own: how many products it yields, how often it fails, behind
how many of them, how long it takes. Products are known by where they come from: a tuple of the
number in the source, and of the steps and positions on the way.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from hypothesis import assume
from hypothesis import strategies as st

from fluxus_rx import Failure, parallel, passthrough, step

Uid: TypeAlias = tuple[Any, ...]

GENERATORS = ("generator", "async generator")
ASYNC = ("async def", "async generator")
KINDS = ("def", "lambda", *GENERATORS, "async def")


@dataclass(frozen=True)
class Node:
    """A step, its kind, and its options."""

    name: str
    kind: str
    options: dict[str, Any]


@dataclass(frozen=True)
class Pass:
    """A passthrough."""


@dataclass(frozen=True)
class Series:
    """Parts one behind the other."""

    parts: tuple[Graph, ...]


@dataclass(frozen=True)
class Beside:
    """Parts side by side."""

    parts: tuple[Graph, ...]


Graph: TypeAlias = Node | Pass | Series | Beside


@dataclass(frozen=True)
class Plan:
    """What one call does: `fails` attempts fail, each behind `given` products."""

    products: int
    fails: int
    given: int
    seconds: tuple[float, ...]


@dataclass
class World:
    """Builds flows of graphs, counts what their calls do, and knows what they must return."""

    seed: int
    attempts: Counter[tuple[str, Uid]] = field(default_factory=Counter)
    active: Counter[str] = field(default_factory=Counter)
    peak: Counter[str] = field(default_factory=Counter)

    def plan(self, node: Node, uid: Uid) -> Plan:
        """What the call of this step with this product does."""
        source = random.Random(f"{self.seed} {node.name} {uid}")
        products = source.choice([0, 1, 1, 1, 2, 3])
        fails = source.choice([0, 0, 0, 0, 1, 2, 99])
        given = source.randint(0, products) if node.kind in GENERATORS else 0
        seconds = tuple(source.choice([0, 0, 1, 3, 9]) for _ in range(products + 1))
        return Plan(products, fails, given, seconds)

    # The flow

    def flow(self, graph: Graph) -> Any:
        """The flow that the graph describes."""
        match graph:
            case Node(name, kind, options):
                return step(name, self.function(graph, kind)).options(**options)
            case Pass():
                return passthrough()
            case Series(parts):
                made = self.flow(parts[0])
                for part in parts[1:]:
                    made = made >> self.flow(part)
                return made
            case Beside(parts):
                return parallel(*map(self.flow, parts))

    def function(self, node: Node, kind: str) -> Callable[[Uid], Any]:
        """The function of a step."""

        def begin(uid: Uid) -> tuple[Plan, bool]:
            self.attempts[node.name, uid] += 1
            plan = self.plan(node, uid)
            return plan, self.attempts[node.name, uid] <= plan.fails

        def plain(uid: Uid) -> list[dict[str, Uid]]:
            plan, fails = begin(uid)
            if fails:
                raise ValueError(uid)
            return products_of(node, uid, plan.products)

        def generator(uid: Uid) -> Iterator[dict[str, Uid]]:
            plan, fails = begin(uid)
            yield from products_of(node, uid, plan.given if fails else plan.products)
            if fails:
                raise ValueError(uid)

        async def fail(uid: Uid) -> None:
            if "timeout" in node.options:
                await asyncio.sleep(1_000)
            raise ValueError(uid)

        async def coroutine(uid: Uid) -> list[dict[str, Uid]]:
            with self.noted(node):
                plan, fails = begin(uid)
                await asyncio.sleep(sum(plan.seconds))
                if fails:
                    await fail(uid)
                return products_of(node, uid, plan.products)

        async def async_generator(uid: Uid) -> AsyncIterator[dict[str, Uid]]:
            with self.noted(node):
                plan, fails = begin(uid)
                given = plan.given if fails else plan.products
                for seconds, product in zip(
                    plan.seconds, products_of(node, uid, given), strict=False
                ):
                    await asyncio.sleep(seconds)
                    yield product
                if fails:
                    await fail(uid)

        functions: dict[str, Callable[[Uid], Any]] = {
            "def": plain,
            "generator": generator,
            "async def": coroutine,
            "async generator": async_generator,
            "lambda": lambda uid: coroutine(uid),
        }
        return functions[kind]

    @contextmanager
    def noted(self, node: Node) -> Iterator[None]:
        """Count a call as in flight for as long as the block lasts."""
        self.active[node.name] += 1
        self.peak[node.name] = max(self.peak[node.name], self.active[node.name])
        try:
            yield
        finally:
            self.active[node.name] -= 1

    # The nested loops

    def paths(self, graph: Graph, inputs: list[Uid], told: Told) -> list[list[Uid]]:
        """The outputs of each path for these products, in the order of nested loops."""
        match graph:
            case Node():
                return [[out for uid in inputs for out in self.call(graph, uid, told)]]
            case Pass():
                return [inputs]
            case Series(parts):
                paths = [inputs]
                for part in parts:
                    paths = [out for path in paths for out in self.paths(part, path, told)]
                return paths
            case Beside(parts):
                return [path for part in parts for path in self.paths(part, inputs, told)]

    def call(self, node: Node, uid: Uid, told: Told) -> list[Uid]:
        """What comes of one call, over all its attempts."""
        plan, options = self.plan(node, uid), node.options
        attempts, given = 1, 0
        told.calls += 1
        while attempts <= plan.fails:
            given = max(given, plan.given)
            again = attempts < (options.get("retry") or 1)
            if not again or (given and not options.get("repeatable")):
                break
            attempts += 1
        told.attempts[node.name, uid] = attempts
        if attempts > plan.fails:
            return [(*uid, node.name, index) for index in range(plan.products)]
        outputs = [(*uid, node.name, index) for index in range(given)]
        if options["on_error"] == "collect":
            told.failures[node.name, uid, attempts] += 1
        if callable(options["on_error"]):
            outputs.append((*uid, node.name, "instead"))
        return outputs


@dataclass
class Told:
    """What the loops have seen."""

    attempts: dict[tuple[str, Uid], int] = field(default_factory=dict)
    failures: Counter[tuple[str, Uid, int]] = field(default_factory=Counter)
    calls: int = 0


def products_of(node: Node, uid: Uid, count: int) -> list[dict[str, Uid]]:
    """The first few products of a call."""
    return [{"uid": (*uid, node.name, index)} for index in range(count)]


def instead(failure: Failure) -> dict[str, Uid]:
    """One product in place of a failure."""
    return {"uid": (*failure.product["uid"], failure.step, "instead")}


async def ainstead(failure: Failure) -> dict[str, Uid]:
    """The same, a while later."""
    await asyncio.sleep(2)
    return instead(failure)


ON_ERROR = st.sampled_from(["skip", "collect", instead, ainstead])

#: for any kind; a plain function with a time-out or a limit would be in threads
COMMON = {
    "retry": st.sampled_from([None, 1, 2, 3]),
    "repeatable": st.booleans(),
    "buffer": st.sampled_from([None, 1, 5]),
}
FOR_ASYNC = {
    "concurrency": st.sampled_from([None, 1, 2, 3]),
    "ordered": st.sampled_from([False, True, "uid"]),
    "window": st.sampled_from([None, 1, 2, 9]),
    "timeout": st.just(200),
}


@st.composite
def nodes(draw: st.DrawFn, ordered: bool = False) -> Graph:
    """A step with options, without a name; none of its failures ends a run."""
    kind = draw(st.sampled_from(KINDS))
    optional = COMMON | (FOR_ASYNC if kind in ASYNC else {})
    options = draw(st.fixed_dictionaries({"on_error": ON_ERROR}, optional=optional))
    if ordered:
        options["ordered"] = True
    return Node("", kind, options)


def graphs(node: st.SearchStrategy[Graph]) -> st.SearchStrategy[Graph]:
    """Chains and groups of such steps, with passthroughs."""
    return st.recursive(
        node,
        lambda inner: (
            st.builds(Series, st.tuples(inner, inner))
            | st.builds(Beside, st.tuples(inner, inner))
            | st.builds(lambda part: Beside((part, Pass())), inner)
        ),
        max_leaves=5,
    )


def named(graph: Graph, limiter: object = None) -> Graph:
    """The graph with a name of its own for each step, and with a limiter for all of them."""
    number = iter(range(100))

    def rename(graph: Graph) -> Graph:
        match graph:
            case Node(_, kind, options):
                limited = {} if limiter is None else {"limiter": limiter}
                return Node(f"s{next(number)}", kind, options | limited)
            case Series(parts):
                return Series(tuple(map(rename, parts)))
            case Beside(parts):
                return Beside(tuple(map(rename, parts)))
            case Pass():
                return graph

    return rename(graph)


def one_passthrough(graph: Graph) -> bool:
    """Whether no group has several, its nested groups included."""
    match graph:
        case Node() | Pass():
            return True
        case Series(parts):
            return all(map(one_passthrough, parts))
        case Beside(parts):
            return all(map(one_passthrough, parts)) and sum(map(passes, parts)) < 2


def passes(graph: Graph) -> int:
    """How many passthroughs a group around this graph would have of it."""
    match graph:
        case Pass():
            return 1
        case Beside(parts):
            return sum(map(passes, parts))
        case _:
            return 0


def nodes_of(graph: Graph) -> Iterator[Node]:
    """All steps of a graph."""
    match graph:
        case Node():
            yield graph
        case Series(parts) | Beside(parts):
            for part in parts:
                yield from nodes_of(part)


class Counting:
    """A semaphore that knows how many were inside at most."""

    def __init__(self, size: int) -> None:
        self.semaphore = asyncio.Semaphore(size)
        self.inside = self.peak = 0

    async def __aenter__(self) -> None:
        await self.semaphore.acquire()
        self.inside += 1
        self.peak = max(self.peak, self.inside)

    async def __aexit__(self, *_: object) -> None:
        self.inside -= 1
        self.semaphore.release()


seeds = st.integers(0, 2**32)
sizes = st.integers(0, 12)


def known(graph: Graph, count: int, seed: int) -> tuple[World, Told, list[list[Uid]]]:
    """A world, what its loops see for so many products, and what they return."""
    assume(one_passthrough(graph))
    world, told = World(seed), Told()
    answer = world.paths(graph, [(number,) for number in range(count)], told)
    assume(told.calls < 300)
    return world, told, answer


def source_of(count: int) -> Any:
    """A step of so many products."""
    return step("src", [{"uid": (number,)} for number in range(count)])


def uid_of(output: Any) -> Uid:
    """The latest: the longest one."""
    return max((attributes["uid"] for attributes in output.values()), key=len)


def replaced(graph: Graph, options: dict[str, Any]) -> Graph:
    """The graph with other options on each of its steps."""
    match graph:
        case Node(name, kind, own):
            return Node(name, kind, own | options)
        case Series(parts):
            return Series(tuple(replaced(part, options) for part in parts))
        case Beside(parts):
            return Beside(tuple(replaced(part, options) for part in parts))
        case Pass():
            return graph
