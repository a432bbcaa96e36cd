"""What does each option of a step add to a call?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ..measuring.contenders import Contenders
from ..measuring.contest import BY_HAND, OURS, Contest, Goal, Row, Size, Workload
from ..work.functions import Attributes, Function, Probe, chain_outputs, items, steps
from ..work.operations import Work, operation_rows
from ..work.trials import prepared, same_as

__all__ = ["WORKLOAD"]

LIMIT = 100
ATTEMPTS = 3
SECONDS = 10
PERMITS = 1_000

#: The option by hand: what wraps the function of a step.
Wrap = Callable[[Function], Function]


@dataclass(frozen=True)
class _Case:
    """Options of a step, the same by hand, and how many times dearer a call may be."""

    name: str
    options: Mapping[str, Any]
    wrap: Wrap
    at_most: float


def contests(size: Size, contenders: Contenders) -> Iterable[Contest]:
    """An asynchronous step with each option, then with all four, next to one without any."""
    count = size.pick(2_000, 400, 50)
    for case in _CASES:
        with_it = f"{OURS} with {case.name}"
        work = partial(_work, count, case.wrap)
        by_hand, _ = operation_rows(
            contenders,
            "async_chain",
            work,
            checked=partial(_work, LIMIT * 2, lambda call: call),
            units=count,
            only=lambda one: one.name == BY_HAND,
        )
        hand = f"{BY_HAND} with {case.name}"
        yield Contest(
            f"options, {case.name}",
            f"What does a call that does nothing cost with {case.name}, limit {LIMIT}?",
            "µs per call",
            [
                _row(OURS, {}, count),
                _row(with_it, case.options, count),
                *(replace(row, name=hand) for row in by_hand),
            ],
            goals=[Goal(case.at_most, of=OURS, row=with_it)],
            yardstick=hand,
        )


def _row(name: str, options: Mapping[str, Any], count: int) -> Row:
    check = same_as(partial(chain_outputs, count, 1))
    return Row(name, OURS, prepared(partial(_ours, options, count), check, units=count))


def _ours(options: Mapping[str, Any], count: int) -> Callable[[], list[Any]]:
    from fluxus_rx import chain, run, step

    source = items(count)
    (name, function), *_ = steps("asyncio", 1).items()
    flow = chain(
        step("src", lambda: source),
        step(name, function).options(concurrency=LIMIT, **options),
    )
    return lambda: [*run(flow).get_outputs()]


def _work(count: int, wrap: Wrap, calls: str, probe: Probe | None) -> Work:
    source = items(count)
    functions = steps(calls, 1, probe=probe)
    return Work(
        {
            "items": source if probe is None else probe.source(source),
            "functions": {name: wrap(function) for name, function in functions.items()},
            "limit": LIMIT,
            "ordered": True,
        },
        expected=partial(chain_outputs, count, 1),
        ordered=True,
        calls=count,
        limit=LIMIT,
    )


# By hand


def _retried(call: Function) -> Function:
    async def retried(x: int) -> Attributes:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                made: Attributes = await call(x=x)
            except Exception:
                if attempt == ATTEMPTS:
                    raise
                await asyncio.sleep(2**attempt)
            else:
                return made
        raise AssertionError("no attempt left")

    return retried


def _timed(call: Function) -> Function:
    async def timed(x: int) -> Attributes:
        async with asyncio.timeout(SECONDS):
            made: Attributes = await call(x=x)
            return made

    return timed


def _limited(call: Function) -> Function:
    semaphore = asyncio.Semaphore(PERMITS)

    async def limited(x: int) -> Attributes:
        async with semaphore:
            made: Attributes = await call(x=x)
            return made

    return limited


def _skipping(call: Function) -> Function:
    """Failures as no attributes; there are none here."""

    async def skipping(x: int) -> Attributes:
        try:
            made: Attributes = await call(x=x)
        except Exception:
            return {}
        else:
            return made

    return skipping


def _altogether(call: Function) -> Function:
    return _skipping(_retried(_limited(_timed(call))))


#: As nobody ever waits for the limiter, it belongs to no loop, and can be one for all runs.
_ALL: Mapping[str, Any] = {
    "retry": ATTEMPTS,
    "timeout": SECONDS,
    "limiter": asyncio.Semaphore(PERMITS),
    "on_error": "skip",
}


def _case(name: str, wrap: Wrap, at_most: float) -> _Case:
    return _Case(name, {name: _ALL[name]}, wrap, at_most)


_CASES = (
    _case("retry", _retried, 3),
    _case("timeout", _timed, 3),
    _case("limiter", _limited, 6),
    _case("on_error", _skipping, 3),
    _Case("all four", _ALL, _altogether, 9),
)

WORKLOAD = Workload(
    "options",
    "What does each option of a step add to a call that does nothing?",
    contests,
    sizes="2,000 calls (quick 400)",
    seconds=20,
    rank=31,
)
