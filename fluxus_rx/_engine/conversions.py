"""Streams as observables, observables as streams; arrivals for synchronous readers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Generator
from typing import Any

from aiostream import operator
from reactivex import Observable

from .._common.messages import shown
from .._common.trail import Trail
from .._errors import InvalidFlowError
from .._loops.event_loop import Loop
from .._loops.loop_errors import require_loop
from .._rx.scheduler import FlowScheduler
from .._rx.scope import Scope
from .._streams.channel import Channel
from .._streams.context import CALLER
from .._streams.iteration import aclose_all, iterate
from .._streams.ordering import Arrival
from .._streams.resumable import Resumable
from .._typing import T, Waiter
from .execution import Execution, close_scope
from .observable import FlowObservable, flow_observable

__all__ = ["arrivals", "async_arrivals", "async_items", "outputs_for", "to_observable", "to_stream"]


def async_arrivals(
    execute: Callable[[], Execution], change: Callable[[Arrival], T]
) -> AsyncGenerator[T, None]:
    """What arrives, as it comes, as `change` makes it; leaving early ends the run."""

    async def block() -> AsyncGenerator[AsyncIterator[Arrival], None]:
        async with execute() as channel:
            yield channel

    return Resumable(block(), change)


def async_items(source: Observable[T]) -> AsyncGenerator[T, None]:
    """The items of an observable as they come; leaving early ends the run."""
    return Resumable(_opened_pipeline(source))


async def _opened_pipeline(source: Observable[T]) -> AsyncGenerator[AsyncIterator[T], None]:
    """The items of an observable, for as long as a block lasts."""

    def fail(failure: BaseException) -> None:
        pipeline.fail(failure)
        if isinstance(failure, asyncio.CancelledError):
            # Of a resource, which is cancelled from the inside, whatever the parts wait for.
            scope.add_error(failure)
            pipeline.cancel()

    scope = Scope(require_loop(), on_fail=fail)
    try:
        pipeline = flow_observable(source, True).open(FlowScheduler(scope.loop, scope))
    except BaseException:
        await scope.close()  # with what was open by then
        raise
    if scope.has_resources:
        pipeline.own_all()  # or nobody could cancel what the reader itself waits for
    error: BaseException | None = None
    try:
        yield pipeline
    except BaseException as raised:
        error = raised
    try:
        await pipeline.aclose()
    except BaseException as late:
        scope.add_error(late)
    error = await close_scope(scope, error)
    try:
        if error is not None:
            raise error
    finally:
        del error  # it refers to this frame


def outputs_for(
    product: Any, connect: Callable[[Observable[Any]], Observable[Any]]
) -> AsyncGenerator[Any, None]:
    """The outputs of a transformer for one product; `connect` puts it on an observable.

    Inside a run, its calls belong to that run, further down than all others: its limits, counts and
    failures are those of the run. Elsewhere it is a run of its own.
    """
    caller = CALLER.get()
    place = None if caller is None else caller.place
    scope: Scope | None = None if place is None else place.run
    trail: Trail | None = None if place is None else place.trail
    if scope is None or scope.closing or scope.loop is not asyncio.get_running_loop():
        scope = trail = None
    source: FlowObservable[Any] = FlowObservable(
        lambda flow, owner: iter((product,)), trail=None if trail is None else Trail("", trail)
    )
    outputs = connect(source)
    return async_items(outputs) if scope is None else _outputs_within(scope, outputs)


async def _outputs_within(scope: Scope, outputs: Observable[Any]) -> AsyncGenerator[Any, None]:
    flow = FlowScheduler(scope.loop, scope, is_inner=True)
    pipeline = flow_observable(outputs, True).open(flow)
    inner = scope.get_or_create("inner", lambda: scope.add_workers(_InnerPipelines()))
    inner.pipelines[pipeline] = None
    try:
        while True:
            is_late = inner.is_closed
            try:
                item = await anext(pipeline)
            except StopAsyncIteration:
                if inner.is_cancelled and not is_late:
                    # The run has ended it: an end would look as if these were all outputs.
                    raise asyncio.CancelledError from None
                return
            yield item
    finally:
        inner.pipelines.pop(pipeline, None)
        await pipeline.aclose()


class _InnerPipelines:
    """The calls inside of calls of a run that somebody has left without closing them."""

    def __init__(self) -> None:
        self.pipelines: dict[Any, None] = {}
        #: whether their run has told them to end, and has seen to it that they did
        self.is_cancelled = self.is_closed = False

    def cancel(self) -> None:
        """Tell them to end."""
        self.is_cancelled = True
        for pipeline in self.pipelines:
            pipeline.cancel()

    async def aclose(self) -> None:
        """End them."""
        await aclose_all([*self.pipelines])
        self.is_closed = True


@operator
def to_stream(source: Observable[T]) -> AsyncIterator[T]:
    """An observable as an aiostream Stream; each iteration subscribes again.

    Items come in the order in which they are emitted. If the source respects demand, as a flow
    does, at most 16 items wait here; the items of a source that can't wait queue up, and none is
    lost. An error is raised as it is, after the items before it. Leaving early disposes of the
    subscription.

    >>> import asyncio, reactivex
    >>> from aiostream import pipe
    >>> async def main():
    ...     return await (to_stream(reactivex.of(1, 2)) | pipe.list())
    >>> asyncio.run(main())
    [1, 2]
    """
    if not isinstance(source, Observable):
        raise InvalidFlowError(f"to_stream() takes an Observable, not {shown(source)}")
    return async_items(source)


def to_observable(source: AsyncIterable[T]) -> Observable[T]:
    """A stream, or any asynchronous iterable, as an Observable; cold: each subscription iterates
    again.

    Needs an asyncio loop: that of the scheduler it is subscribed with, else the running one. It
    emits only as many items as a flow downstream has room for; to an observer without backpressure,
    it emits at full speed. Disposing of the subscription closes the iteration. The Observable ends
    with the same error object as the source.

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
            " SimpleProducer(items).to_observable() makes an observable that respects demand"
        )
    return FlowObservable(lambda flow, owner: iterate(source))


def arrivals(execute: Callable[[], Execution]) -> Generator[Arrival, None, None]:
    """What arrives, as it comes, for a synchronous reader; the loop runs while it waits."""

    # Entered and left by hand: each is a call of its own into the loop.
    entered: list[tuple[Execution, Channel[Arrival]]] = []

    async def enter() -> None:
        execution = execute()
        entered.append((execution, await execution.__aenter__()))

    def tell(waiter: Waiter) -> None:
        # The time of the reader, while the calls in flight stood still.
        execution.scope.skip(execution.scope.loop.time() - left)
        channel.tell(waiter)

    async def leave() -> None:
        while entered:
            await entered.pop()[0].__aexit__(None, error, None)

    with Loop() as loop:
        error: BaseException | None = None
        try:
            try:
                loop.call(enter)
                ((execution, channel),) = entered
                left = execution.scope.loop.time()
                while batch := loop.wait(tell, channel.take_all):
                    left = execution.scope.loop.time()
                    yield from batch
            except BaseException as raised:
                error = raised
            if entered:
                loop.call(leave)
        except KeyboardInterrupt as interrupt:
            error = interrupt
            if entered:  # Ctrl-C came before the run was told to end
                loop.call(leave)
        if error is not None:
            raise error
