"""What stream() and astream() yield, how far ahead they run, and how they end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest
import reactivex
from hypothesis import given

from fluxus_rx import (
    Failure,
    FailureLimitError,
    InvalidFlowError,
    InvalidOptionError,
    Progress,
    RunResult,
    StepOptions,
    UsageError,
    arun,
    astream,
    passthrough,
    run,
    step,
    stream,
)
from fluxus_rx.testing import virtual_time
from tests.support.conduits import Add, Numbers
from tests.support.errors import notes, refused
from tests.support.graphs import Recorder, flows, seeds, with_oracle
from tests.support.oracle import Graph
from tests.support.planned_flows import Graph as Planned
from tests.support.planned_flows import graphs, known, named, nodes, sizes, source_of
from tests.support.probes import alone
from tests.support.scripted_calls import numbers

Arrivals = list[tuple[int, Any]]


async def read(outputs: AsyncGenerator[tuple[int, Any], None], most: int | None = None) -> Arrivals:
    """All outputs, or the first few, on the running loop."""
    found: Arrivals = []
    async with contextlib.aclosing(outputs):
        async for one in outputs:
            found.append(one)
            if len(found) == most:
                break
    return found


def streamed(flow: Any, **kwargs: Any) -> Arrivals:
    """All outputs of stream()."""
    return [*stream(flow, **kwargs)]


def astreamed(flow: Any, **kwargs: Any) -> Arrivals:
    """All outputs of astream()."""
    return asyncio.run(read(astream(flow, **kwargs)))


either = pytest.mark.parametrize("streaming", [streamed, astreamed])


def sorted_paths(arrivals: Arrivals, count: int) -> list[list[str]]:
    """What came by each path, in an order of its own."""
    return [sorted(repr(output) for path, output in arrivals if path == n) for n in range(count)]


async def brief(x: int) -> dict[str, int]:
    """A call that yields to others."""
    await asyncio.sleep(0)
    return {"y": x}


def fails_at(*bad: int) -> Callable[[int], dict[str, int]]:
    """A function that fails for these."""

    def function(x: int) -> dict[str, int]:
        if x in bad:
            raise ValueError(x)
        return {"y": x}

    return function


class TestOutputs:
    @given(graph=flows(), seed=seeds)
    @either
    def test_they_are_those_of_a_run(self, streaming: Any, graph: Graph, seed: int) -> None:
        """On each path the same, of any flow."""
        answer, calls = with_oracle(graph)
        recorder = Recorder(seed)
        arrivals = streaming(recorder.flow(graph))
        expected = [(path, output) for path, outputs in enumerate(answer) for output in outputs]
        assert sorted_paths(arrivals, len(answer)) == sorted_paths(expected, len(answer))
        assert len(arrivals) == len(expected)
        assert recorder.calls == calls

    @given(graphs(nodes()), sizes, seeds)
    def test_they_are_those_of_a_run_with_options(
        self, graph: Planned, count: int, seed: int
    ) -> None:
        """And the failures are, whatever steps do with them."""
        graph = named(graph)
        world, _, _ = known(graph, count, seed)
        failures: list[Failure] = []

        async def main() -> tuple[RunResult, Arrivals]:
            flow = source_of(count) >> world.flow(graph)
            result = await arun(flow)
            world.attempts.clear()
            arrivals = await read(astream(flow, on_failure=failures.append))
            assert alone()
            return result, arrivals

        with virtual_time() as run_in:
            result, arrivals = run_in(main)
        expected = [(path, output) for path, outputs in enumerate(result) for output in outputs]
        assert sorted_paths(arrivals, len(result)) == sorted_paths(expected, len(result))
        assert sorted(map(str, failures)) == sorted(map(str, result.failures))

    @either
    def test_synchronous_steps_give_them_in_order(self, streaming: Any) -> None:
        """Path by path."""
        many = step("many", lambda x: [{"y": x}, {"y": -x}])
        flow = numbers(99) >> many >> (step("d", lambda y: {"z": y}) & passthrough())
        arrivals, result = streaming(flow), run(flow)
        assert [[out for n, out in arrivals if n == path] for path in range(2)] == [*result]

    def test_each_comes_as_soon_as_it_is_complete(self) -> None:
        """A slow call holds none of the others up."""

        async def slow_first(x: int) -> dict[str, int]:
            await asyncio.sleep(100 if x == 0 else x)
            return {"y": x}

        async def main() -> list[tuple[float, int]]:
            found = []
            loop = asyncio.get_running_loop()
            async with contextlib.aclosing(astream(numbers(4) >> step("s", slow_first))) as outputs:
                async for _, output in outputs:
                    found.append((loop.time(), output["s"]["y"]))
            return found

        with virtual_time() as run_in:
            assert run_in(main) == [(1, 1), (2, 2), (3, 3), (100, 0)]

    @either
    def test_each_is_the_readers_own(self, streaming: Any) -> None:
        """To change one changes no other, and nothing in the flow."""
        flow = numbers(3) >> (passthrough() & step("d", brief))
        outputs = [output for _, output in streaming(flow)]
        for output in outputs:
            for attributes in output.values():
                attributes["x"] = attributes["more"] = "changed"
            output["more"] = {}
        assert sorted_paths(streaming(flow), 2) == sorted_paths(
            [(n, output) for n, path in enumerate(run(flow)) for output in path], 2
        )

    @either
    def test_nothing_is_an_empty_loop(self, streaming: Any) -> None:
        """Without outputs there is nothing to yield."""
        assert streaming(numbers(0)) == []
        assert streaming(numbers(0) >> (step("d", brief) & passthrough())) == []

    @either
    def test_a_flow_may_be_read_any_number_of_times(self, streaming: Any) -> None:
        """Each is a run of its own."""
        flow = numbers(5) >> step("d", brief)
        assert streaming(flow) == streaming(flow)


class TestArguments:
    @either
    def test_they_are_those_of_run(self, streaming: Any) -> None:
        """Input of any kind, options, progress, a limit of failures."""
        made = step("s", fails_at(1))
        skip = StepOptions(on_error="skip")
        for given_ in ([{"x": 1}, {"x": 2}], {"x": 2}, reactivex.of({"x": 2})):
            arrivals = streaming(made, input=given_, options=skip, max_failures=1)
            assert arrivals == [(0, {"input": {"x": 2}, "s": {"y": 2}})]
        told: list[Progress] = []
        assert len(streaming(numbers(4) >> made, options=skip, progress=told.append)) == 3
        assert [(one.step, one.done, one.failed) for one in told[-1].steps] == [
            ("src", 4, 0),
            ("s", 3, 1),
        ]
        assert told[-1].state == "done"

    @pytest.mark.parametrize("function", [stream, astream])
    @pytest.mark.parametrize(
        ("error", "flow", "kwargs"),
        [
            (InvalidFlowError, None, {}),
            (InvalidFlowError, [numbers(1)], {}),
            (InvalidFlowError, numbers(1), {"input": {"x": 1}}),
            (InvalidFlowError, Numbers(3) >> Add(1), {}),
            (InvalidOptionError, numbers(1), {"options": {"retry": 2}}),
            (InvalidOptionError, numbers(1), {"max_failures": -1}),
            (InvalidOptionError, numbers(1), {"on_failure": "print"}),
            (InvalidOptionError, numbers(1), {"progress": "yes"}),
        ],
    )
    def test_bad_ones_are_refused_at_once(
        self, function: Any, error: Any, flow: Any, kwargs: Any
    ) -> None:
        """By the call, and not by the first look at an output."""
        with refused(error):
            function(flow, **kwargs)

    @pytest.mark.parametrize("function", [stream, astream])
    def test_a_function_of_failures_must_not_be_asynchronous(self, function: Any) -> None:
        """Nobody would await it."""

        async def save(failure: Failure) -> None:
            raise AssertionError

        with pytest.raises((InvalidFlowError, InvalidOptionError), match="on_failure"):
            function(numbers(1), on_failure=save)

    @either
    @pytest.mark.parametrize("place", ["step", "chain", "run"])
    def test_collect_needs_a_function_of_failures(self, streaming: Any, place: str) -> None:
        """The message has the step, and what to do."""
        collect = StepOptions(on_error="collect")
        flow = numbers(4) >> step("s", fails_at(1, 3))
        kwargs: dict[str, Any] = {"options": collect} if place == "run" else {}
        if place == "step":
            flow = numbers(4) >> step("s", fails_at(1, 3)).options(on_error="collect")
        if place == "chain":
            flow = flow.options(on_error="collect")
        with refused(UsageError, "step 's'", "on_error='collect'", "on_failure="):
            streaming(flow, **kwargs)
        failures: list[Failure] = []
        assert len(streaming(flow, **kwargs, on_failure=failures.append)) == 2
        assert [failure.lineage for failure in failures] == [{"src": {"x": 1}}, {"src": {"x": 3}}]

    @either
    def test_skipped_and_replaced_failures_are_not_told(self, streaming: Any) -> None:
        """Only those that are collected are."""
        failures: list[Failure] = []
        for on_error in ("skip", lambda failure: {"y": 0}):
            flow = numbers(4) >> step("s", fails_at(1)).options(on_error=on_error)
            streaming(flow, on_failure=failures.append)
        assert failures == []


class TestErrors:
    @either
    @pytest.mark.parametrize("at", [0, 1, 40, 99])
    def test_one_comes_behind_the_outputs_before_it(self, streaming: Any, at: int) -> None:
        """Of a synchronous flow exactly those; the error is the very object, with notes."""
        found: Arrivals = []
        error = LookupError("no")

        def fail(x: int) -> dict[str, int]:
            if x == at:
                raise error
            return {"y": x}

        async def aread() -> None:
            async with contextlib.aclosing(astream(numbers(100) >> step("s", fail))) as outputs:
                async for one in outputs:
                    found.append(one)

        def read_plainly() -> None:
            for one in stream(numbers(100) >> step("s", fail)):
                found.append(one)

        with pytest.raises(LookupError) as caught:
            read_plainly() if streaming is streamed else asyncio.run(aread())
        assert caught.value is error
        assert f"in step 's', item {at} of path src → s" in notes(error)
        assert [output["s"]["y"] for _, output in found] == [*range(at)]

    def test_one_after_it_there_is_nothing(self) -> None:
        """A generator that has raised is at its end."""
        outputs = stream(numbers(3) >> step("s", fails_at(1)))
        assert next(outputs)[1]["s"] == {"y": 0}
        with pytest.raises(ValueError, match="1"):
            next(outputs)
        assert [*outputs] == []

    @either
    def test_more_failures_than_the_limit_end_it(self, streaming: Any) -> None:
        """The error has them, but no result: the outputs were yielded."""
        flow = numbers(9) >> step("s", fails_at(1, 3, 5)).options(on_error="collect")
        told: list[Failure] = []
        with pytest.raises(FailureLimitError, match="3 calls") as caught:
            streaming(flow, max_failures=2, on_failure=told.append)
        assert caught.value.result is None
        assert [failure.product["x"] for failure in caught.value.failures] == [1, 3, 5]
        assert isinstance(caught.value.__cause__, ValueError)
        assert len(told) == 3

    @either
    @pytest.mark.parametrize("asynchronous", [False, True])
    def test_what_the_function_of_failures_raises_ends_it(
        self, streaming: Any, asynchronous: bool
    ) -> None:
        """It isn't a failure of the step, and not retried."""
        told = 0

        def full(failure: Failure) -> None:
            nonlocal told
            told += 1
            raise OSError("disk full")

        async def afail(x: int) -> dict[str, int]:
            return fails_at(1)(x)

        made = step("s", afail if asynchronous else fails_at(1))
        with pytest.raises(OSError, match="disk full"):
            streaming(numbers(3) >> made.options(on_error="collect", retry=1), on_failure=full)
        assert told == 1

    @either
    def test_progress_tells_how_it_ended(self, streaming: Any) -> None:
        """As of a run."""
        told: list[Progress] = []
        with pytest.raises(ValueError, match="1"):
            streaming(numbers(3) >> step("s", fails_at(1)), progress=told.append)
        states: list[str] = [told[-1].state]
        outputs = stream(numbers(3), progress=told.append)
        next(outputs)
        outputs.close()
        states.append(told[-1].state)
        assert states == ["failed", "cancelled"]
