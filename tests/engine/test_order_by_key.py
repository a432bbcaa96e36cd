"""`ordered="customer"` keeps the order of each customer, however a step emits its products."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from unittest.mock import AsyncMock

import pytest

from fluxus_rx import (
    AsyncTransformer,
    MissingAttributeError,
    SimpleProducer,
    StepOptions,
    Transformer,
    arun,
    astream,
    from_observable,
    rx_pipe,
    step,
)
from fluxus_rx._common.signatures import is_async_function
from fluxus_rx.testing import run_virtual

#: The later an order comes, the sooner it is done.
ORDERS = [{"order": n, "customer": "AB"[n % 2]} for n in range(6)]


def booked(order: int) -> dict[str, int]:
    return {"booked": order}


async def pause(order: int) -> None:
    await asyncio.sleep(10 - order)


def decorated(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


async def coroutine(order: int) -> dict[str, int]:
    await pause(order)
    return booked(order)


async def coroutine_of_several(order: int) -> list[dict[str, int]]:
    await pause(order)
    return [booked(order)]


async def generator(order: int) -> AsyncIterator[dict[str, int]]:
    await pause(order)
    yield booked(order)


async def coroutine_of_a_generator(order: int) -> AsyncIterator[dict[str, int]]:
    await pause(order)
    return generator(order)


class Called:
    async def __call__(self, order: int) -> dict[str, int]:
        return await coroutine(order)

    async def method(self, order: int) -> dict[str, int]:
        return await coroutine(order)


class Awaitable:
    def __init__(self, order: int) -> None:
        self.order = order

    def __await__(self) -> Any:
        return coroutine(self.order).__await__()


def sometimes(order: int) -> Any:
    return booked(order) if order < 3 else coroutine(order)


def plain_generator(order: int) -> Iterator[dict[str, int]]:
    yield booked(order)


#: Those that give their products after a wait.
WAITING: dict[str, Any] = {
    "coroutine": coroutine,
    "coroutine of a list": coroutine_of_several,
    "generator": generator,
    "coroutine of a generator": coroutine_of_a_generator,
    "decorated coroutine": decorated(coroutine),
    "decorated generator": decorated(generator),
    "decorated coroutine of a list": decorated(coroutine_of_several),
    "lambda": lambda order: coroutine(order),
    "task": lambda order: asyncio.ensure_future(coroutine(order)),
    "awaitable": Awaitable,
    "partial": functools.partial(coroutine),
    "partial of a lambda": functools.partial(lambda order, by: coroutine(order), by=1),
    "object": Called(),
    "bound method": Called().method,
    "decorated object": decorated(Called()),
    "mock": AsyncMock(side_effect=lambda order, customer: booked(order)),
    "sometimes": sometimes,
}

#: Those that give them at once.
PLAIN: dict[str, Any] = {
    "plain": booked,
    "plain generator": plain_generator,
    "plain list": lambda order: [booked(order)],
}


def by_customer(orders: list[tuple[int, str]]) -> None:
    """Each customer has the order in which the orders came, and all are there."""
    assert sorted(order for order, _ in orders) == [order["order"] for order in ORDERS]
    for customer in "AB":
        own = [order for order, of in orders if of == customer]
        assert own == sorted(own)


async def arrivals(flow: Any) -> list[tuple[int, str]]:
    return [
        (output["book"]["booked"], output["orders"]["customer"])
        async for _, output in astream(flow)
    ]


OPTIONS: list[dict[str, Any]] = [
    {},
    {"timeout": 99},
    {"retry": 2},
    {"on_error": "skip"},
    {"concurrency": 3, "window": 4},
]


@pytest.mark.parametrize("kind", [*WAITING, *PLAIN])
def test_each_line_keeps_its_order(kind: str) -> None:
    """The first call as well, with which the run finds out that the function is asynchronous."""
    function = (WAITING | PLAIN)[kind]
    orders = step("orders", ORDERS)
    for options in OPTIONS:
        if not is_async_function(function) and options.keys() & {"timeout", "concurrency"}:
            continue  # which would have threads, that know no virtual time
        book = step("book", function).options(ordered="customer", **options)
        by_customer(run_virtual(lambda book=book: arrivals(orders >> book)))  # type: ignore[misc]  # a default


def test_lines_do_not_wait_for_each_other() -> None:
    """A slow order holds back those of its customer alone."""
    for function in (coroutine, decorated(coroutine)):
        book = step("book", function).options(ordered="customer")
        came = run_virtual(lambda book=book: arrivals(step("orders", ORDERS) >> book))  # type: ignore[misc]  # a default
        assert [order for order, _ in came] == [1, 3, 5, 0, 2, 4]


@pytest.mark.parametrize("executor", ["thread", None])
def test_plain_functions_in_threads_keep_the_order_of_each_line(executor: Any) -> None:
    for function in PLAIN.values():
        options = {"executor": executor} if executor else {"concurrency": 3}
        book = step("book", function).options(ordered="customer", **options)
        by_customer(asyncio.run(arrivals(step("orders", ORDERS) >> book)))


def test_options_of_a_run_and_sources_of_rx_keep_it() -> None:
    import reactivex
    from reactivex import operators as ops

    for source in (
        step("orders", ORDERS),
        from_observable(reactivex.from_(ORDERS), "orders"),
        step("orders", ORDERS) >> rx_pipe(ops.map(lambda order: order)),
    ):
        for function in (coroutine, decorated(coroutine)):
            flow: Any = source >> step("book", function)

            async def main(flow: Any = flow) -> Any:
                return await arun(flow, options=StepOptions(ordered="customer"))

            result = run_virtual(main)
            by_customer([(o["book"]["booked"], o["orders"]["customer"]) for o in result[0]])


class Book(AsyncTransformer[Any, Any]):
    async def atransform(self, product: Any) -> AsyncIterator[Any]:
        await pause(product["order"])
        yield product


class BookAtOnce(Transformer[Any, Any]):
    def transform(self, product: Any) -> Iterator[Any]:
        yield product


@pytest.mark.parametrize("make", [Book, BookAtOnce])
def test_the_class_api_keeps_it_by_a_key_or_an_attribute(make: Callable[[], Any]) -> None:
    async def main() -> Any:
        flow = SimpleProducer(ORDERS) >> make().options(ordered="customer", retry=2)
        return [(product["order"], product["customer"]) async for product in flow]

    by_customer(run_virtual(main))


def test_a_product_without_the_attribute_is_an_error_that_names_it() -> None:
    for function in (coroutine, decorated(coroutine)):
        book = step("book", function).options(ordered="shop")
        with pytest.raises(MissingAttributeError, match="'shop'") as caught:
            run_virtual(lambda book=book: arrivals(step("orders", ORDERS) >> book))  # type: ignore[misc]  # a default
        assert "'customer': 'A'" in str(caught.value)
        assert "ordered=True" in str(caught.value)
        assert "in step 'book'" in "".join(caught.value.__notes__)
