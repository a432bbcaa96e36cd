"""A run ends well when it is told to: by a deadline, from another thread, within some seconds."""

from __future__ import annotations

import asyncio
import itertools
import logging
import signal
import threading
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from typing import Any

import pytest

from fluxus_rx import (
    AsyncConsumer,
    Consumer,
    InvalidOptionError,
    RunResult,
    Stopper,
    arerun,
    arun,
    astream,
    passthrough,
    rerun,
    run,
    start,
    step,
    stream,
)
from fluxus_rx.testing import run_virtual, virtual_time
from tests.support.errors import refused, untyped
from tests.support.probes import alone

Row = dict[str, int]


async def ticks() -> AsyncIterator[Row]:
    """One a second, for ever."""
    for x in itertools.count():
        yield {"x": x}
        await asyncio.sleep(1)


async def slow(x: int) -> Row:
    await asyncio.sleep(2.5)
    return {"y": x}


async def hang(x: int) -> Row:
    await asyncio.Event().wait()
    return {}


def flow() -> Any:
    return step("src", ticks) >> step("slow", slow)


class Listed(Consumer[Any, list[int]]):
    """What came, in a plain loop."""

    def consume(self, products: Iterable[tuple[int, Any]]) -> list[int]:
        return [product["x"] for _, product in products]


class AsyncListed(AsyncConsumer[Any, list[int]]):
    """The same, in a coroutine."""

    async def aconsume(self, products: AsyncIterable[tuple[int, Any]]) -> list[int]:
        return [product["x"] async for _, product in products]


def xs(outputs: Iterable[Any]) -> list[int]:
    return [output["src"]["x"] for output in outputs]


async def streamed(flow: Any, **settings: Any) -> list[int]:
    return xs([output async for _, output in astream(flow, **settings)])


async def started(flow: Any, **settings: Any) -> list[int]:
    return xs((await start(flow, **settings).result())[0])


async def collected(flow: Any, **settings: Any) -> list[int]:
    return xs((await arun(flow, **settings))[0])


#: Ways to run a flow; each gives what came out, or a coroutine of that.
WAYS: dict[str, Callable[..., Any]] = {
    "run": lambda flow, **settings: xs(run(flow, **settings)[0]),
    "stream": lambda flow, **settings: xs(output for _, output in stream(flow, **settings)),
    "Flow.run": lambda flow, **settings: (flow >> Listed()).run(**settings),
    "Flow.run, asynchronous": lambda flow, **settings: (flow >> AsyncListed()).run(**settings),
    "arun": collected,
    "astream": streamed,
    "start": started,
    "Flow.arun": lambda flow, **settings: (flow >> AsyncListed()).arun(**settings),
}


def by_way(way: str, flow: Any, **settings: Any) -> list[int]:
    """What comes out, run in this way, in virtual time."""
    found: list[int] = []

    async def main() -> None:
        found.extend(await WAYS[way](flow, **settings))

    if way.startswith(("run", "stream", "Flow.run")):
        with virtual_time():
            return list(WAYS[way](flow, **settings))
    run_virtual(main)
    return found


class TestDeadline:
    @pytest.mark.parametrize("way", WAYS)
    def test_the_run_is_drained_then_and_ends_well(self, way: str) -> None:
        """Calls that had begun by then come to their end, however the flow is run."""
        assert by_way(way, flow(), deadline=4.5) == [0, 1, 2, 3, 4]

    def test_what_there_is_more_is_pending_and_can_be_gone_on_with(self) -> None:
        """The result isn't complete; a rerun has a deadline, too."""

        async def rows() -> AsyncIterator[Row]:
            for x in range(9):
                yield {"x": x}

        async def main() -> None:
            loop = asyncio.get_running_loop()
            one_by_one = step("src", rows) >> step("slow", slow).options(concurrency=1)
            result = await arun(one_by_one, deadline=6)
            assert loop.time() == 7.5
            assert (xs(result[0]), result.complete) == ([0, 1, 2], False)
            while result.pending:
                again = await arerun(one_by_one, result.pending, deadline=6)
                result = result.merged(again)
            assert xs(result[0]) == [*range(9)]
            assert loop.time() == 9 * 2.5

        run_virtual(main)

    @pytest.mark.parametrize("kind", ["call", "generator", "step behind"])
    def test_calls_under_way_have_ten_seconds_more(self, kind: str) -> None:
        """Then they are cancelled; their products, and all that wait behind, are pending."""
        closed: list[int] = []

        async def several(x: int) -> AsyncIterator[Row]:
            try:
                yield {"y": x}
                await asyncio.Event().wait()
            finally:
                closed.append(x)

        steps: Any = {
            "call": lambda: step("hang", hang).options(concurrency=2),
            "generator": lambda: step("hang", several).options(concurrency=2),
            "step behind": lambda: step("slow", slow) >> step("hang", hang).options(concurrency=2),
        }[kind]

        async def main() -> None:
            loop = asyncio.get_running_loop()
            hanging = step("src", ticks) >> (steps() & passthrough())
            result = await arun(hanging, deadline=4.5)
            assert loop.time() == 14.5
            assert alone()
            assert xs(result[0]) == ([0, 1] if kind == "generator" else [])
            assert xs(result[1]) == [0, 1, 2, 3, 4]
            assert closed == ([0, 1] if kind == "generator" else [])
            assert sorted(one.product["x"] for one in result.pending) == [0, 1, 2, 3, 4]

        run_virtual(main)

    def test_a_run_that_ends_before_is_complete(self) -> None:
        """Nothing is left of the deadline."""

        async def main() -> None:
            result = await arun(step("src", [{"x": 1}]) >> step("slow", slow), deadline=60)
            assert (xs(result[0]), result.complete) == ([1], True)
            assert asyncio.get_running_loop().time() == 2.5

        run_virtual(main)

    def test_ends_a_paused_run(self) -> None:
        """It is draining from then on, and tells so."""

        async def main() -> None:
            handle = start(flow(), deadline=4.5)
            await asyncio.sleep(1.5)
            handle.pause()
            await asyncio.sleep(3.1)
            assert handle.state == handle.stats().state == "draining" or handle.state == "done"
            handle.pause()
            assert xs((await handle.result())[0]) == [0, 1]
            assert handle.state == "done"

        run_virtual(main)

    def test_a_stream_with_a_slow_reader_loses_nothing_that_is_done(self) -> None:
        """What waits for the reader at the deadline comes all the same."""

        async def main() -> None:
            seen = []
            plain = step("src", [{"x": x} for x in range(100)]) >> step("f", lambda x: {"y": x})
            async for _, output in astream(plain, deadline=4.5):
                seen.append(output["src"]["x"])
                await asyncio.sleep(1)
            assert seen == [*range(len(seen))]
            assert len(seen) >= 5 + 16  # those of the buffer

        run_virtual(main)

    def test_a_run_without_a_result_tells_the_log_what_is_pending(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        """How many products there are, once."""
        one_by_one = step("src", ticks) >> step("slow", slow).options(concurrency=1)
        with virtual_time(), caplog.at_level(logging.WARNING, "fluxus_rx"):
            assert xs(output for _, output in stream(one_by_one, deadline=4.5)) == [0, 1]
        assert [record.getMessage()[:35] for record in caplog.records] == [
            "3 products were not gone on with, b"
        ]

    @pytest.mark.parametrize("value", [0, -1, "1", True, float("nan"), float("inf")])
    def test_what_is_no_number_of_seconds_is_refused(self, value: Any) -> None:
        """Before the run."""
        with refused(InvalidOptionError, "deadline=", "seconds above 0"):
            run(flow(), deadline=value)


class TestStopper:
    @pytest.mark.parametrize("way", WAYS)
    def test_it_ends_a_run_as_a_deadline_does(self, way: str) -> None:
        """However the flow is run."""
        stopper = Stopper()

        async def stopping() -> AsyncIterator[Row]:
            async for row in ticks():
                if row["x"] == 5:
                    stopper.stop()
                yield row

        flow = step("src", stopping) >> step("slow", slow)
        assert by_way(way, flow, stop=stopper) == [0, 1, 2, 3, 4]

    def test_a_synchronous_run_is_stopped_from_another_thread(self) -> None:
        """It returns what it has."""
        entered, stopper = threading.Event(), Stopper()

        async def call(x: int) -> Row:
            if x < 3:
                return {"y": x}
            entered.set()
            return await hang(x)

        def watch() -> None:
            entered.wait()
            stopper.stop(within=0)

        watcher = threading.Thread(target=watch)
        watcher.start()
        source = step("src", [{"x": x} for x in range(9)])
        result = run(source >> step("call", call).options(concurrency=1), stop=stopper)
        watcher.join()
        assert (xs(result[0]), result.complete) == ([0, 1, 2], False)
        assert result.pending[0].product["x"] == 3

    def test_a_plain_source_without_end_is_stopped_from_another_thread(self) -> None:
        """The loop is never idle in such a run."""
        entered, stopper = threading.Event(), Stopper()

        def rows() -> Iterator[Row]:
            for x in itertools.count():
                if x == 10:
                    entered.set()
                yield {"x": x}

        def watch() -> None:
            entered.wait()
            stopper.stop()

        watcher = threading.Thread(target=watch)
        watcher.start()
        result = run(step("src", rows) >> step("f", lambda x: {"y": x}), stop=stopper)
        watcher.join()
        assert len(result[0]) >= 10

    def test_a_signal_handler_may_stop_runs(self) -> None:
        """As for SIGTERM."""
        stopper = Stopper()
        before = signal.signal(signal.SIGTERM, lambda *_: stopper.stop(within=0))
        try:

            async def call(x: int) -> Row:
                signal.raise_signal(signal.SIGTERM)
                return await hang(x)

            result = run(step("src", [{"x": 1}]) >> step("call", call), stop=stopper)
        finally:
            signal.signal(signal.SIGTERM, before)
        assert [one.product["x"] for one in result.pending] == [1]

    def test_stops_all_runs_that_have_it_and_those_that_begin_later(self) -> None:
        """These end at once, as if their sources were empty."""

        async def main() -> None:
            stopper = Stopper()
            both = asyncio.gather(arun(flow(), stop=stopper), arun(flow(), stop=stopper))
            await asyncio.sleep(1.5)
            assert not stopper.stopped
            stopper.stop()
            assert [xs(result[0]) for result in await both] == [[0, 1], [0, 1]]
            later = await arun(flow(), stop=stopper)
            assert (xs(later[0]), later.complete, stopper.stopped) == ([], False, True)
            assert stopper._runs == {}

        run_virtual(main)

    @pytest.mark.parametrize(("first", "second", "took"), [(100, 1, 6), (1, 100, 5), (0, 0, 4)])
    def test_may_be_called_again_with_less_time(
        self, first: float, second: float, took: float
    ) -> None:
        """The shortest time counts."""

        async def main() -> None:
            stopper = Stopper()
            loop = asyncio.get_running_loop()
            loop.call_later(4, stopper.stop, first)
            loop.call_later(5, stopper.stop, second)
            await arun(step("src", ticks) >> step("hang", hang), stop=stopper)
            assert loop.time() == took

        run_virtual(main)

    def test_stopped_in_a_call_of_the_run_itself(self) -> None:
        """That call goes on to its end."""
        stopper = Stopper()

        def call(x: int) -> Row:
            if x == 2:
                stopper.stop()
            return {"y": x}

        source = step("src", [{"x": x} for x in range(9)])
        assert xs(run(source >> step("call", call), stop=stopper)[0])[:3] == [0, 1, 2]

    @pytest.mark.parametrize("within", [-1, "1", None, float("inf")])
    def test_what_is_no_number_of_seconds_is_refused(self, within: Any) -> None:
        """And stops nothing."""
        stopper = Stopper()
        with refused(InvalidOptionError, "within="):
            stopper.stop(within)
        assert not stopper.stopped

    def test_anything_else_is_refused(self) -> None:
        """Before the run."""
        with refused(InvalidOptionError, "stop=", "a Stopper"):
            run(flow(), stop=untyped(threading.Event()))

    def test_a_rerun_can_be_stopped(self) -> None:
        """As any run."""
        stopper = Stopper()
        failing = step("src", [{"x": 1}, {"x": 2}]) >> step("f", lambda x: {"y": 1 / 0})
        result = run(failing.options(on_error="collect"))
        stopper.stop()
        again = rerun(failing, result.failures, stop=stopper)
        assert [one.product["x"] for one in again.pending] == [1, 2]
        merged = result.merged(again)
        assert (len(merged.failures), len(merged.pending)) == (0, 2)


class TestCancelWithin:
    def test_a_run_that_ends_in_time_is_done(self) -> None:
        """As after drain()."""

        async def main() -> None:
            handle = start(flow())
            await asyncio.sleep(1.5)
            await handle.cancel(within=5)
            assert asyncio.get_running_loop().time() == 3.5
            assert handle.state == "done"
            assert xs((await handle.result())[0]) == [0, 1]

        run_virtual(main)

    @pytest.mark.parametrize("within", [0, 1])
    def test_what_still_runs_then_is_cancelled(self, within: float) -> None:
        """The run is cancelled, and what it returned is there, with all that is pending."""

        async def main() -> None:
            handle = start(flow())
            await asyncio.sleep(3.1)
            await handle.cancel(within=within)
            assert asyncio.get_running_loop().time() == 3.1 + within
            assert handle.state == "cancelled"
            with pytest.raises(asyncio.CancelledError):
                await handle.result()
            assert alone()
            done = [0] if within == 0 else [0, 1]
            assert xs(handle.partial[0]) == done
            assert [one.product["x"] for one in handle.partial.pending] == [0, 1, 2, 3][len(done) :]

        run_virtual(main)

    def test_shortens_a_drain_and_may_come_before_the_run_began(self) -> None:
        """In whatever state the run is."""

        async def main() -> None:
            handle = start(step("src", ticks) >> step("hang", hang))
            draining = asyncio.create_task(handle.drain())
            await asyncio.sleep(0)
            handle = start(step("src", ticks) >> step("hang", hang))
            await asyncio.sleep(2)
            drained = asyncio.create_task(handle.drain())
            await asyncio.sleep(1)
            await handle.cancel(within=1)
            assert asyncio.get_running_loop().time() == 4
            with pytest.raises(asyncio.CancelledError):
                await drained
            assert (await draining).pending == ()
            early = start(flow())
            await early.cancel(within=3)
            assert (early.state, await early.result()) == ("done", RunResult([]))
            await early.cancel(within=3)
            assert early.state == "done"

        run_virtual(main)

    def test_an_error_in_cleaning_up_is_raised(self) -> None:
        """As by cancel()."""

        async def unclean(x: int) -> Row:
            try:
                return await hang(x)
            finally:
                raise LookupError("in clean-up")

        async def main() -> None:
            handle = start(step("src", ticks) >> step("unclean", unclean).options(concurrency=1))
            await asyncio.sleep(2)
            with pytest.raises(LookupError):
                await handle.cancel(within=1)
            assert handle.state == "failed"

        run_virtual(main)

    async def test_what_is_no_number_of_seconds_is_refused(self) -> None:
        """The run goes on."""
        handle = start(flow())
        with refused(InvalidOptionError, "within="):
            await handle.cancel(within=-1)
        assert handle.state == "running"
        await handle.cancel()
