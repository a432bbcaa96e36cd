"""The outputs up to an error that ends a run are at hand, whatever the error is."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import sys
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from reactivex import operators as ops

from fluxus_rx import (
    FailureLimitError,
    InvalidAttributeError,
    InvalidOptionError,
    InvalidProductError,
    MissingAttributeError,
    RunResult,
    UsageError,
    arerun,
    arun,
    passthrough,
    rerun,
    run,
    rx_pipe,
    start,
    step,
)
from fluxus_rx.testing import run_virtual
from tests.support.errors import notes, refused, untyped

Row = dict[str, int]


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """SIGINT as a program in a terminal has it, wherever the tests run."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def xs(result: RunResult, path: int = 0) -> list[int]:
    """What the source emitted, as it is in the result."""
    return [output["src"]["x"] for output in result[path]]


def numbers(count: int = 5) -> Any:
    return step("src", [{"x": x} for x in range(count)])


def paid(x: int) -> Row:
    return {"paid": x}


def ending(end: Callable[[], object], at: int = 3) -> Any:
    """A step that comes to an end by itself at one of its calls."""

    def call(x: int) -> Row:
        if x == at:
            end()
        return {"y": x}

    return step("ending", call)


def raising(error: BaseException | type[BaseException]) -> Callable[[], object]:
    def end() -> object:
        raise error

    return end


class Foreign(Exception):
    """An error of a library that knows nothing of this one."""


class Stubborn(Exception):
    """An error that takes neither attributes nor notes."""

    __slots__ = ()

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(name)

    def add_note(self, text: str, /) -> None:
        raise TypeError(text)


ENDINGS: dict[str, tuple[Any, type[BaseException]]] = {
    "step": (ending(raising(Foreign("no"))), Foreign),
    "stubborn": (ending(raising(Stubborn())), Stubborn),
    "system exit": (ending(lambda: sys.exit(3)), SystemExit),
    "keyboard interrupt": (ending(raising(KeyboardInterrupt)), KeyboardInterrupt),
    "stop iteration": (ending(raising(StopIteration)), RuntimeError),
    "cancelled": (ending(raising(asyncio.CancelledError)), asyncio.CancelledError),
    "limit": (ending(raising(Foreign)).options(on_error="skip"), FailureLimitError),
    "rx operator": (
        rx_pipe(ops.map(lambda p: raising(Foreign)() if p["x"] == 3 else p)),
        Foreign,
    ),
    "missing": (
        step("z", lambda x: {"z": x} if x < 3 else {"w": x}) >> step("uses", lambda z: {"y": z}),
        MissingAttributeError,
    ),
    "no product": (
        step("given", lambda x: untyped({"y": x} if x < 3 else 5)),
        InvalidProductError,
    ),
    "no name": (step("given", lambda x: {"y": x} if x < 3 else {"a b": 1}), InvalidAttributeError),
}


def started(flow: Any, **settings: Any) -> Any:
    """Run it by a handle, and hand over its partial result as the others do."""
    receiver = settings.pop("partial")

    async def main() -> Any:
        handle = start(flow, **settings)
        try:
            return await handle.result()
        except BaseException:
            receiver.append(handle.partial)
            raise

    return asyncio.run(main())


RUNNERS: dict[str, Callable[..., Any]] = {
    "run": run,
    "arun": lambda flow, **settings: asyncio.run(arun(flow, **settings)),
    "started": started,
}


#: These stop the loop itself, and whoever asks on it.
STOPS = ("system exit", "keyboard interrupt")


@pytest.mark.parametrize(
    ("runner", "end"),
    [
        (runner, end)
        for runner in RUNNERS
        for end in ENDINGS
        if runner != "started" or end not in STOPS
    ],
)
def test_what_there_was_is_at_hand(runner: str, end: str) -> None:
    """Outputs of each path, in order, for whatever the run ends by; the error is what it was."""
    steps, kind = ENDINGS[end]
    partial: list[RunResult] = []
    limit = 0 if end == "limit" else None
    flow = numbers() >> step("paid", paid) >> (steps & passthrough())
    with pytest.raises(kind) as caught:
        RUNNERS[runner](flow, partial=partial, max_failures=limit)
    assert [xs(one) for one in partial] == [[0, 1, 2]]
    assert xs(partial[0], 1)[:3] == [0, 1, 2]
    if hasattr(caught.value, "result"):
        assert caught.value.result == partial[0]


class TestReceiver:
    def test_a_function_is_called_once_when_all_is_cleaned_up(self) -> None:
        """Before the error goes on."""
        seen: list[Any] = []

        def source() -> Iterator[Row]:
            try:
                yield from ({"x": x} for x in range(9))
            finally:
                seen.append("closed")

        with pytest.raises(Foreign):
            run(
                step("src", source) >> ending(raising(Foreign)),
                partial=lambda result: seen.append(xs(result)),
            )
        assert seen == ["closed", [0, 1, 2]]

    @pytest.mark.parametrize("runner", ["run", "arun"])
    def test_a_run_that_ends_well_gives_it_nothing(self, runner: str) -> None:
        """Nor one that is refused before it begins."""
        partial: list[RunResult] = []
        assert len(RUNNERS[runner](numbers(), partial=partial)[0]) == 5
        with pytest.raises(TypeError):
            RUNNERS[runner](untyped(5), partial=partial)
        assert partial == []

    def test_an_error_of_it_is_a_note_of_the_error_of_the_run(self) -> None:
        """Neither hides the other."""
        with pytest.raises(Foreign) as caught:
            run(numbers() >> ending(raising(Foreign)), partial=lambda result: 1 / 0)
        assert "ZeroDivisionError" in notes(caught.value)

    @pytest.mark.parametrize("receiver", [5, "list", (), {}])
    def test_anything_else_is_refused(self, receiver: Any) -> None:
        """Before the run."""
        with refused(InvalidOptionError, "partial=", "a list"):
            run(numbers(), partial=receiver)

    def test_a_coroutine_function_is_refused(self) -> None:
        """Nobody would await it."""

        async def receive(result: RunResult) -> None: ...

        with refused(InvalidOptionError, "partial=", "plain function"):
            run(numbers(), partial=receive)

    def test_failures_by_then_are_in_it_and_can_be_run_again(self) -> None:
        """And what comes of that can be put in their place."""
        down = True

        def shaky(x: int) -> Row:
            if down and x == 1:
                raise Foreign
            return {"y": x}

        flow = numbers() >> step("shaky", shaky).options(on_error="collect")
        partial: list[RunResult] = []
        with pytest.raises(Foreign):
            run(flow >> ending(raising(Foreign)), partial=partial)
        (result,) = partial
        assert (xs(result), [failure.product["x"] for failure in result.failures]) == ([0, 2], [1])
        down = False
        again = rerun(flow >> ending(raising(Foreign), at=9), result.failures)
        assert xs(result.merged(again)) == [0, 1, 2]

    def test_a_rerun_has_one_too_which_replaces_nothing(self) -> None:
        """It tells what has been done again by then; the failures stay those of the first run."""
        failing = numbers() >> ending(raising(Foreign), at=0).options(on_error="collect")
        result = run(failing)
        ends = numbers() >> ending(raising(Foreign), at=0)
        for again in (rerun, lambda *args, **kw: asyncio.run(arerun(*args, **kw))):
            partial: list[RunResult] = []
            with pytest.raises(Foreign):
                again(ends, result.failures, partial=partial)
            assert len(partial) == 1
            with pytest.raises(TypeError, match="rerun"):
                result.merged(partial[0])

    def test_items_that_are_no_products_are_left_out(self) -> None:
        """The error of the run tells of them; what was paid for is there."""
        partial: list[RunResult] = []
        made = rx_pipe(ops.map(lambda p: 5 if p["x"] == 2 else p))
        with pytest.raises(InvalidProductError) as caught:
            run(numbers() >> step("paid", paid) >> made, partial=partial)
        assert [xs(one) for one in partial] == [[0, 1, 3, 4]]
        assert caught.value.result == partial[0]

    def test_of_a_run_that_is_told_nobody_keeps_the_outputs(self) -> None:
        """A foreign error holds nothing of the run that it has ended."""

        class Value:
            pass

        kept: list[weakref.ref[Value]] = []

        def make(x: int) -> dict[str, Value]:
            value = Value()
            kept.append(weakref.ref(value))
            return {"value": value}

        flow = numbers() >> (step("make", make) & ending(raising(Foreign)))
        with contextlib.suppress(Foreign):
            run(flow)
        gc.collect()
        assert [ref() for ref in kept] == [None] * len(kept)


@pytest.mark.usefixtures("ctrl_c")
class TestCtrlC:
    @pytest.mark.parametrize("inside", [True, False])
    def test_while_a_run_waits_leaves_what_there_was(self, inside: bool) -> None:
        """Also beneath a running loop, where the run has a thread of its own."""

        async def wait(x: int) -> Row:
            if x == 3:
                os.kill(os.getpid(), signal.SIGINT)
                await asyncio.Event().wait()
            return {"y": x}

        partial: list[RunResult] = []
        flow = numbers() >> step("wait", wait).options(concurrency=1)

        async def within() -> None:
            run(flow, partial=partial)

        with pytest.raises(KeyboardInterrupt):
            asyncio.run(within()) if inside else run(flow, partial=partial)
        assert [xs(one) for one in partial] == [[0, 1, 2]]

    def test_that_breaks_into_a_plain_step_leaves_what_there_was(self) -> None:
        """The first one is noted and the second one is raised, wherever the program is."""

        def spin(x: int) -> Row:
            if x == 3:
                signal.raise_signal(signal.SIGINT)
                signal.raise_signal(signal.SIGINT)
            return {"y": x}

        partial: list[RunResult] = []
        with pytest.raises(KeyboardInterrupt):
            run(numbers() >> step("spin", spin), partial=partial)
        assert [xs(one) for one in partial] == [[0, 1, 2]]

    def test_that_comes_when_all_is_done_loses_nothing(self) -> None:
        """A run that has ended, but not given its result yet, has a partial result that is all."""
        partial: list[RunResult] = []
        last = ending(lambda: signal.raise_signal(signal.SIGINT), at=4)
        with pytest.raises(KeyboardInterrupt):
            run(numbers() >> last, partial=partial)
        assert [xs(one) for one in partial] == [[0, 1, 2, 3, 4]]


class TestCancel:
    @staticmethod
    def flow() -> Any:
        async def slow(x: int) -> Row:
            await asyncio.sleep(x)
            return {"y": x}

        return numbers(10) >> step("slow", slow)

    def test_a_time_out_around_arun(self) -> None:
        """What was done within the time is there."""
        partial: list[RunResult] = []

        async def main() -> None:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(4.5):
                    await arun(self.flow(), partial=partial)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(arun(self.flow(), partial=partial.append), 2.5)

        run_virtual(main)
        assert [xs(one) for one in partial] == [[0, 1, 2, 3, 4], [0, 1, 2]]

    def test_a_task_and_a_handle_that_are_cancelled(self) -> None:
        """The same; and the handle tells how far it is, before and after."""
        partial: list[RunResult] = []

        async def main() -> None:
            task = asyncio.create_task(arun(self.flow(), partial=partial))
            await asyncio.sleep(1.5)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            handle = start(self.flow())
            assert handle.partial == RunResult([])
            await asyncio.sleep(1.5)
            partial.append(handle.partial)
            await asyncio.sleep(1)
            await handle.cancel()
            partial.append(handle.partial)
            assert handle.partial is handle.partial
            whole = start(self.flow())
            assert await whole.result() is whole.partial

        run_virtual(main)
        assert [xs(one) for one in partial] == [[0, 1], [0, 1], [0, 1, 2]]

    def test_before_it_began_each_path_is_empty(self) -> None:
        """A handle whose run never began has as many paths as the flow."""

        async def main() -> None:
            handle = start(self.flow() >> (passthrough() & step("z", lambda x: {"z": x})))
            await handle.cancel()
            assert handle.partial == RunResult([], [])

        asyncio.run(main())


class TestResultOfErrors:
    def test_is_that_of_the_run_which_raised_it(self) -> None:
        """Where a step runs a flow of its own, the error has what that had returned."""
        used_up = step("inner", iter([{"y": 1}]))

        def nested(x: int) -> Any:
            return run(used_up)[0][0]["inner"]

        partial: list[RunResult] = []
        with pytest.raises(UsageError) as caught:
            run(numbers() >> step("nested", nested), partial=partial)
        assert caught.value.result == RunResult([])
        assert [xs(one) for one in partial] == [[0]]

    def test_is_none_outside_of_runs_that_collect(self) -> None:
        """A flow that is refused has returned nothing."""
        with pytest.raises(TypeError) as caught:
            run(untyped(5))
        assert untyped(caught.value).result is None


class TestDone:
    """What a last step has emitted is there, though it had to wait: for its turn, or for room."""

    @staticmethod
    def hanging(done: list[int]) -> Any:
        async def call(x: int) -> Row:
            await (asyncio.sleep(x) if x else asyncio.Event().wait())
            done.append(x)
            return {"y": x}

        return step("call", call)

    @pytest.mark.parametrize("ordered", [True, "src"])
    def test_products_that_wait_for_their_turn(self, ordered: Any) -> None:
        """Behind a call that hangs; whatever ends the run."""
        done: list[int] = []
        partial: list[RunResult] = []
        source = step("src", [{"x": x, "src": 0} for x in range(10)])
        flow = source >> self.hanging(done).options(ordered=ordered)

        async def fail() -> AsyncIterator[Row]:
            await asyncio.sleep(4.5)
            raise Foreign
            yield {}

        async def main() -> None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(4.5):
                    await arun(flow, partial=partial)
            with contextlib.suppress(Foreign):
                await arun(flow & step("fail", fail), partial=partial)
            partial.append(await arun(flow, deadline=4.5))
            handle = start(flow)
            await asyncio.sleep(4.5)
            await handle.cancel()
            partial.append(handle.partial)
            handle = start(flow)
            await asyncio.sleep(4.5)
            await handle.cancel(within=0)
            partial.append(handle.partial)

        run_virtual(main)
        by_deadline = partial.pop(2)
        assert [xs(one) for one in partial] == [[1, 2, 3, 4]] * 4
        assert xs(by_deadline) == [*range(1, 10)]
        assert [one.product["x"] for one in by_deadline.pending] == [0]
        assert [one.product["x"] for one in partial[-1].pending] == [0, 5, 6, 7, 8, 9]

    @pytest.mark.parametrize("ordered", [True, False])
    @pytest.mark.parametrize("buffer", [None, 1])
    def test_calls_that_end_at_one_moment(self, ordered: bool, buffer: int | None) -> None:
        """All that had ended before the one that fails."""
        done: list[int] = []
        partial: list[RunResult] = []

        async def call(x: int) -> Row:
            await asyncio.sleep(1)
            if x == 150:
                raise Foreign
            done.append(x)
            return {"y": x}

        async def main() -> None:
            with contextlib.suppress(Foreign):
                flow = numbers(200) >> step("call", call).options(ordered=ordered, buffer=buffer)
                await arun(flow, partial=partial)

        run_virtual(main)
        assert len(done) == 150
        assert [xs(one) for one in partial] == [done]

    def test_a_generator_gives_no_product_twice(self) -> None:
        """Its products wait for room, and then for their turn."""
        partial: list[RunResult] = []

        async def several(x: int) -> AsyncIterator[Row]:
            await asyncio.sleep(1)
            for number in range(40):
                yield {"y": number}
            if x == 3:
                raise Foreign
            if x == 0:
                await asyncio.Event().wait()

        async def main() -> None:
            for ordered in (True, False):
                flow = numbers(6) >> step("several", several).options(ordered=ordered)
                with contextlib.suppress(Foreign, TimeoutError):
                    async with asyncio.timeout(5):
                        await arun(flow, partial=partial)

        run_virtual(main)
        for one in partial:
            given = [(output["src"]["x"], output["several"]["y"]) for output in one[0]]
            assert given == sorted({*given})
            assert [y for x, y in given if x == 0] == [*range(40)]
