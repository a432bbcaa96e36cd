"""Whatever an observable passes to `on_error` ends a run as an exception: it isn't a success, and
no run hangs."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import reactivex
from reactivex import Observable
from reactivex import operators as ops

from fluxus_rx import (
    ObservableError,
    arun,
    astream,
    from_observable,
    parallel,
    rx_pipe,
    start,
    step,
)
from fluxus_rx._rx.errors import as_exception
from fluxus_rx.reactive_streams import to_publisher
from fluxus_rx.rx import to_stream
from fluxus_rx.testing import run_virtual


class Unshowable:
    def __repr__(self) -> str:
        raise ValueError


class UnshowableError(Exception):
    def __str__(self) -> str:
        raise ValueError

    __repr__ = __str__


#: What makes an end, and the class of the exception that comes of it.
ENDS: list[tuple[Callable[[], Any], type[BaseException]]] = [
    (lambda: None, ObservableError),
    (lambda: "connection lost", ObservableError),
    (lambda: 404, ObservableError),
    (lambda: False, ObservableError),
    (lambda: b"", ObservableError),
    (lambda: ValueError, ObservableError),
    (lambda: {"code": 1}, ObservableError),
    (Unshowable, ObservableError),
    (UnshowableError, UnshowableError),
    (lambda: ValueError("x"), ValueError),
    (lambda: StopIteration(1), RuntimeError),
    (StopAsyncIteration, RuntimeError),
    (asyncio.CancelledError, asyncio.CancelledError),
    (GeneratorExit, GeneratorExit),
]


def emits(end: Any) -> Observable[Any]:
    def subscribe(observer: Any, scheduler: Any = None) -> Any:
        observer.on_next({"x": 1})
        observer.on_error(end)

    return reactivex.create(subscribe)


async def double(x: int) -> dict[str, int]:
    return {"y": 2 * x}


plain = step("plain", lambda x: {"y": 2 * x})
awaited = step("awaited", double)


async def heard(observable: Observable[Any]) -> Any:
    """What an observer hears, raised if that is an error."""
    end: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()
    observable.subscribe(None, end.set_result, lambda: end.set_result(None))
    error = await end
    assert error is not None
    raise error


async def started(flow: Any) -> Any:
    async with start(flow) as under_way:
        return await under_way.result()


class _Subscriber:
    def __init__(self) -> None:
        self.end: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()

    def on_subscribe(self, subscription: Any) -> None:
        subscription.request(9)

    def on_next(self, value: Any) -> None: ...

    def on_error(self, exception: BaseException) -> None:
        self.end.set_result(exception)

    def on_complete(self) -> None:
        self.end.set_result(None)


async def published(flow: Any) -> Any:
    subscriber = _Subscriber()
    to_publisher(flow).subscribe(subscriber)
    error = await subscriber.end
    assert error is not None
    raise error


async def listed(items: Any) -> list[Any]:
    return [item async for item in items]


async def streamed(source: Observable[Any]) -> list[Any]:
    heard: list[Any] = []
    async with to_stream(source).stream() as items:
        heard += await listed(items)
    return heard


WAYS: dict[str, Callable[[Observable[Any]], Awaitable[Any]]] = {
    "step": lambda source: arun(step("source", source) >> plain),
    "from_observable": lambda source: arun(from_observable(source, "source") >> awaited),
    "overflow": lambda source: arun(
        from_observable(source, "source", overflow="drop_oldest") >> awaited
    ),
    "share": lambda source: arun(from_observable(source.pipe(ops.share()), "source") >> plain),
    "group": lambda source: arun(step("source", source) >> parallel(plain, awaited)),
    "producers": lambda source: arun(step("source", source) & step("other", [{"x": 1}])),
    "behind operators": lambda source: arun(
        step("go", [{}]) >> rx_pipe(ops.flat_map(lambda _: source)) >> plain
    ),
    "start": lambda source: started(step("source", source) >> plain),
    "astream": lambda source: listed(astream(step("source", source) >> plain)),
    "iteration": lambda source: listed(from_observable(source)),
    "to_stream": streamed,
    "operator": lambda source: heard(source >> awaited),
    "operator group": lambda source: heard(source >> (plain & awaited)),
    "to_observable": lambda source: heard((step("source", source) >> plain).to_observable()),
    "paths": lambda source: heard(
        (step("source", source) >> (plain & awaited)).to_observable(paths=True)[0]
    ),
    "to_publisher": lambda source: published(step("source", source) >> plain),
}


@pytest.mark.parametrize("way", WAYS)
def test_whatever_ends_an_observable_ends_the_run_as_an_exception(way: str) -> None:
    """None, a text, a class, or an exception that nobody catches; the object itself is at hand."""
    for make, kind in ENDS:
        end = make()

        async def main(end: Any = end) -> BaseException:
            try:
                result = await WAYS[way](emits(end))
            except BaseException as error:
                return error
            raise AssertionError(f"a success: {result}")

        raised = run_virtual(main)
        assert type(raised) is kind
        if isinstance(raised, ObservableError):
            assert raised.error is end
        elif kind is RuntimeError:
            assert raised.__cause__ is end
        else:
            assert raised is end


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_what_ends_a_program_is_itself(kind: type[BaseException]) -> None:
    end = kind()
    assert as_exception(end) is end


def test_the_message_says_what_came_and_what_to_give_instead() -> None:
    assert str(as_exception(404)) == (
        "an observable ended with on_error(404 (int)), which isn't an exception; pass one, such as"
        " RuntimeError(404)"
    )
    assert str(as_exception(OSError)).endswith("pass an instance of it: OSError(...)")


def test_an_error_that_is_none_can_be_pickled() -> None:
    """With what the observable passed."""
    error = pickle.loads(pickle.dumps(as_exception("lost")))
    assert (type(error), error.error) == (ObservableError, "lost")
    assert "lost" in str(error)
