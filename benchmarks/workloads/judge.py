"""How close to a budget of calls does a red-teaming run come?"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Iterable
from functools import partial
from typing import Any

from ..measuring.contenders import Contenders
from ..measuring.contest import BrokenPromise, Clock, Contest, Goal, Size, Workload, WrongOutputs
from ..work.functions import Attributes, Function, Lineage, Probe, items
from ..work.loopback import Response, getter, number_of, server
from ..work.operations import Work, left_out, operation_rows
from ..work.yardsticks import TIMERS, timers_row

__all__ = ["WORKLOAD"]

PERSONAS = 3
LIMIT = 50
ATTEMPTS = 3
#: Calls that may begin in a second: 72,000 a minute.
BUDGET = 1_200
#: Answers of the target in a thousand that fail once; of the judge, that fail for good.
ONCE, FOR_GOOD = 20, 10
#: Seconds that an answer takes: the median, how far it varies, and at most.
LATENCY = 0.004, 0.7, 0.02
#: Seconds for which calls may be held up on a busy machine, and then begin together.
STALL = 0.05
#: The share of the budget's time that all calls together take at least.
LEAST = 0.9


def contests(size: Size, contenders: Contenders) -> Iterable[Contest]:
    """Prompts, each by several personas, to a target and then to a judge; all over HTTP."""
    count = PERSONAS * size.pick(300, 10, 10)
    plan = _Plan(count)
    rows, absent = operation_rows(
        contenders,
        "paced",
        partial(_work, count),
        checked=partial(_work, PERSONAS * 10),
        units=plan.needed,
        promises=("limit",),
        repeats=False,
        without=left_out(size, "aiostream", "streamable", why="waits long"),
    )
    yield Contest(
        "red teaming, target and judge",
        _QUESTION,
        "µs per call",
        [*rows, timers_row("wait_for_pace", plan.waits, units=plan.needed)],
        clock=Clock.WALL,
        goals=[Goal(1.1, TIMERS)],
        yardstick=TIMERS,
        absent=absent,
    )


class _Plan:
    """How the stand-ins for models answer, and what must come of it."""

    def __init__(self, count: int) -> None:
        chance = random.Random(13)
        self._count = count
        self._flaky = frozenset(chance.sample(range(count), max(1, count * ONCE // 1_000)))
        self._lost = frozenset(chance.sample(range(count), max(1, count * FOR_GOOD // 1_000)))
        self.answers: dict[str, list[tuple[int, float]]] = {}
        self.calls: dict[str, int] = {}
        for x in range(count):
            self._answer(_target(x), 200, _latency(chance), fails=x in self._flaky)
            status = 500 if x in self._lost else 200
            self._answer(_judge(x), status, _latency(chance))

    def _answer(self, path: str, status: int, seconds: float, *, fails: bool = False) -> None:
        self.answers[path] = [*([(500, seconds)] if fails else []), (status, seconds)]
        self.calls[path] = ATTEMPTS if status == 500 else len(self.answers[path])

    @property
    def needed(self) -> int:
        """Calls of both models."""
        return sum(self.calls.values())

    def waits(self) -> dict[str, Any]:
        """As many sleeps at the pace of the budget, each as long as a call takes on average."""
        took = [seconds for answers in self.answers.values() for _, seconds in answers]
        return {"count": self.needed, "per_second": BUDGET, "seconds": statistics.fmean(took)}

    @property
    def failed(self) -> list[Attributes]:
        """Items that get no judgement."""
        return [{"x": x} for x in sorted(self._lost)]

    def outputs(self) -> list[Lineage]:
        """The others."""
        return [
            {
                "src": {"x": x},
                "target": {"x": number_of(_target(x))},
                "judge": {"x": number_of(_judge(x))},
            }
            for x in range(self._count)
            if x not in self._lost
        ]


def _target(x: int) -> str:
    return f"/target/{x}"


def _judge(x: int) -> str:
    return f"/judge/{number_of(_target(x))}"


def _latency(chance: random.Random) -> float:
    median, sigma, most = LATENCY
    return min(most, median * chance.lognormvariate(0, sigma))


def _work(count: int, calls: str, probe: Probe | None) -> Work:
    plan, begun, source = _Plan(count), list[float](), items(count)
    server().lay_out(plan.answers)
    functions = {name: _calling(calls, name, begun) for name in ("target", "judge")}
    if probe is not None:
        functions = {name: probe.watched(calls, name, functions[name]) for name in functions}
    return Work(
        {
            "items": source if probe is None else probe.source(source),
            "functions": functions,
            "limit": LIMIT,
            "per_second": BUDGET,
            "attempts": ATTEMPTS,
        },
        expected=plan.outputs,
        judge=partial(_look, plan, begun),
        limit=LIMIT,
        depth=2,
    )


class ModelError(Exception):
    """A model has not answered."""


def _calling(calls: str, name: str, begun: list[float]) -> Function:
    """What calls a model, and notes when."""
    get = getter(calls, server().port)

    def answer(response: Response) -> Attributes:
        if response.status != 200:
            raise ModelError(response.status)
        return {"x": response.x}

    def ask(x: int) -> Attributes:
        begun.append(time.perf_counter())
        return answer(get(f"/{name}/{x}"))

    async def ask_later(x: int) -> Attributes:
        begun.append(time.perf_counter())
        return answer(await get(f"/{name}/{x}"))

    return ask if calls == "threads" else ask_later


def _look(plan: _Plan, begun: list[float], returned: Any) -> list[Any]:
    """Whether failures are kept, no call was made twice, and the budget held."""
    outputs, failed = returned
    seen = server().seen().requests
    if sorted(failed, key=lambda item: int(item["x"])) != plan.failed:
        raise WrongOutputs(f"{len(failed):,} failures are kept, not {len(plan.failed):,}")
    if seen != plan.calls:
        raise WrongOutputs(f"{seen.total():,} calls were made, not {plan.needed:,}")
    begun.sort()
    if (ahead := _ahead(begun)) > STALL:
        raise BrokenPromise(f"calls began {ahead:.2f} s ahead of the budget")
    took, due = begun[-1] - begun[0], len(begun) / BUDGET
    if took < LEAST * due:
        raise BrokenPromise(f"a budget of {due:.2f} s was spent in {took:.2f} s")
    return [*outputs]


def _ahead(begun: list[float]) -> float:
    """How many seconds of the budget were spent in advance, at most."""
    ahead = highest = latest = 0.0
    for moment in begun:
        ahead = max(0.0, ahead - (moment - latest))
        highest = max(highest, ahead)
        ahead, latest = ahead + 1 / BUDGET, moment
    return highest


_QUESTION = (
    f"How much longer than a budget of {60 * BUDGET:,} calls a minute takes a red-teaming run?"
)

WORKLOAD = Workload(
    "judge", _QUESTION, contests, sizes="300 prompts (quick 10)", seconds=60, rank=6
)
