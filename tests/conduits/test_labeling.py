"""Conduits that label their products."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import reactivex

from fluxus_rx import AsyncProducer, AsyncTransformer, Consumer, Producer
from fluxus_rx.lineage import HasLineage, LabelingProducer, LabelingTransformer, LineageOrigin
from tests.support.errors import notes, refused


class Number(LineageOrigin):
    product_name = "number"

    def __init__(self, value: int) -> None:
        self.value = value


class Double(HasLineage[HasLineage[Any]]):
    product_name = "double"

    def __init__(self, number: Any) -> None:
        self.number = number

    @property
    def precursor(self) -> Any:
        return self.number


class Numbers(LabelingProducer[Number]):
    def produce(self) -> Iterator[Number]:
        yield Number(1)
        yield Number(2)


class AsyncNumbers(AsyncProducer[Number], LabelingProducer[Number]):
    async def aproduce(self) -> AsyncIterator[Number]:
        yield Number(1)
        await asyncio.sleep(0)
        yield Number(2)


class OtherWayRound(LabelingProducer[Number], AsyncProducer[Number]):
    async def aproduce(self) -> AsyncIterator[Number]:
        yield Number(1)
        yield Number(2)


class Doubler(LabelingTransformer[Number, Double]):
    def transform(self, product: Number) -> Iterator[Double]:
        yield Double(product)


class AsyncDoubler(AsyncTransformer[Number, Double], LabelingTransformer[Number, Double]):
    async def atransform(self, product: Number) -> AsyncIterator[Double]:
        await asyncio.sleep(0)
        yield Double(product)


PRODUCERS = [Numbers, AsyncNumbers, OtherWayRound]
TRANSFORMERS = [Doubler, AsyncDoubler]


@pytest.mark.parametrize("kind", PRODUCERS)
def test_a_labelled_producer_labels_all_its_products(kind: Any) -> None:
    """Synchronous and asynchronous ones alike, whatever the order of the bases."""
    labels = [number.product_labels for number in kind().label(a="A", b="B")]
    assert labels == [{"a": "A", "b": "B"}] * 2


@pytest.mark.parametrize("kind", TRANSFORMERS)
def test_a_labelled_transformer_labels_all_its_products(kind: Any) -> None:
    """And leaves those that it was given as they are."""
    doubles = kind().label(a="A").process([Number(1), Number(2)])
    assert [double.product_labels for double in doubles] == [{"a": "A"}] * 2
    assert [double.precursor.product_labels for double in doubles] == [{}] * 2


@pytest.mark.parametrize("kind", [*PRODUCERS, *TRANSFORMERS])
def test_labels_may_be_added_again_and_the_original_stays(kind: Any) -> None:
    """Each `label` returns a copy that has the labels so far, the latest value of a name."""
    first = kind()
    second = first.label(a=1, b=1)
    third = second.label(b=2, c=3)
    assert [dict(one.get_repr_attributes()) for one in (first, second, third)] == [
        {},
        {"#a": 1, "#b": 1},
        {"#a": 1, "#b": 2, "#c": 3},
    ]
    assert type(third) is kind


def test_labels_are_part_of_the_lineage() -> None:
    """What producer and transformer have labelled is told for each product on the way."""
    flow = Numbers().label(a=1) >> Doubler().label(b=2)
    first, _ = [double.get_lineage_attributes() for double in flow]
    assert first == {"number": {"value": 1, "a": 1}, "double": {"b": 2}}


def test_options_and_labels_go_together() -> None:
    """Whichever comes first, both are there."""
    one = AsyncDoubler().options(concurrency=1).label(a=1)
    other = AsyncDoubler().label(a=1).options(concurrency=1)
    assert repr(one) == repr(other) == "AsyncDoubler().label(a=1).options(concurrency=1)"


def test_products_that_are_kept_elsewhere_stay_as_they_are() -> None:
    """A producer that emits the same objects each time can be labelled in two ways at once."""
    kept = [Number(1), Number(2)]

    class Kept(LabelingProducer[Number]):
        def produce(self) -> list[Number]:
            return kept

    both = Kept().label(a=1) & Kept().label(b=2)
    assert sorted(str(number.product_labels) for number in both) == [
        "{'a': 1}",
        "{'a': 1}",
        "{'b': 2}",
        "{'b': 2}",
    ]
    assert [number.product_labels for number in kept] == [{}, {}]


def test_branches_label_what_they_share_each_for_itself() -> None:
    """A transformer that passes on what it got labels its own branch only."""

    class Same(LabelingTransformer[Number, Number]):
        def transform(self, product: Number) -> list[Number]:
            return [product]

    class Labels(Consumer[Number, list[tuple[int, dict[str, Any]]]]):
        def consume(self, products: Any) -> list[tuple[int, dict[str, Any]]]:
            return sorted((path, dict(number.product_labels)) for path, number in products)

    class One(Producer[Number]):
        def produce(self) -> list[Number]:
            return [Number(1)]

    flow = One() >> (Same().label(a=1) & Same().label(b=2) & Same()) >> Labels()
    assert flow.run() == [(0, {"a": 1}), (1, {"b": 2}), (2, {})]


def test_a_label_with_the_name_of_an_attribute_ends_the_run() -> None:
    """ValueError, with a note that names the conduit."""
    with pytest.raises(ValueError, match=r"'value'.*another name") as caught:
        list(Numbers().label(value=3))
    assert "in Numbers" in notes(caught.value)


def test_products_without_lineage_cannot_be_labelled() -> None:
    """TypeError names the conduit, the product, and the two ways out."""

    class Plain(LabelingProducer[Any]):
        def produce(self) -> list[int]:
            return [5]

    assert list(Plain()) == [5]
    with refused(TypeError, "Plain", "5 (int)", "HasLineage", "leave out label()"):
        list(Plain().label(a=1))


def test_a_labelled_transformer_is_an_operator_too() -> None:
    """Put on a plain observable it needs no loop, and labels."""
    seen: list[Any] = []
    doubled = reactivex.of(Number(1)).pipe(Doubler().label(a=1))
    doubled.subscribe(lambda double: seen.append(double.product_labels))
    assert seen == [{"a": 1}]


def test_labels_that_copies_lose_are_kept() -> None:
    """A frozen dataclass with slots forgets its labels as it is copied; the conduit doesn't."""

    class Slot(LineageOrigin):
        __slots__ = ("_lineage_labels",)
        product_name = "slot"

    @dataclasses.dataclass(frozen=True, slots=True)
    class Slotted(Slot):
        value: int

    class Gives(LabelingProducer[Slotted]):
        def produce(self) -> Iterator[Slotted]:
            yield Slotted(1).label(a=1)

    assert [dict(one.product_labels) for one in Gives().label(b=2)] == [{"a": 1, "b": 2}]
