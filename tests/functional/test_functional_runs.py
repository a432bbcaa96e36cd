"""The functional API: times, entry points, and what is around a run."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

import pytest

from fluxus_rx import arun, chain, run, step
from tests.functional.test_builders import double, increment, passthrough_beside, source
from tests.support.errors import untyped


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
        """The times of a step that returns {} are not taken for those of its neighbours."""
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
        """Steps run on the loop, and in the thread, of the code that awaits arun()."""
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
