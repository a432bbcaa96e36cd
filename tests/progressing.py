"""What the tests of progress share: time that passes when nothing else is to do, and a meter that
says what a test wants it to."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest

from fluxus_rx._meters import Count, Meter
from fluxus_rx._progress import StepProgress

T = TypeVar("T")


class Jumping(selectors.DefaultSelector):
    """Where a loop would wait, its time jumps to the end of the waiting."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(None if timeout is None else 0)
        if not ready and timeout is not None:
            self.now += max(timeout, 0.0)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop on which a day passes in no time."""

    def __init__(self) -> None:
        self.clock = Jumping()
        super().__init__(self.clock)

    def time(self) -> float:
        return self.clock.now


@contextmanager
def virtual_time() -> Iterator[Callable[[Callable[[], Coroutine[Any, Any, T]]], T]]:
    """Runs coroutines in virtual time; meters that are made inside go by it."""
    with (
        asyncio.Runner(loop_factory=VirtualLoop) as runner,
        pytest.MonkeyPatch.context() as patch,
    ):
        for module in ("_gauges", "_meters"):
            patch.setattr(f"fluxus_rx.{module}.perf_counter", runner.get_loop().time)
        yield lambda main: runner.run(main())


class Scripted(Meter):
    """A meter that counts nothing; a test sets what it says."""

    now = 0.0
    says: tuple[Count, ...] = ()

    @property
    def elapsed(self) -> float:
        return self.now

    def counts(self) -> list[Count]:
        return [*self.says]


def at(
    name: str = "fetch",
    done: int = 0,
    in_flight: int = 0,
    failed: int = 0,
    expected: int | None = None,
    rate: float = 0.0,
    eta: float | None = None,
) -> StepProgress:
    """How far a step is."""
    return StepProgress(name, done, in_flight, failed, expected, rate, eta)
