"""Conduits that each run opens: as context managers, or by a method `opened`."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import reactivex
from aiostream import stream
from reactivex import operators as ops

from fluxus_rx import (
    AsyncConsumer,
    AsyncProducer,
    AsyncTransformer,
    Consumer,
    Flow,
    Producer,
    SimpleAsyncProducer,
    SimpleProducer,
    Transformer,
    check,
    from_observable,
    run,
    rx_pipe,
    step,
)
from fluxus_rx.reactive_streams import from_publisher, to_publisher
from tests.support.conduits import Collect
from tests.support.probes import listed
from tests.support.recorded_resources import KINDS, Record


class Numbered(AsyncTransformer[int, tuple[int, int]]):
    """Puts the number of its client beside each product."""

    clients = 0

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        Numbered.clients += 1
        self.client = Numbered.clients
        await asyncio.sleep(0)
        yield

    async def atransform(self, product: int) -> AsyncIterator[tuple[int, int]]:
        await asyncio.sleep(0)
        yield product, self.client


async def test_runs_at_once_have_a_copy_each() -> None:
    """What a run sets on `self` is seen by its calls alone; the conduit stays as it was."""
    conduit = Numbered()
    runs = await asyncio.gather(*(conduit.aprocess(range(20)) for _ in range(5)))
    clients = [{client for _, client in products} for products in runs]
    assert [len(numbers) for numbers in clients] == [1] * 5
    assert len(set.union(*clients)) == 5
    assert not hasattr(conduit, "client")


def test_a_conduit_at_several_places_is_opened_once() -> None:
    """In a chain, and in two branches; a copy with other options is another one."""
    record = Record()
    conduit = KINDS["opened"](record, "a")
    source: SimpleProducer[Any] = SimpleProducer([{"x": 1}, {"x": 2}])
    assert len(list(source >> conduit >> (conduit & conduit >> conduit))) == 4
    assert record.names("open") == ["a"]
    numbered = Numbered()
    ((_, first), (_, second)) = (numbered & numbered.options(concurrency=2)).process([1])
    assert first != second


def test_options_of_a_chain_leave_one_opening() -> None:
    """For all places of a conduit in the chain."""
    record = Record()
    conduit = KINDS["__enter__"](record, "a")
    source: SimpleProducer[Any] = SimpleProducer([{"x": 1}])
    list(source >> (conduit >> conduit).options(on_error="skip"))
    assert record.names("open") == ["a"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_conduit_is_opened_where_rx_subscribes_to_it(kind: str) -> None:
    """Behind a plain observable; and once for all subscriptions of an operator in a run."""

    async def behind_observable() -> None:
        record = Record()
        observable = reactivex.of({"x": 1}, {"x": 2}) >> KINDS[kind](record, "a")
        assert len(await observable.pipe(ops.to_list())) == 2
        record.check_closed()
        assert record.names("open") == ["a"]

    async def inside_operator() -> None:
        record = Record()
        conduit = KINDS[kind](record, "a")
        flow = SimpleProducer([{"x": 1}, {"x": 2}]) >> rx_pipe(
            ops.flat_map(lambda product: reactivex.of(product) >> conduit)
        )
        assert len([product async for product in flow]) == 2
        record.check_closed()
        assert record.names("open") == ["a"]

    asyncio.run(behind_observable())
    asyncio.run(inside_operator())


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def subscribed_to_the_end(kind: str) -> Record:
    """What a loop does at its end: it cancels all tasks at once, and waits for them."""
    record = Record()
    subject: reactivex.Subject[Any] = reactivex.Subject()
    (subject >> KINDS[kind](record, "a")).subscribe(on_error=lambda _: None)
    subject.on_next({"x": 1})
    await turns(20)
    assert record.names("use") == ["a"]
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await turns(5)
    return record


@pytest.mark.parametrize("kind", ["__enter__", "opened", "using a plain manager"])
def test_the_end_of_the_loop_closes_what_is_open(kind: str) -> None:
    """Also where nobody has disposed of the subscription."""
    record = asyncio.run(subscribed_to_the_end(kind))
    record.check_closed()
    assert record.names("close") == ["a"]


class _GroupThatFails:
    """Has a task group open, in which something fails while everything else waits."""

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        async def fail() -> None:
            await asyncio.sleep(0.001)
            raise ConnectionError("lost")

        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
            yield


class Waiting(_GroupThatFails, AsyncTransformer[Any, Any]):
    async def atransform(self, product: Any) -> AsyncIterator[Any]:
        await asyncio.Event().wait()
        yield product


class Passing(_GroupThatFails, Transformer[Any, Any]):
    def transform(self, product: Any) -> Iterator[Any]:
        yield product


class Stuck(_GroupThatFails, AsyncProducer[int]):
    async def aproduce(self) -> AsyncIterator[int]:
        yield 1
        await asyncio.Event().wait()


class Slow(AsyncTransformer[Any, Any]):
    async def atransform(self, product: Any) -> AsyncIterator[Any]:
        await asyncio.sleep(0)
        yield product


class Total(_GroupThatFails, AsyncConsumer[int, int]):
    async def aconsume(self, products: Any) -> int:
        await asyncio.Event().wait()
        return 0


async def one_then_nothing() -> AsyncIterator[int]:
    yield 1
    await asyncio.Event().wait()


ONE: SimpleProducer[Any] = SimpleProducer([{"x": 1}])
STUCK_FLOWS: dict[str, Callable[[], Any]] = {
    "a transformer": lambda: ONE >> Waiting(),
    "two branches": lambda: ONE >> (Waiting() & Waiting()),
    "an observable in front": lambda: from_observable(reactivex.of({"x": 1})) >> Waiting(),
    "a source that waits": lambda: SimpleAsyncProducer(one_then_nothing()) >> Passing(),
    "a producer": Stuck,
    "a producer, and a step": lambda: Stuck() >> Slow(),
    "inside of an operator": lambda: (
        ONE >> rx_pipe(ops.flat_map(lambda product: reactivex.of(product) >> Waiting())) >> Slow()
    ),
}
WAYS: dict[str, Callable[[Any], Any]] = {
    "async for": lambda flow: listed(flow),
    "a stream": lambda flow: stream.list(flow.to_stream()),
    "an observable": lambda flow: flow.to_observable(),
    "for": lambda flow: asyncio.to_thread(list, flow),
    "share": lambda flow: listed(flow.share()),
    "a publisher": lambda flow: listed(from_publisher(to_publisher(flow))),
    "arun": lambda flow: (flow >> Collect()).arun(),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("flow", STUCK_FLOWS)
async def test_a_task_group_that_fails_ends_the_run(flow: str, way: str) -> None:
    """It is entered and left by one task; and the run ends by its error, whatever its tasks wait
    for."""
    with pytest.raises(ExceptionGroup) as caught:
        await WAYS[way](STUCK_FLOWS[flow]())
    assert [str(error) for error in caught.value.exceptions] == ["lost"]
    assert any("was closed" in note for note in caught.value.__notes__)


async def test_a_task_group_of_a_consumer_ends_the_run() -> None:
    """By its error, and not by the cancellation that comes first."""
    with pytest.raises(ExceptionGroup):
        await (ONE >> Total()).arun()
    with pytest.raises(ExceptionGroup):
        await asyncio.to_thread((ONE >> Total()).run)


def test_a_time_limit_may_be_open_for_a_run() -> None:
    """It ends the run by its own error."""

    class Limited(Transformer[int, int]):
        @contextlib.asynccontextmanager
        async def opened(self) -> AsyncIterator[None]:
            async with asyncio.timeout(0.01):
                yield

        def transform(self, product: int) -> Iterator[int]:
            yield product

    async def forever() -> AsyncIterator[int]:
        yield 1
        await asyncio.Event().wait()

    async def main() -> None:
        await Limited().aprocess(forever())

    with pytest.raises(TimeoutError):
        asyncio.run(main())


def test_a_plain_block_has_a_context_of_its_own() -> None:
    """A variable that is set on the way in can be reset on the way out."""
    variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable")

    class Setting(Transformer[int, int]):
        @contextlib.contextmanager
        def opened(self) -> Iterator[None]:
            token = variable.set(1)
            yield
            variable.reset(token)

        def transform(self, product: int) -> Iterator[int]:
            yield product

    assert (Setting() >> Setting()).process([1, 2]) == [1, 2]


async def test_cancelling_while_something_is_opened_leaves_the_rest() -> None:
    """What was entered before is left, and what could not be entered is not."""
    record = Record()
    record.hangs.add("b")
    flow = KINDS["opened"](record, "a") >> KINDS["opened"](record, "b")
    task = asyncio.create_task(flow.aprocess([{"x": 1}]))
    await turns(20)
    assert record.names("use") == ["a"]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert record.names("close") == ["a"]


def _opened_as(make: Callable[[Any], Any]) -> Transformer[int, int]:
    class Odd(Transformer[int, int]):
        def opened(self) -> Any:
            return make(self)

        def transform(self, product: int) -> Iterator[int]:
            yield product

    return Odd()


@contextlib.contextmanager
def giving(value: object) -> Iterator[object]:
    yield value


def test_opened_gives_a_block_whose_value_nobody_takes() -> None:
    """What it yields by mistake is refused, with the way out, and what was entered is left."""
    assert _opened_as(lambda conduit: giving(conduit)).process([1]) == [1]
    for mistake, told in [
        (lambda _: None, "Odd.opened() returned None (NoneType); it must return a context manager"),
        (lambda _: asyncio.sleep(0), "put @contextlib.asynccontextmanager"),
        (lambda _: giving(5), "Odd.opened() yielded 5 (int), which no call would get"),
    ]:
        with pytest.raises(TypeError) as caught:
            _opened_as(mistake).process([1])
        assert told in str(caught.value)
        assert "as Odd was opened" in caught.value.__notes__


class Resource:
    """What the producers and consumers below are opened by."""

    def __init__(self, record: Record, tag: str) -> None:
        self.record, self.tag = record, tag
        self.value = ""


class _PlainBlock(Resource):
    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        with self.record.plain(self.tag) as self.value:
            yield


class _AsyncBlock(Resource):
    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        async with self.record.asynchronous(self.tag) as self.value:
            yield


class _Source(Resource, Producer[int]):
    def produce(self) -> Iterator[int]:
        for number in range(3):
            self.record.use(self.value)
            yield number


class _AsyncSource(Resource, AsyncProducer[int]):
    async def aproduce(self) -> AsyncIterator[int]:
        for number in range(3):
            await asyncio.sleep(0)
            self.record.use(self.value)
            yield number


class _Total(Resource, Consumer[int, int]):
    def consume(self, products: Iterable[tuple[int, int]]) -> int:
        self.record.use(self.value)
        return sum(product for _, product in products)


class _AsyncTotal(Resource, AsyncConsumer[int, int]):
    async def aconsume(self, products: Any) -> int:
        self.record.use(self.value)
        return sum([product async for _, product in products])


def _with_block(kind: type[Any], block: type[Any]) -> Callable[[Record, str], Any]:
    made: Callable[[Record, str], Any] = type(kind.__name__, (block, kind), {})
    return made


BLOCKS = (_PlainBlock, _AsyncBlock)
SOURCES = [_with_block(kind, block) for kind in (_Source, _AsyncSource) for block in BLOCKS]
TOTALS = [_with_block(kind, block) for kind in (_Total, _AsyncTotal) for block in BLOCKS]


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("total", TOTALS)
@pytest.mark.parametrize("source", SOURCES)
def test_producers_and_consumers_are_opened(
    source: Callable[[Record, str], Any], total: Callable[[Record, str], Any], is_async: bool
) -> None:
    """For a run of the flow, once each, and closed at its end; a failing step tells both."""
    record = Record()
    flow: Flow[int] = source(record, "source") >> total(record, "total")

    def result() -> int:
        return asyncio.run(flow.arun()) if is_async else flow.run()

    record._note_loop = lambda: None  # type: ignore[method-assign]  # a plain consumer has none
    assert result() == 3
    assert sorted(record.names("close")) == ["source", "total"]
    assert record.errors == [None, None]

    def fail(product: int) -> Iterator[int]:
        raise KeyError(product)

    flow = source(record, "s") >> Failing() >> total(record, "t")
    with pytest.raises(KeyError):
        result()
    assert sorted(record.names("close")[2:]) == ["s", "t"]
    assert [type(error) for error in record.errors[2:]] == [KeyError, KeyError]


class Failing(Transformer[int, int]):
    def transform(self, product: int) -> Iterator[int]:
        raise KeyError(product)


@pytest.mark.parametrize("source", SOURCES)
def test_a_producer_that_is_iterated_is_opened(source: Callable[[Record, str], Any]) -> None:
    """For each iteration, also one that is left early."""
    record = Record()
    producer = source(record, "s")
    assert [*producer] == [0, 1, 2]
    products = iter(producer)
    assert next(products) == 0
    products.close()
    assert record.names("open") == record.names("close") == ["s", "s"]
    assert [type(error) for error in record.errors] == [type(None), GeneratorExit]


class Catching(_PlainBlock, Consumer[int, int]):
    """Keeps the error of its products to itself."""

    def consume(self, products: Iterable[tuple[int, int]]) -> int:
        with contextlib.suppress(KeyError):
            return sum(product for _, product in products)
        return 0


@pytest.mark.parametrize("is_async", [False, True])
def test_a_consumer_that_catches_an_error_is_closed_with_it(is_async: bool) -> None:
    """For the run has failed all the same."""
    record = Record()
    record._note_loop = lambda: None  # type: ignore[method-assign]  # it has none
    flow: Flow[int] = SimpleProducer([1]) >> Failing() >> Catching(record, "c")
    with pytest.raises(KeyError):
        asyncio.run(flow.arun()) if is_async else flow.run()
    assert [type(error) for error in record.errors] == [KeyError]


class Table(Consumer[int, int]):
    """Writes numbers, all of them or none."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        with contextlib.closing(sqlite3.connect(self.path)) as self.db, self.db:
            yield

    def consume(self, products: Iterable[tuple[int, int]]) -> int:
        self.db.execute("create table if not exists number (n int)")
        rows = ((product,) for _, product in products)
        return self.db.executemany("insert into number values (?)", rows).rowcount


class Doubtful(Transformer[int, int]):
    def transform(self, product: int) -> Iterator[int]:
        if product < 0:
            raise ValueError(product)
        yield product


@pytest.mark.parametrize("is_async", [False, True])
def test_a_transaction_is_that_of_the_run(is_async: bool, tmp_path: Path) -> None:
    """Committed if the run ends well, and else rolled back; in the thread of the consumer."""
    path = tmp_path / "numbers.db"

    def write(numbers: list[int]) -> int:
        flow: Flow[int] = SimpleProducer(numbers) >> Doubtful() >> Table(path)
        return asyncio.run(flow.arun()) if is_async else flow.run()

    assert write([1, 2]) == 2
    with pytest.raises(ValueError, match="-1"):
        write([3, 4, -1])
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert [n for (n,) in db.execute("select n from number")] == [1, 2]


def test_what_reads_a_flow_opens_nothing() -> None:
    """Neither checks, nor drawings, nor expressions."""
    record = Record()
    flow = step("source", [{"x": 1}]) >> KINDS["opened, plain"](record, "a")
    check(flow)
    repr(flow)
    flow.describe()
    flow.draw()
    assert record.events == []
    run(flow >> step("behind", lambda x: {"y": x}))
    assert record.names("open") == ["a"]
