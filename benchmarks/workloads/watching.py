"""What does it cost to watch a run, or to start one that can be steered?"""

from __future__ import annotations

import io
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import redirect_stderr
from functools import partial
from typing import Any

from ..measuring.contenders import Contenders
from ..measuring.contest import OURS, Contest, Goal, Row, Size, Workload, WrongOutputs
from ..work.functions import STEPS, chain_outputs, items, steps
from ..work.trials import prepared, same_as

__all__ = ["WORKLOAD"]

LIMIT = 100
#: What `timestamps=True` adds to the attributes of a step.
TIMES = ("[start]", "[end]")
FUNCTION = f"{OURS} with a progress function"
SHOWN = f"{OURS} with progress=True"
TIMESTAMPS = f"{OURS} with timestamps=True"
STARTED = f"{OURS} with start"

#: The kind of functions in a chain, by what it is called, and what progress may cost there.
_KINDS = (("sync", "plain", 2.2), ("async", "asyncio", 2))

Check = Callable[[Any], None]


def contests(size: Size, contenders: Contenders) -> Iterable[Contest]:
    """A chain of five steps watched and not, and one of a single step started and awaited; of
    plain functions and of coroutine functions, which do next to nothing."""
    count = size.pick(2_000, 200, 50)
    for kind, calls, at_most in _KINDS:
        yield _watched(kind, calls, count, at_most)
    for kind, calls, _ in _KINDS:
        yield _started(kind, calls, 2 * count)


def _watched(kind: str, calls: str, count: int, at_most: float) -> Contest:
    right = same_as(partial(chain_outputs, count))
    rows: Mapping[str, tuple[Callable[[], Any], Check]] = {
        OURS: (partial(_run, calls, count), right),
        FUNCTION: (partial(_run_told, calls, count), partial(_check_told, right)),
        SHOWN: (partial(_run_shown, calls, count), partial(_check_told, right)),
        TIMESTAMPS: (partial(_run, calls, count, timestamps=True), partial(_check_timed, right)),
    }
    return Contest(
        f"watched, {kind}",
        f"What do progress and timestamps add to an item in a chain of {STEPS} {kind} steps?",
        "µs per item and step",
        [
            Row(name, OURS, prepared(make, check, units=count * STEPS))
            for name, (make, check) in rows.items()
        ],
        goals=[
            Goal(at_most, OURS, FUNCTION),
            Goal(at_most, OURS, SHOWN),
            Goal(4, OURS, TIMESTAMPS),
        ],
        yardstick=OURS,
    )


def _started(kind: str, calls: str, count: int) -> Contest:
    check = same_as(partial(chain_outputs, count, 1))
    return Contest(
        f"started, {kind}",
        f"What does start() add to an item in one {kind} step, next to arun()?",
        "µs per item",
        [
            Row(name, OURS, prepared(partial(make, calls, count), check, units=count))
            for name, make in ((OURS, _arun), (STARTED, _start))
        ],
        goals=[Goal(2.5, OURS, STARTED)],
        yardstick=OURS,
    )


def _flow(calls: str, count: int, depth: int) -> Any:
    from fluxus_rx import chain, step

    source = items(count)
    made = (step(name, function) for name, function in steps(calls, depth).items())
    flow = chain(step("src", lambda: source), *made)
    return flow.options(concurrency=LIMIT) if calls == "asyncio" else flow


# What is timed


def _run(calls: str, count: int, **options: Any) -> Callable[[], list[Any]]:
    from fluxus_rx import run

    flow = _flow(calls, count, STEPS)
    return lambda: [*run(flow, **options).get_outputs()]


def _run_told(calls: str, count: int) -> Callable[[], tuple[list[Any], list[Any]]]:
    """The outputs, and what a function has been told."""
    from fluxus_rx import run

    flow = _flow(calls, count, STEPS)

    def watched() -> tuple[list[Any], list[Any]]:
        told: list[Any] = []
        return [*run(flow, progress=told.append).get_outputs()], told

    return watched


def _run_shown(calls: str, count: int) -> Callable[[], tuple[list[Any], str]]:
    """The outputs, and what has been written."""
    from fluxus_rx import run

    flow = _flow(calls, count, STEPS)

    def watched() -> tuple[list[Any], str]:
        with redirect_stderr(io.StringIO()) as written:
            outputs = [*run(flow, progress=True).get_outputs()]
        return outputs, written.getvalue()

    return watched


def _arun(calls: str, count: int) -> Callable[[], Awaitable[list[Any]]]:
    from fluxus_rx import arun

    flow = _flow(calls, count, 1)

    async def main() -> list[Any]:
        return [*(await arun(flow)).get_outputs()]

    return main


def _start(calls: str, count: int) -> Callable[[], Awaitable[list[Any]]]:
    from fluxus_rx import start

    flow = _flow(calls, count, 1)

    async def main() -> list[Any]:
        return [*(await start(flow).result()).get_outputs()]

    return main


# What is checked


def _check_told(right: Check, watched: tuple[list[Any], Any]) -> None:
    outputs, told = watched
    right(outputs)
    if not told:
        raise WrongOutputs("nothing was told of the run")


def _check_timed(right: Check, outputs: list[Any]) -> None:
    for output in outputs:
        for name, attributes in output.items():
            if any(attributes.pop(time, None) is None for time in TIMES):
                raise WrongOutputs(f"{name!r} has no times in {output!r:.100}")
    right(outputs)


WORKLOAD = Workload(
    "watching",
    "What does it cost to watch a run, or to start one that can be steered?",
    contests,
    sizes="2,000 items (quick 200)",
    seconds=15,
    rank=30,
)
