"""Asynchronous flows as Rx operators: how they end, by themselves and before their time."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import reactivex
from reactivex import Observable
from reactivex import operators as ops
from reactivex.scheduler.eventloop import AsyncIOScheduler
from reactivex.subject import Subject

from fluxus_rx import AsyncTransformer
from fluxus_rx.rx import to_observable
from tests.support.conduits import ASYNC_FLOWS, Add, AsyncFail, Fail, Fetch, Held
from tests.support.probes import Events, Source, alone, turns, until

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="untouched")

#: mypy can't infer the item type of an operator that is called without an argument
FUTURE: Any = ops.to_future()


@pytest.fixture(params=ASYNC_FLOWS)
def flow(request: pytest.FixtureRequest) -> Any:
    return ASYNC_FLOWS[request.param]()


class TestLeavingEarly:
    """take, dispose, a time-out: what is in flight is cancelled, what is open is closed."""

    async def test_taking_two_of_an_endless_source(self, flow: Any) -> None:
        """take(2) emits two products and closes the source."""
        source = Source()
        found = await to_observable(source).pipe(flow, ops.take(2), ops.to_list())
        assert len(found) == 2
        await until(lambda: source.closed == 1)
        await turns()
        assert alone()

    async def test_taking_cancels_the_calls_in_flight(self) -> None:
        """Calls that are not needed any more end as cancelled, and emit nothing."""
        held = Held()

        class FirstIsQuick(AsyncTransformer[int, int]):
            async def atransform(self, product: int) -> AsyncIterator[int]:
                yield product if product == 0 else await held.calls.held(product)

        source = Source(10)
        found = await to_observable(source).pipe(FirstIsQuick(), ops.take(1), ops.to_list())
        assert found == [0]
        await turns()
        assert held.calls.active == 0
        assert held.calls.cancelled == held.calls.started
        assert alone()

    async def test_taking_closes_open_generators(self) -> None:
        """A generator that has more to yield runs its finally clause."""
        closed: list[int] = []

        class Endless(AsyncTransformer[int, int]):
            async def atransform(self, product: int) -> AsyncIterator[int]:
                try:
                    while True:
                        yield product
                        await asyncio.sleep(0)
                finally:
                    closed.append(product)

        assert await reactivex.of(1).pipe(Endless(), ops.take(3), ops.to_list()) == [1, 1, 1]
        await until(lambda: closed == [1])
        await turns()
        assert alone()

    async def test_disposing_mid_way_lets_nothing_more_through(self, flow: Any) -> None:
        """After dispose() an observer hears nothing, and a few turns later nothing runs."""
        source = Source()
        events = Events()
        subscription = events.of(to_observable(source).pipe(flow))
        await until(lambda: len(events.items) >= 5)
        subscription.dispose()
        heard = list(events.items)
        await turns()
        assert events.items == heard
        assert events.errors == []
        assert events.completions == 0
        assert source.closed == 1
        assert alone()

    async def test_disposing_at_once_starts_nothing(self, flow: Any) -> None:
        """A subscription that is disposed of before the loop goes on runs no step."""
        source = Source()
        events = Events()
        events.of(to_observable(source).pipe(flow)).dispose()
        await turns()
        assert events.items == []
        assert source.opened == source.closed
        assert alone()

    async def test_disposing_cancels_the_calls_in_flight(self) -> None:
        """All calls that wait are cancelled by dispose()."""
        held = Held()
        subscription = reactivex.of(1, 2, 3).pipe(held).subscribe()
        await until(lambda: held.calls.active == 3)
        subscription.dispose()
        await turns()
        assert sorted(held.calls.cancelled) == [1, 2, 3]
        assert alone()

    async def test_disposing_unsubscribes_upstream(self, flow: Any) -> None:
        """A source that only listens is let go of at once."""
        subject: Subject[int] = Subject()
        subscription = subject.pipe(flow).subscribe()
        await turns()
        assert len(subject.observers) == 1
        subscription.dispose()
        await turns()
        assert subject.observers == []

    async def test_a_timeout_around_an_await_cancels_the_calls(self) -> None:
        """asyncio.timeout around await source.pipe(flow) raises TimeoutError and cleans up."""
        held = Held()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await reactivex.of(1, 2).pipe(Add(1), held)
        await turns()
        assert held.calls.active == 0
        assert alone()

    async def test_a_cancelled_await_cancels_the_calls(self) -> None:
        """A task that awaits a pipeline and is cancelled takes the pipeline with it."""
        held = Held()
        source = Source(5)
        numbers = to_observable(source).pipe(held, Fetch())

        async def wait() -> int:
            return await numbers

        task = asyncio.create_task(wait())
        await until(lambda: held.calls.active == 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await turns()
        assert sorted(held.calls.cancelled) == [0, 1, 2, 3, 4]
        assert alone()

    async def test_a_cancelled_future_cancels_the_calls(self) -> None:
        """Cancelling what to_future() returned disposes of the pipeline."""
        held = Held()
        future: asyncio.Future[int] = reactivex.of(1).pipe(held, FUTURE)
        await until(lambda: held.calls.active == 1)
        future.cancel()
        await turns()
        assert held.calls.cancelled == [1]
        assert alone()

    @pytest.mark.parametrize("where", ["on the loop", "in a thread"])
    async def test_a_timeout_of_rx_cancels_the_calls(self, where: str) -> None:
        """ops.timeout below a flow ends it from wherever its timer runs; calls are cancelled."""
        held = Held()
        events = Events()
        late: Observable[int] = reactivex.of(1).pipe(held).pipe(ops.timeout(0.0))
        if where == "on the loop":
            events.of(late, scheduler=AsyncIOScheduler(asyncio.get_running_loop()))
        else:
            events.of(late)
        await events.ended.wait()
        await until(lambda: held.calls.active == 0 and alone())
        assert len(events.errors) == 1
        assert held.calls.active == 0
        assert alone()

    async def test_switching_disposes_of_the_flow_before(self) -> None:
        """switch_latest leaves one flow for the next and cancels what the first one did."""
        first, second = Held(), Fetch(10)
        outer: Subject[Observable[int]] = Subject()
        events = Events()
        events.of(outer.pipe(ops.switch_latest()))
        outer.on_next(reactivex.of(1).pipe(first))
        await until(lambda: first.calls.active == 1)
        outer.on_next(reactivex.of(1).pipe(second))
        outer.on_completed()
        await events.ended.wait()
        await turns()
        assert events.items == [11]
        assert first.calls.cancelled == [1]


class TestErrors:
    """One error, the very object that was raised, and everything ended behind it."""

    async def test_the_error_of_the_source_comes_through(self, flow: Any) -> None:
        """on_error gets the very object that the source reported, once."""
        error = LookupError("source")
        events = Events()
        events.of(to_observable(Source(3, error=error)).pipe(flow))
        await events.ended.wait()
        await turns()
        assert len(events.errors) == 1
        assert events.errors[0] is error
        assert events.completions == 0
        assert alone()

    @pytest.mark.parametrize("make", [Fail, AsyncFail], ids=lambda make: make.__name__)
    async def test_the_error_of_a_step_comes_through(self, make: Callable[..., Any]) -> None:
        """on_error gets the very object that a step raised; the source is disposed of."""
        error = LookupError("step")
        source = Source()
        events = Events()
        events.of(to_observable(source).pipe(Fetch(), make(error, at=2), Fetch()))
        await events.ended.wait()
        await turns()
        assert len(events.errors) == 1
        assert events.errors[0] is error
        assert source.closed == 1
        assert alone()

    async def test_the_error_of_one_branch_ends_all_branches(self) -> None:
        """A step that fails in one branch cancels the calls of the others."""
        error = LookupError("branch")
        held = Held()
        events = Events()
        events.of(reactivex.of(1, 2, 3).pipe(held & (Fetch() >> Fail(error, at=2)) & Fetch()))
        await events.ended.wait()
        await turns()
        assert [one is error for one in events.errors] == [True]
        assert sorted(held.calls.cancelled) == sorted(held.calls.started)
        assert alone()

    async def test_an_awaited_flow_raises_the_very_error(self) -> None:
        """await source.pipe(flow) raises what the step raised."""
        error = LookupError("step")
        with pytest.raises(LookupError) as caught:
            await reactivex.of(1, 2, 3).pipe(AsyncFail(error, at=2))
        assert caught.value is error
        await turns()
        assert alone()

    async def test_an_error_below_a_flow_disposes_of_it(self) -> None:
        """A mapper that raises below a flow cancels what the flow has in flight."""
        error = LookupError("mapper")

        def fail(_: int) -> int:
            raise error

        source = Source()
        events = Events()
        events.of(to_observable(source).pipe(Fetch(), ops.map(fail)))
        await events.ended.wait()
        await turns()
        assert [one is error for one in events.errors] == [True]
        assert source.closed == 1
        assert alone()

    async def test_an_observer_that_raises_ends_the_flow(self, flow: Any) -> None:
        """When on_next raises, everything is cleaned up, and the loop is told of the error."""
        error = LookupError("observer")
        told: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: told.append(context.get("exception"))
        )
        source = Source()

        def on_next(_: int) -> None:
            raise error

        to_observable(source).pipe(flow).subscribe(on_next, told.append)
        await until(lambda: source.closed == 1)
        await turns()
        assert error in told
        assert alone()

    @pytest.mark.parametrize("end", ["completion", "error"])
    async def test_an_observer_that_raises_at_the_end_is_told_of(self, end: str) -> None:
        """What on_completed or on_error raises is not lost: the loop is told of it."""
        error = LookupError("observer")
        told: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: told.append(context.get("exception"))
        )

        def fail(*_: object) -> None:
            raise error

        step: Any = Fetch() if end == "completion" else AsyncFail(ValueError("step"), at=1)
        reactivex.of(1).pipe(step).subscribe(on_error=fail, on_completed=fail)
        await until(lambda: bool(told))
        await turns()
        assert told == [error]
        assert alone()

    @pytest.mark.parametrize("leaving", ["dispose", "take"])
    async def test_an_error_after_everybody_has_left_is_told_of(self, leaving: str) -> None:
        """What a call raises as it is cancelled has no observer any more: the loop is told."""
        error = LookupError("as it cleaned up")
        told: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: told.append(context.get("exception"))
        )
        running = asyncio.Event()

        class Clumsy(AsyncTransformer[int, int]):
            async def atransform(self, product: int) -> AsyncIterator[int]:
                if product == 0:
                    await running.wait()
                    yield product
                try:
                    running.set()
                    await asyncio.Event().wait()
                finally:
                    if product == 1:
                        raise error

        events = Events()
        piped = reactivex.of(0, 1).pipe(Clumsy(), ops.take(1 if leaving == "take" else 2))
        subscription = events.of(piped)
        await until(lambda: events.items == [0])
        subscription.dispose()
        await until(lambda: bool(told))
        await turns()
        assert told == [error]
        assert alone()

    async def test_a_step_may_raise_what_rx_cannot_carry(self) -> None:
        """A step that raises CancelledError itself ends the pipeline; nobody waits for ever."""
        events = Events()
        source = Source()
        events.of(to_observable(source).pipe(AsyncFail(asyncio.CancelledError("mine"), at=2)))
        await until(lambda: source.closed == 1)
        await turns()
        assert len(events.errors) + events.completions == 1
        assert events.completions == 0
        assert alone()
