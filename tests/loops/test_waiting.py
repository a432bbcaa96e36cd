"""A synchronous reader runs the loop until something is there for it, and no longer."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from fluxus_rx import run, step, stream
from fluxus_rx._loops.event_loop import Loop, new_loop
from fluxus_rx._typing import Waiter


def waiting_after(event: Callable[[], object], ended: list[str]) -> Any:
    """A flow whose second call has `event` happen, and waits for ever."""

    async def call(x: int) -> dict[str, int]:
        if x:
            try:
                await asyncio.sleep(0.01)
                event()
                await asyncio.Event().wait()
            finally:
                ended.append("call")
        return {"y": x}

    return step("src", [{"x": 0}, {"x": 1}]) >> step("call", call)


@pytest.mark.skipif(os.name == "nt", reason="SIGINT is POSIX")
def test_ctrl_c_ends_a_wait_and_its_run() -> None:
    """The handler of the caller is in its place again, and the loop as good as new."""
    ended: list[str] = []
    outputs = stream(waiting_after(lambda: signal.raise_signal(signal.SIGINT), ended))
    before = signal.getsignal(signal.SIGINT)
    assert next(outputs)[1]["call"] == {"y": 0}
    with pytest.raises(KeyboardInterrupt):
        next(outputs)
    assert ended == ["call"]
    assert signal.getsignal(signal.SIGINT) is before
    assert len(run(step("src", {"x": 1}))[0]) == 1


def test_a_loop_that_is_stopped_under_way_is_an_error() -> None:
    """And the run is cleaned up, though the waiting code was not told of anything."""
    ended: list[str] = []
    outputs = stream(waiting_after(lambda: asyncio.get_running_loop().stop(), ended))
    next(outputs)
    with pytest.raises(RuntimeError, match="was stopped while a flow was waited for"):
        next(outputs)
    assert ended == ["call"]


def test_one_that_was_told_at_once_or_too_late_stops_nothing() -> None:
    """A call that comes behind it runs to its end."""
    waiters: list[Waiter] = []

    def tell(waiter: Waiter) -> None:
        waiters.append(waiter)
        waiter.set_result(None)

    async def tell_again() -> int:
        waiters[0].set_result(None)
        await asyncio.sleep(0)
        return 1

    with Loop() as loop:
        assert loop.wait(tell, lambda: "taken") == "taken"
        assert waiters[0].done()
        assert loop.call(tell_again) == 1


@pytest.mark.skipif(os.name == "nt", reason="SIGINT is POSIX")
def test_ctrl_c_before_the_first_step_of_the_work_lets_it_begin() -> None:
    """The work may be what closes a run: it is cancelled where it waits, and so cleans up."""
    struck: list[int] = []

    class Struck(asyncio.SelectorEventLoop):
        def create_task(self, *args: Any, **kwargs: Any) -> Any:
            task = super().create_task(*args, **kwargs)
            if not struck:
                struck.append(1)
                signal.raise_signal(signal.SIGINT)
            return task

    told: list[str] = []

    async def work() -> None:
        told.append("began")
        try:
            await asyncio.Event().wait()
        finally:
            told.append("cleaned up")

    token = new_loop.set(Struck)
    try:
        with pytest.raises(KeyboardInterrupt), Loop() as loop:
            loop.call(work)
    finally:
        new_loop.reset(token)
    assert told == ["began", "cleaned up"]
