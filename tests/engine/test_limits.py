"""A limit counts all calls of a step in a run, on whatever paths and however deep they are."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reactivex import operators as ops

from fluxus_rx import AsyncTransformer, Passthrough, rx_pipe
from tests.support.conduits import Add, AsyncNumbers, Collect, Fetch, Held, Numbers
from tests.support.probes import Calls, alone, turns, until


class Expand(AsyncTransformer[int, int]):
    """Yields each item a number of times, and counts the calls whose code runs."""

    def __init__(self, times: int = 2, pause: int = 1) -> None:
        self.times = times
        self.pause = pause
        self.calls = Calls()

    async def atransform(self, product: int) -> AsyncIterator[int]:
        with self.calls.noted(product):
            for _ in range(self.times):
                await turns(self.pause)
                yield product


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_a_step_chained_into_itself_has_one_limit(limit: int) -> None:
    """One object in two places of a chain is one step, with one limit for both."""
    fetch = Fetch(1)
    limited = fetch.options(concurrency=limit)
    pairs = (Numbers(20) >> limited >> limited >> limited >> Collect()).run()
    assert sorted(product for _, product in pairs) == list(range(3, 23))
    assert len(fetch.calls.started) == 60
    assert fetch.calls.peak == limit


@pytest.mark.parametrize("limit", [1, 2, 3])
@pytest.mark.parametrize("times", [2, 40])
def test_an_expansion_chained_into_itself_ends(limit: int, times: int) -> None:
    """A call that waits for its products to be taken lends its slot to one further down."""
    expand = Expand(times)
    limited = expand.options(concurrency=limit)
    pairs = (Numbers(3) >> limited >> limited >> Collect()).run()
    counts = Counter(product for _, product in pairs)
    assert counts == dict.fromkeys(range(3), times * times)
    assert expand.calls.active == 0


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_the_branches_of_a_group_share_the_limit_of_a_step(limit: int) -> None:
    """One object in several branches, and behind them, has one limit."""
    fetch = Fetch(1)
    limited = fetch.options(concurrency=limit)
    group = limited & (Add(0) >> limited) & Passthrough()
    pairs = (Numbers(10) >> group >> limited >> Collect()).run()
    assert len(pairs) == 30
    assert fetch.calls.peak == limit


def test_copies_with_options_are_steps_of_their_own() -> None:
    """options() makes another step, with a limit of its own."""
    fetch = Fetch()
    first, second = fetch.options(concurrency=1), fetch.options(concurrency=1)
    meeting = Calls()
    fetch.calls = first.calls = second.calls = meeting
    (AsyncNumbers(40) >> first >> second >> Collect()).run()
    assert meeting.peak == 2


async def test_each_run_has_a_limit_of_its_own() -> None:
    """Two runs of a flow at the same time don't wait for each other."""
    held = Held()
    flow = Numbers(5) >> held.options(concurrency=2) >> Collect()
    tasks = [asyncio.create_task(flow.arun()) for _ in range(2)]
    await until(lambda: held.calls.active == 4)
    await turns()
    assert held.calls.active == 4
    held.calls.gate.set()
    for result in await asyncio.gather(*tasks):
        assert sorted(result) == [(0, number) for number in range(5)]


async def test_a_branch_that_is_left_gives_its_places_back() -> None:
    """Calls of a branch that has enough no longer count, and those that waited are forgotten."""
    fetch = Fetch()
    limited = fetch.options(concurrency=1)
    flow = AsyncNumbers(50) >> ((limited >> rx_pipe(ops.take(2))) & limited) >> Collect()
    pairs = await flow.arun()
    assert sorted(product for path, product in pairs if path == 1) == list(range(50))
    assert fetch.calls.peak == 1
    assert alone()


@dataclass(frozen=True)
class Place:
    """A place in a chain or group, for one of the shared steps."""

    step: int


Graph = Any

graphs: st.SearchStrategy[Graph] = st.recursive(
    st.builds(Place, st.integers(0, 1)),
    lambda inner: (
        st.tuples(st.just("chain"), inner, inner) | st.tuples(st.just("group"), inner, inner)
    ),
    max_leaves=5,
)


def built(graph: Graph, steps: list[Any]) -> Any:
    """The transformer that a graph describes."""
    if isinstance(graph, Place):
        return steps[graph.step]
    kind, first, second = graph
    left, right = built(first, steps), built(second, steps)
    return left >> right if kind == "chain" else left & right


def factors(graph: Graph, times: list[int]) -> list[int]:
    """How often each path of a graph emits an item."""
    if isinstance(graph, Place):
        return [times[graph.step]]
    kind, first, second = graph
    left, right = factors(first, times), factors(second, times)
    return [a * b for a in left for b in right] if kind == "chain" else left + right


@given(
    graphs,
    st.lists(st.sampled_from([0, 1, 2, 3, 20]), min_size=2, max_size=2),
    st.lists(st.sampled_from([1, 2, 3]), min_size=2, max_size=2),
    st.lists(st.integers(0, 2), min_size=2, max_size=2),
    st.booleans(),
)
def test_steps_that_stand_in_many_places_never_wait_for_themselves(
    graph: Graph, times: list[int], limits: list[int], pauses: list[int], ordered: bool
) -> None:
    """Any chain or group of two limited expansions ends with all products on all paths."""
    made = [Expand(times[n], pauses[n]) for n in range(2)]
    steps = [made[n].options(concurrency=limits[n], ordered=ordered) for n in range(2)]
    wanted = factors(graph, times)
    if sum(wanted) > 300:
        return
    pairs = (Numbers(3) >> built(graph, steps) >> Collect()).run()
    counts = Counter(path for path, _ in pairs)
    assert [counts[path] for path in range(len(wanted))] == [3 * factor for factor in wanted]
    assert [step.calls.active for step in made] == [0, 0]
