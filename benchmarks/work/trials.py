"""Trials of functions, and of coroutine functions, for rows that are written out.

    row("fluxus_rx, a step instead", make, same_as(expected), units=count)

`make` is called in the process of the contender, before any time counts: it imports what it takes,
and returns the function that is timed.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from types import ModuleType
from typing import Any, TypeVar

from ..measuring.contest import BrokenPromise, Row, Trial, WrongOutputs

__all__ = ["Function", "Make", "in_loop", "kept", "prepared", "row", "same_as", "trial"]

T = TypeVar("T")

#: What is timed: a function without parameters, or a coroutine function.
Function = Callable[[], Any]
#: Imports what a function takes, and returns it.
Make = Callable[[], Function]


def in_loop(main: Callable[[], Awaitable[T]], left: list[str] | None = None) -> T:
    """The result of a coroutine function that is run in an event loop of its own.

    The names of tasks that are still there at the end are added to `left`.

    The result comes out in a box: `asyncio.run` of CPython 3.11.7 and 3.12.1 takes the `repr` of
    what the main coroutine returns, twice, which costs more than making it did.
    """
    box: list[T] = []

    async def boxed() -> None:
        try:
            box.append(await main())
        finally:
            if left is not None:
                tasks = asyncio.all_tasks() - {asyncio.current_task()}
                left.extend(task.get_name() for task in tasks)

    asyncio.run(boxed())
    return box[0]


#: So many outputs, kept, hardly weigh on a collection of garbage.
_FEW = 1_000


def kept(expected: Callable[[], T]) -> Callable[[], T]:
    """What `expected` makes, which takes longer than many a run: made once where it is a list of
    few. Kept, more of them would weigh on each collection of garbage."""
    few: list[T] = []

    def make() -> T:
        if few:
            return few[0]
        made = expected()
        if isinstance(made, list) and len(made) <= _FEW:
            few.append(made)
        return made

    return make


def same_as(expected: Callable[[], object]) -> Callable[[Any], None]:
    """A check that outputs are those that `expected` makes."""
    expected = kept(expected)

    def check(outputs: Any) -> None:
        made = expected()
        if outputs != made:
            raise WrongOutputs(f"{outputs!r:.100} came, and not {made!r:.100}")

    return check


def trial(
    function: Function,
    check: Callable[[Any], None],
    *,
    units: float = 1,
    setup: Callable[[], None] | None = None,
    value: Callable[[Any], float] | None = None,
    verify: Callable[[], None] | None = None,
    repeats: bool = True,
) -> Trial:
    """A trial of a function, or of a coroutine function: each run has an event loop of its own,
    in which no task may be left. The others are those of `Trial`."""
    if not inspect.iscoroutinefunction(function):
        return Trial(function, check, units, setup, value, verify, repeats)
    left: list[str] = []

    def run() -> Any:
        left.clear()
        return in_loop(function, left)

    def check_all(outputs: Any) -> None:
        check(outputs)
        if left:
            raise BrokenPromise(f"{len(left)} tasks are left: {', '.join(left):.60}")

    return Trial(run, check_all, units, setup, value, verify, repeats)


def prepared(
    make: Make, check: Callable[[Any], None], **more: Any
) -> Callable[[ModuleType], Trial]:
    """The `prepare` of a row whose trial is one of what `make` returns; `more` as in `trial`."""

    def prepare(_: ModuleType) -> Trial:
        return trial(make(), check, **more)

    return prepare


def row(name: str, make: Make, check: Callable[[Any], None], *, note: str = "", **more: Any) -> Row:
    """A row whose contender is what stands before the comma in its name."""
    return Row(name, name.partition(",")[0], prepared(make, check, **more), note)
