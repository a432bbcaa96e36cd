"""A call that ran out of time has left a thread of the loop behind, in a library that wraps
blocking calls with `asyncio.to_thread`: the run ends all the same, and so does Python."""

import asyncio
import logging
import threading

from fluxus_rx import run, step, stream
from fluxus_rx.testing import virtual_time

told: list[str] = []


class Told(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        told.append(record.getMessage())


def resolve_blocking(host: str) -> str:
    if host == "gone.example":
        threading.Event().wait()  # no answer, and no time-out of its own
    return f"address of {host}"


async def resolve(host: str) -> dict[str, str]:
    return {"address": await asyncio.to_thread(resolve_blocking, host)}


logging.getLogger("fluxus_rx").addHandler(Told())
logging.getLogger("fluxus_rx").propagate = False
hosts = step("hosts", [{"host": host} for host in ("a.example", "gone.example", "b.example")])
flow = hosts >> step("resolve", resolve).options(timeout=30, on_error="collect")

# The seconds that a run waits for its threads are none of this test: virtual ones are short.
with virtual_time(patience=0.02):
    result = run(flow)
    streamed = [*stream(flow, on_failure=lambda failure: None)]

assert len(result[0]) == 2, result
assert len(result.failures) == 1, result.failures
assert len(streamed) == 2, streamed
assert len(told) == 2, told
assert all("resolve_blocking" in text and "still ran" in text for text in told), told
