"""The way to a step in a flow, as the names on it.

Lies below all that knows flows, since gauges count by it, and the engine runs by it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import FrozenInstanceError

__all__ = ["Trail"]

_ARROW = " → "


class Trail:
    """The steps on the way to a place in a flow, that of the place itself the last one.

    Two trails of the same names are two places: a trail is equal to itself alone. A step without a
    name counts for the depth, and stands in no path.

    A trail holds the one before it, so that all trails of a chain together take memory linear in
    its length. Chains have thousands of steps: nothing here recurses.

    >>> src = Trail("src")
    >>> fetch = Trail("fetch", src)
    >>> fetch, fetch.depth, [step.name for step in fetch]
    (Trail('src → fetch'), 2, ['fetch', 'src'])
    >>> src.leads_to(fetch), fetch.leads_to(src), src == Trail("src")
    (True, False, False)
    """

    __slots__ = ("before", "depth", "name")

    name: str
    before: Trail | None
    #: how many steps it has
    depth: int

    # No dataclass: one would be 1.4 ms of the import of the library (benchmark "startup, import").
    def __init__(self, name: str, before: Trail | None = None) -> None:
        set_once = object.__setattr__
        set_once(self, "name", name)
        set_once(self, "before", before)
        set_once(self, "depth", 1 if before is None else before.depth + 1)

    def __setattr__(self, name: str, value: object) -> None:
        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> None:
        raise FrozenInstanceError(f"cannot delete field {name!r}")

    def __iter__(self) -> Iterator[Trail]:
        """From the last step to the first, the trail to each of them."""
        step: Trail | None = self
        while step is not None:
            yield step
            step = step.before

    def names(self) -> Iterator[str]:
        """The names of the steps that have one, from the last step to the first."""
        return (str(step.name) for step in self if step.name)

    @property
    def path(self) -> str:
        """The names in the order of the flow, for a message."""
        return _ARROW.join(reversed([*self.names()]))

    def short_path(self, most: int) -> str:
        """The path, of which there are the last so many names at most.

        >>> Trail("c", Trail("b", Trail("a"))).short_path(2)
        '… → b → c'
        """
        names: list[str] = []
        for step in self:
            if len(names) == most:
                names.append("…")
                break
            if step.name:
                names.append(str(step.name))
        return _ARROW.join(reversed(names))

    @property
    def first(self) -> Trail:
        """The trail to the first step."""
        *_, first = self
        return first

    def leads_to(self, other: Trail) -> bool:
        """Whether `other` is this place, or lies behind it."""
        step: Trail | None = other
        while step is not None and step.depth > self.depth:
            step = step.before
        return step is self

    def __repr__(self) -> str:
        return f"Trail({self.path!r})"
