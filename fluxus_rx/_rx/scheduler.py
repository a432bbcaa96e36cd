"""The scheduler that carries a run: its loop, its scope, and the demand of the next stage.

Rx passes one object from the subscriber up to the source: the scheduler. So the run travels on it,
through all operators that pass their scheduler on, as nearly all do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Mapping
from typing import TypeVar

from reactivex import abc
from reactivex import typing as rx_typing
from reactivex.scheduler.eventloop import AsyncIOScheduler, AsyncIOThreadSafeScheduler

from .._common.encoding import printed
from .._errors import UsageError
from .._loops.event_loop import call_soon
from .._typing import Demand
from .scope import Scope

__all__ = ["UNBOUNDED", "FlowScheduler"]

_S = TypeVar("_S")


class _Unbounded:
    """The demand of an observer that takes whatever comes, as all do in Rx itself."""

    ready = True

    async def wait(self) -> None:
        """Return at once."""

    def __repr__(self) -> str:
        return "..."


UNBOUNDED: Demand = _Unbounded()


@printed
class FlowScheduler(AsyncIOScheduler):
    """An asyncio scheduler that carries a run, and its demand, upstream through Rx operators.

    Subscribe with one to run a flow on its loop. Work may be scheduled from any thread. An error of
    a scheduled action ends the run; an ordinary scheduler leaves it to the loop's exception
    handler.

    >>> import asyncio, reactivex
    >>> from reactivex import operators as ops
    >>> async def main():
    ...     ended = asyncio.Event()
    ...     source = reactivex.timer(0).pipe(ops.map(lambda x: x + 1))
    ...     source.subscribe(print, on_completed=ended.set, scheduler=FlowScheduler.of(None))
    ...     await ended.wait()
    >>> asyncio.run(main())
    1
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        scope: Scope | None = None,
        demand: Demand = UNBOUNDED,
        downstream: Mapping[Hashable, int] | None = None,
        *,
        is_inner: bool = False,
    ) -> None:
        super().__init__(loop)
        self.loop = loop
        self.scope = scope or Scope(loop)
        self.demand = demand
        #: how often each limited step stands downstream of here
        self.downstream = downstream or {}
        #: whether what runs here is inside of a call of the run
        self.is_inner = is_inner
        #: for a source that is multicast: the run that has listened last, and waits for its end
        self.last_run: Callable[[], Scope | None] | None = None
        self._from_elsewhere = AsyncIOThreadSafeScheduler(loop)

    def __repr__(self) -> str:
        state = (
            "closed" if self.loop.is_closed() else "running" if self.loop.is_running() else "idle"
        )
        return f"<FlowScheduler on a loop that is {state}, for {self.scope!r}>"

    @classmethod
    def of(cls, scheduler: abc.SchedulerBase | None) -> FlowScheduler:
        """A scheduler for a run: `scheduler` itself if it is one, else one on the loop of
        `scheduler`, else one on the running loop.

        Raises `UsageError` (a RuntimeError) without a loop, or if the loop is closed.
        """
        if isinstance(scheduler, AsyncIOScheduler):
            if scheduler._loop.is_closed():
                raise UsageError(
                    f"the event loop of {scheduler!r} is closed, so nothing can run on it:"
                    " subscribe with a scheduler of a loop that runs, or with none inside a"
                    " coroutine"
                )
            return scheduler if isinstance(scheduler, FlowScheduler) else cls(scheduler._loop)
        try:
            return cls(asyncio.get_running_loop())
        except RuntimeError:
            raise UsageError(
                "an asynchronous step needs an event loop, and none is running here: subscribe"
                " inside a coroutine (asyncio.run(main())), pass"
                " scheduler=AsyncIOThreadSafeScheduler(loop), or call run(flow). Behind an operator"
                " of Rx that waits, such as ops.debounce(), pass that scheduler to the outermost"
                " subscribe(): without one, it goes on in a thread of its own"
            ) from None

    def demanding(
        self, demand: Demand, downstream: Mapping[Hashable, int] | None = None
    ) -> FlowScheduler:
        """The same run, for conduits upstream of a stage with this demand."""
        return FlowScheduler(
            self.loop,
            self.scope,
            demand,
            self.downstream if downstream is None else downstream,
            is_inner=self.is_inner,
        )

    @classmethod
    def of_run(cls, scheduler: abc.SchedulerBase | None) -> FlowScheduler | None:
        """The scheduler itself, if it is that of a run that is going on; one that a user has made,
        or of a run that has ended, is worth no more than its loop."""
        if isinstance(scheduler, cls):
            scope = scheduler.scope
            if scope.on_fail is not None and not scope.closing:
                return scheduler
        return None

    @property
    def here(self) -> bool:
        """Whether the caller runs on the loop of the run."""
        try:
            return asyncio.get_running_loop() is self.loop
        except RuntimeError:
            return False

    def on_loop(self, action: Callable[[], object]) -> None:
        """Call `action` on the loop: at once if this is the loop, never if it is closed."""
        if self.here:
            action()
        else:
            call_soon(self.loop, action)

    def schedule(
        self, action: rx_typing.ScheduledAction[_S], state: _S | None = None
    ) -> abc.DisposableBase:
        """Run `action` on the loop soon; returns a disposable that cancels it."""
        self.scope.count_scheduled()
        if self.here:
            return super().schedule(self._watched(action), state)
        return self._from_elsewhere.schedule(self._watched(action), state)

    def schedule_relative(
        self,
        duetime: rx_typing.RelativeTime,
        action: rx_typing.ScheduledAction[_S],
        state: _S | None = None,
    ) -> abc.DisposableBase:
        """Run `action` on the loop after `duetime` seconds; returns a disposable that cancels
        it."""
        if self.here:
            return super().schedule_relative(duetime, self._watched(action), state)
        return self._from_elsewhere.schedule_relative(duetime, self._watched(action), state)

    def _watched(self, action: rx_typing.ScheduledAction[_S]) -> rx_typing.ScheduledAction[_S]:
        def watched(scheduler: abc.SchedulerBase, state: _S | None) -> abc.DisposableBase | None:
            try:
                return action(self, state)
            except Exception as error:
                if self.scope.on_fail is None:
                    raise
                self.scope.fail(error)
                return None

        return watched
