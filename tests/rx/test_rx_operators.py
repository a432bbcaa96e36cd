"""Flows amid Rx's own operators: shared, zipped, nested, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import reactivex
from reactivex import Observable
from reactivex import operators as ops
from reactivex.subject import BehaviorSubject, Subject

from fluxus_rx import Passthrough, Transformer, rx_pipe, stream_pipe
from fluxus_rx.rx import to_observable, to_stream
from tests.support.conduits import Add, AsyncFail, Collect, Fail, Fetch, Held, Numbers, by_path
from tests.support.probes import Events, Source, alone, listed, turns, until


def flowing(transformer: Transformer[int, int]) -> Callable[[Observable[int]], Observable[int]]:
    """flat_map to a flow for each item."""

    def flow_of(item: int) -> Observable[int]:
        return reactivex.of(item).pipe(transformer)

    return ops.flat_map(flow_of)


def fetched(part: Observable[Any]) -> Observable[list[int]]:
    """The items of a part, in a list, by way of a flow."""
    return part.pipe(Fetch(), ops.to_list())


async def test_a_shared_flow_runs_once_for_all_its_observers() -> None:
    """Behind share() each observer gets each product of one run."""
    fetch, source = Fetch(), Source(50)
    shared = to_observable(source).pipe(fetch, ops.share())
    observers = [Events(), Events()]
    for events in observers:
        events.of(shared)
    for events in observers:
        assert sorted(await events.complete()) == list(range(50))
    assert source.opened == 1
    assert len(fetch.calls.started) == 50


async def test_a_shared_flow_runs_for_as_long_as_anybody_observes_it() -> None:
    """Behind share() one observer may leave; when the last one does the flow is disposed of."""
    source = Source()
    shared = to_observable(source).pipe(Fetch(), ops.share())
    first, second = Events(), Events()
    subscriptions = [first.of(shared), second.of(shared)]
    await until(lambda: len(second.items) > 5)
    subscriptions[0].dispose()
    heard = len(first.items)
    await until(lambda: len(second.items) > 20)
    assert len(first.items) == heard
    subscriptions[1].dispose()
    await until(lambda: source.closed == 1)
    await turns()
    assert alone()


async def test_two_flows_can_be_zipped() -> None:
    """zip pairs the products of two flows, and ends with the shorter one."""
    flows = [
        to_observable(Source(end)).pipe(Fetch(number).options(ordered=True))
        for end, number in ((20, 1), (30, 2))
    ]
    found = await reactivex.zip(*flows).pipe(ops.to_list())
    assert found == [(number + 1, number + 2) for number in range(20)]
    await turns()
    assert alone()


async def test_flows_can_follow_one_another() -> None:
    """concat subscribes to the second flow when the first one has ended."""
    flows = [to_observable(Source(3)).pipe(Fetch(number)) for number in (1, 10)]
    found = await reactivex.concat(*flows).pipe(ops.to_list())
    assert sorted(found[:3]) == [1, 2, 3]
    assert sorted(found[3:]) == [10, 11, 12]


@pytest.mark.parametrize("read", ["await", "stream"])
async def test_a_flow_for_each_item_gives_all_products(read: str) -> None:
    """flat_map of Observables that are flows themselves loses nothing."""
    fetch = Fetch(1)
    nested = to_observable(Source(100)).pipe(flowing(fetch))
    found = await (nested.pipe(ops.to_list()) if read == "await" else listed(to_stream(nested)))
    assert sorted(found) == list(range(1, 101))
    await turns()
    assert alone()


@pytest.mark.parametrize("read", ["await", "stream"])
async def test_the_error_of_one_inner_flow_ends_all_of_them(read: str) -> None:
    """When a flow for one item fails, those for the others are cancelled."""
    error = LookupError("inner")
    fail = AsyncFail(error, at=5)
    nested = to_observable(Source()).pipe(flowing(fail))
    with pytest.raises(LookupError) as caught:
        await (nested if read == "await" else to_stream(nested))
    assert caught.value is error
    await turns()
    assert fail.calls.active == 0
    assert alone()


async def test_each_group_of_a_flow_can_be_a_flow() -> None:
    """group_by hands each key's items to a flow of its own."""
    found = await to_observable(Source(30)).pipe(
        ops.group_by(lambda item: item % 3),
        ops.flat_map(fetched),
        ops.to_list(),
    )
    assert sorted(map(sorted, found)) == [list(range(key, 30, 3)) for key in range(3)]


async def test_each_window_of_a_flow_can_be_a_flow() -> None:
    """window_with_count cuts the products of a flow, and each piece goes through another."""
    found = await to_observable(Source(10)).pipe(
        Fetch().options(ordered=True),
        ops.window_with_count(3),
        ops.flat_map(fetched),
        ops.to_list(),
    )
    assert sorted(map(sorted, found)) == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]]


async def test_a_flow_can_feed_itself() -> None:
    """expand subscribes to a flow with each product, until one emits none."""

    def more(item: int) -> Observable[int]:
        return reactivex.of(item + 1).pipe(Fetch()) if item < 5 else reactivex.empty()

    assert sorted(await reactivex.of(1).pipe(ops.expand(more), ops.to_list())) == [1, 2, 3, 4, 5]


async def test_an_observer_may_push_into_the_source() -> None:
    """A Subject that is fed with the products of its own flow goes on until it is completed."""
    subject: Subject[int] = Subject()
    events = Events()

    def feed(item: int) -> None:
        if item < 5:
            subject.on_next(item + 1)
        else:
            subject.on_completed()

    events.of(subject.pipe(Fetch(), ops.do_action(feed)))
    subject.on_next(0)
    assert await events.complete() == [0, 1, 2, 3, 4, 5]


async def test_the_present_value_of_a_source_is_not_lost() -> None:
    """What a BehaviorSubject emits in subscribe reaches an asynchronous step."""
    subject: BehaviorSubject[int] = BehaviorSubject(1)
    events = Events()
    events.of(subject.pipe(Fetch(1)))
    subject.on_next(2)
    subject.on_completed()
    assert sorted(await events.complete()) == [2, 3]


@pytest.mark.parametrize(
    "nested",
    [
        lambda: rx_pipe(Fetch(1), ops.map(lambda item: item * 10), Fetch(1)),
        lambda: stream_pipe(Fetch(1), rx_pipe(ops.map(lambda item: item * 10)), Fetch(1)),
    ],
    ids=["rx_pipe", "stream_pipe"],
)
async def test_transformers_are_operators_inside_pipes_too(nested: Callable[[], Any]) -> None:
    """A pipe of operators may contain transformers, which are operators."""
    pairs = await (Numbers(5) >> nested() >> Collect()).arun()
    assert sorted(product for _, product in pairs) == [11, 21, 31, 41, 51]


@pytest.mark.parametrize("failing", [Fail, AsyncFail], ids=lambda make: make.__name__)
async def test_one_branch_may_handle_its_own_error(failing: Callable[..., Any]) -> None:
    """catch behind a step in a branch keeps its error from the other branches."""
    caught = rx_pipe(ops.catch(lambda error, _: reactivex.of(-1)))
    branch = failing(LookupError("branch"), at=0) >> caught
    pairs = await (Numbers(4) >> (branch & Fetch() & Passthrough()) >> Collect()).arun()
    first, *others = [sorted(path) for path in by_path(pairs, 3)]
    assert first == [-1]
    assert others == [[0, 1, 2, 3]] * 2


async def test_one_branch_cannot_run_the_source_of_its_group_again() -> None:
    """retry inside a branch would have to run the others' source too: an error says so."""
    branch = Fail(LookupError("branch"), at=2) >> rx_pipe(ops.retry(2))
    with pytest.raises(RuntimeError, match="retry"):
        await (Numbers(4) >> (branch & Fetch()) >> Collect()).arun()
    assert alone()


async def test_a_group_can_be_retried_as_a_whole() -> None:
    """retry behind a group on an Observable runs source and branches again."""
    attempts = 0

    def fail_twice(item: int) -> int:
        nonlocal attempts
        attempts += item == 2
        if item == 2 and attempts < 3:
            raise LookupError(attempts)
        return item

    source = Source(3)
    group = rx_pipe(ops.map(fail_twice)) & Add(10) & Fetch(20)
    found = await to_observable(source).pipe(group, ops.retry(5), ops.to_list())
    assert attempts == 3
    assert source.opened == source.closed == 3
    assert sorted(found)[-3:] == [20, 21, 22]
    await turns()
    assert alone()


async def test_a_held_flow_can_be_let_go_by_another() -> None:
    """take_until disposes of a flow when another Observable emits."""
    held = Held()
    signal: Subject[int] = Subject()
    events = Events()
    events.of(to_observable(Source(3)).pipe(held, ops.take_until(signal)))
    await until(lambda: held.calls.active == 3)
    signal.on_next(1)
    assert await events.complete() == []
    await turns()
    assert sorted(held.calls.cancelled) == [0, 1, 2]
    assert alone()
