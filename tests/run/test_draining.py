"""A run that is drained begins nothing new, and nothing that was done is lost."""

from __future__ import annotations

import asyncio
import pickle
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent import futures
from typing import Any

import pytest
import reactivex
from reactivex import operators as ops
from tenacity import AsyncRetrying, wait_fixed

from fluxus_rx import (
    AsyncTransformer,
    Pending,
    RunResult,
    StepOptions,
    arerun,
    arun,
    passthrough,
    rx_pipe,
    start,
    step,
)
from fluxus_rx.testing import run_virtual
from tests.support.errors import notes

Row = dict[str, int]


class Calls:
    """Steps whose calls are counted as they begin and as they end, and take their time."""

    def __init__(self) -> None:
        self.begun: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()
        #: how often each product still fails
        self.failing: Counter[int] = Counter()

    def plain(self, name: str) -> Any:
        def call(x: int) -> Row:
            self.begun[name] += 1
            self.ended[name] += 1
            return {name: x}

        return step(name, call)

    def slow(self, name: str, seconds: float = 1) -> Any:
        async def call(x: int) -> Row:
            self.begun[name] += 1
            await asyncio.sleep(seconds * (1 + x % 3))
            self.ended[name] += 1
            if self.failing[x]:
                self.failing[x] -= 1
                raise OSError(x)
            return {name: x}

        return step(name, call)

    def several(self, name: str) -> Any:
        async def call(x: int) -> AsyncIterator[Row]:
            self.begun[name] += 1
            for number in range(3):
                await asyncio.sleep(0.4)
                yield {name: number}
            self.ended[name] += 1

        return step(name, call)

    def generated(self, name: str) -> Any:
        def call(x: int) -> Iterator[Row]:
            self.begun[name] += 1
            yield from ({name: number} for number in range(3))
            self.ended[name] += 1

        return step(name, call)


def source(count: int = 40) -> Any:
    """A source that is read only as far as the step behind it takes."""
    return step("src", [{"x": x} for x in range(count)])


def ahead(count: int) -> Any:
    """A source that is read as far as there is room in the buffer behind it."""

    async def rows() -> AsyncIterator[Row]:
        for x in range(count):
            yield {"x": x}

    return step("src", rows)


SHAPES: dict[str, Callable[[Calls], Any]] = {
    "one": lambda calls: calls.slow("a"),
    "one at a time": lambda calls: calls.slow("a").options(concurrency=1),
    "ordered": lambda calls: calls.slow("a").options(concurrency=4, ordered=True),
    "ordered by key": lambda calls: calls.slow("a").options(concurrency=4, ordered="x", window=5),
    "small buffers": lambda calls: (calls.slow("a") >> calls.slow("b")).options(
        concurrency=3, buffer=1
    ),
    "fast, then slow": lambda calls: (
        calls.plain("a") >> calls.slow("b").options(concurrency=2) >> calls.plain("c")
    ),
    "slow, then fast": lambda calls: calls.slow("a").options(concurrency=9) >> calls.plain("c"),
    "generators": lambda calls: (
        calls.several("a").options(concurrency=2) >> calls.slow("b").options(concurrency=3)
    ),
    "plain generators": lambda calls: (
        calls.generated("a") >> calls.slow("b").options(concurrency=3) >> calls.generated("c")
    ),
    "group": lambda calls: (
        calls.plain("a")
        >> (calls.slow("b").options(concurrency=2) & calls.slow("c") & passthrough())
        >> calls.several("d").options(concurrency=2)
    ),
    "retried": lambda calls: calls.slow("a").options(concurrency=5, retry=3),
    "limited": lambda calls: (calls.slow("a") >> calls.slow("b")).options(
        limiter=asyncio.Semaphore(2)
    ),
}


class Reused:
    """A step that stands in two places of a path, which share its limit."""

    def __call__(self, calls: Calls) -> Any:
        again = calls.slow("a").options(concurrency=2)
        return again >> calls.plain("b") >> again


SHAPES["reused"] = Reused()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("moment", [0.0, 1.05, 2.5, 5.05])
def test_no_call_begins_those_under_way_end_and_the_rest_is_pending(
    shape: str, moment: float
) -> None:
    """Whatever steps there are, at whatever moment; a rerun of what is pending returns the rest."""

    async def main() -> None:
        calls = Calls()
        calls.failing.update(range(0, 40, 2))
        flow = source() >> SHAPES[shape](calls)
        if shape != "retried":
            calls.failing.clear()
        started = start(flow)
        await asyncio.sleep(moment)
        begun = calls.begun.copy()
        result = await started.drain()
        assert calls.begun == begun, "calls began after drain()"
        assert calls.ended == begun, "calls did not go on to their end"
        assert started.state == "done"
        again = await arerun(flow, pickle.loads(pickle.dumps(result.pending)))
        whole = result.merged(again)
        first = {output["src"]["x"] for output in whole.get_outputs()}
        assert not result.complete or first == {*range(40)}
        assert len(first) == started.stats()["src"].done, "what the source gave is lost"
        assert whole == await arun(
            step("src", [{"x": x} for x in sorted(first)]) >> SHAPES[shape](Calls())
        )

    run_virtual(main)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("moment", [0.9, 2.5, 5.05])
def test_nothing_is_lost_of_a_run_that_is_cut_short(shape: str, moment: float) -> None:
    """What is done by then is there, and all else is pending, the calls that were cancelled, too: a
    rerun returns what they would have returned, and takes the place of what they had."""

    async def main() -> None:
        calls = Calls()
        flow = source() >> SHAPES[shape](calls)
        started = start(flow)
        await asyncio.sleep(moment)
        begun = calls.begun.copy()
        await started.cancel(within=0)
        assert calls.begun == begun, "calls began after cancel()"
        partial = started.partial
        whole = partial.merged(await arerun(flow, partial.pending))
        first = {output["src"]["x"] for output in whole.get_outputs()}
        assert len(first) == started.stats()["src"].done, "what the source gave is lost"
        assert whole == await arun(
            step("src", [{"x": x} for x in sorted(first)]) >> SHAPES[shape](Calls())
        )

    run_virtual(main)


class Enrich(AsyncTransformer[Any, Any]):
    """Takes a second for a product."""

    async def atransform(self, source_product: Any) -> AsyncIterator[Any]:
        await asyncio.sleep(1)
        yield source_product


#: what flat_map makes of a product
INNER: dict[str, Callable[[Any], reactivex.Observable[Any]]] = {
    "transformer": lambda product: reactivex.of(product).pipe(Enrich()),
    "late transformer": lambda product: reactivex.of(product).pipe(ops.delay(2), Enrich()),
    "two of them": lambda product: reactivex.of(product).pipe(Enrich(), Enrich()),
    "flow": lambda product: (step("q", [product]) >> Enrich()).to_observable(),
    "paths": lambda product: reactivex.merge(
        *(step("q", [product]) >> Enrich()).to_observable(paths=True)
    ),
}

#: operators that subscribe to a source later, or to another one
LATER: dict[str, Callable[[], Any]] = {
    "start_with": lambda: ops.start_with(),
    "delay_subscription": lambda: ops.delay_subscription(0.5),
    "retry": lambda: ops.retry(),
    "merge": lambda: ops.merge(step("other", endless).to_observable()),
    "start_with, merge": lambda: reactivex.compose(
        ops.merge(step("other", endless).to_observable()), ops.start_with()
    ),
}


async def endless() -> AsyncIterator[Row]:
    """A row each tenth of a second."""
    while True:
        yield {"x": 1}
        await asyncio.sleep(0.1)


class TestOperators:
    @pytest.mark.parametrize("inner", INNER)
    def test_what_is_made_for_a_product_keeps_it(self, inner: str) -> None:
        """A product that an operator has made an observable of comes out, or is pending in it."""

        async def main() -> None:
            calls = Calls()
            paid = source(12) >> calls.slow("paid").options(concurrency=3)
            flow = paid >> rx_pipe(ops.flat_map(INNER[inner]))
            started = start(flow >> calls.slow("z").options(concurrency=1))
            await asyncio.sleep(2.5)
            result = await started.drain()
            assert calls.ended["paid"] == len(result[0]) + len(result.pending) > 0

        run_virtual(main)

    @pytest.mark.parametrize("operator", LATER)
    def test_a_source_ends_whenever_it_is_subscribed_to(self, operator: str) -> None:
        """What was there before the run is a source, also where an operator comes to it later."""

        async def main() -> None:
            flow = step("src", endless) >> rx_pipe(LATER[operator]()) >> Calls().plain("a")
            started = start(flow)
            await asyncio.sleep(2.5)
            async with asyncio.timeout(60):
                result = await started.drain()
            assert len(result[0]) > 10

        run_virtual(main)


class TestPending:
    def test_is_a_product_and_its_next_step(self) -> None:
        """In the order of the flow; nothing that was done before is done again."""

        async def main() -> None:
            calls = Calls()
            flow = ahead(5) >> calls.slow("paid", 0.01) >> calls.slow("b").options(concurrency=1)
            started = start(flow)
            await asyncio.sleep(0.5)
            result = await started.drain()
            assert [output["src"]["x"] for output in result[0]] == [0]
            assert [str(one) for one in result.pending] == [
                f"b is still to be called with {{'x': {x}, 'paid': {x}}}" for x in range(1, 5)
            ]
            one = result.pending[0]
            assert isinstance(one, Pending)
            assert (one.step, one.path) == ("b", "src → paid → b")
            assert one.lineage == {"src": {"x": 1}, "paid": {"paid": 1}}
            again = await arerun(flow, result.pending)
            assert calls.begun == {"paid": 5, "b": 5}
            assert len(result.merged(again)[0]) == 5

        run_virtual(main)

    def test_that_was_run_again_is_no_longer_pending_in_the_merged_result(self) -> None:
        """What was not, still is; and a rerun can be drained as well."""

        async def main() -> None:
            flow = ahead(4) >> Calls().slow("b").options(concurrency=1)
            started = start(flow)
            await asyncio.sleep(0.5)
            result = await started.drain()
            assert [one.product["x"] for one in result.pending] == [1, 2, 3]
            merged = result.merged(await arerun(flow, result.pending[:1]))
            assert [one.product["x"] for one in merged.pending] == [2, 3]
            assert [one.product["x"] for one in pickle.loads(pickle.dumps(merged)).pending] == [
                2,
                3,
            ]

        run_virtual(main)

    def test_beside_failures(self) -> None:
        """Both are run again in one go."""

        async def main() -> None:
            calls = Calls()
            calls.failing[0] = 1
            flow = ahead(4) >> calls.slow("b").options(concurrency=1, on_error="collect")
            started = start(flow)
            await asyncio.sleep(0.5)
            result = await started.drain()
            assert ([len(path) for path in result], len(result.failures)) == ([0], 1)
            whole = result.merged(await arerun(flow, [*result.failures, *result.pending]))
            assert [output["src"]["x"] for output in whole[0]] == [0, 1, 2, 3]
            assert (len(whole.failures), whole.pending) == (0, ())

        run_virtual(main)


class TestComplete:
    def test_of_a_run_that_came_to_its_end(self) -> None:
        """Also if it was drained when its sources had ended and all calls were in flight."""

        async def main() -> None:
            assert (await arun(source())).complete
            started = start(source(3) >> Calls().slow("a"))
            await asyncio.sleep(0.5)
            result = await started.drain()
            assert len(result[0]) == 3
            assert result.complete
            assert pickle.loads(pickle.dumps(result)).complete

        run_virtual(main)

    def test_is_false_where_a_source_might_have_given_more(self) -> None:
        """Even if all that it yielded is there."""

        async def rows() -> AsyncIterator[Row]:
            yield {"x": 1}
            await asyncio.Event().wait()

        async def main() -> None:
            for given in (rows, rows()):
                started = start(step("src", given) >> Calls().plain("a"))
                await asyncio.sleep(0.5)
                result = await started.drain()
                assert (len(result[0]), result.pending, result.complete) == (1, (), False)
                assert not pickle.loads(pickle.dumps(result)).complete

        run_virtual(main)

    def test_is_false_of_a_partial_result(self) -> None:
        """The run came to no end."""
        partial: list[RunResult] = []

        async def main() -> None:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1.5):
                    await arun(source(3) >> Calls().slow("a"), partial=partial)
            assert [one.complete for one in partial] == [False]

        run_virtual(main)


class TestWaits:
    def test_a_call_that_waits_for_its_next_attempt_waits_no_longer(self) -> None:
        """Its product is pending, and the run ends at once."""

        async def main() -> None:
            calls = Calls()
            calls.failing[0] = 1
            loop = asyncio.get_running_loop()
            waits = StepOptions(retry=AsyncRetrying(wait=wait_fixed(1000)))
            started = start(source(1) >> calls.slow("a"), options=waits)
            await asyncio.sleep(5)
            assert calls.ended == {"a": 1}
            result = await started.drain()
            assert loop.time() < 10
            assert [one.product["x"] for one in result.pending] == [0]
            assert (calls.begun["a"], len(result.failures)) == (1, 0)

        run_virtual(main)

    def test_a_call_that_fails_for_good_meanwhile_is_a_failure(self) -> None:
        """An error of a call in flight ends the run that is drained, as ever."""

        async def main() -> None:
            calls = Calls()
            calls.failing[0] = 1
            started = start(ahead(3) >> calls.slow("a").options(concurrency=1))
            await asyncio.sleep(0.5)
            with pytest.raises(OSError, match="0") as caught:
                await started.drain()
            assert "in step 'a'" in notes(caught.value)
            assert [one.product["x"] for one in started.partial.pending] == [1, 2]

        run_virtual(main)

    @pytest.mark.parametrize("own", [False, True])
    def test_calls_in_threads_end_and_none_begins(self, own: bool) -> None:
        """A thread that is busy is waited for; what waits in a pool for one is pending."""
        entered, leave = threading.Semaphore(0), threading.Event()
        begun: list[int] = []
        pool = futures.ThreadPoolExecutor(2)
        options: dict[str, Any] = {"executor": pool, "concurrency": 5} if own else {}

        def block(x: int) -> Row:
            begun.append(x)
            entered.release()
            leave.wait()
            return {"y": x}

        async def main() -> None:
            flow = ahead(9) >> step("block", block).options(**{"concurrency": 2} | options)
            started = start(flow)
            await asyncio.to_thread(lambda: [entered.acquire() for _ in range(2)])
            draining = asyncio.create_task(started.drain())
            await asyncio.sleep(0)
            leave.set()
            result = await draining
            assert sorted(begun) == [output["src"]["x"] for output in result[0]] == [0, 1]
            assert [one.product["x"] for one in result.pending] == [*range(2, 9)]
            assert started.stats()["block"].done == 2

        with pool:
            asyncio.run(main())


class TestCutShort:
    @pytest.mark.parametrize("ordered", [False, True, "x"])
    def test_what_waits_for_its_turn_is_not_lost(self, ordered: bool | str) -> None:
        """A slow call in front of it won't end; each product is pending or given, and paid once."""
        hanging = {0}
        calls: Counter[int] = Counter()

        async def ask(x: int) -> Row:
            await asyncio.sleep(1_000 if x in hanging else 1)
            calls[x] += 1
            return {"paid": x}

        flow = (
            step("src", [{"x": x} for x in range(6)])
            >> step("ask", ask).options(concurrency=3, ordered=ordered)
            >> step("parse", lambda paid: {"y": paid})
        )

        async def main() -> None:
            first = await arun(flow, deadline=2.5)
            hanging.clear()
            whole = first.merged(await arerun(flow, first.pending))
            assert sorted(output["parse"]["y"] for output in whole[0]) == [*range(6)]
            assert not whole.pending
            assert calls == Counter(range(6))

        run_virtual(main)

    def test_a_run_that_is_drained_and_then_cancelled_keeps_the_calls_under_way(self) -> None:
        """A rerun of what is pending returns all that was not done."""

        async def first(x: int) -> Row:
            await asyncio.sleep(1 if x < 3 else 600)
            return {"y": x}

        flow = (
            step("src", [{"x": x} for x in range(6)])
            >> step("first", first)
            >> step("second", lambda y: {"z": y})
        )

        async def main() -> None:
            running = start(flow)
            await asyncio.sleep(0.5)
            draining = asyncio.ensure_future(running.drain())
            await asyncio.sleep(5)
            await running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await draining
            assert sorted(one.step for one in running.partial.pending) == (
                ["first"] * 3 + ["second"] * 3
            )

        run_virtual(main)
