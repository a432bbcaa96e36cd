"""A loop that stays open but stands still, between two runs of a thread: nobody waits for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from reactivex import operators as ops

from fluxus_rx import UsageError, from_observable, run, step, stream


async def ticks() -> AsyncIterator[dict[str, int]]:
    """Numbers without end."""
    number = 0
    while True:
        await asyncio.sleep(0.001)
        yield {"n": number}
        number += 1


def shared_by_rx() -> Callable[[], Any]:
    """What gives a producer that listens to one run of the source, which reactivex shares."""
    shared = step("source", ticks).to_observable().pipe(ops.share())
    return lambda: from_observable(shared, "source")


def shared_by_a_hub() -> Callable[[], Any]:
    """The same, by a hub."""
    hub = step("source", ticks).share(overflow="latest")
    return lambda: hub


@pytest.mark.parametrize("share", [shared_by_rx, shared_by_a_hub])
def test_whoever_listens_in_another_thread_is_told(share: Callable[[], Any]) -> None:
    """The run that came first has ended, and its thread drives the loop of the source no longer."""
    listen = share()
    first_listens, other_listens = threading.Event(), threading.Event()
    told: list[BaseException] = []

    async def hold(n: int) -> dict[str, int]:
        first_listens.set()
        await asyncio.to_thread(other_listens.wait, 20)
        return {"m": n}

    def note(n: int) -> dict[str, int]:
        other_listens.set()
        return {"m": n}

    def listen_elsewhere() -> None:
        first_listens.wait(20)
        try:
            run(listen() >> step("note", note))
        except UsageError as error:
            told.append(error)

    other = threading.Thread(target=listen_elsewhere)
    other.start()
    for _ in stream(listen() >> step("hold", hold).options(concurrency=1)):
        break
    other.join(20)
    assert not other.is_alive()
    assert "runs no longer" in str(told[0])
