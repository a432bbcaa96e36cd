"""The work that the contenders do: items, step functions, and the outputs that must come out.

Each step adds a number to `x`, so that what is measured is everything around the step. An output
is the nested dictionary of its lineage: `{"src": {"x": 0}, "step1": {"x": 1}, …}`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

Attributes = dict[str, int]
Lineage = dict[str, Attributes]
Function = Callable[..., Attributes]
AsyncFunction = Callable[..., Awaitable[Attributes]]

#: Steps of the chain that the goals are about.
STEPS = 5


def items(count: int) -> list[Attributes]:
    """The products of the source."""
    return [{"x": number} for number in range(count)]


def adding(number: int) -> Function:
    """A synchronous step function."""

    def add(x: int) -> Attributes:
        return {"x": x + number}

    return add


def adding_async(number: int) -> AsyncFunction:
    """An asynchronous step function that returns at once."""

    async def add(x: int) -> Attributes:
        return {"x": x + number}

    return add


def adding_late(number: int, seconds: float) -> AsyncFunction:
    """An asynchronous step function that takes its time."""

    async def add(x: int) -> Attributes:
        await asyncio.sleep(seconds)
        return {"x": x + number}

    return add


def sync_steps(depth: int = STEPS) -> dict[str, Function]:
    """The synchronous steps of a chain, by name."""
    return {f"step{number}": adding(number) for number in range(1, depth + 1)}


def async_steps(depth: int = STEPS) -> dict[str, AsyncFunction]:
    """The asynchronous steps of a chain, or the branches of a group, by name."""
    return {f"step{number}": adding_async(number) for number in range(1, depth + 1)}


def chain_outputs(count: int, depth: int = STEPS) -> list[Lineage]:
    """What a chain of `depth` steps makes of `count` items, in the order of the items."""
    return [_chain_output(x, depth) for x in range(count)]


def _chain_output(x: int, depth: int) -> Lineage:
    output = {"src": {"x": x}}
    for number in range(1, depth + 1):
        x += number
        output[f"step{number}"] = {"x": x}
    return output


def group_outputs(count: int, width: int) -> list[list[Lineage]]:
    """What a group of `width` steps and a passthrough makes of `count` items, path by path."""
    paths = [
        [{"src": {"x": x}, f"step{number}": {"x": x + number}} for x in range(count)]
        for number in range(1, width + 1)
    ]
    return [*paths, [{"src": {"x": x}} for x in range(count)]]


def last_values(outputs: list[Lineage]) -> list[Attributes]:
    """What is left of the outputs for a contender that keeps no lineage."""
    return [list(output.values())[-1] for output in outputs]


def remembering(name: str, function: Function) -> Callable[[Lineage], Lineage]:
    """The step as a function from lineage to lineage, for peers that keep none of their own."""

    def step(lineage: Lineage) -> Lineage:
        lineage[name] = function(x=attribute(lineage, "x"))
        return lineage

    return step


def remembering_async(
    name: str, function: AsyncFunction
) -> Callable[[Lineage], Awaitable[Lineage]]:
    """The same for an asynchronous step."""

    async def step(lineage: Lineage) -> Lineage:
        lineage[name] = await function(x=attribute(lineage, "x"))
        return lineage

    return step


def attribute(lineage: Mapping[str, Mapping[str, Any]], name: str) -> Any:
    """The latest value of an attribute."""
    for attributes in reversed(lineage.values()):  # type: ignore[call-overload]
        if name in attributes:
            return attributes[name]
    raise KeyError(name)
