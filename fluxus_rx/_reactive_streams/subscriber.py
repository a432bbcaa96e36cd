"""A subscriber of the Reactive Streams protocol, as a stream of what it is given.

Rules of this file, beside those of the specification:

1. Signals may come from any thread: they are judged there, under a lock, and take effect on the
   loop, in their order. So do all calls of the subscription.
2. What was requested and has not come, what waits, and what was taken and not requested again are
   `buffer` items together.
3. `_StrictSubscriber` knows what the publisher may signal, in any thread; `SubscriberStream` what
   its reader wants, on the loop. Neither touches the state of the other.
"""

from __future__ import annotations

import asyncio
import logging
from enum import Enum
from threading import Lock
from typing import Final, Generic

from .._common.messages import note, shown
from .._errors import BufferOverflowError, InvalidFlowError, InvalidProductError, UsageError
from .._loops.inbox import Inbox, running_loop
from .._rx.scheduler import FlowScheduler
from .._streams.channel import Channel
from .._streams.iteration import END, Cancellable
from .._typing import T
from .protocols import Publisher, Subscription, missing

__all__ = ["SubscriberStream"]

_log = logging.getLogger(__name__)

#: Seconds after which a publisher that has not called `on_subscribe` is complained of.
SUBSCRIBE_PATIENCE: Final = 5.0


class _StreamState(Enum):
    """What the reader of a stream wants of it."""

    IDLE = "nothing yet"
    SUBSCRIBED = "items"
    LEFT = "no more items"
    CLOSED = "no more items, and no errors either"


class SubscriberStream(Cancellable[T]):
    """What a publisher publishes, as a stream; subscribes when the first item is asked for.

    It lives on the loop of its run, but for `has_left` and `warn`.
    """

    def __init__(self, publisher: Publisher[T], label: str, size: int, flow: FlowScheduler) -> None:
        self.label = label
        self._publisher = publisher
        self._size = size
        self._batch = (size + 1) // 2
        self._loop = flow.loop
        self._scope = flow.scope
        self._channel: Channel[T] = Channel(size)
        self._waiting = self._channel.items
        self._subscriber = _StrictSubscriber(self, self._channel, flow.loop)
        self._state = _StreamState.IDLE
        #: the subscription, for as long as it is of use
        self._subscription: Subscription | None = None
        #: room for which no item has been requested
        self._unrequested = size
        self._patience: asyncio.TimerHandle | None = None
        self._warned = False

    @property
    def channel(self) -> Channel[T]:
        """Where its items wait to be taken."""
        return self._channel

    @property
    def has_left(self) -> bool:
        """Whether the reader wants no more items."""
        return self._state in (_StreamState.LEFT, _StreamState.CLOSED)

    # the reader

    def poll(self) -> T:
        """An item that is ready, or END."""
        # Nobody waits for room in this channel, so that its own `poll` would do no more.
        if not self._waiting:
            return END  # type: ignore[no-any-return]  # a mark of any type
        item = self._waiting.popleft()
        self._unrequested += 1
        if self._unrequested >= self._batch:
            self._request()
        return item

    async def __anext__(self) -> T:
        if self._state is _StreamState.IDLE:
            self.subscribe()
        if not self._waiting and not await self._channel.filled():
            return await self._channel.__anext__()  # the end, or an error
        return self.poll()

    def subscribe(self) -> None:
        """Subscribe now."""
        if self._state is not _StreamState.IDLE:
            return
        self._state = _StreamState.SUBSCRIBED
        self._patience = self._loop.call_later(SUBSCRIBE_PATIENCE, self._warn_of_silence)
        try:
            tell_first_number = getattr(self._publisher, "initial_request_n", None)
            if callable(tell_first_number):
                # rsocket-py sends the first number along with its request, and a number in front of
                # that would be lost.
                tell_first_number(self._size)
                self._unrequested = 0
                self._subscriber.expect(self._size)
            self._publisher.subscribe(self._subscriber)
        except BaseException as error:
            note(error, f"in subscribe() of {self.label}")
            self._subscriber.fail(error)

    def _request(self) -> None:
        number, self._unrequested = self._unrequested, 0
        subscription = self._subscription
        if not number or subscription is None or self._subscriber.has_ended or self.has_left:
            return
        self._subscriber.expect(number)
        try:
            subscription.request(number)
        except BaseException as error:
            note(error, f"in request({number}) of {self.label}")
            self._subscriber.fail(error)

    def end(self) -> bool:
        """Take no more: cancel the subscription, and end after the items that wait; whether there
        might have been more."""
        goes_on = not self._channel.closed
        self._leave()
        self._channel.close()
        return goes_on

    def cancel(self) -> None:
        """Cancel the subscription, and drop what waits."""
        self._leave()
        self._channel.cancel()

    async def aclose(self) -> None:
        """The same as `cancel`."""
        self.cancel()
        self._state = _StreamState.CLOSED

    def _leave(self) -> None:
        if self.has_left:
            return
        self._state = _StreamState.LEFT
        self._stop_patience()
        subscription, self._subscription = self._subscription, None
        if subscription is not None and not self._subscriber.has_ended:
            self.refuse(subscription)

    # events of the subscriber

    def begin(self, subscription: Subscription) -> None:
        """The publisher has accepted: ask it for items."""
        self._stop_patience()
        if self.has_left or self._subscriber.has_failed:
            self.refuse(subscription)
        else:
            self._subscription = subscription
            self._request()

    def close(self, error: BaseException | None = None) -> None:
        """The publisher is at its end: so is this, after the items that wait."""
        self._stop_patience()
        self._subscription = None
        if error is not None and self.has_left:
            self.warn("failed after its subscription was cancelled", error)
        self._channel.close(error)

    def abort(self, error: BaseException) -> None:
        """The publisher has broken a rule: cancel its subscription, and end with the error."""
        subscription = self._subscription
        self.close(error)
        if subscription is not None:
            self.refuse(subscription)

    def refuse(self, subscription: Subscription) -> None:
        """Cancel a subscription."""
        try:
            subscription.cancel()
        except BaseException as error:
            note(error, f"in cancel() of {self.label}")
            if self._state is _StreamState.CLOSED:
                self._scope.call_exception_handler(error)
            else:
                self._scope.add_error(error)

    def warn(self, what: str, error: BaseException | None = None) -> None:
        """Log what nobody is to be stopped by; an error each time, anything else once."""
        if error is not None or not self._warned:
            self._warned = True
            _log.warning("%s %s", self.label, what, exc_info=error)

    def _warn_of_silence(self) -> None:
        self.warn(
            f"has not called on_subscribe() for {SUBSCRIBE_PATIENCE:g} s after subscribe():"
            " nothing will come of it until it does (rule 1.9)"
        )

    def _stop_patience(self) -> None:
        if self._patience is not None:
            self._patience.cancel()


class _PublisherState(Enum):
    """What a publisher may still do, by what it has signalled."""

    ACTIVE = "signal"
    ENDED = "nothing: it has signalled its end"
    FAILED = "nothing: it has broken a rule, or raised"


# Looked at for each item: an attribute of an Enum costs twice as much as a global.
_ACTIVE, _ENDED, _FAILED = _PublisherState


class _StrictSubscriber(Generic[T]):
    """The Subscriber that a publisher gets; holds it to the rules of the specification.

    Each signal is judged in the thread it comes from, and becomes an event of the stream on the
    loop if the publisher may publish it. The first rule that is broken ends the stream with an
    error.
    """

    def __init__(
        self, stream: SubscriberStream[T], channel: Channel[T], loop: asyncio.AbstractEventLoop
    ) -> None:
        inbox = Inbox(loop)
        self._stream = stream
        self._put = channel.put
        self._loop = loop
        self._posted = inbox.waiting
        self._post = inbox.post
        self._try_post = inbox.try_post
        self._lock = Lock()
        self._state = _ACTIVE
        self._subscription: Subscription | None = None
        #: how many items were requested and have not come
        self._outstanding = 0

    @property
    def has_ended(self) -> bool:
        """Whether the publisher is at its end, whichever way."""
        return self._state is not _ACTIVE

    @property
    def has_failed(self) -> bool:
        """Whether the publisher has broken a rule, or raised."""
        return self._state is _FAILED

    def expect(self, n: int) -> None:
        """Let the publisher send `n` more items."""
        with self._lock:
            self._outstanding += n

    def on_subscribe(self, subscription: Subscription, /) -> None:
        """The publisher has accepted the subscription."""
        if subscription is None:
            raise self._violation(InvalidFlowError, "called on_subscribe(None)", "2.13")
        lacks = missing(subscription, "request", "cancel")
        if lacks:
            what = f"called on_subscribe() with {shown(subscription)}, which has no {lacks}"
            raise self._violation(InvalidFlowError, what, "1.9")
        with self._lock:
            earlier = self._subscription
            if earlier is None:
                self._subscription = subscription
        if earlier is None:
            if not self._try_post(self._stream.begin, subscription):
                self._stream.refuse(subscription)
        elif earlier is subscription:
            self._violation(UsageError, "called on_subscribe() twice with one subscription", "2.12")
        else:
            self._stream.warn("called on_subscribe() again (rule 2.12)")
            self._stream.refuse(subscription)

    def on_next(self, value: T, /, is_complete: bool = False) -> None:
        """An item; the last one if it says so, as rsocket-py does."""
        if value is None:
            raise self._violation(InvalidProductError, "published None", "2.13")
        with self._lock:
            state, early = self._state, self._subscription is None
            unrequested = not self._outstanding
            may = state is _ACTIVE and not (early or unrequested)
            if may:
                self._outstanding -= 1
        if may:
            # As in `Intake`: on the loop, with nothing in front of it, it needs no inbox.
            if running_loop() is self._loop and not self._posted:
                self._put(value)
            else:
                self._post(self._put, value)
            if is_complete:
                self.on_complete()
        elif state is not _ACTIVE:
            if state is _ENDED and not self._stream.has_left:
                self._stream.warn("published an item after its end (rule 1.7)")
        elif early:
            self._violation(UsageError, "published an item before it called on_subscribe()", "1.9")
        else:
            self._violation(BufferOverflowError, "published more items than were requested", "1.1")

    def on_error(self, exception: BaseException, /) -> None:
        """The end, with an error."""
        if not isinstance(exception, BaseException):
            what = f"called on_error() with {shown(exception)}, which isn't an exception"
            error = self._violation(InvalidFlowError, what, "2.13")
            if exception is None:
                raise error
            return
        if self._may_end("on_error", exception) and not self._try_post(
            self._stream.close, exception
        ):
            self._stream.warn("failed when the loop of its run was closed", exception)

    def on_complete(self) -> None:
        """The end."""
        if self._may_end("on_complete", None):
            self._post(self._stream.close)

    def _may_end(self, signal: str, error: BaseException | None) -> bool:
        """Take note of an end; whether it is the first, and comes when it may."""
        with self._lock:
            state, early = self._state, self._subscription is None
            if state is _ACTIVE and not early:
                self._state = _ENDED
        if early:
            what = f"called {signal}() before it called on_subscribe()"
            violation = self._violation(UsageError, what, "1.9")
            if error is not None:
                violation.__cause__ = error
            return False
        if state is _ENDED or (state is _FAILED and error is not None):
            self._stream.warn(f"called {signal}() after its end (rule 1.7)", error)
        return state is _ACTIVE

    def _violation(self, kind: type[Exception], what: str, rule: str) -> Exception:
        """The error for a rule that the publisher has broken; it ends the stream, too."""
        error = kind(f"{self._stream.label} {what} (rule {rule} of Reactive Streams)")
        self.fail(error)
        return error

    def fail(self, error: BaseException) -> None:
        """End because of the publisher, unless it is at its end already."""
        with self._lock:
            first = self._state is _ACTIVE
            if first:
                self._state = _FAILED
        if not first or not self._try_post(self._stream.abort, error):
            self._stream.warn("went wrong after its end", error)
