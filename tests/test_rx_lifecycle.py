"""Asynchronous flows as Rx operators: how they end, by themselves and before their time."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import reactivex
from reactivex import Observable, abc
from reactivex import operators as ops
from reactivex.disposable import Disposable
from reactivex.subject import Subject

from fluxus_rx import AsyncTransformer, Passthrough
from fluxus_rx.rx import to_observable
from tests.conduits import Add, AsyncFail, Fail, Fetch, Held, Numbers
from tests.probes import BUFFER, Events, Source, turns, until

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="untouched")

#: mypy can't infer the item type of an operator that is called without an argument
FUTURE: Any = ops.to_future()

FLOWS: dict[str, Callable[[], Any]] = {
    "an asynchronous step": lambda: Fetch(1),
    "a chain": lambda: Fetch(1) >> Add(1) >> Fetch(1),
    "a group": lambda: Fetch(1) & (Add(1) >> Fetch(2)) & Passthrough(),
    "groups in series": lambda: (Fetch(1) & Passthrough()) >> (Fetch(2) & Add(1)),
    "a step that keeps the order": lambda: Fetch(1).options(ordered=True),
}


@pytest.fixture(params=FLOWS)
def flow(request: pytest.FixtureRequest) -> Any:
    return FLOWS[request.param]()


def alone() -> bool:
    """Whether nothing but the test runs on the loop."""
    return asyncio.all_tasks() == {asyncio.current_task()}


class TestLeavingEarly:
    """take, dispose, a time-out: what is in flight is cancelled, what is open is closed."""

    async def test_taking_two_of_an_endless_source(self, flow: Any) -> None:
        """take(2) gives two products and closes the source."""
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
        """Cancelling what to_future() gave disposes of the pipeline."""
        held = Held()
        future: asyncio.Future[int] = reactivex.of(1).pipe(held, FUTURE)
        await until(lambda: held.calls.active == 1)
        future.cancel()
        await turns()
        assert held.calls.cancelled == [1]
        assert alone()

    async def test_a_timeout_of_rx_cancels_the_calls(self) -> None:
        """ops.timeout below a flow ends it, and what was in flight is cancelled."""
        held = Held()
        events = Events()
        events.of(reactivex.of(1).pipe(held, ops.timeout(0.0)))
        await events.ended.wait()
        await turns()
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


class TestRetryAndCatch:
    """Rx's own answers to an error, around a flow."""

    async def test_retry_runs_a_failed_flow_afresh(self) -> None:
        """retry subscribes again: source, steps and all."""
        attempts = 0

        class FailsTwice(AsyncTransformer[int, int]):
            async def atransform(self, product: int) -> AsyncIterator[int]:
                nonlocal attempts
                await asyncio.sleep(0)
                if product == 1:
                    attempts += 1
                    if attempts < 3:
                        raise LookupError(attempts)
                yield product

        source = Source(3)
        found = await to_observable(source).pipe(
            FailsTwice().options(ordered=True), ops.retry(5), ops.to_list()
        )
        assert found[-3:] == [0, 1, 2]
        assert attempts == 3
        assert source.opened == source.closed == 3
        await turns()
        assert alone()

    async def test_retry_that_gives_up_raises_the_last_error(self) -> None:
        """When all attempts fail, the error of the last one is raised."""
        error = LookupError("always")
        with pytest.raises(LookupError) as caught:
            await reactivex.of(1).pipe(AsyncFail(error, at=1), ops.retry(3))
        assert caught.value is error
        await turns()
        assert alone()

    async def test_catch_goes_on_with_another_flow(self) -> None:
        """catch sees the very error, and what it gives takes the place of the failed flow."""
        error = LookupError("step")
        caught: list[Exception] = []

        def instead(one: Exception, _: Observable[int]) -> Observable[int]:
            caught.append(one)
            return reactivex.of(10, 20).pipe(Fetch(1))

        failing = reactivex.of(1).pipe(AsyncFail(error, at=1))
        found = await failing.pipe(ops.catch(instead), ops.to_list())
        assert sorted(found) == [11, 21]
        assert caught[0] is error

    async def test_repeat_runs_a_flow_again(self, flow: Any) -> None:
        """repeat subscribes again after the completion."""
        once = await reactivex.of(1, 2).pipe(flow, ops.to_list())
        twice = await reactivex.of(1, 2).pipe(flow, ops.repeat(2), ops.to_list())
        assert sorted(twice) == sorted(once * 2)


class TestCold:
    """Each subscription is a run of its own."""

    async def test_each_subscription_runs_afresh(self, flow: Any) -> None:
        """Subscribed to twice, one after the other, a pipeline gives the same products twice."""
        source = Source(4)
        pipeline = to_observable(source).pipe(flow, ops.to_list())
        assert sorted(await pipeline) == sorted(await pipeline)
        assert source.opened == source.closed == 2

    async def test_subscriptions_at_the_same_time_know_nothing_of_each_other(
        self, flow: Any
    ) -> None:
        """Disposing of one subscription does not touch the other."""
        source = Source(30)
        pipeline = to_observable(source).pipe(flow)
        alone_ = Events()
        alone_.of(pipeline)
        await alone_.ended.wait()
        first, second = Events(), Events()
        subscription = first.of(pipeline)
        second.of(pipeline)
        await until(lambda: len(first.items) > 0)
        subscription.dispose()
        await second.ended.wait()
        assert sorted(second.items) == sorted(alone_.items)
        assert first.completions == 0

    async def test_making_a_pipeline_starts_nothing(self, flow: Any) -> None:
        """Before anybody subscribes nothing runs."""
        source = Source()
        to_observable(source).pipe(flow, ops.map(str))
        await turns()
        assert source.opened == 0
        assert alone()

    async def test_a_step_sees_the_context_of_its_subscriber(self) -> None:
        """Context variables are those of the place where subscribe was called."""
        found: list[str] = []

        class Look(AsyncTransformer[int, int]):
            async def atransform(self, product: int) -> AsyncIterator[int]:
                await asyncio.sleep(0)
                found.append(VARIABLE.get())
                yield product

        pipeline = reactivex.of(1).pipe(Look())
        for value in ("first", "second"):
            token = VARIABLE.set(value)
            await pipeline
            VARIABLE.reset(token)
        assert found == ["first", "second"]


def _odd(item: int) -> bool:
    return item % 2 == 1


class TestBackpressure:
    """A source that can wait does, however many operators stand in between."""

    async def test_a_source_waits_for_the_calls_of_a_flow(self) -> None:
        """Upstream of calls that are held, a source stands still within limit and buffer."""
        held = Held()
        source = Source(patient=False)
        subscription = (
            to_observable(source)
            .pipe(ops.map(lambda item: item), Add(1), held.options(concurrency=4))
            .subscribe()
        )
        await turns(200)
        assert held.calls.active == 4
        assert source.made <= 4 + BUFFER + 2
        subscription.dispose()
        await turns()
        assert source.closed == 1

    async def test_a_producer_waits_for_the_calls_of_a_flow(self) -> None:
        """A producer of this library as an Observable waits like any other source."""
        held = Held()
        numbers = Numbers()
        subscription = (
            numbers.to_observable().pipe(ops.filter(_odd), held.options(concurrency=4)).subscribe()
        )
        await turns(200)
        assert held.calls.active == 4
        assert numbers.made <= 2 * (4 + BUFFER + 2)
        subscription.dispose()
        await turns()
        assert numbers.closed == 1

    async def test_a_source_that_cannot_wait_loses_nothing(self) -> None:
        """What of(...) emits at once passes calls at limit 3 completely."""
        fetch = Fetch()
        found = await reactivex.from_iterable(range(500)).pipe(
            fetch.options(concurrency=3), ops.to_list()
        )
        assert sorted(found) == list(range(500))
        assert fetch.calls.peak == 3

    async def test_completion_waits_for_the_last_call(self) -> None:
        """The observer hears of the end after the last product, not when the source ends."""
        held = Held()
        events = Events()

        def subscribe(observer: Any, scheduler: Any = None) -> abc.DisposableBase:
            observer.on_next(1)
            observer.on_completed()
            return Disposable()

        events.of(reactivex.create(subscribe).pipe(held))
        await turns()
        assert events.completions == 0
        held.calls.gate.set()
        await events.ended.wait()
        assert events.items == [1]
        assert events.completions == 1
