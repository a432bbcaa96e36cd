"""Applications that bring two worlds together: threads that emit into asyncio, and a flow inside a
flow."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import aclosing
from typing import Any

import pytest
import reactivex
from reactivex import Observable
from reactivex import operators as ops
from reactivex.scheduler import ThreadPoolScheduler
from reactivex.subject import Subject

from fluxus_rx import arun, from_observable, run, rx_pipe, start, step
from fluxus_rx.testing import run_virtual, virtual_time
from tests.support.applications import Service, example
from tests.support.errors import notes
from tests.support.probes import alone, until

threads = example("threads")


@pytest.fixture
def pool() -> Iterator[ThreadPoolScheduler]:
    """Four threads, which end with the test."""
    scheduler = ThreadPoolScheduler(4)
    yield scheduler
    scheduler.executor.shutdown()


def counting(name: str, upto: int) -> Iterator[dict[str, Any]]:
    for number in range(upto):
        yield {"source": name, "number": number}


def merged(
    pool: ThreadPoolScheduler, *sources: Callable[[], Iterator[dict[str, Any]]]
) -> Observable[dict[str, Any]]:
    """Sources that each emit in a thread of the pool."""
    return reactivex.merge(
        *(reactivex.from_iterable(source(), scheduler=pool) for source in sources)
    )


class TestThreads:
    """With real threads, and so in real time."""

    def test_nothing_is_lost_of_what_threads_emit_as_fast_as_they_can(
        self, pool: ThreadPoolScheduler
    ) -> None:
        """Four threads, each item once, and each thread's in its order."""
        seen: list[tuple[str, int]] = []

        async def note(source: str, number: int) -> dict[str, Any]:
            seen.append((source, number))
            return {}

        names = "abcd"
        lines = merged(pool, *(lambda name=name: counting(name, 500) for name in names))
        run(from_observable(lines, "line") >> step("note", note))
        for name in names:
            assert [number for source, number in seen if source == name] == [*range(500)]
        assert len(seen) == 2_000

    async def test_an_item_of_another_thread_wakes_an_idle_loop_at_once(self) -> None:
        """The loop has no timer, and nothing else to do, when the item comes."""
        subject: Subject[int] = Subject()
        came = threading.Event()

        async def note(line: int) -> dict[str, int]:
            came.set()
            return {"noted": line}

        running = asyncio.create_task(arun(from_observable(subject, "line") >> step("note", note)))
        await until(lambda: bool(subject.observers))

        def emit() -> bool:
            subject.on_next(1)
            woken = came.wait(timeout=30)  # while the loop has nothing else to wake it
            subject.on_completed()
            return woken

        assert await asyncio.to_thread(emit)
        assert (await running)[0][0]["note"] == {"noted": 1}

    def test_the_steps_run_on_the_loop_and_not_in_the_emitting_threads(
        self, pool: ThreadPoolScheduler
    ) -> None:
        """All calls, synchronous ones too, are made in one thread."""
        where: set[int] = set()

        def note(number: int) -> dict[str, int]:
            where.add(threading.get_ident())
            return {"noted": number}

        async def anote(noted: int) -> dict[str, int]:
            where.add(threading.get_ident())
            return {"stored": noted}

        lines = merged(pool, *(lambda name=name: counting(name, 50) for name in "abc"))
        flow = from_observable(lines, "line") >> step("note", note) >> step("anote", anote)
        assert len(run(flow)[0]) == 150
        assert len(where) == 1

    def test_the_error_of_a_thread_ends_the_run(self, pool: ThreadPoolScheduler) -> None:
        """The very error, after the items that it emitted before."""
        error = OSError("line is dead")
        seen: list[int] = []

        def broken() -> Iterator[dict[str, Any]]:
            yield from counting("a", 3)
            raise error

        def note(number: int) -> dict[str, int]:
            seen.append(number)
            return {"noted": number}

        flow = from_observable(merged(pool, broken), "line") >> step("note", note)
        with pytest.raises(OSError, match="line is dead") as caught:
            run(flow)
        assert caught.value is error
        assert seen == [0, 1, 2]

    def test_a_failing_step_stops_the_threads(self, pool: ThreadPoolScheduler) -> None:
        """A source without an end emits no more, as its subscription is disposed of."""
        made: list[int] = []

        def endless() -> Iterator[dict[str, Any]]:
            while True:
                made.append(len(made))
                yield {"source": "a", "number": len(made)}

        def refuse(number: int) -> dict[str, int]:
            if number >= 100:
                raise ValueError("enough")
            return {"noted": number}

        lines = from_observable(merged(pool, endless), "line", overflow="drop_newest")
        with pytest.raises(ValueError, match="enough"):
            run(lines >> step("refuse", refuse))
        pool.executor.shutdown()  # which waits for its threads
        assert len(made) >= 100

    def test_threads_that_are_too_fast_are_thinned_out_by_a_policy(
        self, pool: ThreadPoolScheduler
    ) -> None:
        """What was stored and what was dropped are all that was emitted."""

        async def main() -> tuple[int, int]:
            lines = merged(pool, *(lambda name=name: counting(name, 1_000) for name in "abc"))
            slow = step("store", threads.store).options(concurrency=1)
            source = from_observable(lines, "line", buffer=5, overflow="drop_oldest")
            async with start(source >> slow) as running:
                result = await running.result()
                return len(result[0]), running.stats()["line"].dropped

        stored, dropped = asyncio.run(main())
        assert dropped > 0
        assert stored + dropped == 3_000

    async def test_a_cancelled_run_leaves_the_threads_to_their_pool(
        self, pool: ThreadPoolScheduler
    ) -> None:
        """It doesn't wait for a thread that blocks; what that emits later goes nowhere."""
        go_on, over = threading.Event(), threading.Event()

        def blocking() -> Iterator[dict[str, Any]]:
            yield {"source": "a", "number": 0}
            go_on.wait(timeout=30)
            yield {"source": "a", "number": 1}
            over.set()

        seen: list[int] = []

        def note(number: int) -> dict[str, int]:
            seen.append(number)
            return {"noted": number}

        flow = from_observable(merged(pool, blocking), "line") >> step("note", note)
        running = asyncio.create_task(arun(flow))
        await until(lambda: seen == [0])
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert alone()
        go_on.set()
        await asyncio.to_thread(pool.executor.shutdown)
        assert seen == [0]


nested = example("nested")


def pricing(service: Service, **options: Any) -> Any:
    """The inner flow of the example, which asks a service."""

    async def price(article: str, pieces: int) -> dict[str, int]:
        return {"price": pieces * len(await service.ask(article))}

    return step("line", nested.lines) >> step("price", price).options(**options)


def order(name: str, *articles: str) -> dict[str, Any]:
    return {"order": name, "lines": [(article, 1) for article in articles]}


class TestFlowInsideAFlow:
    def test_the_example_adds_up_each_order(self, capsys: pytest.CaptureFixture[str]) -> None:
        """In the sequence of the orders."""
        with virtual_time():
            nested.main()
        assert capsys.readouterr().out == "A1 37\nA2 18\nA3 38\n"

    def test_products_of_inner_flows_continue_the_lineage(self) -> None:
        """From the order to the price, as if the steps stood in the outer flow."""
        inner = rx_pipe(ops.flat_map(lambda order: reactivex.of(order) >> pricing(Service(1))))
        with virtual_time():
            result = run(step("order", [order("A", "tea")]) >> inner)
        assert result[0] == [
            {
                "order": {"order": "A", "lines": [("tea", 1)]},
                "line": {"article": "tea", "pieces": 1},
                "price": {"price": 3},
            }
        ]

    def test_a_limit_counts_over_all_inner_flows(self) -> None:
        """Five orders of four lines at once, and never more than three calls."""
        service = Service(1.0)
        inner = pricing(service, concurrency=3)
        orders = [order(f"A{n}", *"abcd") for n in range(5)]
        flow = step("order", orders) >> rx_pipe(
            ops.flat_map(lambda order: reactivex.of(order) >> inner)
        )
        with virtual_time() as run_in:
            run_in(arun(flow))
        assert len(service.answered) == 20
        assert service.most == 3
        assert service.answered[-1][0] == 7.0

    def test_inner_flows_one_after_the_other_keep_the_sequence(self) -> None:
        """concat_map begins the second order when the first is done."""
        service = Service(1.0)
        inner = pricing(service)
        flow = step("order", [order("A", *"ab"), order("B", *"cd")]) >> rx_pipe(
            ops.concat_map(lambda order: reactivex.of(order) >> inner)
        )
        run_virtual(arun(flow))
        assert sorted(service.asked) == [(0.0, "a"), (0.0, "b"), (1.0, "c"), (1.0, "d")]

    def test_the_sum_of_an_order_comes_of_the_order(self) -> None:
        """A product that is made by hand continues the lineage; steps behind it see all of it."""

        def bill(order: str, total: int) -> dict[str, str]:
            return {"text": f"{order}: {total}"}

        with virtual_time():
            result = run(nested.totalled(nested.ORDERS) >> step("bill", bill))
        assert [[*output] for output in result[0]] == [["order", "sum", "bill"]] * 3
        assert [output["bill"]["text"] for output in result[0]] == ["A1: 37", "A2: 18", "A3: 38"]

    @pytest.mark.parametrize("behind", ["nothing", "a step"])
    def test_what_an_inner_flow_comes_to_is_a_product_of_the_name(self, behind: str) -> None:
        """Though a sum comes later than what it was made of."""

        def total(order: Any) -> Observable[Any]:
            def price_of(line: Any) -> int:
                return int(line["price"])

            return reactivex.of(order).pipe(pricing(Service(1.0)), ops.sum(price_of))

        flow: Any = step("order", [order("A", "tea", "pot")]) >> rx_pipe(
            ops.concat_map(total), name="total"
        )
        if behind == "a step":
            flow = flow >> step("same", lambda total: {"same": total})

        async def main() -> list[Any]:
            return [product async for product in flow]

        (product,) = run_virtual(main)
        assert product["total"] == 6
        assert "total" in [one.product_name for one in product.get_lineage()]

    def test_the_error_of_an_inner_flow_ends_all(self) -> None:
        """The others are cancelled; the notes have the inner step, and its path from the start."""
        error = LookupError("no price")
        service = Service(1.0, bad=("tea",), error=error)
        slow = Service(9.0)

        def inner(order: Any) -> Observable[Any]:
            asked = slow if order["order"] == "slow" else service
            return reactivex.of(order).pipe(pricing(asked))

        flow = step("order", [order("slow", "cup"), order("A", "tea")]) >> rx_pipe(
            ops.flat_map(inner)
        )
        with pytest.raises(LookupError) as caught:
            run_virtual(arun(flow))
        assert caught.value is error
        assert "'price'" in notes(error)
        assert "article='tea'" in notes(error)
        assert slow.given_up == [(1.0, "cup")]

    def test_leaving_ends_all_inner_flows(self) -> None:
        """Calls in flight are given up, and no task is left."""
        service = Service(1.0)
        inner = pricing(service, concurrency=2)
        flow = step("order", [order("A", *"abc"), order("B", *"de")]) >> rx_pipe(
            ops.flat_map(lambda order: reactivex.of(order) >> inner)
        )

        async def main() -> None:
            async with aclosing(flow.__aiter__()) as products:
                await anext(products)
                await asyncio.sleep(0.5)
            assert alone()
            await asyncio.sleep(60)

        run_virtual(main)
        assert len(service.answered) == 2
        assert len(service.given_up) == 2

    def test_inner_flows_may_have_their_own_retries_and_catches(self) -> None:
        """`catch` around one inner flow emits something else in its place; the others go on."""
        service = Service(1.0, bad=("tea",), error=LookupError("no price"))
        inner = pricing(service)

        def priced(order: Any) -> Observable[Any]:
            unknown = reactivex.of({"price": None})
            return reactivex.of(order).pipe(inner, ops.catch(unknown))

        flow = step("order", [order("A", "tea"), order("B", "cup")]) >> rx_pipe(
            ops.concat_map(priced), name="priced"
        )
        result = run_virtual(arun(flow))
        prices = [[*output.values()][-1]["price"] for output in result[0]]
        assert prices == [None, 3]

    def test_a_step_may_run_a_flow_of_its_own(self) -> None:
        """An asynchronous function iterates over a flow; leaving the outer one closes the inner."""
        service = Service(1.0)
        inner = pricing(service)

        async def priced(order: str, lines: Any) -> Any:
            flow = step("order", {"order": order, "lines": lines}) >> inner
            async with aclosing(flow.__aiter__()) as products:
                async for product in products:
                    yield {"price": product["price"]}

        orders = [order("A", "tea", "cup"), order("B", *"pot")]
        flow = step("orders", orders) >> step("priced", priced)
        result = run_virtual(arun(flow))
        assert [output["priced"]["price"] for output in result[0]] == [3, 3, 1, 1, 1]

        async def left() -> None:
            async with aclosing(flow.__aiter__()) as products:
                await anext(products)
            assert alone()

        slow = Service(9.0)
        inner = pricing(slow, concurrency=1)
        run_virtual(left)
        assert slow.active == 0
        assert slow.given_up != []
