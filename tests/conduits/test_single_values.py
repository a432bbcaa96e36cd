"""Text, bytes and mappings can be iterated, and are one value: where products are expected, they
are refused and not taken apart."""

from __future__ import annotations

from collections import UserString
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import pytest
from aiostream import pipe, stream
from reactivex import of

from fluxus_rx import (
    AsyncTransformer,
    Consumer,
    InvalidProductError,
    Producer,
    SimpleProducer,
    Transformer,
    run,
    step,
)
from fluxus_rx._common.single_values import is_single_value
from fluxus_rx.lineage import LabelingProducer, LabelingTransformer
from fluxus_rx.streams import flat_map
from fluxus_rx.testing import run_virtual

SINGLE: list[Any] = [
    "text", "", b"bytes", bytearray(b"bytes"), memoryview(b"bytes"), UserString("text"),
    {"x": 1}, {}, MappingProxyType({"x": 1}),
]  # fmt: skip

SEVERAL: list[Any] = [["text"], ("text",), {"text"}, iter(["text"]), {"text": 1}.keys(), range(3)]


def test_text_and_mappings_are_single_values() -> None:
    assert all(map(is_single_value, SINGLE))
    assert not any(map(is_single_value, SEVERAL))


class Giving(Producer[Any]):
    def __init__(self, given: Any) -> None:
        self.given = given

    def produce(self) -> Any:
        return self.given


class Labelled(LabelingProducer[Any]):
    def __init__(self, given: Any) -> None:
        self.given = given

    def produce(self) -> Any:
        return self.given


class Answering(Transformer[Any, Any]):
    def __init__(self, given: Any) -> None:
        self.given = given

    def transform(self, product: Any) -> Any:
        return self.given


class AnsweringLabelled(LabelingTransformer[Any, Any]):
    def __init__(self, given: Any) -> None:
        self.given = given

    def transform(self, product: Any) -> Any:
        return self.given


class Failing(AsyncTransformer[Any, Any]):
    async def atransform(self, product: Any) -> Any:
        raise ValueError
        yield


class All(Consumer[Any, Any]):
    def consume(self, products: Any) -> Any:
        return [product for _, product in products]


def one() -> Any:
    return SimpleProducer([1])


WAYS: dict[str, Callable[[Any], Any]] = {
    "produce": lambda given: list(Giving(given)),
    "produce in a thread": lambda given: list(Giving(given).options(executor="thread")),
    "produce in a group": lambda given: list(Giving(given) & one()),
    "produce, labelled": lambda given: list(Labelled(given).label(a=1)),
    "transform": lambda given: list(one() >> Answering(given)),
    "transform in a thread": lambda given: list(
        one() >> Answering(given).options(executor="thread")
    ),
    "transform with a time-out": lambda given: list(one() >> Answering(given).options(timeout=9)),
    "transform with attempts": lambda given: list(one() >> Answering(given).options(retry=2)),
    "transform, labelled": lambda given: list(one() >> AnsweringLabelled(given).label(a=1)),
    "transform, consumed": lambda given: (one() >> Answering(given) >> All()).run(),
    "transform, processed": lambda given: Answering(given).process([1]),
    "on_error": lambda given: list(one() >> Failing().options(on_error=lambda failure: given)),
    "SimpleProducer": SimpleProducer,
    "process": lambda given: Answering([]).process(given),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_single_value_is_refused_where_several_are_expected(way: str) -> None:
    """The message shows what came, and tells the way out."""
    for given in SINGLE:
        with pytest.raises(TypeError) as caught:
            WAYS[way](given)
        assert type(given).__name__ in str(caught.value)
        assert "list" in str(caught.value)


class Indexed:
    def __getitem__(self, index: int) -> int:
        return index


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("given", [of(1), Indexed()], ids=["Observable", "Indexed"])
def test_what_can_only_be_indexed_is_refused_as_an_iterable(way: str, given: Any) -> None:
    """It isn't an endless row of products."""
    with pytest.raises(TypeError):  # Rx awaits an Observable, where an awaitable may come
        WAYS[way](given)


def test_the_message_tells_how_an_observable_goes_into_a_flow() -> None:
    """It names from_observable() and rx_pipe()."""
    with pytest.raises(InvalidProductError, match=r"from_observable\(\).*rx_pipe\(\)"):
        list(one() >> Answering(of(1)))


def test_the_message_names_the_class_and_its_method() -> None:
    with pytest.raises(InvalidProductError) as caught:
        list(one() >> Answering("text"))
    assert str(caught.value) == (
        "Answering.transform() returned 'text' (str); it must be a generator: yield the products in"
        " it, or return a list of them: ['text']"
    )


def test_what_has_several_products_is_taken_as_it_was() -> None:
    """A list, a set, an iterator, the keys of a mapping."""
    assert [list(one() >> Answering(given)) for given in SEVERAL] == 5 * [["text"]] + [[0, 1, 2]]


@pytest.mark.parametrize("given", ["", bytearray(), UserString("")])
def test_a_step_that_gives_empty_text_gives_no_mapping(given: Any) -> None:
    """Nor does a source, nor what stands in for a failed call."""
    with pytest.raises(TypeError, match="returned"):
        run(step("source", lambda: given))
    with pytest.raises(TypeError, match="returned"):
        run(step("ask", lambda x=0: given))
    replaced = step("ask", lambda x=0: [{}][x + 1]).options(on_error=lambda failure: given)
    with pytest.raises(TypeError, match="returned"):
        run(replaced)


def test_a_function_of_flat_map_that_returns_text_is_told_so() -> None:
    async def main() -> Any:
        return await (stream.just(1) | flat_map.pipe(lambda item: "text") | pipe.list())  # type: ignore[arg-type, return-value]  # that is the mistake

    with pytest.raises(TypeError, match=r"returned 'text' \(str\)"):
        run_virtual(main)
