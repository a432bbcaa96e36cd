"""Products that compare in ways of their own: a flow never asks whether two products are equal."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any
from unittest.mock import ANY

import pytest
from aiostream import pipe
from reactivex import operators as ops

from fluxus_rx import (
    AsyncTransformer,
    SimpleProducer,
    Transformer,
    from_observable,
    rx_pipe,
    stream_pipe,
)


class Vague:
    """Like an array: it can't say whether it is equal to anything."""

    def __eq__(self, other: object) -> bool:
        raise ValueError("the truth value is ambiguous")

    __hash__ = None  # type: ignore[assignment]  # as that of an array


class Same(Transformer[Any, Any]):
    def transform(self, product: Any) -> Iterator[Any]:
        yield product


class ASame(AsyncTransformer[Any, Any]):
    async def atransform(self, product: Any) -> AsyncIterator[Any]:
        yield product


PARTS = {
    "step": Same(),
    "steps": Same() >> Same(),
    "async": ASame().options(ordered=True),
    "rx_pipe": rx_pipe(ops.filter(lambda _: True)),
    "stream_pipe": stream_pipe(pipe.filter(lambda _: True)),
    "buffered": Same().buffered(100, "drop_oldest"),
    "named": rx_pipe(ops.filter(lambda _: True), name="same"),
}


@pytest.mark.parametrize("odd", [Vague(), ANY], ids=["an array", "what equals anything"])
@pytest.mark.parametrize("part", PARTS)
def test_a_product_goes_through_whatever_it_equals(part: str, odd: Any) -> None:
    """It neither ends the run nor is taken for a mark of the library's own."""
    items = [1, odd, 2]
    flow = SimpleProducer(items) >> Same() >> PARTS[part] >> Same()
    assert [id(product) for product in flow] == [*map(id, items)]


def test_an_observable_takes_and_gives_them() -> None:
    """The same on the way from Rx and back."""
    odd = Vague()
    source = SimpleProducer([odd, odd]).to_observable()
    assert [product is odd for product in from_observable(source) >> Same()] == [True, True]
