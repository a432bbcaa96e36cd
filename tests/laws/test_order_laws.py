"""The order in which a flow yields its products: always the same, or that of a result."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from fluxus_rx import Consumer, StepOptions, astream, run, stream
from fluxus_rx.testing import virtual_time
from tests.support.graphs import Recorder
from tests.support.oracle import (
    Chain,
    Graph,
    Group,
    Pass,
    Product,
    Source,
    Step,
    expected,
    nested,
    paths,
)
from tests.support.subprocesses import python

RULES = ("change", "expand", "drop odd", "add", "blank, then more")
PLAIN = ("sync", "generator")
ALL_KINDS = (*PLAIN, "async", "async generator", "lambda of an awaitable")


def transformer(rng: random.Random, kinds: tuple[str, ...], depth: int) -> Graph:
    if depth == 0 or rng.random() < 0.3:
        return Step(f"s{rng.randrange(99)}", rng.choice(RULES), rng.choice(kinds))
    parts = tuple(transformer(rng, kinds, depth - 1) for _ in range(2))
    if rng.random() < 0.5:
        return Chain(*parts)
    return Group(parts)


def source(rng: random.Random, name: str, kinds: tuple[str, ...]) -> Source:
    return Source(name, tuple(rng.choices(range(9), k=rng.randrange(1, 20))), rng.choice(kinds))


def random_flow(
    seed: int,
    kinds: tuple[str, ...] = PLAIN,
    sources: int = 1,
    source_kinds: tuple[str, ...] = ("list", *PLAIN),
) -> Chain:
    rng = random.Random(seed)
    first = [source(rng, f"source{number}", source_kinds) for number in range(sources)]
    behind: list[Graph] = [transformer(rng, kinds, 2), transformer(rng, kinds, 2)]
    if seed % 2:
        behind.append(Pass())
    return Chain(Group(tuple(first)) if sources > 1 else first[0], Group(tuple(behind)))


def in_loops(graph: Graph, product: Product) -> Iterator[tuple[int, Product]]:
    """What nested loops yield for a product, in their order, each with its path."""
    match graph:
        case Group(branches):
            before = 0
            for branch in branches:
                for path, output in in_loops(branch, product):
                    yield before + path, output
                before += len(paths(branch, [], _NOBODY))
        case Chain(first, second):
            count = len(paths(second, [], _NOBODY))
            for path, middle in in_loops(first, product):
                for further, output in in_loops(second, middle):
                    yield path * count + further, output
        case _:
            for output in paths(graph, [product], _NOBODY)[0]:
                yield 0, output


#: who counts the calls of the oracle
_NOBODY: Counter[Any] = Counter()


class Listed(Consumer[Any, list[tuple[int, Any]]]):
    """All products."""

    def consume(self, products: Iterable[tuple[int, Any]]) -> list[tuple[int, Any]]:
        return [(path, product.nested()) for path, product in products]


async def read(flow: Any, seed: int, **arguments: Any) -> list[tuple[int, Any]]:
    """What astream() yields, read by fits and starts."""
    rng, found = random.Random(seed), []
    async for output in astream(flow, **arguments):
        found.append(output)
        for _ in range(rng.choice([0, 0, 1, 7])):
            await asyncio.sleep(0)
    return found


async def observed(flow: Any) -> list[Any]:
    ended: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
    found: list[Any] = []
    flow.to_observable().subscribe(
        found.append, ended.set_exception, lambda: ended.set_result(found)
    )
    return [product.nested() for product in await ended]


async def iterated(flow: Any) -> list[Any]:
    return [product.nested() async for product in flow]


def all_readings(flow: Any, seed: int) -> list[list[Any]]:
    """What each way to take the products yields, without the paths where it tells none."""
    with_paths = [
        (flow >> Listed()).run(),
        asyncio.run((flow >> Listed()).arun()),
        [*stream(flow)],
        asyncio.run(read(flow, seed)),
        asyncio.run(read(flow, seed + 1)),
    ]
    assert all(found == with_paths[0] for found in with_paths)
    return [
        [output for _, output in with_paths[0]],
        [product.nested() for product in flow],
        asyncio.run(iterated(flow)),
        asyncio.run(observed(flow)),
    ]


class TestPlainFunctions:
    @pytest.mark.parametrize("seed", range(8))
    def test_products_come_as_nested_loops_give_them(self, seed: int) -> None:
        """However slowly the reader takes them."""
        graph = random_flow(seed)
        values: Any = graph.first
        wanted = [
            (path, nested(output))
            for value in values.values
            for path, output in in_loops(graph.second, ((values.name, {"x": value}),))
        ]
        flow = Recorder().flow(graph)
        assert [*stream(flow)] == wanted
        outputs = [output for _, output in wanted]
        assert all(found == outputs for found in all_readings(flow, seed))

    @pytest.mark.parametrize("seed", range(3))
    def test_sources_side_by_side_take_turns(self, seed: int) -> None:
        """The order is the same for all readers, and each time."""
        flow = Recorder().flow(random_flow(seed, sources=3))
        first, *others = [*all_readings(flow, seed), *all_readings(flow, seed + 5)]
        assert all(found == first for found in others)

    def test_a_source_may_await(self) -> None:
        """One that does is read by turns of its own; what becomes of a product is still one."""
        graph = random_flow(3, source_kinds=("async generator",))
        values: Any = graph.first
        wanted = [
            nested(output)
            for value in values.values
            for _, output in in_loops(graph.second, ((values.name, {"x": value}),))
        ]
        assert asyncio.run(iterated(Recorder().flow(graph))) == wanted

    def test_no_hash_and_no_clock_decides(self) -> None:
        """It is the same in processes with other hash seeds, whose steps take odd times."""
        texts = {python("-c", _IN_A_PROCESS.format(seed=seed)).out for seed in ("1", "2", "77")}
        assert len(texts) == 1
        assert len(texts.pop()) > 1_000


_IN_A_PROCESS = """
import os, sys, time, random
if os.environ.get("PYTHONHASHSEED") != "{seed}":
    os.environ["PYTHONHASHSEED"] = "{seed}"
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
from fluxus_rx import step, stream
rng = random.Random({seed})
def busy(x):
    time.sleep(rng.choice([0, 0, 0.006]))
    return {{"y": x}}
source = step("source", [{{"x": x}} for x in range(30)])
flow = source >> (step("a", busy) & step("b", busy)) >> (step("c", busy) & step("d", busy))
print(*stream(flow), sep="\\n")
"""


class TestOrderedFlows:
    @pytest.mark.parametrize("seed", range(5))
    @pytest.mark.parametrize("sources", [1, 2])
    def test_ordered_on_a_flow_gives_the_order_of_its_result(self, seed: int, sources: int) -> None:
        """Path by path, each in its order: to the reader of the products as they come."""
        kinds = ("list", *PLAIN, "async", "async generator")
        graph = random_flow(seed, ALL_KINDS, sources, kinds)
        wanted = [
            (path, output) for path, outputs in enumerate(expected(graph)) for output in outputs
        ]
        flow = Recorder(seed).flow(graph)
        ordered = flow.options(ordered=True)
        options = StepOptions(ordered=True)
        with virtual_time() as run_in:
            assert [*enumerate(run(flow))] == [*enumerate(expected(graph))]
            assert [*stream(ordered)] == wanted
            assert [*stream(flow, options=options)] == wanted
            assert run_in(read(ordered, seed)) == wanted
            assert (ordered >> Listed()).run() == wanted
            assert (flow >> Listed()).options(ordered=True).run() == wanted
            assert run_in((flow >> Listed()).arun(options=options)) == wanted
            outputs = [output for _, output in wanted]
            assert [product.nested() for product in ordered] == outputs
            assert run_in(iterated(ordered)) == outputs
