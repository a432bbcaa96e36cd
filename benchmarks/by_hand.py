"""The best code that one would write by hand for the same work, lineage included.

Losing variants, measured with 5 steps on CPython 3.11 (µs per item and step, in one run): for the
loop, nodes that link to their precursors and are unrolled at the end 0.65, a merged dictionary
beside the lineage 0.43, looking back through the lineage itself 0.39; for tasks, `TaskGroup` and
`gather` are equal, a task per item and step instead of per item is 2.7 times dearer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any

from .work import AsyncFunction, Attributes, Function, Lineage


def loop(source: Iterable[Attributes], steps: Mapping[str, Function]) -> list[Lineage]:
    """Any synchronous chain, attributes looked up by name through the lineage."""
    parameters = [(name, "x", function) for name, function in steps.items()]
    outputs = []
    for item in source:
        lineage, latest = {"src": item}, item
        for name, parameter, function in parameters:
            value = latest[parameter] if parameter in latest else _look_back(lineage, parameter)
            lineage[name] = latest = function(**{parameter: value})
        outputs.append(lineage)
    return outputs


def _look_back(lineage: Lineage, parameter: str) -> Any:
    for attributes in reversed(lineage.values()):
        if parameter in attributes:
            return attributes[parameter]
    raise KeyError(parameter)


def unrolled(source: Iterable[Attributes], steps: Mapping[str, Function]) -> list[Lineage]:
    """This one chain of five steps written out: no look-up, nothing general about it."""
    add1, add2, add3, add4, add5 = steps.values()
    outputs = []
    for item in source:
        one = add1(x=item["x"])
        two = add2(x=one["x"])
        three = add3(x=two["x"])
        four = add4(x=three["x"])
        five = add5(x=four["x"])
        outputs.append(
            {"src": item, "step1": one, "step2": two, "step3": three, "step4": four, "step5": five}
        )
    return outputs


async def sequential(
    source: Iterable[Attributes], steps: Mapping[str, AsyncFunction]
) -> list[Lineage]:
    """One item after the other, each step awaited: no concurrency at all."""
    carry = _carrier(steps)
    return [await carry(item) for item in source]


async def tasks(
    source: Iterable[Attributes], steps: Mapping[str, AsyncFunction], limit: int
) -> list[Lineage]:
    """A task per item, one semaphore: at most `limit` items are under way."""
    carry = _carrier(steps)
    semaphore = asyncio.Semaphore(limit)

    async def one(item: Attributes) -> Lineage:
        async with semaphore:
            return await carry(item)

    return await asyncio.gather(*map(one, source))


Carrier = Callable[[Attributes], Coroutine[Any, Any, Lineage]]


def _carrier(steps: Mapping[str, AsyncFunction]) -> Carrier:
    parameters = [(name, "x", function) for name, function in steps.items()]

    async def carry(item: Attributes) -> Lineage:
        lineage, latest = {"src": item}, item
        for name, parameter, function in parameters:
            value = latest[parameter] if parameter in latest else _look_back(lineage, parameter)
            lineage[name] = latest = await function(**{parameter: value})
        return lineage

    return carry


async def tasks_limited_per_step(
    source: Iterable[Attributes], steps: Mapping[str, AsyncFunction], limit: int
) -> list[Lineage]:
    """A task per item, a semaphore per step: at most `limit` calls of each, as in a flow."""
    parameters = [
        (name, "x", function, asyncio.Semaphore(limit)) for name, function in steps.items()
    ]

    async def one(item: Attributes) -> Lineage:
        lineage, latest = {"src": item}, item
        for name, parameter, function, semaphore in parameters:
            value = latest[parameter] if parameter in latest else _look_back(lineage, parameter)
            async with semaphore:
                lineage[name] = latest = await function(**{parameter: value})
        return lineage

    return await asyncio.gather(*map(one, source))


async def workers(
    source: Iterable[Attributes], steps: Mapping[str, AsyncFunction], limit: int
) -> list[Lineage]:
    """`limit` workers that take items from a list: no task per item, no semaphore."""
    carry = _carrier(steps)
    numbered = iter(list(enumerate(source)))
    outputs: dict[int, Lineage] = {}

    async def work() -> None:
        for number, item in numbered:
            outputs[number] = await carry(item)

    await asyncio.gather(*(work() for _ in range(limit)))
    return [outputs[number] for number in range(len(outputs))]


async def group_by_tasks(
    source: Iterable[Attributes], branches: Mapping[str, AsyncFunction], limit: int
) -> list[list[Lineage]]:
    """A task per item and branch, a semaphore per branch; the passthrough is a list."""
    inputs = list(source)

    async def branch(name: str, function: AsyncFunction) -> list[Lineage]:
        semaphore = asyncio.Semaphore(limit)

        async def one(item: Attributes) -> Lineage:
            async with semaphore:
                return {"src": item, name: await function(x=item["x"])}

        return await asyncio.gather(*map(one, inputs))

    outputs = await asyncio.gather(*(branch(*each) for each in branches.items()))
    return [*outputs, [{"src": item} for item in inputs]]


async def group_by_workers(
    source: Iterable[Attributes], branches: Mapping[str, AsyncFunction], limit: int
) -> list[list[Lineage]]:
    """`limit` workers per branch, all branches at once."""
    inputs = list(source)

    async def branch(name: str, function: AsyncFunction) -> list[Lineage]:
        outputs: dict[int, Lineage] = {}
        numbered = iter(enumerate(inputs))

        async def work() -> None:
            for number, item in numbered:
                outputs[number] = {"src": item, name: await function(x=item["x"])}

        await asyncio.gather(*(work() for _ in range(limit)))
        return [outputs[number] for number in range(len(inputs))]

    outputs = await asyncio.gather(*(branch(*each) for each in branches.items()))
    return [*outputs, [{"src": item} for item in inputs]]
