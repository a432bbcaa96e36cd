"""Iterators that are read off the loop: in one thread, ahead of their reader, but not too far."""

from __future__ import annotations

import asyncio
import contextvars
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import aclosing
from typing import Any

import pytest

from fluxus_rx import Producer, Transformer, run, step
from fluxus_rx._options.handed_over import Job
from tests.support.errors import untyped
from tests.support.offloads import opened, said
from tests.support.probes import until

MARK: contextvars.ContextVar[str] = contextvars.ContextVar("MARK", default="none")

#: more than one trip, whatever their size
MANY = 100


def rows_of(x: int) -> Iterator[dict[str, Any]]:
    """Rows by a connection that its thread alone may use, with a cursor made in the call."""
    connection = sqlite3.connect(":memory:")
    MARK.set(f"call {x}")
    cursor = connection.execute(
        "with recursive n(i) as (values(0) union all select i + 1 from n where i < 99)"
        " select i from n"
    )
    return ({"i": i, "mark": MARK.get(), "thread": threading.get_ident()} for (i,) in cursor)


class Rows(Transformer[Any, Any]):
    """The same, of a flow of classes."""

    def transform(self, product: Any) -> Iterator[Any]:
        return rows_of(product["x"])


class RowsProducer(Producer[Any]):
    """The same, at the beginning of such a flow."""

    def produce(self) -> Iterator[Any]:
        return rows_of(0)


def of_step(options: dict[str, Any]) -> list[Any]:
    source = step("src", [{"x": x} for x in range(6)])
    result = run(source >> step("rows", rows_of).options(**options))
    return [output["rows"] for output in result[0]]


def of_source(options: dict[str, Any]) -> list[Any]:
    source = step("rows", lambda: rows_of(0)).options(executor=options["executor"])
    return [output["rows"] for output in run(source)[0]]


def of_transformer(options: dict[str, Any]) -> list[Any]:
    source = step("src", [{"x": x} for x in range(6)])
    return [*(source >> Rows().options(**options))]


def of_producer(options: dict[str, Any]) -> list[Any]:
    return [*RowsProducer().options(executor=options["executor"])]


class TestOneThread:
    @pytest.mark.parametrize("executor", ["thread", "a pool"])
    @pytest.mark.parametrize("rows", [of_step, of_source, of_transformer, of_producer])
    def test_a_call_and_what_it_yields_are_made_in_one_thread(
        self, rows: Callable[..., list[Any]], executor: str
    ) -> None:
        """And in one context: a connection, a cursor, a variable that a call makes are its own."""
        with futures.ThreadPoolExecutor(3) as pool:
            given = pool if executor == "a pool" else executor
            made = rows({"executor": given, "concurrency": 3, "buffer": 4})
        assert len(made) in (MANY, 6 * MANY)
        threads = {(row["mark"], row["thread"]) for row in made}
        assert len(threads) == len({row["mark"] for row in made}) == len(made) // MANY
        assert MARK.get() == "none"

    def test_a_pool_gets_a_thread_back_that_others_wait_for(self) -> None:
        """A generator that waits for its reader does not keep the thread which that waits for."""
        with futures.ThreadPoolExecutor(1) as pool:
            source = step("rows", lambda: ({"x": x} for x in range(60))).options(executor=pool)
            several = step("several", lambda x: ({"y": y} for y in range(3))).options(executor=pool)
            one = step("one", lambda y: {"z": y}).options(executor=pool)
            assert len(run(source >> several >> one)[0]) == 180

    async def test_a_pool_gets_it_back_for_calls_of_others(self) -> None:
        """Those that the user has submitted beside the run."""
        with futures.ThreadPoolExecutor(1) as pool:
            async with opened(pool) as given, aclosing(given.iterate(iter(range(5)))) as stream:
                assert await anext(stream) == 0
                assert await asyncio.wrap_future(pool.submit(abs, -1)) == 1
                assert [x async for x in stream] == [1, 2, 3, 4]


class TestAhead:
    @pytest.mark.parametrize("buffer", [1, 4])
    async def test_no_more_is_made_than_the_buffer_holds(self, buffer: int) -> None:
        """Beyond what the reader has taken; the first item is made alone."""
        made: list[int] = []
        ahead: list[int] = []

        def numbers() -> Iterator[int]:
            for x in range(MANY):
                made.append(x)
                yield x

        async with (
            opened("thread", buffer=buffer) as threads,
            aclosing(threads.iterate(numbers())) as stream,
        ):
            async for x in stream:
                if not ahead:
                    assert made == [0]
                await asyncio.sleep(0)
                ahead.append(len(made) - x - 1)
        assert len(ahead) == MANY
        assert max(ahead) <= buffer - 1

    async def test_an_item_does_not_wait_for_the_next_one(self) -> None:
        """Though one trip makes both."""
        go_on = threading.Event()

        def numbers() -> Iterator[int]:
            for x in range(MANY):
                if x == 50:
                    assert go_on.wait(20)
                yield x

        seen = []
        async with opened("thread") as threads, aclosing(threads.iterate(numbers())) as stream:
            async for x in stream:
                seen.append(x)
                if x == 49:
                    go_on.set()
        assert seen == [*range(MANY)]

    async def test_a_reader_that_has_enough_does_not_wait_for_what_is_made_ahead(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Nor get its error: nobody has asked for that item."""

        def numbers() -> Iterator[int]:
            yield from range(16)
            raise ValueError("of an item that nobody reads")

        async with opened("thread") as threads, aclosing(threads.iterate(numbers())) as stream:
            async for x in stream:
                if x == 14:
                    break
        assert len(said(caplog)) <= 1

    @pytest.mark.parametrize("executor", ["thread", "a pool"])
    def test_a_dictionary_that_is_yielded_again_is_as_it_was(self, executor: str) -> None:
        """Each product has the state that was yielded."""

        def numbers(x: int) -> Iterator[dict[str, int]]:
            row: dict[str, int] = {}
            for y in range(MANY):
                row["y"] = y
                yield row

        with futures.ThreadPoolExecutor(1) as pool:
            options = {"executor": pool if executor == "a pool" else executor}
            made = step("s", numbers).options(**untyped(options))
            outputs = run(step("src", {"x": 1}) >> made)[0]
            sources = run(step("s", lambda: numbers(1)).options(**untyped(options)))[0]
        for found in (outputs, sources):
            assert [output["s"]["y"] for output in found] == [*range(MANY)]

    def test_an_error_comes_after_what_was_made_before_it(self) -> None:
        """As many products as without threads, in their order, and its place in the note."""

        def numbers() -> Iterator[dict[str, int]]:
            for x in range(40):
                yield {"x": x}
            raise LookupError("price")

        source = step("s", numbers).options(executor="thread")
        seen: list[int] = []
        with pytest.raises(LookupError) as caught:
            seen.extend(product["x"] for product in source)
        assert seen == [*range(40)]
        assert "at item 40" in "".join(caught.value.__notes__)

    async def test_an_iterator_that_nobody_closes_is_closed_with_the_run(self) -> None:
        """In its thread, which ends."""
        closed: list[threading.Thread] = []
        made: list[threading.Thread] = []

        def numbers() -> Iterator[int]:
            made.append(threading.current_thread())
            try:
                yield 1
                yield 2
            finally:
                closed.append(threading.current_thread())

        async with opened("thread") as threads:
            stream = await threads.call(numbers)
            assert await anext(stream) == 1
        await until(lambda: closed == made)


async def test_news_that_nobody_came_to_wait_for_are_the_next_ones() -> None:
    """Else the loop of a test, whose time waits for what goes on elsewhere, would wait for ever."""
    job = Job(futures.Future())
    first = job.news()
    assert job.news() is first
    job.wake()
    await first
    again = job.news()
    assert again is not first
    job.has_ended = True
    assert job.news() is again
    await again


class TestFirstItem:
    """It is made in the call that returns the iterator."""

    async def test_its_error_is_that_of_the_first_reading(self) -> None:
        """And not of the call, which has returned an iterator."""
        error = LookupError("first")

        def numbers() -> Iterator[int]:
            raise error
            yield 1

        async with opened("thread") as threads, aclosing(await threads.call(numbers)) as stream:
            with pytest.raises(LookupError) as caught:
                await anext(stream)
            assert caught.value is error
            assert [x async for x in stream] == []

    async def test_its_error_is_told_of_where_nobody_has_read_it(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        """As that of any call that was left."""

        def numbers() -> Iterator[int]:
            raise LookupError("first")
            yield 1

        async with opened("thread") as threads, aclosing(await threads.call(numbers)):
            pass
        assert len(said(caplog)) == 1
        assert "LookupError" in said(caplog)[0]

    async def test_an_iterator_that_nobody_reads_is_closed_in_its_thread(self) -> None:
        """Also where its call is cancelled before it has returned the iterator."""
        made: list[threading.Thread] = []
        closed: list[threading.Thread] = []
        go_on = threading.Event()

        def numbers() -> Iterator[int]:
            made.append(threading.current_thread())
            assert go_on.wait(20)
            try:
                yield 1
            finally:
                closed.append(threading.current_thread())

        async with opened("thread") as threads:
            calling = asyncio.ensure_future(threads.call(numbers))
            await until(lambda: bool(made))
            calling.cancel()
            with pytest.raises(asyncio.CancelledError):
                await calling
            go_on.set()
            await until(lambda: closed == made)
