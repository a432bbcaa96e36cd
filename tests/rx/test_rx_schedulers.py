"""On which loop a flow runs, by the scheduler that it is subscribed to with."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
import reactivex
from aiostream import pipe
from reactivex import operators as ops
from reactivex.disposable import Disposable
from reactivex.scheduler import (
    NewThreadScheduler,
)
from reactivex.testing import ReactiveTest, TestScheduler

from fluxus_rx import UsageError, run, rx_pipe, step, stream_pipe
from tests.support.conduits import Add, AsyncNumbers, Fetch, Numbers
from tests.support.errors import untyped
from tests.support.probes import Events, alone, turns
from tests.support.rx_loops import (
    BEGUN_BY_RX,
    FLOWS,
    LOOPS,
    OTHERS,
    OWN_FLOWS,
    ROWS,
    Heard,
    every_loop,
    every_other,
    every_own_flow,
    here,
    other_loop,
    setting,
    where,
)
from tests.support.tables import all_values


class TestAnotherLoop:
    @all_values(
        "place, inside",
        {
            f"{flow}, {scheduler}": (flow, scheduler)
            for flow in FLOWS
            for scheduler in LOOPS
            # Rx itself would schedule from this thread, which is for ThreadSafe.
            if scheduler != "AsyncIO" or flow not in BEGUN_BY_RX[:2]
        },
        {"no loop": False, "a loop": True},
        keep=lambda place, inside: place[0] in ("a flow", "an operator"),
    )
    def test_all_runs_there(self, place: tuple[str, str], inside: bool) -> None:
        """On the loop of the scheduler, in its thread, whether another loop runs here or none."""
        flow, scheduler = place

        def subscribe() -> None:
            with other_loop() as (loop, thread):
                heard = Heard()
                heard.of(FLOWS[flow](), LOOPS[scheduler](loop))
                items = heard.all()
                assert len(items) >= 2
                assert {item["where"] for item in items} == {(thread, id(loop))}
                assert heard.threads == {thread}

        async def main() -> None:
            subscribe()

        if inside:
            asyncio.run(main())
        else:
            subscribe()

    @every_loop
    @pytest.mark.parametrize("make", [Numbers, AsyncNumbers])
    def test_it_can_be_left_from_here(self, scheduler: str, make: Any) -> None:
        """By dispose(), and by take() there: the source is closed on its loop."""
        with other_loop() as (loop, thread):
            for how in ("dispose", "take"):
                numbers = make()
                observable = (numbers >> Fetch(1)).to_observable()
                heard, some = Heard(), threading.Event()
                seen = observable.pipe(ops.do_action(setting(some)))
                if how == "take":
                    heard.of(seen.pipe(ops.take(5)), LOOPS[scheduler](loop))
                    assert len(heard.all()) == 5
                else:
                    subscription = heard.of(seen, LOOPS[scheduler](loop))
                    assert some.wait(20)
                    subscription.dispose()
                    asyncio.run_coroutine_threadsafe(turns(), loop).result(20)
                    assert not heard.ended.is_set()
                asyncio.run_coroutine_threadsafe(turns(), loop).result(20)
                source = getattr(numbers, "source", numbers)
                assert (source.opened, source.closed) == (1, 1)
                assert heard.threads == {thread}

    @every_loop
    def test_its_error_comes_there(self, scheduler: str) -> None:
        """As the very object."""
        error = LookupError("no")

        async def fail(x: int) -> dict[str, int]:
            await asyncio.sleep(0)
            raise error

        with other_loop() as (loop, thread):
            heard = Heard()
            heard.of((step("src", ROWS) >> step("s", fail)).to_observable(), LOOPS[scheduler](loop))
            assert heard.ended.wait(20)
            assert [one is error for one in heard.errors] == [True]
            assert heard.threads == {thread}

    @every_loop
    def test_many_threads_may_subscribe_at_once(self, scheduler: str) -> None:
        """Each to a run of its own."""
        with other_loop() as (loop, thread):
            observed = [Heard() for _ in range(20)]
            threads = [
                threading.Thread(target=one.of, args=(FLOWS["a group"](), LOOPS[scheduler](loop)))
                for one in observed
            ]
            for one in threads:
                one.start()
            for one in threads:
                one.join()
            assert [len(one.all()) for one in observed] == [6] * 20
            assert {thread} == set().union(*(one.threads for one in observed))


class TestClosedLoop:
    @every_own_flow
    @every_loop
    def test_it_is_said(self, flow: str, scheduler: str) -> None:
        """By a UsageError that the observer is told at once; nothing waits for ever."""
        loop = asyncio.new_event_loop()
        loop.close()
        heard = Heard()
        heard.of(FLOWS[flow](), LOOPS[scheduler](loop))
        assert [type(error) for error in heard.errors] == [UsageError]
        assert "closed" in str(heard.errors[0])
        assert "subscribe" in str(heard.errors[0])

    @every_loop
    async def test_it_is_said_on_another_loop_too(self, scheduler: str) -> None:
        """It doesn't run on the loop that is at hand."""
        loop = asyncio.new_event_loop()
        loop.close()
        numbers = Numbers(3)
        events = Events()
        events.of((numbers >> Fetch()).to_observable(), scheduler=LOOPS[scheduler](loop))
        await events.ended.wait()
        assert [type(error) for error in events.errors] == [UsageError]
        assert numbers.opened == 0

    @every_loop
    def test_a_loop_that_closes_meanwhile_does_no_harm(self, scheduler: str) -> None:
        """To one who leaves afterwards."""
        loop = asyncio.new_event_loop()
        heard = Heard()
        subscription = heard.of(
            (step("src", ROWS) >> step("s", where)).to_observable(), LOOPS[scheduler](loop)
        )
        loop.run_until_complete(turns())
        assert len(heard.all()) == 3
        loop.close()
        subscription.dispose()
        subscription.dispose()


class TestNoLoop:
    @all_values(
        "flow, other",
        OWN_FLOWS,
        [*OTHERS],
        keep=lambda flow, other: flow == "a flow" or other == "none",
    )
    def test_what_to_do_is_said(self, flow: str, other: str) -> None:
        """By a UsageError with all remedies."""
        heard = Heard()
        heard.of(FLOWS[flow](), OTHERS[other]())
        assert [type(error) for error in heard.errors] == [UsageError]
        for part in ("asyncio.run", "AsyncIOThreadSafeScheduler(loop)", "run(flow)"):
            assert part in str(heard.errors[0])
        assert heard.items == []

    @pytest.mark.parametrize("flow", ["a flow", "a group", "an operator", "stream_pipe"])
    def test_without_an_observer_of_errors_it_is_raised(self, flow: str) -> None:
        """To the one who subscribes."""
        with pytest.raises(UsageError, match="needs an event loop"):
            FLOWS[flow]().subscribe(lambda item: None)

    @all_values(
        "kind, other",
        ["step", "group", "behind plain ones", "pipe"],
        [*OTHERS],
        keep=lambda kind, other: kind == "step" or other == "none",
    )
    def test_the_source_is_not_left_subscribed_to(self, kind: str, other: str) -> None:
        """Nor the resource that it has opened."""
        opened: list[str] = []

        def subscribe(observer: Any, scheduler: Any = None) -> Any:
            opened.append("subscribed")
            observer.on_next({"x": 1})
            return Disposable(lambda: opened.append("disposed"))

        makers: dict[str, Callable[[], Any]] = {
            "step": lambda: step("s", where),
            "group": lambda: step("s", where) & step("t", where),
            "behind plain ones": lambda: step("p", lambda x: {"x": x}) >> step("s", where),
            "pipe": lambda: stream_pipe(pipe.skip(0)),
        }
        heard = Heard()
        heard.of(
            reactivex.create(subscribe).pipe(ops.map(lambda one: one), makers[kind]()),
            OTHERS[other](),
        )
        assert [type(error) for error in heard.errors] == [UsageError]
        assert opened in ([], ["subscribed", "disposed"])

    def test_a_thread_that_subscribes_says_it_too(self) -> None:
        """subscribe_on a thread, without a loop there: the observer hears of it."""
        heard = Heard()
        observed = FLOWS["a flow"]().pipe(ops.subscribe_on(NewThreadScheduler()))
        heard.of(observed, None)
        assert heard.ended.wait(20)
        assert [type(error) for error in heard.errors] == [UsageError]

    def test_run_needs_none(self) -> None:
        """It is what the message says."""
        assert len(run(step("src", ROWS) >> step("s", where))[0]) == 3


class TestRunningLoop:
    @all_values(
        "flow, other",
        OWN_FLOWS,
        ["none", "CurrentThread", "Immediate", "Trampoline"],
        keep=lambda flow, other: other == "none",
    )
    async def test_those_that_know_none_run_on_it(self, flow: str, other: str) -> None:
        """As if none had been given."""
        events = Events()
        events.of(FLOWS[flow](), scheduler=OTHERS[other]())
        items = await events.complete()
        assert {item["where"] for item in items} == {here()}
        await turns()
        assert alone()

    @pytest.mark.parametrize("other", ["ThreadPool", "NewThread", "Timeout", "EventLoop"])
    @pytest.mark.parametrize("flow", ["a flow", "a group", "an operator", "an operator on a timer"])
    async def test_those_of_threads_emit_there_and_run_here(self, flow: str, other: str) -> None:
        """The source in a thread of theirs, asynchronous steps on the loop."""
        scheduler = OTHERS[other]()
        events = Events()
        subscription = events.of(FLOWS[flow](), scheduler=scheduler)
        items = await events.complete()
        assert {item["where"] for item in items} == {here()}
        subscription.dispose()
        if other == "EventLoop":
            scheduler.dispose()
        if other == "ThreadPool":
            scheduler.executor.shutdown()

    @every_loop
    async def test_subscribe_on_and_observe_on_its_scheduler(self, scheduler: str) -> None:
        """In any order, amid a flow and behind one."""
        made = LOOPS[scheduler](asyncio.get_running_loop())
        on: list[Any] = [ops.subscribe_on(made), ops.observe_on(made)]
        for operators in (on, on[::-1], on[:1], on[1:], on * 2):
            found = await FLOWS["a group"]().pipe(*operators, ops.to_list())
            assert len(found) == 6
            flow = step("src", ROWS) >> step("s", where) >> rx_pipe(*operators) >> step("t", where)
            assert sorted([product["x"] async for product in flow]) == [1, 2, 3]
            source: Any = reactivex.from_iterable(ROWS)
            found = await source.pipe(*operators, step("s", where), ops.to_list())
            assert {product["where"] for product in found} == {here()}
        await turns()
        assert alone()

    @every_loop
    async def test_one_scheduler_may_serve_many(self, scheduler: str) -> None:
        """Runs at the same time have nothing in common: not their limit, nor their end."""
        made = LOOPS[scheduler](asyncio.get_running_loop())
        fetch = Fetch(1)
        flow = (Numbers(20) >> fetch.options(concurrency=2)).to_observable()
        observed = [Events() for _ in range(3)]
        subscriptions = [one.of(flow, scheduler=made) for one in observed]
        await turns(2)
        subscriptions[0].dispose()
        assert [len(await one.complete()) for one in observed[1:]] == [20, 20]
        assert observed[0].completions == 0
        assert fetch.calls.peak > 2
        await turns()
        assert alone()


class TestPlain:
    """Steps that await nothing are plain Rx: with foreign observables, in virtual time."""

    def test_a_hot_source_in_virtual_time(self) -> None:
        """A dictionary comes out when it goes in; the error, too."""
        scheduler = TestScheduler()
        error = LookupError("source")
        source = scheduler.create_hot_observable(
            ReactiveTest.on_next(210, {"x": 1}),
            ReactiveTest.on_next(250, {"x": 2}),
            ReactiveTest.on_error(300, error),
        )
        plain = step("double", lambda x: {"y": 2 * x}) >> step("add", lambda y: {"z": y + 1})
        results = scheduler.start(
            lambda: source.pipe(plain, ops.map(lambda one: untyped(one)["z"]))
        )
        assert results.messages[:2] == [ReactiveTest.on_next(210, 3), ReactiveTest.on_next(250, 5)]
        assert results.messages[2].time == 300
        notification: Any = results.messages[2].value
        assert notification.exception is error
        assert [(one.subscribe, one.unsubscribe) for one in source.subscriptions] == [(200, 300)]

    def test_its_timers_are_those_of_the_scheduler(self) -> None:
        """Before a step, behind it, and within rx_pipe."""
        scheduler = TestScheduler()
        chain = Add(1) >> rx_pipe(ops.delay(20)) >> Add(1)
        results = scheduler.start(
            lambda: reactivex.interval(100).pipe(ops.take(3), chain, ops.debounce(5))
        )
        assert results.messages[:2] == [ReactiveTest.on_next(325, 2), ReactiveTest.on_next(425, 3)]

    @every_other
    def test_none_of_them_is_an_obstacle(self, other: str) -> None:
        """No loop is asked for."""
        scheduler = OTHERS[other]()
        heard = Heard()
        heard.of(reactivex.create(given).pipe(Add(1) >> Add(2)), scheduler)
        if other == "Test":
            scheduler.start()
        assert heard.all() == [4]

    def test_a_group_of_dictionaries_in_virtual_time(self) -> None:
        """Each branch at the time of its input, in their order; one subscription."""
        scheduler = TestScheduler()
        source = scheduler.create_cold_observable(
            ReactiveTest.on_next(10, {"x": 1}), ReactiveTest.on_completed(30)
        )
        both = step("a", lambda x: {"y": x}) & step("b", lambda x: {"y": -x})
        results = scheduler.start(lambda: source.pipe(both, ops.map(lambda one: untyped(one)["y"])))
        assert results.messages == [
            ReactiveTest.on_next(210, 1),
            ReactiveTest.on_next(210, -1),
            ReactiveTest.on_completed(230),
        ]
        assert len(source.subscriptions) == 1


def given(observer: Any, scheduler: Any = None) -> Any:
    """One item."""
    observer.on_next(1)
    observer.on_completed()
    return Disposable()
