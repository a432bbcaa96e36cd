"""Context variables in flows: seen everywhere, changed only for oneself, kept to the very end."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, closing
from typing import Any

import pytest
from reactivex import operators as ops

from fluxus_rx import AsyncProducer, AsyncTransformer, Passthrough, Producer, Transformer
from tests.support.conduits import AsyncFirst, Collect, Fetch, First, Numbers
from tests.support.probes import turns, until

VARIABLE: contextvars.ContextVar[object] = contextvars.ContextVar("VARIABLE", default="default")

#: what conduits of a test have found in the variable, or what went wrong as they reset it
found: list[object] = []


@pytest.fixture(autouse=True)
def fresh() -> None:
    """Begin each test with nothing found."""
    found.clear()


class Holds(Producer[int]):
    """Sets the variable for as long as it yields."""

    def __init__(self, length: int) -> None:
        self.length = length

    def produce(self) -> Iterator[int]:
        token = VARIABLE.set("held")
        try:
            yield from range(self.length)
        finally:
            reset(token)


class AsyncHolds(AsyncProducer[int]):
    """The same, asynchronously."""

    def __init__(self, length: int) -> None:
        self.length = length

    async def aproduce(self) -> AsyncIterator[int]:
        token = VARIABLE.set("held")
        try:
            for number in range(self.length):
                await asyncio.sleep(0)
                yield number
        finally:
            reset(token)


class Expands(Transformer[int, int]):
    """Sets the variable for as long as it yields, once per product."""

    def __init__(self, length: int) -> None:
        self.length = length

    def transform(self, product: int) -> Iterator[int]:
        token = VARIABLE.set("held")
        try:
            for _ in range(self.length):
                yield product
        finally:
            reset(token)


class AsyncExpands(AsyncTransformer[int, int]):
    """The same, asynchronously."""

    def __init__(self, length: int) -> None:
        self.length = length

    async def atransform(self, product: int) -> AsyncIterator[int]:
        token = VARIABLE.set("held")
        try:
            for _ in range(self.length):
                await asyncio.sleep(0)
                yield product
        finally:
            reset(token)


def reset(token: contextvars.Token[object]) -> None:
    """Reset the variable and note whether it could be."""
    try:
        VARIABLE.reset(token)
    except ValueError as error:
        found.append(error)
    else:
        found.append("reset")


class Look(Transformer[int, int]):
    """Notes what it finds, and leaves something else behind."""

    def transform(self, product: int) -> Iterator[int]:
        found.append(VARIABLE.get())
        VARIABLE.set("changed")
        yield product


class AsyncLook(AsyncTransformer[int, int]):
    """The same, asynchronously."""

    async def atransform(self, product: int) -> AsyncIterator[int]:
        await asyncio.sleep(0)
        found.append(VARIABLE.get())
        VARIABLE.set("changed")
        yield product


async def _for(flow: Any) -> None:
    with closing(iter(flow)) as iterator:
        for _ in iterator:
            break


async def _async_for(flow: Any) -> None:
    async with aclosing(aiter(flow)) as iterator:
        async for _ in iterator:
            break


async def _take(flow: Any) -> None:
    await flow.to_observable().pipe(ops.take(1))


async def _first(flow: Any) -> None:
    await (flow >> First(1)).arun()


async def _async_first(flow: Any) -> None:
    await (flow >> AsyncFirst(1)).arun()


async def _run(flow: Any) -> None:
    (flow >> First(1)).run()


LEAVING: dict[str, Callable[[Any], Any]] = {
    "for": _for,
    "async for": _async_for,
    "take": _take,
    "a consumer": _first,
    "an asynchronous consumer": _async_first,
    "run": _run,
}

HOLDERS: dict[str, Callable[[int], Any]] = {
    "a producer": Holds,
    "an asynchronous producer": AsyncHolds,
    "a producer before a step": lambda length: Holds(length) >> Fetch(),
    "an asynchronous producer before a step": lambda length: AsyncHolds(length) >> Fetch(),
    "a producer before a group": lambda length: Holds(length) >> (Fetch() & Passthrough()),
    "a transformer": lambda length: Numbers(1) >> Expands(length),
    "a transformer after a step": lambda length: Numbers(1) >> Fetch() >> Expands(length),
    "a transformer before a step": lambda length: Numbers(1) >> Expands(length) >> Fetch(),
    "an asynchronous transformer": lambda length: Numbers(1) >> AsyncExpands(length),
    "an asynchronous transformer before a step": lambda length: (
        Numbers(1) >> AsyncExpands(length) >> Fetch()
    ),
}


@pytest.mark.parametrize("leaving", LEAVING)
@pytest.mark.parametrize("holder", HOLDERS)
async def test_a_generator_that_is_left_early_can_reset_what_it_has_set(
    holder: str, leaving: str
) -> None:
    """However a flow is left, a generator is closed in the context that it ran in."""
    await LEAVING[leaving](HOLDERS[holder](1_000))
    await until(lambda: bool(found))
    await turns()
    assert found == ["reset"]


@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize("method", ["run", "arun"])
def test_a_generator_that_ends_can_reset_what_it_has_set(holder: str, method: str) -> None:
    """A generator runs in one context from its beginning to its end."""
    flow = HOLDERS[holder](20) >> Collect()
    _ = flow.run() if method == "run" else asyncio.run(flow.arun())
    assert found == ["reset"]


@pytest.mark.parametrize("look", [Look, AsyncLook])
@pytest.mark.parametrize("method", ["run", "arun", "for", "process"])
def test_a_step_sees_the_context_of_the_caller(look: Any, method: str) -> None:
    """What the caller of a run has set is there in each call of each step."""
    token = VARIABLE.set("caller")
    flow = Numbers(1) >> (look() & look() & (Fetch() >> look()))
    if method == "run":
        (flow >> Collect()).run()
    elif method == "arun":
        asyncio.run((flow >> Collect()).arun())
    elif method == "for":
        list(flow)
    else:
        (look() & look() & (Fetch() >> look())).process([1])
    assert VARIABLE.get() == "caller"
    VARIABLE.reset(token)
    if look is AsyncLook:
        assert found == ["caller"] * 3


@pytest.mark.parametrize("limit", [1, 2, 256])
def test_one_call_of_an_asynchronous_step_does_not_see_what_another_has_set(limit: int) -> None:
    """Each call has a context of its own, a copy of the caller's."""
    look = AsyncLook().options(concurrency=limit)
    (Numbers(10) >> look >> AsyncLook() >> Collect()).run()
    assert found == ["default"] * 20


@pytest.mark.parametrize("flow", [Look, AsyncLook, lambda: Look() >> AsyncLook() >> Look()])
@pytest.mark.parametrize("method", ["run", "arun", "for", "async for", "stream", "aprocess"])
async def test_a_run_changes_nothing_in_the_context_of_its_caller(flow: Any, method: str) -> None:
    """Whatever steps set, the caller finds its own value afterwards."""
    producer = Numbers(3) >> flow()
    token = VARIABLE.set("caller")
    if method == "run":
        (producer >> Collect()).run()
    elif method == "arun":
        await (producer >> Collect()).arun()
    elif method == "for":
        list(producer)
    elif method == "async for":
        async for _ in producer:
            assert VARIABLE.get() == "caller"
    elif method == "stream":
        await producer.to_stream()
    else:
        await flow().aprocess([1, 2])
    assert VARIABLE.get() == "caller"
    VARIABLE.reset(token)
