"""What reactivex multicasts (publish, share, replay and the like), so that no run owns it.

reactivex subscribes to the source with the scheduler of the subscriber that came first. That of a
run carries the run, and the source would end with it, no matter who else listens. An observable
passes nothing but that scheduler upstream, so the one place to mend this is the class that
connects, and it is mended there: all multicasting operators of reactivex are made of it. `tests/rx/
test_connectable.py` fails where that changes.

Rules of this file:

1. A source that is multicast is a run of its own, on the loop of the first subscriber's run.
2. The fastest subscriber sets its pace: no subscriber waits for one that doesn't read.
3. What an operator of `rx_pipe` multicasts for one run belongs to that run, and stays as it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from threading import Lock
from typing import Any, Final
from weakref import WeakKeyDictionary, WeakSet

from reactivex import ConnectableObservable, abc
from reactivex.disposable import CompositeDisposable, Disposable

from .._errors import UsageError
from .._loops.event_loop import call_soon
from .._loops.inbox import Wakeup
from .._loops.kept_loop import at_standstill
from .._typing import Demand
from .driver import LOOP_ENDED
from .scheduler import UNBOUNDED, FlowScheduler
from .scope import Scope

__all__ = ["made_for_one_run"]

#: whether what is made now is made for one subscription of one run
_for_one_run: ContextVar[bool] = ContextVar("_for_one_run", default=False)


@contextmanager
def made_for_one_run() -> Iterator[None]:
    """What is multicast by operators that are applied in this block is subscribed to by one run."""
    token = _for_one_run.set(True)
    try:
        yield
    finally:
        _for_one_run.reset(token)


class _Subscribers:
    """Those who listen to one connectable; the demand of all of them, which is that of the one who
    has room first."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._schedulers: list[abc.SchedulerBase | None] = []
        self._demands: list[Demand] = []
        #: that of the one who has left last
        self._last: abc.SchedulerBase | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changed: asyncio.Future[None] | None = None
        self._wakeup: Wakeup | None = None
        self._subject: abc.SubjectBase[Any] | None = None
        #: whether somebody listens on another loop
        self._is_heard_elsewhere = False
        #: ends with the loop
        self._guard: asyncio.Task[None] | None = None

    def connect_on(self, loop: asyncio.AbstractEventLoop, subject: abc.SubjectBase[Any]) -> None:
        """The source emits on this loop, by this subject."""
        with self._lock:
            self._loop, self._subject = loop, subject
            self._wakeup = Wakeup(loop, self._wake)
            self._update()

    def join(self, scheduler: abc.SchedulerBase | None) -> None:
        """One more; from any thread."""
        with self._lock:
            self._schedulers.append(scheduler)
            self._update()

    def leave(self, scheduler: abc.SchedulerBase | None) -> None:
        """One less; from any thread."""
        with self._lock:
            self._schedulers.remove(scheduler)
            self._last = scheduler
            self._update()

    def last_run(self) -> Scope | None:
        """The run that has left last, if it was one."""
        return self._last.scope if isinstance(self._last, FlowScheduler) else None

    def _update(self) -> None:
        flows = [FlowScheduler.of_run(scheduler) for scheduler in self._schedulers]
        # One on another loop can't be waited for.
        self._demands = [
            UNBOUNDED if flow is None or flow.loop is not self._loop else flow.demand
            for flow in flows
        ]
        self._is_heard_elsewhere = any(flow and flow.loop is not self._loop for flow in flows)
        if self._changed is not None and self._wakeup is not None:
            self._wakeup.request()
        if self._loop is not None and self._is_heard_elsewhere == (self._guard is None):
            call_soon(self._loop, self._set_guard)

    def _set_guard(self) -> None:
        if self._guard is not None:
            if not self._is_heard_elsewhere:
                self._guard.cancel()
        elif self._is_heard_elsewhere:
            self._guard = asyncio.get_running_loop().create_task(self._watch_loop())

    async def _watch_loop(self) -> None:
        """Tell those on other loops when this one ends, and cancels what runs on it: timers, which
        aren't tasks, just stop. Or when it stands still, between two runs of a thread."""
        loop = asyncio.get_running_loop()
        take_back = at_standstill(loop, self._tell_elsewhere)
        try:
            await loop.create_future()
        finally:
            take_back()
            self._guard = None
            self._tell_elsewhere()

    def _tell_elsewhere(self) -> None:
        if self._is_heard_elsewhere and self._subject is not None:
            self._subject.on_error(UsageError(LOOP_ENDED))

    def _wake(self) -> None:
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)

    @property
    def ready(self) -> bool:
        """Whether one of them can take one more item, or there is none."""
        demands = self._demands
        for demand in demands:
            if demand.ready:
                return True
        return not demands

    async def wait(self) -> None:
        """Return once one of them can take one more item, or nobody will take any."""
        while not self.ready:
            changed = self._changed = asyncio.get_running_loop().create_future()
            waiting = [asyncio.ensure_future(demand.wait()) for demand in self._demands]
            try:
                await asyncio.wait([changed, *waiting], return_when=asyncio.FIRST_COMPLETED)
            finally:
                self._changed = None
                for one in waiting:
                    one.cancel()
                await asyncio.wait(waiting)


#: those that runs listen to, and whose source is nobody's
_subscribers: WeakKeyDictionary[ConnectableObservable[Any], _Subscribers] = WeakKeyDictionary()
#: those that one run has for itself
_private: WeakSet[ConnectableObservable[Any]] = WeakSet()

_init: Final = ConnectableObservable.__init__
_subscribe: Final = ConnectableObservable._subscribe_core
_connect: Final = ConnectableObservable.connect


def _init_noted(self: ConnectableObservable[Any], *args: Any, **keywords: Any) -> None:
    _init(self, *args, **keywords)
    if _for_one_run.get():
        _private.add(self)


def _subscribe_noted(
    self: ConnectableObservable[Any],
    observer: abc.ObserverBase[Any],
    scheduler: abc.SchedulerBase | None = None,
) -> abc.DisposableBase:
    subscription = _subscribe(self, observer, scheduler)
    if self in _private:
        return subscription
    subscribers = _subscribers.setdefault(self, _Subscribers())
    subscribers.join(scheduler)
    return CompositeDisposable(subscription, Disposable(partial(subscribers.leave, scheduler)))


def _connect_apart(
    self: ConnectableObservable[Any], scheduler: abc.SchedulerBase | None = None
) -> abc.DisposableBase | None:
    flow = None if self in _private else FlowScheduler.of_run(scheduler)
    if flow is None:
        return _connect(self, scheduler)
    subscribers = _subscribers.setdefault(self, _Subscribers())
    subscribers.connect_on(flow.loop, self.subject)
    apart = FlowScheduler(flow.loop, demand=subscribers)
    apart.last_run = subscribers.last_run
    return _connect(self, apart)


ConnectableObservable.__init__ = _init_noted  # type: ignore[method-assign]  # see above
ConnectableObservable._subscribe_core = _subscribe_noted  # type: ignore[method-assign]  # see above
ConnectableObservable.connect = _connect_apart  # type: ignore[method-assign]  # see above
