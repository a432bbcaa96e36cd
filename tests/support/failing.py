"""Parts of flows that fail, and a journal of what they opened and closed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import reactivex

from fluxus_rx import passthrough, step

Row = dict[str, int]


class Odd(BaseException):
    """An error that isn't an Exception."""


def price() -> KeyError:
    """An error like most."""
    return KeyError("price")


ENDINGS = [GeneratorExit, KeyboardInterrupt, SystemExit, asyncio.CancelledError, Odd]

#: the two entry points: whether it is arun
ENTRIES = {"run": False, "arun": True}


class Journal:
    """Which generators and calls began and which ended; `settled` when it is the same."""

    def __init__(self) -> None:
        self.opened: list[str] = []
        self.closed: list[str] = []

    @property
    def settled(self) -> bool:
        return bool(self.opened) and sorted(self.opened) == sorted(self.closed)

    def entry(self, name: str) -> Entry:
        return Entry(self, name)


class Entry:
    """Opened at the beginning of a block, closed at its end, whatever ends it."""

    def __init__(self, journal: Journal, name: str) -> None:
        self.journal = journal
        self.name = name

    def __enter__(self) -> None:
        self.journal.opened.append(self.name)

    def __exit__(self, *_: object) -> None:
        self.journal.closed.append(self.name)


def sources(
    error: BaseException, after: int, of: int, journal: Journal
) -> dict[str, Callable[[], Any]]:
    """Functions of a source that raises after some of its items; `of` is how many there are."""

    def rows() -> Iterator[Row]:
        with journal.entry("source"):
            for x in range(of):
                if x == after:
                    raise error
                yield {"x": x}
            if after >= of:
                raise error

    async def async_rows() -> AsyncIterator[Row]:
        with journal.entry("source"):
            for x in range(of):
                await asyncio.sleep(0)
                if x == after:
                    raise error
                yield {"x": x}
            if after >= of:
                raise error

    class Rows:
        """An iterator whose `__next__` raises."""

        def __init__(self) -> None:
            self.x = -1

        def __iter__(self) -> Rows:
            return self

        def __next__(self) -> Row:
            self.x += 1
            if self.x == min(after, of):
                raise error
            return {"x": self.x}

    class AsyncRows:
        def __init__(self) -> None:
            self.rows = Rows()

        def __aiter__(self) -> AsyncRows:
            return self

        async def __anext__(self) -> Row:
            await asyncio.sleep(0)
            return next(self.rows)

    def observable() -> Any:
        first = reactivex.from_iterable([{"x": x} for x in range(min(after, of))])
        return reactivex.concat(first, reactivex.throw(error))  # type: ignore[arg-type]

    return {
        "generator": rows,
        "async generator": async_rows,
        "iterator": Rows,
        "async iterator": AsyncRows,
        "data": rows,
        "observable": observable,
    }


def source_step(kind: str, functions: dict[str, Callable[[], Any]]) -> Any:
    """The step `src` of one of these functions, called at once where the data is meant."""
    function = functions[kind]
    return step("src", function() if kind in ("data", "observable") else function)


def numbers(count: int, journal: Journal) -> Any:
    """A step `src` of so many products."""

    def rows() -> Iterator[Row]:
        with journal.entry("source"):
            for x in range(count):
                yield {"x": x}

    return step("src", rows)


def steps(
    error: BaseException, at: Callable[[int], bool], journal: Journal
) -> dict[str, Callable[[int], Any]]:
    """Functions of a step that raises for the products at which `at` is true."""

    def check(x: int) -> Row:
        if at(x):
            raise error
        return {"y": x}

    def plain(x: int) -> Row:
        with journal.entry("step"):
            return check(x)

    def generator(x: int) -> Iterator[Row]:
        with journal.entry("step"):
            yield {"y": -1}
            yield check(x)

    async def coroutine(x: int) -> Row:
        with journal.entry("step"):
            await asyncio.sleep(0)
            return check(x)

    async def async_generator(x: int) -> AsyncIterator[Row]:
        with journal.entry("step"):
            yield {"y": -1}
            await asyncio.sleep(0)
            yield check(x)

    async def at_once(x: int) -> Row:
        return check(x)

    return {
        "sync": plain,
        "generator": generator,
        "async": coroutine,
        "async, at once": at_once,
        "async generator": async_generator,
        "lambda of an awaitable": lambda x: coroutine(x),
        "lambda of an async generator": lambda x: async_generator(x),
    }


def quiet(name: str, asynchronous: bool, journal: Journal) -> Any:
    """A step that does not fail."""

    def plain(x: int) -> Row:
        return {"x": x + 1}

    async def coroutine(x: int) -> Row:
        with journal.entry(name):
            await asyncio.sleep(0)
            return {"x": x + 1}

    return step(name, coroutine if asynchronous else plain)


def feeding(shape: str, asynchronous: bool, journal: Journal) -> Any:
    """What stands behind a source that fails: a step, a group, or two groups in series."""
    a, b, c = (quiet(name, asynchronous, journal) for name in "abc")
    match shape:
        case "step":
            return a
        case "group":
            return a & b & passthrough()
        case "two groups":
            return (a & passthrough()) >> (b & c & passthrough())
        case _:
            raise ValueError(shape)


SHAPES = ("step", "group", "two groups")
SOURCES = ("generator", "async generator", "iterator", "async iterator", "data", "observable")
STEPS = (
    "sync",
    "generator",
    "async",
    "async, at once",
    "async generator",
    "lambda of an awaitable",
    "lambda of an async generator",
)
