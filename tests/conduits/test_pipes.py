"""rx_pipe and stream_pipe: operators of other libraries as transformers of a flow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import pytest
import reactivex
from aiostream import pipe, stream
from aiostream.core import Stream
from reactivex import operators as ops

from fluxus_rx import (
    AsyncTransformer,
    Passthrough,
    SimpleProducer,
    Transformer,
    parallel,
    passthrough,
    run,
    rx_pipe,
    step,
    stream_pipe,
)
from tests.support.conduits import (
    Add,
    AsyncNumbers,
    Collect,
    Fetch,
    First,
    Held,
    Numbers,
    Text,
    by_path,
    source_of,
)
from tests.support.probes import BUFFER, Source, listed, turns, until


def tenfold(item: int, *_: object) -> int:
    return item * 10


PIPES: dict[str, Callable[[], Transformer[Any, Any]]] = {
    "rx_pipe": lambda: rx_pipe(ops.map(lambda item: item * 10), ops.filter(lambda item: item > 0)),
    "stream_pipe": lambda: stream_pipe(
        pipe.map(tenfold),
        pipe.filter(lambda item: item > 0),
    ),
}


@pytest.fixture(params=PIPES)
def tens(request: pytest.FixtureRequest) -> Any:
    """Multiplies by ten and drops what is not positive."""
    return PIPES[request.param]()


def test_a_pipe_is_a_transformer(tens: Any) -> None:
    """In a flow, operators of Rx or aiostream are a transformer like any other."""
    assert isinstance(tens, Transformer)
    assert (Numbers(4) >> tens >> Collect()).run() == [(0, 10), (0, 20), (0, 30)]


async def test_a_pipe_runs_asynchronously(tens: Any) -> None:
    """The same flow runs with arun, and behind asynchronous steps."""
    flow = AsyncNumbers(4) >> Fetch(1) >> tens >> Fetch(1) >> Collect()
    assert sorted(await flow.arun()) == [(0, 11), (0, 21), (0, 31), (0, 41)]


def test_a_pipe_processes_a_list(tens: Any) -> None:
    """process returns a list of what comes out."""
    assert tens.process([0, 1, 2]) == [10, 20]


async def test_a_pipe_is_an_operator_in_both_worlds(tens: Any) -> None:
    """Either kind of pipe takes an Observable as well as a stream."""
    assert await reactivex.of(1, 2).pipe(tens, ops.to_list()) == [10, 20]
    assert isinstance(tens(Source(3)), Stream)
    assert await listed(stream.range(3) | tens) == [10, 20]


def test_a_pipe_stands_in_a_group(tens: Any) -> None:
    """Beside other transformers and a passthrough, a pipe has a path of its own."""
    pairs = (Numbers(3) >> (tens & Add(1) & Passthrough()) >> Collect()).run()
    assert by_path(pairs, 3) == [[10, 20], [1, 2, 3], [0, 1, 2]]


def test_a_pipe_follows_a_group(tens: Any) -> None:
    """Each path that reaches a pipe has operators of its own."""
    pairs = (Numbers(3) >> (Add(1) & Add(2)) >> tens >> Collect()).run()
    assert by_path(pairs, 2) == [[10, 20, 30], [20, 30, 40]]


def test_operators_with_a_memory_begin_afresh_with_each_run() -> None:
    """What scan, pairwise and the like remember belongs to one run and one path."""
    summed = (
        Numbers(4) >> (Add(0) & Add(1)) >> rx_pipe(ops.scan(lambda a, b: a + b, 0)) >> Collect()
    )
    for _ in range(2):
        assert by_path(summed.run(), 2) == [[0, 1, 3, 6], [1, 3, 6, 10]]
    taken = SimpleProducer([1, 2, 3]) >> stream_pipe(pipe.take(2)) >> Collect()
    for _ in range(2):
        assert taken.run() == [(0, 1), (0, 2)]


@pytest.mark.parametrize(
    "take", [lambda: rx_pipe(ops.take(3)), lambda: stream_pipe(pipe.take(3))], ids=["rx", "stream"]
)
@pytest.mark.parametrize("make", [Numbers, AsyncNumbers], ids=lambda make: make.__name__)
async def test_a_pipe_that_takes_enough_ends_the_run(
    take: Callable[[], Any], make: Callable[[], Any]
) -> None:
    """take(3) in the middle of a flow ends an endless source."""
    numbers = make()
    assert await (numbers >> Fetch() >> take() >> Fetch() >> Collect()).arun() != []
    source = source_of(numbers)
    assert source.closed == 1
    assert source.made <= 256 + 2 * BUFFER


@pytest.mark.parametrize(
    "batch",
    [lambda: rx_pipe(ops.buffer_with_count(2)), lambda: stream_pipe(pipe.chunks(2))],
    ids=["rx", "stream"],
)
def test_a_pipe_may_change_the_number_of_products(batch: Callable[[], Any]) -> None:
    """Operators that gather several items into one gather them in a flow as well."""
    assert (Numbers(5) >> batch() >> Collect()).run() == [(0, [0, 1]), (0, [2, 3]), (0, [4])]


@pytest.mark.parametrize(
    "make",
    [
        lambda error: rx_pipe(ops.map(partial(_raise, error))),
        lambda error: stream_pipe(pipe.map(partial(_raise, error))),
    ],
    ids=["rx", "stream"],
)
async def test_the_error_of_an_operator_is_the_error_of_the_run(make: Any) -> None:
    """What a mapper inside a pipe raises is what the flow raises, as the very object."""
    error = LookupError("mapper")
    numbers = AsyncNumbers()
    with pytest.raises(LookupError) as caught:
        await (numbers >> Fetch() >> make(error) >> Collect()).arun()
    assert caught.value is error
    assert numbers.source.closed == numbers.source.opened


def _raise(error: Exception, *_: object) -> Any:
    raise error


async def test_the_error_of_the_source_reaches_the_operators(tens: Any) -> None:
    """An error upstream passes through a pipe."""
    error = LookupError("source")
    with pytest.raises(LookupError) as caught:
        await (AsyncNumbers(2, error) >> tens >> Collect()).arun()
    assert caught.value is error


def test_an_operator_may_handle_the_error_of_a_flow_before_it() -> None:
    """catch inside a pipe goes on after an error upstream."""
    caught = rx_pipe(ops.catch(lambda error, _: reactivex.of(-1)))
    pairs = (Numbers(2, LookupError()) >> caught >> Collect()).run()
    assert [product for _, product in pairs] == [0, 1, -1]


async def test_an_operator_may_run_the_flow_before_it_again() -> None:
    """retry inside a pipe runs producer and steps again."""
    attempts = 0

    class FailsTwice(AsyncTransformer[int, int]):
        async def atransform(self, product: int) -> AsyncIterator[int]:
            nonlocal attempts
            if product == 2:
                attempts += 1
                if attempts < 3:
                    raise LookupError(attempts)
            yield product

    numbers = AsyncNumbers(3)
    flow = numbers >> FailsTwice().options(ordered=True) >> rx_pipe(ops.retry(5)) >> Collect()
    pairs = await flow.arun()
    assert [product for _, product in pairs] == [0, 1, 0, 1, 0, 1, 2]
    assert numbers.source.opened == numbers.source.closed == 3


async def test_demand_passes_through_a_pipe(tens: Any) -> None:
    """Above a pipe, a source waits for held calls below it."""
    numbers = Numbers()
    held = Held()
    flow = numbers >> tens >> held.options(concurrency=4) >> Collect()
    task = asyncio.create_task(flow.arun())
    await until(lambda: held.calls.active == 4)
    await turns(200)
    assert numbers.made <= 4 + 3 * BUFFER
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert numbers.closed == 1


def test_a_pipe_stops_when_the_consumer_has_enough(tens: Any) -> None:
    """A consumer that stops early closes the source above a pipe."""
    numbers = Numbers()
    assert (numbers >> tens >> First(3)).run() == [10, 20, 30]
    assert numbers.closed == 1


@pytest.mark.parametrize("make", [rx_pipe, stream_pipe])
@pytest.mark.parametrize("wrong", [5, None, "abc", [1]], ids=repr)
def test_what_is_no_operator_is_refused_at_once(make: Callable[..., Any], wrong: Any) -> None:
    """An argument that cannot be called is a TypeError that shows it."""
    with pytest.raises(TypeError, match=type(wrong).__name__):
        make(wrong)


@pytest.mark.parametrize("make", [rx_pipe, stream_pipe])
def test_a_pipe_of_nothing_is_refused(make: Callable[..., Any]) -> None:
    """Without an operator there is nothing to do: a TypeError that says so."""
    with pytest.raises(TypeError, match="at least one"):
        make()


@pytest.mark.parametrize(
    "make",
    [
        lambda: rx_pipe(ops.map(lambda product: product)),
        lambda: stream_pipe(pipe.skip(0)),
    ],
    ids=["rx", "stream"],
)
def test_a_pipe_stands_between_functional_steps(make: Callable[[], Any]) -> None:
    """Between two steps of functions the products keep their lineage through a pipe."""
    flow = step("src", [{"x": 1}, {"x": 2}]) >> make() >> step("double", lambda x: {"y": 2 * x})
    assert list(run(flow).get_outputs()) == [
        {"src": {"x": 1}, "double": {"y": 2}},
        {"src": {"x": 2}, "double": {"y": 4}},
    ]


def test_a_pipe_may_drop_products_between_functional_steps() -> None:
    """What an operator leaves out is missing in the result of its path only."""
    flow = step("src", [{"x": number} for number in range(6)]) >> parallel(
        rx_pipe(ops.take(2)), passthrough()
    )
    result = run(flow)
    assert [len(path) for path in result] == [2, 6]


def test_an_untyped_pipe_fits_everywhere() -> None:
    """A pipe takes anything and emits anything, as far as types can tell."""
    flow = Numbers(2) >> rx_pipe(ops.map(str)) >> rx_pipe(ops.map(int)) >> Text() >> Collect()
    assert flow.run() == [(0, "0"), (0, "1")]
