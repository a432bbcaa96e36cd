"""Random graphs for Hypothesis, and the flows that they describe."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from fluxus_rx import AsyncTransformer, Transformer, parallel, passthrough, step
from tests.support.oracle import (
    RULES,
    Again,
    Attributes,
    Chain,
    Graph,
    Group,
    Pass,
    Source,
    Step,
    expected,
)

seeds = st.integers(0, 2**32)

STEP_KINDS = (
    "sync",
    "generator",
    "async",
    "async generator",
    "lambda of an awaitable",
    "lambda of an async iterable",
    "awaitable of an async iterable",
)
SOURCE_KINDS = ("list", "sync", "generator", "async", "async generator")


class Recorder:
    """Builds the steps of a flow and remembers their calls.

    `calls` counts the calls by step and value, `active` and `peak` the calls in flight now and at
    most. Asynchronous steps yield to the loop a random number of times, again and again.
    """

    def __init__(self, seed: int = 0, longest: int = 3) -> None:
        self.calls: Counter[Any] = Counter()
        self.active: Counter[str] = Counter()
        self.peak: Counter[str] = Counter()
        self._random = random.Random(seed)
        self._longest = longest

    async def pause(self) -> None:
        for _ in range(self._random.randint(0, self._longest)):
            await asyncio.sleep(0)

    def flow(self, graph: Graph) -> Any:
        """The flow that the graph describes."""
        match graph:
            case Source(name, values, kind):
                rows = [{"x": value} for value in values]
                return step(name, rows if kind == "list" else self.source(name, rows, kind))
            case Step(name, rule, kind, limit, ordered):
                made = step(name, self.function(name, RULES[rule], kind))
                options = {"concurrency": limit} if limit else {}
                return made.options(**options, ordered=ordered) if limit or ordered else made
            case Again(kind):
                return AsyncTwice(self) if kind == "async" else Twice()
            case Pass():
                return passthrough()
            case Chain(first, second):
                return self.flow(first) >> self.flow(second)
            case Group(branches):
                return parallel(*map(self.flow, branches))

    def source(self, name: str, rows: list[Attributes], kind: str) -> Callable[[], Any]:
        def plain() -> list[Attributes]:
            self.calls[name, None] += 1
            return rows

        def generator() -> Iterator[Attributes]:
            yield from plain()

        async def coroutine() -> list[Attributes]:
            await self.pause()
            return plain()

        async def async_generator() -> AsyncIterator[Attributes]:
            for row in plain():
                await self.pause()
                yield row

        functions: Mapping[str, Callable[[], Any]] = {
            "sync": plain,
            "generator": generator,
            "async": coroutine,
            "async generator": async_generator,
        }
        return functions[kind]

    def function(
        self, name: str, rule: Callable[[int], list[Attributes]], kind: str
    ) -> Callable[..., Any]:
        def plain(x: int) -> list[Attributes] | Attributes:
            self.calls[name, x] += 1
            outputs = rule(x)
            return outputs[0] if len(outputs) == 1 else outputs

        def generator(x: int) -> Iterator[Attributes]:
            self.calls[name, x] += 1
            yield from rule(x)

        async def coroutine(x: int) -> list[Attributes] | Attributes:
            with self.in_flight(name):
                await self.pause()
                return plain(x)

        async def async_generator(x: int) -> AsyncIterator[Attributes]:
            with self.in_flight(name):
                self.calls[name, x] += 1
                await self.pause()
                for output in rule(x):
                    yield output
                    await self.pause()

        def awaitable(x: int) -> Awaitable[Any]:
            return coroutine(x)

        def async_iterable(x: int) -> AsyncIterator[Attributes]:
            return async_generator(x)

        async def coroutine_of_async_iterable(x: int) -> AsyncIterator[Attributes]:
            await self.pause()
            return async_generator(x)

        functions = [
            plain,
            generator,
            coroutine,
            async_generator,
            awaitable,
            async_iterable,
            coroutine_of_async_iterable,
        ]
        return functions[STEP_KINDS.index(kind)]

    def in_flight(self, name: str) -> InFlight:
        return InFlight(self, name)


class Twice(Transformer[Any, Any]):
    """Each product twice, as it is."""

    def transform(self, product: Any) -> Iterator[Any]:
        yield product
        yield product


class AsyncTwice(AsyncTransformer[Any, Any]):
    """The same, with pauses."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder

    async def atransform(self, product: Any) -> AsyncIterator[Any]:
        yield product
        await self.recorder.pause()
        yield product


class InFlight:
    """Counts a call as in flight for as long as the block lasts."""

    def __init__(self, recorder: Recorder, name: str) -> None:
        self.recorder = recorder
        self.name = name

    def __enter__(self) -> None:
        recorder, name = self.recorder, self.name
        recorder.active[name] += 1
        recorder.peak[name] = max(recorder.peak[name], recorder.active[name])

    def __exit__(self, *_: object) -> None:
        self.recorder.active[self.name] -= 1


def steps() -> st.SearchStrategy[Graph]:
    return st.builds(
        Step,
        name=st.sampled_from(["s", "s", "again"]),
        rule=st.sampled_from([*RULES, "change", "change", "expand", "expand", "drop odd"]),
        kind=st.sampled_from(STEP_KINDS),
        limit=st.sampled_from([0, 0, 1, 2, 3]),
        ordered=st.sampled_from([False, False, True]),
    )


def shows_passthrough(graph: Graph) -> bool:
    """Whether a group around this graph would have a passthrough by way of nested groups."""
    match graph:
        case Pass():
            return True
        case Group(branches):
            return any(map(shows_passthrough, branches))
        case _:
            return False


@st.composite
def groups(draw: st.DrawFn, branch: st.SearchStrategy[Graph], with_pass: bool = True) -> Graph:
    branches = draw(st.lists(branch, min_size=1, max_size=3))
    for position, one in enumerate(branches):
        if any(map(shows_passthrough, branches[:position])) and shows_passthrough(one):
            del branches[position:]
            break
    if with_pass and not any(map(shows_passthrough, branches)) and draw(st.booleans()):
        branches.insert(draw(st.integers(0, len(branches))), Pass())
    return Group(tuple(branches))


@st.composite
def transformers(draw: st.DrawFn, depth: int = 3, classes: bool = False) -> Graph:
    """Steps in chains and groups, nested so deep at most; with `classes`, `Again` too."""
    kind = draw(st.sampled_from(["chain", "group", "step"])) if depth else "step"
    inner = transformers(depth - 1, classes)
    match kind:
        case "chain":
            return Chain(draw(inner), draw(inner))
        case "group":
            return draw(groups(inner))
        case _ if classes and draw(st.booleans()):
            return Again(draw(st.sampled_from(["sync", "async"])))
        case _:
            return draw(steps())


@st.composite
def sources(draw: st.DrawFn, grouped: bool = True) -> Graph:
    """One source, with or without a step after it, or several side by side, unnumbered."""
    kinds = ["one", "one", "started", "group"] if grouped else ["one", "started"]
    match draw(st.sampled_from(kinds)):
        case "group":
            return draw(groups(sources(grouped=False), with_pass=False))
        case "started":
            return Chain(draw(single_sources()), draw(steps()))
        case _:
            return draw(single_sources())


@st.composite
def single_sources(draw: st.DrawFn) -> Graph:
    size = draw(st.sampled_from([0, 1, 2, 3, 5, 8]))
    values = draw(st.lists(st.integers(0, 9), min_size=size, max_size=size))
    return Source("src", tuple(values), draw(st.sampled_from(SOURCE_KINDS)))


@st.composite
def flows(draw: st.DrawFn, depth: int = 3, classes: bool = False) -> Graph:
    """A source, most often with a transformer after it, its steps numbered."""
    source = draw(sources())
    if draw(st.integers(0, 9)) == 9:
        return numbered(source)
    return numbered(Chain(source, draw(transformers(depth, classes))))


def with_oracle(graph: Graph) -> tuple[list[list[dict[str, Any]]], Counter[Any]]:
    """The oracle's outputs and calls; graphs that multiply too far are passed over."""
    calls: Counter[Any] = Counter()
    answer = expected(graph, calls)
    assume(calls.total() < 1_000)
    return answer, calls


def numbered(graph: Graph) -> Graph:
    """The graph with a name of its own for each source and step, but for those called "again"."""
    number = iter(range(1_000_000))

    def rename(graph: Graph) -> Graph:
        match graph:
            case Source(name, values, kind):
                return Source(f"{name}{next(number)}", values, kind)
            case Step(name, rule, kind, limit, ordered):
                same = name == "again" and not rule.startswith("blank")
                return Step(name if same else f"s{next(number)}", rule, kind, limit, ordered)
            case Chain(first, second):
                return Chain(rename(first), rename(second))
            case Group(branches):
                return Group(tuple(map(rename, branches)))
            case Again() | Pass():
                return graph

    return rename(graph)
