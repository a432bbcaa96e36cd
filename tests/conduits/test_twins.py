"""Conduits with two halves: a plain method, and an asynchronous one beside it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import reactivex
from aiostream.core import Stream

from fluxus_rx import (
    AsyncConsumer,
    AsyncProducer,
    AsyncTransformer,
    Consumer,
    DictConsumer,
    Producer,
    SimpleAsyncProducer,
    SimpleProducer,
    SourceStep,
    Step,
    StepOptions,
    Transformer,
    Wrapper,
    arerun,
    arun,
    astream,
    check,
    rerun,
    run,
    start,
    step,
    stream,
)
from fluxus_rx._streams.iteration import iterate
from fluxus_rx.reactive_streams import from_publisher, to_publisher
from fluxus_rx.rx import to_stream
from tests.support.conduits import AsyncCollect, Collect

PLAIN, AWAITED = {"half": "plain"}, {"half": "asynchronous"}


def produce(self: Any) -> Iterator[dict[str, str]]:
    yield PLAIN


async def aproduce(self: Any) -> AsyncIterator[dict[str, str]]:
    yield AWAITED


def transform(self: Any, product: Any) -> Iterator[dict[str, str]]:
    yield PLAIN


async def atransform(self: Any, product: Any) -> AsyncIterator[dict[str, str]]:
    yield AWAITED


def consume(self: Any, products: Any) -> Any:
    assert len([*products]) == 1
    return PLAIN


async def aconsume(self: Any, products: Any) -> Any:
    assert len([product async for product in products]) == 1
    return AWAITED


HALVES: dict[str, tuple[type, type, Callable[..., Any], Callable[..., Any]]] = {
    "producer": (Producer, AsyncProducer, produce, aproduce),
    "transformer": (Transformer, AsyncTransformer, transform, atransform),
    "consumer": (Consumer, AsyncConsumer, consume, aconsume),
}


def twin(role: str, base: str) -> Any:
    """One with both halves, of the base with either or with one of each."""
    plain_base, async_base, plain, awaited = HALVES[role]
    if base == "inherited":  # one half from a base that has the other
        first: Any = type("First", (plain_base,), {plain.__name__: plain})
        return type("Twin", (first,), {awaited.__name__: awaited})()
    chosen = plain_base if base == "plain" else async_base
    return type("Twin", (chosen,), {plain.__name__: plain, awaited.__name__: awaited})()


def half_of(output: Any) -> Any:
    """What the last conduit has added in the one output of a run of steps."""
    return [*output.values()][-1]


async def gathered(products: Any) -> list[Any]:
    read = iterate(products) if isinstance(products, Stream) else products
    return [product async for product in read]


async def of_start(flow: Any) -> list[Any]:
    async with start(flow) as running:
        return [half_of(output) for output in (await running.result())[0]]


async def of_share(flow: Any) -> list[Any]:
    async with flow.share(replay=1) as hub:
        return await gathered(hub)


async def of_astream(flow: Any) -> list[Any]:
    return [half_of(output) for _, output in await gathered(astream(flow))]


async def of_arun(flow: Any) -> list[Any]:
    return [half_of(output) for output in (await arun(flow))[0]]


async def of_consumer(flow: Any) -> list[Any]:
    return [product for _, product in await (flow >> Collect()).arun()]


async def ordered(flow: Any) -> list[Any]:
    return await gathered((flow >> Same()).options(ordered=True))


class Same(Transformer[Any, Any]):
    def transform(self, product: Any) -> Iterator[Any]:
        yield product


#: who runs a producer, and takes what it gives
CALLERS: dict[str, dict[str, Callable[[Any], Any]]] = {
    "plain": {
        "for": list,
        "produce": lambda flow: [*(flow >> Same()).produce()],
        "run": lambda flow: [half_of(output) for output in run(flow)[0]],
        "stream": lambda flow: [half_of(output) for _, output in stream(flow)],
        "Flow.run": lambda flow: [product for _, product in (flow >> Collect()).run()],
        "Flow.run, awaiting": lambda flow: [
            product for _, product in (flow >> AsyncCollect()).run()
        ],
    },
    "asynchronous": {
        "async for": gathered,
        "async for, in order": ordered,
        "arun": of_arun,
        "astream": of_astream,
        "start": of_start,
        "share": of_share,
        "publisher": lambda flow: gathered(from_publisher(to_publisher(flow))),
        "to_stream": lambda flow: gathered(flow.to_stream()),
        "to_observable": lambda flow: gathered(to_stream(flow.to_observable())),
        "paths": lambda flow: gathered(to_stream(flow.to_observable(paths=True)[0])),
        "Flow.arun": of_consumer,
    },
}
#: who runs a transformer
OPERATORS: dict[str, dict[str, Callable[[Any], Any]]] = {
    "plain": {
        "process": lambda one: one.process([1]),
        "process, of a chain": lambda one: (one >> Same()).process([1]),
        "process, of a group": lambda one: (one & Same()).process([PLAIN])[:1],
    },
    "asynchronous": {
        "aprocess": lambda one: one.aprocess([1]),
        "of an observable": lambda one: gathered(to_stream(reactivex.of(1) >> one)),
        "of a stream": lambda one: gathered(one(SimpleAsyncProducer(gathered_of(1)).aproduce())),
    },
}


async def gathered_of(*items: Any) -> AsyncIterator[Any]:
    for item in items:
        yield item


def called(call: Callable[[Any], Any], conduit: Any) -> Any:
    """What comes of a call, awaited on a loop of its own if that is a coroutine."""

    async def main() -> Any:
        return await call(conduit)

    return call(conduit) if call in plain_calls else asyncio.run(main())


plain_calls = [*CALLERS["plain"].values(), *OPERATORS["plain"].values()]


@pytest.mark.parametrize("half", ["plain", "asynchronous"])
@pytest.mark.parametrize("base", ["plain", "asynchronous", "inherited"])
def test_each_caller_has_its_half_called(base: str, half: str) -> None:
    """Asynchronous callers use the asynchronous half, plain ones the plain half; no caller uses
    another one, whatever the base is."""
    expected = [PLAIN if half == "plain" else AWAITED]
    for name, call in CALLERS[half].items():
        assert called(call, twin("producer", base)) == expected, name
        source = SimpleProducer([1])
        assert called(call, source >> twin("transformer", base)) == expected, name
        assert called(call, source >> (twin("transformer", base) >> Same())) == expected, name
    for name, call in OPERATORS[half].items():
        assert called(call, twin("transformer", base)) == expected, name
    flow = SimpleProducer([1]) >> twin("consumer", base)
    assert (flow.run() if half == "plain" else asyncio.run(flow.arun())) == expected[0]
    assert (Same() >> twin("consumer", base)).consume([(0, 1)]) == PLAIN


def test_reruns_are_of_their_caller() -> None:
    """`rerun` uses the plain half of what comes behind a failure, `arerun` the other one."""
    state = {"fails": True}

    def fetch(x: int) -> dict[str, int]:
        if state["fails"]:
            raise ValueError
        return {"y": x}

    failing = step("fetch", fetch).options(on_error="collect")
    flow = step("source", {"x": 1}) >> failing >> twin("transformer", "plain")
    result = run(flow)
    state["fails"] = False
    assert [half_of(output) for output in rerun(flow, result.failures)[0]] == [PLAIN]
    outputs = asyncio.run(arerun(flow, result.failures))[0]
    assert [half_of(output) for output in outputs] == [AWAITED]


class TestPlainly:
    """A twin in a plain run is what a plain transformer is."""

    @staticmethod
    def at_once(options: dict[str, Any]) -> tuple[list[int], set[int], int]:
        threads: set[int] = set()
        lock = threading.Lock()
        counts = {"now": 0, "most": 0}
        all_in = threading.Barrier(3) if options else None

        class Slow(Transformer[int, int]):
            def transform(self, product: int) -> Iterator[int]:
                with lock:
                    counts["now"] += 1
                    counts["most"] = max(counts.values())
                threads.add(threading.get_ident())
                if all_in is not None:
                    all_in.wait(10)
                with lock:
                    counts["now"] -= 1
                yield product

            async def atransform(self, product: int) -> AsyncIterator[int]:
                raise AssertionError
                yield product

        given = list(SimpleProducer(range(6)) >> Slow().options(**options))
        return given, threads, counts["most"]

    def test_it_runs_in_the_thread_of_the_caller(self) -> None:
        """One product at a time, in their order."""
        assert self.at_once({}) == ([*range(6)], {threading.get_ident()}, 1)

    def test_calls_at_once_are_in_threads(self) -> None:
        """As those of a plain transformer with `concurrency`."""
        given, threads, most = self.at_once({"concurrency": 3, "ordered": True})
        assert (given, most) == ([*range(6)], 3)
        assert threading.get_ident() not in threads

    def test_a_twin_that_stands_twice_has_one_limit(self) -> None:
        """In either kind of run."""
        one = twin("transformer", "plain").options(concurrency=1)
        flow = SimpleProducer([1, 2]) >> one >> one
        assert list(flow) == [PLAIN] * 2
        assert asyncio.run(gathered(flow)) == [AWAITED] * 2

    def test_options_hold_for_both_halves(self) -> None:
        """A failure is one of whichever half is called."""

        class Fails(Transformer[int, str]):
            def transform(self, product: int) -> Iterator[str]:
                raise ValueError("plain")
                yield

            async def atransform(self, product: int) -> AsyncIterator[str]:
                raise ValueError("asynchronous")
                yield

        fails = Fails().options(on_error=lambda failure: [str(failure.exception)])
        assert fails.process([1]) == ["plain"]
        assert asyncio.run(fails.aprocess([1])) == ["asynchronous"]

    def test_an_executor_is_refused(self) -> None:
        """The asynchronous half could not respect it."""
        with pytest.raises(TypeError, match=r"executor='thread' .* is for plain functions"):
            twin("transformer", "plain").options(executor="thread")

    def test_an_executor_of_the_run_is_for_plain_halves(self) -> None:
        """As it is for plain functions."""
        flow = step("source", {"x": 1}) >> twin("transformer", "plain")
        options = StepOptions(executor="thread")
        assert [half_of(one) for one in run(flow, options=options)[0]] == [PLAIN]
        assert [half_of(one) for one in asyncio.run(arun(flow, options=options))[0]] == [AWAITED]
        assert check(flow, options=options) == check(flow)


async def coroutine(self: Any, given: Any = None) -> Any:
    return [given]


def generator(self: Any, given: Any = None) -> Any:
    yield given


async def async_generator(self: Any, given: Any = None) -> Any:
    yield given


def plain(self: Any, given: Any = None) -> Any:
    return given


#: of each method: what is refused, and what the message says
REFUSED: dict[str, list[tuple[Any, str]]] = {
    "produce": [(coroutine, "make the class an AsyncProducer"), (async_generator, "aproduce")],
    "transform": [(coroutine, "make the class an AsyncTransformer"), (async_generator, "atransf")],
    "consume": [(coroutine, "make the class an AsyncConsumer"), (async_generator, "aconsume")],
    "aproduce": [(coroutine, "yield the products in it"), (generator, "`async def`")],
    "atransform": [(coroutine, "yield the products in it"), (generator, "`async def`")],
    "aconsume": [(async_generator, "return the result"), (generator, "`async def`")],
}
FITTING = {
    "produce": [generator, plain],
    "transform": [generator, plain],
    "consume": [generator, plain],
    "aproduce": [async_generator, plain],
    "atransform": [async_generator, plain],
    "aconsume": [coroutine, plain],
}


class TestRefusals:
    """What can't work is refused when the class is made."""

    @pytest.mark.parametrize("name", REFUSED)
    def test_a_method_of_another_kind_is_refused(self, name: str) -> None:
        """Of either base, alone or beside the other half; what fits is taken."""
        role = {"produce": "producer", "transform": "transformer", "consume": "consumer"}
        plain_base, async_base, *halves = HALVES[role[name.removeprefix("a")]]
        other = next(half for half in halves if half.__name__ != name)
        for base in (plain_base, async_base):
            for method, text in REFUSED[name]:
                for beside in ({}, {other.__name__: other}):
                    with pytest.raises(TypeError, match=text):
                        type("Wrong", (base,), {name: method, **beside})
            for method in FITTING[name]:
                type("Right", (base,), {name: method, other.__name__: other})

    @pytest.mark.parametrize("role", HALVES)
    def test_the_half_of_the_other_base_alone_is_refused(self, role: str) -> None:
        """The message names the base that fits."""
        plain_base, async_base, plain_half, async_half = HALVES[role]
        for base, half, right in (
            (plain_base, async_half, async_base),
            (async_base, plain_half, plain_base),
        ):
            with pytest.raises(
                TypeError, match=rf"is an? {base.__name__}: make it an? {right.__name__},"
            ):
                type("Half", (base,), {half.__name__: half})
            type("Unfinished", (base,), {})

    @pytest.mark.parametrize("role", HALVES)
    def test_a_field_in_place_of_a_method_is_refused(self, role: str) -> None:
        """The library calls it."""
        plain_base, async_base, *halves = HALVES[role]
        for base in (plain_base, async_base):
            for name in (*(half.__name__ for half in halves), "describe"):
                with pytest.raises(TypeError, match=rf"Own\.{name} must be a method"):
                    type("Own", (base,), {"__annotations__": {name: str}})

    @pytest.mark.parametrize(
        ("base", "method", "way_out"),
        [
            (DictConsumer, "aconsume", r"override consume\(\) alone"),
            (SimpleProducer, "aproduce", r"override produce\(\) alone"),
            (SimpleAsyncProducer, "produce", r"override aproduce\(\) alone"),
            (Wrapper, "transform", r"override atransform\(\) alone"),
            (Step, "transform", r"a Step makes its calls by call\(\): .* make the class a Transf"),
            (Step, "atransform", r"a Step makes its calls by call\(\)"),
            (SourceStep, "produce", r"a SourceStep makes its .* make the class a Producer"),
            (SourceStep, "aproduce", r"a SourceStep makes its calls by call\(\)"),
        ],
    )
    def test_a_half_beside_one_of_the_library_is_refused(
        self, base: type, method: str, way_out: str
    ) -> None:
        """Some callers, or all, would call the other half; both together are taken, where a class
        has them."""
        for bases in ((base,), (type("Between", (base,), {}),)):
            with pytest.raises(TypeError, match=rf"^Half has {method}\(\).* {way_out}"):
                type("Half", bases, {method: plain})
        if base not in (Step, SourceStep):
            role = method.removeprefix("a")
            type("Both", (base,), {role: plain, f"a{role}": plain})
            other = f"a{role}" if role == method else role
            type("Right", (base,), {other: plain})
