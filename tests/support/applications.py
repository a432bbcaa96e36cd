"""What the tests of the example applications share: their names, and calls that are noted."""

from __future__ import annotations

import asyncio
import runpy
from collections.abc import AsyncIterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from aiostream import streamcontext

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


def example(name: str) -> Any:
    """The names of an example, which is not run."""
    return SimpleNamespace(**runpy.run_path(str(EXAMPLES / f"rx_{name}.py"), run_name=name))


class Service:
    """Something that a step asks, and that takes `delay` seconds; an `error` for what is in `bad`.

    `asked` and `answered` are what it was asked and has answered, each with the time; `given_up`,
    the calls that were cancelled.
    """

    def __init__(self, delay: float, bad: tuple[Any, ...] = (), error: Any = None) -> None:
        self.delay = delay
        self.asked: list[tuple[float, Any]] = []
        self.answered: list[tuple[float, Any]] = []
        self.given_up: list[tuple[float, Any]] = []
        self.active = self.most = 0
        self._bad = bad
        self._error = error

    async def ask(self, what: Any) -> Any:
        """The same, once it is answered."""
        self.asked.append((now(), what))
        self.active += 1
        self.most = max(self.most, self.active)
        try:
            await asyncio.sleep(self.delay)
        except asyncio.CancelledError:
            self.given_up.append((now(), what))
            raise
        finally:
            self.active -= 1
        if what in self._bad:
            raise self._error
        self.answered.append((now(), what))
        return what


def now() -> float:
    """The time of the running loop, to the microsecond: sums of times aren't exact."""
    return round(asyncio.get_running_loop().time(), 6)


async def timed(source: AsyncIterable[Any]) -> list[tuple[float, Any]]:
    """Each item, and when it came."""
    seen = []
    async with streamcontext(source) as streamer:
        async for item in streamer:
            seen.append((now(), item))
    return seen
