"""Flows that are left before their end: from where, when, and what is cleaned up then."""

from __future__ import annotations

import itertools
import multiprocessing
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import reactivex
from reactivex import operators as ops
from reactivex.subject import Subject

from fluxus_rx import close_processes, step
from tests.support.errors import notes, untyped
from tests.support.probes import Events, alone, turns, until
from tests.support.reactive import reported
from tests.support.rx_closing import (
    FLOWS,
    LEAVING,
    SCHEDULERS,
    Careful,
    Left,
    every_flow,
    every_scheduler,
    fetch,
)
from tests.support.tables import all_pairs


class TestCleanUp:
    @all_pairs("flow, scheduler, how", [*FLOWS], [*SCHEDULERS], LEAVING)
    async def test_it_comes_to_its_end(self, flow: str, scheduler: str, how: str) -> None:
        """However an observer leaves, and from wherever: what a source awaits as it closes is not
        broken into; the observer hears nothing more."""
        careful = Careful()
        left = Left(how)
        left.watch(FLOWS[flow](careful).to_observable(), SCHEDULERS[scheduler]())
        await left.leave()
        heard = len(left.items)
        await turns()
        assert careful.opened == careful.closed == (2 if flow == "two" else 1)
        assert len(left.items) <= heard + (how == "in a thread")
        assert (left.errors, left.completions) == ([], how == "take")
        assert alone()

    @all_pairs("flow, scheduler, how", [*FLOWS], [*SCHEDULERS], LEAVING)
    async def test_its_error_is_told(self, flow: str, scheduler: str, how: str) -> None:
        """By the handler of the loop, the very object, as nobody else is left to hear of it."""
        error = LookupError("as it closed")
        careful = Careful(error)
        left = Left(how)
        with reported() as told:
            left.watch(FLOWS[flow](careful).to_observable(), SCHEDULERS[scheduler]())
            await left.leave()
            await turns()
        assert [one["exception"] for one in told] == [error] * (2 if flow == "two" else 1)
        assert left.errors == []
        assert alone()

    @every_flow
    async def test_it_is_done_at_any_time(self, flow: str) -> None:
        """Before the first turn of the loop, too: what was opened is closed."""
        for scheduler, after in itertools.product(("none", "Flow"), (0, 1, 2, 3, 5, 8)):
            careful = Careful()
            events = Events()
            subscription = events.of(
                FLOWS[flow](careful).to_observable(), scheduler=SCHEDULERS[scheduler]()
            )
            await turns(after)
            subscription.dispose()
            heard = len(events.items)
            await turns()
            assert careful.opened == careful.closed
            assert len(events.items) == heard
            assert (events.errors, events.completions) == ([], 0)
            assert alone()

    @every_scheduler
    @pytest.mark.parametrize("branch", ["source", "plain", "async", "stream_pipe", "rx_pipe"])
    async def test_an_error_comes_behind_it(self, branch: str, scheduler: str) -> None:
        """When a path fails at any time, the others are cleaned up before the observer hears."""

        async def failed(after: int) -> None:
            careful, error = Careful(), ValueError("no")

            async def rows() -> AsyncIterator[dict[str, int]]:
                await turns(after)
                yield {"x": 1}

            def fail(x: int) -> dict[str, int]:
                raise error

            closed: list[int] = []
            flow = FLOWS[branch](careful) & (step("late", rows) >> step("fail", fail))
            events = Events()
            observed = flow.to_observable().pipe(
                ops.do_action(on_error=lambda _: closed.append(careful.closed))
            )
            events.of(observed, scheduler=SCHEDULERS[scheduler]())
            await events.ended.wait()
            await turns()
            assert [one is error for one in events.errors] == [True]
            assert careful.opened == careful.closed
            assert closed == [careful.opened]
            assert alone()

        for after in range(0, 12, 2):
            await failed(after)

    async def test_an_error_on_its_way_is_told(self) -> None:
        """To the observer, or, if that leaves before all is cleaned up, to the loop's handler."""

        def fail(x: int) -> dict[str, int]:
            raise ValueError("no")

        for after in range(0, 24, 2):
            careful = Careful(LookupError("as it closed"))
            late = step("late", [{"x": 1}]) >> step("s", fetch) >> step("f", fail)
            events = Events()
            with reported() as told:
                subscription = events.of((careful.source() & late).to_observable())
                await turns(after)
                subscription.dispose()
                await turns()
            heard = [*events.errors, *(one["exception"] for one in told)]
            assert careful.opened == careful.closed
            if careful.opened:
                # What the step has raised may still be on its way, and is dropped like an item.
                assert careful.error in heard or any("as it closed" in notes(one) for one in heard)

    async def test_leaving_after_the_end_does_nothing(self) -> None:
        """Nor does it again."""
        events = Events()
        flow = step("src", [{"x": 1}]) >> step("s", fetch)
        subscription = events.of(flow.to_observable())
        assert len(await events.complete()) == 1
        subscription.dispose()
        subscription.dispose()
        await turns()
        assert (len(events.items), events.errors, events.completions) == (1, [], 1)

    @pytest.mark.parametrize("how", LEAVING)
    async def test_those_who_share_a_flow_leave_one_by_one(self, how: str) -> None:
        """Behind share(), the last one closes the source."""
        careful = Careful()
        shared = FLOWS["async"](careful).to_observable().pipe(ops.share())
        first, second = Left(how), Left("outside")
        first.watch(shared, None)
        second.watch(shared, None)
        await first.leave()
        await turns()
        assert (careful.opened, careful.closed) == (1, 0)
        await second.leave()
        await turns()
        assert (careful.opened, careful.closed) == (1, 1)
        assert alone()

    async def test_a_subscription_may_be_left_as_another_begins(self) -> None:
        """As switch_latest does, within on_next: each of fifty sources is closed."""
        cares: list[Careful] = []
        outer: Subject[int] = Subject()

        def begin(number: int) -> reactivex.Observable[Any]:
            cares.append(Careful())
            observed: reactivex.Observable[Any] = FLOWS["plain"](cares[-1]).to_observable()
            return observed

        def go_on(number: int) -> None:
            if number % 2 and len(cares) < 50:
                outer.on_next(len(cares))

        events = Events()
        switched = outer.pipe(
            ops.map(begin), ops.switch_latest(), ops.map(lambda product: untyped(product)["x"])
        )
        events.of(switched.pipe(ops.do_action(go_on), ops.take(200)))
        outer.on_next(0)
        await events.complete()
        await turns()
        assert len(cares) == 50
        assert [one.opened for one in cares] == [one.closed for one in cares] == [1] * 50
        assert alone()


def row_or_hang(x: int) -> dict[str, int]:
    """Comes back for 0 alone."""
    if x:
        time.sleep(20)
    return {"x": x}


class TestExecutors:
    @pytest.mark.parametrize("how", ["outside", "in on_next", "in a thread", "take"])
    async def test_processes_that_work_are_stopped(
        self, how: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """At once, and without a word; those that have no call are kept."""
        options = {"executor": "process", "concurrency": 2}
        flow = step("src", [{"x": x} for x in (0, 1, 1)]) >> step("s", row_or_hang).options(
            **untyped(options)
        )
        left = Left(how, 1)
        left.watch(flow.to_observable(), None)
        await left.leave()
        await until(alone)
        close_processes()
        await until(lambda: not multiprocessing.active_children())
        assert "still ran" not in caplog.text
