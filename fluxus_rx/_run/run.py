"""Running a flow of steps to its end, or handing its outputs on while it runs."""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator
from typing import Never, Unpack, overload

from .._conduits.conduit import Conduit
from .._engine.conversions import arrivals
from .._loops.event_loop import Loop
from .._monitoring.reporting import Follow
from .._options.failure import Failure
from .._options.step_options import StepOptions
from .._results.rows import Output
from .._results.run_result import RunResult
from .._rx.stopper import Stopper
from .._streams.ordering import Arrival
from .._streams.resumable import Resumable
from .arguments import by_name, check_by_name
from .request import (
    CollectedRun,
    CollectKeywords,
    Input,
    PartialReceiver,
    RunRequest,
    StreamKeywords,
)

__all__ = ["arun", "astream", "run", "stream"]

#: outputs as they are complete, each with the number of its path
Outputs = Generator[tuple[int, Output], None, None]
#: the same, for asynchronous readers
AsyncOutputs = AsyncGenerator[tuple[int, Output], None]


@overload
def run(flow: Conduit, **settings: Unpack[CollectKeywords]) -> RunResult: ...
@overload
def run(*, steps: Conduit, **settings: Unpack[CollectKeywords]) -> RunResult: ...
@by_name
def run(
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
    partial: PartialReceiver = None,
    **unknown: Never,
) -> RunResult:
    """Run a flow of steps to its end, and give its outputs path by path.

    The flow may be given as `steps=`, as in fluxus: another name for the same argument.

    A flow that begins with a transformer takes `input`: a mapping, or any iterable, async iterable
    or Observable of mappings, named `input` in the lineage; without it, it runs once on an empty
    product, if its first steps can do without attributes.

    With `timestamps`, the attributes of each step get `"[start]"` and `"[end]"`, in seconds since
    the run began, and the result keeps a record of each call for its `summary()` and
    `draw_timeline()`; both are about 150 bytes a call.

    With `progress=True` the run shows how far each step has come: live in a terminal (with
    rich) or below the cell of a notebook, else as a line on stderr every 5 seconds.
    A function instead is called with a `Progress` about 5 times a second, and at the end, on the
    loop of the run; an error of it ends the run. Both cost nothing where they aren't asked for.

    `options` are those of steps that have none of their own, nor from a chain or group that they
    are in. Calls that fail for good in steps with `on_error` don't end the run; more than
    `max_failures` of them do, with a `FailureLimitError` that has all of them, and the result by
    then. Those of steps with `on_error="collect"` are in `RunResult.failures`.

    With `deadline`, a run that is not over after so many seconds is drained: it takes no more from
    its sources, begins no call, and ends as soon as the calls under way have ended; after 10
    seconds more these are cancelled. `stop`, a `Stopper`, does that from any thread. The run ends
    well, with what it has; its result is not `complete`, and has what is `pending`. A run with
    either counts its calls, which costs about 1 µs each.

    A run that ends by an error, by Ctrl-C or by a cancellation gives what it has given by then to
    `partial`: a list gets one `RunResult`, a function is called with it, once all is cleaned up. It
    has the outputs in their order and the failures, whatever has been raised; nothing comes to
    `partial` from a run that ends well. Errors of the library have it as their `result`, too.

    Works with no event loop, inside a running one (the flow then runs in a thread of its own, and
    the loop waits: `await arun(flow)` is better there), from any thread, nested in a step, and any
    number of times with the same flow. Runs that a thread starts one after the other share an event
    loop, and so clients and limiters; it is closed when the thread or Python ends.

    The first error of a step ends the run: all else is cancelled, awaited and closed, and the error
    is raised as the object it is, with notes that name the step, the path and the input. Ctrl-C
    does the same cleaning.

    Raises TypeError for what is no flow, for a flow that is given twice, or for `input` together
    with a leading producer, ValueError for `progress`, `options`, `max_failures`, `deadline`,
    `stop` or `partial` that are none, for `max_failures` where no step has `on_error`, and for a
    first step that needs an attribute, without `input`.

    >>> from fluxus_rx import step
    >>> run(step("double", lambda x: {"x": 2 * x}), input=[{"x": 1}, {"x": 2}])[0]
    [{'input': {'x': 1}, 'double': {'x': 2}}, {'input': {'x': 2}, 'double': {'x': 4}}]
    """
    check_by_name("run()", misplaced, unknown)
    request = CollectedRun(
        flow,
        steps=steps,
        input=input,
        timestamps=timestamps,
        progress=progress,
        options=options,
        max_failures=max_failures,
        deadline=deadline,
        stop=stop,
        partial=partial,
        plain=True,
    )
    with request, Loop() as loop:
        return loop.call(request.result)


@overload
async def arun(flow: Conduit, **settings: Unpack[CollectKeywords]) -> RunResult: ...
@overload
async def arun(*, steps: Conduit, **settings: Unpack[CollectKeywords]) -> RunResult: ...
@by_name
async def arun(
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
    partial: PartialReceiver = None,
    **unknown: Never,
) -> RunResult:
    """The same as `run`, on the running loop; cancelling it cancels and cleans up the run.

    >>> import asyncio
    >>> from fluxus_rx import step
    >>> asyncio.run(arun(step("src", {"x": 1})))
    RunResult([{'src': {'x': 1}}])
    """
    check_by_name("arun()", misplaced, unknown)
    request = CollectedRun(
        flow,
        steps=steps,
        who="arun()",
        input=input,
        timestamps=timestamps,
        progress=progress,
        options=options,
        max_failures=max_failures,
        deadline=deadline,
        stop=stop,
        partial=partial,
    )
    with request:
        return await request.result()


@overload
def stream(flow: Conduit, **settings: Unpack[StreamKeywords]) -> Outputs: ...
@overload
def stream(*, steps: Conduit, **settings: Unpack[StreamKeywords]) -> Outputs: ...
@by_name
def stream(
    flow: Conduit | None = None,
    *misplaced: Never,
    steps: Conduit | None = None,
    input: Input | None = None,
    progress: Follow = False,
    options: StepOptions | None = None,
    max_failures: int | None = None,
    deadline: float | None = None,
    stop: Stopper | None = None,
    on_failure: Callable[[Failure], object] | None = None,
    **unknown: Never,
) -> Outputs:
    """Run a flow of steps, and give each output as it is complete, with the number of its path.

    Outputs are what a `RunResult` has, in order of completion. Where all functions are plain, that
    is the order of nested loops: each product of a source goes through all branches before the next
    one. With `ordered=True` set on the whole flow, or in `options`, it is that of the result.

    The flow runs while the next one is waited for, and is ahead of the reader by its buffers and
    limits at most, so that memory doesn't grow with the length of the run. Leaving early (`break`,
    `close()`) cancels and cleans up.

    Arguments are those of `run`. What is pending after a deadline, or a stop, is told to the log
    alone, as a number. Steps with `on_error="collect"` need `on_failure`, a function that
    is called with each `Failure`, on the loop of the run; an error of it ends the run. The first
    error is raised where the next output is waited for, after those that were complete.

    Raises what `run` raises for bad arguments, at once.

    >>> from fluxus_rx import step
    >>> flow = step("src", [{"x": 1}, {"x": 2}]) >> step("double", lambda x: {"x": 2 * x})
    >>> for path, output in stream(flow):
    ...     print(path, output)
    0 {'src': {'x': 1}, 'double': {'x': 2}}
    0 {'src': {'x': 2}, 'double': {'x': 4}}
    """
    check_by_name("stream()", misplaced, unknown)
    request = RunRequest(
        flow,
        steps=steps,
        who="stream()",
        input=input,
        on_failure=on_failure,
        progress=progress,
        options=options,
        max_failures=max_failures,
        deadline=deadline,
        stop=stop,
        plain=True,
    )
    return _stream(request)


def _stream(request: RunRequest) -> Outputs:
    with request.reporting() as beside:
        products = arrivals(lambda: request.execution(beside))
        try:
            for index, (path, product) in enumerate(products):
                yield path, request.output_of(product, path=path, index=index)
        finally:
            products.close()


@overload
def astream(flow: Conduit, **settings: Unpack[StreamKeywords]) -> AsyncOutputs: ...
@overload
def astream(*, steps: Conduit, **settings: Unpack[StreamKeywords]) -> AsyncOutputs: ...
@by_name
def astream(
    flow: Conduit | None = None,
    *misplaced: Never,
    steps: Conduit | None = None,
    input: Input | None = None,
    progress: Follow = False,
    options: StepOptions | None = None,
    max_failures: int | None = None,
    deadline: float | None = None,
    stop: Stopper | None = None,
    on_failure: Callable[[Failure], object] | None = None,
    **unknown: Never,
) -> AsyncOutputs:
    """The same as `stream`, on the running loop: `async for path, output in astream(flow)`.

    Close it where you leave early, with `contextlib.aclosing`, or it is cleaned up only when the
    loop gets to it. A task that is cancelled while it waits for an output ends the run, and the
    next `anext` raises UsageError; but one that does nothing else may be cancelled without loss, as
    in `asyncio.wait_for(asyncio.ensure_future(anext(outputs)), 1)`. Before Python 3.12, `wait_for`
    starts such a task by itself.

    >>> import asyncio
    >>> from fluxus_rx import step
    >>> async def main():
    ...     async for path, output in astream(step("src", [{"x": 1}])):
    ...         print(path, output)
    >>> asyncio.run(main())
    0 {'src': {'x': 1}}
    """
    check_by_name("astream()", misplaced, unknown)
    request = RunRequest(
        flow,
        steps=steps,
        who="astream()",
        input=input,
        on_failure=on_failure,
        progress=progress,
        options=options,
        max_failures=max_failures,
        deadline=deadline,
        stop=stop,
    )
    numbers = itertools.count()

    def numbered(arrival: Arrival) -> tuple[int, Output]:
        path, product = arrival
        return path, request.output_of(product, path=path, index=next(numbers))

    return Resumable(_opened_run(request), numbered)


async def _opened_run(request: RunRequest) -> AsyncGenerator[AsyncIterator[Arrival], None]:
    with request.reporting() as beside:
        async with request.execution(beside) as channel:
            yield channel
