"""The functional API: chain, parallel, passthrough, run and arun."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from types import MappingProxyType
from typing import Any

import pytest
import reactivex

import fluxus_rx.functional
from fluxus_rx import RunResult, arun, chain, parallel, passthrough, run, step


def increment(x: int, by: int = 1) -> dict[str, int]:
    return {"x": x + by}


async def double(x: int) -> dict[str, int]:
    await asyncio.sleep(0)
    return {"x": 2 * x}


def source() -> Any:
    return step("src", [{"x": 1}, {"x": 2}])


class TestModule:
    def test_the_functional_module_has_six_names(self) -> None:
        """`fluxus_rx.functional` has exactly what fluxus had there."""
        assert sorted(fluxus_rx.functional.__all__) == [
            "RunResult",
            "chain",
            "parallel",
            "passthrough",
            "run",
            "step",
        ]

    @pytest.mark.parametrize("name", fluxus_rx.functional.__all__)
    def test_they_are_those_of_the_package(self, name: str) -> None:
        """A name means the same in both modules, and says that it is from the package."""
        thing = getattr(fluxus_rx.functional, name)

        assert thing is getattr(fluxus_rx, name)
        assert thing.__module__ == "fluxus_rx"


class TestChain:
    def test_a_chain_runs_its_steps_one_after_the_other(self) -> None:
        """Each output holds what every step returned, in the order of the steps."""
        flow = chain(source(), step("inc", increment), step("dbl", double))

        assert run(flow) == RunResult(
            [
                {"src": {"x": 1}, "inc": {"x": 2}, "dbl": {"x": 4}},
                {"src": {"x": 2}, "inc": {"x": 3}, "dbl": {"x": 6}},
            ]
        )
        assert [list(output) for output in run(flow)[0]] == [["src", "inc", "dbl"]] * 2

    def test_a_chain_of_one_is_that_step(self) -> None:
        """chain(a) returns what a returns."""
        assert run(chain(source())) == run(source())

    def test_the_operator_and_the_function_give_the_same(self) -> None:
        """a >> b >> c is chain(a, b, c)."""
        inc, dbl = step("inc", increment), step("dbl", double)

        assert run(source() >> inc >> dbl) == run(chain(source(), inc, dbl))

    def test_a_step_can_occur_twice(self) -> None:
        """The second time its name has #1, the third time #2."""
        inc = step("inc", increment)

        assert run(chain(source(), inc, inc, inc))[0][0] == {
            "src": {"x": 1},
            "inc": {"x": 2},
            "inc#1": {"x": 3},
            "inc#2": {"x": 4},
        }

    def test_names_are_counted_for_each_name(self) -> None:
        """a, b, a, a, c, b are shown as a, b, a#1, a#2, c, b#1."""
        names = ["a", "b", "a", "a", "c", "b"]

        (output,) = run(chain(*(step(name, increment) for name in names)), input={"x": 0})[0]

        assert list(output) == ["input", "a", "b", "a#1", "a#2", "c", "b#1"]


class TestParallel:
    def test_a_group_has_a_path_for_each_branch(self) -> None:
        """Each branch gets every product; its outputs are a path of their own."""
        flow = source() >> parallel(step("inc", increment), step("dbl", double))

        assert run(flow) == RunResult(
            [{"src": {"x": 1}, "inc": {"x": 2}}, {"src": {"x": 2}, "inc": {"x": 3}}],
            [{"src": {"x": 1}, "dbl": {"x": 2}}, {"src": {"x": 2}, "dbl": {"x": 4}}],
        )

    def test_a_passthrough_is_a_path_that_does_not_show(self) -> None:
        """Beside other steps a passthrough hands each product on as it is."""
        flow = source() >> parallel(step("inc", increment), passthrough())

        assert run(flow)[1] == [{"src": {"x": 1}}, {"src": {"x": 2}}]

    def test_a_passthrough_may_come_first(self) -> None:
        """The order of branches is the order of paths, wherever the passthrough is."""
        flow = source() >> parallel(passthrough(), step("inc", increment))

        assert run(flow)[0] == [{"src": {"x": 1}}, {"src": {"x": 2}}]

    def test_a_group_of_one_is_that_step(self) -> None:
        """parallel(a) and parallel([a]) return what a returns."""
        inc = step("inc", increment)

        assert run(source() >> parallel(inc)) == run(source() >> inc)
        assert run(source() >> parallel([inc])) == run(source() >> inc)

    @pytest.mark.parametrize("make", [list, tuple, iter, lambda steps: (one for one in steps)])
    def test_iterables_of_steps_are_unpacked(self, make: Callable[[list[Any]], Any]) -> None:
        """Steps and iterables of steps can stand beside each other."""
        steps = [step("inc", increment, by=by) for by in (1, 2)]

        result = run(source() >> parallel(make(steps), passthrough(), make([step("dbl", double)])))

        assert [path[0] for path in result] == [
            {"src": {"x": 1}, "inc": {"x": 2}},
            {"src": {"x": 1}, "inc": {"x": 3}},
            {"src": {"x": 1}},
            {"src": {"x": 1}, "dbl": {"x": 2}},
        ]

    def test_producers_stand_side_by_side(self) -> None:
        """A group of producers has their paths, one after the other."""
        flow = parallel(source(), step("other", {"x": 10})) >> step("inc", increment)

        assert run(flow) == RunResult(
            [{"src": {"x": 1}, "inc": {"x": 2}}, {"src": {"x": 2}, "inc": {"x": 3}}],
            [{"other": {"x": 10}, "inc": {"x": 11}}],
        )

    def test_a_producer_in_a_group_is_a_branch_and_not_an_iterable(self) -> None:
        """Producers can be iterated, but parallel() does not unpack them."""
        assert len(run(parallel(source(), source()))) == 2

    def test_groups_in_series_multiply_their_paths(self) -> None:
        """Paths are in lexicographic order, the first choice outermost."""
        first = parallel(step("a", increment), passthrough())
        second = parallel(step("b", increment), step("c", double), passthrough())

        result = run(step("src", {"x": 1}) >> first >> second)

        assert [list(path[0]) for path in result] == [
            ["src", "a", "b"],
            ["src", "a", "c"],
            ["src", "a"],
            ["src", "b"],
            ["src", "c"],
            ["src"],
        ]

    def test_and_binds_less_than_shift(self) -> None:
        """a & b >> c is a & (b >> c)."""
        a, b, c = (step(name, increment) for name in "abc")

        assert [list(path[0]) for path in run(source() >> (a & b >> c))] == [
            ["src", "a"],
            ["src", "b", "c"],
        ]

    def test_a_branch_without_outputs_is_an_empty_path(self) -> None:
        """A path keeps its place when nothing comes along it."""
        flow = source() >> parallel(
            step("none", lambda x: []),
            step("inc", increment),
            step("few", lambda x: [{}] * (x - 1)),
        )

        result = run(flow)

        assert list(map(len, result)) == [0, 2, 1]
        assert result[0] == []


class TestInput:
    @staticmethod
    async def async_rows() -> AsyncIterator[dict[str, int]]:
        yield {"x": 1}
        await asyncio.sleep(0)
        yield {"x": 2}

    @pytest.mark.parametrize(
        "make",
        [
            lambda: [{"x": 1}, {"x": 2}],
            lambda: ({"x": 1}, {"x": 2}),
            lambda: ({"x": x} for x in (1, 2)),
            lambda: iter([MappingProxyType({"x": 1}), {"x": 2}]),
            lambda: {1: {"x": 1}, 2: {"x": 2}}.values(),
            lambda: TestInput.async_rows(),
            lambda: reactivex.of({"x": 1}, {"x": 2}),
        ],
        ids=["list", "tuple", "generator", "iterator", "view", "async generator", "observable"],
    )
    def test_input_takes_all_that_data_can_be(self, make: Callable[[], Any]) -> None:
        """What comes in by `input=` is a step called input in the lineage."""
        flow = step("inc", increment)
        wanted = RunResult(
            [{"input": {"x": 1}, "inc": {"x": 2}}, {"input": {"x": 2}, "inc": {"x": 3}}]
        )

        assert run(flow, input=make()) == wanted
        assert asyncio.run(arun(flow, input=make())) == wanted

    @pytest.mark.parametrize("data", [{"x": 1}, MappingProxyType({"x": 1})])
    def test_one_mapping_is_one_input(self, data: Mapping[str, int]) -> None:
        """A mapping need not be put into a list."""
        assert run(step("inc", increment), input=data) == RunResult(
            [{"input": {"x": 1}, "inc": {"x": 2}}]
        )

    def test_an_empty_mapping_is_one_input(self) -> None:
        """Input {} is a product without attributes."""
        assert run(step("s", lambda x=5: {"y": x}), input={}) == RunResult([{"s": {"y": 5}}])

    def test_no_inputs_give_no_outputs(self) -> None:
        """Input [] has no product at all; the paths are there, and empty."""
        flow = step("a", increment) & step("b", double) >> passthrough_beside("c")

        assert run(flow, input=[]) == RunResult([], [], [])

    def test_without_input_a_flow_runs_once_on_nothing(self) -> None:
        """A flow that has neither producer nor input gets one product that no lineage shows."""
        calls: list[dict[str, Any]] = []

        def first(**kwargs: Any) -> dict[str, int]:
            calls.append(kwargs)
            return {"x": 1}

        assert run(step("first", first) >> step("inc", increment)) == RunResult(
            [{"first": {"x": 1}, "inc": {"x": 2}}]
        )
        assert calls == [{}]

    def test_a_group_without_input_runs_once_for_each_branch(self) -> None:
        """Each branch of a group gets the one empty product."""
        flow = step("a", lambda x=1: {"x": x}) & step("b", lambda x=2: {"x": x})

        assert run(flow) == RunResult([{"a": {"x": 1}}], [{"b": {"x": 2}}])

    def test_a_step_may_be_called_input_too(self) -> None:
        """A step called input comes after what `input=` passed."""
        assert run(step("input", increment), input={"x": 1}) == RunResult(
            [{"input": {"x": 1}, "input#1": {"x": 2}}]
        )

    def test_a_flow_can_run_on_one_input_after_the_other(self) -> None:
        """Nothing of an input stays in the flow."""
        flow = step("inc", increment) >> step("dbl", double)

        assert [run(flow, input={"x": x})[0][0]["dbl"]["x"] for x in range(3)] == [2, 4, 6]


def passthrough_beside(name: str) -> Any:
    return parallel(step(name, increment), passthrough())
