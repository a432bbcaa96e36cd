"""Random flows whose calls contend for slots, limiters and room, and what they must return.

Steps are used again along a path and in several branches, with few slots, small buffers, limiters
that several steps share, calls that yield more than there is room for, and lines that keep order.
Products are known by where they come from: a tuple of numbers.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from fluxus_rx import arun, astream, parallel, passthrough, step

Uid: TypeAlias = tuple[int, ...]

#: Calls of one flow at most.
MOST_CALLS: Final = 400


class TooMany(Exception):
    """A flow would make more calls than a test has time for."""


class CountingLimiter:
    """Admits so many at once; `fair` says whether in the order in which they came."""

    def __init__(self, size: int, fair: bool) -> None:
        self.size = size
        self.inside = 0
        self._fair = fair
        self._waiting: list[asyncio.Future[None]] = []

    async def __aenter__(self) -> None:
        while self.inside >= self.size:
            waiting = asyncio.get_running_loop().create_future()
            self._waiting.insert(len(self._waiting) if self._fair else 0, waiting)
            try:
                await waiting
            finally:
                if waiting in self._waiting:
                    self._waiting.remove(waiting)
        self.inside += 1

    async def __aexit__(self, *_: object) -> None:
        self.inside -= 1
        if self._waiting and not self._waiting[0].done():
            self._waiting.pop(0).set_result(None)


@dataclass(eq=False)
class ContendedStep:
    """A step: its kind, its options, and how often its calls fail before they succeed."""

    number: int
    kind: str
    options: dict[str, Any]
    many: int
    flaky: bool
    running: int = 0
    peak: int = 0
    attempts: Counter[Uid] = field(default_factory=Counter)

    @property
    def size(self) -> float:
        """Calls whose code may run at once."""
        slots: float = self.options.get("concurrency", 256)
        limiter: CountingLimiter | None = self.options.get("limiter")
        return slots if limiter is None else min(slots, limiter.size)

    def count(self, uid: Uid) -> int:
        """How many products the call with this product yields."""
        return random.Random(f"{self.number} {uid}").choice([0, 1, 1, 2, self.many])

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Count code of a call as running for as long as the block lasts."""
        self.running += 1
        self.peak = max(self.peak, self.running)
        try:
            yield
        finally:
            self.running -= 1

    async def work(self, uid: Uid, index: int) -> None:
        """Take a while, and fail if the call is to be retried."""
        with self.at_work():
            seconds = random.Random(f"{self.number} {uid} {index}").choice([0, 0, 0.1, 1])
            if seconds:
                await asyncio.sleep(seconds)
            if index == 0:
                self.attempts[uid] += 1
                if self.flaky and self.attempts[uid] == 1 and hash(uid) % 3 == 0:
                    raise ValueError(uid)

    def function(self) -> Callable[[Uid], Any]:
        """The function of the step."""

        async def gives_list(uid: Uid) -> list[dict[str, Uid]]:
            await self.work(uid, 0)
            return [{"uid": (*uid, index)} for index in range(self.count(uid))]

        async def generates(uid: Uid) -> AsyncIterator[dict[str, Uid]]:
            await self.work(uid, 0)
            for index in range(self.count(uid)):
                if index:
                    await self.work(uid, index)
                yield {"uid": (*uid, index)}

        def generates_plainly(uid: Uid) -> Iterator[dict[str, Uid]]:
            for index in range(self.count(uid)):
                with self.at_work():
                    product = {"uid": (*uid, index)}
                yield product

        functions: dict[str, Callable[[Uid], Any]] = {
            "list": gives_list,
            "async generator": generates,
            "generator": generates_plainly,
        }
        return functions[self.kind]


#: A step, the parts of a chain, those of a group, or nothing for a passthrough.
Shape: TypeAlias = "ContendedStep | tuple[str, tuple[Shape, ...]] | None"


class ContendedFlow:
    """A flow that a seed has drawn."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        # Where a flow would make too many calls, the same seed gives another one.
        while True:
            self._draw()
            try:
                self.expected = [
                    sorted(path) for path in self._paths(self.shape, [*self.inputs], [0])
                ]
            except TooMany:
                continue
            return

    def _draw(self) -> None:
        choice, chance = self.random.choice, self.random.random
        self.inputs: list[Uid] = [(number,) for number in range(choice([0, 1, 2, 3, 6, 20]))]
        self.limiters = [CountingLimiter(choice([1, 1, 1, 2, 3]), chance() < 0.7) for _ in range(2)]
        self.steps = [self._draw_step(number) for number in range(choice([1, 1, 2, 3]))]
        self._made: dict[int, Any] = {}
        self.shape = self._draw_shape(0)
        self.reads = choice(["collects", "collects", "streams"])

    def _draw_step(self, number: int) -> ContendedStep:
        choice, chance = self.random.choice, self.random.random
        kind = choice(["list", "async generator", "async generator", "generator"])
        options: dict[str, Any] = {}
        if kind != "generator":
            # A plain function with a limit would be in threads.
            options |= {"concurrency": choice([1, 1, 2, 3])} if chance() < 0.7 else {}
            options |= {"ordered": choice([True, "uid"])} if chance() < 0.3 else {}
            options |= {"window": choice([1, 2, 9])} if chance() < 0.3 else {}
        options |= {"limiter": self.limiters[chance() < 0.3]} if chance() < 0.8 else {}
        options |= {"buffer": choice([1, 2, 5])} if chance() < 0.5 else {}
        flaky = kind != "generator" and chance() < 0.3
        options |= {"retry": 2} if flaky else {}
        return ContendedStep(number, kind, options, choice([3, 20, 40]), flaky)

    def _draw_shape(self, depth: int) -> Shape:
        choice, chance = self.random.choice, self.random.random
        if depth > 2 or (depth and chance() < 0.4):
            return choice(self.steps)
        if depth and chance() < 0.3:
            parts = [self._draw_shape(depth + 1) for _ in range(2)]
            if chance() < 0.3:
                parts[1] = None
            if all(map(_passes, parts)):
                parts[1] = choice(self.steps)
            return "group", tuple(parts)
        return "chain", tuple(self._draw_shape(depth + 1) for _ in range(choice([2, 2, 3, 4])))

    # What it must give

    def _paths(self, shape: Shape, inputs: list[Uid], calls: list[int]) -> list[list[Uid]]:
        if shape is None:
            return [inputs]
        if isinstance(shape, ContendedStep):
            calls[0] += len(inputs)
            if calls[0] > MOST_CALLS:
                raise TooMany
            return [[(*uid, index) for uid in inputs for index in range(shape.count(uid))]]
        kind, parts = shape
        if kind == "group":
            return [path for part in parts for path in self._paths(part, inputs, calls)]
        paths = [inputs]
        for part in parts:
            paths = [out for path in paths for out in self._paths(part, path, calls)]
        return paths

    # The flow

    def _flow(self, shape: Shape) -> Any:
        if shape is None:
            return passthrough()
        if isinstance(shape, ContendedStep):
            if shape.number not in self._made:
                made = step(f"s{shape.number}", shape.function())
                self._made[shape.number] = made.options(**shape.options)
            return self._made[shape.number]
        kind, parts = shape
        flows = [self._flow(part) for part in parts]
        if kind == "group":
            return parallel(*flows)
        flow = flows[0]
        for part in flows[1:]:
            flow = flow >> part
        return flow

    async def outputs(self) -> list[list[Uid]]:
        """What a run returns, path by path, sorted."""
        source = step("source", [{"uid": uid} for uid in self.inputs])
        flow = source >> self._flow(self.shape)
        if self.reads == "collects":
            result = await arun(flow)
            return [sorted(_uid_of(output) for output in path) for path in result]
        given: list[list[Uid]] = [[] for _ in self.expected]
        async for path, output in astream(flow):
            given[path].append(_uid_of(output))
            if self.random.random() < 0.2:
                await asyncio.sleep(0.5)
        return [sorted(path) for path in given]


def _passes(shape: Shape) -> bool:
    """Whether a group around this shape would have a passthrough of it."""
    if shape is None:
        return True
    if isinstance(shape, ContendedStep) or shape[0] == "chain":
        return False
    return any(map(_passes, shape[1]))


def _uid_of(output: Any) -> Uid:
    uid: Uid = max((attributes["uid"] for attributes in output.values()), key=len)
    return uid
