"""Applications on streams of readings and messages: sensor windows, fan-out, a join."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from functools import partial
from typing import Any

import pytest
import reactivex
from reactivex import operators as ops
from reactivex.subject import Subject

from fluxus_rx import BufferOverflowError, DictProduct, arun, from_observable, run, start, step
from fluxus_rx.testing import assert_marbles, marbles, run_virtual, virtual_time
from tests.support.applications import Service, example, timed
from tests.support.errors import notes
from tests.support.probes import alone, turns

sensors = example("sensor_windows")


def read(diagram: str, **values: Any) -> Any:
    """A step that emits readings when a diagram of seconds shows them: a letter and a digit are a
    sensor and what it reads."""
    found = {
        reading: {"sensor": reading[0], "degrees": int(reading[1:])}
        for reading in diagram.replace("-", " ").strip("|# ").split()
    }
    return step("reading", marbles(diagram, values=found, **values))


class TestSensorWindows:
    def test_the_example_accounts_for_each_reading(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Each reading is in one window."""
        with virtual_time():
            sensors.main()
        assert capsys.readouterr().out.splitlines() == [
            "attic: 6 readings, 30.5 degrees on average",
            "cellar: 18 readings, 11.0 degrees on average",
        ]

    def test_a_window_ends_with_its_time_or_when_it_is_full(self) -> None:
        """Windows of 10 s, or 3 readings: when one is full, the time of the next one begins."""
        flow = read("-a1-a2-a3----a4-a5-------------------a6|") >> sensors.windows(10.0, 3)

        async def main() -> list[tuple[float, list[int]]]:
            return [
                (time, [reading["degrees"] for reading in product["window"]])
                for time, product in await timed(flow)
            ]

        assert run_virtual(main) == [(7.0, [1, 2, 3]), (17.0, [4, 5]), (39.0, [6])]

    def test_a_window_has_its_readings_as_precursors(self) -> None:
        """So has what a step makes of it, one step further back."""
        flow = read("-a1-a3|") >> sensors.windows(10.0, 8) >> step("average", sensors.averages)

        async def main() -> list[Any]:
            return [product async for product in flow]

        (average,) = run_virtual(main)
        assert (average["sensor"], average["mean"], average["readings"]) == ("a", 2.0, 2)
        (window,) = average.precursors
        assert [type(one) for one in window.precursors] == [DictProduct, DictProduct]
        assert [reading["degrees"] for reading in window.precursors] == [1, 3]

    def test_a_time_without_readings_gives_nothing(self) -> None:
        """Empty windows are left out, so is the one of a source that ends without a reading."""
        assert_marbles(sensors.windows(2.0, 8), "---------|", source="---------|")

    def test_a_broken_sensor_ends_the_run_with_its_error(self) -> None:
        """The error comes at its time; the window that has begun is lost with it, as in Rx."""
        error = OSError("sensor unplugged")
        flow = read("-a1-a2-a3-#", error=error) >> sensors.windows(4.0, 8)
        seen: list[Any] = []

        async def main() -> None:
            async for product in flow:
                seen.append([reading["degrees"] for reading in product["window"]])

        with pytest.raises(OSError, match="unplugged") as caught:
            run_virtual(main)
        assert caught.value is error
        assert seen == [[1], [2, 3]]

    def test_leaving_ends_the_timer_of_the_window(self) -> None:
        """No window opens any more, and no task is left."""
        flow = read("-a1-a2-a3-a4-a5-") >> sensors.windows(4.0, 8)

        async def main() -> None:
            async with aclosing(flow.__aiter__()) as windows:
                await anext(windows)
            assert alone()
            assert not waiting_timers()

        run_virtual(main)


def waiting_timers() -> list[asyncio.TimerHandle]:
    """What the running loop would still do later."""
    loop: Any = asyncio.get_running_loop()
    return [timer for timer in loop._scheduled if not timer.cancelled()]


feed = example("fan_out")


class TestFanOut:
    def test_the_example_tells_how_both_subscribers_fare(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """In virtual time as in real time."""
        run_virtual(feed.main)
        printed = capsys.readouterr().out.splitlines()
        assert printed[0] == "logged 40 prices"
        assert len(printed) == 4
        assert all("False" not in line for line in printed)

    def test_the_fast_one_gets_each_message_and_the_slow_one_the_newest(self) -> None:
        """Two seconds a picture, one a message: what came in between is dropped, and counted."""
        messages: Subject[Any] = Subject()
        drawing = Service(2.0)

        async def draw(price: int) -> dict[str, int]:
            return {"drawn": await drawing.ask(price)}

        logging_ = Service(0.0)

        async def log(price: int) -> dict[str, int]:
            return {"logged": await logging_.ask(price)}

        slow = step("draw", draw).options(concurrency=1).buffered(1, "latest")
        flow = from_observable(messages, "tick") >> (step("log", log) & slow)

        async def main() -> Any:
            async with start(flow) as running:
                await asyncio.sleep(0.5)
                for price in range(10):
                    messages.on_next({"price": price})
                    await asyncio.sleep(1)
                messages.on_completed()
                result = await running.result()
            assert alone()
            return result, running.stats()["buffered"].dropped

        (logged, drawn), dropped = run_virtual(main)
        assert logging_.asked == [(price + 0.5, price) for price in range(10)]
        assert [output["log"]["logged"] for output in logged] == [*range(10)]
        prices = [output["draw"]["drawn"] for output in drawn]
        assert prices == sorted(prices)
        assert prices[-1] == 9
        assert len(prices) < 8
        assert len(prices) + dropped == 10

    def test_a_subscriber_that_fails_ends_the_run_for_both(self) -> None:
        """The feed has no observer left afterwards."""
        messages: Subject[Any] = Subject()
        error = RuntimeError("no screen")

        async def draw(price: int) -> dict[str, int]:
            if price == 2:
                raise error
            return {"drawn": price}

        slow = step("draw", draw).options(concurrency=1).buffered(1, "latest")
        flow = from_observable(messages, "tick") >> (step("log", feed.log) & slow)

        async def main() -> None:
            running = asyncio.create_task(arun(flow))
            await turns()
            assert messages.observers
            for price in range(4):
                messages.on_next({"price": price})
                await asyncio.sleep(1)
            assert not messages.observers
            await running

        with pytest.raises(RuntimeError, match="no screen") as caught:
            run_virtual(main)
        assert caught.value is error

    def test_the_error_of_the_connection_comes_after_what_was_received(self) -> None:
        """What waits in front of the slow subscriber is drawn first."""
        messages: Subject[Any] = Subject()
        drawn: list[int] = []

        async def draw(price: int) -> dict[str, int]:
            await asyncio.sleep(1)
            drawn.append(price)
            return {"drawn": price}

        flow = from_observable(messages, "tick") >> step("draw", draw).options(concurrency=1)

        async def main() -> None:
            running = asyncio.create_task(arun(flow))
            await turns()
            for price in range(3):
                messages.on_next({"price": price})
            messages.on_error(ConnectionResetError("closed by peer"))
            await running

        with pytest.raises(ConnectionResetError, match="closed by peer"):
            run_virtual(main)
        assert drawn == [0, 1, 2]

    def test_a_subscriber_may_insist_on_everything_up_to_a_size(self) -> None:
        """With "error", a message for which there is no room ends the run; the error says more."""
        messages: Subject[Any] = Subject()
        slow = step("draw", feed.draw).options(concurrency=1).buffered(2, "error")
        flow = from_observable(messages, "tick") >> (step("log", feed.log) & slow)

        async def main() -> None:
            running = asyncio.create_task(arun(flow))
            await turns()
            for price in range(20):
                messages.on_next({"price": price})
                await turns()
            await running

        with pytest.raises(BufferOverflowError, match="drop_oldest") as caught:
            run_virtual(main)
        assert "2 items wait" in str(caught.value)
        assert "'draw'" in str(caught.value)

    def test_a_burst_that_is_dropped_is_told_in_the_log(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        """At the end of the run, on the level INFO, with the number."""
        caplog.set_level(logging.INFO, logger="fluxus_rx")
        messages: Subject[Any] = Subject()
        flow = from_observable(messages, "tick", buffer=2, overflow="drop_oldest") >> step(
            "log", feed.log
        )

        async def main() -> list[int]:
            running = asyncio.create_task(arun(flow))
            await turns()
            for price in range(10):
                messages.on_next({"price": price})
            messages.on_completed()
            return [output["log"]["logged"] for output in (await running)[0]]

        assert run_virtual(main) == [8, 9]
        assert "source 'tick': 8 of 10 items were dropped" in caplog.text

    def test_a_cancelled_run_unsubscribes(self) -> None:
        """The feed goes on without it."""
        messages: Subject[Any] = Subject()

        async def main() -> None:
            running = asyncio.create_task(arun(feed.fanned_out(messages)))
            await turns()
            messages.on_next({"price": 1})
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            assert not messages.observers
            messages.on_next({"price": 2})
            assert alone()

        run_virtual(main)


join = example("join")


def orders(**times: float) -> Any:
    """A step that emits orders at these times."""
    return step("orders", join.timed({at: {"order": o, "price": 9} for o, at in times.items()}))


def payments(**times: float) -> Any:
    """A step that emits payments at these times."""
    return step("payments", join.timed({at: {"paid": o, "amount": 9} for o, at in times.items()}))


def joined(flow: Any) -> list[tuple[float, str]]:
    """The orders of the pairs that a flow emits, and when."""

    async def main() -> list[tuple[float, str]]:
        return [(time, product["pair"][0]["order"]) for time, product in await timed(flow)]

    return run_virtual(main)


class TestJoin:
    def test_the_example_joins_what_comes_in_time(self, capsys: pytest.CaptureFixture[str]) -> None:
        """The payment of the third order is too late."""
        with virtual_time():
            join.main()
        assert capsys.readouterr().out.splitlines() == [
            "A2 leaves 5 to pay",
            "A1 leaves 0 to pay",
        ]

    def test_either_side_may_come_first(self) -> None:
        """A pair is given when the second of it comes."""
        flow = join.paired(orders(A=1, B=6), payments(B=3, A=5), within=10)
        assert joined(flow) == [(5.0, "A"), (6.0, "B")]

    def test_what_is_too_far_apart_is_no_pair(self) -> None:
        """Neither an order long before its payment, nor one long after."""
        flow = join.paired(orders(A=1, B=20, C=30), payments(A=12, B=9, C=31), within=10)
        assert joined(flow) == [(31.0, "C")]

    def test_both_sides_are_precursors_of_the_pair(self) -> None:
        """In their order, each with its lineage."""
        flow = join.paired(orders(A=1), payments(A=2), within=10)

        async def main() -> list[Any]:
            return [product async for product in flow]

        (pair,) = run_virtual(main)
        assert pair.product_name == "pair"
        assert [one.product_name for one in pair.precursors] == ["orders", "payments"]
        assert pair["pair"] == pair.precursors

    @pytest.mark.parametrize("side", ["orders", "payments"])
    def test_an_error_of_either_side_ends_the_run(self, side: str) -> None:
        """The very error, at its time; pairs before it have been given."""
        error = LookupError("no such account")
        broken = reactivex.concat(
            reactivex.timer(3).pipe(ops.ignore_elements()), reactivex.throw(error)
        )
        good = {"orders": orders(A=1), "payments": payments(A=2)}
        observable: Any = reactivex.merge(good[side].to_observable(), broken)
        sides = good | {side: step(side, observable)}
        seen: list[str] = []

        async def main() -> None:
            async for product in join.paired(sides["orders"], sides["payments"], within=10):
                seen.append(product["pair"][0]["order"])

        with pytest.raises(LookupError) as caught:
            run_virtual(main)
        assert caught.value is error
        assert seen == ["A"]

    def test_an_error_behind_the_join_names_the_pair(self) -> None:
        """The notes tell the step and its argument."""

        def refuse(pair: Any) -> Any:
            raise ValueError("refused")

        flow = join.paired(orders(A=1), payments(A=2), within=10) >> step("refuse", refuse)
        with virtual_time(), pytest.raises(ValueError, match="refused") as caught:
            run(flow)
        assert "in step 'refuse'" in notes(caught.value)
        assert "pair=" in notes(caught.value)

    def test_leaving_closes_both_sides(self) -> None:
        """Left after one pair, sources that go on for ever are closed, and no timer is left."""
        closed: list[str] = []

        async def numbered(name: str) -> Any:
            try:
                for number in range(1_000_000):
                    yield {name: number}
                    await asyncio.sleep(1)
            finally:
                closed.append(name)

        endless = [step(name, partial(numbered, name)) for name in ("order", "paid")]
        flow = join.paired(*endless, within=5)

        async def main() -> None:
            async with aclosing(flow.__aiter__()) as pairs:
                await anext(pairs)
            assert alone()
            assert not waiting_timers()

        run_virtual(main)
        assert sorted(closed) == ["order", "paid"]
