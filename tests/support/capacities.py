"""Steps that count what they make, and what check() says that the edges between them hold."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from math import inf
from typing import Any

from fluxus_rx import check, step
from tests.support.probes import turns, until

#: More turns of the loop than any of the flows here takes until all in it waits.
SETTLED = 2_000


def numbers(text: str) -> tuple[float, float]:
    """How many products wait at most, and how many are in calls, as a finding on an edge says."""
    waiting = re.match(r"at most ([\d,]+) products? waits?", text)
    calls = re.search(r"; up to ([\d,]+) (?:are in calls|at once)|takes up to ([\d,]+) at", text)
    most = inf if text.startswith("any number") else 0
    if waiting is not None:
        most = int(waiting[1].replace(",", ""))
    else:
        assert most or text.startswith("no products wait"), text
    return most, 1 if calls is None else int((calls[1] or calls[2]).replace(",", ""))


def said(flow: Any, edge: str, **kwargs: Any) -> float:
    """How many products an edge can hold in all, with those in calls of the step behind it."""
    (finding,) = [finding for finding in check(flow, **kwargs) if finding.step == edge]
    return sum(numbers(finding.text))


def told(flow: Any, **kwargs: Any) -> list[tuple[str, str, str, str]]:
    """What check() finds beside what the edges hold."""
    found = [finding for finding in check(flow, **kwargs) if "→" not in finding.step]
    return [dataclasses.astuple(finding) for finding in found]


class Steps:
    """Makes steps that count: the products that each has made, and those that it is through with.

    Calls of a step that holds wait for ever. `watch` is called for each product that was made.
    """

    def __init__(self) -> None:
        self.made: Counter[str] = Counter()
        self.over: Counter[str] = Counter()
        self.watch: Callable[[], object] = int

    def make(self, name: str) -> dict[str, int]:
        self.made[name] += 1
        self.watch()
        return {"x": self.made[name]}

    def source(self, name: str = "src", kind: str = "sync") -> Any:
        def plain() -> Iterator[dict[str, int]]:
            while True:
                yield self.make(name)

        async def awaited() -> AsyncIterator[dict[str, int]]:
            while True:
                await asyncio.sleep(0)
                yield self.make(name)

        return step(name, plain if kind == "sync" else awaited)

    def plain(self, name: str, times: int = 1) -> Any:
        def function(x: int) -> Any:
            for _ in range(times):
                yield self.make(name)
            self.over[name] += 1

        def alone(x: int) -> Any:
            self.over[name] += 1
            return self.make(name)

        return step(name, alone if times == 1 else function)

    def fetch(self, name: str, **options: Any) -> Any:
        async def function(x: int) -> dict[str, int]:
            await asyncio.sleep(0)
            self.over[name] += 1
            return self.make(name)

        return step(name, function).options(**options)

    def expand(self, name: str, times: int = 40, **options: Any) -> Any:
        async def function(x: int) -> AsyncIterator[dict[str, int]]:
            for _ in range(times):
                await asyncio.sleep(0)
                yield self.make(name)
            self.over[name] += 1

        return step(name, function).options(**options)

    def late(self, name: str, at: int, others: int, **options: Any) -> Any:
        """One call comes to its end only after so many others."""

        async def function(x: int) -> dict[str, int]:
            if x == at:
                await until(lambda: self.made[name] >= others)
            self.over[name] += 1
            return self.make(name)

        return step(name, function).options(ordered=True, **options)

    def late_generator(self, name: str, others: int, last: int, **options: Any) -> Any:
        """The first call yields something only after so many products of others; these yield 16,
        the last one any number."""

        async def function(x: int) -> AsyncIterator[dict[str, int]]:
            if x == 1:
                await until(lambda: self.made[name] >= others)
            for _ in range(100 if x in (1, last) else 16):
                yield self.make(name)

        return step(name, function).options(ordered=True, **options)

    def hold(self, name: str = "hold", **options: Any) -> Any:
        return step(name, self.waits).options(**{"concurrency": 1, **options})

    async def waits(self, x: Any) -> Any:
        await asyncio.Event().wait()


async def settle(running: Coroutine[Any, Any, Any], number: int = SETTLED) -> None:
    """Let it run until all in it waits, and cancel it."""
    task = asyncio.ensure_future(running)
    await turns(number)
    assert not task.done(), task
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
