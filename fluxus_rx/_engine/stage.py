"""A step in its place in a flow, and the names of places."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, NamedTuple

from reactivex import Observable

from .._options.step_options import StepOptions
from .._rx.scope import Scope
from .bound_step import BoundStep

__all__ = ["ForeignItems", "Stage", "StepContext", "StepLocations", "Trail", "path_of"]


class StepLocations:
    """The places of the steps of a flow that has been compiled into these paths.

    A place is the path of names to it; where several have the same one, as in two branches of the
    same names, they are numbered in the order of the flow.
    """

    def __init__(self, paths: Sequence[Observable[Any]]) -> None:
        self._ends: list[Trail] = [getattr(path, "trail", None) for path in paths]
        self._names: dict[int, tuple[str, int]] | None = None
        self._trails: dict[tuple[str, int], Trail] = {}

    def location_of(self, trail: Trail) -> tuple[str, int]:
        """The path of the step at the end of `trail`, and its number; of a step that doesn't belong
        to the flow itself, -1."""
        found = self._known().get(id(trail))
        return (path_of(trail), -1) if found is None else found

    def find(self, place: tuple[str, int]) -> Trail:
        """The trail of a place; None if the flow doesn't have it."""
        self._known()
        return self._trails.get(place)

    def through(self, trail: Trail) -> Iterator[int]:
        """The paths that lead through the step at the end of `trail`."""
        for index, end in enumerate(self._ends):
            while end is not None and end is not trail:
                end = end[0]
            if end is not None:
                yield index

    def behind(self, trail: Trail) -> frozenset[tuple[str, int]]:
        """The places that a path leads to from the step at the end of `trail`, and its own."""
        names = self._known()
        found = set()
        for place, end in self._trails.items():
            while end is not None and end is not trail:
                end = end[0]
            if end is not None:
                found.add(place)
        return frozenset(found or {names[id(trail)]})

    def _known(self) -> dict[int, tuple[str, int]]:
        # When first asked for: the names of long chains take a while.
        if self._names is None:
            names: dict[int, tuple[str, int]] = {}
            counts: dict[str, int] = {}
            for end in self._ends:
                for trail in self._new(end, names):
                    path = path_of(trail)
                    number = counts.get(path, 0)
                    counts[path] = number + 1
                    names[id(trail)] = path, number
                    if trail is not None and trail[1]:
                        self._trails[path, number] = trail
            self._names = names
        return self._names

    @staticmethod
    def _new(end: Trail, names: dict[int, tuple[str, int]]) -> list[Trail]:
        """The trails up to `end` that have no name yet, the first one first."""
        found: list[Trail] = []
        while end is not None and id(end) not in names:
            if end[1]:
                found.append(end)
            end = end[0]
        found.reverse()
        return found


#: the names of the steps on the way to here, the last one first; read when something goes wrong
Trail = tuple["Trail", str] | None


class Stage(NamedTuple):
    """One step in its place."""

    bind: Callable[[StepContext], BoundStep]
    key: Hashable
    is_async: bool
    name: str
    shows_items: bool
    trail: Trail = None
    #: those that are set, and those that are implied where none are set around it either
    options: StepOptions = StepOptions()
    implied: StepOptions = StepOptions()

    def settled(self, defaults: StepOptions) -> StepOptions:
        """Its options in a run with these defaults."""
        return self.options.over(defaults).over(self.implied)


class ForeignItems(NamedTuple):
    """What a step makes of items that are no products: what it calls them, and how far down their
    path they were made, if operators have made them."""

    label: str | None = None
    depth: int = 0

    @classmethod
    def made(cls, label: str | None, trail: Trail) -> ForeignItems:
        """That of items that operators make at the end of `trail`."""
        depth = 0
        while trail is not None:
            trail, depth = trail[0], depth + 1
        return cls(label, depth)


class StepContext(NamedTuple):
    """Where a step stands: the run, if there is one, the way to it, the pipeline it is in, and what
    its options come to there.

    An item that was made for one owner is seen by no other, who might keep it: not by another
    pipeline, such as a branch of a group, and not by a stage that shows its items to users.
    """

    scope: Scope | None
    trail: Trail
    owner: object
    options: StepOptions


def path_of(trail: Trail) -> str:
    """The path to a step, for a message."""
    names = []
    while trail is not None:
        trail, name = trail
        if name:
            names.append(name)
    return " → ".join(reversed(names))
