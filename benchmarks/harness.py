"""The few things that every benchmark needs: a registry, contests, rounds, and a table.

A *benchmark* answers one question with one or more *contests*. In a contest several
*contenders* do the same work; each contender is a function that does it once, checks what came
out, and returns the cost of one unit. The harness asks them in turn, round after round, so that
a slow spell of the machine falls on all of them, and compares medians of the ratios within a
round. It knows nothing of flows.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import math
import statistics
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TypeVar

T = TypeVar("T")

Measure = Callable[[], float]

OURS = "fluxus_rx"

#: The words of a goal that allows a ratio of 1 and no more.
AHEAD = "ahead of it"


class WrongOutputs(AssertionError):
    """A contender's outputs aren't those of the plain loop: its time would mean nothing."""


@dataclass(frozen=True)
class Scale:
    """How large a benchmark is: the full one, or the short one that only checks outputs."""

    smoke: bool = False

    def pick(self, full: int, smoke: int) -> int:
        """The first number, or the second in a smoke run."""
        return smoke if self.smoke else full

    @property
    def at_least(self) -> float:
        """Seconds that a contender is timed for in one round."""
        return 0.0 if self.smoke else 0.08


@dataclass(frozen=True)
class Contender:
    """One way to do the work; `measure` does it and returns the cost of one unit.

    `package` is what must be installed for it, `note` what keeps the comparison from being
    quite even (a peer that keeps no lineage, say).
    """

    name: str
    measure: Measure
    note: str = ""
    package: str | None = None

    @property
    def missing(self) -> bool:
        return self.package is not None and peer(self.package) is None


@dataclass(frozen=True)
class Goal:
    """The subject's cost is at most `at_most` times that of the baseline."""

    baseline: str
    at_most: float
    words: str = ""

    def __str__(self) -> str:
        if self.words:
            return self.words
        if self.at_most < 1:
            return f"at least {1 / self.at_most:g}x cheaper"
        return f"at most {self.at_most:g}x"


@dataclass(frozen=True)
class Contest:
    """The same work done by several contenders; `subject` is the one that the others measure."""

    title: str
    unit: str
    contenders: Sequence[Contender]
    goals: Sequence[Goal] = ()
    subject: str = OURS
    decimals: int = 2


@dataclass(frozen=True)
class Benchmark:
    """A question, the goal in words, and the contests that answer it at a given scale."""

    name: str
    question: str
    goal: str
    contests: Callable[[Scale], Iterable[Contest]]


REGISTRY: dict[str, Benchmark] = {}


def benchmark(
    name: str, *, question: str, goal: str
) -> Callable[[Callable[[Scale], Iterable[Contest]]], Benchmark]:
    """Register the decorated function, which makes the contests, under this name."""

    def register(contests: Callable[[Scale], Iterable[Contest]]) -> Benchmark:
        if name in REGISTRY:
            raise ValueError(f"two benchmarks are called {name!r}")
        REGISTRY[name] = Benchmark(name, question, goal, contests)
        return REGISTRY[name]

    return register


def peer(package: str) -> Any:
    """The module of this name, or None where it isn't installed."""
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.split(".")[0] == package.split(".")[0]:
            return None
        raise


def label(package: str) -> str:
    """The package's name with its version, as far as it is known."""
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return package


def in_loop(main: Callable[[], Awaitable[T]]) -> T:
    """Run a coroutine function in a new event loop and return what it returns.

    The result comes out in a box and the main coroutine returns None, because `asyncio.run` of
    CPython 3.11.7 and 3.12.1 takes the `repr` of the result twice, which for a large one costs
    more than making it did.
    """
    box: list[T] = []

    async def boxed() -> None:
        box.append(await main())

    asyncio.run(boxed())
    return box[0]


MICROSECONDS = 1e6
MILLISECONDS = 1e3


def timed(
    run: Callable[[], T],
    check: Callable[[T], bool],
    *,
    units: int = 1,
    scale: float = MICROSECONDS,
    at_least: float = 0.08,
) -> Measure:
    """The time for one unit of `run`, which is repeated until it took `at_least` seconds.

    Where it is repeated, the first run warms up and doesn't count: memory that the contender before
    gave back costs it half as much again. The garbage of that one is collected beforehand; the
    collector stays on, as in any program. Raises `WrongOutputs` where `check` doesn't hold for what
    a run returned.
    """

    def measure() -> float:
        gc.collect()
        spent, runs = _checked(run, check), 1
        if spent < at_least:
            spent, runs = _checked(run, check), 1
            while spent < at_least:
                spent += _checked(run, check)
                runs += 1
        return spent / runs / units * scale

    return measure


def _checked(run: Callable[[], T], check: Callable[[T], bool]) -> float:
    """The seconds that `run` takes, if what it returns is right."""
    begin = time.perf_counter()
    outputs = run()
    spent = time.perf_counter() - begin
    if not check(outputs):
        raise WrongOutputs(f"outputs differ from the plain loop's: {outputs!r:.200}")
    return spent


class Race:
    """Contenders that are timed at the same work; `expected` makes the outputs that must come."""

    def __init__(
        self,
        expected: Callable[[], object],
        *,
        units: int,
        scale: float = MICROSECONDS,
        at_least: float = 0.08,
    ) -> None:
        self.contenders: list[Contender] = []
        self._expected = expected
        self._timed = partial(timed, units=units, scale=scale, at_least=at_least)

    def enter(
        self,
        name: str,
        run: Callable[[], object],
        note: str = "",
        *,
        package: str | None = None,
        expected: Callable[[], object] | None = None,
    ) -> None:
        """Add a contender; `expected` where it keeps less than the others do."""
        # Made afresh for each check: kept, it would weigh on every collection of garbage.
        made = expected or self._expected
        measure = self._timed(run, lambda outputs: outputs == made())
        self.contenders.append(Contender(name, measure, note, package))

    def enter_async(
        self, name: str, main: Callable[[], Awaitable[object]], note: str = "", **more: Any
    ) -> None:
        """The same for a coroutine function, with an event loop of its own for every run."""
        self.enter(name, partial(in_loop, main), note, **more)


def built(build: Callable[..., Callable[[], T]], *args: Any, **kwargs: Any) -> Callable[[], T]:
    """A run whose flow is built once, by the run that warms up."""
    made: list[Callable[[], T]] = []

    def run() -> T:
        if not made:
            made.append(build(*args, **kwargs))
        return made[0]()

    return run


def given(cost: float) -> Measure:
    """A cost that is known without measuring, such as the ideal."""
    return lambda: cost


@dataclass
class Outcome:
    """What a contest came to: per contender the cost in every round, or what went wrong."""

    contest: Contest
    costs: dict[str, list[float]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    errors: dict[str, BaseException] = field(default_factory=dict)

    def cost(self, name: str) -> float | None:
        """The median cost of a unit."""
        return statistics.median(self.costs[name]) if name in self.costs else None

    def spread(self, name: str) -> float:
        """Half the distance between the quartiles, as a share of the median."""
        costs = self.costs[name]
        if len(costs) < 3:
            return 0.0
        low, middle, high = statistics.quantiles(costs, n=4, method="inclusive")
        return (high - low) / 2 / middle if middle else 0.0

    def ratio(self, baseline: str) -> float | None:
        """The subject's cost in terms of the baseline's: the median over the rounds."""
        subject = self.contest.subject
        if subject not in self.costs or baseline not in self.costs:
            return None
        pairs = zip(self.costs[subject], self.costs[baseline], strict=True)
        return statistics.median(_quotient(ours, theirs) for ours, theirs in pairs)

    def met(self, goal: Goal) -> bool | None:
        """Whether the goal is met; None where one of the two wasn't measured."""
        ratio = self.ratio(goal.baseline)
        return None if ratio is None else ratio <= goal.at_most


def _quotient(cost: float, baseline: float) -> float:
    if baseline:
        return cost / baseline
    return math.inf if cost else 1.0


def hold(contest: Contest, rounds: int) -> Outcome:
    """Ask every contender once per round, each round starting with another one."""
    outcome = Outcome(contest)
    playing = []
    for contender in contest.contenders:
        if contender.missing:
            outcome.missing[contender.name] = str(contender.package)
        else:
            playing.append(contender)
    for turn in range(rounds):
        first = turn % max(1, len(playing))
        for contender in playing[first:] + playing[:first]:
            _ask(contender, outcome)
    return outcome


def _ask(contender: Contender, outcome: Outcome) -> None:
    if contender.name in outcome.errors:
        return
    try:
        cost = contender.measure()
    except Exception as error:
        outcome.errors[contender.name] = error
        outcome.costs.pop(contender.name, None)
    else:
        outcome.costs.setdefault(contender.name, []).append(cost)


def table(outcome: Outcome, judge: bool = True) -> str:
    """The outcome as text: one line per contender, the goals beside the ratios; without `judge`
    it doesn't say whether they are met."""
    contest = outcome.contest
    rows = [_row(contender, outcome, judge) for contender in contest.contenders]
    rows.insert(0, (contest.title, contest.unit, f"{contest.subject} costs", "goal", ""))
    name, cost, ratio, goal, _ = (max(map(len, column)) for column in zip(*rows, strict=True))
    layout = f"  {{:<{name}}}  {{:>{cost}}}  {{:<{ratio}}}  {{:<{goal}}}  {{}}"
    return "\n".join(layout.format(*row).rstrip() for row in rows)


Row = tuple[str, str, str, str, str]


def _row(contender: Contender, outcome: Outcome, judge: bool) -> Row:
    """Name, cost, the subject's cost in terms of it, the goal, and a note."""
    name = contender.name
    first = f"  {name}"
    goal = _judged(name, outcome, judge)
    if name in outcome.missing:
        return first, "missing", "", goal, f"needs {outcome.missing[name]}"
    if name in outcome.errors:
        error = outcome.errors[name]
        return first, "failed", "", "", f"{type(error).__name__}: {error!s:.300}"
    cost = f"{outcome.cost(name) or 0:,.{outcome.contest.decimals}f}"
    if len(outcome.costs[name]) > 1:
        cost += f" ±{outcome.spread(name):>3.0%}"
    return first, cost, _compared(name, outcome), goal, contender.note


def _compared(name: str, outcome: Outcome) -> str:
    ratio = outcome.ratio(name)
    if name == outcome.contest.subject or ratio is None:
        return ""
    if ratio == 0:
        return "nothing"
    return f"{ratio:.2f}x" if ratio > 0.5 else f"{1 / ratio:.1f}x less"


def _judged(name: str, outcome: Outcome, judge: bool) -> str:
    verdicts = {True: ": met", False: ": NOT MET", None: ": not measured"}
    goals = [goal for goal in outcome.contest.goals if goal.baseline == name]
    return ", ".join(f"{goal}{verdicts[outcome.met(goal)] if judge else ''}" for goal in goals)
