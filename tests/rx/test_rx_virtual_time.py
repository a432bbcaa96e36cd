"""Synchronous transformers as Rx operators: plain Rx, at the source's own times."""

from __future__ import annotations

import threading
from typing import Any, cast

import pytest
import reactivex
from reactivex import Observable, abc
from reactivex import operators as ops
from reactivex.disposable import Disposable
from reactivex.subject import Subject
from reactivex.testing import ReactiveTest, TestScheduler
from reactivex.testing.marbles import marbles_testing
from reactivex.testing.mockobserver import MockObserver

from fluxus_rx import Passthrough, Transformer, rx_pipe, step
from tests.support.conduits import Add, Fail, Odd, Repeat, Text
from tests.support.probes import alone

on_next = ReactiveTest.on_next
on_error = ReactiveTest.on_error
on_completed = ReactiveTest.on_completed
subscribe = ReactiveTest.subscribe


def at(*times: int) -> list[Any]:
    """Events of a hot Observable: the items 0, 1, 2, … at these times, then the completion."""
    *items, end = times
    return [on_next(time, number) for number, time in enumerate(items)] + [on_completed(end)]


def values_of(results: MockObserver[Any]) -> list[Any]:
    """The items that were observed."""
    notifications: list[Any] = [message.value for message in results.messages]
    return [notification.value for notification in notifications if notification.kind == "N"]


def error_of(results: MockObserver[Any]) -> Any:
    """The error that came last."""
    last: Any = results.messages[-1].value
    return last.exception


CHAIN = Add(1) >> Add(10)


@pytest.mark.parametrize(
    ("transformer", "expected"),
    [
        (Add(1), [on_next(210, 1), on_next(220, 2), on_next(230, 3)]),
        (Add(1) >> Add(10), [on_next(210, 11), on_next(220, 12), on_next(230, 13)]),
        (Odd(), [on_next(220, 1)]),
        (Add(1) >> Text(), [on_next(210, "1"), on_next(220, "2"), on_next(230, "3")]),
        (
            Odd() >> Repeat(3),
            [on_next(220, 1), on_next(220, 1), on_next(220, 1)],
        ),
        (Repeat(0), []),
        (
            rx_pipe(ops.map(lambda item: item * 2)),
            [on_next(210, 0), on_next(220, 2), on_next(230, 4)],
        ),
        (
            Add(1) >> rx_pipe(ops.pairwise()),
            [on_next(220, (1, 2)), on_next(230, (2, 3))],
        ),
    ],
    ids=[
        "one",
        "a chain",
        "one that drops",
        "one that changes the type",
        "one that repeats",
        "one that gives nothing",
        "an operator",
        "an operator behind one",
    ],
)
def test_each_product_has_the_virtual_time_of_its_input(
    transformer: Any, expected: list[Any]
) -> None:
    """A synchronous transformer emits when its source does, and completes when it does."""
    scheduler = TestScheduler()
    source = scheduler.create_hot_observable(*at(210, 220, 230, 240))
    results = scheduler.start(lambda: source.pipe(transformer))
    assert results.messages == [*expected, on_completed(240)]
    assert source.subscriptions == [subscribe(200, 240)]


def test_a_cold_source_keeps_its_times() -> None:
    """Times that are relative to the subscription stay as they are."""
    scheduler = TestScheduler()
    source = scheduler.create_cold_observable(on_next(10, 1), on_next(20, 2), on_completed(30))
    results = scheduler.start(lambda: source.pipe(CHAIN))
    assert results.messages == [on_next(210, 12), on_next(220, 13), on_completed(230)]


def test_a_group_emits_for_all_its_paths_at_the_time_of_the_input() -> None:
    """Each path of a synchronous group emits at the time of its input, in the order of paths."""
    scheduler = TestScheduler()
    source = scheduler.create_hot_observable(*at(210, 220, 230))
    results = scheduler.start(lambda: source.pipe(Add(10) & Add(20) & Passthrough()))
    assert results.messages == [
        on_next(210, 10),
        on_next(210, 20),
        on_next(210, 0),
        on_next(220, 11),
        on_next(220, 21),
        on_next(220, 1),
        on_completed(230),
    ]
    assert source.subscriptions == [subscribe(200, 230)]


def test_groups_in_series_emit_at_the_time_of_the_input() -> None:
    """All four paths of two groups emit at once, and the source is subscribed to once."""
    scheduler = TestScheduler()
    source = scheduler.create_hot_observable(*at(210, 220))
    results = scheduler.start(lambda: source.pipe((Add(1) & Add(2)) >> (Add(10) & Add(20))))
    *items, end = results.messages
    assert {message.time for message in items} == {210}
    assert sorted(values_of(results)) == [11, 12, 21, 22]
    assert end == on_completed(220)
    assert source.subscriptions == [subscribe(200, 220)]


def test_the_error_of_the_source_passes_at_its_time() -> None:
    """An error upstream goes through unchanged, as the very object."""
    error = LookupError("source")
    scheduler = TestScheduler()
    source = scheduler.create_hot_observable(on_next(210, 1), on_error(220, error))
    results = scheduler.start(lambda: source.pipe(CHAIN))
    assert results.messages == [on_next(210, 12), on_error(220, error)]
    assert error_of(results) is error


def test_the_error_of_a_step_is_emitted_at_the_time_of_its_input() -> None:
    """A step that raises ends the sequence at once, and the source is disposed of then."""
    error = LookupError("step")
    scheduler = TestScheduler()
    source = scheduler.create_hot_observable(*at(210, 220, 230, 240))
    results = scheduler.start(lambda: source.pipe(Fail(error, at=1) >> Add(1)))
    assert results.messages == [on_next(210, 1), on_error(220, error)]
    assert error_of(results) is error
    assert source.subscriptions == [subscribe(200, 220)]


def test_the_error_of_one_branch_ends_the_group() -> None:
    """A branch that raises is the one error of the group, at the time of its input."""
    error = LookupError("branch")
    scheduler = TestScheduler()
    source = scheduler.create_hot_observable(*at(210, 220, 230, 240))
    results = scheduler.start(lambda: source.pipe(Add(5) & Fail(error, at=1)))
    assert [message.time for message in results.messages] == [210, 210, 220, 220]
    assert error_of(results) is error
    assert source.subscriptions == [subscribe(200, 220)]


def test_disposing_unsubscribes_at_that_time() -> None:
    """Disposed of mid-way, a transformer emits nothing more and leaves its source."""
    scheduler = TestScheduler()
    source = scheduler.create_hot_observable(*at(210, 220, 230, 240))
    results = scheduler.start(lambda: source.pipe(CHAIN), disposed=225)
    assert results.messages == [on_next(210, 11), on_next(220, 12)]
    assert source.subscriptions == [subscribe(200, 225)]


def test_taking_from_an_endless_expansion_ends() -> None:
    """A step with endless products for one input stops when enough has been taken."""
    repeat = Repeat()
    scheduler = TestScheduler()
    source = scheduler.create_hot_observable(*at(210, 240))
    results = scheduler.start(lambda: source.pipe(repeat, ops.take(3)))
    assert results.messages == [
        on_next(210, 0),
        on_next(210, 0),
        on_next(210, 0),
        on_completed(210),
    ]
    assert source.subscriptions == [subscribe(200, 210)]
    assert repeat.made <= 4
    assert repeat.closed == 1


def test_each_subscription_runs_afresh_at_its_own_time() -> None:
    """Two subscriptions to a cold pipeline are two runs, and neither knows of the other."""
    scheduler = TestScheduler()
    source = scheduler.create_cold_observable(on_next(10, 1), on_completed(20))
    pipeline = source.pipe(CHAIN)
    observers = [scheduler.create_observer(), scheduler.create_observer()]
    for time, observer in zip((300, 400), observers, strict=True):
        scheduler.schedule_absolute(
            time, lambda *_, observer=observer: pipeline.subscribe(observer, scheduler=scheduler)
        )
    scheduler.start()
    assert observers[0].messages == [on_next(310, 12), on_completed(320)]
    assert observers[1].messages == [on_next(410, 12), on_completed(420)]


def test_the_callers_scheduler_is_handed_on_untouched() -> None:
    """A source below a synchronous transformer gets the very scheduler of the subscriber."""
    given: list[Any] = []

    def subscribe_to(
        observer: abc.ObserverBase[int], scheduler: abc.SchedulerBase | None = None
    ) -> abc.DisposableBase:
        given.append(scheduler)
        observer.on_completed()
        return Disposable()

    source: Observable[int] = reactivex.create(subscribe_to)
    scheduler = TestScheduler()
    for transformer in (Add(1), CHAIN, Add(1) & Add(2), CHAIN >> (Add(1) & Passthrough())):
        source.pipe(transformer).subscribe(scheduler=scheduler)
    assert len(given) == 4
    assert all(one is scheduler for one in given)


def test_without_a_scheduler_none_is_handed_on() -> None:
    """A synchronous transformer makes up no scheduler where there was none."""
    given: list[Any] = []

    def subscribe_to(
        observer: abc.ObserverBase[int], scheduler: abc.SchedulerBase | None = None
    ) -> abc.DisposableBase:
        given.append(scheduler)
        return Disposable()

    reactivex.create(subscribe_to).pipe(CHAIN).subscribe()
    assert given == [None]


def test_timed_sources_run_in_virtual_time() -> None:
    """A source that schedules does so on the scheduler given below the transformer."""
    scheduler = TestScheduler()
    results = scheduler.start(
        lambda: reactivex.interval(10.0).pipe(Add(1), ops.take(3)),
    )
    assert values_of(results) == [1, 2, 3]
    times = [message.time for message in results.messages]
    assert times == [210, 220, 230, 230]


def test_timed_operators_inside_a_chain_run_in_virtual_time() -> None:
    """An Rx operator made a transformer schedules on the subscriber's scheduler."""
    scheduler = TestScheduler()
    source = scheduler.create_hot_observable(*at(210, 220, 300))
    results = scheduler.start(lambda: source.pipe(Add(1) >> rx_pipe(ops.delay(5.0)) >> Add(10)))
    assert results.messages == [on_next(215, 11), on_next(225, 12), on_completed(305)]


def test_marbles_draw_a_transformer() -> None:
    """Marble diagrams of Rx work on a transformer as on any operator."""
    with marbles_testing() as context:
        start, cold, _, expected = cast(tuple[Any, Any, Any, Any], context)
        source = cold("--0--1--2--|")
        drawn = expected("--a--b--c--|", {"a": 11, "b": 12, "c": 13})
        assert start(source.pipe(CHAIN)) == drawn


def test_no_loop_and_no_thread_is_needed() -> None:
    """Without a running loop a synchronous pipeline runs right away, in the caller's thread."""
    threads = threading.active_count()
    seen: list[Any] = []
    reactivex.of(1, 2).pipe(CHAIN, Odd()).subscribe(
        seen.append, on_completed=lambda: seen.append("end")
    )
    assert seen == [13, "end"]
    assert threading.active_count() == threads


async def test_no_task_is_started_on_a_running_loop() -> None:
    """With a running loop at hand a synchronous pipeline still runs without it."""
    subject: Subject[int] = Subject()
    seen: list[int] = []
    subject.pipe(CHAIN >> (Add(1) & Passthrough())).subscribe(seen.append)
    subject.on_next(1)
    assert sorted(seen) == [12, 13]
    assert alone()


def test_functional_steps_are_operators_too() -> None:
    """A plain function as a step is plain Rx when it stands alone on an Observable."""
    scheduler = TestScheduler()
    source = scheduler.create_hot_observable(on_next(210, {"x": 1}), on_completed(220))
    double: Any = step("double", lambda x: {"x": 2 * x})
    results = scheduler.start(lambda: source.pipe(double))
    assert [message.time for message in results.messages] == [210, 220]


def test_two_thousand_steps_in_a_row_are_one_operator() -> None:
    """The length of a synchronous chain costs no stack."""
    chain: Transformer[int, int] | Any = Add(1)
    for _ in range(1_999):
        chain = chain >> Add(1)
    seen: list[int] = []
    reactivex.of(0, 1).pipe(chain).subscribe(seen.append)
    assert seen == [2_000, 2_001]
