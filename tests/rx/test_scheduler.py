"""FlowScheduler: the run, as it travels upstream on a subscription."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
import reactivex
from reactivex import Observable, abc
from reactivex import operators as ops
from reactivex.disposable import Disposable
from reactivex.scheduler.eventloop import AsyncIOScheduler

from fluxus_rx.rx import FlowScheduler, to_observable, to_stream
from tests.support.conduits import Fetch
from tests.support.probes import BUFFER, Events, Source, alone, listed, turns


class TestScheduler:
    """FlowScheduler: the run, as it travels upstream on a subscription."""

    async def test_a_source_is_given_the_scheduler_of_the_run(self) -> None:
        """What subscribe gets is an AsyncIOScheduler of the running loop, with a demand."""
        given: list[Any] = []

        def subscribe(observer: Any, scheduler: Any = None) -> abc.DisposableBase:
            given.append(scheduler)
            observer.on_completed()
            return Disposable()

        observable = reactivex.create(subscribe).pipe(ops.map(str), ops.filter(bool))
        await listed(to_stream(observable))
        (scheduler,) = given
        assert isinstance(scheduler, FlowScheduler)
        assert isinstance(scheduler, AsyncIOScheduler)
        assert scheduler.loop is asyncio.get_running_loop()
        assert scheduler.demand.ready

    async def test_a_source_of_ones_own_can_ask_the_demand(self) -> None:
        """A hand-written source that asks before it emits stays within the reader's buffer."""
        emitted = 0

        def subscribe(observer: Any, scheduler: Any = None) -> abc.DisposableBase:
            async def emit() -> None:
                nonlocal emitted
                while True:
                    if not scheduler.demand.ready:
                        await scheduler.demand.wait()
                    observer.on_next(emitted)
                    emitted += 1

            task = asyncio.get_running_loop().create_task(emit())
            return Disposable(lambda: _cancel(task))

        observable = reactivex.create(subscribe).pipe(ops.map(_next))
        async with to_stream(observable).stream() as streamer:
            for read in range(1, 60):
                assert await streamer.__anext__() == read
                await turns()
                assert emitted <= read + BUFFER + 1
        await turns()
        assert alone()

    async def test_operators_that_need_time_run_on_the_loop(self) -> None:
        """An operator that schedules uses the run's scheduler, without a thread of its own."""
        threads = set(threading.enumerate())
        delayed = to_observable(Source(3)).pipe(ops.delay(0.0), ops.observe_on(_here()))
        assert await listed(to_stream(delayed)) == [0, 1, 2]
        assert set(threading.enumerate()) == threads


def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()


def _next(item: int) -> int:
    return item + 1


def _here() -> AsyncIOScheduler:
    return AsyncIOScheduler(asyncio.get_running_loop())


def scheduling(act: Callable[[abc.SchedulerBase, Any], Any]) -> Observable[Any]:
    """An Observable that does something with its scheduler and its observer."""

    def subscribe(observer: Any, scheduler: Any = None) -> abc.DisposableBase:
        act(scheduler, observer)
        return Disposable()

    return reactivex.create(subscribe)


def _failing(scheduler: abc.SchedulerBase, observer: Any) -> None:
    def action(*_: object) -> None:
        raise LookupError("action")

    scheduler.schedule(action)


class TestScheduling:
    """Actions that sources and operators put on the scheduler of a run."""

    async def test_an_action_that_raises_ends_a_stream(self) -> None:
        """Nothing in Rx hears of an error in a scheduled action; here it is that of the run."""
        with pytest.raises(LookupError, match="action"):
            await listed(to_stream(scheduling(_failing)))
        await turns()
        assert alone()

    async def test_an_action_that_raises_ends_a_flow(self) -> None:
        """The error of a scheduled action upstream reaches the observer of an asynchronous step."""
        events = Events()
        events.of(scheduling(_failing).pipe(Fetch()))
        await events.ended.wait()
        await turns()
        assert [str(error) for error in events.errors] == ["action"]
        assert alone()

    @pytest.mark.parametrize("how", ["at once", "after a while", "at a time"])
    @pytest.mark.parametrize("where", ["on the loop", "in a thread"])
    async def test_an_action_runs_on_the_loop(self, how: str, where: str) -> None:
        """From whatever thread work is scheduled, it runs on the loop's thread."""
        ran: list[int] = []

        def act(scheduler: abc.SchedulerBase, observer: Any) -> None:
            def action(*_: object) -> None:
                ran.append(threading.get_ident())
                observer.on_completed()

            def schedule() -> None:
                if how == "at once":
                    scheduler.schedule(action)
                elif how == "after a while":
                    scheduler.schedule_relative(1e-6, action)
                else:
                    scheduler.schedule_absolute(scheduler.now, action)

            if where == "on the loop":
                schedule()
            else:
                threading.Thread(target=schedule).start()

        assert await listed(to_stream(scheduling(act))) == []
        assert ran == [threading.get_ident()]

    async def test_an_action_can_be_cancelled(self) -> None:
        """A disposed action never runs, whether it waits for its turn or for its time."""
        ran: list[str] = []
        scheduler = FlowScheduler(asyncio.get_running_loop())
        scheduler.schedule(lambda *_: ran.append("soon")).dispose()
        scheduler.schedule_relative(0.0, lambda *_: ran.append("later")).dispose()
        await turns()
        assert ran == []

    async def test_a_scheduler_is_made_of_what_there_is(self) -> None:
        """FlowScheduler.of keeps one of its own, takes the loop of another, or the running one."""
        loop = asyncio.get_running_loop()
        mine = FlowScheduler(loop)
        assert FlowScheduler.of(mine) is mine
        assert FlowScheduler.of(AsyncIOScheduler(loop)).loop is loop
        assert FlowScheduler.of(None).loop is loop
        other = asyncio.new_event_loop()
        assert FlowScheduler.of(AsyncIOScheduler(other)).loop is other
        other.close()

    def test_without_a_loop_there_is_none(self) -> None:
        """FlowScheduler.of(None) outside of a loop is a RuntimeError that says what to do."""
        with pytest.raises(RuntimeError, match="loop"):
            FlowScheduler.of(None)
