"""Running a flow of steps to its end."""

from __future__ import annotations

from .._common.event_loop import Loop
from .._conduits.conduit import Conduit
from .._monitoring.reporting import Follow
from .._options.step_options import StepOptions
from .._results.run_result import RunResult
from .request import Input, RunRequest

__all__ = ["arun", "run"]


def run(
    flow: Conduit,
    *,
    input: Input | None = None,
    timestamps: bool = False,
    progress: Follow = False,
    options: StepOptions | None = None,
    max_failures: int | None = None,
) -> RunResult:
    """Run a flow of steps to its end, and give its outputs path by path.

    A flow that begins with a transformer takes `input`: a mapping, or any iterable, async iterable
    or Observable of mappings, named `input` in the lineage; without it, it runs once on an empty
    product.

    With `timestamps`, the attributes of each step get `"[start]"` and `"[end]"`, in seconds since
    the run began, and the result keeps a record of each call, about 400 bytes, for its `summary()`
    and `draw_timeline()`.

    With `progress=True` the run shows how far each step has come: live in a terminal (with the
    extra `progress`) or below the cell of a notebook, else as a line on stderr every 5 seconds.
    A function instead is called with a `Progress` about 5 times a second, and at the end, on the
    loop of the run; an error of it ends the run. Both cost nothing where they aren't asked for.

    `options` are those of steps that have none of their own, nor from a chain or group that they
    are in. Calls that fail for good in steps with `on_error` don't end the run; more than
    `max_failures` of them do, with a `FailureLimitError` that has all of them, and the result by
    then. Those of steps with `on_error="collect"` are in `RunResult.failures`.

    Works with no event loop, inside a running one (the flow then runs in a thread of its own, and
    the loop waits: `await arun(flow)` is better there), from any thread, nested in a step, and any
    number of times with the same flow. The first error of a step ends the run: all else is
    cancelled, awaited and closed, and the error is raised as the object it is, with notes that name
    the step, the path and the input. Ctrl-C does the same cleaning.

    Raises TypeError for what is no flow, or for `input` together with a leading producer,
    ValueError for `progress`, `options` or `max_failures` that are none.

    >>> from fluxus_rx import step
    >>> run(step("double", lambda x: {"x": 2 * x}), input=[{"x": 1}, {"x": 2}])[0]
    [{'input': {'x': 1}, 'double': {'x': 2}}, {'input': {'x': 2}, 'double': {'x': 4}}]
    """
    request = RunRequest(flow, input, timestamps, progress, options, max_failures)
    with Loop() as loop:
        return loop.call(request.collected)


async def arun(
    flow: Conduit,
    *,
    input: Input | None = None,
    timestamps: bool = False,
    progress: Follow = False,
    options: StepOptions | None = None,
    max_failures: int | None = None,
) -> RunResult:
    """The same as `run`, on the running loop; cancelling it cancels and cleans up the run.

    >>> import asyncio
    >>> from fluxus_rx import step
    >>> asyncio.run(arun(step("src", {"x": 1})))
    RunResult([{'src': {'x': 1}}])
    """
    return await RunRequest(flow, input, timestamps, progress, options, max_failures).collected()
