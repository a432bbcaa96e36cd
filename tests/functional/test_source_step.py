"""The data of a step: all the forms that it may have, and what is read of it and when."""

from __future__ import annotations

import asyncio
import functools
from collections import OrderedDict, UserDict
from collections.abc import AsyncIterator, Callable, Iterator
from types import MappingProxyType
from typing import Any

import pytest
import reactivex
from reactivex import operators as ops

from fluxus_rx import RunResult, run, step

ROWS = [{"x": 1}, {"x": 2}, {"x": 3}]


class Table:
    """An iterable that isn't a collection, and can be read again and again."""

    def __init__(self) -> None:
        self.readers = 0

    def __iter__(self) -> Iterator[dict[str, int]]:
        self.readers += 1
        return iter(ROWS)


class OldTable:
    """An iterable by indices alone."""

    def __getitem__(self, index: int) -> dict[str, int]:
        return ROWS[index]


class AsyncTable:
    """An asynchronous iterable that can be read again and again."""

    async def __aiter__(self) -> AsyncIterator[dict[str, int]]:
        for row in ROWS:
            await asyncio.sleep(0)
            yield row


class Cursor:
    """An asynchronous iterator that isn't a generator."""

    def __init__(self) -> None:
        self.rows = iter(ROWS)

    def __aiter__(self) -> Cursor:
        return self

    async def __anext__(self) -> dict[str, int]:
        for row in self.rows:
            return row
        raise StopAsyncIteration


async def async_rows() -> AsyncIterator[dict[str, int]]:
    for row in ROWS:
        yield row


def rows() -> Iterator[dict[str, int]]:
    yield from ROWS


AGAIN: dict[str, Callable[[], Any]] = {
    "list": lambda: ROWS,
    "tuple": lambda: tuple(ROWS),
    "mapping view": lambda: dict(enumerate(ROWS)).values(),
    "iterable object": Table,
    "async iterable object": AsyncTable,
    "observable": lambda: reactivex.from_iterable(ROWS),
    "observable with operators": lambda: reactivex.range(1, 4).pipe(ops.map(lambda x: {"x": x})),
    "other mappings": lambda: [UserDict(ROWS[0]), OrderedDict(ROWS[1]), MappingProxyType(ROWS[2])],
}
ONCE: dict[str, Callable[[], Any]] = {
    "generator": rows,
    "iterator": lambda: iter(ROWS),
    "map": lambda: map(dict, ROWS),
    "async generator": async_rows,
    "async iterator": Cursor,
}
FUNCTIONS: dict[str, Callable[[], Any]] = {
    f"function of a {kind}": functools.partial(functools.partial, make)
    for kind, make in (AGAIN | ONCE).items()
    if "observable" not in kind
} | {
    "generator function": lambda: rows,
    "async generator function": lambda: async_rows,
}
EXPECTED = RunResult([{"src": row} for row in ROWS])


class TestForms:
    @pytest.mark.parametrize("kind", AGAIN | ONCE | FUNCTIONS)
    def test_data_may_have_any_form(self, kind: str) -> None:
        """A step emits the items of its data in their order, whatever holds them."""
        assert run(step("src", (AGAIN | ONCE | FUNCTIONS)[kind]())) == EXPECTED

    @pytest.mark.parametrize("kind", AGAIN | ONCE | FUNCTIONS)
    def test_steps_after_it_do_not_see_the_form(self, kind: str) -> None:
        """A step after the data returns the same, whatever form the data has."""
        flow = step("src", (AGAIN | ONCE | FUNCTIONS)[kind]()) >> step("s", lambda x: {"y": x})

        assert [output["s"]["y"] for output in run(flow)[0]] == [1, 2, 3]

    @pytest.mark.parametrize("kind", AGAIN | FUNCTIONS)
    def test_what_can_be_read_again_runs_again(self, kind: str) -> None:
        """A flow runs twice where its data can be read twice."""
        flow = step("src", (AGAIN | FUNCTIONS)[kind]())

        assert run(flow) == run(flow) == EXPECTED

    @pytest.mark.parametrize(
        "mapping", [{"x": 1}, UserDict({"x": 1}), MappingProxyType({"x": 1}), OrderedDict(x=1)]
    )
    def test_a_mapping_is_one_item(self, mapping: Any) -> None:
        """Any mapping is the data of one product, and shows as a dictionary."""
        result = run(step("src", mapping))

        assert result == RunResult([{"src": {"x": 1}}])
        assert type(result[0][0]["src"]) is dict

    @pytest.mark.parametrize("data", [[], (), iter(()), reactivex.empty()])
    def test_no_items_are_no_outputs(self, data: Any) -> None:
        """Empty data runs to a result with one path and nothing in it."""
        result = run(step("src", data))

        assert result == RunResult([])
        assert len(result) == 1

    def test_a_function_may_return_an_awaitable(self) -> None:
        """A source function that has to wait returns what it waited for."""

        async def coroutine() -> Any:
            await asyncio.sleep(0)
            return async_rows()

        assert run(step("src", coroutine)) == EXPECTED
        assert run(step("src", lambda: coroutine())) == EXPECTED


class TestReading:
    def test_nothing_is_read_before_the_run(self) -> None:
        """Writing a flow calls no function and reads no iterable that may be long."""
        table = Table()
        calls: list[int] = []

        def other() -> dict[str, int]:
            calls.append(1)
            return {"x": 1}

        flow = step("src", table) & step("other", other)

        assert table.readers == len(calls) == 0
        run(flow)
        assert table.readers == len(calls) == 1

    def test_the_source_of_a_group_is_read_once(self) -> None:
        """Several branches share one reading of the data."""
        table = Table()
        group = step("a", lambda x: {"y": x}) & step("b", lambda x: {"y": -x})

        result = run(step("src", table) >> group >> group)

        assert len(result) == 4
        assert table.readers == 1

    def test_changes_of_plain_data_show_in_the_next_run(self) -> None:
        """A list is data, not a copy of data."""
        data = [{"x": 1}]
        flow = step("src", data)

        before = run(flow)
        data.append({"x": 2})

        assert before == RunResult([{"src": {"x": 1}}])
        assert run(flow) == RunResult([{"src": {"x": 1}}, {"src": {"x": 2}}])

    @pytest.mark.parametrize("fail", [False, True])
    def test_a_generator_is_closed_at_the_end_of_the_run(self, fail: bool) -> None:
        """A run closes the generators that it reads, also when it fails."""
        opened: list[str] = []
        closed: list[str] = []

        def generator() -> Iterator[dict[str, int]]:
            opened.append("generator")
            try:
                yield from ROWS
            finally:
                closed.append("generator")

        async def async_generator() -> AsyncIterator[dict[str, int]]:
            opened.append("async generator")
            try:
                for row in ROWS:
                    yield row
            finally:
                closed.append("async generator")
                await asyncio.sleep(0)

        def check(x: int) -> dict[str, int]:
            if fail:
                raise KeyError(x)
            return {}

        flow = (step("a", generator()) & step("b", async_generator())) >> step("s", check)

        if fail:
            with pytest.raises(KeyError):
                run(flow)
        else:
            run(flow)
        assert sorted(closed) == sorted(opened)
        assert opened

    def test_an_observable_is_subscribed_to_once_for_each_run(self) -> None:
        """A cold Observable runs again with each run of the flow, and once for all branches."""
        subscriptions: list[int] = []

        def subscribe(observer: Any, scheduler: Any = None) -> Any:
            subscriptions.append(1)
            return reactivex.from_iterable(ROWS).subscribe(observer, scheduler=scheduler)

        ticks: reactivex.Observable[dict[str, int]] = reactivex.Observable(subscribe)
        flow = step("src", ticks) >> (step("a", lambda x: {}) & step("b", lambda x: {}))

        for count in (1, 2):
            run(flow)
            assert len(subscriptions) == count

    def test_an_error_of_an_observable_ends_the_run(self) -> None:
        """The very exception that an Observable sends is raised."""
        error = KeyError("price")
        ticks = reactivex.concat(reactivex.from_iterable(ROWS), reactivex.throw(error))

        with pytest.raises(KeyError) as caught:
            run(step("src", ticks) >> step("s", lambda x: {}))

        assert caught.value is error
