"""The laws of the engine, on random graphs: what a run returns, and how often it calls."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from fluxus_rx import (
    RunResult,
    arun,
    chain,
    parallel,
    run,
)
from tests.support.graphs import (
    Recorder,
    flows,
    numbered,
    seeds,
    shows_passthrough,
    sources,
    transformers,
    with_oracle,
)
from tests.support.oracle import Chain, Graph, Group, Source, expected


def outputs(result: Any) -> list[list[dict[str, dict[str, Any]]]]:
    return [list(path) for path in result]


class TestOutputs:
    @given(graph=flows(), seed=seeds)
    def test_a_run_gives_what_nested_loops_give(self, graph: Graph, seed: int) -> None:
        """The outputs of each path are the oracle's, in the oracle's order."""
        answer, _ = with_oracle(graph)

        assert outputs(run(Recorder(seed).flow(graph))) == answer

    @given(graph=flows(), seed=seeds)
    def test_each_step_is_called_once_for_each_product(self, graph: Graph, seed: int) -> None:
        """Each step is called exactly once per product that reaches it, each source once."""
        _, calls = with_oracle(graph)
        recorder = Recorder(seed)

        run(recorder.flow(graph))

        assert recorder.calls == calls

    @given(graph=flows(classes=True), seed=seeds)
    def test_transformers_that_are_classes_fit_between_steps(self, graph: Graph, seed: int) -> None:
        """A class may yield a product again: each of the two goes on by itself, as in nested loops.

        But for their order, since a product that is given twice has the same position twice.
        """
        answer, calls = with_oracle(graph)
        recorder = Recorder(seed)

        result = run(recorder.flow(graph))

        assert [sorted(map(repr, path)) for path in result] == [
            sorted(map(repr, path)) for path in answer
        ]
        assert recorder.calls == calls

    @given(graph=flows(), first=seeds, second=seeds)
    def test_delays_do_not_change_a_result(self, graph: Graph, first: int, second: int) -> None:
        """A flow returns an equal result on every run, whatever the delays in its steps."""
        with_oracle(graph)

        result = run(Recorder(first, longest=9).flow(graph))

        assert run(Recorder(second, longest=2).flow(graph)) == result

    @given(graph=flows(), seed=seeds)
    def test_a_second_run_of_the_same_flow_gives_the_same(self, graph: Graph, seed: int) -> None:
        """One flow object can be run again, and returns an equal result."""
        with_oracle(graph)
        flow = Recorder(seed).flow(graph)

        assert run(flow) == run(flow)

    @given(graph=flows(), seed=seeds)
    def test_arun_gives_what_run_gives(self, graph: Graph, seed: int) -> None:
        """The asynchronous entry point returns the oracle's outputs as the synchronous one does."""
        answer, _ = with_oracle(graph)
        flow = Recorder(seed).flow(graph)

        assert outputs(asyncio.run(arun(flow))) == answer

    @given(graph=flows(2), seed=seeds)
    def test_runs_side_by_side_do_not_touch_each_other(self, graph: Graph, seed: int) -> None:
        """Three runs of one flow at once on one loop each return the oracle's outputs."""
        answer, _ = with_oracle(graph)
        flow = Recorder(seed).flow(graph)

        async def thrice() -> list[RunResult]:
            return list(await asyncio.gather(arun(flow), arun(flow), arun(flow)))

        assert [outputs(result) for result in asyncio.run(thrice())] == [answer] * 3

    @given(graph=transformers(), seed=seeds, xs=st.lists(st.integers(0, 9), max_size=5))
    def test_input_takes_the_place_of_a_source(
        self, graph: Graph, seed: int, xs: list[int]
    ) -> None:
        """A flow without a source returns for `input=` what it returns after a source called
        input."""
        graph = numbered(graph)
        recorder = Recorder(seed)
        rows = [{"x": x} for x in xs]
        calls: Counter[Any] = Counter()
        answer = expected(Chain(Source("input", tuple(xs)), graph), calls)
        assume(calls.total() < 1_000)

        assert outputs(run(recorder.flow(graph), input=rows)) == answer


class TestAlgebra:
    @given(a=sources(), b=transformers(2), c=transformers(2), seed=seeds)
    def test_chaining_is_associative(self, a: Graph, b: Graph, c: Graph, seed: int) -> None:
        """(a >> b) >> c, a >> (b >> c) and chain(a, b, c) have the same paths in the same order."""
        left = numbered(Chain(Chain(a, b), c))
        assert isinstance(left, Chain)
        assert isinstance(left.first, Chain)
        a, b, c = left.first.first, left.first.second, left.second
        answer, _ = with_oracle(left)
        recorder = Recorder(seed)
        x, y, z = map(recorder.flow, (a, b, c))

        assert outputs(run((x >> y) >> z)) == answer
        assert outputs(run(x >> (y >> z))) == answer
        assert outputs(run(chain(x, y, z))) == answer

    @given(left=flows(2), right=flows(2), seed=seeds)
    def test_the_paths_of_a_group_are_those_of_its_branches(
        self, left: Graph, right: Graph, seed: int
    ) -> None:
        """a & b has the paths of a, then the paths of b, and so does parallel(a, b)."""
        group = numbered(Group((left, right)))
        assert isinstance(group, Group)
        answer, _ = with_oracle(group)
        recorder = Recorder(seed)
        a, b = map(recorder.flow, group.branches)

        assert outputs(run(a & b)) == answer
        assert outputs(run(parallel(a, b))) == answer
        assert outputs(run(parallel([a, b]))) == answer

    @given(a=transformers(2), b=transformers(2), c=transformers(2), seed=seeds)
    def test_grouping_is_associative(self, a: Graph, b: Graph, c: Graph, seed: int) -> None:
        """(a & b) & c and a & (b & c) have the same paths in the same order."""
        group = numbered(Group((a, b, c)))
        assert isinstance(group, Group)
        assume(sum(map(shows_passthrough, group.branches)) < 2)
        values = (1, 2, 3, 6)
        rows = [{"x": x} for x in values]
        answer, _ = with_oracle(Chain(Source("input", values), group))
        x, y, z = map(Recorder(seed).flow, group.branches)

        assert outputs(run((x & y) & z, input=rows)) == answer
        assert outputs(run(x & (y & z), input=rows)) == answer
