"""Entering a started run: it has begun by then."""

from __future__ import annotations

import asyncio

import pytest
from reactivex.subject import Subject

from fluxus_rx import from_observable, start, step


async def test_a_block_begins_when_the_run_has_subscribed_to_its_sources() -> None:
    """A subject that emits at once loses nothing."""
    subject: Subject[int] = Subject()
    flow = from_observable(subject, "x") >> step("double", lambda x: {"y": 2 * x})
    async with start(flow) as running:
        subject.on_next(1)
        subject.on_completed()
        assert [output["double"] for output in (await running.result())[0]] == [{"y": 2}]


async def test_who_is_cancelled_while_it_enters_leaves_no_run_behind() -> None:
    """The run is cancelled, as at the end of the block."""
    running = start(from_observable(Subject(), "x") >> step("double", lambda x: {"y": x}))
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with running:
            raise AssertionError("nobody enters who is cancelled")
    task.uncancel()
    assert running.state == "cancelled"


async def test_a_run_that_fails_as_it_begins_lets_its_block_begin() -> None:
    """The error is that of its result."""

    def source() -> dict[str, int]:
        raise LookupError("no source")

    async with start(step("src", source)) as running:
        with pytest.raises(LookupError, match="no source"):
            await running.result()
