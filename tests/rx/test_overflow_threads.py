"""Items from other threads: held or dropped where they are emitted, and the loop is woken."""

from __future__ import annotations

import asyncio
import gc
import threading
from functools import partial
from typing import Any

import pytest
import reactivex
from reactivex import Observable
from reactivex import operators as ops
from reactivex.scheduler import NewThreadScheduler
from reactivex.subject import Subject

from fluxus_rx import BufferOverflowError, Transformer, from_observable, rx_pipe, start, step
from tests.support.conduits import Add
from tests.support.emitting import EACH, THREADS, Asleep, Emitters, in_order, switching, within
from tests.support.hot import DROPPING, POLICIES, Item, Rude, items_of
from tests.support.probes import alone, drained, turns, until


class TestManyThreads:
    """Several emitters at once."""

    async def test_keep_loses_nothing(self) -> None:
        """All come, those of each thread in its order."""
        emitters = Emitters()
        seen: list[Any] = []
        with switching():
            reading = asyncio.ensure_future(drained(from_observable(emitters.source), seen))
            await until(lambda: bool(emitters.source.observers))
            emitters.start()
            await asyncio.to_thread(emitters.conclude)
            await reading
        assert in_order(seen)
        assert len(seen) == THREADS * EACH

    @pytest.mark.parametrize("overflow", DROPPING)
    @pytest.mark.parametrize("pace", [0, 1, 20])
    async def test_each_item_is_taken_or_counted_as_dropped(self, overflow: Any, pace: int) -> None:
        """And none comes twice, or before one that its thread emitted earlier."""
        emitters = Emitters()
        seen: list[tuple[int, int]] = []

        async def take(x: tuple[int, int]) -> dict[str, Any]:
            seen.append(x)
            await turns(pace)
            return {"y": x}

        buffer = None if overflow == "latest" else 3
        source = from_observable(emitters.source, "x", buffer=buffer, overflow=overflow)
        with switching():
            async with start(source >> step("take", take).options(concurrency=1)) as running:
                emitters.start()
                await asyncio.to_thread(emitters.conclude)
                (outputs,) = await running.result()
        stats = running.stats()["x"]
        assert in_order(seen)
        assert len(outputs) == len(seen) == stats.done
        assert stats.done + stats.dropped == emitters.emitted == THREADS * EACH
        assert stats.waiting == 0

    async def test_a_buffer_that_has_room_for_all_drops_none(self) -> None:
        """Whatever the threads do."""
        emitters = Emitters()
        source = from_observable(emitters.source, buffer=THREADS * EACH, overflow="error")
        seen: list[Any] = []
        with switching():
            reading = asyncio.ensure_future(drained(source, seen))
            await until(lambda: bool(emitters.source.observers))
            emitters.start()
            await asyncio.to_thread(emitters.conclude)
            await reading
        assert len(seen) == THREADS * EACH
        assert in_order(seen)

    async def test_an_overflow_error_comes_behind_what_waited(self) -> None:
        """Of the threads together, no more than the size."""
        emitters = Emitters()
        source = from_observable(emitters.source, buffer=5, overflow="error")
        items, seen = items_of(source), []
        first = asyncio.ensure_future(anext(items))
        await until(lambda: bool(emitters.source.observers))
        emitters.start()
        emitters.conclude()  # the loop stands still meanwhile
        seen.append(await first)
        with pytest.raises(BufferOverflowError):
            await drained(items, seen)
        assert len(seen) == 5
        assert in_order(seen)

    @pytest.mark.parametrize("overflow", POLICIES)
    async def test_leaving_while_they_emit_leaves_nothing_behind(self, overflow: Any) -> None:
        """What they emit afterwards goes nowhere, and raises nothing in them."""
        emitters = Emitters(each=1_000_000)
        source = from_observable(emitters.source, overflow=overflow)
        items = items_of(source)
        first = asyncio.ensure_future(anext(items))
        await until(lambda: bool(emitters.source.observers))
        emitters.start()
        assert (await first)[1] >= 0
        await items.aclose()
        assert alone()
        so_far = emitters.emitted
        await until(lambda: emitters.emitted > so_far + 100)
        emitters.over.set()
        await asyncio.to_thread(emitters.conclude)

    @pytest.mark.parametrize("overflow", POLICIES)
    def test_they_may_go_on_when_the_loop_is_closed(self, overflow: Any) -> None:
        """A thread that has not heard of the end is told nothing."""
        source = Rude()

        async def main() -> None:
            items = items_of(from_observable(source, overflow=overflow))
            first = asyncio.ensure_future(anext(items))
            await until(lambda: bool(source.observers))
            source.observers[0].on_next(1)
            assert await first == 1
            await items.aclose()

        asyncio.run(main())
        raised: list[Exception] = []

        def emit() -> None:
            try:
                for number in range(100):
                    source.observers[0].on_next(number)
                source.observers[0].on_completed()
            except Exception as error:
                raised.append(error)

        within(emit)
        assert raised == []

    @pytest.mark.parametrize("overflow", POLICIES)
    async def test_what_they_emit_after_the_end_is_let_go(self, overflow: Any) -> None:
        """A source that doesn't respect the end has its observer, but nothing is held there."""
        source = Rude()
        items = items_of(from_observable(source, overflow=overflow))
        first = asyncio.ensure_future(anext(items))
        await until(lambda: bool(source.observers))
        within(lambda: source.observers[0].on_next(None))
        assert await first is None
        await items.aclose()
        within(lambda: [source.observers[0].on_next(Item()) for _ in range(100)])
        await turns()
        assert Item.alive == 0


class TestWaking:
    """The loop that sleeps."""

    @pytest.mark.parametrize("overflow", POLICIES)
    async def test_an_item_wakes_the_loop_at_once(self, overflow: Any) -> None:
        """It sleeps in its select, for an hour; nothing else would wake it."""
        source = Rude()
        items = items_of(from_observable(source, overflow=overflow))
        asleep = Asleep()
        first = asyncio.ensure_future(anext(items))
        await until(lambda: bool(source.observers))
        for number in range(20):
            thread = asleep.then(partial(source.observers[0].on_next, number))
            assert await first == number
            thread.join()
            first = asyncio.ensure_future(anext(items))
        thread = asleep.then(source.observers[0].on_completed)
        with pytest.raises(StopAsyncIteration):
            await first
        thread.join()
        asleep.end()

    @pytest.mark.parametrize("overflow", POLICIES)
    async def test_an_error_wakes_it_too(self, overflow: Any) -> None:
        """The very object comes."""
        source, error = Rude(), LookupError("bad")
        first = asyncio.ensure_future(anext(items_of(from_observable(source, overflow=overflow))))
        asleep = Asleep()
        await until(lambda: bool(source.observers))
        thread = asleep.then(lambda: source.observers[0].on_error(error))
        with pytest.raises(LookupError) as caught:
            await first
        assert caught.value is error
        thread.join()
        asleep.end()

    @pytest.mark.parametrize("overflow", [*DROPPING, "error"])
    async def test_a_burst_wakes_it_too(self, overflow: Any) -> None:
        """Also where it drops, or fails, before the loop has moved."""
        source = Rude()
        items = items_of(from_observable(source, buffer=1, overflow=overflow))
        asleep = Asleep()
        first = asyncio.ensure_future(anext(items))
        await until(lambda: bool(source.observers))
        thread = asleep.then(lambda: [source.observers[0].on_next(n) for n in range(1_000)])
        assert await first in range(1_000)
        thread.join()
        await items.aclose()
        asleep.end()

    @pytest.mark.parametrize("overflow", POLICIES)
    async def test_no_wake_up_is_ever_lost(self, overflow: Any) -> None:
        """A thread that emits one item after the other, each when the one before it was read."""
        source, taken, count = Rude(), threading.Semaphore(1), 3_000

        def emit() -> None:
            for number in range(count):
                taken.acquire()
                source.observers[0].on_next(number)
            source.observers[0].on_completed()

        items = items_of(from_observable(source, overflow=overflow))
        thread = threading.Thread(target=emit)
        seen: list[int] = []
        first = asyncio.ensure_future(anext(items))
        await until(lambda: bool(source.observers))
        with switching():
            thread.start()
            seen.append(await first)
            taken.release()
            async for item in items:
                seen.append(item)
                taken.release()
            thread.join()
        assert seen == [*range(count)]

    async def test_a_buffer_in_front_of_an_operator_takes_them_too(self) -> None:
        """A transformer that is an operator of Rx gets what the threads emit."""
        source: Subject[int] = Subject()
        flow: Transformer[int, int] = Add(1).buffered(2, "drop_oldest")
        seen: list[int] = []
        ended = asyncio.Event()
        source.pipe(flow).subscribe(seen.append, print, ended.set)
        asleep = Asleep()
        await turns()

        def emit() -> None:
            for number in (1, 2, 3):
                source.on_next(number)
            source.on_completed()

        thread = asleep.then(emit)
        await ended.wait()
        thread.join()
        assert seen[-2:] == [3, 4]
        asleep.end()

    @pytest.mark.parametrize("overflow", POLICIES)
    async def test_a_scheduler_of_threads_emits_as_well(self, overflow: Any) -> None:
        """What it says last is read at the end."""
        # Not by observe_on: a thread of its scheduler now and then outlives what it was made for.
        numbers: Observable[int] = reactivex.range(10).pipe(ops.subscribe_on(NewThreadScheduler()))
        buffer = None if overflow == "latest" else 10
        seen: list[int] = []
        await drained(from_observable(numbers, buffer=buffer, overflow=overflow), seen)
        assert seen == sorted(set(seen))
        assert seen[-1] == 9
        if overflow != "latest":
            assert seen == [*range(10)]


class TestBusyLoop:
    """A loop that stands still while a thread emits."""

    @pytest.mark.parametrize("overflow", DROPPING)
    async def test_no_more_than_the_size_are_kept_of_100_000(self, overflow: Any) -> None:
        """They are dropped in the thread that emits them."""
        gc.collect()
        assert Item.alive == 0
        size = 1 if overflow == "latest" else 50
        source = Rude()
        items = items_of(from_observable(source, buffer=size, overflow=overflow))
        first = asyncio.ensure_future(anext(items))
        await until(lambda: bool(source.observers))
        most = 0

        def emit() -> None:
            nonlocal most
            observer = source.observers[0]
            for _ in range(100_000):
                observer.on_next(Item())
                most = max(most, Item.alive)
            observer.on_completed()

        within(emit)
        assert most == Item.alive == size
        assert isinstance(await first, Item)
        assert len([item async for item in items]) == size - 1

    @pytest.mark.parametrize("overflow", DROPPING)
    async def test_what_was_dropped_is_counted(self, overflow: Any) -> None:
        """Each of them."""
        source, size = Rude(), 1 if overflow == "latest" else 50
        flow = from_observable(source, "x", buffer=size, overflow=overflow)
        async with start(flow >> step("seen", lambda x: {"seen": x})) as running:
            await turns()

            def emit() -> None:
                for number in range(100_000):
                    source.observers[0].on_next(number)
                source.observers[0].on_completed()

            within(emit)
            assert running.stats()["x"].dropped == 100_000 - size
            (outputs,) = await running.result()
        kept = range(size) if overflow == "drop_newest" else range(100_000 - size, 100_000)
        assert [output["seen"]["seen"] for output in outputs] == [*kept]
        assert running.stats()["x"].done == size

    async def test_an_overflow_ends_the_source_in_its_own_thread(self) -> None:
        """It is left while the loop still stands."""
        subject: Subject[int] = Subject()
        seen: list[int] = []
        reading = asyncio.ensure_future(
            drained(from_observable(subject, buffer=3, overflow="error"), seen)
        )
        await until(lambda: bool(subject.observers))

        def emit() -> None:
            for number in range(10):
                subject.on_next(number)

        within(emit)
        assert subject.observers == []
        with pytest.raises(BufferOverflowError):
            await reading
        assert seen == [0, 1, 2]

    async def test_a_run_that_is_cancelled_amid_emission_keeps_its_numbers(self) -> None:
        """What it had done and dropped by then."""
        emitters = Emitters(each=1_000_000)
        flow = from_observable(emitters.source, "x", overflow="drop_oldest")
        async with start(flow >> rx_pipe(ops.filter(bool))) as running:
            emitters.start()
            await until(lambda: running.stats()["x"].done > 100)
        stats = running.stats()["x"]
        emitters.over.set()
        await asyncio.to_thread(emitters.conclude)
        assert running.stats()["x"] == stats
        assert stats.done + stats.dropped <= emitters.emitted
