"""The rules of Reactive Streams for a subscription, kept by that of `to_publisher`."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import weakref
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from fluxus_rx import InvalidOptionError, Producer
from fluxus_rx.reactive_streams import Subscription, to_publisher
from tests.support.conduits import Fetch, Held, Numbers
from tests.support.errors import refused, untyped
from tests.support.probes import Source, alone, turns, until
from tests.support.reactive import Probe, in_thread, reported, settle

MOST = 2**63 - 1


@pytest.mark.parametrize("signal", ["on_subscribe", "on_next"])
async def test_3_02_request_may_be_called_in_a_signal(signal: str) -> None:
    """What is requested in `on_subscribe` and in `on_next` comes."""
    first, each = (6, None) if signal == "on_subscribe" else (1, 1)
    assert await Probe(first, each).of(to_publisher(Numbers(6))).all() == [0, 1, 2, 3, 4, 5]


async def test_3_03_request_signals_nothing_itself() -> None:
    """20,000 items, each requested in the signal of the one before, nest no deeper than one."""
    depths: set[int] = set()

    def measures(signal: str, argument: Any) -> None:
        depth, frame = 0, sys._getframe()
        while frame.f_back is not None:
            depth, frame = depth + 1, frame.f_back
        if signal == "on_next":
            depths.add(depth)

    probe = Probe(first=1, each=1, does=measures)
    assert len(await probe.of(to_publisher(Numbers(20_000))).all()) == 20_000
    assert probe.deepest == 1
    assert len(depths) == 1


async def test_3_04_request_returns_before_anything_happens() -> None:
    """Not even a product that is ready is signalled in it; the loop has to come round first."""
    probe = Probe().of(to_publisher(Numbers()))
    await settle()
    probe.subscription.request(1)
    assert probe.items == []
    await until(lambda: probe.items == [0])
    probe.subscription.cancel()
    await until(alone)


async def test_3_05_cancel_returns_before_the_run_has_cleaned_up() -> None:
    """It waits for nothing, though the source takes its time to close."""
    release, closed = asyncio.Event(), asyncio.Event()

    async def slow_to_close() -> AsyncIterator[int]:
        try:
            yield 1
            await asyncio.Event().wait()
        finally:
            await release.wait()
            closed.set()

    probe = Probe(first=2).of(to_publisher(slow_to_close()))
    await until(lambda: probe.items == [1])
    probe.subscription.cancel()
    probe.subscription.cancel()
    await settle()
    probe.subscription.cancel()
    assert not closed.is_set()
    release.set()
    await closed.wait()
    await until(alone)
    assert probe.names == ["on_subscribe", "on_next"]


async def test_3_05_cancel_may_be_called_by_many_threads_at_once() -> None:
    """The run ends once, whichever comes first."""
    for _ in range(20):
        source = Source()
        probe = Probe(first=5).of(to_publisher(source))
        await until(lambda probe=probe: len(probe.items) == 5)  # type: ignore[misc]
        barrier = threading.Barrier(4)

        def cancel(probe: Probe = probe, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            probe.subscription.cancel()

        threads = [threading.Thread(target=cancel) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        await until(alone)
        assert (source.opened, source.closed) == (1, 1)


async def test_3_06_request_does_nothing_after_cancel() -> None:
    """Nothing comes of it: no item, and no error for anything but a number."""
    probe = Probe(first=1).of(to_publisher(Numbers()))
    await until(lambda: len(probe.items) == 1)
    probe.subscription.cancel()
    for n in (1, 0, -1, MOST):
        probe.subscription.request(n)
    await settle()
    assert probe.names == ["on_subscribe", "on_next"]
    assert alone()


async def test_3_07_cancel_does_nothing_after_cancel() -> None:
    """Neither while the run ends nor later."""
    numbers = Numbers()
    probe = Probe(first=1).of(to_publisher(numbers))
    await until(lambda: len(probe.items) == 1)
    for _ in range(3):
        probe.subscription.cancel()
        await turns(1)
    await settle()
    probe.subscription.cancel()
    assert (numbers.opened, numbers.closed) == (1, 1)


async def test_3_08_requests_add_up() -> None:
    """What is requested while something is outstanding comes on top of it."""
    probe = Probe().of(to_publisher(Numbers()))
    for n in (3, 2, 1, 1):
        probe.subscription.request(n)
    await settle()
    assert probe.items == [0, 1, 2, 3, 4, 5, 6]
    probe.subscription.request(2)
    await settle()
    assert len(probe.items) == 9
    probe.subscription.cancel()
    await until(alone)


@pytest.mark.parametrize("n", [0, -1, -MOST, 1.0, "3", None, True])
async def test_3_09_a_request_for_no_item_is_an_error(n: Any) -> None:
    """The subscriber hears a ValueError that names the number and the rule, and nothing else."""
    numbers = Numbers()
    probe = Probe(first=2).of(to_publisher(numbers))
    await until(lambda: len(probe.items) == 2)
    probe.subscription.request(untyped(n))
    probe.subscription.request(5)
    await probe.ended.wait()
    with refused(ValueError, f"request({n!r} ", "3.9", "from 1 on"):
        raise probe.error
    assert probe.items == [0, 1]
    assert (numbers.opened, numbers.closed) == (1, 1)
    assert alone()


async def test_3_09_a_request_for_no_item_in_on_subscribe_is_an_error() -> None:
    """The run doesn't even begin."""
    numbers = Numbers()
    probe = Probe(first=0).of(to_publisher(numbers))
    await probe.ended.wait()
    assert probe.names == ["on_subscribe", "on_error"]
    assert isinstance(probe.error, InvalidOptionError)
    assert numbers.opened == 0


async def test_3_09_a_request_for_no_item_in_on_next_is_an_error() -> None:
    """No item comes behind it, though there is demand left."""
    probe = Probe(first=5, each=-3).of(to_publisher(Numbers()))
    await probe.ended.wait()
    assert probe.names == ["on_subscribe", "on_next", "on_error"]
    assert isinstance(probe.error, InvalidOptionError)


async def test_3_12_cancel_stops_the_source() -> None:
    """Nothing more is made, calls in flight are cancelled, and generators are closed."""
    numbers, held = Numbers(), Held()
    probe = Probe(first=5).of(to_publisher(numbers >> held))
    await settle()
    assert held.calls.active > 0
    made = numbers.made
    probe.subscription.cancel()
    await until(alone)
    assert numbers.made == made
    assert numbers.closed == 1
    assert held.calls.active == 0
    assert sorted(held.calls.cancelled) == held.calls.started


async def test_3_12_cancel_before_the_run_begins_keeps_it_from_beginning() -> None:
    """A subscriber that cancels in `on_subscribe` starts nothing."""

    def cancels(signal: str, argument: Any) -> None:
        probe.subscription.cancel()

    numbers = Numbers()
    probe = Probe(first=1, does=cancels)
    probe.of(to_publisher(numbers))
    await settle()
    assert probe.names == ["on_subscribe"]
    assert numbers.opened == 0


async def test_3_12_an_error_in_cleaning_up_after_cancel_is_told_to_the_loop() -> None:
    """The subscriber has left, so the loop's exception handler gets it."""
    error = OSError("can't be closed")

    async def bad_to_close() -> AsyncIterator[int]:
        try:
            while True:
                yield 1
        finally:
            raise error

    with reported() as told:
        probe = Probe(first=1).of(to_publisher(bad_to_close()))
        await until(lambda: probe.items == [1])
        probe.subscription.cancel()
        await until(lambda: bool(told))
    assert [context["exception"] for context in told] == [error]
    assert probe.names == ["on_subscribe", "on_next"]


async def test_3_12_an_error_in_cleaning_up_at_the_end_is_signalled() -> None:
    """Nothing has been left by then: the subscriber hears it."""
    error = OSError("can't be closed")

    class Closing(Producer[int]):
        def produce(self) -> Iterator[int]:
            try:
                yield 1
            finally:
                raise error

    probe = Probe(first=1).of(to_publisher(Closing()))
    await probe.ended.wait()
    assert probe.signals[1:] == [("on_next", 1), ("on_error", error)]


async def subscribed(
    source: Any, number: int
) -> tuple[Subscription, weakref.ref[Probe], asyncio.Event]:
    """The subscription of a probe that has so many items, and that only the run still knows."""
    probe = Probe(first=number).of(to_publisher(source))
    await until(lambda: len(probe.items) == number)
    return probe.subscription, weakref.ref(probe), probe.ended


@pytest.mark.parametrize("how", ["cancel", "complete", "fail", "request nothing"])
async def test_3_13_the_subscriber_is_let_go_of(how: str) -> None:
    """A subscription that is over keeps no reference to its subscriber."""
    error = ValueError("the end") if how == "fail" else None
    source = Source(None if how in ("cancel", "request nothing") else 3, error=error)
    subscription, gone, ended = await subscribed(source, 3)
    if how == "cancel":
        subscription.cancel()
    elif how == "request nothing":
        subscription.request(0)
    if how != "cancel":
        await ended.wait()
    await until(alone)
    gc.collect()
    assert gone() is None
    subscription.request(1)


async def test_3_13_the_subscriber_is_let_go_of_while_the_run_cleans_up() -> None:
    """A source that takes its time to close doesn't keep the subscriber alive."""
    release = asyncio.Event()

    async def slow_to_close() -> AsyncIterator[int]:
        try:
            while True:
                yield 1
        finally:
            await release.wait()

    subscription, gone, _ = await subscribed(slow_to_close(), 1)
    subscription.cancel()
    await settle()
    gc.collect()
    assert gone() is None
    release.set()
    await until(alone)


def outlived(probe: Probe) -> None:
    """Subscribe on a loop that is closed then, all that was left on it cancelled."""
    loop = asyncio.new_event_loop()

    async def begin() -> None:
        probe.of(to_publisher(Numbers() >> Fetch(0)))
        await settle()

    async def wind_up() -> None:
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await until(alone)

    loop.run_until_complete(begin())
    loop.run_until_complete(wind_up())
    loop.close()


def test_3_15_cancel_returns_normally_when_the_loop_is_closed() -> None:
    """A subscription that has outlived its loop can still be cancelled, from any thread."""
    probe = Probe(first=1)
    outlived(probe)
    probe.subscription.cancel()
    in_thread(probe.subscription.cancel)


def test_3_16_request_returns_normally_when_the_loop_is_closed() -> None:
    """A subscription that has outlived its loop takes any number, and does nothing."""
    probe = Probe()
    outlived(probe)
    for n in (1, 0, MOST):
        probe.subscription.request(n)
    # Who winds up a loop cancels the run, and that is an end as any other.
    assert probe.names == ["on_subscribe", "on_error"]
    assert isinstance(probe.error, asyncio.CancelledError)


async def test_3_17_a_demand_of_two_to_the_63_is_no_limit() -> None:
    """From there on it is unlimited; sums beyond it aren't an error."""
    for first, more in [(MOST, MOST), (MOST - 1, 1), (2**80, 1), (MOST, 1)]:
        probe = Probe(first).of(to_publisher(Source(50)))
        probe.subscription.request(more)
        assert await probe.all() == list(range(50))


async def test_3_17_request_may_be_called_any_number_of_times() -> None:
    """100,000 requests for one item each are as good as one."""
    probe = Probe().of(to_publisher(Numbers(100)))
    for _ in range(100_000):
        probe.subscription.request(1)
    assert await probe.all() == list(range(100))
