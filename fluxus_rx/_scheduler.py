"""The scheduler that carries a run: its loop, its tasks, and the demand of the next stage.

Rx passes one object from the subscriber up to the source: the scheduler. So the run travels on it,
through any operator that hands its scheduler on, as nearly all of them do.
"""

from __future__ import annotations

import asyncio
import contextvars
import dataclasses
import logging
from collections.abc import Callable, Coroutine, Hashable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from reactivex import abc
from reactivex import typing as rx_typing
from reactivex.scheduler.eventloop import AsyncIOScheduler, AsyncIOThreadSafeScheduler

from ._errors import UsageError
from ._monitoring.meter import Meter
from ._options.failure import FailureLog
from ._options.step_options import StepOptions
from ._streams.timing import Turn
from ._typing import Demand

__all__ = ["UNBOUNDED", "FlowScheduler", "Scope", "Terms"]

_log = logging.getLogger(__name__)

_S = TypeVar("_S")
_T = TypeVar("_T")
_R = TypeVar("_R", bound="Resource")
_E = TypeVar("_E", bound="Ending")


class _Unbounded:
    """The demand of an observer that takes whatever comes, as all do in Rx itself."""

    ready = True

    async def wait(self) -> None:
        """Return at once."""


UNBOUNDED: Demand = _Unbounded()


class Ending(Protocol):
    """A source that can be told to give no more, and to end after what it has given."""

    def end(self) -> None:
        """Give no more."""
        ...


class Resource(Protocol):
    """What a run has beside its tasks, such as threads."""

    def cancel(self) -> None:
        """Tell it to end."""
        ...

    async def aclose(self) -> str | None:
        """Wait until it has ended; what there is to say of that, if anything."""
        ...


@dataclasses.dataclass
class Terms:
    """What a run is to be like, as whoever starts it wants it."""

    #: what counts it, if anything does
    meter: Meter | None = None
    #: those of steps that have none of their own
    options: StepOptions = StepOptions()  # noqa: RUF009 - frozen
    #: where failures go that don't end it; without one, none may be collected
    failures: FailureLog | None = None
    #: what each step is given instead of the products of the sources, by the identity of its trail
    replay: Mapping[int, Sequence[Any]] | None = None
    #: whether each path keeps the order of the source
    ordered: bool = False
    #: whether its sources may be told to end while it goes on
    steered: bool = False
    #: the path of the step at the end of a trail, and which of the places with that path it is
    place_of: Callable[[Any], tuple[str, int]] | None = None


class Scope:
    """All that one run has started, and what it knows of itself.

    `close()` cancels and awaits every task. `fail` takes an error that has no observer to go to,
    and hands it to whoever waits for the run.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        terms: Terms | None = None,
        on_fail: Callable[[BaseException], None] | None = None,
    ) -> None:
        self.loop = loop
        self.terms = terms or Terms()
        self.meter = self.terms.meter
        self.on_fail = on_fail
        self.turn = Turn(loop)
        #: what can be told to give no more, if the run is steered
        self.sources: list[Ending] = []
        self.drained = False
        #: what there is to say of how it ended
        self.notes: list[str] = []
        self.scheduled = 0
        self.closing = False
        self.abandoned = False
        self.errors: list[BaseException] = []
        # In their order, so that two runs in virtual time are cancelled alike.
        self._tasks: dict[asyncio.Task[None], None] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._shared: dict[Hashable, Any] = {}
        self._resources: list[Resource] = []

    def __repr__(self) -> str:
        return f"<run {id(self):#x}>"

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run `work` as a task of this scope, on the scope's loop."""
        task = asyncio.Task(work, loop=self.loop)
        self._tasks[task] = None
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fail(error)

    def fail(self, error: BaseException) -> None:
        """End the run because of an error that has no observer to go to."""
        if self.closing or self.on_fail is None:
            self.lost(error)
        else:
            self.on_fail(error)

    def lost(self, error: BaseException) -> None:
        """Keep an error that came up while the run was ending, for whoever ends it; with nobody
        left to tell, the loop's exception handler gets it."""
        if self.abandoned:
            self.report(error)
        else:
            self.errors.append(error)

    def report(self, error: BaseException) -> None:
        """Give an error to the loop's exception handler."""
        message = "fluxus_rx: an error that nobody was left to be told of"
        self.loop.call_exception_handler({"message": message, "exception": error})

    def shared(self, key: Hashable, make: Callable[[], _T]) -> _T:
        """The one object of this run under `key`, made when it is first asked for."""
        if key not in self._shared:
            self._shared[key] = make()
        found: _T = self._shared[key]
        return found

    def owns(self, resource: _R) -> _R:
        """The same; it ends with the run."""
        self._resources.append(resource)
        return resource

    def feed(self, source: _E) -> _E:
        """The same, known as a source; it ends when the run is drained."""
        self.sources.append(source)
        if self.drained:
            source.end()
        return source

    def drain(self) -> None:
        """Tell the sources to give no more."""
        self.drained = True
        for source in self.sources:
            source.end()

    def cancel(self) -> None:
        """Tell all tasks to end that are not ending by themselves; once."""
        if not self.closing:
            self.closing = True
            for resource in self._resources:
                resource.cancel()
            _log.debug("%r closes, with %d tasks in it", self, len(self._tasks))
            # Not the one that we are in: it would be broken into where it cleans up. It looks
            # whether the run is closing before its next item.
            inside = None if asyncio._get_running_loop() is None else asyncio.current_task()
            for task in [*self._tasks]:
                if task is not inside and task not in self._ending:
                    task.cancel()

    def spare(self, task: asyncio.Task[None]) -> None:
        """`task` ends by itself: to cancel it would break into what it does to clean up."""
        self._ending.add(task)

    @property
    def has_resources(self) -> bool:
        """Whether there is anything to be waited for beside its tasks."""
        return bool(self._resources)

    async def close(self) -> None:
        """Cancel all tasks and wait for them; a cancellation meanwhile is raised afterwards."""
        self.cancel()
        cancelled: asyncio.CancelledError | None = None
        while pending := [task for task in self._tasks if not task.done()]:
            try:
                await asyncio.wait(pending)
            except asyncio.CancelledError as error:
                cancelled = error
        # Let the done callbacks run, which collect what the tasks raised.
        while self._tasks:  # noqa: ASYNC110 - one turn, or two; no event is cheaper
            await asyncio.sleep(0)
        resources, self._resources = self._resources, []
        if resources:
            ended = asyncio.gather(*(resource.aclose() for resource in resources))
            try:
                self.notes += filter(None, await ended)
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            raise cancelled


class FlowScheduler(AsyncIOScheduler):
    """An asyncio scheduler that carries a run upstream through Rx operators.

    Subscribe with one to run a flow on its loop. Work may be scheduled from any thread. An action
    that raises ends the run instead of being lost in the loop's exception handler.

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
    ) -> None:
        super().__init__(loop)
        self.loop = loop
        self.scope = scope or Scope(loop)
        self.demand = demand
        #: how often each limited step stands downstream of here
        self.downstream = downstream or {}
        self._from_elsewhere = AsyncIOThreadSafeScheduler(loop)

    @classmethod
    def of(cls, scheduler: abc.SchedulerBase | None) -> FlowScheduler:
        """A scheduler for a run: `scheduler` itself if it is one, else one on its loop, else one on
        the running loop.

        Raises `UsageError` (a RuntimeError) if there is no loop to run on, or it is closed.
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
                " scheduler=AsyncIOThreadSafeScheduler(loop), or call run(flow)"
            ) from None

    def demanding(
        self, demand: Demand, downstream: Mapping[Hashable, int] | None = None
    ) -> FlowScheduler:
        """The same run, for what stands upstream of a stage with this demand."""
        return FlowScheduler(
            self.loop, self.scope, demand, self.downstream if downstream is None else downstream
        )

    @classmethod
    def of_run(cls, scheduler: abc.SchedulerBase | None) -> FlowScheduler | None:
        """The scheduler itself, if it is that of a run that is under way; one that a user has made
        is worth no more than its loop."""
        if isinstance(scheduler, cls) and scheduler.scope.on_fail is not None:
            return scheduler
        return None

    @property
    def here(self) -> bool:
        """Whether the caller is on the loop of the run."""
        try:
            return asyncio.get_running_loop() is self.loop
        except RuntimeError:
            return False

    def on_loop(self, action: Callable[[], object]) -> None:
        """Call `action` on the loop: at once if that is where we are, never if it is closed."""
        if self.here:
            action()
        else:
            try:
                self.loop.call_soon_threadsafe(action, context=contextvars.copy_context())
            except RuntimeError:
                if not self.loop.is_closed():
                    raise

    def schedule(
        self, action: rx_typing.ScheduledAction[_S], state: _S | None = None
    ) -> abc.DisposableBase:
        """Run `action` on the loop soon."""
        self.scope.scheduled += 1
        if self.here:
            return super().schedule(self._watched(action), state)
        return self._from_elsewhere.schedule(self._watched(action), state)

    def schedule_relative(
        self,
        duetime: rx_typing.RelativeTime,
        action: rx_typing.ScheduledAction[_S],
        state: _S | None = None,
    ) -> abc.DisposableBase:
        """Run `action` on the loop after `duetime` seconds."""
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
