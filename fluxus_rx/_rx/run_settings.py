"""What a run is to be like, as whoever starts it wants it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .._common.trail import Trail
from .._monitoring.meter import Meter
from .._options.failure import FailureLog
from .._options.step_options import StepOptions

__all__ = ["RunSettings"]


@dataclasses.dataclass
class RunSettings:
    """What a run is to be like, as whoever starts it wants it."""

    #: what counts it, if anything does
    meter: Meter | None = None
    #: those of steps that have none of their own
    options: StepOptions = StepOptions()  # noqa: RUF009 - frozen
    #: where failures go that don't end it; without one, none may be collected
    failures: FailureLog | None = None
    #: what each step is given instead of the products of the sources
    replay: Mapping[Trail, Sequence[Any]] | None = None
    #: whether each path keeps the order of the source
    ordered: bool = False
    #: whether its sources may be told to end while it goes on
    drainable: bool = False
    #: the path of the step at the end of a trail, and which of the places with that path it is
    location_of: Callable[[Trail], tuple[str, int]] | None = None
