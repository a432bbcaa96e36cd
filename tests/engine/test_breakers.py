"""What must not break a flow: errors, wherever they are raised and whatever they are."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from fluxus_rx import (
    RunResult,
    arun,
    passthrough,
    run,
    step,
)
from tests.support.errors import notes
from tests.support.failing import (
    ENDINGS,
    ENTRIES,
    SHAPES,
    SOURCES,
    STEPS,
    Journal,
    Odd,
    feeding,
    numbers,
    price,
    source_step,
    steps,
)
from tests.support.failing import sources as failing_sources
from tests.support.tables import all_pairs


def start(flow: Any, asynchronous: bool) -> RunResult:
    """Run the flow by one of the two entry points."""
    return asyncio.run(arun(flow)) if asynchronous else run(flow)


class TestSources:
    @all_pairs(
        "kind, after, shape, asynchronous",
        [*SOURCES],
        {"before": 0, "amid": 2, "after": 4},
        [*SHAPES],
        {"sync steps": False, "async steps": True},
    )
    def test_a_source_that_fails_ends_the_run(
        self, kind: str, after: int, shape: str, asynchronous: bool
    ) -> None:
        """The error of a source is raised as it is, and all that had begun has ended."""
        error, journal = KeyError("price"), Journal()
        source = source_step(kind, failing_sources(error, after, 4, journal))

        with pytest.raises(KeyError) as caught:
            run(source >> feeding(shape, asynchronous, journal))

        assert caught.value is error
        assert sorted(journal.opened) == sorted(journal.closed)

    @all_pairs(
        "kind, shape, make, with_arun",
        ["generator", "async generator", "iterator", "async iterator"],
        [*SHAPES],
        [ValueError, *ENDINGS],
        ENTRIES,
    )
    def test_whatever_a_source_raises_is_raised(
        self, kind: str, shape: str, make: Callable[[], BaseException], with_arun: bool
    ) -> None:
        """An error that isn't an Exception ends the run as any other does."""
        error, journal = make(), Journal()
        source = source_step(kind, failing_sources(error, 2, 4, journal))

        with pytest.raises(type(error)) as caught:
            start(source >> feeding(shape, True, journal), with_arun)

        assert caught.value is error
        assert sorted(journal.opened) == sorted(journal.closed)

    @pytest.mark.parametrize("make", [StopIteration, StopAsyncIteration])
    @pytest.mark.parametrize("asynchronous", [False, True])
    def test_a_source_function_cannot_end_by_stop_iteration(
        self, make: Callable[[], BaseException], asynchronous: bool
    ) -> None:
        """StopIteration out of a function is an error, never the end of its items."""
        error = make()

        def plain() -> list[dict[str, int]]:
            raise error

        async def coroutine() -> list[dict[str, int]]:
            raise error

        with pytest.raises(RuntimeError) as caught:
            run(step("src", coroutine if asynchronous else plain))

        assert caught.value.__cause__ is error

    def test_one_of_several_sources_fails(self) -> None:
        """The other sources are closed when one fails."""
        error, journal = KeyError("price"), Journal()
        failing = source_step("async generator", failing_sources(error, 2, 4, journal))

        async def waiting() -> AsyncIterator[dict[str, int]]:
            with journal.entry("other"):
                yield {"x": 0}
                await asyncio.Event().wait()

        with pytest.raises(KeyError) as caught:
            run((step("other", waiting) & failing) >> step("s", lambda x: {}))

        assert caught.value is error
        assert journal.settled

    @pytest.mark.parametrize("error", [KeyError("x"), KeyboardInterrupt(), Odd()], ids=repr)
    def test_a_source_that_fails_as_it_is_opened(self, error: BaseException) -> None:
        """An error in `__iter__`, in `__aiter__` or in the function ends the run."""

        class Closed:
            def __iter__(self) -> Iterator[Any]:
                raise error

        class AsyncClosed:
            def __aiter__(self) -> AsyncIterator[Any]:
                raise error

        def function() -> Any:
            raise error

        for data in (Closed(), AsyncClosed(), function):
            with pytest.raises(type(error)) as caught:
                run(step("src", data) >> step("s", lambda x: {}))
            assert caught.value is error


class TestSteps:
    @all_pairs("kind, make, with_arun", [*STEPS], [price, *ENDINGS], ENTRIES)
    def test_whatever_a_step_raises_is_raised(
        self, kind: str, make: Callable[[], BaseException], with_arun: bool
    ) -> None:
        """The very object that a step raised ends the run, and the source is closed."""
        error, journal = make(), Journal()
        function = steps(error, lambda x: x == 5, journal)[kind]

        with pytest.raises(type(error)) as caught:
            start(numbers(1_000, journal) >> step("s", function), with_arun)

        assert caught.value is error
        assert journal.settled

    @pytest.mark.parametrize("make", [StopIteration, StopAsyncIteration])
    @pytest.mark.parametrize("kind", STEPS)
    def test_a_step_cannot_end_by_stop_iteration(
        self, kind: str, make: Callable[[], BaseException]
    ) -> None:
        """StopIteration and StopAsyncIteration from a step are errors, never the end."""
        error, journal = make(), Journal()
        function = steps(error, lambda x: x == 5, journal)[kind]

        with pytest.raises(RuntimeError) as caught:
            run(numbers(1_000, journal) >> step("s", function))

        assert caught.value.__cause__ is error
        assert journal.settled

    @pytest.mark.parametrize("branch", [0, 1, 2])
    @pytest.mark.parametrize("kind", STEPS)
    def test_a_step_fails_in_one_branch(self, kind: str, branch: int) -> None:
        """An error in a branch ends the other branches and the source."""
        error, journal = KeyError("price"), Journal()
        function = steps(error, lambda x: x == 5, journal)[kind]

        async def waiting(x: int) -> dict[str, int]:
            with journal.entry("waiting"):
                return await asyncio.Event().wait() and {}

        branches = [step("w", waiting), step("q", lambda x: {})]
        branches.insert(branch, step("s", function))
        group = branches[0] & branches[1] & branches[2] & passthrough()

        with pytest.raises(KeyError) as caught:
            run(numbers(1_000, journal) >> group)

        assert caught.value is error
        assert journal.settled
        assert "'s'" in notes(error)

    @pytest.mark.parametrize("kind", STEPS)
    def test_a_step_fails_between_two_groups(self, kind: str) -> None:
        """An error of a step that several paths share ends the run once."""
        error, journal = KeyError("price"), Journal()
        function = steps(error, lambda x: x == 5, journal)[kind]
        first = feeding("group", True, journal)
        last = feeding("two groups", True, journal)

        with pytest.raises(KeyError) as caught:
            run(numbers(1_000, journal) >> first >> step("s", function) >> last)

        assert caught.value is error
        assert journal.settled

    def test_calls_that_are_under_way_are_cancelled(self) -> None:
        """When one call fails, the others end with CancelledError, and are awaited."""
        ended: list[type[BaseException] | None] = []

        async def late(x: int) -> dict[str, int]:
            if x == 9:
                await asyncio.sleep(0)
                raise KeyError("price")
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError as error:
                await asyncio.sleep(0)
                ended.append(type(error))
                raise
            return {}

        with pytest.raises(KeyError):
            run(step("src", [{"x": x} for x in range(10)]) >> step("s", late))

        assert ended == [asyncio.CancelledError] * 9

    def test_a_call_that_ignores_cancellation_does_not_hold_up_the_end(self) -> None:
        """A call that goes on after CancelledError, and still yields products, ends with the
        run."""

        async def stubborn(x: int) -> AsyncIterator[dict[str, int]]:
            if x == 3:
                raise KeyError("price")
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                for i in range(100):
                    yield {"y": i}

        with pytest.raises(KeyError):
            run(step("src", [{"x": x} for x in range(4)]) >> step("s", stubborn))

    def test_an_error_while_cleaning_up_does_not_replace_the_first_one(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The first error is raised; one that closing a generator brings is not lost either."""
        first, second = KeyError("first"), ValueError("second")

        def rows() -> Iterator[dict[str, int]]:
            try:
                for x in range(10):
                    yield {"x": x}
            finally:
                raise second

        def failing(x: int) -> dict[str, int]:
            raise first

        with pytest.raises(KeyError) as caught:
            run(step("src", rows) >> step("s", failing))

        assert caught.value is first
        assert remembers(first, second) or "second" in notes(first) + caplog.text

    def test_two_calls_fail_at_once(self) -> None:
        """One of two errors is raised; neither is left to the garbage collector."""
        both = asyncio.Event()
        here: list[int] = []
        errors = [KeyError("a"), KeyError("b")]

        async def meet(x: int) -> dict[str, int]:
            here.append(x)
            if len(here) == 2:
                both.set()
            await both.wait()
            raise errors[x]

        with pytest.raises(KeyError) as caught:
            run(step("src", [{"x": 0}, {"x": 1}]) >> step("s", meet))

        assert caught.value in errors

    @pytest.mark.parametrize("asynchronous", [False, True])
    def test_an_exception_that_takes_no_notes_is_raised_as_it_is(self, asynchronous: bool) -> None:
        """Where no note can be added, the error goes without."""

        @dataclasses.dataclass(frozen=True)
        class Frozen(Exception):
            code: int

        error = Frozen(5)

        def failing(x: int) -> dict[str, int]:
            raise error

        async def late(x: int) -> dict[str, int]:
            raise error

        with pytest.raises(Frozen) as caught:
            run(step("src", {"x": 1}) >> step("s", late if asynchronous else failing))

        assert caught.value is error

    def test_one_exception_object_may_be_raised_again_and_again(self) -> None:
        """An exception that is raised in several runs does not gather notes without end."""
        error = KeyError("price")
        flow = step("src", {"x": 1}) >> step("s", steps(error, lambda x: True, Journal())["async"])

        for _ in range(5):
            with pytest.raises(KeyError):
                run(flow)

        assert len(error.__notes__) == len(set(error.__notes__))

    def test_an_exception_group_is_raised_as_it_is(self) -> None:
        """What a task group in a step raises is no other than what the run raises."""

        async def failing() -> None:
            raise KeyError("price")

        async def grouped(x: int) -> dict[str, int]:
            async with asyncio.TaskGroup() as group:
                group.create_task(failing())
            return {}

        with pytest.raises(ExceptionGroup) as caught:
            run(step("src", {"x": 1}) >> step("s", grouped))

        assert isinstance(caught.value.exceptions[0], KeyError)

    def test_a_flow_that_failed_can_run_again(self) -> None:
        """A run that failed leaves nothing in the flow."""
        fail = True

        async def sometimes(x: int) -> dict[str, int]:
            if fail:
                raise KeyError("price")
            return {"y": x}

        flow = step("src", [{"x": x} for x in range(10)]) >> step("s", sometimes)
        with pytest.raises(KeyError):
            run(flow)
        fail = False

        assert len(run(flow)[0]) == 10


def remembers(error: BaseException, other: BaseException) -> bool:
    """Whether the other error is found from this one, as a cause or as a context."""
    seen: list[BaseException] = []
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if one is other:
            return True
        if one not in seen:
            seen.append(one)
            waiting += [link for link in (one.__cause__, one.__context__) if link is not None]
    return False


def test_a_value_that_cannot_be_shown_does_not_hide_the_error() -> None:
    """An int of thousands of digits has no repr; the error of the step is raised all the same."""
    for more in ({}, {"timestamps": True}):
        with pytest.raises(ZeroDivisionError) as caught:
            run(step("src", {"x": 10**6000}) >> step("a", lambda x: x / 0), **more)  # type: ignore[call-overload]
        assert "x=<int of 19932 bits>" in "".join(caught.value.__notes__)


def test_a_generator_is_closed_before_a_call_that_never_returns() -> None:
    """Also where the step behind it turned out to be asynchronous; its error becomes a note."""

    def generator(x: int) -> Iterator[dict[str, int]]:
        try:
            for y in range(3):
                yield {"y": y}
        finally:
            raise RuntimeError("closing")

    async def slow(y: int) -> dict[str, int]:
        await asyncio.Event().wait()
        return {}

    async def fails(x: int) -> dict[str, int]:
        for _ in range(9):
            await asyncio.sleep(0)
        raise ValueError("bad")

    waits = step("waits", lambda y: slow(y)).options(concurrency=1, executor=None)
    with pytest.raises(ValueError, match="bad") as caught:
        run(step("src", {"x": 1}) >> ((step("g", generator) >> waits) & step("fails", fails)))
    assert "closing" in "".join(caught.value.__notes__)
