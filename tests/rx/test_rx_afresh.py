"""Asynchronous flows as Rx operators: a run for each subscription, and at the pace of the calls."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator
from typing import Any

import pytest
import reactivex
from reactivex import Observable, abc
from reactivex import operators as ops
from reactivex.disposable import Disposable

from fluxus_rx import AsyncTransformer
from fluxus_rx.rx import to_observable
from tests.support.conduits import ASYNC_FLOWS, Add, AsyncFail, Fetch, Held, Numbers
from tests.support.probes import BUFFER, Events, Source, alone, turns, until

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="untouched")


@pytest.fixture(params=ASYNC_FLOWS)
def flow(request: pytest.FixtureRequest) -> Any:
    return ASYNC_FLOWS[request.param]()


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
        """catch sees the very error, and what it emits takes the place of the failed flow."""
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
        """Subscribed to twice, one after the other, a pipeline emits the same products twice."""
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
