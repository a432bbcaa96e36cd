"""Failed calls, made once more, with all that comes after them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Unpack

from .._common.event_loop import Loop
from .._common.messages import shown
from .._common.trail import Trail
from .._conduits.conduit import Conduit
from .._engine.stage import StepLocations
from .._errors import InvalidFlowError, UsageError
from .._monitoring.reporting import Follow
from .._options.failure import Failure
from .._options.step_options import StepOptions
from .._products.dict_product import DictProduct
from .._results.failures import Failures
from .._results.run_result import RunResult
from .._rx.run_settings import RunKeywords
from .request import CollectedRun

__all__ = ["arerun", "rerun"]

#: where a product stands among those of a plain loop
Position = tuple[int, ...]


def rerun(
    flow: Conduit,
    failures: Iterable[Failure],
    *,
    start: str | None = None,
    timestamps: bool = False,
    progress: Follow = False,
    options: StepOptions | None = None,
    max_failures: int | None = None,
) -> RunResult:
    """Run exactly the products that failed once more, from the step that they failed in to the end.

    `failures` are those of a result, or some of them, of a run of the same flow: the same steps in
    the same places. Options may differ, and functions; failures may come from another process. The
    sources of the flow give nothing; each failed product enters where it failed, with its lineage.

    With `start`, the name of a step in front of the one that failed, it is run again from that step
    on: with what that step had been called with, once for all failures that came of it.

    Gives the outputs in the paths of the flow; `result.merged(…)` puts them in their places. Other
    arguments are those of `run`. No failures give a result without outputs.

    Raises TypeError for what are no failures, or none of this flow.

    >>> from fluxus_rx import run, step
    >>> def inverse(x, by=0):
    ...     return {"y": 1 / (x + by)}
    >>> source = step("src", [{"x": 0}, {"x": 1}])
    >>> result = run(source >> step("inverse", inverse).options(on_error="collect"))
    >>> rerun(source >> step("inverse", inverse, by=2), result.failures)[0]
    [{'src': {'x': 0}, 'inverse': {'y': 0.5}}]
    """
    replay = _Rerun(
        flow,
        failures,
        start=start,
        timestamps=timestamps,
        progress=progress,
        options=options,
        max_failures=max_failures,
    )
    with Loop() as loop:
        return loop.call(replay.result)


async def arerun(
    flow: Conduit,
    failures: Iterable[Failure],
    *,
    start: str | None = None,
    timestamps: bool = False,
    progress: Follow = False,
    options: StepOptions | None = None,
    max_failures: int | None = None,
) -> RunResult:
    """The same as `rerun`, on the running loop; cancelling it cancels and cleans up the run.

    >>> import asyncio
    >>> from fluxus_rx import step
    >>> asyncio.run(arerun(step("src", {"x": 1}), []))
    RunResult([])
    """
    replay = _Rerun(
        flow,
        failures,
        start=start,
        timestamps=timestamps,
        progress=progress,
        options=options,
        max_failures=max_failures,
    )
    return await replay.result()


class _Rerun:
    """Failures of a flow, and where they are to enter it."""

    def __init__(
        self, flow: Any, failures: Any, *, start: str | None, **settings: Unpack[RunKeywords]
    ) -> None:
        if isinstance(failures, str | bytes | RunResult) or not isinstance(failures, Iterable):
            hint = "; did you mean its failures?" if isinstance(failures, RunResult) else ""
            raise InvalidFlowError(f"rerun() takes failures, not {shown(failures)}{hint}")
        elapsed = getattr(failures, "_elapsed", 0.0)
        self._failures = Failures(failures, elapsed)
        # Times go on from the end of the run that they failed in.
        settings["elapsed"] = self._failures._elapsed
        self._request = CollectedRun(flow, who="rerun()", **settings)
        paths = self._request.producer.observables()
        places = StepLocations(paths)
        self._entering: dict[Trail, dict[Position, DictProduct]] = {}
        for failure in self._failures:
            trail, product = _entry_of(places, failure, start)
            products = self._entering.setdefault(trail, {})
            products[(*product.positions(),)] = product
        self._replaces: dict[int, set[Position]] = {}
        self._again: list[tuple[frozenset[tuple[str, int]], set[Position]]] = []
        replay: dict[Trail, list[DictProduct]] = {}
        for trail, products in self._entering.items():
            again = {one: of for one, of in products.items() if not self._comes_anyway(trail, one)}
            replay[trail] = [*again.values()]
            self._again.append((places.behind(trail), {*again}))
            for path in places.through(trail):
                self._replaces.setdefault(path, set()).update(again)
        self._request.replay(paths, replay)

    def _comes_anyway(self, trail: Trail, position: Position) -> bool:
        """Whether a product comes of another one that is run again, in front of it."""
        for before in trail.before or ():
            products = self._entering.get(before, {})
            if any(position[:length] in products for length in range(1, len(position) + 1)):
                return True
        return False

    async def result(self) -> RunResult:
        """Run them."""
        result = await self._request.result()
        result._replaces = self._replaces
        result._again = self._again
        return result


def _entry_of(
    places: StepLocations, failure: Failure, start: str | None
) -> tuple[Trail, DictProduct]:
    """Where a failed product enters the flow, and as what."""
    trail = places.find((failure.path, failure._place))
    if trail is None:
        raise InvalidFlowError(
            f"rerun(): the flow has no step at {failure.path}, where {failure.step!r} failed; it"
            " takes failures of the same flow"
        )
    product = failure.product
    if not isinstance(product, DictProduct):
        raise InvalidFlowError(
            f"rerun() takes failures of steps on dictionaries, but {failure.step!r} was given"
            f" {shown(product)}; of another flow, process() the products once more"
        )
    if start is None or start == failure.step:
        return trail, product
    entry = next((step for step in trail if step.name == start), None)
    if entry is None:
        raise InvalidFlowError(
            f"rerun(): start={start!r} is no step in front of {failure.step!r}, on the path"
            f" {failure.path}"
        )
    before: DictProduct | None = product
    while before is not None and before.product_name != start:
        before = before.precursor
    if before is None or before.precursor is None:
        raise UsageError(
            f"rerun(): start={start!r}: {failure} has no product from before that step; to run all"
            " from the source, use run()"
        )
    return entry, before.precursor
