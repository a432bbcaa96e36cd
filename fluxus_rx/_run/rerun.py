"""Failed calls, made again, with all steps behind them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Never, Unpack

from .._common.messages import shown
from .._common.names import normal_name
from .._common.trail import Trail
from .._conduits.conduit import Conduit, role_of
from .._engine.stage import StepLocations
from .._errors import InvalidFlowError, UsageError
from .._loops.event_loop import Loop
from .._monitoring.reporting import Follow
from .._options.failure import Failure
from .._options.pending import Pending
from .._options.step_options import StepOptions
from .._products.dict_product import DictProduct
from .._results.failures import Origins, Position, Replacement, elapsed_of, location_of
from .._results.run_result import RunResult
from .._rx.run_settings import RunKeywords
from .._rx.stopper import Stopper
from .arguments import by_name, check_by_name
from .request import CollectedRun, PartialReceiver

__all__ = ["arerun", "rerun"]


@by_name
def rerun(
    flow: Conduit,
    failures: Iterable[Failure | Pending],
    *misplaced: Never,
    start: str | None = None,
    timestamps: bool = False,
    progress: Follow = False,
    options: StepOptions | None = None,
    max_failures: int | None = None,
    deadline: float | None = None,
    stop: Stopper | None = None,
    partial: PartialReceiver = None,
    **unknown: Never,
) -> RunResult:
    """Run the products of failed calls again, and only those, from the step that failed to the end.

    `failures` are those of a result, or some of them, of a run of the same flow: the same steps in
    the same places. Products that are `pending` in a result are run in the same way, alone or
    beside failures: `rerun(flow, [*result.failures, *result.pending])`. Options and functions may
    differ, and failures may come from another process. The sources of the flow emit nothing; each
    product enters where it failed, with its lineage.

    `start` is the name of a step in front of the failed one: the rerun begins at that step, with
    the product that it was called with, once for all failures that descend from it.

    Returns a result with the outputs, in the paths of the flow; `result.merged(…)` puts them in
    their places. Other arguments are those of `run`. Without failures, the result has no outputs. A
    `partial` result is of a rerun that has not ended, so it can't be merged.

    Raises TypeError for anything but failures of this flow.

    >>> from fluxus_rx import run, step
    >>> def inverse(x, by=0):
    ...     return {"y": 1 / (x + by)}
    >>> source = step("src", [{"x": 0}, {"x": 1}])
    >>> result = run(source >> step("inverse", inverse).options(on_error="collect"))
    >>> rerun(source >> step("inverse", inverse, by=2), result.failures)[0]
    [{'src': {'x': 0}, 'inverse': {'y': 0.5}}]
    """
    check_by_name("rerun()", misplaced, unknown, "flow, failures")
    replay = _Rerun(
        flow,
        failures,
        start=start,
        timestamps=timestamps,
        progress=progress,
        options=options,
        max_failures=max_failures,
        deadline=deadline,
        stop=stop,
        partial=partial,
        plain=True,
    )
    with replay.run, Loop() as loop:
        return loop.call(replay.result)


@by_name
async def arerun(
    flow: Conduit,
    failures: Iterable[Failure | Pending],
    *misplaced: Never,
    start: str | None = None,
    timestamps: bool = False,
    progress: Follow = False,
    options: StepOptions | None = None,
    max_failures: int | None = None,
    deadline: float | None = None,
    stop: Stopper | None = None,
    partial: PartialReceiver = None,
    **unknown: Never,
) -> RunResult:
    """The same as `rerun`, on the running loop; cancelling it cancels and cleans up the run.

    >>> import asyncio
    >>> from fluxus_rx import step
    >>> asyncio.run(arerun(step("src", {"x": 1}), []))
    RunResult([])
    """
    check_by_name("arerun()", misplaced, unknown, "flow, failures")
    replay = _Rerun(
        flow,
        failures,
        start=start,
        timestamps=timestamps,
        progress=progress,
        options=options,
        max_failures=max_failures,
        deadline=deadline,
        stop=stop,
        partial=partial,
    )
    with replay.run:
        return await replay.result()


class _Rerun:
    """The run of failed products, each of which enters the flow where it failed."""

    def __init__(
        self,
        flow: Any,
        failures: Any,
        *,
        start: str | None,
        partial: PartialReceiver,
        **settings: Unpack[RunKeywords],
    ) -> None:
        if isinstance(failures, str | bytes | RunResult) or not isinstance(failures, Iterable):
            hint = (
                "; did you mean its failures? Or what is pending in it"
                if isinstance(failures, RunResult)
                else ""
            )
            raise InvalidFlowError(f"rerun() takes failures, not {shown(failures)}{hint}")
        # Times go on from the end of the run that they failed in.
        before, failures = elapsed_of(failures), [*failures]
        settings["elapsed"] = max([before, *map(_elapsed_before, failures)])
        # What stands for the input, as for any source, emits nothing.
        nothing: dict[str, Any] | None = {} if role_of(flow) == "transformer" else None
        self.run = CollectedRun(flow, who="rerun()", input=nothing, partial=partial, **settings)
        paths = self.run.producer._flow_observables()
        locations = StepLocations(paths)
        entering: _Entering = {}
        for failure in failures:
            trail, product = _entry_of(locations, failure, start)
            entering.setdefault(trail, {})[(*product.positions(),)] = product
        entering = _without_consequences(entering)
        self._replacement = _replacement(locations, entering)
        self.run.replay(paths, {trail: [*given.values()] for trail, given in entering.items()})

    async def result(self) -> RunResult:
        """Run them."""
        result = await self.run.result()
        return result._flow_in_place_of(self._replacement)


#: the products that enter a flow, by the step and by where they stand
_Entering = dict[Trail, dict[Position, DictProduct]]


def _without_consequences(entering: _Entering) -> _Entering:
    """The products that don't come anyway, of another one that enters in front of them."""
    origins = {trail: Origins(products) for trail, products in entering.items()}

    def comes_anyway(trail: Trail, position: Position) -> bool:
        return any(
            step in origins and origins[step].lead_to(position) for step in trail.before or ()
        )

    return {
        trail: {
            position: product
            for position, product in products.items()
            if not comes_anyway(trail, position)
        }
        for trail, products in entering.items()
    }


def _replacement(locations: StepLocations, entering: _Entering) -> Replacement:
    outputs: dict[int, set[Position]] = {}
    calls: list[tuple[frozenset[tuple[str, int]], set[Position]]] = []
    for trail, products in entering.items():
        # Plain tuples: they are pickled with the result.
        reached = frozenset((path, number) for path, number in locations.behind(trail))
        calls.append((reached, {*products}))
        for path in locations.through(trail):
            outputs.setdefault(path, set()).update(products)
    return Replacement(outputs, calls)


def _elapsed_before(failure: object) -> float:
    """The seconds of the run in which a call failed."""
    if not isinstance(failure, Failure | Pending):
        raise InvalidFlowError(
            f"rerun() takes Failure objects and Pending ones, not {shown(failure)}"
        )
    return failure._elapsed


def _entry_of(
    locations: StepLocations, failure: Failure | Pending, start: str | None
) -> tuple[Trail, DictProduct]:
    """Where a failed product enters the flow, and as what."""
    location = location_of(failure)
    trail = locations.find(location)
    if trail is None:
        others = "" if location[1] >= 0 else ", and none of calls inside of calls"
        raise InvalidFlowError(
            f"rerun(): the flow has no step at {failure.path}, where {failure.step!r} stood; it"
            f" takes failures of the same flow{others}"
        )
    product = failure.product
    if not isinstance(product, DictProduct):
        raise InvalidFlowError(
            f"rerun() takes failures of steps on dictionaries, but {failure.step!r} was given"
            f" {shown(product)}; of another flow, process() the products once more"
        )
    if start is None or _is_named(failure.step, start):
        return trail, product
    entry = next((step for step in trail if _is_named(step.name, start)), None)
    if entry is None:
        raise InvalidFlowError(
            f"rerun(): start={start!r} isn't a step in front of {failure.step!r}, on the path"
            f" {failure.path}"
        )
    before: DictProduct | None = product
    while before is not None and not _is_named(before.product_name, start):
        before = before.precursor
    if before is None or before.precursor is None:
        raise UsageError(
            f"rerun(): start={start!r}: {failure} has no product from before that step; to run all"
            " from the source, use run()"
        )
    return entry, before.precursor


def _is_named(step: str, start: object) -> bool:
    """Whether a step has this name, whatever way it is written."""
    return isinstance(start, str) and normal_name(step) == normal_name(start)


# Users see, pickle and report what they import, not where it is written.
for _public in (arerun, rerun):
    _public.__module__ = "fluxus_rx"
