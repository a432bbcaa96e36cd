"""Outputs handed on while the run goes on, as each of them is complete."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

from .._conduits.conduit import Conduit
from .._engine.conversions import arrivals as stream_arrivals
from .._monitoring.reporting import Follow, reporting
from .._options.failure import Failure
from .._options.step_options import StepOptions
from .._products.dict_product import DictProduct
from .._results.rows import Output
from .request import Input, RunRequest

__all__ = ["astream", "stream"]


def stream(
    flow: Conduit,
    *,
    input: Input | None = None,
    progress: Follow = False,
    options: StepOptions | None = None,
    max_failures: int | None = None,
    on_failure: Callable[[Failure], object] | None = None,
) -> Generator[tuple[int, Output], None, None]:
    """Run a flow of steps, and give each output as it is complete, with the number of its path.

    Outputs are what a `RunResult` has, in order of completion. The flow runs while the next one is
    waited for, and is ahead of the reader by its buffers and limits at most, so that memory doesn't
    grow with the length of the run. Leaving early (`break`, `close()`) cancels and cleans up.

    Arguments are those of `run`. Steps with `on_error="collect"` need `on_failure`, a function that
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
    request = RunRequest(
        *(flow, input, False, progress, options, max_failures, on_failure),
        streamed=True,
        who="stream()",
    )
    return _stream(request)


def _stream(request: RunRequest) -> Generator[tuple[int, Output], None, None]:
    with reporting(request.progress, request.meter) as beside:
        products = stream_arrivals(lambda: request.execution(False, beside))
        try:
            for index, (path, product) in enumerate(products):
                yield path, _nested_output(request, path, product, index)
        finally:
            products.close()


def astream(
    flow: Conduit,
    *,
    input: Input | None = None,
    progress: Follow = False,
    options: StepOptions | None = None,
    max_failures: int | None = None,
    on_failure: Callable[[Failure], object] | None = None,
) -> AsyncGenerator[tuple[int, Output], None]:
    """The same as `stream`, on the running loop: `async for path, output in astream(flow)`.

    Close it where you leave early, with `contextlib.aclosing`, or it is cleaned up only when the
    loop gets to it.

    >>> import asyncio
    >>> from fluxus_rx import step
    >>> async def main():
    ...     async for path, output in astream(step("src", [{"x": 1}])):
    ...         print(path, output)
    >>> asyncio.run(main())
    0 {'src': {'x': 1}}
    """
    request = RunRequest(
        *(flow, input, False, progress, options, max_failures, on_failure),
        streamed=True,
        who="astream()",
    )
    return _astream(request)


async def _astream(request: RunRequest) -> AsyncGenerator[tuple[int, Output], None]:
    with reporting(request.progress, request.meter) as beside:
        async with request.execution(False, beside) as arrivals:
            index = 0
            async for path, product in arrivals:
                yield path, _nested_output(request, path, product, index)
                index += 1


def _nested_output(request: RunRequest, path: int, product: Any, index: int) -> Output:
    if not isinstance(product, DictProduct):
        product = request.taken(path, product, index)
    nested: Output = product.nested()
    return nested
