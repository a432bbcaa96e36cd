"""The class API: what Flow.run() and Flow.arun() are told of options and failures, and loops over
a producer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import Any

import pytest

from fluxus_rx import (
    AsyncConsumer,
    AsyncTransformer,
    Consumer,
    Failure,
    FailureLimitError,
    InvalidFlowError,
    InvalidOptionError,
    Passthrough,
    StepOptions,
    Transformer,
    UsageError,
    step,
)
from fluxus_rx.testing import virtual_time
from tests.support.conduits import (
    AsyncCollect,
    AsyncNumbers,
    Collect,
    Fetch,
    First,
    Numbers,
    source_of,
)
from tests.support.errors import notes, refused
from tests.support.probes import BUFFER, alone, turns
from tests.support.tables import all_pairs


class Odd(Transformer[int, int]):
    """Fails for even numbers."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def transform(self, product: int) -> Iterator[int]:
        self.calls.append(product)
        if product % 2 == 0:
            raise ValueError(product)
        yield product


class AsyncOdd(AsyncTransformer[int, int]):
    """The same, a while later."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    async def atransform(self, product: int) -> AsyncIterator[int]:
        self.calls.append(product)
        await asyncio.sleep(0)
        if product % 2 == 0:
            raise ValueError(product)
        yield product


class Catch(Consumer[object, list[Any]]):
    """Takes an error for the end."""

    def consume(self, products: Iterable[tuple[int, object]]) -> list[Any]:
        found: list[Any] = []
        with contextlib.suppress(Exception):
            found.extend(product for _, product in products)
        return found


class AsyncCatch(AsyncConsumer[object, list[Any]]):
    """The same, asynchronously."""

    async def aconsume(self, products: AsyncIterable[tuple[int, object]]) -> list[Any]:
        found: list[Any] = []
        with contextlib.suppress(Exception):
            async for _, product in products:
                found.append(product)
        return found


def ran(flow: Any, **kwargs: Any) -> Any:
    """What run() returns."""
    return flow.run(**kwargs)


def aran(flow: Any, **kwargs: Any) -> Any:
    """What arun() returns."""
    return asyncio.run(flow.arun(**kwargs))


async def _ran_inside(flow: Any, kwargs: dict[str, Any]) -> Any:
    return flow.run(**kwargs)


def ran_inside(flow: Any, **kwargs: Any) -> Any:
    """What run() returns inside a running loop."""
    return asyncio.run(_ran_inside(flow, kwargs))


every_way = pytest.mark.parametrize("way", [ran, aran, ran_inside])

SKIP = StepOptions(on_error="skip")
COLLECT = StepOptions(on_error="collect")


@all_pairs("way, consumer, made", [ran, aran, ran_inside], [Collect, AsyncCollect], [Odd, AsyncOdd])
class TestRun:
    def test_options_are_those_of_steps_without(self, way: Any, consumer: Any, made: Any) -> None:
        """What is set on a step counts more."""
        flow = Numbers(5) >> made() >> consumer()
        assert sorted(way(flow, options=SKIP)) == [(0, 1), (0, 3)]
        with pytest.raises(ValueError, match="0"):
            way(Numbers(5) >> made().options(on_error="raise") >> consumer(), options=SKIP)
        with pytest.raises(ValueError, match="0"):
            way(flow)

    def test_failures_are_told(self, way: Any, consumer: Any, made: Any) -> None:
        """Each once it has failed for good, with its step, path, product and attempts."""
        failures: list[Failure] = []
        flow = Numbers(5) >> Fetch(1).options(ordered=True) >> made().options(on_error="collect")
        pairs = way(flow >> consumer(), on_failure=failures.append)
        assert sorted(pairs) == [(0, 1), (0, 3), (0, 5)]
        assert sorted(failure.product for failure in failures) == [2, 4]
        name = made.__name__
        assert {(one.step, one.path, one.attempts) for one in failures} == {
            (name, f"Numbers → Fetch → {name}", 1)
        }
        assert all(f"in {name}" in notes(one.exception) for one in failures)

    def test_collect_needs_a_function_of_failures(self, way: Any, consumer: Any, made: Any) -> None:
        """The message has the step, and what to do."""
        flow = Numbers(5) >> made() >> consumer()
        with refused(UsageError, made.__name__, "on_error='collect'", "on_failure="):
            way(flow, options=COLLECT)
        assert len(way(flow, options=COLLECT, on_failure=id)) == 2

    @pytest.mark.parametrize("on_error", ["skip", "collect", lambda failure: [-1]])
    def test_more_failures_than_the_limit_end_it(
        self, way: Any, consumer: Any, made: Any, on_error: Any
    ) -> None:
        """The error has them; there is no result that it could have."""
        numbers = Numbers(9)
        flow = numbers >> made().options(on_error=on_error, ordered=True) >> consumer()
        assert len(way(flow, max_failures=5, on_failure=id)) in (4, 9)
        with pytest.raises(FailureLimitError, match="3 calls have failed") as caught:
            way(flow, max_failures=2, on_failure=id)
        assert sorted(one.product for one in caught.value.failures) == [0, 2, 4]
        assert isinstance(caught.value.__cause__, ValueError)
        assert caught.value.result is None
        with pytest.raises(FailureLimitError):
            way(flow, max_failures=0, on_failure=id)
        assert numbers.closed == numbers.opened

    def test_what_the_function_raises_ends_it(self, way: Any, consumer: Any, made: Any) -> None:
        """As the object it is."""
        error = OSError("disk full")

        def full(failure: Failure) -> None:
            raise error

        numbers = Numbers(9)
        with pytest.raises(OSError, match="disk full") as caught:
            way(numbers >> made() >> consumer(), options=COLLECT, on_failure=full)
        assert caught.value is error
        assert numbers.closed == numbers.opened == 1

    @pytest.mark.parametrize(
        ("kwargs", "parts"),
        [
            ({"options": {"retry": 2}}, ("options=", "StepOptions")),
            ({"options": "skip"}, ("options='skip'",)),
            ({"max_failures": -1}, ("max_failures=-1",)),
            ({"max_failures": True}, ("max_failures=True",)),
            ({"on_failure": "print"}, ("on_failure='print'",)),
        ],
    )
    def test_bad_ones_are_refused(
        self, way: Any, consumer: Any, made: Any, kwargs: Any, parts: Any
    ) -> None:
        """Before anything runs."""
        numbers = Numbers(3)
        with refused(InvalidOptionError, *parts):
            way(numbers >> made() >> consumer(), **kwargs)
        assert numbers.opened == 0

    def test_an_asynchronous_function_of_failures_is_refused(
        self, way: Any, consumer: Any, made: Any
    ) -> None:
        """Nobody would await it."""

        async def save(failure: Failure) -> None:
            raise AssertionError

        with pytest.raises((InvalidFlowError, InvalidOptionError), match="on_failure"):
            way(Numbers(3) >> made() >> consumer(), options=COLLECT, on_failure=save)

    def test_each_run_has_its_own(self, way: Any, consumer: Any, made: Any) -> None:
        """Failures are not added up over runs."""
        flow = Numbers(5) >> made() >> consumer()
        for _ in range(3):
            failures: list[Failure] = []
            way(flow, options=COLLECT, max_failures=3, on_failure=failures.append)
            assert len(failures) == 3


@every_way
@pytest.mark.parametrize("consumer", [Catch, AsyncCatch])
def test_a_consumer_that_catches_the_error_has_no_success(way: Any, consumer: Any) -> None:
    """Too many failures end the run all the same."""
    flow = Numbers(9) >> Odd() >> consumer()
    with pytest.raises(FailureLimitError):
        way(flow, options=SKIP, max_failures=1)


@every_way
def test_a_consumer_that_has_enough_ends_the_run(way: Any) -> None:
    """Failures that come later are none."""
    failures: list[Failure] = []
    numbers = Numbers()
    flow = numbers >> Odd() >> First(3)
    assert way(flow, options=COLLECT, on_failure=failures.append) == [1, 3, 5]
    assert numbers.closed == 1
    assert len(failures) <= 2 * BUFFER + 4


def test_failures_in_groups_have_their_paths() -> None:
    """Each branch its own, in a flow of steps, too."""
    failures: list[Failure] = []
    flow: Any = Numbers(3) >> (Odd() & (Fetch() >> Odd()) & Passthrough()) >> Collect()
    pairs = flow.run(options=COLLECT, on_failure=failures.append)
    assert sorted(pairs) == [(0, 1), (1, 1), (2, 0), (2, 1), (2, 2)]
    assert sorted((one.product, one.path) for one in failures) == [
        (x, path) for x in (0, 2) for path in ("Numbers → Fetch → Odd", "Numbers → Odd")
    ]

    def odd(x: int) -> dict[str, int]:
        return {"y": 1 // (x % 2)}

    failures.clear()
    steps: Any = step("src", [{"x": x} for x in range(3)]) >> step("odd", odd) >> Collect()
    steps.run(options=COLLECT, on_failure=failures.append)
    assert [one.lineage for one in failures] == [{"src": {"x": 0}}, {"src": {"x": 2}}]


def test_options_of_a_run_set_limits_and_attempts() -> None:
    """For all steps that say nothing themselves."""
    fetch, odd = Fetch(), AsyncOdd()
    flow = Numbers(20) >> fetch >> odd >> AsyncCollect()

    async def main() -> Any:
        return await flow.arun(
            options=StepOptions(concurrency=2, retry=3, on_error="skip"), max_failures=10
        )

    with virtual_time() as run_in:
        assert len(run_in(main)) == 10
    assert fetch.calls.peak == 2
    assert len(odd.calls) == 10 + 3 * 10


def test_options_of_a_flow_count_more_than_those_of_a_run() -> None:
    """And less than those of a step."""
    flow = Numbers(4) >> Odd() >> Collect()
    assert flow.options(on_error="skip").run(options=StepOptions(on_error="raise")) == [
        (0, 1),
        (0, 3),
    ]


async def test_a_run_that_is_cancelled_leaves_nothing() -> None:
    """With options and failures as without."""
    numbers = AsyncNumbers()
    flow = numbers >> AsyncOdd() >> AsyncCollect()
    task = asyncio.create_task(flow.arun(options=COLLECT, on_failure=id, max_failures=10**9))
    await turns()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert numbers.source.closed == 1
    assert alone()


every_loop = pytest.mark.parametrize("make", [Numbers, AsyncNumbers])


@every_loop
class TestLoops:
    """for and async for over a producer, whose steps have options."""

    def test_what_fails_may_be_skipped_or_replaced(self, make: Any) -> None:
        """As in a run."""
        assert [*(make(5) >> Odd().options(on_error="skip"))] == [1, 3]
        assert [*(make(3) >> Odd().options(on_error=lambda failure: [-1]))] == [-1, 1, -1]
        assert [*(make(3) >> (Odd() & AsyncOdd())).options(on_error="skip")] == [1, 1]

    def test_collect_is_refused(self, make: Any) -> None:
        """A loop has nowhere to put failures; the message says what has."""
        flow = make(3) >> Odd().options(on_error="collect")
        with refused(UsageError, "'Odd'", "on_error='collect'", "on_failure="):
            next(iter(flow))

    async def test_collect_is_refused_on_a_loop(self, make: Any) -> None:
        """The same."""
        flow = make(3) >> AsyncOdd().options(on_error="collect")
        with refused(UsageError, "'AsyncOdd'", "on_error='collect'", "on_failure="):
            async for _ in flow:
                pass
        assert alone()

    def test_the_producer_is_ahead_by_buffers_and_limits(self, make: Any) -> None:
        """However slow the loop is."""
        numbers = make()
        flow = numbers >> Fetch().options(concurrency=3, buffer=2) >> Odd().options(on_error="skip")
        products = iter(flow)
        for product in products:
            assert source_of(numbers).made - product <= 3 + 2 + 2 * BUFFER + 4
            if product > 300:
                break
        products.close()
        assert source_of(numbers).closed == 1

    async def test_on_a_loop_too(self, make: Any) -> None:
        """While it waits, nothing else is begun."""
        numbers = make()
        flow = numbers >> Fetch().options(concurrency=3, buffer=2, ordered=True)
        async with contextlib.aclosing(aiter(flow)) as products:
            async for product in products:
                await turns(30)
                assert source_of(numbers).made - product <= 12 + 2 + 2 * BUFFER + 4
                if product > 50:
                    break
        assert source_of(numbers).closed == 1
        assert alone()
