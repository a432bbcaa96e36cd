"""From a stream to an Observable and back: every item once, in order, and the very error."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator
from typing import Any

import pytest
import reactivex
from aiostream import stream
from aiostream.core import Stream
from reactivex import Observable, abc
from reactivex import operators as ops
from reactivex.disposable import Disposable
from reactivex.subject import Subject

from fluxus_rx.rx import to_observable, to_stream
from tests.support.probes import Events, Source, alone, drained, listed, turns, until

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="untouched")


class TestFromStreamToObservable:
    """to_observable: an async iterable as an Observable."""

    async def test_each_item_is_emitted_once_then_the_completion(self) -> None:
        """An observer sees the items in their order, and the completion once, at the end."""
        events = Events()
        events.of(to_observable(Source(3)))
        await events.ended.wait()
        await turns()
        assert events.items == [0, 1, 2]
        assert events.completions == 1

    async def test_subscribing_emits_nothing_before_the_loop_goes_on(self) -> None:
        """The caller of subscribe has the subscription in hand before the first item."""
        events = Events()
        source = Source(3, patient=False)
        subscription = events.of(to_observable(source))
        assert events.items == []
        subscription.dispose()
        await turns()
        assert events.items == []
        assert events.completions == 0
        assert source.opened == source.closed

    async def test_an_empty_stream_completes(self) -> None:
        """Without items there is still a completion."""
        events = Events()
        events.of(to_observable(Source(0)))
        assert await events.complete() == []

    @pytest.mark.parametrize("wrong", [[1, 2], 5, None, "abc"], ids=repr)
    def test_what_cannot_be_iterated_is_refused_at_once(self, wrong: Any) -> None:
        """No asynchronous iterable is a TypeError, before anybody subscribes."""
        with pytest.raises(TypeError, match="None" if wrong is None else type(wrong).__name__):
            to_observable(wrong)

    async def test_the_error_of_the_stream_is_passed_on_as_it_is(self) -> None:
        """on_error gets the very object that the stream raised, after the items before it."""
        error = LookupError("source")
        events = Events()
        events.of(to_observable(Source(2, error=error)))
        await events.ended.wait()
        await turns()
        assert events.items == [0, 1]
        assert [one is error for one in events.errors] == [True]
        assert events.completions == 0

    async def test_disposing_closes_the_stream_and_lets_nothing_through(self) -> None:
        """After dispose no event arrives, and the source is closed a few turns later."""
        source = Source()
        events = Events()
        subscription = events.of(to_observable(source))
        await until(lambda: len(events.items) >= 3)
        subscription.dispose()
        before = list(events.items)
        await turns()
        assert events.items == before
        assert not events.ended.is_set()
        assert source.closed == 1
        assert alone()

    async def test_disposing_from_the_observer_closes_the_stream(self) -> None:
        """An operator that has seen enough amid on_next gets nothing more."""
        source = Source()
        first = await to_observable(source).pipe(ops.take(2), ops.to_list())
        await turns()
        assert first == [0, 1]
        assert source.closed == 1

    async def test_disposing_twice_does_no_harm(self) -> None:
        """A second dispose, or one after the completion, changes nothing."""
        events = Events()
        subscription = events.of(to_observable(Source(1)))
        await events.ended.wait()
        subscription.dispose()
        subscription.dispose()
        await turns()
        assert events.items == [0]
        assert events.completions == 1

    async def test_each_subscription_iterates_afresh(self) -> None:
        """Two subscribers at the same time each get all items."""
        source = Source(5)
        observable = to_observable(source)
        found = await asyncio.gather(*[_collect(observable) for _ in range(2)])
        assert found == [[0, 1, 2, 3, 4]] * 2
        assert source.opened == source.closed == 2

    async def test_the_stream_sees_the_context_of_the_subscriber(self) -> None:
        """What was set where subscribe was called is there in the source."""
        found: list[str] = []

        async def listening() -> AsyncIterator[int]:
            found.append(VARIABLE.get())
            yield 1

        token = VARIABLE.set("subscriber")
        await _collect(to_observable(listening()))
        VARIABLE.reset(token)
        assert found == ["subscriber"]

    async def test_a_stream_may_hold_a_task_group_across_its_items(self) -> None:
        """One task iterates from beginning to end."""

        async def grouped() -> AsyncIterator[int]:
            async with asyncio.TaskGroup():
                yield 1
                await asyncio.sleep(0)
                yield 2

        assert await _collect(to_observable(grouped())) == [1, 2]

    async def test_an_observer_that_raises_stops_the_stream(self) -> None:
        """When on_next raises, the source is closed, nothing more is sent, the error is told."""
        error = LookupError("observer")
        told: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: told.append(context.get("exception"))
        )
        source = Source()
        calls: list[int] = []

        def on_next(item: int) -> None:
            calls.append(item)
            raise error

        to_observable(source).subscribe(on_next, told.append)
        await until(lambda: source.closed == 1)
        await turns()
        assert calls == [0]
        assert told == [error]

    async def test_an_operator_that_raises_is_an_error_of_the_observable(self) -> None:
        """What a mapper raises arrives at on_error, and the source is closed."""
        error = LookupError("mapper")

        def fail(_: int) -> int:
            raise error

        source = Source()
        events = Events()
        events.of(to_observable(source).pipe(ops.map(fail)))
        await events.ended.wait()
        await turns()
        assert [one is error for one in events.errors] == [True]
        assert source.closed == 1

    async def test_a_stream_that_never_suspends_can_be_disposed_of(self) -> None:
        """An endless source without a suspension leaves turns in which to dispose of it."""
        source = Source(patient=False)
        subscription = to_observable(source).subscribe(lambda _: None)
        await until(lambda: source.made > 0)
        subscription.dispose()
        await until(lambda: source.closed == 1)
        await turns()


class TestFromObservableToStream:
    """to_stream: an Observable as an aiostream Stream."""

    async def test_each_item_comes_out_once(self) -> None:
        """The items of a cold Observable are those of the stream, in their order."""
        assert await listed(to_stream(reactivex.of(1, 2, 3))) == [1, 2, 3]

    def test_the_result_is_a_stream(self) -> None:
        """It has aiostream's pipes and slices, and making it needs no loop."""
        assert isinstance(to_stream(reactivex.of(1)), Stream)

    async def test_an_empty_observable_is_an_empty_stream(self) -> None:
        """A completion without items ends the stream."""
        assert await listed(to_stream(reactivex.empty())) == []

    @pytest.mark.parametrize("wrong", [[1, 2], 5, None, stream.empty()], ids=type)
    def test_what_cannot_be_subscribed_to_is_refused_at_once(self, wrong: Any) -> None:
        """No Observable is a TypeError, before anything runs."""
        with pytest.raises(TypeError, match="None" if wrong is None else type(wrong).__name__):
            to_stream(wrong)

    async def test_the_error_of_the_observable_is_raised_as_it_is(self) -> None:
        """The reader gets the very object that on_error was called with, after the items."""
        error = LookupError("source")
        seen: list[int] = []
        failing = reactivex.concat(reactivex.of(1, 2), reactivex.throw(error))
        with pytest.raises(LookupError) as caught:
            await drained(to_stream(failing), seen)
        assert caught.value is error
        assert seen == [1, 2]

    async def test_an_error_in_subscribe_is_raised(self) -> None:
        """A subscribe function that raises fails the stream with that error."""
        error = LookupError("subscribe")

        def subscribe(observer: Any, scheduler: Any = None) -> abc.DisposableBase:
            raise error

        with pytest.raises(LookupError) as caught:
            await listed(to_stream(reactivex.create(subscribe)))
        assert caught.value is error

    async def test_nothing_is_subscribed_to_before_the_first_item_is_asked_for(self) -> None:
        """Making a stream, or a context for it, subscribes to nothing."""
        subject: Subject[int] = Subject()
        async with to_stream(subject).stream():
            await turns()
            assert subject.observers == []

    async def test_each_iteration_subscribes_afresh(self) -> None:
        """A stream that is read twice is two subscriptions."""
        numbers = to_stream(reactivex.of(1, 2))
        assert [await listed(numbers), await listed(numbers)] == [[1, 2], [1, 2]]

    async def test_a_reader_that_leaves_unsubscribes(self) -> None:
        """When the reader's block is left, the subscription has been disposed of."""
        disposed: list[bool] = []

        def subscribe(observer: Any, scheduler: Any = None) -> abc.DisposableBase:
            observer.on_next(1)
            return Disposable(lambda: disposed.append(True))

        async with to_stream(reactivex.create(subscribe)).stream() as streamer:
            assert await streamer.__anext__() == 1
            assert disposed == []
        assert disposed == [True]

    async def test_a_cancelled_reader_unsubscribes(self) -> None:
        """A reader that is cancelled while it waits leaves no subscription behind."""
        subject: Subject[int] = Subject()

        async def read() -> None:
            await to_stream(subject)

        task = asyncio.create_task(read())
        await until(lambda: len(subject.observers) == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert subject.observers == []

    async def test_what_comes_after_the_end_is_ignored(self) -> None:
        """Events after a completion or an error, against Rx's grammar, do no harm."""

        def subscribe(observer: Any, scheduler: Any = None) -> abc.DisposableBase:
            observer.on_next(1)
            observer.on_completed()
            observer.on_next(2)
            observer.on_error(LookupError())
            observer.on_completed()
            return Disposable()

        class Unruly(Observable[int]):
            def _subscribe_core(self, observer: Any, scheduler: Any = None) -> abc.DisposableBase:
                return subscribe(observer)

        assert await listed(to_stream(Unruly())) == [1]

    async def test_there_and_back_changes_nothing(self) -> None:
        """A stream made into an Observable and back emits the same items and the same error."""
        error = LookupError("source")
        seen: list[int] = []
        with pytest.raises(LookupError) as caught:
            await drained(to_stream(to_observable(Source(20, error=error))), seen)
        assert caught.value is error
        assert seen == list(range(20))

    async def test_many_times_there_and_back_is_fine(self) -> None:
        """Twenty crossings in a row lose nothing and close everything."""
        source = Source()
        numbers: Any = source
        for _ in range(20):
            numbers = to_stream(to_observable(numbers))
        assert await listed(numbers[:50]) == list(range(50))
        assert source.closed == 1


async def _collect(observable: Observable[Any]) -> list[Any]:
    return list(await observable.pipe(ops.to_list()))
