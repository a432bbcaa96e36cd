"""Runs the paths of a flow: to their end, as they come, or into a consumer.

There is one asynchronous path; what is synchronous here drives it.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Coroutine,
    Generator,
    Iterator,
    Sequence,
)
from concurrent import futures
from functools import partial
from typing import Any

from aiostream import operator
from reactivex import Observable
from reactivex.abc import DisposableBase

from ._common.event_loop import Loop
from ._common.messages import also_raised, note, shown
from ._errors import InvalidFlowError
from ._places import Places
from ._rx.run_settings import Terms
from ._rx.scheduler import UNBOUNDED, FlowScheduler
from ._rx.scope import Scope
from ._stages import FlowObservable, flowing
from ._streams.channel import Channel
from ._streams.context import error_of
from ._streams.iteration import entered
from ._typing import T

__all__ = [
    "Opened",
    "astream",
    "collect",
    "consumed_in_thread",
    "stream",
    "to_observable",
    "to_stream",
]

_log = logging.getLogger(__name__)

#: one product and the index of the path it came by
Arrival = tuple[int, Any]


class Opened:
    """The paths of a flow, run for as long as the block lasts; what arrives is in the channel.

    The room of the channel is the demand of the flow. With `receivers`, one for each path, products
    go to these as fast as they come, and the channel tells the end alone. `beside` runs beside it,
    as part of the run: it is cancelled at the end, and its error ends all.

    At the end of the block, however it ends, everything is cancelled, awaited and closed; an error
    in doing so is raised, or becomes a note of the one that is under way.
    """

    # No generator with contextlib's decorator: that assigns the traceback of what it passes on,
    # which an exception that is a frozen dataclass refuses.

    def __init__(
        self,
        paths: Sequence[Observable[Any]],
        terms: Terms | None = None,
        receivers: Sequence[Callable[[Any], None]] | None = None,
        beside: Callable[[], Coroutine[Any, Any, None]] | None = None,
    ) -> None:
        self._paths = paths
        self._terms = terms or Terms()
        self._receivers = receivers
        self._beside = beside
        self._channel: Channel[Arrival] = Channel()
        self._subscriptions: list[DisposableBase] = []
        self._left = len(paths)
        self._failure: BaseException | None = None

    async def __aenter__(self) -> Channel[Arrival]:
        loop, meter = asyncio.get_running_loop(), self._terms.meter
        self.scope = Scope(loop, self._terms, on_fail=self._failed)
        self._terms.place_of = Places(self._paths).place_of
        if meter is not None:
            for path in self._paths:
                meter.know(getattr(path, "trail", None))
        _log.debug("takes the products of %d paths in %r", len(self._paths), self.scope)
        demand = self._channel if self._receivers is None else UNBOUNDED
        flow = FlowScheduler(loop, self.scope, demand)
        receivers = self._receivers or [
            _arriving(self._channel, index) for index in range(len(self._paths))
        ]
        try:
            if self._beside is not None:
                self.scope.start(self._beside())
            for path, receive in zip(self._paths, receivers, strict=True):
                self._subscriptions.append(
                    path.subscribe(receive, self._failed, self._completed, scheduler=flow)
                )
        except BaseException as error:
            await self.__aexit__(None, error, None)
            raise
        return self._channel

    def _failed(self, error: BaseException) -> None:
        if self._failure is None:
            self._failure = error
        else:
            also_raised(self._failure, error)
        self._channel.close(error)
        self.scope.cancel()

    def _completed(self) -> None:
        self._left -= 1
        if not self._left:
            self._channel.close()

    async def __aexit__(self, kind: object, raised: BaseException | None, trace: object) -> None:
        for subscription in self._subscriptions:
            subscription.dispose()
        self._channel.cancel()
        # The failure also if the reader has caught it, or has not come to it.
        error = await _ended(self.scope, raised or self._failure)
        try:
            if error is not None and error is not raised:
                raise error
        finally:
            del error, raised


def _arriving(channel: Channel[Arrival], index: int) -> Callable[[Any], None]:
    def on_next(product: Any) -> None:
        channel.put((index, product))

    return on_next


async def _ended(scope: Scope, error: BaseException | None) -> BaseException | None:
    """Close the scope; give what there is to raise."""
    try:
        await scope.close()
    except asyncio.CancelledError as cancelled:
        error = error or cancelled
    for late in scope.errors:
        if error is None or isinstance(error, GeneratorExit):
            error = late
        else:
            also_raised(error, late)
    if error is None:
        _log.debug("%r is at its end", scope)
    else:
        for text in scope.notes:
            note(error, text)
        _log.debug("%r ends with %s", scope, type(error).__name__)
    return error


async def collect(paths: Sequence[Observable[Any]], terms: Terms | None = None) -> list[list[Any]]:
    """Run the paths of a flow to their end, and collect what each of them gives, in order of
    completion."""
    results: list[list[Any]] = [[] for _ in paths]
    async with Opened(paths, terms, [result.append for result in results]) as channel:
        await channel.filled()
    return results


async def astream(source: Observable[T]) -> AsyncGenerator[T, None]:
    """The items of an observable as they come; leaving early ends the run."""
    scope = Scope(asyncio.get_running_loop())
    pipeline = flowing(source, True).open(FlowScheduler(scope.loop, scope))
    scope.on_fail = pipeline.fail
    error: BaseException | None = None
    try:
        async for item in pipeline:
            yield item
    except BaseException as raised:
        error = raised
    try:
        await pipeline.aclose()
    except BaseException as late:
        scope.lost(late)
    error = await _ended(scope, error)
    try:
        if error is not None:
            raise error
    finally:
        del error  # it refers to this frame


@operator
def to_stream(source: Observable[T]) -> AsyncIterator[T]:
    """An observable as an aiostream Stream; each iteration subscribes afresh.

    Items come in the order in which they are emitted. At most 16 wait here if the source heeds
    demand, as a flow does. From a source that can't wait nothing is lost. An error is raised as it
    is, after the items before it. Leaving early disposes of the subscription.

    >>> import asyncio, reactivex
    >>> from aiostream import pipe
    >>> async def main():
    ...     return await (to_stream(reactivex.of(1, 2)) | pipe.list())
    >>> asyncio.run(main())
    [1, 2]
    """
    if not isinstance(source, Observable):
        raise InvalidFlowError(f"to_stream() takes an Observable, not {shown(source)}")
    return astream(source)


def to_observable(source: AsyncIterable[T]) -> Observable[T]:
    """A stream, or any asynchronous iterable, as an Observable; cold: each subscription iterates
    afresh.

    Needs an asyncio loop: that of the scheduler it is subscribed with, else the running one. Items
    are emitted as far as a flow downstream has room for them; to an observer that takes whatever
    comes, as fast as they come. Disposing of the subscription closes the iteration. An error of the
    source is the error of the Observable, the very object.

    >>> import asyncio
    >>> from reactivex import operators as ops
    >>> async def numbers():
    ...     yield 1
    ...     yield 2
    >>> async def main():
    ...     return await to_observable(numbers()).pipe(ops.map(lambda x: x + 1), ops.to_list())
    >>> asyncio.run(main())
    [2, 3]
    """
    if not isinstance(source, AsyncIterable):
        raise InvalidFlowError(
            f"to_observable() takes an asynchronous iterable, not {shown(source)}; of a plain one,"
            " SimpleProducer(items).to_observable() makes an observable that heeds demand"
        )
    return FlowObservable(lambda flow, owner: entered(source))


def stream(opens: Callable[[], Opened]) -> Generator[Arrival, None, None]:
    """What arrives, as it comes, for a synchronous reader; the loop runs while it waits."""

    async def open_paths() -> tuple[Opened, Channel[Arrival]]:
        opened = opens()
        return opened, await opened.__aenter__()

    with Loop() as loop:
        opened, channel = loop.call(open_paths)
        error: BaseException | None = None
        try:
            while batch := loop.call(partial(_batch, channel)):
                yield from batch
        except BaseException as raised:
            error = raised
        loop.call(partial(opened.__aexit__, None, error, None))
        if error is not None:
            raise error


async def _batch(channel: Channel[T]) -> list[T]:
    """All that waits, as soon as there is something; empty at the end."""
    if not await channel.filled():
        try:
            await channel.__anext__()
        except StopAsyncIteration:
            return []
    return [channel.poll() for _ in range(len(channel))]


async def consumed_in_thread(
    consume: Callable[[Iterator[Arrival]], T], channel: Channel[Arrival]
) -> T:
    """Feed a synchronous consumer, in a thread of its own, while the loop goes on."""
    loop = asyncio.get_running_loop()

    def arrivals() -> Generator[Arrival, None, None]:
        while batch := asyncio.run_coroutine_threadsafe(_batch(channel), loop).result():
            yield from batch

    def work() -> T:
        items = arrivals()
        try:
            return consume(items)
        except (StopIteration, StopAsyncIteration) as error:  # a future can't carry the first
            raise error_of(error, "a consumer") from error
        finally:
            items.close()

    with futures.ThreadPoolExecutor(1, thread_name_prefix="fluxus_rx consumer") as executor:
        context = contextvars.copy_context()
        future = loop.run_in_executor(executor, partial(context.run, work))
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError as cancelled:
            channel.cancel(cancelled)
            while not future.done():
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wait([future])
            if not future.cancelled() and (error := future.exception()) is not None:
                note(cancelled, f"the consumer, told to end, raised {error!r}")
            raise
