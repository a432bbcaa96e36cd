"""The laws of options, on random flows in virtual time: nested loops say what comes out."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fluxus_rx import Failure, StepOptions, arun, astream, step
from fluxus_rx.testing import virtual_time
from tests.support.planned_flows import (
    Counting,
    Graph,
    Told,
    Uid,
    graphs,
    known,
    named,
    nodes,
    nodes_of,
    replaced,
    seeds,
    sizes,
    source_of,
    uid_of,
)
from tests.support.probes import alone


class TestAnyFlow:
    @given(graphs(nodes()), sizes, seeds, st.sampled_from([None, 1, 2, 5]))
    def test_a_run_gives_what_nested_loops_give(
        self, graph: Graph, count: int, seed: int, permits: int | None
    ) -> None:
        """Nothing lost and nothing twice, each in its place, failures too; limits are held."""
        limiter = None if permits is None else Counting(permits)
        graph = named(graph, limiter)
        world, told, answer = known(graph, count, seed)

        async def main() -> Any:
            result = await arun(source_of(count) >> world.flow(graph))
            assert alone()
            return result

        with virtual_time() as run_in:
            result = run_in(main)
        assert [[uid_of(output) for output in path] for path in result] == answer
        failures: list[Failure] = list(result.failures)
        assert (
            Counter((one.step, one.product["uid"], one.attempts) for one in failures)
            == told.failures
        )
        assert world.attempts == told.attempts
        for node in nodes_of(graph):
            limit = node.options.get("concurrency", 256)
            assert world.peak[node.name] <= (limit or 10**9)
        assert set(world.active.values()) <= {0}
        assert limiter is None or (limiter.inside == 0 and limiter.peak <= limiter.semaphore._value)

    @given(graphs(nodes()), sizes, seeds, st.integers(0, 40))
    def test_a_run_that_is_cancelled_leaves_nothing(
        self, graph: Graph, count: int, seed: int, after: int
    ) -> None:
        """At any time: no task, no call in flight, no permit held."""
        limiter = Counting(3)
        graph = named(graph, limiter)
        world, told, _ = known(graph, count, seed)

        async def main() -> None:
            task = asyncio.create_task(arun(source_of(count) >> world.flow(graph)))
            await asyncio.wait([task], timeout=after)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled() or task.exception() is None
            assert alone()

        with virtual_time() as run_in:
            run_in(main)
        assert set(world.active.values()) <= {0}
        assert limiter.inside == 0
        assert all(count <= told.attempts[call] for call, count in world.attempts.items())

    @given(graphs(nodes()), sizes, seeds)
    def test_what_raises_ends_the_run_and_leaves_nothing(
        self, graph: Graph, count: int, seed: int
    ) -> None:
        """Where no step says what becomes of its failures."""
        graph = named(graph)
        world, _, _ = known(graph, count, seed)
        raising = replaced(graph, {"on_error": "raise", "retry": None})
        told = Told()
        world.paths(
            replaced(graph, {"on_error": "skip", "retry": None}),
            [(number,) for number in range(count)],
            told,
        )
        fails = any(
            world.plan(node, uid).fails
            for node in nodes_of(graph)
            for name, uid in told.attempts
            if name == node.name
        )

        async def main() -> None:
            try:
                await arun(source_of(count) >> world.flow(raising))
            except (ValueError, TimeoutError):
                assert fails
            else:
                assert not fails
            assert alone()

        with virtual_time() as run_in:
            run_in(main)
        assert set(world.active.values()) <= {0}


class TestOrder:
    @given(graphs(nodes(ordered=True)), sizes, seeds)
    def test_each_path_of_ordered_steps_comes_in_order(
        self, graph: Graph, count: int, seed: int
    ) -> None:
        """As it comes, and not only in a result that sorts."""
        graph = named(graph)
        world, _, answer = known(graph, count, seed)

        async def main() -> list[list[Uid]]:
            paths: list[list[Uid]] = [[] for _ in answer]
            flow = source_of(count) >> world.flow(graph)
            async for path, output in astream(flow, on_failure=id):
                paths[path].append(uid_of(output))
            assert alone()
            return paths

        with virtual_time() as run_in:
            assert run_in(main) == answer

    @given(
        st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), max_size=60),
        st.integers(1, 8),
        st.sampled_from([None, 1, 3, 20]),
        st.booleans(),
    )
    def test_each_key_comes_in_order_and_the_window_is_held(
        self, rows: list[tuple[int, int]], limit: int, window: int | None, retried: bool
    ) -> None:
        """Never more calls begun that are not all passed on than the window."""
        begun = given = widest = peak = active = 0
        seen: Counter[int] = Counter()

        async def call(number: int, key: int, seconds: int) -> dict[str, int]:
            nonlocal begun, widest, active, peak
            active, peak = active + 1, max(peak, active + 1)
            seen[number] += 1
            if seen[number] == 1:
                begun += 1
                widest = max(widest, begun - given)
            try:
                await asyncio.sleep(seconds)
                if retried and number % 3 == 0 and seen[number] < 2:
                    raise ValueError(number)
            finally:
                active -= 1
            return {"y": number}

        source = step(
            "src",
            [{"number": n, "key": key, "seconds": s} for n, (key, s) in enumerate(rows)],
        )
        options = StepOptions(ordered="key", concurrency=limit, window=window, retry=2)

        async def main() -> list[tuple[int, int]]:
            nonlocal given
            found = []
            async for _, output in astream(source >> step("s", call), options=options):
                given += 1
                found.append((output["src"]["key"], output["s"]["y"]))
            return found

        with virtual_time() as run_in:
            found = run_in(main)
        assert sorted(number for _, number in found) == [*range(len(rows))]
        for wanted in range(4):
            numbers = [number for key, number in found if key == wanted]
            assert numbers == sorted(numbers)
        assert peak <= limit
        # What the step has handed on may wait for the reader, 16 products at most.
        assert widest <= (window or 4 * limit) + 16
