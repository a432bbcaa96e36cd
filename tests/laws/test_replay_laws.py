"""A failed run, its failures run again, and both put together: as if all had gone well at once."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fluxus_rx import RunResult, arerun, arun, parallel, passthrough, step
from fluxus_rx.testing import virtual_time

COUNT = 6

#: the shapes of a flow behind its source, as the names of steps; "&" is a group of what follows
shapes = st.recursive(
    st.sampled_from(["one", "late", "many", "amany", "plain"]).map(lambda name: [name]),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: [x for p in parts for x in p]),
        st.tuples(st.lists(inner, min_size=2, max_size=3), st.booleans()).map(lambda t: [t]),
    ),
    max_leaves=6,
)


class World:
    """Calls that fail or not, each after a while that a seed tells."""

    def __init__(self, failing: set[int], delays: list[int]) -> None:
        self.failing = failing
        self.delays = delays
        self.calls: dict[str, list[Any]] = {}

    def check(self, name: str, at: int, v: int) -> None:
        """Fail, if this call is to."""
        self.calls.setdefault(name, []).append(v)
        if (at * 7 + v) % 11 in self.failing:
            raise LookupError(f"{name}: {v}")

    def made(self, shape: list[Any], names: Iterator[int]) -> Any:
        """The steps of a shape."""
        chain: Any = None
        for part in shape:
            if isinstance(part, str):
                one = self.step(part, next(names))
            else:
                # Behind a step: a group has one passthrough at most, with those of groups in it.
                members = [self.made(["plain", *inner], names) for inner in part[0]]
                one = parallel(*members, *([passthrough()] if part[1] else []))
            chain = one if chain is None else chain >> one
        return chain

    def step(self, kind: str, at: int) -> Any:
        """One step, which makes `v` again."""
        name = f"{kind}{at}"

        def plain(v: int) -> dict[str, int]:
            self.check(name, at, v)
            return {"v": v + 1}

        async def late(v: int) -> dict[str, int]:
            await asyncio.sleep(self.delays[v % len(self.delays)])
            return plain(v)

        def many(v: int) -> Iterator[dict[str, int]]:
            yield {"v": v + 1}
            self.check(name, at, v)
            yield {"v": v + 2}

        async def amany(v: int) -> Any:
            for row in many(v):
                await asyncio.sleep(self.delays[v % len(self.delays)])
                yield row

        functions = {"one": plain, "late": late, "many": many, "amany": amany, "plain": plain}
        return step(name, functions[kind]).options(on_error="collect")


def numbers() -> Any:
    """The source."""
    return step("src", [{"v": v} for v in range(COUNT)])


@given(
    shapes,
    st.sets(st.integers(0, 10), max_size=5),
    st.lists(st.integers(0, 9), min_size=1, max_size=5),
)
def test_failures_that_run_again_complete_the_result(
    shape: list[Any], failing: set[int], delays: list[int]
) -> None:
    """Same outputs, same order, no failures left; also by way of pickle, and in two goes."""

    async def main() -> None:
        world = World(failing, delays)
        flow = numbers() >> world.made(shape, iter(range(99)))
        broken = await arun(flow)
        world.failing = set()
        whole = await arun(flow)
        again = await arerun(flow, pickle.loads(pickle.dumps(broken.failures)))
        merged = broken.merged(again)
        assert merged == whole
        assert not merged.failures
        half = broken.failures[: len(broken.failures) // 2]
        rest = broken.failures[len(broken.failures) // 2 :]
        step_by_step = broken.merged(await arerun(flow, half)).merged(await arerun(flow, rest))
        assert step_by_step == whole
        assert list(step_by_step.failures) == []

    with virtual_time() as go:
        go(main)


@given(st.sets(st.integers(0, 10), min_size=1, max_size=9))
def test_only_what_failed_is_called_again(failing: set[int]) -> None:
    """Each failed call once, and what comes behind it; nothing else, and no source."""

    async def main() -> None:
        world = World(failing, [1])
        flow = numbers() >> world.step("late", 1) >> world.step("late", 2)
        broken = await arun(flow)
        world.failing, world.calls = set(), {}
        await arerun(flow, broken.failures)
        failed = [failure.product["v"] for failure in broken.failures if failure.step == "late1"]
        later = [failure.product["v"] for failure in broken.failures if failure.step == "late2"]
        assert sorted(world.calls.get("late1", [])) == sorted(failed)
        assert sorted(world.calls.get("late2", [])) == sorted([*later, *(v + 1 for v in failed)])

    with virtual_time() as go:
        go(main)


@given(st.sets(st.integers(0, 10), max_size=9))
def test_failures_may_run_again_from_an_earlier_step(failing: set[int]) -> None:
    """With what that step was called with; then all of it stands in for what came of it."""

    async def main() -> None:
        world = World(set(), [1])
        first, second = world.step("many", 1), world.step("late", 2)
        flow = numbers() >> first >> (second & passthrough())
        whole = await arun(flow)
        world.failing = failing
        broken: RunResult = await arun(
            numbers() >> World(set(), [1]).step("many", 1) >> (second & passthrough())
        )
        world.failing = set()
        again = await arerun(flow, broken.failures, start="many1")
        assert broken.merged(again) == whole

    with virtual_time() as go:
        go(main)
