"""The same work with each of the libraries, the way its own documentation would have it.

Every library gets the cheapest way we found to do the work. Where it keeps no lineage of its own
the step functions build it, except for streamable, which is given plain products: that favours
streamable, and the goals hold against it all the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from .harness import in_loop, peer
from .work import (
    AsyncFunction,
    Attributes,
    Function,
    Lineage,
    remembering,
    remembering_async,
)

Source = list[Attributes]


# fluxus_rx


def ours_chain(
    source: Source, steps: Mapping[str, Function | AsyncFunction], **options: Any
) -> Callable[[], list[Lineage]]:
    """A chain of steps; the function runs it to its result and reads all outputs."""
    flows = peer("fluxus_rx")
    flow = flows.chain(flows.step("src", lambda: source), *_our_steps(steps, options))
    return lambda: list(flows.run(flow).get_outputs())


def ours_group(
    source: Source, branches: Mapping[str, AsyncFunction], **options: Any
) -> Callable[[], list[list[Lineage]]]:
    """A group of steps and a passthrough; the function gives the outputs path by path."""
    flows = peer("fluxus_rx")
    group = flows.parallel(_our_steps(branches, options), flows.passthrough())
    flow = flows.step("src", lambda: source) >> group
    return lambda: [list(path) for path in flows.run(flow).get_outputs_per_path()]


def _our_steps(
    steps: Mapping[str, Function | AsyncFunction], options: Mapping[str, Any]
) -> list[Any]:
    step = peer("fluxus_rx").step
    return [step(name, function).options(**options) for name, function in steps.items()]


# fluxus: it has no limit of concurrent calls


def fluxus_chain(
    source: Source, steps: Mapping[str, Function | AsyncFunction]
) -> Callable[[], Any]:
    """A chain of steps; it makes no difference to fluxus whether they are asynchronous."""
    flows = peer("fluxus.functional")
    flow = flows.chain(flows.step("src", lambda: source), *_fluxus_steps(steps))
    return lambda: list(_fluxus_result(flow).get_outputs())


def fluxus_group(source: Source, branches: Mapping[str, AsyncFunction]) -> Callable[[], list[Any]]:
    """A group of steps and a passthrough; the function gives the outputs path by path."""
    flows = peer("fluxus.functional")
    group = flows.parallel(_fluxus_steps(branches), flows.passthrough())
    flow = flows.step("src", lambda: source) >> group
    return lambda: [list(path) for path in _fluxus_result(flow).get_outputs_per_path()]


def _fluxus_steps(steps: Mapping[str, Function | AsyncFunction]) -> list[Any]:
    step = peer("fluxus.functional").step
    return [step(name, function) for name, function in steps.items()]


def _fluxus_result(flow: Any) -> Any:
    """What `fluxus.functional.run` does, less the `asyncio.run` that takes two `repr`s."""
    consumer = peer("fluxus.functional.conduit").DictConsumer()
    return in_loop((flow >> consumer).arun)


# streamable: it keeps no lineage, and can't fan out, so that each branch reads the source afresh


def _plain(function: AsyncFunction) -> Callable[[Attributes], Awaitable[Attributes]]:
    async def step(product: Attributes) -> Attributes:
        return await function(x=product["x"])

    return step


def streamable_chain(source: Source, steps: Mapping[str, Function]) -> list[Attributes]:
    """A chain of maps."""
    products = peer("streamable").stream(source)
    for function in steps.values():
        products = products.map(lambda product, function=function: function(x=product["x"]))
    return list(products)


async def streamable_chain_async(
    source: Source, steps: Mapping[str, AsyncFunction], limit: int
) -> list[Attributes]:
    """A chain of concurrent maps, in order: that is cheaper here than `as_completed`."""
    products = peer("streamable").stream(source)
    for function in steps.values():
        products = products.map(_plain(function), concurrency=limit)
    return [product async for product in products]


async def streamable_group(
    source: Source, branches: Mapping[str, AsyncFunction], limit: int
) -> list[list[Attributes]]:
    """A concurrent map for each branch, all of them at once."""
    stream = peer("streamable").stream

    async def branch(function: AsyncFunction) -> list[Attributes]:
        return [x async for x in stream(source).map(_plain(function), concurrency=limit)]

    outputs = await asyncio.gather(*map(branch, branches.values()))
    return [*outputs, list(source)]


# aiostream: it can't fan out either


async def aiostream_chain(source: Source, steps: Mapping[str, Function]) -> list[Lineage]:
    """A chain of maps."""
    stream = peer("aiostream.stream")
    products = stream.iterate({"src": item} for item in source)
    for name, function in steps.items():
        products = stream.map(products, remembering(name, function))
    return await _collected(products)


async def aiostream_chain_async(
    source: Source, steps: Mapping[str, AsyncFunction], limit: int
) -> list[Lineage]:
    """A chain of maps with a task limit, in order: the other way is no cheaper."""
    stream = peer("aiostream.stream")
    products = stream.iterate({"src": item} for item in source)
    for name, function in steps.items():
        products = stream.map(products, remembering_async(name, function), task_limit=limit)
    return await _collected(products)


async def aiostream_group(
    source: Source, branches: Mapping[str, AsyncFunction], limit: int
) -> list[list[Lineage]]:
    """A map with a task limit for each branch, all of them at once."""
    stream = peer("aiostream.stream")

    async def branch(name: str, function: AsyncFunction) -> list[Lineage]:
        products = stream.iterate({"src": item} for item in source)
        step = remembering_async(name, function)
        return await _collected(stream.map(products, step, task_limit=limit))

    outputs = await asyncio.gather(*(branch(*each) for each in branches.items()))
    return [*outputs, [{"src": item} for item in source]]


async def _collected(products: Any) -> list[Any]:
    async with products.stream() as streamer:
        return [product async for product in streamer]


# reactivex: `flat_map` of futures has no limit; `merge` with one is dearer


def rx_chain(source: Source, steps: Mapping[str, Function]) -> list[Lineage]:
    """A chain of maps."""
    ops = peer("reactivex.operators")
    outputs: list[Lineage] = []
    peer("reactivex").from_iterable(source).pipe(
        ops.map(lambda item: {"src": item}),
        *(ops.map(remembering(name, function)) for name, function in steps.items()),
    ).subscribe(outputs.append)
    return outputs


async def rx_chain_async(source: Source, steps: Mapping[str, AsyncFunction]) -> Any:
    """A chain of `flat_map`s of futures."""
    ops = peer("reactivex.operators")
    products = peer("reactivex").from_iterable(source)
    observable = products.pipe(
        ops.map(lambda item: {"src": item}),
        *(_rx_step(remembering_async(name, function)) for name, function in steps.items()),
        ops.to_list(),
    )
    return await observable


async def rx_chain_limited(source: Source, steps: Mapping[str, AsyncFunction], limit: int) -> Any:
    """The same with at most `limit` futures at once."""
    rx, ops = peer("reactivex"), peer("reactivex.operators")

    def limited(step: Callable[[Lineage], Awaitable[Lineage]]) -> Any:
        def call(lineage: Lineage) -> Any:
            return rx.defer(lambda _: rx.from_future(asyncio.ensure_future(step(lineage))))

        return lambda lineages: lineages.pipe(ops.map(call), ops.merge(max_concurrent=limit))

    observable = rx.from_iterable(source).pipe(
        ops.map(lambda item: {"src": item}),
        *(limited(remembering_async(name, function)) for name, function in steps.items()),
        ops.to_list(),
    )
    return await observable


async def rx_group(source: Source, branches: Mapping[str, AsyncFunction]) -> Any:
    """The source published to a `flat_map` of futures per branch, and to a passthrough."""
    rx, ops = peer("reactivex"), peer("reactivex.operators")
    shared = rx.from_iterable(source).pipe(ops.publish())
    lineages = shared.pipe(ops.map(lambda item: {"src": item}))
    paths = [
        lineages.pipe(_rx_step(remembering_async(name, function)), ops.to_list())
        for name, function in branches.items()
    ]
    result = rx.fork_join(*paths, lineages.pipe(ops.to_list())).pipe(ops.to_future())
    shared.connect()
    return list(await result)


def _rx_step(step: Callable[[Lineage], Awaitable[Lineage]]) -> Any:
    rx, ops = peer("reactivex"), peer("reactivex.operators")
    return ops.flat_map(lambda lineage: rx.from_future(asyncio.ensure_future(step(lineage))))
