"""The work that contenders do: items, step functions, the outputs that must come, and probes.

Each step adds a number to `x`, so that what is measured is everything around the step. An output
is the nested dictionary of its lineage: `{"src": {"x": 0}, "step1": {"x": 1}, …}`; for a contender
that promises no lineage it is the last of these, `{"x": 1}`.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping
from typing import Any

__all__ = [
    "STEPS",
    "Attributes",
    "Function",
    "Lineage",
    "Probe",
    "chain_output",
    "chain_outputs",
    "items",
    "last_attributes",
    "step_function",
    "steps",
]

Attributes = dict[str, Any]
Lineage = dict[str, Attributes]
#: A step function: plain, or a coroutine function of asyncio or trio.
Function = Callable[..., Any]

#: Steps of the chain that most goals are about.
STEPS = 5


def items(count: int) -> list[Attributes]:
    """What the source emits."""
    return [{"x": number} for number in range(count)]


def steps(
    calls: str,
    depth: int = STEPS,
    *,
    seconds: float | None = None,
    probe: Probe | None = None,
) -> dict[str, Function]:
    """The functions of a chain, or of the branches of a group, by name; see `step_function`."""
    return {
        name: step_function(calls, number, seconds=seconds, probe=probe, name=name)
        for number, name in ((number, f"step{number}") for number in range(1, depth + 1))
    }


def step_function(
    calls: str,
    number: int,
    *,
    seconds: float | None = None,
    probe: Probe | None = None,
    name: str = "step",
) -> Function:
    """A function that adds `number` to `x`.

    `calls` is "plain" (synchronous), or what a contender's `CALLS` says: "asyncio", "trio",
    "threads". With `seconds` it waits so long before; with 0 it lets others run.
    """
    function = _FUNCTIONS[calls](number, seconds)
    return function if probe is None else probe.watched(calls, name, function)


def _plain(number: int, seconds: float | None) -> Function:
    if seconds is not None:
        return _blocking(number, seconds)

    def add(x: int) -> Attributes:
        return {"x": x + number}

    return add


def _blocking(number: int, seconds: float) -> Function:
    def add(x: int) -> Attributes:
        time.sleep(seconds)
        return {"x": x + number}

    return add


def _coroutine(number: int, seconds: float | None) -> Function:
    if seconds is not None:
        return _waiting(number, seconds, asyncio.sleep)

    async def add(x: int) -> Attributes:
        return {"x": x + number}

    return add


def _trio(number: int, seconds: float | None) -> Function:
    if seconds is None:
        return _coroutine(number, None)
    return _waiting(number, seconds, pause_of("trio"))


def _waiting(number: int, seconds: float, sleep: Function) -> Function:
    async def add(x: int) -> Attributes:
        await sleep(seconds)
        return {"x": x + number}

    return add


_FUNCTIONS: Mapping[str, Callable[[int, float | None], Function]] = {
    "plain": _plain,
    "threads": _plain,
    "asyncio": _coroutine,
    "trio": _trio,
}


def pause_of(calls: str) -> Function:
    """What waits for seconds in functions of this kind."""
    if calls == "asyncio":
        return asyncio.sleep
    if calls == "trio":
        import trio  # only in the process of a contender that is made of it

        sleep: Function = trio.sleep
        return sleep
    return time.sleep


class Planned(Exception):
    """A call fails, as planned."""


class Probe:
    """Counts calls, and those in flight, of functions; and how far a source is ahead.

    With `fails_at`, the call of this number, counted over all functions, raises `Planned`.
    """

    def __init__(self, fails_at: int | None = None) -> None:
        self.calls: Counter[str] = Counter()
        self.highest: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()
        #: items that were taken from the source
        self.taken = 0
        #: whether the source was read to its end, or closed
        self.closed = False
        #: how many more items were taken at most than calls of the last step had ended
        self.ahead = 0
        self._fails_at = fails_at
        self._in_flight: Counter[str] = Counter()
        self._last = ""

    def source(self, items: Iterable[Attributes]) -> Generator[Attributes, None, None]:
        """The items, counted as they are taken."""
        try:
            for item in items:
                self.taken += 1
                self.ahead = max(self.ahead, self.taken - self.ended[self._last])
                yield item
        finally:
            self.closed = True

    def watched(self, calls: str, name: str, function: Function) -> Function:
        """The function with its calls counted; it waits a little, so that calls overlap."""
        self._last = name
        if calls in ("plain", "threads"):

            def watched(**arguments: Any) -> Attributes:
                self._begin(name)
                try:
                    if calls == "threads":
                        time.sleep(0.0005)
                    attributes: Attributes = function(**arguments)
                    return attributes
                finally:
                    self._end(name)

            return watched
        pause = pause_of(calls)

        async def awaited(**arguments: Any) -> Any:
            self._begin(name)
            try:
                for _ in range(1 + self.calls[name] % 3):
                    await pause(0)
                return await function(**arguments)
            finally:
                self._end(name)

        # By name, as the function is called.
        return _of_x(awaited)

    def _begin(self, name: str) -> None:
        self.calls[name] += 1
        self._in_flight[name] += 1
        self.highest[name] = max(self.highest[name], self._in_flight[name])
        if self.calls.total() == self._fails_at:
            self._end(name)
            raise Planned(name)

    def _end(self, name: str) -> None:
        self._in_flight[name] -= 1
        self.ended[name] += 1


def _of_x(function: Function) -> Function:
    async def watched(x: int) -> Attributes:
        attributes: Attributes = await function(x=x)
        return attributes

    return watched


def chain_output(x: int, depth: int = STEPS) -> Lineage:
    """What a chain of `depth` steps makes of the item `x`."""
    output = {"src": {"x": x}}
    for number in range(1, depth + 1):
        x += number
        output[f"step{number}"] = {"x": x}
    return output


def chain_outputs(count: int, depth: int = STEPS) -> list[Lineage]:
    """What a chain makes of `items(count)`, in their order."""
    return [chain_output(x, depth) for x in range(count)]


def last_attributes(output: Lineage) -> Attributes:
    """What is left of an output for a contender that keeps no lineage."""
    return next(reversed(output.values()))
