"""faulty(): what goes wrong, where and when it is to."""

from __future__ import annotations

import asyncio
import functools
import inspect
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import reactivex
from aiostream import stream
from reactivex import operators as ops

from fluxus_rx import arun, run, step
from fluxus_rx.testing import assert_marbles, faulty, marbles, run_virtual

Row = dict[str, int]


class Broken(Exception):
    """What goes wrong in these tests."""


def plain(x: int) -> Row:
    return {"y": x}


def generator(x: int) -> Iterator[Row]:
    yield {"y": x}


async def coroutine(x: int) -> Row:
    return {"y": x}


async def agenerator(x: int) -> AsyncIterator[Row]:
    yield {"y": x}


class Callable_:
    async def __call__(self, x: int) -> Row:
        return {"y": x}


KINDS: list[Any] = [
    *(plain, generator, coroutine, agenerator, Callable_()),
    functools.partial(coroutine),
    Callable_().__call__,
]


def rows(n: int = 4) -> Any:
    return step("src", [{"x": x} for x in range(n)])


def ys(result: Any) -> list[int]:
    return [output["f"]["y"] for output in result[0]]


@pytest.mark.parametrize("function", KINDS)
class TestFunctions:
    """Of every kind."""

    def test_stay_what_they_are(self, function: Any) -> None:
        """Their kind, their signature and their name."""
        wrapped = faulty(function, at=9, error=Broken)
        assert inspect.signature(wrapped) == inspect.signature(function)
        called = function.func if isinstance(function, functools.partial) else function
        if inspect.isroutine(called):
            for kind in ("isgeneratorfunction", "iscoroutinefunction", "isasyncgenfunction"):
                assert getattr(inspect, kind)(wrapped) == getattr(inspect, kind)(called)
        assert ys(run(rows() >> step("f", wrapped))) == [0, 1, 2, 3]

    def test_fail_at_the_chosen_call(self, function: Any) -> None:
        """With the very object, or with a new one of the class."""
        error = Broken("once")
        with pytest.raises(Broken) as caught:
            run(rows() >> step("f", faulty(function, at=3, error=error)))
        assert caught.value is error
        flow = rows() >> step("f", faulty(function, at={1, 3}, error=Broken)).options(
            on_error="skip", concurrency=1
        )
        assert ys(run(flow)) == [1, 3]

    def test_are_delayed_in_virtual_time(self, function: Any) -> None:
        """By so many seconds, before the call."""

        async def main() -> float:
            flow = rows() >> step("f", faulty(function, at=2, delay=90))
            assert ys(await arun(flow)) == [0, 1, 2, 3]
            return asyncio.get_running_loop().time()

        assert run_virtual(main) == 90

    def test_are_cancelled(self, function: Any) -> None:
        """As where what they await was; the run ends with that."""
        with pytest.raises(asyncio.CancelledError, match="at call 2"):
            run(rows() >> step("f", faulty(function, at=2, cancel=True)))


def test_a_retry_is_another_call() -> None:
    """`at=1` fails the first attempt alone; more of them fail so many."""
    for at, attempts in ((1, 2), (range(1, 4), 4)):
        flow = rows(1) >> step("f", faulty(coroutine, at=at, error=Broken)).options(retry=attempts)
        assert ys(run_virtual(arun(flow))) == [0]
        late = rows(1) >> step("f", faulty(coroutine, at=at, error=Broken)).options(
            retry=attempts - 1
        )
        with pytest.raises(Broken):
            run_virtual(arun(late))


def test_the_count_goes_on_from_run_to_run() -> None:
    """It is that of the object."""
    flow = rows(2) >> step("f", faulty(plain, at=3, error=Broken))
    run(flow)
    with pytest.raises(Broken):
        run(flow)
    run(flow)


async def test_a_stream_of_aiostream_is_entered() -> None:
    """It would warn of being iterated outside of its context."""
    given = faulty(stream.range(3), at=3, delay=0.001)
    assert [number async for number in given] == [0, 1, 2]


def test_several_faults_nest() -> None:
    """The outer one counts all calls, the inner one those that get through."""
    inner = faulty(plain, at=2, error=KeyError)
    outer = faulty(inner, at=2, error=Broken)
    outcomes: list[Any] = []
    for x in range(4):
        try:
            outcomes.append(outer(x)["y"])
        except (Broken, KeyError) as error:
            outcomes.append(type(error))
    assert outcomes == [0, Broken, KeyError, 3]


def test_a_delay_comes_before_the_error() -> None:
    """If there are both."""

    async def main() -> float:
        with pytest.raises(Broken):
            await faulty(coroutine, at=1, delay=5, error=Broken)(1)
        return asyncio.get_running_loop().time()

    assert run_virtual(main) == 5


def test_a_plain_function_sleeps_in_real_time() -> None:
    """Where there is no virtual one."""
    begun = time.monotonic()
    faulty(plain, at=1, delay=0.02)(1)
    assert time.monotonic() - begun >= 0.02


async def numbers() -> AsyncIterator[int]:
    for number in range(4):
        yield number


class TestSources:
    def test_iterables_fail_before_the_item(self) -> None:
        """And are closed; the count goes on with the next iteration."""
        closed: list[bool] = []

        def items() -> Iterator[int]:
            try:
                yield from range(4)
            finally:
                closed.append(True)

        got: list[int] = []
        with pytest.raises(Broken):
            got.extend(faulty(items(), at=3, error=Broken))
        assert closed == [True]
        source = faulty([1, 2, 3], at=2, error=Broken)
        with pytest.raises(Broken):
            got += source
        assert [*source] == [1, 2, 3]

    def test_asynchronous_iterables_do(self) -> None:
        """In the same way, with delays on the clock of the loop."""

        async def main() -> None:
            loop = asyncio.get_running_loop()
            got = [(loop.time(), item) async for item in faulty(numbers(), at=(2, 4), delay=1)]
            assert got == [(0, 0), (1, 1), (1, 2), (2, 3)]
            with pytest.raises(Broken):
                _ = [item async for item in faulty(numbers(), at=2, error=Broken)]

        run_virtual(main)

    def test_what_is_thrown_into_them_gets_there(self) -> None:
        """As by a time-out that a generator holds across its yield."""

        async def patient() -> AsyncIterator[int]:
            try:
                yield 1
            except KeyError:
                yield 2

        async def main() -> None:
            source: Any = aiter(faulty(patient(), at=9, error=Broken))
            assert await anext(source) == 1
            assert await source.athrow(KeyError()) == 2
            await source.aclose()

        run_virtual(main)

    def test_observables_do(self) -> None:
        """What comes behind a delayed item waits for that, the end included."""
        source = marbles("-a-b-c-|")
        assert_marbles(faulty(source, at=2, error=Broken), "-a-#", error=Broken)
        assert_marbles(faulty(source, at=2, delay=1), "--a-----b-c---|", unit=0.5)
        assert_marbles(faulty(source, at=2, delay=9), "-a----------(b,c,|)")

    def test_observables_that_fail_can_be_retried(self) -> None:
        """The count goes on, so the second subscription gets through."""
        source = faulty(marbles("a-b|"), at=2, error=Broken)
        assert_marbles(source.pipe(ops.retry(2)), "a-a-b|")

    def test_observables_that_are_disposed_of_tell_nothing(self) -> None:
        """Also while an item is held up."""

        async def main() -> None:
            got: list[Any] = []
            subscription = faulty(marbles("a|"), at=1, delay=5).subscribe(got.append, got.append)
            await asyncio.sleep(1)
            subscription.dispose()
            await asyncio.sleep(9)
            assert got == []

        run_virtual(main)

    def test_they_are_sources_of_steps(self) -> None:
        """All three."""

        async def arows() -> AsyncIterator[Row]:
            yield {"x": 1}
            yield {"x": 2}

        given = [{"x": 1}, {"x": 2}]
        for source in (given, arows(), reactivex.from_iterable(given)):
            with pytest.raises(Broken):
                run(step("src", faulty(source, at=2, error=Broken)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "nothing is to go wrong"),
        ({"at": 0, "error": Broken}, "at=0"),
        ({"at": [], "error": Broken}, "at="),
        ({"at": True, "error": Broken}, "at=True"),
        ({"at": [1.5], "error": Broken}, "at="),
        ({"error": "broken"}, "error='broken'"),
        ({"delay": -1}, "delay=-1"),
        ({"delay": "1"}, "delay='1'"),
        ({"error": Broken, "cancel": True}, "what is cancelled can't fail"),
    ],
)
def test_arguments_that_are_none_are_refused(arguments: dict[str, Any], message: str) -> None:
    """By their names."""
    with pytest.raises(ValueError, match=message):
        faulty(plain, **arguments)


@pytest.mark.parametrize("subject", [5, {"x": 1}, None, int])
def test_what_is_no_function_and_no_source_is_refused(subject: Any) -> None:
    """A mapping is one item, and no source of several."""
    with pytest.raises(TypeError, match=r"faulty\(\) takes a function"):
        faulty(subject, error=Broken)
