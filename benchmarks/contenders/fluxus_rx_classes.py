"""fluxus_rx by its class API: products of a type of one's own, which keep no lineage."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from functools import reduce
from operator import and_, rshift
from typing import Any

from fluxus_rx import AsyncTransformer, Passthrough, Producer, Transformer

NAME = "fluxus_rx classes"
PACKAGE = "fluxus_rx"
LICENCE = "Apache-2.0"
PROMISES = ("limit", "order", "bounded", "cleanup")
NOTE = "products of its own type"
CANT = {
    "merge": "as fluxus_rx does it",
    "expand": "as fluxus_rx does it",
    "batches": "as fluxus_rx does it",
    "retrying": "as fluxus_rx does it",
    "paced": "as fluxus_rx does it",
    "etl": "as fluxus_rx does it",
}


@dataclass(slots=True)
class _Number:
    x: int


class _Numbers(Producer[_Number]):
    def __init__(self, items: Any) -> None:
        self.items = items

    def produce(self) -> Iterator[_Number]:
        for item in self.items:
            yield _Number(**item)


class _Add(Transformer[_Number, _Number]):
    def __init__(self, function: Any) -> None:
        self.function = function

    def transform(self, product: _Number) -> Iterator[_Number]:
        yield _Number(**self.function(x=product.x))


class _AddLater(AsyncTransformer[_Number, _Number]):
    def __init__(self, function: Any) -> None:
        self.function = function

    async def atransform(self, product: _Number) -> AsyncIterator[_Number]:
        yield _Number(**await self.function(x=product.x))


def sync_chain(items: Any, functions: Any) -> Any:
    """A chain of transformers, iterated."""
    return _outputs(reduce(rshift, map(_Add, functions.values()), _Numbers(items)))


def async_chain(items: Any, functions: Any, limit: int, ordered: bool) -> Any:
    """The same with asynchronous transformers."""
    flow: Any = reduce(rshift, map(_AddLater, functions.values()), _Numbers(items))
    return _outputs(flow.options(concurrency=limit, ordered=ordered))


def fan_out(items: Any, groups: Any, limit: int) -> Any:
    """Groups of transformers and a passthrough, each joined by a transformer."""
    flow: Any = _Numbers(items)
    for branches, (_, function) in groups:
        group: Any = reduce(and_, [*map(_AddLater, branches.values()), Passthrough()])
        flow = flow >> group >> _AddLater(function)
    return _outputs(flow.options(concurrency=limit))


def _outputs(flow: Any) -> list[Any]:
    return [{"x": product.x} for product in flow]


async def stream(items: Any, functions: Any, limit: int) -> AsyncIterator[Any]:
    """The chain again, iterated on the running loop."""
    flow: Any = reduce(rshift, map(_AddLater, functions.values()), _Numbers(items))
    async with aclosing(aiter(flow.options(concurrency=limit))) as products:
        async for product in products:
            yield {"x": product.x}
