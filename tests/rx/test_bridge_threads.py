"""Sources that emit from other threads: nothing lost, one event at a time, on the loop's thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import reactivex
from reactivex import Observable, abc
from reactivex import operators as ops
from reactivex.disposable import Disposable
from reactivex.scheduler import NewThreadScheduler
from reactivex.scheduler.eventloop import AsyncIOScheduler, AsyncIOThreadSafeScheduler
from reactivex.subject import Subject

from fluxus_rx import AsyncTransformer, Passthrough, Transformer, arun, step
from fluxus_rx.rx import to_stream
from tests.support.probes import alone, drained, listed, turns, until

THREADS = 4
EACH = 250


class FromThreads(Observable[int]):
    """Emits from several threads at once, without a lock, against the grammar of Rx.

    The completion, or the `error`, comes from a thread of its own when all others have ended.
    """

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__()
        self.error = error
        self.disposed = threading.Event()
        self.ended = threading.Event()

    def _subscribe_core(
        self, observer: abc.ObserverBase[int], scheduler: abc.SchedulerBase | None = None
    ) -> abc.DisposableBase:
        start = threading.Barrier(THREADS)

        def emit(thread: int) -> None:
            start.wait()
            for number in range(EACH):
                if self.disposed.is_set():
                    return
                observer.on_next(thread * EACH + number)

        def conduct() -> None:
            threads = [threading.Thread(target=emit, args=(n,)) for n in range(THREADS)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            if self.error is not None:
                observer.on_error(self.error)
            else:
                observer.on_completed()
            self.ended.set()

        threading.Thread(target=conduct).start()
        return Disposable(self.disposed.set)


ALL = list(range(THREADS * EACH))


def of_one_thread(found: list[int], thread: int) -> list[int]:
    return [item for item in found if item // EACH == thread]


class Fetch(AsyncTransformer[int, int]):
    """An asynchronous step that notes on which threads it runs."""

    def __init__(self) -> None:
        self.threads: set[int] = set()

    async def atransform(self, product: int) -> AsyncIterator[int]:
        self.threads.add(threading.get_ident())
        await asyncio.sleep(0)
        yield product


class After(Transformer[int, int]):
    """A synchronous step that notes on which threads it runs, and how many calls at once."""

    def __init__(self) -> None:
        self.threads: set[int] = set()
        self.active = self.peak = 0

    def transform(self, product: int) -> Any:
        self.active += 1
        self.peak = max(self.peak, self.active)
        self.threads.add(threading.get_ident())
        yield product
        self.active -= 1


async def test_nothing_is_lost_on_the_way_into_a_stream() -> None:
    """All items of all threads are read, those of one thread in their order."""
    found = await listed(to_stream(FromThreads()))
    assert sorted(found) == ALL
    for thread in range(THREADS):
        assert of_one_thread(found, thread) == sorted(of_one_thread(found, thread))


async def test_nothing_is_lost_on_the_way_into_an_asynchronous_step() -> None:
    """An asynchronous step is called with each item of each thread."""
    assert sorted(await FromThreads().pipe(Fetch(), ops.to_list())) == ALL


async def test_nothing_is_lost_on_the_way_into_a_group() -> None:
    """Each path of a group gets each item of each thread."""
    found = await FromThreads().pipe(Fetch() & After() & Passthrough(), ops.to_list())
    assert sorted(found) == sorted(ALL * 3)


async def test_nothing_is_lost_on_the_way_into_a_flow() -> None:
    """Threads may feed the Observable that is the data of a step."""
    rows = FromThreads().pipe(ops.map(lambda item: {"x": item}))
    result = await arun(step("rows", rows) >> step("same", lambda x: {"y": x}))
    assert sorted(output["same"]["y"] for output in result.get_outputs()) == ALL


async def test_taking_two_tells_the_threads_to_stop() -> None:
    """When enough has come through an asynchronous step, the source is disposed of."""
    source = FromThreads()
    assert len(await source.pipe(Fetch(), ops.take(2), ops.to_list())) == 2
    await until(source.disposed.is_set)
    await until(source.ended.is_set)
    await turns()
    assert alone()


async def test_the_error_of_a_thread_comes_last_and_as_it_is() -> None:
    """An error that a thread reports is raised behind all items, as the very object."""
    error = LookupError("thread")
    seen: list[int] = []
    with pytest.raises(LookupError) as caught:
        await drained(to_stream(FromThreads(error)), seen)
    assert caught.value is error
    assert sorted(seen) == ALL


async def test_steps_run_on_the_thread_of_the_loop() -> None:
    """An asynchronous step, and what follows it, run on the loop's thread."""
    fetch, after = Fetch(), After()
    observed: set[int] = set()
    await FromThreads().pipe(
        fetch, after, ops.do_action(lambda _: observed.add(threading.get_ident()))
    )
    assert fetch.threads == after.threads == observed == {threading.get_ident()}


async def test_an_observer_sees_one_event_at_a_time_and_the_completion_last() -> None:
    """After an asynchronous step there are never two on_next at once, and nothing after the end."""
    busy = threading.Lock()
    clashes: list[Any] = []
    events: list[Any] = []
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_next(item: int) -> None:
        if not busy.acquire(blocking=False):
            clashes.append(item)
            return
        events.append(item)
        busy.release()

    def on_completed() -> None:
        events.append("completed")
        loop.call_soon_threadsafe(ended.set)

    after = After()
    FromThreads().pipe(Fetch(), after).subscribe(on_next, events.append, on_completed)
    await ended.wait()
    await turns()
    assert clashes == []
    assert after.peak == 1
    assert events[-1] == "completed"
    assert sorted(events[:-1]) == ALL


async def test_a_synchronous_step_alone_stays_in_the_emitting_thread() -> None:
    """Without an asynchronous stage a step is plain Rx, and runs where its source emits."""
    after = After()
    seen: set[int] = set()
    ended = threading.Event()

    class OneThread(Observable[int]):
        def _subscribe_core(
            self, observer: abc.ObserverBase[int], scheduler: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            def emit() -> None:
                seen.add(threading.get_ident())
                observer.on_next(1)
                observer.on_completed()
                ended.set()

            threading.Thread(target=emit).start()
            return Disposable()

    OneThread().pipe(after).subscribe()
    await until(ended.is_set)
    assert after.threads == seen
    assert threading.get_ident() not in seen


async def test_leaving_tells_the_threads_to_stop() -> None:
    """When the reader leaves, the source is disposed of, and late items do no harm."""
    source = FromThreads()
    async with to_stream(source).stream() as streamer:
        await streamer.__anext__()
    assert source.disposed.is_set()
    await until(source.ended.is_set)
    await turns()


async def test_a_subject_may_be_fed_from_a_thread() -> None:
    """Items that another thread pushes into a Subject arrive, each once and in order."""
    subject: Subject[int] = Subject()
    task = asyncio.create_task(listed(to_stream(subject)))
    await until(lambda: len(subject.observers) == 1)

    def push() -> None:
        for number in range(1_000):
            subject.on_next(number)
        subject.on_completed()

    thread = threading.Thread(target=push)
    thread.start()
    assert await task == list(range(1_000))
    thread.join()


async def test_an_operator_may_change_threads_on_the_way() -> None:
    """An Observable that Rx moves to a thread of its own comes back to the loop for the step."""
    fetch = Fetch()
    moved = reactivex.from_iterable(range(50)).pipe(
        ops.subscribe_on(NewThreadScheduler()), fetch, ops.to_list()
    )
    assert sorted(await moved) == list(range(50))
    assert fetch.threads == {threading.get_ident()}


async def test_a_flow_can_be_subscribed_to_from_another_thread() -> None:
    """With a thread-safe scheduler of the loop, a thread that has no loop may subscribe."""
    fetch = Fetch()
    events: list[Any] = []
    ended = asyncio.Event()
    scheduler = AsyncIOThreadSafeScheduler(asyncio.get_running_loop())
    loop = asyncio.get_running_loop()

    def subscribe() -> None:
        reactivex.of(1, 2, 3).pipe(fetch).subscribe(
            events.append,
            events.append,
            lambda: loop.call_soon_threadsafe(ended.set),  # type: ignore[arg-type]
            scheduler=scheduler,
        )

    await asyncio.to_thread(subscribe)
    await ended.wait()
    assert sorted(events) == [1, 2, 3]
    assert fetch.threads == {threading.get_ident()}


@pytest.mark.parametrize("kind", [AsyncIOScheduler, AsyncIOThreadSafeScheduler])
async def test_a_flow_can_be_disposed_of_from_another_thread(
    kind: Callable[[asyncio.AbstractEventLoop], AsyncIOScheduler],
) -> None:
    """dispose() called in another thread cancels what is in flight, on the loop."""
    cancelled: list[int] = []
    started = asyncio.Event()

    class Held(AsyncTransformer[int, int]):
        async def atransform(self, product: int) -> AsyncIterator[int]:
            try:
                started.set()
                await asyncio.Event().wait()
                yield product
            finally:
                cancelled.append(threading.get_ident())

    events: list[Any] = []
    held = reactivex.of(1).pipe(Held())
    subscription = held.subscribe(
        events.append, events.append, scheduler=kind(asyncio.get_running_loop())
    )
    await started.wait()
    await asyncio.to_thread(subscription.dispose)
    await until(lambda: len(cancelled) == 1)
    await turns()
    assert cancelled == [threading.get_ident()]
    assert events == []
    assert alone()
