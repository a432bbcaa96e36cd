"""The usual calls, counted without an object for each: what is told of them is what is told of any
call, at any moment, and what is kept of them is little."""

from __future__ import annotations

import asyncio
import pickle
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxus_rx import InvalidProductError, RunStats, arun, chain, run, start, step
from fluxus_rx._monitoring.calls import CallColumns, Records
from fluxus_rx._streams.timing import RunClock
from fluxus_rx.testing import virtual_time
from tests.monitoring.test_stats import Row, over, rows, timed, work


def asked_inside(function: Callable[[Callable[[], RunStats]], Any]) -> RunStats:
    """The statistics of a run that a call of its step `f` has asked for; `function` makes that of
    the step from what asks."""

    async def main() -> RunStats:
        found: list[RunStats] = []

        def ask() -> RunStats:
            found.append(running.stats())
            return found[-1]

        running = start(rows(3) >> step("f", function(ask)))
        await running.result()
        return found[1]

    stats = timed(main)
    assert isinstance(stats, RunStats)
    return stats


class TestUnderWay:
    """A call that runs is in flight and busy, however that is asked."""

    def test_a_plain_function_sees_itself(self) -> None:
        """It holds the loop, and asks in the middle of its second call."""

        def function(ask: Callable[[], RunStats]) -> Any:
            def call(x: int) -> Row:
                work(1)
                ask()
                work(1)
                return {"x": x}

            return call

        stats = asked_inside(function)["f"]
        assert (stats.in_flight, stats.done, stats.busy) == (1, 1, 3)

    def test_a_coroutine_sees_itself(self) -> None:
        """All three wait at once, and the second asks after a second."""

        def function(ask: Callable[[], RunStats]) -> Any:
            async def call(x: int) -> Row:
                await asyncio.sleep(1)
                ask()
                return {"x": x}

            return call

        stats = asked_inside(function)["f"]
        assert (stats.in_flight, stats.done, stats.busy) == (2, 1, 3)

    def test_another_thread_sees_a_function_that_blocks_the_loop(self) -> None:
        """Its call is in flight, and the seconds that it has taken so far count."""
        found: list[RunStats] = []

        async def main() -> None:
            inside = threading.Event()

            def watch() -> None:
                inside.wait(10)
                found.append(running.stats())

            thread = threading.Thread(target=watch)

            def call(x: int) -> Row:
                inside.set()
                thread.join()
                return {"x": x}

            running = start(rows(1) >> step("f", call))
            thread.start()
            await running.result()

        asyncio.run(main())
        stats = found[0]["f"]
        assert (stats.in_flight, stats.done) == (1, 0)
        assert stats.busy > 0


class TestOthers:
    """A call that turns out to be another one is taken out of the usual ones."""

    @pytest.mark.parametrize("is_async", [False, True])
    @pytest.mark.parametrize("failing", [{0}, {2}, {0, 1, 2, 3}])
    def test_a_call_that_fails_counts_once(self, is_async: bool, failing: set[int]) -> None:
        """The first, one between others, or all: as failed, with what it has worked."""

        def call(x: int) -> Row:
            work(1)
            if x in failing:
                raise LookupError(x)
            return {"x": x}

        async def acall(x: int) -> Row:
            return call(x)

        stats = over(rows(4) >> step("f", acall if is_async else call).options(on_error="skip"))
        one = stats["f"]
        assert (one.in_flight, one.done, one.failed) == (0, 4 - len(failing), len(failing))
        assert (one.busy, one.on_loop) == pytest.approx((4, 4))

    def test_each_kind_of_outcome_of_one_step_is_a_call(self) -> None:
        """A step may return one product, several, none, or something to be awaited."""

        async def later(x: int) -> Row:
            await asyncio.sleep(1)
            return {"x": x}

        def call(x: int) -> Any:
            return later(x) if x % 4 == 3 else [{"x": x}, [{"x": x}, {"x": x}], []][x % 4]

        result = timed(lambda: arun(rows(16) >> step("f", call), timestamps=True))
        records = [record for record in result._times.calls if record.step == "f"]
        found = sorted((int(record.item), record.products) for record in records)
        assert found == [*enumerate([1, 2, 0, 1] * 4)]


class TestRecords:
    def test_the_usual_calls_of_a_run_are_columns(self) -> None:
        """Nothing else is kept of them until somebody looks."""
        result = run(rows(100) >> step("f", lambda x: {"y": x}), timestamps=True)
        records = result._times.records
        assert isinstance(records, Records)
        # The first of a source has begun before it was asked for.
        assert len(records._others) == 1
        assert sum(len(column.items) for column in records._columns) == 199

    def test_are_pickled_as_plain_data(self) -> None:
        """A result may be loaded by another version, which knows no columns."""
        records = run(rows(3) >> step("f", lambda x: {"y": x}), timestamps=True)._times.records
        loaded = pickle.loads(pickle.dumps(records))
        assert type(loaded) is list
        assert loaded == [*records] == records[:]
        assert records[-1] == loaded[-1]

    @given(
        st.lists(
            st.tuples(st.sampled_from("ab"), st.integers(0, 9), st.integers(0, 3), st.booleans())
        )
    )
    def test_come_step_by_step_then_by_their_start(
        self, calls: list[tuple[str, int, int, bool]]
    ) -> None:
        """Whatever is in columns, and whatever isn't, of one place or two."""
        columns = [CallColumns("a", "a"), CallColumns("b", "b"), CallColumns("b", "a → b")]
        others = []
        for index, (name, begin, took, is_other) in enumerate(calls):
            if is_other:
                others.append((name, name, str(index), begin, begin + took, took, 2, 1, None, ()))
                continue
            column = columns[0 if name == "a" else 1 + index % 2]
            column.starts.append(100 + begin)
            column.ends.append(100 + begin + took)
            column.items.append(index)
        records = Records(("b", "a"), columns, others, 100.0)
        assert len(records) == len(calls)
        places = [("ba".index(record[0]), record[3], record[4]) for record in records]
        assert places == sorted(places)
        expected = [
            (str(i), name, begin, begin + took) for i, (name, begin, took, _) in enumerate(calls)
        ]
        found = [(record[2], record[0], record[3], record[4]) for record in records]
        assert sorted(found) == sorted(expected)


def test_a_clock_of_a_run_stands_still_while_it_is_paused() -> None:
    """As often as that happens, and it tells for how long it has."""
    now = [10.0]
    clock = RunClock(lambda: now[0])
    found = []
    for move in (1, clock.stop, 2, clock.go_on, 4, clock.stop, 8, clock.go_on, 16):
        if callable(move):
            move()
        else:
            now[0] += move
        found.append((clock.now(), clock.paused()))
    assert found == [
        *[(11, 0), (11, 0), (11, 2), (11, 2), (15, 2), (15, 2), (15, 10), (15, 10), (31, 10)]
    ]


@pytest.mark.parametrize("good", [0, 2])
@pytest.mark.parametrize("steps", [[], ["f"], ["f", "g"]], ids=len)
def test_an_item_of_a_source_that_is_no_product_is_a_call_that_failed(
    good: int, steps: list[str]
) -> None:
    """Wherever products are made of items: the first one, or one behind others."""

    def source() -> Any:
        yield from ({"x": x} for x in range(good))
        yield 5

    async def main() -> RunStats:
        running = start(chain(step("src", source), *(step(f, lambda x: {"x": x}) for f in steps)))
        with pytest.raises(InvalidProductError):
            await running.result()
        return running.stats()

    stats = timed(main)
    assert (stats["src"].in_flight, stats["src"].done, stats["src"].failed) == (0, good, 1)


def test_a_source_is_told_to_end_before_it_has_begun() -> None:
    """It emits nothing, and is not begun."""
    begun: list[int] = []

    def source() -> Any:
        begun.append(1)
        yield {"x": 1}

    async def main() -> Any:
        running = start(step("src", source) >> step("f", lambda x: {"y": x}))
        return await running.drain()

    with virtual_time() as go:
        assert (len(go(main)[0]), begun) == (0, [])
