"""Publishers of flows that other threads subscribe to, request from and cancel."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from reactivex.scheduler.eventloop import AsyncIOThreadSafeScheduler

from fluxus_rx.reactive_streams import to_publisher
from tests.support.conduits import Fetch, Numbers
from tests.support.errors import refused
from tests.support.probes import Source, alone, until
from tests.support.reactive import Probe, in_thread, settle


async def test_requests_and_cancel_come_from_any_thread() -> None:
    """Many threads request, one at a time or together, and no item is lost or too many."""
    probe = Probe().of(to_publisher(Numbers() >> Fetch(0).options(ordered=True)))

    def request() -> None:
        for n in range(1, 11):
            probe.subscription.request(n)

    threads = [threading.Thread(target=request) for _ in range(4)]
    for thread in threads:
        thread.start()
    await until(lambda: len(probe.items) == 4 * 55)
    await settle()
    assert probe.items == list(range(220))
    assert probe.threads == {threading.get_ident()}
    for thread in threads:
        thread.join()
    in_thread(probe.subscription.cancel)
    await until(alone)


async def test_subscribing_in_a_thread_runs_on_the_loop_of_the_scheduler() -> None:
    """The subscriber hears `on_subscribe` in its thread, and everything else on the loop."""
    loop = asyncio.get_running_loop()
    publisher = to_publisher(Source(3), scheduler=AsyncIOThreadSafeScheduler(loop))
    heard: list[tuple[str, bool]] = []
    here = threading.get_ident()

    def notes(signal: str, argument: Any) -> None:
        heard.append((signal, threading.get_ident() == here))

    probe = Probe(first=9, does=notes)
    in_thread(lambda: probe.of(publisher))
    assert await probe.all() == [0, 1, 2]
    assert heard == [("on_subscribe", False), *3 * [("on_next", True)], ("on_complete", True)]


async def test_cancelling_in_a_thread_before_the_loop_has_begun_starts_nothing() -> None:
    """The loop hears of the subscription and of its end, and runs nothing."""
    loop, numbers = asyncio.get_running_loop(), Numbers()
    publisher = to_publisher(numbers, scheduler=AsyncIOThreadSafeScheduler(loop))
    probe = Probe(first=9)

    def comes_and_goes() -> None:
        probe.of(publisher).subscription.cancel()

    in_thread(comes_and_goes)
    await settle()
    assert probe.names == ["on_subscribe"]
    assert numbers.opened == 0


def test_a_closed_loop_is_told_to_the_subscriber() -> None:
    """A scheduler whose loop is closed runs nothing, and the subscriber hears so."""
    loop = asyncio.new_event_loop()
    loop.close()
    probe = Probe().of(to_publisher(Numbers(1), scheduler=AsyncIOThreadSafeScheduler(loop)))
    with refused(RuntimeError, "is closed"):
        raise probe.error
