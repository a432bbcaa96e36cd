"""However a run ends, what it has opened is closed once, the last one first, and is told why."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import signal
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any

import pytest

from fluxus_rx import Stopper, arun, astream, run, start, step, stream
from fluxus_rx.reactive_streams import from_publisher, to_publisher
from fluxus_rx.testing import run_virtual
from tests.support.recorded_resources import KINDS, OPENED_AT_ONCE, Record

NAMES = ("a", "b")


def numbers(count: int) -> Callable[[], Iterator[dict[str, int]]]:
    def source() -> Iterator[dict[str, int]]:
        yield from ({"x": x} for x in range(count))

    return source


class Case:
    """A flow through two resources of one kind, and a last step that does as it is told."""

    def __init__(self, kind: str, last: str = "gives", count: int = 3) -> None:
        self.record = Record()
        self.waits = asyncio.Event()
        self.stop: Callable[[], None]
        steps = [KINDS[kind](self.record, name) for name in NAMES]
        self.flow: Any = (
            step("source", numbers(count)) >> steps[0] >> steps[1] >> step("last", self._last(last))
        )

    def _last(self, does: str) -> Callable[..., Any]:
        def gives(x: int) -> dict[str, int]:
            return {"x": x}

        def raises(x: int) -> dict[str, int]:
            raise KeyError(x)

        async def waits(x: int) -> dict[str, int]:
            self.waits.set()
            await asyncio.Event().wait()
            return {}

        async def stops(x: int) -> dict[str, int]:
            self.stop()
            return {"x": x}

        async def interrupts(x: int) -> dict[str, int]:
            signal.raise_signal(signal.SIGINT)
            await asyncio.Event().wait()
            return {}

        named = (gives, raises, waits, stops, interrupts)
        return {function.__name__: function for function in named}[does]


async def success(kind: str) -> Case:
    case = Case(kind)
    result = await arun(case.flow)
    assert sorted(output["last"]["x"] for output in result[0]) == [0, 1, 2]
    return case


async def nested_run(kind: str) -> Case:
    """Of a synchronous caller, in a thread."""
    case = Case(kind)
    assert len((await asyncio.to_thread(run, case.flow))[0]) == 3
    return case


async def error_behind(kind: str) -> Case:
    case = Case(kind, "raises")
    with pytest.raises(KeyError):
        await arun(case.flow)
    return case


async def cancelled(kind: str) -> Case:
    case = Case(kind, "waits")
    task = asyncio.create_task(arun(case.flow))
    await case.waits.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return case


async def cancelled_twice(kind: str) -> Case:
    case = Case(kind, "waits")
    task = asyncio.create_task(arun(case.flow))
    await case.waits.wait()
    task.cancel()
    for _ in range(4):
        await asyncio.sleep(0)
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return case


async def timed_out(kind: str) -> Case:
    case = Case(kind, "waits")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5):
            await arun(case.flow)
    return case


async def deadline(kind: str) -> Case:
    case = Case(kind, "waits")
    result = await arun(case.flow, deadline=1)
    assert not result.complete
    return case


async def stopped(kind: str) -> Case:
    case, stop = Case(kind, "stops", count=10**9), Stopper()
    case.stop = partial(stop.stop, 0)
    await arun(case.flow, stop=stop)
    return case


async def left_stream(kind: str) -> Case:
    case = Case(kind)
    async with contextlib.aclosing(astream(case.flow)) as outputs:
        async for _ in outputs:
            break
    return case


async def left_plain_stream(kind: str) -> Case:
    case = Case(kind)

    def read() -> None:
        outputs = stream(case.flow)
        next(outputs)
        outputs.close()

    await asyncio.to_thread(read)
    return case


async def disposed(kind: str) -> Case:
    case = Case(kind, "waits")
    subscription = case.flow.to_observable().subscribe()
    await case.waits.wait()
    subscription.dispose()
    await asyncio.sleep(1)
    return case


async def observed(kind: str) -> Case:
    case = Case(kind)
    await case.flow.to_observable()
    return case


async def paths_observed(kind: str) -> Case:
    case = Case(kind)
    (path,) = case.flow.to_observable(paths=True)
    await path
    return case


async def published(kind: str) -> Case:
    case = Case(kind)
    assert len([item async for item in from_publisher(to_publisher(case.flow))]) == 3
    return case


async def shared(kind: str) -> Case:
    case = Case(kind)
    async with case.flow.share() as hub:
        assert len([item async for item in hub]) == 3
    return case


async def started_and_cancelled(kind: str) -> Case:
    case = Case(kind, "waits")
    async with start(case.flow) as running:
        await case.waits.wait()
        await running.cancel()
    return case


async def started_and_drained(kind: str) -> Case:
    case = Case(kind, count=10**9)
    async with start(case.flow) as running:
        await anext(aiter(running))
        await running.drain()
    return case


async def failing_close(kind: str) -> Case:
    case = Case(kind)
    case.record.fails_to_close["b"] = ValueError("not closed")
    with pytest.raises(ValueError, match="not closed") as caught:
        await arun(case.flow)
    assert any("was closed" in note and "b" in note for note in caught.value.__notes__)
    assert case.record.errors == [None, caught.value]
    return case


async def failing_close_after_error(kind: str) -> Case:
    case = Case(kind, "raises")
    case.record.fails_to_close |= {"a": ValueError("not a"), "b": ValueError("not b")}
    with pytest.raises(KeyError) as caught:
        await arun(case.flow)
    notes = " ".join(caught.value.__notes__)
    assert "not a" in notes
    assert "not b" in notes
    return case


async def failing_open(kind: str) -> Case:
    case = Case(kind)
    case.record.fails_to_open["b"] = OSError("no server")
    with pytest.raises(OSError, match="no server") as caught:
        await arun(case.flow)
    assert any("was opened" in note for note in caught.value.__notes__)
    assert case.record.names("open") == ([] if kind in OPENED_AT_ONCE else ["a"])
    return case


ENDINGS: dict[Callable[[str], Awaitable[Case]], type[BaseException] | None] = {
    success: None,
    nested_run: None,
    error_behind: KeyError,
    cancelled: asyncio.CancelledError,
    cancelled_twice: asyncio.CancelledError,
    timed_out: asyncio.CancelledError,
    deadline: None,
    stopped: None,
    left_stream: GeneratorExit,
    left_plain_stream: GeneratorExit,
    disposed: GeneratorExit,
    observed: None,
    paths_observed: None,
    published: None,
    shared: None,
    started_and_cancelled: asyncio.CancelledError,
    started_and_drained: None,
    failing_close: ValueError,
    failing_close_after_error: KeyError,
    failing_open: OSError,
}


#: which kinds and endings are tried with all of the others; the rest is for the night
_USUAL_KINDS = ("__enter__", "opened", "async, using an asynchronous manager")
_USUAL_ENDINGS = (success, error_behind, cancelled, left_stream, failing_open)


def pairs() -> Iterator[Any]:
    for ending, kind in itertools.product(ENDINGS, KINDS):
        usual = ending in _USUAL_ENDINGS or kind in _USUAL_KINDS
        marks = () if usual else (pytest.mark.thorough,)
        yield pytest.param(ending, kind, marks=marks, id=f"{ending.__name__}, {kind}")


@pytest.mark.parametrize(("ending", "kind"), [*pairs()])
def test_what_is_open_is_closed_at_each_ending(
    ending: Callable[[str], Awaitable[Case]], kind: str
) -> None:
    """Once, in reverse order, on the loop of the run, and before the caller of the run goes on."""
    runner: Any = asyncio.run if ending in (nested_run, left_plain_stream) else run_virtual
    case = runner(ending(kind))
    case.record.check_closed()
    expected = ENDINGS[ending]
    if ending is not failing_open:
        assert sorted(case.record.names("open")) == [*NAMES]
    for error in case.record.errors[ending is failing_close :]:
        assert (None if error is None else type(error)) is expected


@pytest.mark.parametrize("kind", _USUAL_KINDS)
def test_an_interrupt_closes_what_is_open(kind: str) -> None:
    """Before KeyboardInterrupt is raised; the resources are told of a cancellation."""
    for read in (run, lambda flow: [*stream(flow)]):
        case = Case(kind, "interrupts")
        with pytest.raises(KeyboardInterrupt):
            read(case.flow)
        case.record.check_closed()
        assert sorted(case.record.names("close")) == [*NAMES]
        assert None not in case.record.errors
