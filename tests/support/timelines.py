"""Runs that never were: results with the calls of a run, the same ones each time."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from typing import Any

from fluxus_rx import RunResult
from fluxus_rx._monitoring.calls import Call, RunTimes

STEPS = ("src", "fetch", "parse", "store")

#: What a page or a picture could take for something else, or stumble over.
ODD_STEPS = (
    "東京_天気",
    "<script>alert(1)</script>",
    'naïve & "quoted" $x^2$ {data}',
    "a\nb\u2028c\u202ed\ud800",
    "👩\u200d🚀" + "x" * 80,
    "_under",
)
ODD_VALUES = (
    "</script><img src=x onerror=alert(1)>",
    "\u202egnp.exe\x00",
    "東京" * 150,
    "&lt;b&gt; {data} /*light*/",
    {"nested": ["<!--", "]]>"]},
    None,
)


def call(
    step: str = "fetch",
    start: float = 0.0,
    end: float = 1.0,
    *,
    item: str = "0",
    products: int = 1,
    attempt: int = 1,
    error: str | None = None,
) -> Call:
    """A call that was busy all the time, and returned something unless it failed."""
    products = products if error is None else 0
    return Call(step, step, item, start, end, end - start, products, attempt, error)


def result(
    *paths: list[dict[str, dict[str, Any]]], calls: Sequence[Call] = (), elapsed: float | None
) -> RunResult:
    """The result of a run that made these calls."""
    made = RunResult(*paths)
    made._times = RunTimes(records=calls, elapsed=elapsed)
    return made


def run_of(
    n_items: int,
    steps: Sequence[str] = STEPS,
    *,
    limit: int = 3,
    n_paths: int = 1,
    failing: int = 0,
    value: Callable[[int, int], Any] = lambda item, place: item * place,
) -> RunResult:
    """The result of a run of a chain, `limit` calls of each step at once.

    Every `failing`-th call fails; then it is made again, and succeeds.
    """
    calls: list[Call] = []
    free = [[0.0] * limit for _ in steps]
    paths: list[list[dict[str, dict[str, Any]]]] = [[] for _ in range(n_paths)]
    begun = 0.0
    for item in range(n_items):
        output: dict[str, dict[str, Any]] = {}
        now = begun
        for place, step in enumerate(steps):
            start = max(now, heapq.heappop(free[place])) if place else begun
            busy = ((item * 7 + place * 13) % 11 + 1) * 0.01 if place else 0.0005
            attempt = 1
            if failing and place and (item * 5 + place * 3) % failing == 0:
                error = f"ValueError('bad reply'), given {{'x': {item}}}"
                calls.append(call(step, start, start + busy / 2, item=f"{item}", error=error))
                start += busy * 0.75
                attempt = 2
            end = start + busy
            if place:
                heapq.heappush(free[place], end)
            else:
                begun = end + 0.002
            calls.append(call(step, start, end, item=f"{item}", attempt=attempt))
            output[step] = {f"x{place}": value(item, place), "[start]": start, "[end]": end}
            now = end + 0.003 * (item % 4)
        paths[item % n_paths].append(output)
    calls.sort(key=lambda one: (steps.index(one.step), one.start))
    return result(*paths, calls=calls, elapsed=max(one.end for one in calls) + 0.001)


def aggregated(*, alone: bool = False) -> RunResult:
    """A run whose first output is a sum that an operator made, without times of its own; `alone`
    leaves out the other output, which a step made."""
    outputs: list[dict[str, dict[str, Any]]] = [{"total": {"sum": 3}}]
    if not alone:
        outputs.append({"fetch": {"[start]": 0.0, "[end]": 1.0}})
    return result(outputs, calls=[call()], elapsed=1.0)


def small() -> RunResult:
    """Twelve outputs of four steps."""
    return run_of(12)


def failing() -> RunResult:
    """Two paths, and calls that fail and are made again."""
    return run_of(60, limit=8, n_paths=2, failing=23)


def long() -> RunResult:
    """A chain of seventy steps."""
    return run_of(20, [f"step_{number}" for number in range(70)])


def wide() -> RunResult:
    """A hundred and twenty paths."""
    return run_of(600, STEPS[:3], limit=20, n_paths=120)


def odd() -> RunResult:
    """Names and values that aren't words."""
    return run_of(8, ODD_STEPS, failing=13, value=lambda _, place: ODD_VALUES[place])


def big() -> RunResult:
    """Ten thousand outputs of five steps."""
    return run_of(10_000, [*STEPS, "report"], limit=40, failing=997)
