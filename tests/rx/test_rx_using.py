"""What a source holds by `using` is let go of on every way out."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import pytest
import reactivex
from reactivex import Observable
from reactivex import operators as ops
from reactivex.disposable import Disposable

from fluxus_rx import (
    AsyncConsumer,
    StepOptions,
    arun,
    passthrough,
    rx_pipe,
    start,
    step,
)
from fluxus_rx.testing import run_virtual, virtual_time
from tests.support.conduits import First
from tests.support.probes import alone, turns
from tests.support.rx_sources import DOUBLES, WAYS, Row, row, ticks


class Resource:
    """What `using` opens and disposes of."""

    def __init__(self) -> None:
        self.opened = self.disposed = 0

    def observed(self, of: Callable[[], Observable[Any]]) -> Observable[Any]:
        """An observable that needs it."""

        def opens() -> Disposable:
            self.opened += 1

            def dispose() -> None:
                self.disposed += 1

            return Disposable(dispose)

        return reactivex.using(opens, lambda _: of())

    @property
    def settled(self) -> bool:
        """Whether it was opened, and is closed, once."""
        return self.opened == self.disposed == 1


def endless() -> Observable[Row]:
    """Ticks without end."""
    return reactivex.interval(1).pipe(ops.map(row))


def fails(x: int) -> Row:
    """At 2."""
    if x == 2:
        raise LookupError(x)
    return {"y": x}


class Two(AsyncConsumer[Any, int]):
    """Takes two products."""

    async def aconsume(self, products: Any) -> int:
        async for _ in products:
            async for _ in products:
                return 2
        return 0


class TestUsing:
    """What a source holds is let go of on every way out."""

    @pytest.mark.parametrize("how", WAYS)
    @pytest.mark.parametrize("kind", DOUBLES)
    def test_at_the_end(self, how: str, kind: str) -> None:
        """By the time the products are there."""

        async def main() -> None:
            resource = Resource()
            await WAYS[how](step("ticks", resource.observed(ticks)) >> DOUBLES[kind]())
            assert resource.settled

        run_virtual(main)

    @pytest.mark.parametrize("how", WAYS)
    @pytest.mark.parametrize("kind", ["plain", "async", "group"])
    def test_when_a_step_fails(self, how: str, kind: str) -> None:
        """By the time the error is there."""

        async def afails(x: int) -> Row:
            await asyncio.sleep(0.5)
            return fails(x)

        async def main() -> None:
            resource = Resource()
            failing: Any = step("double", afails if kind == "async" else fails)
            if kind == "group":
                failing = failing & DOUBLES["plain"]()
            with pytest.raises(LookupError):
                await WAYS[how](step("ticks", resource.observed(endless)) >> failing)
            assert resource.settled

        run_virtual(main)

    @pytest.mark.parametrize("how", WAYS)
    def test_when_it_is_cancelled(self, how: str) -> None:
        """By the time the task is over."""

        async def main() -> None:
            resource = Resource()
            flow = step("ticks", resource.observed(endless)) >> DOUBLES["async"]()
            task = asyncio.create_task(WAYS[how](flow))
            await asyncio.sleep(3.2)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await turns()
            assert resource.settled
            assert alone()

        run_virtual(main)

    @pytest.mark.parametrize(
        "leave",
        [
            lambda flow: arun(flow >> rx_pipe(ops.take(2))),
            lambda flow: flow.to_observable().pipe(ops.take(2), ops.to_list()),
            lambda flow: (flow >> Two()).arun(),
            lambda flow: (flow >> First(2)).arun(),
        ],
        ids=["rx_pipe", "take", "AsyncConsumer", "Consumer"],
    )
    @pytest.mark.parametrize("kind", DOUBLES)
    def test_when_enough_has_come(self, leave: Any, kind: str) -> None:
        """Though the source has more."""

        async def main() -> None:
            resource = Resource()
            await leave(step("ticks", resource.observed(endless)) >> DOUBLES[kind]())
            await turns()
            assert resource.settled
            assert alone()

        run_virtual(main)

    def test_when_too_much_has_failed(self) -> None:
        """At the limit of failures."""

        async def main() -> None:
            resource = Resource()
            flow = step("ticks", resource.observed(endless)) >> step("fails", fails)
            with pytest.raises(Exception, match="fail"):
                await arun(flow, options=StepOptions(on_error="skip"), max_failures=0)
            assert resource.settled

        run_virtual(main)

    @pytest.mark.parametrize("how", ["drain", "cancel"])
    def test_when_a_run_is_ended_from_outside(self, how: str) -> None:
        """With what had come until then."""

        async def main() -> None:
            resource = Resource()
            running = start(step("ticks", resource.observed(endless)) >> DOUBLES["plain"]())
            async with running:
                await asyncio.sleep(3.5)
                if how == "drain":
                    assert len((await running.drain())[0]) == 3
                else:
                    with contextlib.suppress(asyncio.CancelledError):
                        await running.cancel()
            assert resource.settled

        run_virtual(main)

    @pytest.mark.parametrize("how", ["break", "error", "close"])
    def test_when_a_loop_over_it_is_left(self, how: str) -> None:
        """Where no event loop runs."""
        resource = Resource()
        with virtual_time():
            flow = step("ticks", resource.observed(endless)) >> DOUBLES["async"]()
            products = iter(flow)
            with contextlib.suppress(LookupError):
                for count, _ in enumerate(products):
                    if count == 2:
                        if how == "error":
                            raise LookupError
                        if how == "close":
                            products.close()
                        break
            del products
        assert resource.settled

    @pytest.mark.parametrize("count", [1, 2])
    def test_for_each_subscription_its_own(self, count: int) -> None:
        """One per run, one per source of a group; a group behind it needs but one."""

        async def main() -> None:
            resource = Resource()
            source = step("ticks", resource.observed(ticks))
            flow = source >> (DOUBLES["plain"]() & passthrough())
            for number in range(count):
                await arun(flow)
                assert resource.opened == resource.disposed == number + 1

        run_virtual(main)

    def test_what_it_raises_as_it_closes_is_not_lost(self) -> None:
        """It is the error of the run, if there is no other."""
        error = LookupError("as it closed")

        def fail() -> None:
            raise error

        async def main() -> None:
            held = reactivex.using(lambda: Disposable(fail), lambda _: endless())
            with pytest.raises(LookupError) as caught:
                await arun(step("ticks", held) >> rx_pipe(ops.take(2)) >> DOUBLES["plain"]())
            assert caught.value is error

        run_virtual(main)
