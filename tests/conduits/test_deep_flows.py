"""Flows whose groups are nested deeper than calls can be, and very wide ones."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from functools import reduce
from operator import and_
from typing import Any

import pytest

from fluxus_rx import (
    InvalidFlowError,
    Transformer,
    chain,
    parallel,
    passthrough,
    path,
    run,
    step,
    stream,
)
from fluxus_rx.viz import draw, to_dot, to_mermaid, to_tree

#: Each level would take a call at least of what were recursive.
DEPTH = 250


@pytest.fixture(autouse=True)
def low_stack() -> Iterator[None]:
    """As many calls as that can be nested from here on, which is enough for any flat flow."""
    usual = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + DEPTH)
    yield
    sys.setrecursionlimit(usual)


def same(x: int) -> dict[str, Any]:
    return {"x": x}


async def same_later(x: int) -> dict[str, Any]:
    return {"x": x}


def nothing(x: int) -> list[dict[str, Any]]:
    return []


def nested(depth: int, function: Any = same) -> Any:
    """Groups of two branches, of which the first ends with the next group."""
    flow: Any = step("inner", function)
    for number in range(depth):
        flow = parallel(chain(step(f"s{number}", function), flow), step(f"n{number}", nothing))
    return chain(step("src", {"x": 1}), flow)


@pytest.fixture(scope="module")
def deep() -> Any:
    """A flow of that depth, which is never changed."""
    return nested(DEPTH)


class TestNested:
    def test_it_runs_and_gives_what_went_through_all_levels(self, deep: Any) -> None:
        result = run(deep)

        assert len(result) == DEPTH + 1
        (output,) = result.get_outputs()
        assert [*output] == ["src", *(f"s{number}" for number in reversed(range(DEPTH))), "inner"]

    def test_it_runs_with_asynchronous_steps_too(self) -> None:
        """Each group then has a hub of its own, to which all further in subscribe."""
        (output,) = run(nested(DEPTH, same_later)).get_outputs()
        assert len(output) == DEPTH + 2

    def test_leaving_it_early_ends_it(self, deep: Any) -> None:
        outputs = stream(deep)
        path, output = next(outputs)
        outputs.close()
        assert (path, len(output)) == (0, DEPTH + 2)

    def test_its_expression_builds_it(self, deep: Any) -> None:
        text = repr(deep)
        assert text.startswith("step('src', {'x': 1}) >> ((step('s")
        assert text.count("(step('s") == text.count(" & step('n") == DEPTH

    def test_it_takes_options(self, deep: Any) -> None:
        assert repr(deep.options(retry=2)).count(".options(retry=2)") == 2 * DEPTH + 1

    def test_what_it_consists_of_is_told(self, deep: Any) -> None:
        assert deep.n_concurrent_conduits == deep.describe().n_paths == DEPTH + 1
        assert len([*deep.get_final_conduits()]) == DEPTH + 1
        assert len([*deep.get_connections()]) == 2 * DEPTH + 1
        assert len(deep.check()) == 2 * DEPTH + 1

    def test_each_drawing_has_all_steps(self, deep: Any, tmp_path: Any) -> None:
        draw(deep, "text", file=tmp_path / "flow.txt")
        assert (tmp_path / "flow.txt").read_text(encoding="utf-8") == f"{deep!r}\n"
        assert to_tree(deep, paths=True).count("○") == 2 * DEPTH + 1
        for drawn in (to_mermaid(deep, paths=True), to_dot(deep)):
            assert all(f"n{number}" in drawn for number in range(DEPTH))

    def test_exits_are_led_together_at_each_level(self) -> None:
        """Where groups have a step behind them."""
        flow: Any = step("inner", same)
        for number in range(DEPTH):
            flow = chain(parallel(flow, step(f"a{number}", same)), step(f"b{number}", same))
        assert to_tree(flow).count("╯") == DEPTH

    def test_a_passthrough_at_the_end_of_each_level_lets_types_through(self) -> None:
        """What comes out may have come in far outside, and is checked against what takes it."""
        flow: Any = Ints()
        for _ in range(DEPTH):
            flow = parallel(chain(Ints(), flow), passthrough())
        with pytest.raises(InvalidFlowError, match="emits int, but the second takes str"):
            flow >> Texts()


class TestWide:
    def test_branches_can_be_added_one_by_one(self) -> None:
        """Each is compared with what is there in one go, not with each of those."""
        branches: list[Any] = [passthrough(), *(Ints() for _ in range(2_000))]
        flow = reduce(and_, branches)
        assert flow.n_concurrent_conduits == 2_001

    def test_a_passthrough_beside_a_branch_that_takes_more_is_refused(self) -> None:
        """In whatever order the branches are added."""
        mixed: list[Any] = [Ints(), passthrough(), Texts()]
        with pytest.raises(InvalidFlowError, match="would pass on str"):
            reduce(and_, mixed)
        with pytest.raises(InvalidFlowError, match="would pass on str"):
            reduce(and_, reversed(mixed))


class Ints(Transformer[int, int]):
    def transform(self, product: int) -> list[int]:
        return [product]


class Texts(Transformer[str, int]):
    def transform(self, product: str) -> list[int]:
        return [len(product)]


def test_named_branches_around_sources_are_nested_deeply() -> None:
    """Each path has the names of all branches around it; what they cost doesn't grow with their
    depth to a power: this took a minute."""
    flow: Any = step("src", [{"x": 1}])
    for number in range(2 * DEPTH):
        flow = path(f"p{number}", flow & step("other", [{"x": 2}]))
    result = run(flow)
    assert len(result.paths) == 2 * DEPTH + 1
    assert [len(result["p0"]), len(result[f"p{2 * DEPTH - 1}"])] == [2, 2 * DEPTH + 1]
