"""Running a flow of steps to its end, or yielding its outputs while it runs."""

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
    """Run a flow of steps to its end, and return its outputs, path by path.

    The `RunResult` has one list of outputs per path, in the order in which a plain loop would have
    made them, whatever order the calls ended in. A flow without outputs returns empty lists.

    `steps=` is another name for `flow`, as in fluxus.

    A flow that begins with a transformer takes `input`: a mapping, or an iterable, async iterable
    or Observable of mappings, which are named `input` in the lineage. Without `input`, the flow
    runs once on an empty product, if its first steps need no attributes.

    `timestamps=True` adds `"[start]"` and `"[end]"` to the attributes of each step, in seconds
    since the run began, and keeps a record of each call for `summary()` and `draw_timeline()`. Both
    take about 150 bytes a call.

    `progress=True` shows how far each step has come: live in a terminal (with rich)
    or below the cell of a notebook, else as a line on stderr every 5 seconds. A function is called
    with a `Progress` about 5 times a second, and at the end, on the loop of the run; an error of it
    ends the run. Both cost nothing when they are off.

    `options` are defaults for steps that neither set an option themselves nor inherit it from a
    chain or group. Failed calls of steps with `on_error` don't end the run, up to `max_failures` of
    them; one more raises `FailureLimitError`, which has the failures and the outputs so far.
    `RunResult.failures` has the failed calls of steps with `on_error="collect"`: the dead letters.

    `deadline` is the number of seconds after which the run is drained: it takes no more from its
    sources, begins no call, and ends when the calls in flight have ended; 10 seconds later these
    are cancelled. `stop`, a `Stopper`, drains it from any thread. A drained run returns its outputs
    so far as a result that is not `complete`, with the unfinished products in `pending`. Either
    argument makes the run count its calls, at about 1 µs each.

    If an error, Ctrl-C or a cancellation ends the run, `partial` receives the outputs up to then,
    once all is cleaned up: a list gets one `RunResult` appended, a function is called with it. It
    has the outputs in their order, and the failures. A run that ends well passes nothing to
    `partial`. Errors of the library have the same result as their `result`.

    `run` works without an event loop, inside a running one (the flow then runs in a thread of its
    own while the loop waits; `await arun(flow)` is better there), from any thread, nested in a
    step, and any number of times with the same flow. Runs that a thread starts one after the other
    share an event loop, and so clients and limiters. It is closed when the thread or Python ends.

    The first error of a step ends the run: all other calls are cancelled and awaited, generators
    are closed, and the error is raised as the same object, with notes that name the step, the path
    and the input. Ctrl-C cleans up in the same way.

    Raises TypeError for anything but a flow, for two flows, and for `input` together with a leading
    producer. Raises ValueError for an invalid `progress`, `options`, `max_failures`, `deadline`,
    `stop` or `partial`, for `max_failures` if no step has `on_error`, and for a first step that
    needs an attribute if there is no `input`.

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
    """Run a flow of steps, and yield each output as it completes, with the number of its path.

    Outputs are those of a `RunResult`, in order of completion. If all functions are plain, that is
    the order of nested loops: each product of a source goes through all branches before the next
    one. With `ordered=True` on the whole flow, or in `options`, outputs come in the order of the
    result.

    The flow runs while the reader waits for the next output. It is ahead of the reader by its
    buffers and limits at most, so memory doesn't grow with the length of the run. Leaving early
    (`break`, `close()`) cancels the run and cleans up.

    Arguments are those of `run`. After a deadline or a stop, the log tells how many products are
    pending. Steps with `on_error="collect"` need `on_failure`, a function that is called with each
    `Failure`, on the loop of the run; an error of it ends the run. The first error of the run is
    raised at the next output, after those that were complete.

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

    Use `contextlib.aclosing` if you may leave early; otherwise the run is cleaned up only when the
    loop gets to it. Cancelling a task that waits for an output ends the run, and the next `anext`
    raises UsageError. A task that does nothing but wait may be cancelled without loss, as in
    `asyncio.wait_for(asyncio.ensure_future(anext(outputs)), 1)`. Before Python 3.12, `wait_for`
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
