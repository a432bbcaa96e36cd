"""An observable as a stream, whose events may come from any thread."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Hashable, Mapping
from typing import Final

from reactivex import abc
from reactivex.disposable import Disposable

from .._loops.inbox import Inbox, running_loop
from .._monitoring.meter import ItemCounter
from .._streams.channel import BUFFER, Channel
from .._streams.iteration import Cancellable
from .._typing import T
from .errors import as_exception
from .scheduler import FlowScheduler

__all__ = ["Intake"]

_log = logging.getLogger(__name__)


#: Waiting items of a source that can't wait, past which a warning is due.
WARN_PAST: Final = 10_000


class Intake(Cancellable[T]):
    """The items of an observable, as a stream; subscribes when the first one is asked for.

    Events may come from any thread. At most `size` items wait here if the source respects demand;
    from one that can't wait nothing is lost: its items queue up, and past 10,000 the logger of this
    module warns once.
    """

    def __init__(
        self,
        source: abc.ObservableBase[T],
        flow: FlowScheduler,
        downstream: Mapping[Hashable, int] | None = None,
        size: int = BUFFER,
        tally: ItemCounter | None = None,
    ) -> None:
        self._source = source
        self._tally = tally
        self._loop = flow.loop
        self._inbox = Inbox(flow.loop)
        self._posted = self._inbox.waiting
        self._channel: Channel[T] = Channel(size)
        self._waiting = self._channel.items
        self._put = self._channel.put
        #: an item that is ready, or END
        self.poll = self._channel.poll
        self._flow = flow.demanding(self._channel, downstream)
        self._subscription: abc.DisposableBase | None = None
        self._cancelled = False
        self._warned = False

    @property
    def channel(self) -> Channel[T]:
        """Where its items wait to be taken."""
        return self._channel

    def end(self) -> bool:
        """Take no more: unsubscribe, and end after the items that wait; whether there might have
        been more."""
        goes_on = not self._channel.closed
        if self._subscription is None:
            self._subscription = Disposable()
        self._subscription.dispose()
        self._on_completed()
        return goes_on

    def __anext__(self) -> Awaitable[T]:
        if self._subscription is None:
            self.subscribe()
        return self._channel.__anext__()

    def subscribe(self) -> None:
        """Subscribe now: to a source that emits before anybody can read."""
        if self._subscription is None and not self._cancelled:
            self._subscription = Disposable()
            subscription = self._source.subscribe(
                self._on_next, self.fail, self._on_completed, scheduler=self._flow
            )
            self._subscription = subscription
            if self._cancelled:
                subscription.dispose()

    def _on_next(self, item: T) -> None:
        # On the loop, with nothing in front of it, an item needs no inbox (workload "hot").
        if running_loop() is self._loop and not self._posted:
            self._take(item)
        elif not self._cancelled:
            self._inbox.post(self._take, item)

    def _take(self, item: T) -> None:
        if self._tally is not None:
            self._tally.gave()
        self._put(item)
        if len(self._waiting) > WARN_PAST:
            self._warn()

    def _on_completed(self) -> None:
        if not self._cancelled:
            self._inbox.post(self._channel.close)

    def fail(self, error: object) -> None:
        """End with `error`, after the items that wait; from an observable, it may be any object."""
        if not self._cancelled:
            self._inbox.post(self._channel.close, as_exception(error))

    def _warn(self) -> None:
        if not self._warned:
            self._warned = True
            _log.warning(
                "more than 10,000 items of %s wait, because it emits without respecting demand;"
                " emit more slowly, thin it out before (ops.sample, ops.throttle_first), let the"
                " slow step run more calls at once, or say what may be dropped:"
                " from_observable(..., overflow=…), or step.buffered(...)",
                self._label,
            )

    @property
    def _label(self) -> str:
        """What messages call the source."""
        return repr(self._source)

    def cancel(self) -> None:
        """Unsubscribe, and drop what waits."""
        self._cancelled = True
        # In this order: a source that waits for demand must be gone before the channel lets it go
        # on.
        if self._subscription is not None:
            self._subscription.dispose()
        self._channel.cancel()

    async def aclose(self) -> None:
        """The same as `cancel`."""
        self.cancel()
