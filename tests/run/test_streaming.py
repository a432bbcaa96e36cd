"""Outputs that are yielded while the run goes on."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import weakref
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxus_rx import (
    Failure,
    FailureLimitError,
    InvalidFlowError,
    InvalidOptionError,
    Progress,
    StepOptions,
    UsageError,
    astream,
    passthrough,
    run,
    step,
    stream,
)
from fluxus_rx.testing import virtual_time
from tests.support.errors import refused, untyped
from tests.support.probes import turns, until


def numbers(count: int) -> Any:
    """A source."""
    return step("src", [{"x": x} for x in range(count)])


async def double(x: int) -> dict[str, int]:
    """An asynchronous step."""
    await asyncio.sleep(0)
    return {"y": 2 * x}


def odd(x: int) -> dict[str, int]:
    """A step that fails for even numbers."""
    if x % 2 == 0:
        raise ValueError(x)
    return {"z": x}


@given(st.integers(0, 40), st.integers(1, 5))
def test_outputs_are_those_of_a_run(count: int, limit: int) -> None:
    """Path by path, though in order of completion."""
    flow = numbers(count) >> (step("d", double).options(concurrency=limit) & passthrough())
    result = run(flow)
    paths: list[list[Any]] = [[], []]
    for path, output in stream(flow):
        paths[path].append(output)
    for found, known in zip(paths, result, strict=True):
        assert sorted(found, key=str) == sorted(known, key=str)


def test_outputs_of_synchronous_steps_come_in_order() -> None:
    """As a plain loop would make them."""
    flow = numbers(9) >> step("d", lambda x: [{"y": x}, {"y": -x}])
    assert [output for _, output in stream(flow)] == run(flow)[0]


async def test_astream_is_the_same_on_the_running_loop() -> None:
    """With the same arguments."""
    flow = step("d", double)
    found = [one async for one in astream(flow, input=[{"x": 1}])]
    assert found == [(0, {"input": {"x": 1}, "d": {"y": 2}})]


def test_an_error_comes_behind_the_outputs_before_it() -> None:
    """As the object that it is."""
    outputs = stream(numbers(4) >> step("f", lambda x: {"y": 1 // (2 - x)}))
    assert [next(outputs)[1]["f"]["y"] for _ in range(2)] == [0, 1]
    with pytest.raises(ZeroDivisionError) as caught:
        next(outputs)
    assert "in step 'f', item 2" in "".join(caught.value.__notes__)


def test_bad_arguments_are_refused_at_once() -> None:
    """Before the first output is asked for."""
    with refused(InvalidFlowError, "tuple"):
        stream(untyped((numbers(1),)))
    with refused(InvalidOptionError, "max_failures", "-1"):
        astream(numbers(1), max_failures=-1)
    with refused(InvalidOptionError, "options", "dict"):
        stream(numbers(1), options=untyped({"retry": 3}))
    with refused(InvalidOptionError, "on_failure", "3"):
        stream(numbers(1), on_failure=untyped(3))


async def test_a_slow_reader_holds_the_source_back() -> None:
    """It is ahead by the buffers and the limit, and by no more."""
    made = 0

    def source() -> Iterator[dict[str, int]]:
        nonlocal made
        for x in range(10_000):
            made = x
            yield {"x": x}

    flow = step("src", source) >> step("d", double).options(concurrency=4)
    async with contextlib.aclosing(astream(flow)) as outputs:
        async for _, output in outputs:
            await turns(40)
            assert made - output["src"]["x"] <= 16 + 16 + 4 + 4
            if output["src"]["x"] > 100:
                break


async def test_leaving_early_cancels_and_closes_all() -> None:
    """Calls, generators and the source."""
    closed: list[str] = []
    hanging: list[int] = []

    async def source() -> AsyncIterator[dict[str, int]]:
        try:
            for x in range(1_000):
                yield {"x": x}
                await asyncio.sleep(0)
        finally:
            closed.append("source")

    async def hang(x: int) -> dict[str, int]:
        try:
            if x:
                hanging.append(x)
                await asyncio.sleep(1_000)
        finally:
            closed.append("call")
        return {}

    flow = step("src", source) >> step("h", hang).options(concurrency=3)
    async with contextlib.aclosing(astream(flow)) as outputs:
        async for _ in outputs:
            # How many calls have begun by the first output is up to the slices of time.
            await until(lambda: len(hanging) == 3)
            break
    assert sorted(closed) == ["call"] * 4 + ["source"]


def test_leaving_a_synchronous_stream_early_does_the_same() -> None:
    """A `for` loop that breaks closes it."""
    closed: list[str] = []

    def source() -> Iterator[dict[str, int]]:
        try:
            for x in range(1_000):
                yield {"x": x}
        finally:
            closed.append("source")

    outputs = stream(step("src", source) >> step("d", double))
    for _ in outputs:
        break
    outputs.close()
    assert closed == ["source"]


class Payload:
    """Something that can be counted."""


def test_memory_does_not_grow_with_the_length_of_the_run() -> None:
    """What was yielded is let go of."""
    alive: weakref.WeakSet[Payload] = weakref.WeakSet()
    most = 0

    def source() -> Iterator[dict[str, Any]]:
        for _ in range(3_000):
            payload = Payload()
            alive.add(payload)
            yield {"payload": payload}

    async def passed(payload: Payload) -> dict[str, int]:
        await asyncio.sleep(0)
        return {"y": 1}

    for index, _ in enumerate(stream(step("src", source) >> step("p", passed))):
        if index % 500 == 0:
            gc.collect()
            most = max(most, len(alive))
    assert most < 700


def test_failures_need_somewhere_to_go() -> None:
    """There is no result that could hold them."""
    flow = numbers(4) >> step("odd", odd).options(on_error="collect")
    with pytest.raises(UsageError, match="on_failure"):
        list(stream(flow))
    failures: list[Failure] = []
    assert len(list(stream(flow, on_failure=failures.append))) == 2
    assert sorted(failure.product["x"] for failure in failures) == [0, 2]


def test_an_error_of_on_failure_ends_the_run() -> None:
    """It isn't an error of the step."""

    def full(failure: Failure) -> None:
        raise OSError("disk full")

    flow = numbers(4) >> step("odd", odd).options(on_error="collect")
    with pytest.raises(OSError, match="disk full"):
        list(stream(flow, on_failure=full))


def test_too_many_failures_end_it() -> None:
    """With all of them at hand."""
    flow = numbers(9) >> step("odd", odd)
    with pytest.raises(FailureLimitError) as caught:
        list(stream(flow, options=StepOptions(on_error="skip"), max_failures=2))
    assert [failure.product["x"] for failure in caught.value.failures] == [0, 2, 4]
    assert isinstance(caught.value.__cause__, ValueError)


def test_progress_is_told() -> None:
    """To its end."""
    told: list[Progress] = []
    assert len(list(stream(numbers(3), progress=told.append))) == 3
    assert told[-1].state == "done"
    assert told[-1].steps[0].done == 3


async def test_a_stream_may_be_read_inside_a_running_loop() -> None:
    """By a thread of its own, as `run` does."""
    assert len(list(stream(numbers(3) >> step("d", double)))) == 3


def test_cancelling_the_reader_ends_the_run() -> None:
    """At once, with all calls."""

    async def hang(x: int) -> dict[str, int]:
        await asyncio.sleep(1_000)
        return {}

    async def main() -> None:
        outputs = astream(numbers(3) >> step("h", hang))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await anext(outputs)
        assert asyncio.get_running_loop().time() < 2

    with virtual_time() as go:
        go(main)
