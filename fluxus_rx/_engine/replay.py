"""Products that enter a flow in the middle: a run of some products, in place of the sources.

The settings of such a run have a `replay`: what enters at each step, by the trail to it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

from .._common.trail import Trail
from .._rx.run_settings import RunSettings
from .._streams.iteration import Endable

__all__ = ["StartWith", "entering", "is_reached"]


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


class StartWith(Endable[Any]):
    """Items that are there already, then those of a stream, which somebody else closes."""

    def __init__(self, items: Iterable[Any], rest: AsyncIterator[Any]) -> None:
        self._items = deque(items)
        self._rest = rest

    async def __anext__(self) -> Any:
        return self._items.popleft() if self._items else await self._rest.__anext__()

    def cancel(self) -> None:
        """Drop the items."""
        self._items.clear()

    async def aclose(self) -> None:
        """The same as `cancel`."""
        self.cancel()
