"""Poll a job until it is done; try again, ever more slowly, where the service doesn't answer.

    python docs/examples/rx_polling.py

Needs the extra `retry`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import reactivex
from reactivex import operators as ops
from tenacity import (
    AsyncRetrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential,
)

from fluxus_rx import Producer, from_observable, run, rx_pipe, step


class Service:
    """A job that gets on by 25 % each time it is asked about, and doesn't answer every time."""

    def __init__(self, fails: set[int]) -> None:
        self.attempts = 0
        self._fails = fails
        self._percent = 0

    async def status(self, poll: int) -> dict[str, Any]:
        """How far the job is."""
        self.attempts += 1
        await asyncio.sleep(0.001)
        if self.attempts in self._fails:
            raise ConnectionError(f"no answer to attempt {self.attempts}")
        self._percent = min(100, self._percent + 25)
        return {"percent": self._percent}


def polled(
    status: Callable[[int], Awaitable[dict[str, Any]]], every: float, first_wait: float
) -> Producer[Any]:
    """What a job says of itself, each time that says something new, until it is done."""
    backoff = AsyncRetrying(
        stop=stop_after_attempt(4),
        wait=wait_exponential(multiplier=first_wait),
        retry=retry_if_exception_type(ConnectionError),
    )
    # One poll at a time; if one takes long, the polls that are due meanwhile are left out.
    polls: Producer[Any] = from_observable(reactivex.interval(every), "poll", overflow="latest")
    asked = step("status", status).options(retry=backoff, timeout=5, concurrency=1)
    until_done = rx_pipe(
        ops.distinct_until_changed(lambda answer: answer["percent"]),
        ops.take_while(lambda answer: answer["percent"] < 100, inclusive=True),
    )
    flow: Producer[Any] = polls >> asked >> until_done
    return flow


def main() -> None:
    service = Service(fails={2, 3, 6})
    for output in run(polled(service.status, every=0.05, first_wait=0.01))[0]:
        print(f"{output['status']['percent']} %")
    print("after", service.attempts, "attempts")


if __name__ == "__main__":
    main()
