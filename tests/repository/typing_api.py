"""What type checkers make of a flow: read by mypy and pyright, never run.

`assert_type` says what an expression is. A line with `# type: ignore[operator]`, or another code of
mypy, must be an error for both: an ignored error that doesn't come up is an error itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor
from functools import partial
from typing import Any, Unpack, assert_type

import reactivex
import tenacity
from aiostream import stream
from aiostream.core import Stream
from reactivex import Observable

from fluxus_rx import (
    AsyncConsumer,
    AsyncProducer,
    AsyncTransformer,
    Conduit,
    Consumer,
    DictProduct,
    Failure,
    Flow,
    OptionKeywords,
    Passthrough,
    Producer,
    Run,
    RunResult,
    SimpleAsyncProducer,
    SimpleProducer,
    StepOptions,
    Stopper,
    Transformer,
    arerun,
    arun,
    astream,
    chain,
    parallel,
    passthrough,
    path,
    rerun,
    run,
    start,
    step,
)
from fluxus_rx import (
    stream as streamed,
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


Row = dict[str, int]
#: what `step` makes of a function with parameters
StepOfRows = Transformer[Mapping[str, Any], DictProduct]


def rows() -> list[Row]:
    return []


async def rows_read() -> AsyncIterator[Row]:
    yield {}


def added(x: int, by: int = 1) -> Row:
    return {"y": x + by}


async def fetched(x: int) -> Row:
    return {"y": x}


def optional(x: int = 0) -> Row:
    return {"y": x}


def anything(**attributes: int) -> Row:
    return attributes


def named(*, x: int) -> Row:
    return {"y": x}


def text(x: int) -> str:
    return str(x)


class Callables:
    def __call__(self, x: int) -> Row:
        return {"y": x}

    def source(self) -> Iterator[Row]:
        yield {}


def steps_without_parameters_are_producers() -> None:
    assert_type(step("s", rows), Producer[DictProduct])
    assert_type(step("s", rows_read), Producer[DictProduct])
    assert_type(step("s", Callables().source), Producer[DictProduct])
    assert_type(step("s", lambda: [{"x": 1}]), Producer[DictProduct])
    assert_type(step("s", [{"x": 1}]), Producer[DictProduct])
    assert_type(step("s", {"x": 1}), Producer[DictProduct])
    assert_type(step("s", reactivex.of({"x": 1})), Producer[DictProduct])


def steps_with_parameters_are_transformers() -> None:
    """Also with such that need not be given."""
    assert_type(step("s", added, by=3), StepOfRows)
    assert_type(step("s", fetched), StepOfRows)
    assert_type(step("s", optional), StepOfRows)
    assert_type(step("s", named), StepOfRows)
    assert_type(step("s", Callables()), StepOfRows)
    assert_type(step("s", lambda x: {"x": x}), StepOfRows)
    assert_type(step("s", lambda x=1: {"x": x}), StepOfRows)
    transformer: StepOfRows = step("s", anything)
    assert_type(step("src", rows) >> transformer, Producer[DictProduct])


def what_a_partial_takes_nobody_tells() -> None:
    """So that neither is refused."""
    source: Producer[DictProduct] = step("src", partial(added, 1, 2))
    transformer: StepOfRows = step("s", partial(added, by=2))
    assert_type(source >> transformer, Producer[DictProduct])


def chain_keeps_the_types() -> None:
    assert_type(chain(Numbers()), Numbers)
    assert_type(chain(Numbers(), Half()), Producer[float])
    assert_type(chain(Numbers(), Half(), Total()), Flow[complex])
    assert_type(chain(Numbers(), Double(), Half(), Describe()), Producer[str])
    assert_type(chain(Numbers(), Double(), Half(), Describe(), Join()), Flow[str])
    assert_type(chain(Half(), Describe()), Transformer[int, str])
    assert_type(chain(Half(), Total()), Consumer[int, complex])
    assert_type(chain(Double(), Half(), Describe()), Transformer[int, str])
    assert_type(chain(Double(), Half(), Total()), Consumer[int, complex])
    assert_type(chain(Double(), Double(), Half(), Describe()), Transformer[int, str])
    assert_type(chain(Double(), Double(), Half(), Total()), Consumer[int, complex])
    assert_type(chain(Double(), Double(), Half(), Describe(), Join()), Consumer[int, str])
    assert_type(chain(step("src", rows), step("add", added)), Producer[DictProduct])
    assert_type(chain(step("add", added), step("fetch", fetched)), StepOfRows)
    assert_type(chain(step("src", rows), parallel(step("a", added), passthrough())), Producer[Any])


def chains_of_lists_are_accepted(every: list[Conduit], steps: list[StepOfRows]) -> None:
    assert_type(run(chain(*every)), RunResult)
    assert_type(run(chain(step("src", rows), *steps)), RunResult)


def parallel_keeps_the_types() -> None:
    assert_type(parallel(Numbers(), Numbers()), Producer[int])
    assert_type(parallel(Numbers(), Words()), Producer[int | str])
    assert_type(parallel(Numbers(), Numbers(), Numbers()), Producer[int])
    assert_type(parallel([Numbers(), Numbers()]), Producer[int])
    assert_type(parallel(Half(), Double()), Transformer[int, float | int])
    assert_type(parallel(Double(), Double(), Double()), Transformer[int, int])
    assert_type(parallel(Half() for _ in range(3)), Transformer[int, float])
    assert_type(parallel(Half(), passthrough()), Transformer[int, Any])
    assert_type(parallel(step("a", added), step("b", added)), StepOfRows)
    assert_type(parallel([step("a", added)], step("b", added)), StepOfRows)
    assert_type(parallel(step("a", rows), step("b", rows)), Producer[DictProduct])


def wrong_arguments_of_chain_and_parallel_are_errors() -> None:
    chain()  # type: ignore[call-overload]
    chain([Numbers(), Half()])  # type: ignore[call-overload]
    chain(Numbers(), Numbers())  # type: ignore[call-overload]
    chain(Half(), Numbers())  # type: ignore[call-overload]
    chain(Half(), Half())  # type: ignore[misc]
    chain(Numbers(), Passthrough())  # type: ignore[call-overload]
    chain(Numbers(), Describe)  # type: ignore[call-overload]
    parallel(Numbers(), Half())  # type: ignore[arg-type]
    parallel(Total(), Total())  # type: ignore[call-overload]
    parallel(Describe)  # type: ignore[call-overload]
    parallel(Half(), 42)  # type: ignore[call-overload]


def wrong_steps_are_errors() -> None:
    step("s", text)  # type: ignore[arg-type]
    step("s", 42)  # type: ignore[call-overload]
    step(added)  # type: ignore[call-overload]
    step(3, added)  # type: ignore[call-overload]


class Limiter:
    async def __aenter__(self) -> None: ...
    async def __aexit__(self, *error: object) -> None: ...


def each_form_of_an_option_is_accepted(pool: Executor, on_error: Callable[[Failure], Row]) -> None:
    fetch = Describe()
    fetch.options(concurrency=3, ordered=True, window=9, buffer=2)
    fetch.options(concurrency=None, ordered="customer", window=None, buffer=None)
    fetch.options(retry=3, repeatable=True, timeout=2, limiter=asyncio.Semaphore(3))
    fetch.options(retry=tenacity.AsyncRetrying(stop=tenacity.stop_after_attempt(3)), timeout=0.5)
    fetch.options(retry=tenacity.Retrying(), limiter=Limiter(), timeout=None)
    fetch.options(retry=None, limiter=None, executor=None)
    fetch.options(on_error="raise").options(on_error="skip").options(on_error="collect")
    fetch.options(on_error=on_error).options(on_error=lambda failure: {"x": failure.attempts})
    fetch.options(executor="thread").options(executor="process").options(executor=pool)


def places_of_options_are_accepted() -> None:
    options = StepOptions(concurrency=3, on_error="skip")
    flow = step("src", rows).options(executor="thread") >> step("a", added).options(retry=3)
    assert_type(flow.options(ordered=True), Producer[DictProduct])
    assert_type((Numbers() >> Half() >> Total()).options(timeout=3), Flow[complex])
    assert_type((Half() & Half()).options(concurrency=3), Transformer[int, float])
    assert_type(options.replaced({"ordered": True}), StepOptions)
    assert_type(run(flow, options=options), RunResult)


def handed_on(flow: Producer[DictProduct], **options: Unpack[OptionKeywords]) -> StepOptions:
    flow.options(**options)
    return StepOptions(**options)


def wrong_options_are_errors() -> None:
    fetch, flow = step("fetch", added), Numbers() >> Half() >> Total()
    fetch.options(concurrency="3")  # type: ignore[arg-type]
    fetch.options(max_conc=1)  # type: ignore[call-arg]
    fetch.options(on_error="ignore")  # type: ignore[arg-type]
    fetch.options(on_error=dict)  # type: ignore[arg-type]
    fetch.options(retry="x")  # type: ignore[arg-type]
    fetch.options(retry=tenacity.stop_after_attempt(3))  # type: ignore[arg-type]
    fetch.options(executor="threads")  # type: ignore[arg-type]
    fetch.options(limiter=3)  # type: ignore[arg-type]
    fetch.options(limiter=Limiter)  # type: ignore[arg-type]
    fetch.options(ordered=3)  # type: ignore[arg-type]
    fetch.options(repeatable="yes")  # type: ignore[arg-type]
    fetch.options(timeout="3s")  # type: ignore[arg-type]
    fetch.options(window=1.5)  # type: ignore[arg-type]
    fetch.options(buffer="16")  # type: ignore[arg-type]
    fetch.options(3)  # type: ignore[call-arg]
    (fetch >> fetch).options(concurrency="3")  # type: ignore[arg-type]
    (fetch & fetch).options(max_conc=1)  # type: ignore[call-arg]
    step("src", rows).options(executor="threads")  # type: ignore[arg-type]
    step("src", rows).options(max_conc=1)  # type: ignore[call-arg]
    (step("src", rows) >> fetch).options(on_error="ignore")  # type: ignore[arg-type]
    flow.options(retry="x")  # type: ignore[arg-type]
    flow.options(max_conc=1)  # type: ignore[call-arg]
    StepOptions(concurrency="3")  # type: ignore[arg-type]
    StepOptions(max_conc=1)  # type: ignore[call-arg]
    StepOptions(on_error="ignore")  # type: ignore[arg-type]
    StepOptions(retry="x")  # type: ignore[arg-type]
    StepOptions().replaced({"concurrency": "3"})  # type: ignore[typeddict-item]
    StepOptions().replaced({"max_conc": 1})  # type: ignore[typeddict-unknown-key]
    handed_on(step("s", rows), concurrency="3")  # type: ignore[arg-type]


async def settings_of_runs_are_accepted(stop: Stopper, results: list[RunResult]) -> None:
    flow, options = step("src", rows) >> step("add", added), StepOptions(concurrency=3)
    result = run(flow, timestamps=True, progress=True, options=options, partial=results)
    run(flow, max_failures=3, deadline=2.5, stop=stop, progress=print, partial=results.append)
    run(step("add", added), input={"x": 1})
    await arun(step("add", added), input=[{"x": 1}], max_failures=None)
    await arun(step("add", added), input=rows_read())
    for index, output in streamed(flow, progress=True, options=options, on_failure=print):
        assert_type(index, int)
        assert_type(output, dict[str, dict[str, Any]])
    async for _, _ in astream(flow, deadline=3):
        break
    async with start(flow, timestamps=True, stop=stop) as running:
        assert_type(await running.result(), RunResult)
    rerun(flow, result.failures, start="add", max_failures=3)


async def wrong_settings_of_runs_are_errors() -> None:
    flow = step("src", rows) >> step("add", added)
    run(flow, max_failures="3")  # type: ignore[call-overload]
    run(flow, option=StepOptions())  # type: ignore[call-overload]
    run(flow, options={"concurrency": 3})  # type: ignore[call-overload]
    run(flow, input=3)  # type: ignore[call-overload]
    run(flow, progress="yes")  # type: ignore[call-overload]
    run(flow, partial=3)  # type: ignore[call-overload]
    run([flow])  # type: ignore[call-overload]
    run(flow, [{"x": 1}])  # type: ignore[call-overload]
    rerun(flow, [], "add")  # type: ignore[arg-type]
    await arun(flow, deadline="3")  # type: ignore[call-overload]
    await arun(flow, stop=True)  # type: ignore[call-overload]
    streamed(flow, on_failure=3)  # type: ignore[call-overload]
    astream(flow, timestamps=True)  # type: ignore[call-overload]
    start(flow, max_failures="3")  # type: ignore[call-overload]
    rerun(flow, 3)  # type: ignore[arg-type]
    await arerun(flow, [], start=3)  # type: ignore[arg-type]
    (Numbers() >> Half() >> Total()).run(max_failures="3")  # type: ignore[arg-type]


async def functional_flows_give_results() -> None:
    flow = step("src", [{"x": 1}]) >> step("double", lambda x: {"y": 2 * x})
    assert_type(run(flow), RunResult)
    assert_type(await arun(flow), RunResult)
    assert_type(run(steps=flow, timestamps=True), RunResult)
    assert_type(await arun(steps=flow), RunResult)
    assert_type(start(steps=flow), Run)
    assert_type(await anext(astream(steps=flow)), tuple[int, dict[str, dict[str, Any]]])


def a_run_takes_one_flow() -> None:
    flow = step("src", [{"x": 1}])
    run()  # type: ignore[call-overload]
    run(flow, steps=flow)  # type: ignore[call-overload]
    run(steps=flow, timestamp=True)  # type: ignore[call-overload]
    start()  # type: ignore[call-overload]
    astream(flow, steps=flow)  # type: ignore[call-overload]


def named_branches_keep_their_types() -> None:
    assert_type(path("a", Numbers()), Producer[int])
    assert_type(path("a", Numbers()) & path("b", Words()), Producer[int | str])
    assert_type(Numbers() >> path("a", Double() >> Half()), Producer[float])
    assert_type(path("raw", passthrough()), Passthrough)
    path("a", Total())  # type: ignore[call-overload]
    path(1, Numbers())  # type: ignore[call-overload]


def results_are_asked_by_number_and_by_name(result: RunResult) -> None:
    assert_type(result[0], list[dict[str, dict[str, Any]]])
    assert_type(result["a"], list[dict[str, dict[str, Any]]])
    assert_type(result[:1], list[list[dict[str, dict[str, Any]]]])
    assert_type(result.paths, tuple[str, ...])
    assert_type(result.where(lambda output: output["s"]["x"] > 1, x=1), RunResult)
    result[b"a"]  # type: ignore[call-overload]


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
