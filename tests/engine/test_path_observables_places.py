"""`to_observable(paths=True)` here and there: threads, other flows, groups, hot sources."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
import reactivex
from reactivex import operators as ops
from reactivex.scheduler.eventloop import AsyncIOScheduler, AsyncIOThreadSafeScheduler
from reactivex.subject import Subject

from fluxus_rx import UsageError, from_observable, parallel, rx_pipe, step
from fluxus_rx.testing import run_virtual
from tests.support.emitting import switching
from tests.support.errors import refused
from tests.support.hot import Numbers, added, adding, observed, values
from tests.support.probes import Events, alone, until


class TestPlaces:
    """Where they may be subscribed to."""

    @pytest.mark.parametrize("scheduler", [AsyncIOScheduler, AsyncIOThreadSafeScheduler])
    async def test_a_scheduler_of_the_loop_will_do(self, scheduler: Any) -> None:
        """They share a run all the same."""
        numbers = Numbers()
        flow = numbers.step() >> (adding("a") & adding("b"))
        given = scheduler(asyncio.get_running_loop())
        for events in observed(*flow.to_observable(paths=True), scheduler=given):
            assert len(await events.complete()) == 4
        assert numbers.counts == (1, 1)

    async def test_another_thread_may_subscribe_to_all(self) -> None:
        """While the loop waits for it, so that it is one turn."""
        numbers = Numbers()
        flow = numbers.step() >> (adding("a") & adding("b"))
        paths = flow.to_observable(paths=True)
        given = AsyncIOThreadSafeScheduler(asyncio.get_running_loop())
        seen = [Events(), Events()]
        threads: set[int] = set()

        def subscribe() -> None:
            for events, path in zip(seen, paths, strict=True):
                events._loop = given._loop
                told = path.pipe(ops.do_action(lambda _: threads.add(threading.get_ident())))
                events.of(told, scheduler=given)

        thread = threading.Thread(target=subscribe)
        thread.start()
        thread.join()
        for events in seen:
            assert len(await events.complete()) == 4
        assert numbers.counts == (1, 1)
        assert threads == {threading.get_ident()}

    async def test_another_thread_may_subscribe_while_the_loop_goes_on(self) -> None:
        """Whether they still share a run is a matter of chance, but each gets all, and its end."""
        given = AsyncIOThreadSafeScheduler(asyncio.get_running_loop())
        flow = Numbers().step() >> (adding("a") & adding("b") & adding("c"))
        with switching():
            for _ in range(100):
                paths = flow.to_observable(paths=True)[1:]
                seen = [Events(), Events()]

                def subscribe(seen: list[Events] = seen, paths: list[Any] = paths) -> None:
                    for events, path in zip(seen, paths, strict=True):
                        events._loop = given._loop
                        events.of(path, scheduler=given)

                thread = threading.Thread(target=subscribe)
                thread.start()
                for events in seen:
                    assert len(await events.complete()) == 4
                thread.join()

    async def test_a_closed_loop_is_refused(self) -> None:
        """The message says what to do."""
        loop = asyncio.new_event_loop()
        loop.close()
        flow = Numbers().step() >> (adding("a") & adding("b"))
        for scheduler in (AsyncIOScheduler(loop), AsyncIOThreadSafeScheduler(loop)):
            for path in flow.to_observable(paths=True):
                with refused(UsageError, "is closed", "of a loop that runs"):
                    path.subscribe(scheduler=scheduler)

    async def test_another_thread_may_dispose(self) -> None:
        """Of all of them; the run ends on its loop."""
        numbers = Numbers(None)
        flow = numbers.step() >> (adding("a") & adding("b"))
        left = [path.subscribe() for path in flow.to_observable(paths=True)]
        await until(lambda: numbers.source.made > 3)
        await asyncio.to_thread(lambda: [subscription.dispose() for subscription in left])
        await until(lambda: numbers.counts == (1, 1))
        await until(alone)

    async def test_they_run_inside_another_flow(self) -> None:
        """As a part of its run, which they share."""
        numbers = Numbers()
        inner = (numbers.step() >> (adding("a") & adding("b"))).to_observable(paths=True)
        zipped = reactivex.zip(*inner).pipe(ops.map(added))
        sums = [sum_ async for sum_ in from_observable(zipped)]
        assert sums == [0, 2, 4, 6]
        assert numbers.counts == (1, 1)

    async def test_a_run_around_them_that_is_left_early_ends_them(self) -> None:
        """Their source is closed when the outer run is."""
        numbers = Numbers(None)
        inner = (numbers.step() >> (adding("a") & adding("b"))).to_observable(paths=True)
        flow = from_observable(reactivex.merge(*inner), "p") >> rx_pipe(ops.take(3))
        assert len([product async for product in flow]) == 3
        assert alone()
        assert numbers.counts == (1, 1)

    async def test_an_error_of_theirs_is_that_of_the_run_around_them(self) -> None:
        """The very object."""
        error = LookupError("bad")

        def bad(x: int) -> dict[str, int]:
            raise error

        inner = Numbers().step() >> (adding("a") & step("b", bad))
        merged = reactivex.merge(*inner.to_observable(paths=True))
        with pytest.raises(LookupError) as caught:
            async for _ in from_observable(merged):
                pass
        assert caught.value is error

    async def test_parallel_sources_run_each_for_its_own_paths(self) -> None:
        """One whose paths nobody has subscribed to isn't opened."""
        first, second = Numbers(2), Numbers(3)
        flow = parallel(first.step(), second.step()) >> (adding("a") & adding("b"))
        _, b, _, d = flow.to_observable(paths=True)
        (events,) = observed(b)
        assert values(await events.complete(), "b") == [0, 1]
        assert (first.counts, second.counts) == ((1, 1), (0, 0))
        for events, count in zip(observed(b, d), (2, 3), strict=True):
            assert values(await events.complete(), "b") == [*range(count)]
        assert (first.counts, second.counts) == ((2, 2), (1, 1))

    async def test_operators_may_stand_in_a_branch(self) -> None:
        """A named pipe emits its products in its path."""
        pairs = rx_pipe(ops.buffer_with_count(2), name="pair")
        flow = Numbers().step() >> (
            adding("a") & (pairs >> step("n", lambda pair: {"n": len(pair)}))
        )
        a, b = observed(*flow.to_observable(paths=True))
        assert values(await a.complete(), "a") == [0, 1, 2, 3]
        assert values(await b.complete(), "n") == [2, 2]

    async def test_one_of_a_pipe_in_a_branch_that_nobody_wants_holds_up_nobody(self) -> None:
        """Neither does a buffer."""
        numbers = Numbers()
        flow = numbers.step() >> (
            adding("a")
            & rx_pipe(ops.filter(bool)) >> adding("b")
            & adding("c").buffered(1, "latest")
        )
        a, *_ = flow.to_observable(paths=True)
        (events,) = observed(a)
        assert values(await events.complete(), "a") == [0, 1, 2, 3]
        assert numbers.counts == (1, 1)

    async def test_a_hot_source_is_subscribed_to_once(self) -> None:
        """At once when all paths are; else at the end of the turn."""
        subject: Subject[int] = Subject()
        flow = from_observable(subject, "x") >> (adding("a") & adding("b"))
        first, second = flow.to_observable(paths=True)
        a, b = observed(first, second)
        assert len(subject.observers) == 1
        subject.on_next(1)
        subject.on_completed()
        assert values(await a.complete(), "a") == values(await b.complete(), "b") == [1]
        subject = Subject()
        flow = from_observable(subject, "x") >> (adding("a") & adding("b"))
        (a,) = observed(flow.to_observable(paths=True)[0])
        await until(lambda: bool(subject.observers))
        subject.on_next(2)
        subject.on_completed()
        assert values(await a.complete(), "a") == [2]

    def test_times_are_shared_with_those_who_observe(self) -> None:
        """A slow path sets the pace of both, as in any group, but for what its buffers hold."""

        async def slow(x: int) -> dict[str, int]:
            await asyncio.sleep(1)
            return {"b": x}

        async def main() -> tuple[list[Any], list[Any], float]:
            flow = Numbers(3).step() >> (adding("a") & step("b", slow).options(concurrency=1))
            a, b = observed(*flow.to_observable(paths=True))
            await a.complete()
            await b.complete()
            return a.items, b.items, asyncio.get_running_loop().time()

        a, b, took = run_virtual(main())
        assert values(a, "a") == values(b, "b") == [0, 1, 2]
        assert took == 3
