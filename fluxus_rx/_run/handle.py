"""A run that goes on by itself, and can be steered."""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import Any

from .._common.encoding import printed
from .._conduits.conduit import Conduit
from .._engine.execution import Execution
from .._errors import UsageError
from .._monitoring.reporting import Follow
from .._monitoring.stats import Explanation, RunStats, stats_of
from .._options.step_options import StepOptions
from .._results.run_result import RunResult
from .request import CollectedRun, Input

__all__ = ["Run", "start"]


def start(
    flow: Conduit,
    *,
    input: Input | None = None,
    timestamps: bool = False,
    progress: Follow = False,
    options: StepOptions | None = None,
    max_failures: int | None = None,
) -> Run:
    """Start a run of a flow of steps on the running loop, and go on.

    Gives a `Run`, which tells how it goes, and steers it. Arguments are those of `run`. A run that
    is started counts what its steps do; that costs about 2 µs a call.

    Raises what `run` raises for bad arguments, and UsageError (a RuntimeError) where no loop runs.

    >>> import asyncio
    >>> from fluxus_rx import step
    >>> async def main():
    ...     async with start(step("src", [{"x": 1}, {"x": 2}])) as run:
    ...         result = await run.result()
    ...     print(result, run.stats().state)
    >>> asyncio.run(main())
    RunResult([{'src': {'x': 1}}, {'src': {'x': 2}}]) done
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        raise UsageError(
            "start() needs a running event loop: call it in a coroutine (asyncio.run(main())), or"
            " use run(flow), which makes a loop of its own"
        ) from None
    request = CollectedRun(
        flow,
        who="start()",
        input=input,
        timestamps=timestamps,
        progress=progress,
        options=options,
        max_failures=max_failures,
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


@printed
class Run:
    """A run of a flow that goes on by itself; `start` gives one.

    Its methods are for the loop that it runs on. As an asynchronous context manager it is cancelled
    at the end of the block, if it is not over by then; the block begins when the run has subscribed
    to its sources, so that one that doesn't wait loses nothing. The error of a run whose `result`
    nobody asks for goes to the loop's exception handler, as that of a task does.
    """

    def __init__(self, request: CollectedRun, loop: asyncio.AbstractEventLoop) -> None:
        self._request = request
        self._execution: Execution | None = None
        self._state = RunState.RUNNING
        self._ended: RunStats | None = None
        self._last: RunResult | None = None
        assert request.settings.meter is not None  # a run that is steered counts
        request.settings.meter.state = lambda: self._state.value
        self._begun = asyncio.Event()
        self._task = loop.create_task(self._run())
        _running.add(self._task)
        self._task.add_done_callback(self._over)

    async def _run(self) -> RunResult:
        state = RunState.FAILED
        try:
            with self._request:
                self._last = await self._request.result(self._open)
            state = RunState.DONE
            return self._last
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

    def _over(self, task: asyncio.Task[RunResult]) -> None:
        _running.discard(task)
        self._begun.set()
        if self._ended is None:  # it was cancelled before it had begun
            self._state = RunState.CANCELLED
            self._ended = self.stats()

    def _open(self, execution: Execution) -> None:
        self._execution = execution
        self._begun.set()
        if self._state is RunState.PAUSED:
            execution.scope.time_slice.pause()
        if self._state is RunState.DRAINING:
            execution.scope.drain()

    async def result(self) -> RunResult:
        """The result, once the run has ended; may be asked for any number of times.

        Raises the error that has ended the run, and CancelledError after `cancel()`. Who is
        cancelled while waiting here leaves the run as it is.
        """
        # Not by `shield`: who leaves while waiting would take the error along.
        await asyncio.wait([self._task])
        return self._task.result()

    def pause(self) -> None:
        """Begin no call, and ask no source for a product, until `resume()`; does nothing in a run
        that is over or being drained.

        Calls that are under way go on to their end, so do products to the next buffer; a source may
        give the product that it is making, and one that doesn't wait goes on to emit.
        """
        if self._state is not RunState.RUNNING:
            return
        self._state = RunState.PAUSED
        if self._execution is not None:
            self._execution.scope.time_slice.pause()

    def resume(self) -> None:
        """Go on after `pause()`; does nothing where there is none."""
        if self._state is not RunState.PAUSED:
            return
        self._state = RunState.RUNNING
        if self._execution is not None:
            self._execution.scope.time_slice.resume()

    async def drain(self) -> RunResult:
        """Begin nothing new, finish the calls under way, and give what there is.

        Sources are closed, and no call begins, not even another attempt. Outputs that are done, and
        those of calls under way, are in the result. A product that a step has made and the next one
        was not called with is `pending` there, with its place, so that `rerun` goes on from where
        it stands: nothing that was paid for is lost. A run that is paused goes on. A call that
        takes without end keeps the run going: `cancel(within=…)` cuts it short.
        """
        self.resume()
        if self._state is RunState.RUNNING:
            self._state = RunState.DRAINING
            if self._execution is not None:
                self._execution.scope.drain()
        return await self.result()

    async def cancel(self) -> None:
        """End the run now: cancel all calls, close all generators, and wait until that is done.

        Does nothing once the run is over. An error that comes up in cleaning up is raised here.
        """
        if not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])
            if not self._task.cancelled() and (error := self._task.exception()) is not None:
                raise error

    @property
    def partial(self) -> RunResult:
        """What the run has given by now, as a result; once the run is over, however it ended, what
        it had given by then. In O(n log n) of the outputs, as long as it goes on."""
        return self._request.partial() if self._last is None else self._last

    @property
    def state(self) -> str:
        """`"running"`, `"paused"`, `"draining"`, `"done"`, `"failed"` or `"cancelled"`."""
        return self._state.value

    def stats(self) -> RunStats:
        """What each step does now, and what it has done; once the run is over, what it had done by
        then. In O(steps)."""
        if self._ended is not None:
            return self._ended
        settings = self._request.settings
        assert settings.meter is not None
        assert settings.failures is not None
        return stats_of(settings.meter, self.state, settings.failures.count)

    def explain(self) -> Explanation:
        """Which step holds the run up, in a sentence, with the numbers that prove it."""
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
        return f"<Run {self.state}>"


#: Runs that go on: a loop refers to its tasks weakly.
_running: set[asyncio.Task[Any]] = set()
