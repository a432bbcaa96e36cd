"""What type checkers make of a flow: read by mypy and pyright, never run.

`assert_type` says what an expression is. A line with `# type: ignore[operator]` must be an error:
an ignored error that doesn't come up is an error itself (`--warn-unused-ignores`).
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import assert_type

import reactivex
from aiostream import stream
from aiostream.core import Stream
from reactivex import Observable

from fluxus_rx import (
    AsyncConsumer,
    AsyncProducer,
    AsyncTransformer,
    Consumer,
    Flow,
    Passthrough,
    Producer,
    RunResult,
    SimpleAsyncProducer,
    SimpleProducer,
    Transformer,
    arun,
    run,
    step,
)
from fluxus_rx.rx import to_observable, to_stream
from fluxus_rx.streams import buffer, flat_map, merge


class Animal: ...


class Dog(Animal): ...


class Numbers(Producer[int]):
    def produce(self) -> Iterator[int]:
        yield 1


class Words(AsyncProducer[str]):
    async def aproduce(self) -> AsyncIterator[str]:
        yield "one"


class Dogs(Producer[Dog]):
    def produce(self) -> Iterator[Dog]:
        yield Dog()


class Half(Transformer[int, float]):
    def transform(self, product: int) -> Iterator[float]:
        yield product / 2


class Double(Transformer[int, int]):
    def transform(self, product: int) -> Iterator[int]:
        yield product * 2


class Describe(AsyncTransformer[float, str]):
    async def atransform(self, product: float) -> AsyncIterator[str]:
        yield str(product)


class Feed(Transformer[Animal, bytes]):
    def transform(self, product: Animal) -> Iterator[bytes]:
        yield b""


class Total(Consumer[float, complex]):
    def consume(self, products: Iterable[tuple[int, float]]) -> complex:
        return sum(product for _, product in products)


class Join(AsyncConsumer[str, str]):
    async def aconsume(self, products: AsyncIterable[tuple[int, str]]) -> str:
        return "".join([product async for _, product in products])


def chains_keep_the_item_types() -> None:
    assert_type(Numbers() >> Half(), Producer[float])
    assert_type(Words() >> Passing(), Producer[str])
    assert_type(Half() >> Describe(), Transformer[int, str])
    assert_type(Double() >> Half() >> Describe(), Transformer[int, str])
    assert_type(Double() >> (Half() >> Describe()), Transformer[int, str])
    assert_type(Numbers() >> (Double() >> Half()) >> Describe(), Producer[str])
    assert_type(Numbers() >> Half() >> Total(), Flow[complex])
    assert_type(Numbers() >> Half() >> Describe() >> Join(), Flow[str])
    assert_type(Words() >> Join(), Flow[str])


class Passing(Transformer[str, str]):
    def transform(self, product: str) -> Iterator[str]:
        yield product


def groups_keep_the_item_types() -> None:
    assert_type(Numbers() & Numbers(), Producer[int])
    assert_type(Numbers() & Words(), Producer[int | str])
    assert_type((Numbers() & Numbers()) >> Half(), Producer[float])
    assert_type(Double() & Double(), Transformer[int, int])
    assert_type(Half() & Double(), Transformer[int, float | int])
    assert_type(Numbers() >> (Double() & Double()) >> Half(), Producer[float])
    assert_type(Numbers() >> (Double() & Double()) >> Half() >> Total(), Flow[complex])


def passthroughs_stand_in_groups() -> None:
    flow: Producer[int] = Numbers() >> (Double() & Passthrough())
    other: Producer[int] = Numbers() >> (Passthrough() & Double())
    assert_type(flow >> Half(), Producer[float])
    assert_type(other >> Half(), Producer[float])


def narrower_products_are_accepted() -> None:
    assert_type(Dogs() >> Feed(), Producer[bytes])
    assert_type(Numbers() >> Describe(), Producer[str])
    animals: Producer[Animal] = Dogs()
    feeds_dogs: Transformer[Dog, bytes] = Feed()
    assert_type(animals >> Feed(), Producer[bytes])
    assert_type(Dogs() >> feeds_dogs, Producer[bytes])


async def running_gives_the_type_of_the_consumer() -> None:
    flow = Numbers() >> Half() >> Total()
    assert_type(flow.run(), complex)
    assert_type(await flow.arun(), complex)
    assert_type((Words() >> Join()).run(), str)


async def iterating_gives_the_type_of_the_products() -> None:
    for product in Numbers() >> Half():
        assert_type(product, float)
    async for text in Numbers() >> Describe():
        assert_type(text, str)
    assert_type(list(Words()), list[str])


async def processing_gives_lists() -> None:
    assert_type(Half().process([1, 2]), list[float])
    assert_type(await Describe().aprocess([1.5]), list[str])
    assert_type((Half() >> Describe()).process([1]), list[str])


async def one_product_gives_its_outputs() -> None:
    assert_type(Half().atransform(1), AsyncIterable[float])
    assert_type((Half() >> Describe()).atransform(1), AsyncIterable[str])
    async for text in Describe().atransform(1.5):
        assert_type(text, str)


class Named(Transformer[int, str]):
    # Pyright takes no attribute for a property, even where that has a setter.
    name: str

    def __init__(self, name: str) -> None:
        self.name = name  # pyright: ignore[reportIncompatibleMethodOverride]

    def transform(self, product: int) -> Iterator[str]:
        yield self.name

    async def atransform(self, product: int) -> AsyncIterator[str]:
        yield self.name


def options_keep_the_type() -> None:
    assert_type(Describe().options(concurrency=3, ordered=True), Describe)
    assert_type(Numbers() >> Describe().options(concurrency=3), Producer[str])


def simple_producers_have_the_type_of_their_items() -> None:
    assert_type(SimpleProducer([1, 2]), SimpleProducer[int])
    assert_type(SimpleProducer(["a"]) >> Passing(), Producer[str])
    assert_type(SimpleAsyncProducer(stream.just("a")) >> Passing(), Producer[str])


async def operators_keep_the_item_types() -> None:
    numbers = reactivex.of(1, 2)
    assert_type(Half()(numbers), Observable[float])
    assert_type((Half() >> Describe())(numbers), Observable[str])
    assert_type(numbers >> Half(), Observable[float])
    assert_type(numbers.pipe(Double(), Half()), Observable[float])
    assert_type(Half()(stream.just(1)), Stream[float])
    assert_type(stream.just(1) | Double() | Half(), Stream[float])
    assert_type(Numbers().to_observable(), Observable[int])
    assert_type((Numbers() >> Half()).to_stream(), Stream[float])


async def length(item: str) -> int:
    return len(item)


async def letters(item: str) -> AsyncIterator[bytes]:
    yield item.encode()


async def streams_keep_the_item_types() -> None:
    words = stream.just("a")
    assert_type(flat_map(words, length), Stream[int])
    assert_type(flat_map(words, letters), Stream[bytes])
    assert_type(buffer(words, 3), Stream[str])
    assert_type(merge(words, words), Stream[str])
    assert_type(to_observable(words), Observable[str])
    assert_type(to_stream(reactivex.of(1)), Stream[int])


async def functional_flows_give_results() -> None:
    flow = step("src", [{"x": 1}]) >> step("double", lambda x: {"y": 2 * x})
    assert_type(run(flow), RunResult)
    assert_type(await arun(flow), RunResult)


def wrong_chains_are_errors() -> None:
    Numbers() >> Passing()  # type: ignore[operator]
    Words() >> Half()  # type: ignore[operator]
    Words() >> Total()  # type: ignore[operator]
    Numbers() >> Join()  # type: ignore[operator]
    Half() >> Passing()  # type: ignore[operator]
    Describe() >> Half()  # type: ignore[operator]
    Numbers() >> (Half() >> Describe()) >> Half()  # type: ignore[operator]
    Numbers() >> (Describe() & Describe()) >> Half()  # type: ignore[operator]
    (Numbers() & Words()) >> Half()  # type: ignore[operator]
    Words() >> (Half() & Double())  # type: ignore[operator]


def wrong_places_are_errors() -> None:
    Half() >> Numbers()  # type: ignore[operator]
    Numbers() >> Numbers()  # type: ignore[operator]
    Numbers() >> 42  # type: ignore[operator]
    Total() >> Half()  # type: ignore[operator]
    (Numbers() >> Half() >> Total()) >> Half()  # type: ignore[operator]
    Numbers() & Half()  # type: ignore[operator]
    Half() & Numbers()  # type: ignore[operator]
    Total() & Total()  # type: ignore[operator]
    Numbers() >> Passthrough()  # type: ignore[operator]
    Passthrough() >> Half()  # type: ignore[operator]
    Passthrough() & Passthrough()  # type: ignore[operator]


def wrong_operands_are_errors() -> None:
    words = reactivex.of("a")
    words >> Half()  # type: ignore[operator]
    Half()(words)  # type: ignore[arg-type]
    letters = stream.just("a")
    Half()(letters)  # type: ignore[arg-type]
    Half().process(["a"])  # type: ignore[list-item]
