"""A subscriber and a publisher of Reactive Streams that remember what was done with them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

from fluxus_rx.reactive_streams import Publisher, Subscriber, Subscription, from_publisher
from tests.support.probes import turns

#: More turns of the loop than a flow of these tests takes until all in it waits.
SETTLED = 200


async def settle() -> None:
    """Let everything run that can."""
    await turns(SETTLED)


class Probe:
    """A subscriber: what it hears, in `signals`, as pairs; `ended` is set by the last one.

    `first` is requested in `on_subscribe`, `each` in each `on_next`. `does` is called with each
    signal and its argument, after it is noted.
    """

    def __init__(
        self,
        first: Any = None,
        each: Any = None,
        does: Callable[[str, Any], object] | None = None,
    ) -> None:
        self.signals: list[tuple[str, Any]] = []
        self.threads: set[int] = set()
        self.ended = asyncio.Event()
        self.subscription: Subscription
        self._first = first
        self._each = each
        self._does = does
        self._depth = self.deepest = 0

    @contextmanager
    def _hears(self, signal: str, argument: Any = None) -> Iterator[None]:
        self.signals.append((signal, argument))
        self.threads.add(threading.get_ident())
        self._depth += 1
        self.deepest = max(self.deepest, self._depth)
        try:
            if self._does is not None:
                self._does(signal, argument)
            yield
        finally:
            self._depth -= 1

    def on_subscribe(self, subscription: Subscription, /) -> None:
        self.subscription = subscription
        with self._hears("on_subscribe"):
            if self._first is not None:
                subscription.request(self._first)

    def on_next(self, value: Any, /) -> None:
        with self._hears("on_next", value):
            if self._each is not None:
                self.subscription.request(self._each)

    def on_error(self, exception: Exception, /) -> None:
        try:
            with self._hears("on_error", exception):
                pass
        finally:
            self.ended.set()

    def on_complete(self) -> None:
        try:
            with self._hears("on_complete"):
                pass
        finally:
            self.ended.set()

    @property
    def names(self) -> list[str]:
        """The signals, without their arguments."""
        return [signal for signal, _ in self.signals]

    @property
    def items(self) -> list[Any]:
        return [item for signal, item in self.signals if signal == "on_next"]

    @property
    def error(self) -> Any:
        """The one error."""
        (error,) = [error for signal, error in self.signals if signal == "on_error"]
        return error

    def of(self, publisher: Publisher[Any]) -> Probe:
        """The same, subscribed."""
        publisher.subscribe(self)
        return self

    async def all(self) -> list[Any]:
        """The items, once the end has come; an error instead is raised."""
        await self.ended.wait()
        if self.names[-1] == "on_error":
            raise self.error
        return self.items


class Manual:
    """A publisher that does what a test says; `calls` are those of its subscription."""

    def __init__(self, *, subscribes: bool = True) -> None:
        self.calls: list[tuple[str, int]] = []
        self.threads: set[int] = set()
        self.subscribers: list[Any] = []
        self._subscribes = subscribes

    def subscribe(self, subscriber: Subscriber[Any], /) -> None:
        self.subscribers.append(subscriber)
        if self._subscribes:
            subscriber.on_subscribe(self)

    def request(self, n: int, /) -> None:
        self.calls.append(("request", n))
        self.threads.add(threading.get_ident())

    def cancel(self) -> None:
        self.calls.append(("cancel", 0))
        self.threads.add(threading.get_ident())

    @property
    def subscriber(self) -> Any:
        """The one that subscribed last."""
        return self.subscribers[-1]

    @property
    def requested(self) -> int:
        """How many items were requested in all."""
        return sum(n for _, n in self.calls)

    @property
    def cancelled(self) -> int:
        """How often it was cancelled."""
        return self.calls.count(("cancel", 0))

    def gives(self, *items: Any) -> None:
        for item in items:
            self.subscriber.on_next(item)


class Later:
    """Publishes items as soon as the loop comes round, by a publisher of the test's own."""

    def __init__(self, publisher: Manual, items: list[Any]) -> None:
        self._publisher = publisher
        self._items = items

    def subscribe(self, subscriber: Any) -> None:
        self._publisher.subscribe(subscriber)
        asyncio.get_running_loop().call_soon(self._publisher.gives, *self._items)


class AtOnce:
    """A publisher of numbers that signals within `request`, as far as it may, without recursion."""

    def __init__(self, end: int) -> None:
        self._end = end
        self.most = 0

    def subscribe(self, subscriber: Subscriber[int], /) -> None:
        subscriber.on_subscribe(_Counting(self, subscriber, self._end))


class _Counting:
    def __init__(self, publisher: AtOnce, subscriber: Subscriber[int], end: int) -> None:
        self._publisher = publisher
        self._subscriber = subscriber
        self._left = iter(range(end))
        self._demand = 0
        self._emitting = self._over = False

    def request(self, n: int, /) -> None:
        self._demand += n
        self._publisher.most = max(self._publisher.most, n)
        if self._emitting or self._over:
            return
        self._emitting = True
        while self._demand and not self._over:
            self._demand -= 1
            try:
                item = next(self._left)
            except StopIteration:
                self._over = True
                self._subscriber.on_complete()
            else:
                self._subscriber.on_next(item)
        self._emitting = False

    def cancel(self) -> None:
        self._over = True


@asynccontextmanager
async def reading(
    publisher: Any, buffer: int = 4, taken: list[Any] | None = None
) -> AsyncIterator[asyncio.Task[list[Any]]]:
    """A task that reads a publisher to its end; what is left of it is cancelled after the block."""
    seen: list[Any] = [] if taken is None else taken

    async def read() -> list[Any]:
        async for item in from_publisher(publisher, buffer=buffer):
            seen.append(item)
        return seen

    task = asyncio.ensure_future(read())
    await settle()
    try:
        yield task
    finally:
        task.cancel()
        with suppress(BaseException):
            await task


@contextmanager
def reported() -> Iterator[list[dict[str, Any]]]:
    """What the running loop's exception handler is told in the block."""
    loop = asyncio.get_running_loop()
    told: list[dict[str, Any]] = []
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda loop, context: told.append(context))
    try:
        yield told
    finally:
        loop.set_exception_handler(before)


def in_thread(function: Callable[[], object]) -> None:
    """Call it in a thread of its own, and wait until it has returned."""
    raised: list[BaseException] = []

    def call() -> None:
        try:
            function()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    if raised:
        raise raised[0]
