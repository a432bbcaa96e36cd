"""All that one run has started: its tasks, its errors, its sources."""

from __future__ import annotations

import asyncio
import contextvars
import itertools
import logging
from collections.abc import Callable, Coroutine, Hashable, Iterator
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from weakref import WeakValueDictionary

from .._common.messages import also_raised
from .._common.text import counted
from .._streams.context import CALLER, Caller
from .._streams.iteration import aclose
from .._streams.loop_clock import LoopClock
from .._streams.timing import TimeSlice
from .._typing import Demand
from .draining import Draining
from .run_settings import RunSettings

if TYPE_CHECKING:
    from .run_resources import Resources

__all__ = ["Scope", "make_drainable"]

_log = logging.getLogger(__name__)


_T = TypeVar("_T")
_W = TypeVar("_W", bound="Workers")
_E = TypeVar("_E", bound="DrainableSource")


class DrainableSource(Protocol):
    """A source that can be told to emit no more, and to end after what it has emitted."""

    def end(self) -> bool:
        """Emit no more; whether it might have."""
        ...


class FinalStage(Protocol):
    """What emits outputs of the run."""

    def release(self) -> None:
        """Emit what is done, whether or not there is room for it."""
        ...


class Workers(Protocol):
    """What works for a run beside its tasks, such as threads."""

    def cancel(self) -> None:
        """Tell it to end."""
        ...

    async def aclose(self) -> str | None:
        """Wait until it has ended; what there is to say of that, if anything."""
        ...


class _AtLarge:
    """The place of code in a run that isn't a call of a step."""

    __slots__ = ("run",)
    trail = limit = None

    def __init__(self, run: Scope) -> None:
        self.run = run


class Scope:
    """All that one run has started, and what it knows of itself.

    `close()` cancels and awaits every task. `fail` takes an error that has no observer to go to,
    and passes it to the code that waits for the run.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        settings: RunSettings | None = None,
        on_fail: Callable[[BaseException], None] | None = None,
    ) -> None:
        self.loop = loop
        self.settings = settings or RunSettings()
        self.meter = self.settings.meter
        self.on_fail = on_fail
        self.time_slice = TimeSlice(loop)
        if self.meter is not None:
            self.meter.unpaused = self.time_slice.run_clock
        #: how many actions operators have put off
        self.scheduled = 0
        self.closing = False
        #: whether all has ended that it has started
        self.closed = False
        #: whether nobody is left to be told how it ends
        self.abandoned = False
        #: what went wrong while it ended
        self.errors: list[BaseException] = []
        #: what there is to say of how it ended
        self.notes: list[str] = []
        self.draining = Draining(loop)
        #: the demand of the code that collects the outputs, which must not be lost at an early end
        self.final_demand: Demand | None = None
        # Weakly: an operator may subscribe to a flow for each item.
        self._finals: WeakValueDictionary[int, FinalStage] = WeakValueDictionary()
        self._final_numbers = itertools.count()
        self._sources: list[DrainableSource] = []
        # In their order, so that two runs in virtual time are cancelled alike.
        self._tasks: dict[asyncio.Task[None], None] = {}
        self._finishing: set[asyncio.Task[None]] = set()
        self._shared: dict[Hashable, Any] = {}
        self._workers: list[Workers] = []
        self._resources: Resources | None = None
        self._clocks: dict[float, LoopClock] = {}
        self._when_closed: list[Callable[[], None]] = []

    def __repr__(self) -> str:
        return f"<run {id(self):#x}>"

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run `work` as a task of this scope, on the scope's loop."""
        task = asyncio.Task(work, loop=self.loop, context=self.context())
        self._tasks[task] = None
        task.add_done_callback(self._forget)
        return task

    def context(self) -> contextvars.Context:
        """A copy of the context here, in which calls belong to this run."""
        caller, made = CALLER.get(), contextvars.copy_context()
        if caller is None or getattr(caller.place, "run", None) is not self:
            made.run(CALLER.set, Caller(caller, _AtLarge(self)))
        return made

    async def within(self, work: Coroutine[Any, Any, _T]) -> _T:
        """What `work` comes to; calls that are made in it belong to this run."""
        token = CALLER.set(Caller(CALLER.get(), _AtLarge(self)))
        try:
            return await work
        finally:
            CALLER.reset(token)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fail(error)

    def fail(self, error: BaseException) -> None:
        """End the run because of an error that has no observer to go to."""
        if self.closing or self.on_fail is None:
            self.add_error(error)
        else:
            self.on_fail(error)

    def abandon(self) -> None:
        """Nobody is left to be told how the run ends."""
        self.abandoned = True

    def count_scheduled(self) -> None:
        """An operator has put an action off."""
        self.scheduled += 1

    def add_error(self, error: BaseException) -> None:
        """Keep an error that came up while the run was ending, for the code that ends it; with
        nobody left to tell, the loop's exception handler gets it."""
        if self.abandoned or self.closed:
            self.call_exception_handler(error)
        else:
            self.errors.append(error)

    def call_exception_handler(self, error: BaseException) -> None:
        """Pass an error to the loop's exception handler."""
        message = "fluxus_rx: an error that nobody was left to be told of"
        self.loop.call_exception_handler({"message": message, "exception": error})

    def get_or_create(self, key: Hashable, make: Callable[[], _T]) -> _T:
        """The object of this run under `key`, made when it is first asked for."""
        if key not in self._shared:
            self._shared[key] = make()
        found: _T = self._shared[key]
        return found

    def loop_clock(self, seconds: float) -> LoopClock:
        """What all time-outs of so many seconds go by."""
        if seconds not in self._clocks:
            self._clocks[seconds] = LoopClock(self.loop, seconds)
        return self._clocks[seconds]

    def skip(self, seconds: float) -> None:
        """Count these seconds, in which nobody ran the loop, against no call."""
        for clock in self._clocks.values():
            clock.skip(seconds)

    def add_workers(self, workers: _W) -> _W:
        """Have workers end with the run; the workers themselves."""
        self._workers.append(workers)
        return workers

    @property
    def resources(self) -> Resources:
        """What it opens for its steps, and closes when all of them have ended."""
        if self._resources is None:
            # Here, as most runs open nothing (benchmark "startup, import").
            from .run_resources import Resources

            self._resources = Resources(self.loop, self.fail)
            if self.closing:
                self._resources.cancel()
        return self._resources

    def add_final(self, final: FinalStage) -> None:
        """Have what is done there released when the run ends early."""
        self._finals[next(self._final_numbers)] = final

    def release(self) -> None:
        """Hand out what is done, before all is cancelled."""
        for final in [*self._finals.values()]:
            final.release()

    def add_source(self, source: _E) -> _E:
        """Have a source end when the run is drained; the source itself."""
        self._sources.append(source)
        if self.draining.begun:
            self._end(source)
        return source

    def drain(self) -> None:
        """Tell the sources to emit no more, and the steps to begin no calls; what is paused goes
        on."""
        self.time_slice.resume()
        self.draining.begin()
        for source in self._sources:
            self._end(source)

    def _end(self, source: DrainableSource) -> None:
        if source.end():
            self.draining.cut_sources = True

    def cancel(self) -> None:
        """Tell all tasks to end that are not ending by themselves; once."""
        if not self.closing:
            self.closing = True
            for workers in self._workers:
                workers.cancel()
            if self._resources is not None:
                self._resources.cancel()
            _log.debug("%r closes, with %s in it", self, counted(len(self._tasks), "task"))
            # Not the one that we are in: it would be broken into where it cleans up. It looks
            # whether the run is closing before its next item.
            inside = None if asyncio._get_running_loop() is None else asyncio.current_task()
            for task in [*self._tasks]:
                if task is not inside and task not in self._finishing:
                    task.cancel()

    @property
    def _has_closed_resources(self) -> bool:
        return self._resources is None or self._resources.is_closed

    def final_error(self, error: BaseException | None) -> BaseException | None:
        """The error that the run ends with, after `error` if there is one: that, or one that came
        up while the run ended. The first one knows of the others."""
        resources = self._resources
        for late in self.errors:
            if error is None or isinstance(error, GeneratorExit):
                error = late
            elif resources is not None and error is resources.interruption:
                error = late  # of which it was only the messenger
            else:
                also_raised(error, late)
        return error

    def let_finish(self, task: asyncio.Task[None]) -> None:
        """Don't cancel `task`, which ends by itself: that would break into what it does to clean
        up."""
        self._finishing.add(task)

    def call_when_closed(self, callback: Callable[[], None]) -> None:
        """Call back when all has ended that this run has started."""
        self._when_closed.append(callback)

    def wait_for(self, ending: Coroutine[Any, Any, None]) -> None:
        """Wait at the end of the run for what ends beside it, without cancelling it."""
        self.let_finish(self.start(ending))

    def discard(self, stream: object) -> None:
        """Close a stream that nobody will read, before the end of the run: it may have begun what
        complains if nobody comes for it, such as a coroutine."""
        self.wait_for(aclose(stream))

    @property
    def is_to_be_closed(self) -> bool:
        """Whether there is anything to be waited for beside its tasks."""
        return bool(self._workers) or self.has_resources

    @property
    def has_resources(self) -> bool:
        """Whether something was opened, or was to be."""
        return self._resources is not None

    async def close(self, error: BaseException | None = None) -> None:
        """Cancel all tasks and wait for them, then close what is open; what that is told is the
        error that the run ends with. A cancellation meanwhile is raised afterwards."""
        self.cancel()
        cancelled: asyncio.CancelledError | None = None
        while self._tasks or self._workers or not self._has_closed_resources:
            try:
                if pending := [task for task in self._tasks if not task.done()]:
                    await asyncio.wait(pending)
                elif self._tasks:
                    # Let the done callbacks run, which collect what the tasks raised.
                    await asyncio.sleep(0)
                elif self._workers:
                    workers, self._workers = self._workers, []
                    ended = asyncio.gather(*(one.aclose() for one in workers))
                    self.notes += filter(None, await ended)
                elif self._resources is not None:
                    await self._resources.close(error or next(iter(self.errors), cancelled))
            except asyncio.CancelledError as raised:
                cancelled = raised
        for late in () if self._resources is None else self._resources.errors:
            self.add_error(late)
        self.closed = True
        for callback in self._when_closed:
            callback()
        if cancelled is not None:
            raise cancelled


def make_drainable(source: Any, scope: Scope) -> Any:
    """The items of a source, which end when the run is drained."""
    if not hasattr(source, "__aiter__"):
        return scope.add_source(_DrainableIterator(iter(source)))
    return source  # a task of its own will read it, which can be told to end


class _DrainableIterator:
    """A synchronous source that can be closed from outside, between two items."""

    def __init__(self, source: Iterator[Any]) -> None:
        self._source = source
        self._ended = False
        self._exhausted = False

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if self._ended:
            self.close()
            raise StopIteration
        try:
            return next(self._source)
        except StopIteration:
            self._exhausted = True
            raise

    def end(self) -> bool:
        """Emit no more; whether it might have."""
        self._ended = True
        return not self._exhausted

    def close(self) -> None:
        """Close the source."""
        close = getattr(self._source, "close", None)
        if close is not None:
            close()
