"""Producers, transformers and consumers that remember what was done with them."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from typing import Any

from fluxus_rx import (
    AsyncConsumer,
    AsyncProducer,
    AsyncTransformer,
    Consumer,
    Passthrough,
    Producer,
    Transformer,
)
from tests.support.probes import Calls, Source


class Numbers(Producer[int]):
    """0, 1, 2, … up to `end` or for ever, then `error` if there is one."""

    def __init__(self, end: int | None = None, error: BaseException | None = None) -> None:
        self.end = end
        self.error = error
        self.made = self.opened = self.closed = 0

    def produce(self) -> Iterator[int]:
        self.opened += 1
        try:
            for number in itertools.count() if self.end is None else range(self.end):
                self.made += 1
                yield number
            if self.error is not None:
                raise self.error
        finally:
            self.closed += 1


class AsyncNumbers(AsyncProducer[int]):
    """The same, with a suspension before each item."""

    def __init__(self, end: int | None = None, error: BaseException | None = None) -> None:
        self.end = end
        self.error = error
        self.source = Source(end, error=error)

    def aproduce(self) -> AsyncIterator[int]:
        return aiter(self.source)


class Add(Transformer[int, int]):
    """Adds a number to each item."""

    def __init__(self, number: int = 0) -> None:
        self.number = number
        self.calls: list[int] = []

    def transform(self, product: int) -> Iterator[int]:
        self.calls.append(product)
        yield product + self.number


class Odd(Transformer[int, int]):
    """Lets odd items through."""

    def transform(self, product: int) -> Iterator[int]:
        if product % 2:
            yield product


class Repeat(Transformer[int, int]):
    """Yields each item a number of times."""

    def __init__(self, times: int | None = None) -> None:
        self.times = times
        self.made = self.opened = self.closed = 0

    def transform(self, product: int) -> Iterator[int]:
        self.opened += 1
        try:
            for _ in itertools.count() if self.times is None else range(self.times):
                self.made += 1
                yield product
        finally:
            self.closed += 1


class Text(Transformer[int, str]):
    """Makes text of numbers."""

    def transform(self, product: int) -> Iterator[str]:
        yield str(product)


class Fail(Transformer[int, int]):
    """Raises `error` for the item `at`, and passes all others on."""

    def __init__(self, error: BaseException, at: int = 0) -> None:
        self.error = error
        self.at = at

    def transform(self, product: int) -> Iterator[int]:
        if product == self.at:
            raise self.error
        yield product


class Fetch(AsyncTransformer[int, int]):
    """Adds a number to each item, after a few turns of the loop."""

    def __init__(self, number: int = 0) -> None:
        self.number = number
        self.calls = Calls()

    async def atransform(self, product: int) -> AsyncIterator[int]:
        yield await self.calls.briefly(product) + self.number


class Held(AsyncTransformer[int, int]):
    """Passes items on once the gate of its calls is open."""

    def __init__(self) -> None:
        self.calls = Calls()

    async def atransform(self, product: int) -> AsyncIterator[int]:
        yield await self.calls.held(product)


class AsyncFail(AsyncTransformer[int, int]):
    """Raises `error` for the item `at`; other calls are held until they are cancelled."""

    def __init__(self, error: BaseException, at: int = 0) -> None:
        self.error = error
        self.at = at
        self.calls = Calls()

    async def atransform(self, product: int) -> AsyncIterator[int]:
        if product == self.at:
            raise self.error
        yield await self.calls.held(product)


class Collect(Consumer[object, list[tuple[int, Any]]]):
    """A list of all products, each with the index of its path."""

    def consume(self, products: Iterable[tuple[int, object]]) -> list[tuple[int, Any]]:
        return list(products)


class AsyncCollect(AsyncConsumer[object, list[tuple[int, Any]]]):
    """The same, asynchronously."""

    async def aconsume(self, products: AsyncIterable[tuple[int, object]]) -> list[tuple[int, Any]]:
        return [pair async for pair in products]


class First(Consumer[object, list[Any]]):
    """The first few products; does not read on."""

    def __init__(self, number: int) -> None:
        self.number = number

    def consume(self, products: Iterable[tuple[int, object]]) -> list[Any]:
        return [product for _, product in itertools.islice(products, self.number)]


class AsyncFirst(AsyncConsumer[object, list[Any]]):
    """The same, asynchronously."""

    def __init__(self, number: int) -> None:
        self.number = number

    async def aconsume(self, products: AsyncIterable[tuple[int, object]]) -> list[Any]:
        found: list[Any] = []
        async for _, product in products:
            found.append(product)
            if len(found) == self.number:
                break
        return found


def by_path(pairs: list[tuple[int, Any]], paths: int) -> list[list[Any]]:
    """The products of each path, in the order in which they came."""
    return [[product for path, product in pairs if path == index] for index in range(paths)]


def source_of(numbers: Any) -> Any:
    """Where `Numbers` or `AsyncNumbers` keep count of what they made."""
    return getattr(numbers, "source", numbers)


ASYNC_FLOWS: dict[str, Callable[[], Any]] = {
    "an asynchronous step": lambda: Fetch(1),
    "a chain": lambda: Fetch(1) >> Add(1) >> Fetch(1),
    "a group": lambda: Fetch(1) & (Add(1) >> Fetch(2)) & Passthrough(),
    "groups in series": lambda: (Fetch(1) & Passthrough()) >> (Fetch(2) & Add(1)),
    "a step that keeps the order": lambda: Fetch(1).options(ordered=True),
}
