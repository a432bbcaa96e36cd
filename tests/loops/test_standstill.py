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
    """What makes a producer that listens to one run of the source, which reactivex shares."""
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


def test_no_listener_waits_for_the_clean_up_of_a_source_whose_loop_stands_still() -> None:
    """A listener to a hub in another thread is told, and closing the hub returns."""
    other_listens, may_end, has_ended = threading.Event(), asyncio.Event(), asyncio.Event()
    told: list[BaseException] = []

    async def ticks_that_clean_up() -> AsyncIterator[dict[str, int]]:
        try:
            async for item in ticks():
                yield item
        finally:
            await may_end.wait()
            has_ended.set()

    async def end() -> AsyncIterator[dict[str, int]]:
        may_end.set()
        await has_ended.wait()
        yield {"n": 0}

    hub = step("source", ticks_that_clean_up).share(overflow="latest")

    def note(n: int) -> dict[str, int]:
        other_listens.set()
        return {"m": n}

    def listen_elsewhere() -> None:
        try:
            run(hub >> step("note", note))
        except UsageError as error:
            told.append(error)

    other = threading.Thread(target=listen_elsewhere, daemon=True)
    for _ in stream(hub):
        if not other.ident:
            other.start()
        if other_listens.is_set():
            break
    other.join(20)
    assert "runs no longer" in str(told[0])

    async def close() -> None:
        await asyncio.wait_for(hub.close(), 20)

    asyncio.run(close())
    run(step("end", end))


def test_waiting_for_a_hub_whose_loop_stands_still_can_be_cancelled() -> None:
    """The loop goes on when the next output is asked for, and nobody asks."""
    hub = step("source", ticks).share()
    outputs = stream(hub)
    next(iter(outputs))

    async def close() -> None:
        closing = asyncio.ensure_future(hub.close())
        await asyncio.sleep(0)
        closing.cancel()
        await asyncio.wait([closing], timeout=20)
        assert closing.cancelled()

    asyncio.run(close())
    for _ in outputs:
        pass


def test_who_listens_to_a_hub_when_its_loop_stands_still_already_is_told() -> None:
    """Nobody listened as it came to a standstill; one who listens there goes on with it."""
    hub = step("source", ticks).share()
    told: list[BaseException] = []

    def listen_elsewhere() -> None:
        try:
            run(hub)
        except UsageError as error:
            told.append(error)

    for _ in range(2):
        for _ in stream(hub):
            break
        other = threading.Thread(target=listen_elsewhere, daemon=True)
        other.start()
        other.join(20)
    assert len(told) == 2

    async def close() -> None:
        await asyncio.wait_for(hub.close(), 20)

    asyncio.run(close())
    assert [*stream(hub)] == []
