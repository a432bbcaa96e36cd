"""What a run is to be like, as the caller wants it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypedDict

from .._common.messages import check_seconds, check_whole_number, shown
from .._common.signatures import is_async_function
from .._common.trail import Trail
from .._errors import InvalidOptionError
from .._monitoring.meter import Meter
from .._monitoring.reporting import Follow, check_progress
from .._options.failure import Failure, FailureLog
from .._options.step_options import NO_OPTIONS, StepOptions
from .stopper import Stopper

__all__ = ["RunKeywords", "RunSettings"]


class RunKeywords(TypedDict, total=False):
    """The arguments of `RunSettings.of`, for functions that hand them on; without `on_failure`,
    which is the user's in some of them only."""

    timestamps: bool
    progress: Follow
    options: StepOptions | None
    max_failures: int | None
    deadline: float | None
    stop: Stopper | None
    steered: bool
    plain: bool
    elapsed: float


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class RunSettings:
    """What a run is to be like, as the caller wants it."""

    #: what counts it, if anything does
    meter: Meter | None = None
    #: who is told how far it has come
    progress: Follow = False
    #: those of steps that have none of their own
    options: StepOptions = NO_OPTIONS
    #: where failures go that don't end it; without one, none may be collected
    failures: FailureLog | None = None
    #: what each step is given instead of the products of the sources
    replay: Mapping[Trail, Sequence[Any]] | None = None
    #: whether each path keeps the order of the source
    ordered: bool = False
    #: whether a plain caller waits for it: conduits that have two halves are called by their plain
    #: one
    plain: bool = False
    #: whether its sources may be told to end while it goes on
    drainable: bool = False
    #: the seconds after which they are
    deadline: float | None = None
    #: what does so from outside
    stop: Stopper | None = None
    #: the path of the step at the end of a trail, and which of the places with that path it is
    location_of: Callable[[Trail], tuple[str, int]] | None = None

    @classmethod
    def of(
        cls,
        *,
        timestamps: bool = False,
        progress: Follow = False,
        options: StepOptions | None = None,
        max_failures: int | None = None,
        deadline: float | None = None,
        stop: Stopper | None = None,
        on_failure: Callable[[Failure], object] | None = None,
        steered: bool = False,
        plain: bool = False,
        elapsed: float = 0.0,
    ) -> RunSettings:
        """The settings of a run that is asked for with these arguments, which are those of `run`.

        `on_failure` takes the failures that are to be collected. A run that is `steered` counts
        what it does, and its sources may be told to end; one with a `deadline` or a `stop` is
        steered. One that is `plain` has a caller who doesn't await it. Times begin at `elapsed`
        seconds.

        What is checked here is right or wrong for any flow; whether the steps of one can have the
        `options` is for `Conduit._flow_check_options` to say. Raises `InvalidOptionError` (a
        ValueError).
        """
        check_progress(progress)
        steered = steered or deadline is not None or stop is not None
        counted = steered or timestamps or not (progress is None or progress is False)
        _check_options(options)
        check_whole_number("max_failures", max_failures, "failures", least=0, none="no limit")
        check_seconds("deadline", deadline, none="no deadline")
        _check_stop(stop)
        _check_on_failure(on_failure)
        return cls(
            meter=Meter(timestamps, elapsed, times_loop=steered) if counted else None,
            progress=progress,
            options=NO_OPTIONS if options is None else options,
            failures=FailureLog(on_failure, max_failures),
            drainable=steered,
            plain=plain,
            deadline=deadline,
            stop=stop,
        )

    def in_order(self, flow_is_ordered: bool) -> RunSettings:
        """The same for code that takes the products as they come: in the order of a result, if that
        is an option of the flow, or of the run."""
        return dataclasses.replace(self, ordered=flow_is_ordered or self.options.ordered is True)


def _check_options(options: object) -> None:
    if not (options is None or isinstance(options, StepOptions)):
        raise InvalidOptionError(
            f"options={shown(options)}: expected StepOptions(…), such as StepOptions(concurrency=3)"
        )


def _check_stop(stop: object) -> None:
    if not (stop is None or isinstance(stop, Stopper)):
        raise InvalidOptionError(
            f"stop={shown(stop)}: expected a Stopper, whose stop() ends the run from any thread"
        )


def _check_on_failure(function: object) -> None:
    if function is not None and not callable(function):
        raise InvalidOptionError(
            f"on_failure={shown(function)}: expected a function of a Failure, or None"
        )
    if is_async_function(function):
        raise InvalidOptionError(
            f"on_failure={shown(function)} is asynchronous, and would never be awaited: pass a"
            " plain function, such as failures.append; it may start a task, or put into a queue"
        )
