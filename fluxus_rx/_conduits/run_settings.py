"""What whoever starts a run may ask of it: options for all its steps, and where failures go."""

from __future__ import annotations

from collections.abc import Callable

from .._common.messages import shown
from .._common.signatures import is_async_function
from .._errors import InvalidOptionError
from .._options.failure import Failure, FailureLog
from .._options.step_options import StepOptions
from .._rx.run_settings import RunSettings
from .conduit import Conduit

__all__ = ["settings_for"]


def settings_for(
    conduit: Conduit,
    options: StepOptions | None,
    max_failures: int | None,
    keep: Callable[[Failure], object] | None,
) -> RunSettings:
    """The terms of a run of `conduit`; `keep` takes the failures that are to be collected.

    Raises `InvalidOptionError` (a ValueError) for what can't be these, TypeError for options that
    a step can't have.
    """
    if options is None:
        options = StepOptions()
    if not isinstance(options, StepOptions):
        raise InvalidOptionError(
            f"options={shown(options)}: expected StepOptions(…), such as StepOptions(concurrency=3)"
        )
    if max_failures is not None and (type(max_failures) is not int or max_failures < 0):
        raise InvalidOptionError(
            f"max_failures={shown(max_failures)}: expected a whole number of failures from 0 on, or"
            " None for no limit"
        )
    if keep is not None and not callable(keep):
        raise InvalidOptionError(
            f"on_failure={shown(keep)}: expected a function of a Failure, or None"
        )
    if is_async_function(keep):
        raise InvalidOptionError(
            f"on_failure={shown(keep)} is asynchronous, and would never be awaited: pass a plain"
            " function, such as failures.append; it may start a task, or put into a queue"
        )
    conduit._flow_check_options(options)
    return RunSettings(options=options, failures=FailureLog(keep, max_failures))
