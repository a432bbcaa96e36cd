"""Errors that come of a second event loop say so, and what to do, wherever they come up."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from types import ModuleType
from typing import Any, cast

import pytest
import reactivex
from reactivex import operators as ops

from fluxus_rx import (
    AsyncConsumer,
    AsyncTransformer,
    Consumer,
    Producer,
    SimpleProducer,
    Transformer,
    UsageError,
    arun,
    astream,
    from_observable,
    run,
    rx_pipe,
    step,
    stream,
)
from fluxus_rx._loops.loop_errors import note_loop_error
from tests.support.errors import notes
from tests.support.scripted_calls import numbers

WAY_OUT_OF_A_LOOP = 'executor="thread"'
ANOTHER_LOOP = "belongs to another event loop"


async def answer() -> int:
    return 1


def ask(_: object = None) -> int:
    """What `agent.run_sync()` and its like do."""
    asking = answer()
    try:
        return asyncio.run(asking)
    finally:
        asking.close()


class AskingProducer(Producer[int]):
    def produce(self) -> Iterator[int]:
        yield ask()


class AskingTransformer(Transformer[int, int]):
    def transform(self, source_product: int) -> Iterator[int]:
        yield ask()


class AskingAsyncTransformer(AsyncTransformer[int, int]):
    async def atransform(self, source_product: int) -> AsyncIterator[int]:
        yield ask()


class AskingConsumer(AsyncConsumer[Any, int]):
    async def aconsume(self, products: AsyncIterable[tuple[int, Any]]) -> int:
        return ask()


def asked(x: int = 0) -> dict[str, int]:
    return {"y": ask()}


def asked_later(x: int) -> Iterator[dict[str, int]]:
    yield {"y": x}
    yield {"y": ask()}


class Collecting(Consumer[Any, list[Any]]):
    def consume(self, products: Iterable[tuple[int, Any]]) -> list[Any]:
        return [*products]


ASKING: dict[str, Callable[[], object]] = {
    "a step": lambda: run(numbers(1) >> step("s", asked)),
    "a step that yields": lambda: run(numbers(1) >> step("s", asked_later)),
    "a step that is tried again": lambda: run(numbers(1) >> step("s", asked).options(retry=1)),
    "a source": lambda: run(step("s", asked)),
    "stream": lambda: [*stream(numbers(1) >> step("s", asked))],
    "iteration": lambda: [*(numbers(1) >> step("s", asked))],
    "arun": lambda: asyncio.run(arun(numbers(1) >> step("s", asked))),
    "a flow with a consumer": lambda: (numbers(1) >> step("s", asked) >> Collecting()).run(),
    "a producer": lambda: [*AskingProducer()],
    "a transformer": lambda: AskingTransformer().process([1]),
    "an asynchronous transformer": lambda: AskingAsyncTransformer().process([1]),
    "an asynchronous consumer": lambda: (SimpleProducer([1]) >> AskingConsumer()).run(),
    "an Rx operator": lambda: run(numbers(1) >> rx_pipe(ops.map(ask))),
    "an observable": lambda: run(
        from_observable(reactivex.of(1).pipe(ops.map(lambda x: {"x": ask()})), "s")
    ),
}


@pytest.mark.parametrize("where", ASKING)
def test_a_loop_in_a_loop_is_told_the_way_out(where: str) -> None:
    """In every place in which a plain function of the user's is called on the loop of a run."""
    with pytest.raises(RuntimeError, match=r"cannot be called from a running event loop") as caught:
        ASKING[where]()
    assert WAY_OUT_OF_A_LOOP in notes(caught.value)


def test_a_progress_function_is_told_the_way_out() -> None:
    """Its own one: it can't be made asynchronous."""
    with pytest.raises(RuntimeError, match=r"cannot be called from a running event loop") as caught:
        run(numbers(1), progress=lambda progress: ask())
    assert "create_task" in notes(caught.value)
    assert "async def" not in notes(caught.value)


def test_a_collected_failure_is_told_the_way_out() -> None:
    """Its exception has the note, though it ends no run."""
    result = run(numbers(1) >> step("s", asked).options(on_error="collect"))
    assert WAY_OUT_OF_A_LOOP in notes(result.failures[0].exception)


def test_an_observable_that_is_subscribed_to_in_a_coroutine_tells_the_way_out() -> None:
    """Without a run, too: with asynchronous steps, and with plain ones alone."""
    brief = step("brief", lambda y: {"z": y}).options(retry=1)

    async def main(flow: Any) -> None:
        ended: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        reactivex.of({"x": 1}).pipe(flow).subscribe(
            on_error=ended.set_exception, on_completed=lambda: ended.set_result(None)
        )
        await ended

    for flow in (step("s", asked), step("s", asked) >> brief):
        with pytest.raises(RuntimeError, match=r"running event loop") as caught:
            asyncio.run(main(flow))
        assert WAY_OUT_OF_A_LOOP in notes(caught.value)


def test_in_a_thread_a_step_may_run_a_loop() -> None:
    """The way out is one."""
    result = run(numbers(1) >> step("s", asked).options(executor="thread"))
    assert result[0][0]["s"] == {"y": 1}


def test_a_function_in_a_thread_that_asks_for_a_loop_is_told_the_way_out() -> None:
    """It has none there; what is awaited belongs into an asynchronous function."""

    def begin(x: int) -> dict[str, Any]:
        return {"y": asyncio.get_running_loop()}

    with pytest.raises(RuntimeError, match="no running event loop") as caught:
        run(numbers(1) >> step("s", begin).options(executor="thread"))
    assert "make the function asynchronous" in notes(caught.value)


class Client:
    """Its second call waits for a future of the loop of its first one."""

    def __init__(self) -> None:
        self.ready: asyncio.Future[int] | None = None

    async def call(self, x: int) -> dict[str, int]:
        if self.ready is None:
            self.ready = asyncio.get_running_loop().create_future()
            return {"y": x}
        return {"y": await self.ready}


def test_a_client_of_another_threads_loop_is_told_so() -> None:
    """As a note on asyncio's own error, which is that of the run."""
    flow = numbers(1) >> step("call", Client().call)
    thread = threading.Thread(target=run, args=(flow,))
    thread.start()
    thread.join()
    with pytest.raises(RuntimeError, match="a different loop") as caught:
        run(flow)
    assert ANOTHER_LOOP in notes(caught.value)


def test_a_limiter_of_another_loop_is_told_so() -> None:
    """The message has the step and the limiter, a note the way out."""

    async def call(x: int) -> dict[str, int]:
        await asyncio.sleep(0)
        return {"y": x}

    flow = numbers(3) >> step("call", call).options(limiter=asyncio.Semaphore(1))
    run(flow)
    with pytest.raises(UsageError, match=r"step 'call': limiter=.* the event loop that") as caught:
        asyncio.run(arun(flow))
    assert ANOTHER_LOOP in notes(caught.value)


def caused(error: Exception, by: BaseException) -> Exception:
    error.__cause__ = by
    return error


CLOSED = RuntimeError("Event loop is closed")


@pytest.mark.parametrize(
    ("error", "note"),
    [
        (CLOSED, ANOTHER_LOOP),
        (caused(ConnectionError("Connection error."), CLOSED), ANOTHER_LOOP),
        (ExceptionGroup("several", [ValueError("no"), CLOSED]), ANOTHER_LOOP),
        (OSError(5, "while writing: Event loop is closed"), ANOTHER_LOOP),
        (RuntimeError("x" * 10_000 + " attached to a different loop"), ANOTHER_LOOP),
        (RuntimeError("This event loop is already running"), WAY_OUT_OF_A_LOOP),
        (RuntimeError("Already running asyncio in this thread"), WAY_OUT_OF_A_LOOP),
        (RuntimeError("Not running inside an AnyIO worker thread, and"), "async def"),
        (ValueError("no"), ""),
        (ValueError(), ""),
    ],
)
def test_errors_are_known_by_their_messages(error: Exception, note: str) -> None:
    """Their own, or those of what caused them; others get no note."""
    note_loop_error(error)
    note_loop_error(error)
    assert note in notes(error)
    assert len(getattr(error, "__notes__", [])) == bool(note)


def test_what_an_error_shows_is_not_asked_for() -> None:
    """It may be large, or raise."""

    class Odd(Exception):
        def __str__(self) -> str:
            raise AssertionError

        __repr__ = __str__

    error = Odd(Odd(), b"Event loop is closed")
    error.__cause__ = error
    note_loop_error(error)
    assert notes(error) == ""


@pytest.fixture
def trio(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trio runs its tasks in this thread, as it tells sniffio."""
    sniffio: Any = ModuleType("sniffio")
    monkeypatch.setitem(sys.modules, "sniffio", sniffio)
    sniffio.thread_local = type("Local", (threading.local,), {"name": None})()
    sniffio.thread_local.name = "trio"


@pytest.mark.usefixtures("trio")
def test_under_trio_a_run_gets_a_thread_of_its_own() -> None:
    """Where the libraries that its steps use are told that asyncio runs them."""
    names: list[str | None] = []

    async def ask_sniffio() -> dict[str, Any]:
        names.append(sys.modules["sniffio"].thread_local.name)
        return {"thread": threading.current_thread()}

    result = run(step("ask", ask_sniffio))
    assert names == [None]
    assert result[0][0]["ask"]["thread"] is not threading.current_thread()


@pytest.mark.usefixtures("trio")
def test_under_trio_an_asynchronous_run_says_what_to_do() -> None:
    """It can't run on Trio."""
    coroutine = arun(numbers(1))
    with pytest.raises(UsageError, match=r"another library .* call run\(flow\)"):
        coroutine.send(None)


@pytest.mark.parametrize("how", ["arun", "astream", "iteration", "consumer", "process"])
def test_without_a_loop_an_asynchronous_run_says_what_it_needs(how: str) -> None:
    """As where Trio drives the coroutine."""
    flow: Any = numbers(1)
    driven: dict[str, Callable[[], Any]] = {
        "arun": lambda: arun(flow),
        "astream": lambda: anext(astream(flow)),
        "iteration": lambda: anext(aiter(flow)),
        "consumer": lambda: (flow >> Collecting()).arun(),
        "process": lambda: cast(Any, step("s", asked)).aprocess([{"x": 1}]),
    }
    coroutine = driven[how]()
    with pytest.raises(UsageError, match="a running event loop of asyncio is needed"):
        coroutine.send(None)
    coroutine.close()
