"""Methods of the wrong kind: a TypeError that names class and method, and shows what came."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from fluxus_rx import (
    AsyncConsumer,
    AsyncProducer,
    AsyncTransformer,
    Consumer,
    FlowError,
    Producer,
    Transformer,
)
from tests.support.conduits import Collect, Numbers


async def coroutine(*_: object) -> list[int]:
    return [1]


async def async_generator(*_: object) -> Any:
    yield 1


def generator(*_: object) -> Any:
    yield 1


def nothing(*_: object) -> None:
    return None


def number(*_: object) -> int:
    return 5


def conduit(base: Any, method: str, function: Callable[..., Any]) -> Any:
    """A conduit called Mine with this function as its method."""
    return type("Mine", (base,), {method: function})()


WRONG = [
    (Producer, "produce", [coroutine, async_generator, nothing, number]),
    (AsyncProducer, "aproduce", [coroutine, generator, nothing, number]),
    (Transformer, "transform", [coroutine, async_generator, nothing, number]),
    (AsyncTransformer, "atransform", [coroutine, generator, nothing, number]),
    (Consumer, "consume", [coroutine, async_generator]),
    (AsyncConsumer, "aconsume", [generator, nothing, number]),
]

CASES = [
    pytest.param(base, method, function, id=f"{base.__name__}-{function.__name__}")
    for base, method, functions in WRONG
    for function in functions
]


@pytest.mark.parametrize(("base", "method", "function"), CASES)
@pytest.mark.parametrize("way", ["run", "arun"])
def test_a_method_of_the_wrong_kind_is_named(
    base: Any, method: str, function: Callable[..., Any], way: str
) -> None:
    """The error says which method of which class is wrong, or returned what, and no coroutine is
    left behind."""

    def made_and_run() -> None:
        mine = conduit(base, method, function)
        if issubclass(base, Producer):
            flow: Any = mine >> Collect()
        elif issubclass(base, Consumer):
            flow = Numbers(2) >> mine
        else:
            flow = Numbers(2) >> mine >> Collect()
        _ = flow.run() if way == "run" else asyncio.run(flow.arun())

    with pytest.raises(TypeError) as caught:
        made_and_run()
    assert isinstance(caught.value, FlowError)
    assert f"Mine.{method}()" in str(caught.value)


@pytest.mark.parametrize("function", [nothing, number, coroutine, async_generator])
def test_a_wrong_method_is_named_in_a_loop_too(function: Callable[..., Any]) -> None:
    """Iterating over the producer, or processing items, raises the same error."""
    with pytest.raises(TypeError, match=r"Mine\.produce\(\)"):
        list(conduit(Producer, "produce", function))
    with pytest.raises(TypeError, match=r"Mine\.transform\(\)"):
        conduit(Transformer, "transform", function).process([1])


def test_a_transformer_without_super_init_works() -> None:
    """A class of the user's need not call the constructor of its base."""

    class Careless(Transformer[int, int]):
        def __init__(self, number: int) -> None:
            self.number = number

        def transform(self, product: int) -> Any:
            yield product + self.number

    assert Careless(1).options(ordered=True).process([1, 2]) == [2, 3]


@pytest.mark.parametrize("base", [Transformer, AsyncTransformer])
def test_conduits_are_told_apart_by_identity(base: Any) -> None:
    """A class that can't be compared, can't be hashed or is false works like any other."""

    class Odd(base):  # type: ignore[misc]
        def __eq__(self, other: object) -> bool:
            raise ValueError("not to be compared")

        __hash__ = None  # type: ignore[assignment]

        def __bool__(self) -> bool:
            return False

        def transform(self, product: int) -> Any:
            yield product

        async def atransform(self, product: int) -> Any:
            yield product

    flow = Numbers(2) >> (Odd() & Odd()) >> Odd() >> Collect()
    assert sorted(flow.run()) == [(0, 0), (0, 1), (1, 0), (1, 1)]
