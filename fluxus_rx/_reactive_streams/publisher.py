"""Flows as publishers of the Reactive Streams protocol.

Rules of this file, beside those of the specification:

1. The subscriber hears `on_subscribe` in the thread that subscribes, before `subscribe` returns,
   and everything else on the loop.
2. What the subscriber asks for is a number under a lock. Nothing is signalled where it is raised:
   the driver of the run looks at it.
3. An error that can't go to the subscriber goes to the exception handler of the loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable
from threading import Lock
from typing import Any, Final, Generic, cast

from reactivex import Observable, abc
from reactivex.disposable import Disposable

from .._common.encoding import printed
from .._common.messages import short, shown
from .._components.simple_producer import SimpleAsyncProducer
from .._conduits.conduit import role_of
from .._conduits.producer import Producer
from .._engine.observable import flow_observable
from .._errors import InvalidFlowError, InvalidOptionError, InvalidProductError, UsageError
from .._loops.inbox import Wakeup
from .._rx.driver import Driver, RootObserver
from .._rx.scheduler import FlowScheduler
from .._typing import T
from .protocols import Publisher, Subscriber, missing

__all__ = ["to_publisher"]

#: A demand from which on nobody counts (rule 3.17).
UNLIMITED: Final = 2**63 - 1


_NO_LOOP: Final = (
    "to_publisher(): a subscription lives on an event loop, and none is running here: subscribe"
    " inside a coroutine (asyncio.run(main())), or name the loop:"
    " to_publisher(flow, scheduler=AsyncIOThreadSafeScheduler(loop))"
)


@printed
class _FlowPublisher(Generic[T]):
    """Publishes what an observable of a flow emits."""

    def __init__(
        self, flow: object, source: Producer[T] | Observable[T], scheduler: abc.SchedulerBase | None
    ) -> None:
        self._flow = flow
        self._source = source
        self._scheduler = scheduler

    def subscribe(self, subscriber: Subscriber[T], /) -> None:
        """Run the flow for this subscriber."""
        _check_subscriber(subscriber)
        try:
            loop = FlowScheduler.of(self._scheduler).loop
        except UsageError as error:
            subscriber.on_subscribe(_EndedSubscription())
            subscriber.on_error(UsageError(_NO_LOOP) if self._scheduler is None else error)
            return
        run = _PublisherSubscription(self._source, subscriber, loop)
        try:
            subscriber.on_subscribe(run)
        except BaseException as error:
            run.drop_subscriber("on_subscribe", error)
        else:
            run.flow.on_loop(run.begin)

    def __repr__(self) -> str:
        return f"to_publisher({short(self._flow)})"


def _check_subscriber(subscriber: object) -> None:
    if subscriber is None:
        raise InvalidFlowError("subscribe() takes a subscriber, not None (rule 1.9)")
    lacks = missing(subscriber, "on_subscribe", "on_next", "on_error", "on_complete")
    if lacks:
        raise InvalidFlowError(
            f"subscribe() takes a subscriber, and {shown(subscriber)} has no {lacks}"
        )


class _EndedSubscription:
    """The subscription of a subscriber that is turned away."""

    def request(self, n: int, /) -> None:
        """Nothing."""

    def cancel(self) -> None:
        """Nothing."""


class _PublisherSubscription(Generic[T]):
    """One subscription: a run of the flow, whose demand is what the subscriber has asked for.

    For the subscriber it is the Subscription; for the run an observer.
    """

    def __init__(
        self,
        source: Producer[T] | Observable[T],
        subscriber: Subscriber[T],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        # A run of its own, also where the scheduler is that of another one.
        self.flow = FlowScheduler(loop, demand=self)
        self._source = source
        self._lock = Lock()
        #: None once nothing more is to be signalled
        self._subscriber: Subscriber[T] | None = subscriber
        #: why it is to end before its time, if the subscriber is to hear of that
        self._fault: Exception | None = None
        #: items that were requested and have not been signalled
        self._requested = 0
        self._waiter: asyncio.Future[None] | None = None
        self._wakeup = Wakeup(loop, self._wake)
        self._root: RootObserver[T] | None = None
        self._run: abc.DisposableBase | None = None

    # the Subscription: from any thread, and from within any signal

    def request(self, n: int, /) -> None:
        """Request `n` more items; n is from 1 on, and is added to the demand.

        From 2**63 - 1 on, demand is unbounded. Anything but a whole number from 1 on ends the
        subscription with an InvalidOptionError (a ValueError), as rule 3.9 has it.
        """
        valid = isinstance(n, int) and not isinstance(n, bool) and n > 0
        with self._lock:
            if self._is_over:
                return
            if valid:
                self._requested = min(self._requested + n, UNLIMITED)
            else:
                self._fault = InvalidOptionError(
                    f"request({shown(n)}): a subscriber asks for a whole number of items from 1 on"
                    " (rule 3.9)"
                )
        if not valid:
            self.flow.on_loop(self._fail)
        elif self._waiter is not None:
            self._wakeup.request()

    def cancel(self) -> None:
        """Request no more: the run ends and cleans up, and the reference to the subscriber is
        dropped."""
        if self._release_subscriber() is not None:
            self.flow.on_loop(self._stop)

    # what happens on the loop

    def begin(self) -> None:
        """Start the run, unless the subscriber has cancelled."""
        if self._subscriber is None:
            return
        self._root = RootObserver(self, self.flow)  # type: ignore[arg-type]  # an observer by shape
        if self._fault is not None:
            self._root.on_error(self._fault)
            return
        try:
            self._run = self._root.begin(self._drive)
        except BaseException as error:
            self._root.on_error(error)

    def _drive(self, root: Any, flow: FlowScheduler) -> abc.DisposableBase:
        source = self._source
        source = source if isinstance(source, Observable) else source.to_observable()
        inner = FlowScheduler(flow.loop, flow.scope)
        # One driver for all paths: what several drivers read ahead would be several products.
        pipeline = flow_observable(source, True).open(inner)
        # At once, and not when the driver has begun: a subject would emit into the void.
        with pipeline:
            pipeline.subscribe()
        driver = Driver(pipeline, root, flow)

        def dispose() -> None:
            driver.dispose()
            pipeline.cancel()

        return Disposable(dispose)

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _fail(self) -> None:
        self._wake()
        if self._root is not None and self._fault is not None:
            self._root.on_error(self._fault)

    def _stop(self) -> None:
        self._wake()
        if self._run is not None:
            self._run.dispose()

    @property
    def _is_over(self) -> bool:
        return self._subscriber is None or self._fault is not None

    # the demand of the run

    @property
    def ready(self) -> bool:
        """Whether one more product may be signalled."""
        return self._requested > 0 or self._is_over

    async def wait(self) -> None:
        """Return when one more product may be signalled, or nobody will take any."""
        while True:
            with self._lock:
                if self.ready:
                    return
                waiter = self._waiter = self.flow.loop.create_future()
            await waiter

    # the observer of the run

    def on_next(self, product: T) -> None:
        """Pass a product on."""
        with self._lock:
            subscriber = self._subscriber
            if subscriber is None or self._fault is not None:
                return
            if product is None:
                self._fault = InvalidProductError(
                    "to_publisher(): the flow emitted None, which can't be an item of a publisher"
                    " (rule 2.13): drop it, or wrap it"
                )
            elif self._requested < UNLIMITED:
                self._requested -= 1
        if self._fault is not None:
            self._fail()
            return
        try:
            subscriber.on_next(product)
        except BaseException as error:
            self.drop_subscriber("on_next", error)

    def on_error(self, error: BaseException) -> None:
        """Tell the subscriber that the run has failed, or the loop if nobody is left to be told."""
        subscriber = self._release_subscriber()
        if subscriber is None:
            if not isinstance(error, asyncio.CancelledError):
                self.flow.scope.call_exception_handler(error)
            return
        try:
            # Whatever ended the run, or the subscriber would wait for ever.
            subscriber.on_error(error)  # type: ignore[arg-type]  # of any kind
        except BaseException as raised:
            self.drop_subscriber("on_error", raised)

    def on_completed(self) -> None:
        """Tell the subscriber that the run is at its end."""
        subscriber = self._release_subscriber()
        if subscriber is not None:
            try:
                subscriber.on_complete()
            except BaseException as raised:
                self.drop_subscriber("on_complete", raised)

    def _release_subscriber(self) -> Subscriber[T] | None:
        with self._lock:
            subscriber, self._subscriber = self._subscriber, None
        return subscriber

    def drop_subscriber(self, signal: str, error: BaseException) -> None:
        """Let go of a subscriber that has raised, and tell the loop's exception handler (rule
        2.13)."""
        self.cancel()
        context = {
            "message": f"fluxus_rx: a subscriber raised in {signal}(), which ends its subscription",
            "exception": error,
        }
        self.flow.on_loop(lambda: self.flow.loop.call_exception_handler(context))


def to_publisher(
    flow: Producer[T] | Observable[T] | AsyncIterable[T],
    *,
    scheduler: abc.SchedulerBase | None = None,
) -> Publisher[T]:
    """A flow as a Publisher of the Reactive Streams protocol, which emits what is requested.

    `flow` is a producer (also with steps behind it), an Observable, or an asynchronous iterable. It
    is cold: each `subscribe` starts a run, on the running loop or on that of `scheduler`. The
    subscriber gets `on_subscribe` before `subscribe` returns, and all other signals on the loop.

    `on_next` comes for each product of the flow, in its order, and never more often than requested.
    The end needs no demand, so the run begins at once, and reads one product ahead of the demand,
    beside those in its own steps; with several paths, or behind Rx operators, 16 more may wait.
    `on_complete` or `on_error`, with the same error object, comes when the run has cleaned up.
    Every kind of error is signalled.

    `request` and `cancel` may be called from any thread, and from within a signal. `cancel` ends
    the run, which cleans up, and drops the reference to the subscriber; afterwards only signals
    that are on their way already may come. Errors of the clean-up then go to the exception handler
    of the loop. So do errors that the subscriber raises, which count as a `cancel`.

    A product None is an error of the run: no publisher may publish it. Without a running loop and
    without `scheduler`, the subscriber gets a `UsageError` (a RuntimeError).

    Raises TypeError for anything but a flow that emits products; `subscribe` raises it for None,
    and for anything but a subscriber.

    >>> import asyncio
    >>> from fluxus_rx import SimpleProducer
    >>> class Printing:
    ...     def on_subscribe(self, subscription):
    ...         self.ended = asyncio.Event()
    ...         subscription.request(2)
    ...     def on_next(self, value):
    ...         print(value)
    ...     def on_error(self, exception):
    ...         print(exception)
    ...     def on_complete(self):
    ...         self.ended.set()
    >>> async def main():
    ...     printing = Printing()
    ...     to_publisher(SimpleProducer(["a", "b"])).subscribe(printing)
    ...     await printing.ended.wait()
    >>> asyncio.run(main())
    a
    b
    """
    if isinstance(flow, Observable):
        return _FlowPublisher(flow, flow, scheduler)
    if role_of(flow) == "producer":
        return _FlowPublisher(flow, cast(Producer[T], flow), scheduler)
    if isinstance(flow, AsyncIterable):
        return _FlowPublisher(flow, SimpleAsyncProducer(flow), scheduler)
    raise InvalidFlowError(
        "to_publisher() takes a flow that emits products (a producer, with or without steps behind"
        f" it), an Observable or an asynchronous iterable, not {shown(flow)}"
    )
