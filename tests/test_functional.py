"""The functional API: chain, parallel, passthrough, run and arun."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from time import perf_counter
from types import MappingProxyType
from typing import Any

import fluxus_rx.functional
import pytest
import reactivex

from fluxus_rx import RunResult, arun, chain, parallel, passthrough, run, step
from tests.errors import untyped


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
        """Each output holds what every step gave, in the order of the steps."""
        flow = chain(source(), step("inc", increment), step("dbl", double))

        assert run(flow) == RunResult(
            [
                {"src": {"x": 1}, "inc": {"x": 2}, "dbl": {"x": 4}},
                {"src": {"x": 2}, "inc": {"x": 3}, "dbl": {"x": 6}},
            ]
        )
        assert [list(output) for output in run(flow)[0]] == [["src", "inc", "dbl"]] * 2

    def test_a_chain_of_one_is_that_step(self) -> None:
        """chain(a) gives what a gives."""
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
        """parallel(a) and parallel([a]) give what a gives."""
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
        """Input [] is no product at all; the paths are there, and empty."""
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
        """A step called input comes after what `input=` gave."""
        assert run(step("input", increment), input={"x": 1}) == RunResult(
            [{"input": {"x": 1}, "input#1": {"x": 2}}]
        )

    def test_a_flow_can_run_on_one_input_after_the_other(self) -> None:
        """Nothing of an input stays in the flow."""
        flow = step("inc", increment) >> step("dbl", double)

        assert [run(flow, input={"x": x})[0][0]["dbl"]["x"] for x in range(3)] == [2, 4, 6]


def passthrough_beside(name: str) -> Any:
    return parallel(step(name, increment), passthrough())


class TestTimestamps:
    def test_without_timestamps_there_are_none(self) -> None:
        """A result has no times unless they are asked for."""
        assert list(run(source())[0][0]["src"]) == ["x"]
        assert list(run(source(), timestamps=False)[0][0]["src"]) == ["x"]

    @pytest.mark.parametrize("function", [increment, double])
    def test_each_step_has_its_start_and_its_end(self, function: Callable[..., Any]) -> None:
        """The times are seconds since the run began, and follow each other along the lineage."""
        flow = chain(source(), step("a", function), step("b", function))

        for output in run(flow, timestamps=True)[0]:
            assert list(output) == ["src", "a", "b"]
            times = [output[name][key] for name in output for key in ("[start]", "[end]")]
            assert all(type(time) is float for time in times)
            assert times == sorted(times)
            assert times[0] >= 0.0

    def test_times_stand_beside_the_attributes(self) -> None:
        """But for its times a result is what it is without them."""
        flow = source() >> passthrough_beside("a")

        result = run(flow, timestamps=True)

        for output in result.get_outputs():
            for attributes in output.values():
                assert list(attributes)[1:] == ["[start]", "[end]"]
                del attributes["[start]"], attributes["[end]"]
        assert result == run(flow)

    def test_times_count_from_the_beginning_of_the_run(self) -> None:
        """No time of a run is later than the run is long, for every run of a flow."""
        flow = source() >> step("a", double)

        for _ in range(5):
            begin = perf_counter()
            result = run(flow, timestamps=True)
            assert result[0][-1]["a"]["[end]"] <= perf_counter() - begin

    @pytest.mark.parametrize("asynchronous", [False, True])
    def test_a_product_without_attributes_shifts_no_times(self, asynchronous: bool) -> None:
        """The times of a step that gives {} are not taken for those of its neighbours."""
        busy = 0.0

        def blank(x: int) -> dict[str, int]:
            nonlocal busy
            start = perf_counter()
            while perf_counter() - start < 0.002:
                pass
            busy = perf_counter() - start
            return {}

        async def late(x: int) -> dict[str, int]:
            return blank(x)

        flow = chain(
            step("src", {"x": 1}),
            step("blank", late if asynchronous else blank),
            step("inc", increment),
        )

        (output,) = run(flow, timestamps=True)[0]

        assert list(output) == ["src", "inc"]
        assert output["inc"]["[start]"] - output["src"]["[end]"] >= busy

    def test_several_products_of_a_call_follow_each_other(self) -> None:
        """Each product of a generator starts where the one before it ended."""

        def expand(x: int) -> Iterator[dict[str, int]]:
            for i in range(3):
                yield {"y": i}

        outputs = run(step("src", {"x": 1}) >> step("s", expand), timestamps=True)[0]
        times = [output["s"][key] for output in outputs for key in ("[start]", "[end]")]

        assert times == sorted(times)


class TestRuns:
    @pytest.mark.parametrize("data", [[], {}, [{"x": 1}]])
    def test_arun_gives_what_run_gives(self, data: Any) -> None:
        """The two entry points differ in nothing but how they wait."""
        flow = step("src", data) >> step("s", lambda **kwargs: kwargs)

        assert asyncio.run(arun(flow)) == run(flow)
        assert list(map(len, asyncio.run(arun(flow, timestamps=True)))) == list(map(len, run(flow)))

    async def test_arun_runs_on_the_loop_it_is_awaited_on(self) -> None:
        """Steps run on the loop, and in the thread, of whoever awaits arun()."""
        loops = []

        async def note(x: int) -> dict[str, int]:
            loops.append(asyncio.get_running_loop())
            return {}

        await arun(step("s", note), input={"x": 1})

        assert loops == [asyncio.get_running_loop()]

    @pytest.mark.parametrize("asynchronous", [False, True])
    def test_context_variables_of_the_caller_are_seen_in_every_step(
        self, asynchronous: bool
    ) -> None:
        """What is set around a run holds in its steps; what a call sets, no other call sees."""
        variable = contextvars.ContextVar("variable", default="unset")

        def plain(x: int) -> dict[str, str]:
            seen = variable.get()
            variable.set(f"changed by {x}")
            return {"seen": seen}

        async def late(x: int) -> dict[str, str]:
            await asyncio.sleep(0)
            seen = plain(x)
            await asyncio.sleep(0)
            assert variable.get() == f"changed by {x}"
            return seen

        rows = [{"x": x} for x in range(5)]
        flow = step("src", rows) >> step("s", late if asynchronous else plain)
        variable.set("set by the caller")

        result = run(flow)

        if asynchronous:
            assert {output["s"]["seen"] for output in result[0]} == {"set by the caller"}
        assert result[0][0]["s"]["seen"] == "set by the caller"
        assert variable.get() == "set by the caller"

    async def test_a_step_may_use_timeouts_and_task_groups(self) -> None:
        """A call has a task of its own for as long as it lasts, as asyncio's tools expect."""

        async def patient(x: int) -> dict[str, Any]:
            tasks = [asyncio.current_task()]
            try:
                async with asyncio.timeout(0):
                    await asyncio.Event().wait()
            except TimeoutError:
                tasks.append(asyncio.current_task())
            async with asyncio.TaskGroup() as group:
                tasks.append(asyncio.current_task())
                child = group.create_task(asyncio.sleep(0, x))
            return {"y": child.result(), "same": tasks[0] is not None and len(set(tasks)) == 1}

        rows = [{"x": x} for x in range(5)]
        result = await arun(step("src", rows) >> step("s", patient))

        assert [output["s"] for output in result[0]] == [{"y": x, "same": True} for x in range(5)]

    def test_a_step_that_is_used_in_two_places_runs_in_both(self) -> None:
        """One step object may stand in a flow more than once."""
        inc = step("inc", increment)

        assert [path[0] for path in run(step("src", {"x": 1}) >> (inc & inc >> inc))] == [
            {"src": {"x": 1}, "inc": {"x": 2}},
            {"src": {"x": 1}, "inc": {"x": 2}, "inc#1": {"x": 3}},
        ]

    def test_a_flow_can_be_shared_by_other_flows(self) -> None:
        """Using a flow as a part of another does not change it."""
        begin = source() >> step("inc", increment)
        one, two = begin >> step("a", double), begin >> step("b", double)

        assert len(run(begin & one & two)) == 3
        assert run(begin)[0][0] == {"src": {"x": 1}, "inc": {"x": 2}}

    def test_input_is_a_keyword_and_so_is_timestamps(self) -> None:
        """A second positional argument of run() is refused."""
        with pytest.raises(TypeError):
            untyped(run)(step("inc", increment), {"x": 1})
