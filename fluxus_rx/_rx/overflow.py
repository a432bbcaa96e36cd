"""What happens to the items of a source that doesn't wait, when nobody takes them fast enough."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Hashable, Mapping
from threading import Lock
from typing import Any, Final, Literal, NamedTuple, Self, TypeAlias, get_args

from reactivex import Observable, abc
from reactivex.disposable import Disposable

from .._common.messages import check_choice, check_whole_number
from .._common.text import counted
from .._errors import BufferOverflowError, InvalidFlowError, InvalidOptionError
from .._loops.inbox import Wakeup
from .._monitoring.meter import ItemCounter
from .._streams.channel import BUFFER
from .._streams.iteration import END, Cancellable
from .._typing import T
from .errors import as_exception
from .intake import Intake
from .scheduler import UNBOUNDED, FlowScheduler

__all__ = [
    "BoundedIntake",
    "BufferedObservable",
    "Overflow",
    "OverflowPolicy",
    "UnboundedIntake",
    "usual_size",
]

_log = logging.getLogger(__name__)

#: what is done with an item for which there is no room
Overflow: TypeAlias = Literal["keep", "error", "drop_oldest", "drop_newest", "latest"]

_CHOICES: Final = get_args(Overflow)


class OverflowPolicy(NamedTuple):
    """How many items may wait, and what becomes of those for which there is no room.

    `heeded` tells whether "keep" has a source that can wait do so.
    """

    label: str
    size: int
    overflow: Overflow
    heeded: bool

    @classmethod
    def of(
        cls, who: str, label: str, argument: str, size: Any, overflow: Any, heeded: bool
    ) -> Self:
        """The policy, if these are one; `argument` is what the size is called by `who` takes it."""
        check_choice("overflow", overflow, _CHOICES, who=who)
        check_whole_number(argument, size, "items", who=who, wrong_type=InvalidFlowError)
        if overflow == "latest" and size != 1:
            raise InvalidOptionError(
                f"{who}: {argument}={size}: overflow='latest' keeps one item, the newest, so"
                f" {argument} is 1; to keep the newest {size:,}, choose 'drop_oldest'"
            )
        return cls(label, size, overflow, heeded)

    def error(self) -> BufferOverflowError:
        """The error for one item too many."""
        return BufferOverflowError(
            f"{self.label}: {counted(self.size, 'item waits', 'items wait')}, and one more has come"
            " (overflow='error')."
            " Let the step that takes them run more calls at once, raise the size, thin them out"
            " before (ops.sample, ops.throttle_first), or choose another overflow: 'keep' (no"
            " limit), 'drop_oldest', 'drop_newest' or 'latest'"
        )


def usual_size(overflow: object) -> int:
    """The items that wait at most where nobody says how many."""
    return 1 if overflow == "latest" else BUFFER


class BufferedObservable(Observable[T]):
    """An observable whose items are held by a policy, where a stage takes them in."""

    def __init__(
        self,
        source: Observable[T],
        policy: OverflowPolicy,
        key: Hashable,
        on_drop: Callable[[], object] | None = None,
    ) -> None:
        super().__init__()
        self.source = source
        self.policy = policy
        #: whose it is, in a run that counts
        self.key = key
        #: is called for each item that is dropped, under a lock
        self.on_drop = on_drop

    def _subscribe_core(
        self, observer: abc.ObserverBase[T], scheduler: abc.SchedulerBase | None = None
    ) -> abc.DisposableBase:
        return self.source.subscribe(observer, scheduler=scheduler)

    def intake(
        self, flow: FlowScheduler, downstream: Mapping[Hashable, int], tally: ItemCounter | None
    ) -> UnboundedIntake[T] | BoundedIntake[T]:
        """Its items as a stream."""
        kind: Any = UnboundedIntake if self.policy.overflow == "keep" else BoundedIntake
        intake: UnboundedIntake[T] | BoundedIntake[T] = kind(self, flow, downstream, tally)
        return intake


class UnboundedIntake(Intake[T]):
    """The items of an observable, all of them."""

    def __init__(
        self,
        source: BufferedObservable[T],
        flow: FlowScheduler,
        downstream: Mapping[Hashable, int],
        tally: ItemCounter | None,
    ) -> None:
        self._policy = source.policy
        super().__init__(source.source, flow, downstream, self._policy.size, tally)
        if not self._policy.heeded:
            self._flow = flow.demanding(UNBOUNDED, downstream)

    @property
    def _label(self) -> str:
        return self._policy.label


class BoundedIntake(Cancellable[T]):
    """The items of an observable that is never asked to wait, as a stream.

    Events may come from any thread: an item is held, or dropped, in the thread that emits it, so
    that no more than so many wait however long the loop is busy.
    """

    def __init__(
        self,
        source: BufferedObservable[T],
        flow: FlowScheduler,
        downstream: Mapping[Hashable, int],
        tally: ItemCounter | None,
    ) -> None:
        self._source = source.source
        self._policy = source.policy
        self._on_drop = source.on_drop
        self._size = source.policy.size
        self._flow = flow.demanding(UNBOUNDED, downstream)
        self._tally = tally
        self._items: deque[T] = deque()
        self._lock = Lock()
        self._received = self._dropped = 0
        self._subscription: abc.DisposableBase | None = None
        self._ended = False
        self._error: BaseException | None = None
        self._reader: asyncio.Future[None] | None = None
        self._wakeup = Wakeup(flow.loop, self._wake_reader)

    def __len__(self) -> int:
        return len(self._items)

    @property
    def channel(self) -> BoundedIntake[T]:
        """Where its items wait to be taken."""
        return self

    def subscribe(self) -> None:
        """Subscribe now: to a source that emits before anybody can read."""
        if self._subscription is None:
            self._subscription = Disposable()
            self._subscription = self._source.subscribe(
                self._on_next, self.fail, self._on_completed, scheduler=self._flow
            )
            if self._ended:
                self._subscription.dispose()

    def _on_next(self, item: T) -> None:
        with self._lock:
            if self._ended:
                return
            self._received += 1
            if len(self._items) < self._size or self._make_room():
                self._items.append(item)
        if self._ended and self._subscription is not None:
            self._subscription.dispose()
        if self._reader is not None and not self._wakeup.is_due:
            self._wakeup.request()

    def _make_room(self) -> bool:
        """Whether one of those that wait has been dropped, and not the one that has come."""
        overflow = self._policy.overflow
        if overflow == "error":
            self._ended, self._error = True, self._policy.error()
            return False
        if overflow != "drop_newest":
            try:
                self._items.popleft()
            except IndexError:  # the reader has taken them meanwhile
                return True
        self._dropped += 1
        if self._on_drop is not None:
            self._on_drop()
        if self._tally is not None:
            self._tally.dropped()
        return overflow != "drop_newest"

    def _on_completed(self) -> None:
        self._end(None)

    def fail(self, error: object) -> None:
        """End with `error`, after the items that wait; from an observable, it may be any object."""
        self._end(as_exception(error))

    def _end(self, error: BaseException | None) -> None:
        with self._lock:
            if self._ended:
                return
            self._ended, self._error = True, error
        if self._reader is not None:
            self._wakeup.request()

    def _wake_reader(self) -> None:
        reader = self._reader
        if reader is not None and not reader.done():
            reader.set_result(None)

    def poll(self) -> T:
        """An item that is ready, or END."""
        try:
            item = self._items.popleft()
        except IndexError:
            return END  # type: ignore[no-any-return]  # a mark of any type
        if self._tally is not None:
            self._tally.gave()
        return item

    async def __anext__(self) -> T:
        self.subscribe()
        while (item := self.poll()) is END:
            if self._ended and not self._items:
                error, self._error = self._error, None
                if error is not None:
                    raise error
                raise StopAsyncIteration
            self._reader = asyncio.get_running_loop().create_future()
            try:
                # Looked at again: a thread that found no reader has woken none.
                if not self._items and not self._ended:
                    await self._reader
            finally:
                self._reader = None
        return item

    def end(self) -> bool:
        """Take no more: unsubscribe, and end after the items that wait; whether there might have
        been more."""
        goes_on = not self._ended
        self._end(None)
        if self._subscription is None:
            self._subscription = Disposable()
        self._subscription.dispose()
        return goes_on

    def cancel(self) -> None:
        """Unsubscribe, and drop what waits."""
        self.end()
        with self._lock:
            self._items.clear()
            dropped, self._dropped = self._dropped, 0
        if dropped:
            _log.info(
                "%s: %d of %s dropped (buffer=%d, overflow=%r)",
                self._policy.label,
                dropped,
                counted(self._received, "item was", "items were"),
                self._policy.size,
                self._policy.overflow,
            )

    async def aclose(self) -> None:
        """The same as `cancel`."""
        self.cancel()
