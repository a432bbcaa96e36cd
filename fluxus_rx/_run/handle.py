"""A run that goes on in the background, and can be steered."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from enum import Enum
from math import inf
from typing import TYPE_CHECKING, Any, Never, Unpack, overload

from .._common.encoding import printed
from .._common.messages import check_seconds
from .._common.text import counted
from .._conduits.conduit import Conduit
from .._engine.execution import Execution
from .._errors import FlowError, UsageError
from .._monitoring.progress import State
from .._monitoring.reporting import Follow
from .._options.step_options import StepOptions
from .._products.collector import Collector, ReadableCollectors
from .._results.rows import Output
from .._results.run_result import RunResult
from .._rx.stopper import Stopper
from .._streams.iteration import END
from .._streams.ordering import Arrival
from .arguments import by_name, check_by_name
from .request import Beside, CollectedRun, Input, StartKeywords

if TYPE_CHECKING:
    from .._monitoring.stats import Explanation, RunStats

__all__ = ["Run", "start"]


@overload
def start(flow: Conduit, **settings: Unpack[StartKeywords]) -> Run: ...
@overload
def start(*, steps: Conduit, **settings: Unpack[StartKeywords]) -> Run: ...
@by_name
def start(
    flow: Conduit | None = None,
    *misplaced: Never,
    steps: Conduit | None = None,
    input: Input | None = None,
    timestamps: bool = False,
    progress: Follow = False,
    options: StepOptions | None = None,
    max_failures: int | None = None,
    deadline: float | None = None,
    stop: Stopper | None = None,
    **unknown: Never,
) -> Run:
    """Start a run of a flow of steps on the running loop, and return at once.

    Returns a `Run`, which reports how it goes, steers it, and yields its outputs. Arguments are
    those of `run`. The run counts what its steps do, at about 1 µs a call or less.

    Raises what `run` raises for bad arguments, and UsageError (a RuntimeError) if no loop runs.

    >>> import asyncio
    >>> from fluxus_rx import step
    >>> async def main():
    ...     async with start(step("src", [{"x": 1}, {"x": 2}])) as run:
    ...         result = await run.result()
    ...     print(result[0], run.stats().state)
    >>> asyncio.run(main())
    [{'src': {'x': 1}}, {'src': {'x': 2}}] done
    """
    check_by_name("start()", misplaced, unknown)
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        raise UsageError(
            "start() needs a running event loop: call it in a coroutine (asyncio.run(main())), or"
            " use run(flow), which brings a loop along"
        ) from None
    # Here, as it takes 2.5 ms of the import of the library (benchmark "startup, import"); before
    # the time of the run begins, as it would count as work of its loop.
    from .._monitoring import stats  # noqa: F401

    request = _StartedRun(
        flow,
        steps=steps,
        who="start()",
        input=input,
        timestamps=timestamps,
        progress=progress,
        options=options,
        max_failures=max_failures,
        deadline=deadline,
        stop=stop,
        steered=True,
    )
    return Run(request, loop)


class RunState(Enum):
    """How a run stands; in each but the first three it is over."""

    RUNNING = "running"
    PAUSED = "paused"
    DRAINING = "draining"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class _StartedRun(CollectedRun):
    """A run whose outputs are collected for its result, until a reader comes."""

    _readable: ReadableCollectors | None = None

    def execution(self, beside: Beside | None = None) -> Execution:
        """The run itself, not open yet; what arrives is collected until a reader comes."""
        settings = self.settings.in_order(self.producer._flow_is_ordered)
        paths = self.begin()
        # In order, one path after the other is for the reader alone to see.
        self._readable = None if settings.ordered else ReadableCollectors(len(paths), self._shared)
        self._execution = Execution(
            paths, settings, collectors=self._readable or (), beside=beside, keeps=True
        )
        return self._execution

    def _arrived(self) -> Sequence[Collector]:
        if self._execution is None:
            return super()._arrived()
        if self._readable is not None and not self._execution.is_read:
            # Not what goes on to grow, or may be read still when somebody has changed the result.
            return [path.copy() for path in self._readable.paths]
        found = self._new_collectors(len(self._handed_on))
        for path, item in self._execution.arrived():
            found[path].add(item)
        return found

    def unread(self, result: RunResult) -> RunResult:
        """A result of this run, with those of its outputs that have not been read."""
        return result._flow_with_outputs(self._outputs((FlowError,)))

    def hand_on(self, arrival: Arrival) -> tuple[int, Output]:
        """The output that has arrived, for a reader; it is not collected."""
        path, item = arrival
        self._handed_on[path] += 1
        return path, self.output_of(item, path=path, index=self._handed_on[path] - 1)


@printed
class Run:
    """A run that goes on in the background; `start` returns one.

    `async for path, output in run` yields its outputs as they are complete, like `astream`. While
    there is a reader, the run is ahead of it by its buffers and limits at most, and outputs that
    were read are not kept: `result` has those that are unread when it is first taken. Awaiting or
    draining the run lets it go on without a reader, who may read these outputs as well. Several
    tasks that read share the outputs. The error of the run, or CancelledError after `cancel()`, is
    raised once, at the next output, after all outputs.

    Its methods are for the loop that it runs on. As an asynchronous context manager it is cancelled
    at the end of the block, unless it has ended by then; the block begins when the run has
    subscribed to its sources, so a source that doesn't wait loses nothing. If nobody takes the
    `result`, an error of the run goes to the loop's exception handler, like that of a task.

    >>> import asyncio
    >>> from fluxus_rx import start, step
    >>> async def main():
    ...     async with start(step("src", [{"x": 1}]) >> step("add", lambda x: {"y": x + 1})) as run:
    ...         return [output["add"] async for path, output in run], run.state
    >>> asyncio.run(main())
    ([{'y': 2}], 'done')
    """

    def __init__(self, request: _StartedRun, loop: asyncio.AbstractEventLoop) -> None:
        self._request = request
        self._execution: Execution | None = None
        self._state = RunState.RUNNING
        self._ended: RunStats | None = None
        self._last: RunResult | None = None
        assert request.settings.meter is not None  # a run that is steered counts
        request.settings.meter.state = lambda: self.state
        #: whether somebody has got the result, which is the same for all from then on
        self._is_given = False
        self._begun = asyncio.Event()
        #: the seconds that calls have to end in a run that is told to end, if there is a limit
        self._within: float | None = None
        #: whether it counts as cancelled if these don't suffice
        self._is_given_up = False
        #: whether somebody has begun to read, and how many wait for the end
        self._is_read = False
        self._waiting = 0
        self._reading = asyncio.Lock()
        #: whether a reader has been told how the run ended
        self._is_told = False
        self._task = loop.create_task(self._run())
        _running.add(self._task)
        self._task.add_done_callback(self._over)

    async def _run(self) -> None:
        state = RunState.FAILED
        try:
            with self._request:
                self._last = await self._request.result(self._open)
            if self._is_given_up and self._execution is not None and self._execution.is_cut_short:
                raise asyncio.CancelledError
            state = RunState.DONE
        except asyncio.CancelledError as cancelled:
            if self._execution is not None and self._execution.scope.errors:
                raise self._execution.scope.errors[0] from cancelled  # and not a note of it alone
            state = RunState.CANCELLED
            raise
        finally:
            self._state = state
            self._ended = self.stats()
            if self._last is None:
                self._last = self._request.partial()

    def _over(self, task: asyncio.Task[None]) -> None:
        _running.discard(task)
        self._begun.set()
        if self._ended is None:  # it was cancelled before it had begun
            self._state = RunState.CANCELLED
            self._ended = self.stats()

    def _open(self, execution: Execution) -> None:
        self._execution = execution
        self._begun.set()
        # Code that enters the block now, and reads in it, comes first: nothing begins before that.
        execution.scope.time_slice.pause()
        if self._state is RunState.DRAINING:
            execution.drain(self._within)
        execution.scope.loop.call_soon(self._go_ahead)

    def _go_ahead(self) -> None:
        """Go on without a reader, unless there is one and nobody waits for the end."""
        if self._execution is None:
            return
        if self._state is not RunState.PAUSED:
            self._execution.scope.time_slice.resume()
        if self._waiting or not self._is_read:
            self._execution.channel.resize(inf)

    async def result(self) -> RunResult:
        """The result, once the run has ended; may be awaited any number of times.

        Raises the error that ended the run, and CancelledError after `cancel()`. Cancelling the
        wait leaves the run as it is.

        >>> from fluxus_rx import step
        >>> async def main():
        ...     return await start(step("src", [{"x": 1}])).result()
        >>> asyncio.run(main())
        RunResult([{'src': {'x': 1}}])
        """
        self._waiting += 1
        self._go_ahead()
        try:
            # Not by `shield`: code that leaves while waiting would take the error along.
            await asyncio.wait([self._task])
        finally:
            self._waiting -= 1
        self._task.result()  # raises
        self._last, self._is_given = self.partial, True
        return self._last

    def __aiter__(self) -> Run:
        return self

    async def __anext__(self) -> tuple[int, Output]:
        """The next output, with the number of its path. Cancelling the wait loses no output: the
        next call returns it."""
        self._is_read = True
        await self._begun.wait()
        execution = self._execution
        while execution is not None:
            channel = execution.channel
            execution.serve_reader(waits=not self._waiting)
            if (arrival := channel.poll()) is not END:
                return self._request.hand_on(arrival)
            async with self._reading:  # a channel has one reader
                if not await channel.filled():
                    break
        await asyncio.wait([self._task])
        if not self._is_told:
            self._is_told = True
            self._task.result()
        raise StopAsyncIteration

    def pause(self) -> None:
        """Begin no call, and ask no source for a product, until `resume()`. It has no effect on a
        run that has ended or is being drained.

        Calls in flight go on to their end, and their products to the next buffer. A source may emit
        the product that it is making; a source that doesn't wait continues to emit.
        """
        if self.state != RunState.RUNNING.value:
            return
        self._state = RunState.PAUSED
        if self._execution is not None:
            self._execution.scope.time_slice.pause()

    def resume(self) -> None:
        """Go on after `pause()`; has no effect on a run that isn't paused."""
        if self.state != RunState.PAUSED.value:
            return
        self._state = RunState.RUNNING
        if self._execution is not None:
            self._execution.scope.time_slice.resume()

    async def drain(self) -> RunResult:
        """Begin nothing new, wait for the calls in flight, and return the result so far.

        Sources are closed, and no call begins, not even a retry. The result has the outputs that
        were complete, and those of the calls in flight. A product whose next call has not begun is
        `pending` there, with its place in the flow, so that `rerun` continues from it: no paid call
        is lost. A paused run goes on. A call that never ends keeps the run going;
        `cancel(within=…)` cuts it short. A step of the run itself can't wait for the end of its own
        run: it uses a `Stopper`.

        >>> from fluxus_rx import step
        >>> async def main():
        ...     run = start(step("src", lambda: iter(lambda: {"x": 1}, None)))  # without end
        ...     await anext(run)
        ...     return (await run.drain()).complete, run.state
        >>> asyncio.run(main())
        (False, 'done')
        """
        self._drain()
        return await self.result()

    def _drain(self) -> None:
        if self._state in (RunState.RUNNING, RunState.PAUSED, RunState.DRAINING):
            self._state = RunState.DRAINING
            if self._execution is not None:
                self._execution.drain(self._within)

    async def cancel(self, within: float | None = None) -> None:
        """End the run now: cancel all calls, close all generators, and wait until both are done.

        `within` drains the run first, and cancels the calls that are still in flight after so many
        seconds. If none are left, the run is `done`. Otherwise it is `cancelled`, and `partial` has
        the outputs so far and the pending products, with those of the cancelled calls.

        Has no effect once the run has ended. Raises an error that comes up in cleaning up, and
        ValueError if `within` isn't a number of seconds.

        >>> from fluxus_rx import step
        >>> async def main():
        ...     run = start(step("src", {"x": 1}) >> step("hang", lambda x: asyncio.Event().wait()))
        ...     await run.cancel()
        ...     return run.state, run.partial
        >>> asyncio.run(main())
        ('cancelled', RunResult([]))
        """
        check_seconds("within", within, zero_fits=True, none="no time")
        if not self._task.done():
            if within is None:
                self._task.cancel()
            else:
                self._within, self._is_given_up = within, True
                self._drain()
            await asyncio.wait([self._task])
            if not self._task.cancelled() and (error := self._task.exception()) is not None:
                raise error

    @property
    def partial(self) -> RunResult:
        """The outputs so far as a result, without those that were read; once the run has ended,
        those up to its end, however it ended. Takes O(n log n) of the outputs while the run goes
        on."""
        if self._last is None:
            return self._request.partial()
        if self._is_read and not self._is_given:
            return self._request.unread(self._last)
        return self._last

    @property
    def state(self) -> State:
        """`"running"`, `"paused"`, `"draining"`, `"done"`, `"failed"` or `"cancelled"`."""
        execution, goes_on = self._execution, self._state in (RunState.RUNNING, RunState.PAUSED)
        if goes_on and execution is not None and execution.is_drained:  # by its deadline, or a stop
            return RunState.DRAINING.value
        return self._state.value

    def stats(self) -> RunStats:
        """What each step does now, and has done so far; once the run has ended, up to its end.
        Takes O(steps).

        >>> from fluxus_rx import step
        >>> async def main():
        ...     run = start(step("src", [{"x": 1}, {"x": 2}]))
        ...     await run.result()
        ...     return run.stats()["src"].done
        >>> asyncio.run(main())
        2
        """
        if self._ended is not None:
            return self._ended
        settings = self._request.settings
        assert settings.meter is not None
        assert settings.failures is not None
        from .._monitoring.stats import stats_of

        return stats_of(settings.meter, self.state, settings.failures.count)

    def explain(self) -> Explanation:
        """Which step limits the throughput of the run, in a sentence, with the numbers that prove
        it."""
        return self.stats().explain()

    async def __aenter__(self) -> Run:
        try:
            await self._begun.wait()
        except BaseException:
            await self.cancel()  # or the run would go on with nobody to end it
            raise
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.cancel()

    def __repr__(self) -> str:
        stats = self.stats()
        done = counted(sum(step.done for step in stats.steps), "call")
        in_flight = sum(step.in_flight for step in stats.steps)
        parts = [f"{done} done", *([f"{in_flight:,} in flight"] if in_flight else ())]
        if stats.failures:
            parts.append(counted(stats.failures, "failure"))
        return f"<Run {self.state}: {', '.join(parts)}>"

    def _repr_html_(self) -> str:
        return self.stats()._repr_html_()


#: Runs that go on: a loop refers to its tasks weakly.
_running: set[asyncio.Task[Any]] = set()


# Users see, pickle and report what they import, not where it is written.
for _public in (Run, start):
    _public.__module__ = "fluxus_rx"
