"""A product from elsewhere, in front of a step of its name: both keep their attributes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import reactivex as rx
from aiostream import pipe
from reactivex import operators as ops

from fluxus_rx import (
    Producer,
    SimpleProducer,
    Transformer,
    from_observable,
    run,
    rx_pipe,
    step,
    stream_pipe,
)

ITEMS = [{"x": 1}, {"x": 2}]


class Remade(Transformer[Mapping[str, Any], Mapping[str, Any]]):
    def transform(self, product: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        yield {"x": product["x"]}


class Numbers(Producer[Mapping[str, Any]]):
    def produce(self) -> Iterator[Mapping[str, Any]]:
        yield from ITEMS


def remade(product: Any) -> dict[str, Any]:
    return {"x": product["x"]}


#: operators of which nobody knows whether an item comes of one product alone
LAST = (ops.map(remade), ops.scan(lambda before, item: item))

SOURCES: dict[str, tuple[Callable[[], Any], str]] = {
    "Producer": (Numbers, "input"),
    "SimpleProducer": (lambda: SimpleProducer(ITEMS), "input"),
    "observable": (lambda: from_observable(rx.from_iterable(ITEMS)), "input"),
    "named observable": (lambda: from_observable(rx.of(1, 2), name="x"), "x"),
    "rx_pipe": (lambda: step("src", ITEMS) >> rx_pipe(*LAST), "input"),
    "named rx_pipe": (lambda: step("src", ITEMS) >> rx_pipe(*LAST, name="n"), "n"),
    "stream_pipe": (lambda: step("src", ITEMS) >> stream_pipe(pipe.map(remade)), "input"),
    "step of an observable": (lambda: step("src", rx.from_iterable(ITEMS)), "src"),
}


@pytest.mark.parametrize("source", SOURCES)
def test_a_step_with_the_name_of_a_foreign_product_takes_nothing_from_it(source: str) -> None:
    """The product is `name`, the step `name#1`, and steps behind it see the attributes of both."""
    make, name = SOURCES[source]
    flow = make() >> step(name, lambda x: {"y": 10 * x}) >> step("sum", lambda x, y: {"z": x + y})
    expected = [{name: {"x": x}, f"{name}#1": {"y": 10 * x}, "sum": {"z": 11 * x}} for x in (1, 2)]
    for _ in range(2):
        assert run(flow)[0] == expected


def test_a_step_with_the_name_of_a_transformer_takes_nothing_from_it() -> None:
    """The product that the transformer yielded is the first of that name."""
    flow = step("src", ITEMS) >> Remade() >> step("Remade", lambda x: {"y": 10 * x})
    assert run(flow)[0] == [
        {"src": {"x": x}, "Remade": {"x": x}, "Remade#1": {"y": 10 * x}} for x in (1, 2)
    ]


def test_a_step_with_the_name_of_the_input_takes_nothing_from_it() -> None:
    """An observable as input is called `input`, also in front of a step of that name."""
    flow = step("input", lambda x: {"y": x})
    assert run(flow, input=rx.of({"x": 1}))[0] == [{"input": {"x": 1}, "input#1": {"y": 1}}]
