"""Fan-out: one run of the source for all branches, at the pace of the slowest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import reactivex
from reactivex import operators as ops
from reactivex.subject import Subject

from fluxus_rx import AsyncTransformer, Passthrough, SimpleAsyncProducer, rx_pipe
from fluxus_rx.rx import to_observable
from tests.support.conduits import (
    Add,
    AsyncCollect,
    AsyncFail,
    AsyncNumbers,
    Collect,
    Fail,
    Fetch,
    First,
    Held,
    Numbers,
    Odd,
    Repeat,
    by_path,
    source_of,
)
from tests.support.probes import BUFFER, Events, Source, alone, listed, turns, until

MAKERS = [Numbers, AsyncNumbers]


@pytest.fixture(params=MAKERS, ids=lambda make: make.__name__)
def make(request: pytest.FixtureRequest) -> Callable[..., Any]:
    maker: Callable[..., Any] = request.param
    return maker


class TestOneSource:
    """The source of a group runs once, and each step once per product that reaches it."""

    async def test_the_source_of_a_group_runs_once(self, make: Callable[..., Any]) -> None:
        """Four branches take the products of one iteration of the producer."""
        numbers = make(10)
        pairs = await (numbers >> (Add(1) & Fetch(1) & Odd() & Passthrough()) >> Collect()).arun()
        assert source_of(numbers).opened == 1
        assert source_of(numbers).made == 10
        every = list(range(1, 11))
        found = [sorted(path) for path in by_path(pairs, 4)]
        assert found == [every, every, [1, 3, 5, 7, 9], list(range(10))]

    async def test_the_steps_before_a_group_run_once_per_product(self) -> None:
        """A step above a fan-out is called once for each product, not once per branch."""
        first, second = Add(1), Fetch(1)
        flow = Numbers(10) >> first >> second >> (Add(1) & Add(2) & Fetch(3)) >> Collect()
        assert len(await flow.arun()) == 30
        assert first.calls == list(range(10))
        assert sorted(second.calls.started) == list(range(1, 11))

    @pytest.mark.parametrize("depth", [2, 3, 5])
    async def test_groups_in_series_run_each_source_once(self, depth: int) -> None:
        """With n groups of two in a row there are 2ⁿ paths, and still one run of the source."""
        numbers = AsyncNumbers(3)
        flow: Any = numbers
        for _ in range(depth):
            flow = flow >> (Fetch(1) & Add(10))
        pairs = await (flow >> Collect()).arun()
        assert numbers.source.opened == 1
        assert numbers.source.made == 3
        assert len(pairs) == 3 * 2**depth

    async def test_a_step_in_the_second_group_is_called_once_per_path_and_product(self) -> None:
        """A step after two branches sees the products of both, each once."""
        after = Add(100)
        flow = Numbers(5) >> (Add(0) & Fetch(10)) >> (after & Passthrough()) >> Collect()
        await flow.arun()
        assert sorted(after.calls) == [0, 1, 2, 3, 4, 10, 11, 12, 13, 14]

    async def test_paths_are_in_lexicographic_order(self) -> None:
        """The first choice is outermost: a to c, a to d, b to c, b to d."""
        flow = Numbers(1) >> (Add(1) & Fetch(2)) >> (Fetch(10) & Add(20)) >> Collect()
        assert by_path(await flow.arun(), 4) == [[11], [21], [12], [22]]

    async def test_nested_groups_have_their_paths_in_place(self) -> None:
        """A group inside a branch takes its place among the paths of the outer group."""
        inner = Fetch(10) >> (Add(1) & Fetch(2) & Passthrough())
        flow = Numbers(1) >> (Add(5) & inner & Passthrough()) >> Collect()
        assert by_path(await flow.arun(), 5) == [[5], [11], [12], [10], [0]]

    async def test_chaining_groups_is_associative(self) -> None:
        """(a >> b) >> c and a >> (b >> c) have the same paths with the same products."""

        def groups() -> tuple[Any, Any, Any]:
            return (Add(1) & Fetch(2)), (Fetch(10) & Passthrough()), (Add(100) & Fetch(200))

        a, b, c = groups()
        left = await (Numbers(3) >> a >> b >> c >> Collect()).arun()
        a, b, c = groups()
        right = await (Numbers(3) >> (a >> (b >> c)) >> Collect()).arun()
        assert [sorted(path) for path in by_path(left, 8)] == [
            sorted(path) for path in by_path(right, 8)
        ]

    async def test_one_object_in_two_branches_is_two_steps(self) -> None:
        """The same transformer object may stand in several places of a group."""
        add = Add(1)
        pairs = await (Numbers(3) >> (add & add) >> Collect()).arun()
        assert by_path(pairs, 2) == [[1, 2, 3], [1, 2, 3]]
        assert len(add.calls) == 6

    async def test_a_limit_counts_the_calls_of_all_paths(self) -> None:
        """Limit 3 of a step behind a fan-out means 3, however many paths lead to it."""
        fetch = Fetch()
        flow = Numbers(20) >> (Add(0) & Add(100) & Add(200)) >> fetch.options(concurrency=3)
        assert len(await (flow >> Collect()).arun()) == 60
        assert fetch.calls.peak == 3

    async def test_branches_that_yield_nothing_are_empty_paths(self) -> None:
        """A branch without products does not keep the others from theirs."""
        pairs = await (Numbers(3) >> (Repeat(0) & Fetch(1) & Passthrough()) >> Collect()).arun()
        assert [sorted(path) for path in by_path(pairs, 3)] == [[], [1, 2, 3], [0, 1, 2]]

    async def test_an_empty_source_gives_empty_paths(self, make: Callable[..., Any]) -> None:
        """All branches of a source without products end."""
        numbers = make(0)
        assert await (numbers >> (Fetch(1) & Add(1) & Passthrough()) >> Collect()).arun() == []
        assert source_of(numbers).opened == 1


class TestPace:
    """The slowest branch sets the pace of the source."""

    async def test_the_source_waits_for_the_slowest_branch(self, make: Callable[..., Any]) -> None:
        """With one branch held, the source stands still though the others could go on."""
        # An asynchronous consumer: a thread takes what it takes in any number of turns.
        numbers = make()
        held, fast = Held(), Fetch()
        flow = numbers >> (held.options(concurrency=4) & fast & Passthrough()) >> AsyncCollect()
        task = asyncio.create_task(flow.arun())
        await turns(300)
        assert held.calls.active == 4
        assert source_of(numbers).made <= 4 + 2 * BUFFER + 2
        made = source_of(numbers).made
        await turns(100)
        assert source_of(numbers).made == made
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert source_of(numbers).closed == 1

    async def test_the_source_goes_on_when_the_slowest_branch_does(
        self, make: Callable[..., Any]
    ) -> None:
        """Once the held branch is let go, all products reach all branches."""
        held = Held()
        flow = (
            make(200) >> (held.options(concurrency=4) & Fetch() & Passthrough()) >> AsyncCollect()
        )
        task = asyncio.create_task(flow.arun())
        await turns(200)
        held.calls.gate.set()
        paths = by_path(await task, 3)
        assert [sorted(path) for path in paths] == [list(range(200))] * 3

    async def test_an_endless_expansion_in_one_branch_waits_for_the_reader(self) -> None:
        """A step that yields for ever fills its buffer and no more."""
        repeat = Repeat()
        numbers = Numbers(1)
        async with (numbers >> (repeat & Passthrough())).to_stream().stream() as streamer:
            for read in range(1, 60):
                await streamer.__anext__()
                await turns(20)
                assert repeat.made <= read + 2 * BUFFER + 2
        assert repeat.closed == 1

    async def test_branches_run_side_by_side(self) -> None:
        """Calls of different branches for one product are in flight at the same time."""
        meeting = asyncio.Barrier(3)

        class Meet(AsyncTransformer[int, int]):
            async def atransform(self, product: int) -> AsyncIterator[int]:
                await meeting.wait()
                yield product

        pairs = await (Numbers(4) >> (Meet() & Meet() & Meet()) >> AsyncCollect()).arun()
        assert len(pairs) == 12

    async def test_producers_of_a_group_run_side_by_side(self) -> None:
        """Producers wait for one another, and each has its own path."""
        gates = [asyncio.Event(), asyncio.Event()]

        async def tandem(mine: int) -> AsyncIterator[int]:
            gates[mine].set()
            await gates[1 - mine].wait()
            yield mine

        flow = SimpleAsyncProducer(tandem(0)) & SimpleAsyncProducer(tandem(1))
        assert by_path(await (flow >> AsyncCollect()).arun(), 2) == [[0], [1]]


class TestLeaving:
    """A branch that has enough stops counting; when the last one has, the source stops."""

    async def test_a_branch_that_has_enough_stops_counting(self, make: Callable[..., Any]) -> None:
        """After take(2) in one branch the other still gets all products."""
        flow = make(100) >> (rx_pipe(ops.take(2)) & Fetch()) >> Collect()
        first, second = by_path(await flow.arun(), 2)
        assert first == [0, 1]
        assert sorted(second) == list(range(100))

    async def test_a_slow_branch_that_is_left_holds_nobody_up(self) -> None:
        """A held branch that is disposed of takes its brake off the source."""
        held = Held()
        gate: Subject[int] = Subject()
        numbers = Source(300)
        until_gate = held.options(concurrency=1) >> rx_pipe(ops.take_until(gate))
        events = Events()
        events.of(to_observable(numbers).pipe(until_gate & Fetch()))
        await turns(300)
        assert numbers.made < 300
        gate.on_next(1)
        found = await events.complete()
        await turns()
        assert sorted(found) == list(range(300))
        assert held.calls.cancelled == held.calls.started
        assert alone()

    async def test_the_last_branch_that_leaves_disposes_of_the_source(
        self, make: Callable[..., Any]
    ) -> None:
        """When all branches have enough, an endless source is closed and the run ends."""
        numbers = make()
        flow = numbers >> (rx_pipe(ops.take(2)) & rx_pipe(ops.take(5))) >> Collect()
        assert by_path(await flow.arun(), 2) == [[0, 1], [0, 1, 2, 3, 4]]
        assert source_of(numbers).closed == 1
        assert source_of(numbers).made <= 5 + 2 * BUFFER

    async def test_a_reader_that_leaves_ends_all_branches(self, make: Callable[..., Any]) -> None:
        """Taking two products from a group closes the source and cancels the branches."""
        numbers = make()
        held = Held()
        flow = numbers >> (held & Fetch(1) & Passthrough())
        found = await flow.to_observable().pipe(ops.take(2), ops.to_list())
        assert len(found) == 2
        await until(lambda: source_of(numbers).closed == 1)
        await turns()
        assert held.calls.active == 0
        assert alone()

    def test_a_consumer_that_stops_early_ends_all_branches(self, make: Callable[..., Any]) -> None:
        """A consumer that reads three products of an endless group is enough to end it."""
        numbers = make()
        flow = numbers >> (Fetch(1) & Add(1) & Passthrough()) >> (Fetch() & Passthrough())
        assert len((flow >> First(3)).run()) == 3
        assert source_of(numbers).closed == 1

    async def test_a_synchronous_group_on_a_foreign_source_leaves_it_once(self) -> None:
        """Plain Rx: the source of a group is disposed of when its last branch is."""
        disposed: list[bool] = []
        source = reactivex.never().pipe(
            ops.start_with(1, 2, 3), ops.finally_action(lambda: disposed.append(True))
        )
        group = rx_pipe(ops.take(1)) & rx_pipe(ops.take(2)) & Add(0)
        seen: list[int] = []
        subscription = source.pipe(group).subscribe(seen.append)
        assert sorted(seen) == [1, 1, 1, 2, 2, 3]
        assert disposed == []
        subscription.dispose()
        assert disposed == [True]


class TestErrors:
    """One error ends everything, wherever it comes from."""

    async def test_the_error_of_the_source_is_raised_once(self, make: Callable[..., Any]) -> None:
        """A source that fails before a fan-out is one error, the very object."""
        error = LookupError("source")
        numbers = make(3, error)
        with pytest.raises(LookupError) as caught:
            await (numbers >> (Fetch() & Add(1) & Passthrough()) >> Collect()).arun()
        assert caught.value is error
        assert source_of(numbers).closed == 1
        assert alone()

    async def test_the_error_of_a_source_that_yields_nothing_is_raised(
        self, make: Callable[..., Any]
    ) -> None:
        """A source that fails at once fails the run."""
        error = LookupError("source")
        with pytest.raises(LookupError) as caught:
            await (make(0, error) >> (Fetch() & Passthrough()) >> Collect()).arun()
        assert caught.value is error

    @pytest.mark.parametrize("failing", [Fail, AsyncFail], ids=lambda make: make.__name__)
    @pytest.mark.parametrize("place", ["before", "in", "after", "in the second", "nested"])
    async def test_the_error_of_a_step_is_raised_wherever_it_stands(
        self, make: Callable[..., Any], failing: Callable[..., Any], place: str
    ) -> None:
        """Before, in and after fan-outs, an error ends the run as the very object."""
        error = LookupError(place)
        fail = failing(error, at=2)
        numbers = make()
        flow: Any = {
            "before": lambda: numbers >> fail >> (Fetch() & Passthrough()),
            "in": lambda: numbers >> (Fetch() & fail & Passthrough()),
            "after": lambda: numbers >> (Fetch() & Passthrough()) >> fail,
            "in the second": lambda: numbers >> (Fetch() & Passthrough()) >> (fail & Fetch()),
            "nested": lambda: numbers >> (Fetch() & (Add(0) >> (fail & Fetch())) & Passthrough()),
        }[place]()
        with pytest.raises(LookupError) as caught:
            await (flow >> Collect()).arun()
        assert caught.value is error
        assert source_of(numbers).closed == 1
        assert alone()

    async def test_the_error_of_one_branch_cancels_the_others(self) -> None:
        """Calls that are held in other branches end as cancelled."""
        error = LookupError("branch")
        held = Held()
        with pytest.raises(LookupError) as caught:
            await (Numbers() >> (held & Fail(error, at=3)) >> Collect()).arun()
        assert caught.value is error
        assert held.calls.active == 0
        assert sorted(held.calls.cancelled) == sorted(held.calls.started)

    async def test_a_source_that_fails_while_branches_are_held_does_not_hang(
        self, make: Callable[..., Any]
    ) -> None:
        """The source's error is raised though calls in the branches would never end."""
        error = LookupError("source")
        held = Held()
        with pytest.raises(LookupError) as caught:
            await (make(2, error) >> (held & Held()) >> Collect()).arun()
        assert caught.value is error
        assert held.calls.active == 0

    async def test_two_branches_that_fail_at_once_are_one_error(self) -> None:
        """Of two errors at the same product the run raises one, and loses no task."""
        errors = [LookupError("one"), LookupError("two")]
        with pytest.raises(LookupError) as caught:
            await (
                Numbers() >> (AsyncFail(errors[0], at=1) & AsyncFail(errors[1], at=1)) >> Collect()
            ).arun()
        assert any(caught.value is error for error in errors)
        assert alone()

    async def test_an_error_ends_a_stream_over_a_group(self) -> None:
        """Read as a stream, a group raises the very error and is closed."""
        error = LookupError("branch")
        source = Source()
        with pytest.raises(LookupError) as caught:
            await listed((Fetch() & Fail(error, at=3))(source))
        assert caught.value is error
        assert source.closed == 1
