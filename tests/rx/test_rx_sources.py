"""Whatever Rx makes observables with, as the data of a step: what comes, and what is closed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any, Never

import pytest
import reactivex
from reactivex import Observable
from reactivex import operators as ops
from reactivex.disposable import Disposable
from reactivex.scheduler import ThreadPoolScheduler
from reactivex.subject import AsyncSubject, BehaviorSubject, ReplaySubject, Subject

from fluxus_rx import (
    SimpleProducer,
    Transformer,
    arun,
    chain,
    run,
    rx_pipe,
    step,
    stream,
)
from fluxus_rx.testing import run_virtual, virtual_time
from tests.support.conduits import Add, AsyncCollect, Collect, Fetch
from tests.support.errors import untyped
from tests.support.probes import alone, turns, until
from tests.support.rx_sources import DOUBLES, SOURCES, WAYS, Row, filled, row, ticks
from tests.support.tables import all_pairs, all_values

#: one source of each kind: within subscribe, later, from a thread, of a future, nothing, a subject
KINDS = ("of", "interval", "create, in a thread", "from_future", "empty", "ReplaySubject", "merge")


def of_a_kind(*row: str) -> bool:
    """Whether a row has a source that stands for its kind: these are tried in all ways."""
    return row[-1] in KINDS


class TestWhatComes:
    @all_values("kind, how, name", [*DOUBLES], [*WAYS], [*SOURCES], keep=of_a_kind)
    def test_all_of_it_at_its_time(self, kind: str, how: str, name: str) -> None:
        """On a loop, in each of the ways to run a flow; nothing is left behind."""
        make, numbers, seconds = SOURCES[name]

        async def main() -> float:
            flow = step("ticks", make()) >> DOUBLES[kind]()
            assert await WAYS[how](flow) == [2 * number for number in numbers]
            await turns()
            assert alone()
            return asyncio.get_running_loop().time()

        ended = run_virtual(main)
        late = 0.5 if kind == "async" and numbers else 0
        assert seconds is None or ended in (seconds, seconds + late)

    @all_values("how, name", ["run", "stream", "for"], [*SOURCES], keep=of_a_kind)
    def test_without_a_loop(self, how: str, name: str) -> None:
        """By what makes a loop of its own."""
        make, numbers, _ = SOURCES[name]
        with virtual_time():
            flow = step("ticks", make()) >> DOUBLES["async"]()
            found: list[Any]
            if how == "run":
                found = [output["double"]["y"] for output in run(flow).get_outputs()]
            elif how == "stream":
                found = [output["double"]["y"] for _, output in stream(flow)]
            else:
                found = [product["y"] for product in flow]
        assert found == [2 * number for number in numbers]

    @pytest.mark.parametrize("name", SOURCES)
    def test_in_front_of_classes(self, name: str) -> None:
        """`observable >> fetch >> parse` is an Observable, of any items."""
        make, numbers, _ = SOURCES[name]

        async def main() -> None:
            plain = make().pipe(ops.map(lambda one: untyped(one)["x"]))
            observed = plain >> Add(1) >> Fetch(10)
            found = await observed.pipe(ops.to_list())
            assert sorted(found) == sorted(one + 11 for one in numbers)
            await turns()
            assert alone()

        run_virtual(main)

    @pytest.mark.parametrize("name", SOURCES)
    def test_as_input(self, name: str) -> None:
        """Of a flow without a source."""
        make, numbers, _ = SOURCES[name]

        async def main() -> None:
            result = await arun(DOUBLES["async"](), input=make())
            assert [output["double"]["y"] for output in result[0]] == [2 * one for one in numbers]

        run_virtual(main)

    async def test_a_subject_that_is_fed_meanwhile(self) -> None:
        """Of each kind: from the moment that the run subscribes, and what it had before that."""
        for subject, numbers in (
            (Subject[Row](), [5, 6]),
            (ReplaySubject[Row](), [0, 1, 2, 5, 6]),
            (AsyncSubject[Row](), [6]),
            (BehaviorSubject[Row](row(9)), [2, 5, 6]),
        ):
            filled(subject, completed=False)
            task = asyncio.create_task(arun(step("ticks", subject) >> DOUBLES["plain"]()))
            await until(lambda observed=subject: bool(observed.observers))  # type: ignore[misc]
            subject.on_next(row(5))
            await turns(3)
            subject.on_next(row(6))
            subject.on_completed()
            result = await task
            assert [output["ticks"]["x"] for output in result[0]] == numbers

    def test_two_sources_side_by_side(self) -> None:
        """Each on a path of its own, in its own time."""

        async def main() -> None:
            flow = (step("a", ticks(1, 3)) & step("b", ticks(2, 2))) >> DOUBLES["plain"]()
            assert [product["x"] async for product in flow] in ([0, 1, 0, 2, 1], [0, 0, 1, 2, 1])

        run_virtual(main)


class TestErrors:
    @all_pairs(
        "place, kind, how",
        ["at once", "later", "in subscribe", "in a future", "thread"],
        [*DOUBLES],
        [*WAYS],
    )
    def test_they_are_raised_as_they_are(self, place: str, kind: str, how: str) -> None:
        """Wherever they come up: the very object."""
        error = LookupError("no")

        async def fail() -> Row:
            await asyncio.sleep(1)
            raise error

        def refuse(observer: Any, scheduler: Any = None) -> Never:
            raise error

        def fail_in_thread(observer: Any, scheduler: Any = None) -> Any:
            threading.Thread(target=observer.on_error, args=(error,)).start()
            return Disposable()

        failing: dict[str, Callable[[], Observable[Any]]] = {
            "at once": lambda: reactivex.throw(error),
            "later": lambda: reactivex.concat(ticks(), reactivex.throw(error)),
            "in subscribe": lambda: reactivex.create(refuse),
            "in a future": lambda: reactivex.from_future(asyncio.ensure_future(fail())),
            "thread": lambda: reactivex.create(fail_in_thread),
        }

        async def main() -> None:
            with pytest.raises(LookupError) as caught:
                await WAYS[how](step("ticks", failing[place]()) >> DOUBLES[kind]())
            assert caught.value is error
            await turns()
            assert alone()

        run_virtual(main)

    @pytest.mark.parametrize("kind", DOUBLES)
    async def test_a_cancelled_future_is_a_cancellation(self, kind: str) -> None:
        """Of the run, which doesn't wait for what will never come."""
        future: asyncio.Future[Row] = asyncio.get_running_loop().create_future()
        future.cancel()
        with pytest.raises(asyncio.CancelledError):
            await arun(step("ticks", reactivex.from_future(future)) >> DOUBLES[kind]())
        await turns()
        assert alone()

    async def test_a_future_ends_with_the_run_that_waits_for_it(self) -> None:
        """As Rx says: to unsubscribe cancels it."""
        future = asyncio.ensure_future(asyncio.sleep(99, row(1)))
        task = asyncio.create_task(arun(step("ticks", reactivex.from_future(future))))
        await turns()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await turns()
        assert future.cancelled()
        assert alone()


class TestThreads:
    @pytest.mark.parametrize("kind", DOUBLES)
    def test_a_pool_emits_into_a_run(self, kind: str) -> None:
        """All of it, in order."""
        pool = ThreadPoolScheduler(2)
        try:
            flow = step("ticks", reactivex.range(200, scheduler=pool).pipe(ops.map(row)))
            pace = DOUBLES["plain"]() if kind == "plain" else step("double", later)
            found = [output["double"]["y"] for output in run(flow >> pace).get_outputs()]
            assert found == [2 * number for number in range(200)]
        finally:
            pool.executor.shutdown()

    def test_what_a_thread_emits_after_the_end_is_dropped(self) -> None:
        """Without an error in the thread."""
        observers: list[Any] = []

        def keep(observer: Any, scheduler: Any = None) -> Any:
            observers.append(observer)
            observer.on_next(row(1))
            return Disposable()

        flow = step("ticks", reactivex.create(keep)) >> rx_pipe(ops.take(1))
        assert len(run(flow)[0]) == 1
        for observer in observers:
            observer.on_next(row(2))
            observer.on_error(LookupError())


async def later(x: int) -> Row:
    """Twice the number, a turn later."""
    await asyncio.sleep(0)
    return {"y": 2 * x}


def test_classes_take_any_observable_to_a_consumer() -> None:
    """By way of a transformer that subscribes for each product, too."""

    class Expand(Transformer[int, int]):
        def transform(self, product: int) -> Iterator[int]:
            yield from range(product)

    flow: Any = SimpleProducer([2, 3]) >> Expand() >> Collect()
    assert flow.run() == [(0, 0), (0, 1), (0, 0), (0, 1), (0, 2)]
    behind: Any = chain(SimpleProducer([1]), rx_pipe(ops.flat_map(lambda _: reactivex.of(5, 6))))
    assert (behind >> Add(1) >> AsyncCollect()).run() == [(0, 6), (0, 7)]
