"""A job of paid calls is interrupted by Ctrl-C, stopped by SIGTERM, and wired wrongly.

Right: whatever ends the job, the answers that were paid for are at hand; after SIGTERM no call
begins, those in flight end, and a later run goes on from where the job stood, with no call made
twice; a parameter that nothing provides ends the run, although bad items are to be skipped.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

from fluxus_rx import MissingAttributeError, RunResult, Stopper, rerun, run, step

signal.signal(signal.SIGINT, signal.default_int_handler)
calls: Counter[tuple[str, int]] = Counter()
stopper = Stopper()


async def questions() -> AsyncIterator[dict[str, int]]:
    for number in range(30):
        yield {"number": number}


def counted(name: str, press: signal.Signals | None = None) -> Any:
    """A step of paid calls; a signal comes to the program while the seventh is in flight."""

    async def call(number: int) -> dict[str, Any]:
        calls[name, number] += 1
        if press is not None and number == 6:
            os.kill(os.getpid(), press)
        await asyncio.sleep(0.01)
        return {name: number}

    return step(name, call).options(concurrency=2)


def job(press: signal.Signals | None = None) -> Any:
    return step("questions", questions) >> counted("ask", press) >> counted("check")


def interrupted() -> None:
    partial: list[RunResult] = []
    try:
        run(job(signal.SIGINT), partial=partial)
    except KeyboardInterrupt:
        (result,) = partial
        numbers = [output["questions"]["number"] for output in result[0]]
        assert numbers == [*range(len(numbers))], f"answers are lost, or out of order: {numbers}"
        assert 2 <= len(numbers) <= 6, f"{len(numbers)} answers"
        assert not result.complete
    else:
        raise AssertionError("Ctrl-C was swallowed")


def stopped() -> None:
    signal.signal(signal.SIGTERM, lambda *_: stopper.stop())
    calls.clear()
    result = run(job(signal.SIGTERM), stop=stopper)
    asked = sum(count for (name, _), count in calls.items() if name == "ask")
    assert asked <= 10, f"{asked} calls were begun, of which the seventh was to be one of the last"
    assert result.pending, "what waited is lost"
    rest = rerun(job(), result.pending)
    whole = result.merged(rest)
    numbers = [output["questions"]["number"] for output in whole[0]]
    assert numbers == [*range(len(numbers))], f"something is lost: {numbers}"
    twice = [call for call, count in calls.items() if count > 1]
    assert not twice, f"paid for twice: {twice}"


def wired_wrongly() -> None:
    save = step("save", lambda missing: {"saved": missing}).options(on_error="skip")
    partial: list[RunResult] = []
    try:
        result = run(job() >> save, partial=partial)
    except MissingAttributeError as error:
        raised = error
    else:
        raise AssertionError(f"a wiring mistake was skipped: {result}")
    assert "'missing'" in str(raised), f"the message hides the attribute: {raised}"
    assert raised.result == partial[0], "the error has no result"


interrupted()
stopped()
wired_wrongly()
