"""Plain functions off the loop, as tests of it begin, leave and watch them."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import math
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from fluxus_rx._options.executors import offload
from fluxus_rx._options.offload import Offload
from tests.support.probes import until

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="default")

FETCH = "step 'fetch'"


class Gate:
    """A function that does not return before it may, and counts its calls."""

    def __init__(self) -> None:
        self.calls = 0
        self.threads: list[threading.Thread] = []
        self.open = threading.Event()
        self.error: BaseException | None = None

    def __call__(self, result: Any = None) -> Any:
        self.threads.append(threading.current_thread())
        self.calls += 1
        self.open.wait()
        if self.error is not None:
            raise self.error
        return result

    async def entered(self, calls: int = 1) -> None:
        await until(lambda: self.calls == calls)


@asynccontextmanager
async def opened(
    executor: Any = "thread", size: float = math.inf, **reading: Any
) -> AsyncIterator[Offload]:
    """An offload that is closed in the end."""
    elsewhere = offload(executor, FETCH, size, **reading)
    try:
        yield elsewhere
    finally:
        await elsewhere.aclose()


async def cancelled(task: asyncio.Task[Any]) -> None:
    """Cancel a task, and see it end."""
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def logged(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """The warnings of the module, and of what it stands on; not asyncio's that a loop is slow."""
    return [
        record
        for record in caplog.records
        if record.name != "asyncio" and record.levelno >= logging.WARNING
    ]


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Their texts."""
    return [record.getMessage() for record in logged(caplog)]
