"""Ctrl-C may strike at any line of the library, or of asyncio, while a flow is read."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import fluxus_rx
from fluxus_rx import Consumer, run, step, stream
from tests.support.tables import as_many

WHERE = tuple(str(Path(module.__path__[0])) for module in (fluxus_rx, asyncio))


class Striking:
    """Sends SIGINT to this process at a certain line that runs in this thread."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.lines = 0

    def __enter__(self) -> Striking:
        sys.settrace(self._called)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    def _called(self, frame: FrameType, event: str, arg: object) -> Any:
        return self._traced if frame.f_code.co_filename.startswith(WHERE) else None

    def _traced(self, frame: FrameType, event: str, arg: object) -> Any:
        if event == "line":
            self.lines += 1
            if self.lines == self.at:
                sys.settrace(None)
                signal.raise_signal(signal.SIGINT)
        return self._traced


def source(told: list[str]) -> Iterator[dict[str, int]]:
    told.append("opened")
    try:
        yield from ({"x": x} for x in range(60))
    finally:
        told.append("closed")


async def awaiting(x: int) -> dict[str, int]:
    await asyncio.sleep(0)
    return {"y": x + 1}


def plain(told: list[str]) -> Any:
    return step("src", partial(source, told)) >> step("next", lambda x: {"y": x + 1})


def asynchronous(told: list[str]) -> Any:
    return step("src", partial(source, told)) >> step("next", awaiting).options(concurrency=8)


def closed_early(flow: Any) -> None:
    with contextlib.closing(iter(flow)) as outputs:
        next(outputs)


class Count(Consumer[Any, int]):
    def consume(self, products: Iterable[tuple[int, Any]]) -> int:
        return sum(1 for _ in products)


#: more than fits into the buffers, each time
READINGS: dict[str, Callable[[list[str]], object]] = {
    "iterated": lambda told: [*plain(told)],
    "iterated, asynchronous": lambda told: [*asynchronous(told)],
    "streamed": lambda told: [*stream(asynchronous(told))],
    "run": lambda told: run(plain(told)),
    "run, asynchronous": lambda told: run(asynchronous(told)),
    "closed early": lambda told: closed_early(asynchronous(told)),
    "consumed": lambda told: (asynchronous(told) >> Count()).run(),
}


def read(how: str, at: int, told: list[str]) -> int:
    """Read all, but for Ctrl-C at this line; how many lines ran."""
    with Striking(at) as striking:
        READINGS[how](told)
    return striking.lines


@pytest.mark.parametrize("how", READINGS)
def test_ctrl_c_at_any_line_ends_a_reading(how: str) -> None:
    """With KeyboardInterrupt, and with the source closed if it was open; nothing waits on."""
    read(how, 0, [])
    lines = read(how, 0, [])
    assert lines > 1_000
    for at in range(1, lines, 1 + lines // as_many(40, thoroughly=500)):
        told: list[str] = []
        try:
            assert read(how, at, told) < at, "Ctrl-C came, and nothing tells of it"
        except KeyboardInterrupt:
            assert told in ([], ["opened", "closed"]), at
    told = []
    read(how, 0, told)
    assert told == ["opened", "closed"]
