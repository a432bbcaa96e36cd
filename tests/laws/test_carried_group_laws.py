"""What holds where workers carry a product through all branches of a group: the same as where each
branch has workers of its own."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import ContextVar
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fluxus_rx import RunResult, arun, chain, parallel, passthrough, step
from fluxus_rx._engine import merged
from fluxus_rx.testing import run_virtual
from tests.support.probes import BUFFER, alone
from tests.support.tables import as_many

CALL: ContextVar[object] = ContextVar("CALL")


class Planned(Exception):
    """What a call raises that is to fail."""


class Branching:
    """A random flow of asynchronous steps that branches, and what its calls see."""

    def __init__(self, seed: int, on_error: str = "collect") -> None:
        self.seed = seed
        self.random = random.Random(seed)
        self.on_error = on_error
        self.count = self.random.choice([0, 1, 5, 25])
        self.waits = self.random.choice([0.0, 0.1, 0.5, 1.0])
        self.is_ordered = self.random.random() < 0.3
        self.limiter = asyncio.Semaphore(2) if self.random.random() < 0.3 else None
        self.limits: dict[str, int] = {}
        self.calls: Counter[tuple[str, int]] = Counter()
        self.running: Counter[str] = Counter()
        self.taken = 0
        #: of the steps right behind the source, which items they have begun with
        self.begun: dict[str, set[int]] = {}
        #: what must not be
        self.excesses: list[object] = []

    def flow(self) -> Any:
        begins_with_group = self.random.random() < 0.7
        inner = [] if begins_with_group else [self.step()]
        inner.append(self.group(2, is_first=begins_with_group))
        if self.random.random() < 0.6:
            inner.append(self.step())
        if self.random.random() < 0.3:
            inner.append(self.group(0))
        return chain(step("src", self.source), *inner)

    def source(self) -> Iterator[dict[str, int]]:
        for number in range(self.count):
            self.taken += 1
            for name, begun in self.begun.items():
                if self.taken - len(begun) > BUFFER + self.limits[name] + 3:
                    self.excesses.append(("ahead", name, self.taken, len(begun)))
            yield {"x": number, "k": number % 3}

    def group(self, depth: int, is_first: bool = False) -> Any:
        """One whose branches have groups in them of up to this depth."""
        branches: list[Any] = []
        for _ in range(self.random.randint(2, 3)):
            row = [self.step(is_first)]
            if depth and self.random.random() < 0.4:
                row.append(self.group(depth - 1))
            if self.random.random() < 0.3:
                row.append(self.step())
            branches.append(chain(*row) if len(row) > 1 else row[0])
        if self.random.random() < 0.4:
            branches.insert(self.random.randrange(len(branches)), passthrough())
        return parallel(*branches)

    def step(self, is_first: bool = False) -> Any:
        name = f"s{len(self.limits)}"
        self.limits[name] = size = self.random.choice([1, 2, 3, 17, 100])
        if is_first:
            self.begun[name] = set()
        options: dict[str, Any] = {"concurrency": size}
        if self.is_ordered or self.random.random() < 0.2:
            options["ordered"] = self.random.choice([True, "k"])
        if self.limiter is not None and self.random.random() < 0.3:
            options["limiter"] = self.limiter
        fails = self.random.random() < 0.3
        if fails:
            options |= {"on_error": self.on_error, "retry": self.random.choice([None, 2])}
        call = self.several if self.random.random() < 0.2 else self.one
        return step(name, call(name, fails)).options(**options)

    def one(self, name: str, fails: bool) -> Callable[..., Any]:
        """A function that returns one product."""

        async def call(x: int) -> dict[str, int]:
            self.begin(name, x)
            return await self.work(name, x, fails)

        return call

    def several(self, name: str, fails: bool) -> Callable[..., Any]:
        """A function that gives up to three products."""

        async def call(x: int) -> AsyncIterator[dict[str, int]]:
            self.begin(name, x)
            for number in range(x % 4):
                yield await self.work(name, x, fails and number > 1)

        return call

    def begin(self, name: str, x: int) -> None:
        self.calls[name, x] += 1
        if name in self.begun:
            self.begun[name].add(x)
        if CALL.get(None) not in (None, (name, x)):  # that of an attempt before
            self.excesses.append(("variable", name, x))
        CALL.set((name, x))

    async def work(self, name: str, x: int, fails: bool) -> dict[str, int]:
        drawn = random.Random(f"{self.seed} {name} {x}")
        self.running[name] += 1
        if self.running[name] > self.limits[name]:
            self.excesses.append(("limit", name, x))
        try:
            if drawn.random() < self.waits:
                await asyncio.sleep(drawn.choice([0, 0, 1, 5]))
            if CALL.get() != (name, x):
                self.excesses.append(("variable", name, x))
            if fails and x % 5 == 3:
                raise Planned(name, x)
        finally:
            self.running[name] -= 1
        return {"x": x + 1, "k": x % 3}


async def ran(flow: Any, **arguments: Any) -> RunResult:
    try:
        return await arun(flow, **arguments)
    finally:
        assert alone()


def both_ways(seed: int, run: Callable[[Branching], Any], **arguments: Any) -> list[Any]:
    """What is made of a flow whose products are carried, and of one whose branches have workers of
    their own."""
    found = []
    with patch.object(merged, "_carry", side_effect=merged._carry) as carry:
        found.append(run(Branching(seed, **arguments)))
    assert carry.called
    with patch.object(merged, "_is_carried", return_value=False):
        found.append(run(Branching(seed, **arguments)))
    return found


@given(st.integers(0, 2**32))
@settings(max_examples=as_many(15, thoroughly=500))
@example(0)
def test_carried_products_are_those_of_branches_with_workers_of_their_own(seed: int) -> None:
    """The same outputs and failures in the same order, by the same calls, within the same limits,
    with a source that is as little ahead; and no call sees another's variables."""

    def run(flow: Branching) -> Any:
        result = run_virtual(ran(flow.flow()))
        assert flow.excesses == []
        failures = [(one.path, one.lineage, one.attempts) for one in result.failures]
        return [*result], failures, flow.calls

    carried, apart = both_ways(seed, run)
    assert carried == apart


@given(st.integers(0, 2**32))
@settings(max_examples=as_many(15, thoroughly=500))
def test_an_error_ends_a_carried_run_as_any_other(seed: int) -> None:
    """With an error of a call, and with all that was complete by then: no output is lost that is
    none of the flow, no call and no task is left."""

    def run(flow: Branching) -> Any:
        partial: list[RunResult] = []
        try:
            run_virtual(ran(flow.flow(), partial=partial))
        except Planned:
            assert not any(flow.running.values())
            return False, [path for result in partial for path in result]
        return True, []

    whole = run_virtual(ran(Branching(seed).flow()))
    for ended_well, outputs in both_ways(seed, run, on_error="raise"):
        assert ended_well == (not whole.failures)
        for path, complete in zip(outputs, whole, strict=False):
            assert all(output in complete for output in path)


@given(st.integers(0, 2**32), st.integers(0, 30))
@settings(max_examples=as_many(15, thoroughly=500))
def test_a_carried_run_that_is_cancelled_cleans_up(seed: int, turns: int) -> None:
    """At any moment: no call and no task is left, and what was complete is there."""

    async def cancelled(flow: Branching) -> list[RunResult]:
        partial: list[RunResult] = []
        running = asyncio.create_task(arun(flow.flow(), partial=partial))
        for _ in range(turns):
            await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert alone()
        assert not any(flow.running.values())
        return partial

    async def endless() -> None:
        flow = Branching(seed)
        flow.count, flow.waits = 10_000, 1.0
        for result in await cancelled(flow):
            assert not result.complete
        assert flow.excesses == []

    run_virtual(endless())
