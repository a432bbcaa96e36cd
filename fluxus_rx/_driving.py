"""Runs flows from wherever the caller stands: on a loop, without one, or beneath one.

There is one asynchronous path; what is synchronous here drives it.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import signal
import threading
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
from types import TracebackType
from typing import Any

from aiostream import operator
from reactivex import Observable

from ._calls import error_of
from ._channels import Channel
from ._errors import InvalidFlowError, also_raised, note, shown
from ._merging import entered
from ._scheduler import FlowScheduler, Scope
from ._stages import FlowObservable, flowing
from ._typing import T

__all__ = [
    "Loop",
    "astream",
    "collect",
    "consumed_in_thread",
    "opened",
    "stream",
    "to_observable",
    "to_stream",
]

#: one product and the index of the path it came by
Arrival = tuple[int, Any]


class Loop:
    """An event loop that a synchronous caller drives, call by call.

    Where a loop runs already in the caller's thread, each call runs in a thread of its own. Context
    variables of the caller are visible inside. Ctrl-C cancels what runs, waits for it to clean up,
    and raises KeyboardInterrupt, as `asyncio.run` does.
    """

    def __init__(self) -> None:
        # A factory of its own: without one the runner would unset the thread's current loop.
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._context = contextvars.copy_context()

    def __enter__(self) -> Loop:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if _in_loop():
            _in_thread(self._runner.close, _Interrupt())
        else:
            self._runner.close()

    def call(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine to its end."""
        with _Interrupt() as interrupt:
            if not _in_loop():
                return self._run(work, interrupt)
            return _in_thread(partial(self._run, work, interrupt), interrupt)

    def _run(self, work: Callable[[], Coroutine[Any, Any, T]], interrupt: _Interrupt) -> T:
        # In a box, and not as the result of the main task, for a result may be large, and what
        # shows a task, as debuggers and asyncio itself do, takes the repr of its result.
        box: list[T] = []

        async def main() -> None:
            box.append(await work())

        loop = self._runner.get_loop()
        task = self._context.run(loop.create_task, main())
        interrupt.watch(task)
        try:
            loop.run_until_complete(task)
        except asyncio.CancelledError:
            if interrupt.came:
                raise KeyboardInterrupt from None
            raise
        return box[0]


class _Interrupt:
    """Turns Ctrl-C into a cancellation of a task, for as long as the block lasts.

    Not by `asyncio.Runner`, which takes its own measures only once a coroutine is under way: a
    KeyboardInterrupt that comes a moment before or after leaves it lying there. And it does nothing
    for a loop that runs in another thread.
    """

    def __init__(self) -> None:
        self.came = False
        self._task: asyncio.Task[None] | None = None
        self._previous: Any = None

    def __enter__(self) -> _Interrupt:
        if threading.current_thread() is threading.main_thread():
            handler = signal.getsignal(signal.SIGINT)
            # A handler that the user has set keeps its say; that of an asyncio.run() around us
            # would cancel a task of the loop that we keep waiting.
            if handler is signal.default_int_handler or _is_runners(handler):
                self._previous = handler
                signal.signal(signal.SIGINT, self._on_signal)
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)
            if self.came and not isinstance(exc_info[1], KeyboardInterrupt):
                raise KeyboardInterrupt

    def watch(self, task: asyncio.Task[None]) -> None:
        """From now on, cancel `task`."""
        self._task = task
        if self.came:
            task.cancel()

    def cancel(self) -> None:
        """Cancel the task, from whatever thread."""
        if self._task is not None and not self._task.done():
            self._task.get_loop().call_soon_threadsafe(self._task.cancel)

    def _on_signal(self, number: int, frame: object) -> None:
        if self.came:
            raise KeyboardInterrupt
        self.came = True
        self.cancel()


def _is_runners(handler: object) -> bool:
    return isinstance(handler, partial) and isinstance(
        getattr(handler.func, "__self__", None), asyncio.Runner
    )


def _in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _in_thread(work: Callable[[], T], interrupt: _Interrupt) -> T:
    """Run `work` in a thread of its own, and wait for it; interrupted, tell it and wait again."""
    with futures.ThreadPoolExecutor(1, thread_name_prefix="fluxus_rx") as executor:
        future = executor.submit(work)
        try:
            return future.result()
        except BaseException:
            if not future.done():
                interrupt.cancel()
                futures.wait([future])
            raise


@contextlib.asynccontextmanager
async def opened(
    paths: Sequence[Observable[Any]], *, ordered: bool = False
) -> AsyncGenerator[Channel[Arrival], None]:
    """Run the paths of a flow for as long as the block lasts; what arrives is in the channel.

    The room of the channel is the demand of the flow. At the end of the block, however it ends,
    everything is cancelled, awaited and closed; an error in doing so is raised, or becomes a note
    of the one that is under way.
    """
    channel: Channel[Arrival] = Channel()
    scope = Scope(asyncio.get_running_loop(), ordered=ordered)
    flow = FlowScheduler(scope.loop, scope, channel)
    left = len(paths)
    failure: BaseException | None = None
    subscriptions = []

    def failed(error: BaseException) -> None:
        nonlocal failure
        if failure is None:
            failure = error
        else:
            also_raised(failure, error)
        channel.close(error)
        scope.cancel()

    def completed() -> None:
        nonlocal left
        left -= 1
        if not left:
            channel.close()

    scope.on_fail = failed
    error: BaseException | None = None
    try:
        for index, path in enumerate(paths):
            subscription = path.subscribe(
                _arriving(channel, index), failed, completed, scheduler=flow
            )
            subscriptions.append(subscription)
        yield channel
        error = failure  # also if the reader has caught it, or has not come to it
    except BaseException as raised:
        error = raised
    for subscription in subscriptions:
        subscription.dispose()
    channel.cancel()
    await _ended(scope, error)


def _arriving(channel: Channel[Arrival], index: int) -> Callable[[Any], None]:
    def on_next(product: Any) -> None:
        channel.put((index, product))

    return on_next


async def _ended(scope: Scope, error: BaseException | None) -> None:
    """Close the scope, then raise what there is to raise."""
    try:
        await scope.close()
    except asyncio.CancelledError as cancelled:
        error = error or cancelled
    for late in scope.errors:
        if error is None or isinstance(error, GeneratorExit):
            error = late
        else:
            also_raised(error, late)
    try:
        if error is not None:
            raise error
    finally:
        error = None


async def collect(
    paths: Sequence[Observable[Any]], *, timestamps: bool = False, ordered: bool = False
) -> list[list[Any]]:
    """Run the paths of a flow, and collect what each of them gives, in order of completion."""
    loop = asyncio.get_running_loop()
    over: asyncio.Future[None] = loop.create_future()
    scope = Scope(loop, timestamps=timestamps, ordered=ordered)
    flow = FlowScheduler(loop, scope)
    results: list[list[Any]] = [[] for _ in paths]
    subscriptions = []
    error: BaseException | None = None
    left = len(paths)

    def failed(raised: BaseException) -> None:
        nonlocal error
        if error is None:
            error = raised
        else:
            also_raised(error, raised)
        if not over.done():
            over.set_result(None)

    def completed() -> None:
        nonlocal left
        left -= 1
        if not left and not over.done():
            over.set_result(None)

    scope.on_fail = failed
    try:
        for path, result in zip(paths, results, strict=True):
            subscription = path.subscribe(result.append, failed, completed, scheduler=flow)
            subscriptions.append(subscription)
        await over
    except BaseException as raised:
        error = raised
    for subscription in subscriptions:
        subscription.dispose()
    await _ended(scope, error)
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
    await _ended(scope, error)


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


def stream(paths: Callable[[], Sequence[Observable[Any]]]) -> Generator[Arrival, None, None]:
    """What arrives, as it comes, for a synchronous reader; the loop runs while it waits."""
    with Loop() as loop:
        stack = contextlib.AsyncExitStack()
        channel = loop.call(lambda: stack.enter_async_context(opened(paths())))
        error: BaseException | None = None
        try:
            while batch := loop.call(partial(_batch, channel)):
                yield from batch
        except BaseException as raised:
            error = raised
        kind = type(error) if error is not None else None
        trace = error.__traceback__ if error is not None else None
        loop.call(partial(stack.__aexit__, kind, error, trace))
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
