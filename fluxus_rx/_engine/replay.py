"""Products that enter a flow in the middle: a run of some products, in place of the sources.

The settings of such a run have a `replay`: what enters at each step, by the trail to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._common.trail import Trail
from .._rx.run_settings import RunSettings

__all__ = ["entering", "is_reached"]


def is_reached(trail: Trail | None, settings: RunSettings) -> bool:
    """Whether products come to the end of `trail`.

    All do, but in a run of some only those that enter the flow there or in front of it. A flow that
    an Rx operator subscribes to is a matter of its own.
    """
    if settings.replay is None or trail is None or settings.location_of is None:
        return True
    if any(step in settings.replay for step in trail):
        return True
    _, number = settings.location_of(trail)
    return number < 0


def entering(trail: Trail, settings: RunSettings) -> Sequence[Any]:
    """The products that enter the flow at the step at the end of `trail`."""
    if settings.replay is None or not trail.name:
        return ()
    return settings.replay.get(trail, ())
