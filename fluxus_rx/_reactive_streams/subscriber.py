"""A subscriber of the Reactive Streams protocol, as a stream of what it is given.

Rules of this file, beside those of the specification:

1. Signals may come from any thread: they are judged there, under a lock, and take effect on the
   loop, in their order. So do all calls of the subscription.
2. What was requested and has not come, what waits, and what was taken and not requested again are
   `buffer` items together.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from functools import partial
from threading import Lock
from typing import Final

from .._common.messages import note, shown
from .._errors import BufferOverflowError, InvalidFlowError, InvalidProductError, UsageError
from .._rx.scheduler import FlowScheduler
from .._streams.channel import Channel
from .._streams.iteration import END, Cancellable
from .._typing import T
from .protocols import Publisher, Subscription, missing

__all__ = ["SubscriberStream"]

_log = logging.getLogger(__name__)

#: Seconds after which a publisher that has not called `on_subscribe` is complained of.
SUBSCRIBE_PATIENCE: Final = 5.0


class SubscriberStream(Cancellable[T]):
    """What a publisher gives, as a stream; subscribes when the first item is asked for."""

    def __init__(self, publisher: Publisher[T], label: str, size: int, flow: FlowScheduler) -> None:
        self._publisher = publisher
        self._label = label
        self._size = size
        self._batch = (size + 1) // 2
        self._flow = flow
        self._channel: Channel[T] = Channel(size)
        self._inbox: deque[Callable[[], None]] = deque()
        self._lock = Lock()
        #: requested, and not come
        self._outstanding = 0
        #: taken, and not requested again
        self._taken = 0
        self._subscribing = self._subscribed = self._told_first = False
        #: whether the publisher has said that it is at its end, or broken a rule
        self._ended = self._broke = False
        #: whether nobody wants anything any more, and whether nobody looks any more
        self._left = self._closed = False
        #: the one that was accepted first, and the same as long as it is of use
        self._given: Subscription | None = None
        self._subscription: Subscription | None = None
        self._patience: asyncio.TimerHandle | None = None
        self._complained = False

    @property
    def channel(self) -> Channel[T]:
        """Where its items wait to be taken."""
        return self._channel

    def poll(self) -> T:
        """An item that is ready, or END."""
        item = self._channel.poll()
        if item is not END:
            self._took()
        return item

    async def __anext__(self) -> T:
        if not self._subscribing:
            self.subscribe()
        item = await self._channel.__anext__()
        self._took()
        return item

    def _took(self) -> None:
        self._taken += 1
        if self._taken >= self._batch:
            self._taken, taken = 0, self._taken
            self._request(taken)

    def subscribe(self) -> None:
        """Subscribe now."""
        self._subscribing = True
        if self._left:
            return
        self._patience = self._flow.loop.call_later(SUBSCRIBE_PATIENCE, self._wait_no_more)
        try:
            first = getattr(self._publisher, "initial_request_n", None)
            if callable(first):
                # rsocket-py sends the first number along with its request, and a number in front of
                # that would be lost.
                first(self._size)
                self._told_first = True
                self._outstanding = self._size
            self._publisher.subscribe(self)
        except BaseException as error:
            note(error, f"in subscribe() of {self._label}")
            self._breaks(error)

    def _request(self, n: int) -> None:
        subscription = self._subscription
        if subscription is None or self._ended or self._left:
            return
        with self._lock:
            self._outstanding += n
        try:
            subscription.request(n)
        except BaseException as error:
            note(error, f"in request({n}) of {self._label}")
            self._breaks(error)

    def end(self) -> None:
        """Take no more: cancel the subscription, and end after the items that wait."""
        self._subscribing = True
        self._leave()
        self._channel.close()

    def cancel(self) -> None:
        """Cancel the subscription, and drop what waits."""
        self._leave()
        self._channel.cancel()

    async def aclose(self) -> None:
        """The same as `cancel`."""
        self.cancel()
        self._closed = True

    def _leave(self) -> None:
        if self._left:
            return
        self._left = True
        if self._patience is not None:
            self._patience.cancel()
        subscription, self._subscription = self._subscription, None
        if subscription is not None and not self._ended:
            self._refuse(subscription)

    def _refuse(self, subscription: Subscription) -> None:
        try:
            subscription.cancel()
        except BaseException as error:
            note(error, f"in cancel() of {self._label}")
            scope = self._flow.scope
            (scope.report if self._closed else scope.lost)(error)

    # the Subscriber: from any thread

    def on_subscribe(self, subscription: Subscription, /) -> None:
        """The publisher has accepted the subscription."""
        if subscription is None:
            raise self._broken(InvalidFlowError, "called on_subscribe(None)", "2.13")
        lacks = missing(subscription, "request", "cancel")
        if lacks:
            what = f"called on_subscribe() with {shown(subscription)}, which has no {lacks}"
            raise self._broken(InvalidFlowError, what, "1.9")
        with self._lock:
            again, self._subscribed = self._subscribed, True
            if not again:
                self._given = subscription
        if again and subscription is self._given:
            self._broken(UsageError, "called on_subscribe() twice with one subscription", "2.12")
        elif again:
            self._complain("called on_subscribe() again (rule 2.12)")
            self._refuse(subscription)
        elif not self._later(partial(self._begin, subscription)):
            self._refuse(subscription)

    def on_next(self, value: T, /, is_complete: bool = False) -> None:
        """An item; the last one if it says so, as rsocket-py does."""
        if value is None:
            raise self._broken(InvalidProductError, "gave None", "2.13")
        with self._lock:
            late, early = self._ended, not self._subscribed
            unasked = not self._outstanding
            if not (late or early or unasked):
                self._outstanding -= 1
        if late:
            if not (self._left or self._broke):
                self._complain("gave an item after its end (rule 1.7)")
        elif early:
            self._broken(UsageError, "gave an item before it called on_subscribe()", "1.9")
        elif unasked:
            self._broken(BufferOverflowError, "gave more items than were requested", "1.1")
        else:
            self._later(partial(self._channel.put, value))
            if is_complete:
                self.on_complete()

    def on_error(self, exception: BaseException, /) -> None:
        """The end, with an error."""
        if not isinstance(exception, BaseException):
            what = f"called on_error() with {shown(exception)}, which is no exception"
            error = self._broken(InvalidFlowError, what, "2.13")
            if exception is None:
                raise error
            return
        if self._is_end("on_error", exception) and not self._later(partial(self._close, exception)):
            self._complain("failed when the loop of its run was closed", exception)

    def on_complete(self) -> None:
        """The end."""
        if self._is_end("on_complete", None):
            self._later(partial(self._close, None))

    def _is_end(self, signal: str, error: BaseException | None) -> bool:
        """Whether this signal is the end, and the first."""
        with self._lock:
            late, early = self._ended, not self._subscribed
            self._ended = self._ended or not early
        if early:
            what = f"called {signal}() before it called on_subscribe()"
            broken = self._broken(UsageError, what, "1.9")
            if error is not None:
                broken.__cause__ = error
        elif late and (error is not None or not self._broke):
            self._complain(f"called {signal}() after its end (rule 1.7)", error)
        return not (early or late)

    # what happens on the loop

    def _later(self, event: Callable[[], None]) -> bool:
        """Have this happen on the loop, after all that came before; whether it will."""
        self._inbox.append(event)
        if self._flow.here:
            self._drain()
            return True
        try:
            self._flow.loop.call_soon_threadsafe(self._drain)
        except RuntimeError:
            if not self._flow.loop.is_closed():
                raise
            return False
        return True

    def _drain(self) -> None:
        # So many, and not all that come meanwhile: threads may be faster than this.
        for _ in range(len(self._inbox)):
            if self._inbox:
                self._inbox.popleft()()
        if self._inbox:
            self._flow.loop.call_soon(self._drain)

    def _begin(self, subscription: Subscription) -> None:
        if self._patience is not None:
            self._patience.cancel()
        if self._left or self._broke:
            self._refuse(subscription)
            return
        self._subscription = subscription
        if not self._told_first:
            self._request(self._size)

    def _close(self, error: BaseException | None) -> None:
        if self._patience is not None:
            self._patience.cancel()
        self._subscription = None
        if error is not None and self._left:
            self._complain("failed after its subscription was cancelled", error)
        self._channel.close(error)

    def _broken(self, kind: type[Exception], what: str, rule: str) -> Exception:
        """The error for a rule that the publisher has broken; it ends the run, too."""
        error = kind(f"{self._label} {what} (rule {rule} of Reactive Streams)")
        self._breaks(error)
        return error

    def _breaks(self, error: BaseException) -> None:
        with self._lock:
            first, self._ended = not self._ended, True
            self._broke = self._broke or first
        if not first or not self._later(partial(self._give_up, error)):
            self._complain("went wrong after its end", error)

    def _give_up(self, error: BaseException) -> None:
        subscription = self._subscription
        self._close(error)
        if subscription is not None:
            self._refuse(subscription)

    def _complain(self, what: str, error: BaseException | None = None) -> None:
        """Log what nobody is to be stopped by; an error each time, anything else once."""
        if error is not None or not self._complained:
            self._complained = True
            _log.warning("%s %s", self._label, what, exc_info=error)

    def _wait_no_more(self) -> None:
        self._complain(
            f"has not called on_subscribe() for {SUBSCRIBE_PATIENCE:g} s after subscribe():"
            " nothing will come of it until it does (rule 1.9)"
        )
