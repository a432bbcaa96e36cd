"""Functions for libraries that keep no lineage, and deal with no errors, of their own.

Such a library hands one value from step to step. That value is the lineage so far,
`{"src": {"x": 0}, "step1": {"x": 1}, …}`, and what its steps call is made here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from .functions import Attributes, Function, Lineage

__all__ = [
    "Step",
    "attempting",
    "attempting_async",
    "attribute",
    "branching",
    "branching_async",
    "carrying",
    "carrying_async",
    "cleaning",
    "in_passes",
    "remembering",
    "remembering_async",
]

#: From a lineage to a lineage, or to one that is awaited.
Step = Callable[[Lineage], Any]


def attribute(lineage: Lineage, name: str) -> Any:
    """The latest value of an attribute."""
    for attributes in reversed(lineage.values()):
        if name in attributes:
            return attributes[name]
    raise KeyError(name)


def remembering(name: str, function: Function) -> Step:
    """A step that writes what the function returns into the lineage that it gets."""

    def step(lineage: Lineage) -> Lineage:
        lineage[name] = function(x=attribute(lineage, "x"))
        return lineage

    return step


def remembering_async(name: str, function: Function) -> Callable[[Lineage], Awaitable[Lineage]]:
    """The same for a coroutine function."""

    async def step(lineage: Lineage) -> Lineage:
        lineage[name] = await function(x=attribute(lineage, "x"))
        return lineage

    return step


def branching(name: str, function: Function) -> Step:
    """A step that leaves the lineage that it gets to other branches, and returns a new one."""

    def step(lineage: Lineage) -> Lineage:
        return {**lineage, name: function(x=attribute(lineage, "x"))}

    return step


def branching_async(name: str, function: Function) -> Callable[[Lineage], Awaitable[Lineage]]:
    """The same for a coroutine function."""

    async def step(lineage: Lineage) -> Lineage:
        return {**lineage, name: await function(x=attribute(lineage, "x"))}

    return step


def carrying(functions: Mapping[str, Function]) -> Callable[[Attributes], Lineage]:
    """All steps of a chain as one function of an item, for libraries that map one function."""
    steps = [*functions.items()]

    def carry(item: Attributes) -> Lineage:
        lineage = {"src": item}
        for name, function in steps:
            lineage[name] = function(x=attribute(lineage, "x"))
        return lineage

    return carry


def carrying_async(
    functions: Mapping[str, Function],
) -> Callable[[Lineage], Awaitable[Lineage]]:
    """All steps of a chain as one coroutine function; it writes into the lineage that it gets."""
    steps = [*functions.items()]

    async def carry(lineage: Lineage) -> Lineage:
        for name, function in steps:
            lineage[name] = await function(x=attribute(lineage, "x"))
        return lineage

    return carry


def attempting(
    function: Function, attempts: int, failed: list[Attributes]
) -> Callable[[Attributes], Lineage | None]:
    """A step "step1" that calls again at once after an error; an item that runs out of attempts
    goes to `failed`, and returns None."""

    def step(item: Attributes) -> Lineage | None:
        for _ in range(attempts):
            try:
                return {"src": item, "step1": function(x=item["x"])}
            except Exception:
                continue
        failed.append(item)
        return None

    return step


def attempting_async(
    function: Function, attempts: int, failed: list[Attributes]
) -> Callable[[Attributes], Awaitable[Lineage | None]]:
    """The same for a coroutine function."""

    async def step(item: Attributes) -> Lineage | None:
        for _ in range(attempts):
            try:
                return {"src": item, "step1": await function(x=item["x"])}
            except Exception:
                continue
        failed.append(item)
        return None

    return step


def cleaning(clean: Function, rejected: list[str]) -> Callable[[str], Attributes | None]:
    """What `clean` makes of a line; a line that it doesn't take goes to `rejected`, and returns
    None."""

    def cleaned(line: str) -> Attributes | None:
        try:
            row: Attributes = clean(line)
        except ValueError:
            rejected.append(line)
            return None
        return row

    return cleaned


async def in_passes(
    items: Iterable[Attributes],
    functions: Mapping[str, Function],
    per_second: float,
    attempts: int,
    each: Callable[[Callable[[Lineage], Awaitable[None]], list[Lineage]], Awaitable[Any]],
) -> tuple[list[Lineage], list[Attributes]]:
    """The operation `paced` with a library that keeps a pace in one place, not in several at once:
    a step begins when the one before has ended, and so does each further attempt.

    `each(call, lineages)` calls all of them at the pace.
    """
    waiting: list[Lineage] = [{"src": item} for item in items]
    failed: list[Attributes] = []
    for named in functions.items():
        step = remembering_async(*named)
        done: list[Lineage] = []
        for _ in range(attempts):
            again: list[Lineage] = []
            await each(_sorting(step, done, again), waiting)
            await asyncio.sleep(1 / per_second)  # between the last call and the next one
            waiting = again
            if not waiting:
                break
        failed += [lineage["src"] for lineage in waiting]
        waiting = done
    return waiting, failed


def _sorting(
    step: Callable[[Lineage], Awaitable[Lineage]], done: list[Lineage], again: list[Lineage]
) -> Callable[[Lineage], Awaitable[None]]:
    async def call(lineage: Lineage) -> None:
        try:
            done.append(await step(lineage))
        except Exception:
            again.append(lineage)

    return call
