"""The way to a step in a flow, as the names on it.

Lies below all that knows flows, since gauges count by it, and the engine runs by it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import FrozenInstanceError

__all__ = ["Trail"]

_ARROW = " → "


class Trail:
    """The steps on the way to a place in a flow, that of the place itself the last one.

    Two trails of the same names are two places: a trail is equal to itself alone. A step without a
    name counts for the depth, and stands in no path. `branch` are the named branches that the place
    is in, the outermost first; a path tells where the way leads into one.

    A trail holds the one before it, so that all trails of a chain together take memory linear in
    its length. Chains have thousands of steps: nothing here recurses.

    >>> src = Trail("src")
    >>> fetch = Trail("fetch", src)
    >>> fetch, fetch.depth, [step.name for step in fetch]
    (Trail('src → fetch'), 2, ['fetch', 'src'])
    >>> src.leads_to(fetch), fetch.leads_to(src), src == Trail("src")
    (True, False, False)
    >>> Trail("score", Trail("ask", src.into_branch("alpha")))
    Trail('src → alpha: ask → score')
    """

    __slots__ = ("before", "branch", "depth", "name")

    name: str
    before: Trail | None
    #: how many steps it has
    depth: int
    branch: tuple[str, ...]

    # No dataclass: one would be 1.4 ms of the import of the library (benchmark "startup, import").
    def __init__(self, name: str, before: Trail | None = None) -> None:
        set_once = object.__setattr__
        set_once(self, "name", name)
        set_once(self, "before", before)
        set_once(self, "depth", 1 if before is None else before.depth + 1)
        set_once(self, "branch", () if before is None else before.branch)

    @classmethod
    def _at_branch(cls, before: Trail | None, branch: tuple[str, ...]) -> Trail:
        """A step without a name, where a branch begins or ends."""
        trail = cls("", before)
        object.__setattr__(trail, "branch", branch)
        return trail

    def into_branch(self, name: str) -> Trail:
        """The way on, into a branch of this name."""
        return self._at_branch(self, (*self.branch, name))

    def out_of_branch(self) -> Trail:
        """The way on, out of the branch that this is in."""
        return self._at_branch(self, self.branch[:-1])

    @classmethod
    def of_branch(cls, name: str) -> Trail:
        """The way from nowhere into a branch of this name."""
        return cls._at_branch(None, (name,))

    def begin_in_branch(self, name: str, seen: set[Trail]) -> None:
        """All steps up to here are in a branch of this name, outside of those that are known; but
        for those that were `seen`.

        While a flow is compiled, and nobody else has them: where a branch begins a flow, its steps
        are there before whoever knows its name.
        """
        for step in self:
            if step in seen:
                break
            seen.add(step)
            object.__setattr__(step, "branch", (name, *step.branch))

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

    @property
    def branches(self) -> Sequence[str]:
        """The names of the branches that the way leads through, in its order.

        >>> Trail("judge", Trail.of_branch("alpha").out_of_branch().into_branch("b")).branches
        ['alpha', 'b']
        """
        found: list[str] = []
        last: tuple[str, ...] = ()
        for step in reversed([*self]):
            if step.branch is not last:
                found += _entered(last, step.branch)
                last = step.branch
        return found

    def _texts(self, most: int | None = None) -> Iterator[str]:
        """The names of the steps that have one, from the last step to the first, each behind those
        of the branches that begin with it; of the last so many steps."""
        count, behind = 0, ""
        for step in self:
            if step.name:
                if behind:
                    yield behind
                if count == most:
                    yield "…"
                    return
                count += 1
                behind = str(step.name)
            before: tuple[str, ...] = () if step.before is None else step.before.branch
            if step.branch is before:
                continue
            if entered := _entered(before, step.branch):
                behind = ": ".join([*entered, behind] if behind else entered)
            if behind and _entered(step.branch, before):  # out of one that may have no step
                yield behind
                behind = ""
        if behind:
            yield behind

    @property
    def path(self) -> str:
        """The names in the order of the flow, for a message."""
        return _ARROW.join(reversed([*self._texts()]))

    def short_path(self, most: int) -> str:
        """The path, of which there are the last so many names at most.

        >>> Trail("c", Trail("b", Trail("a"))).short_path(2)
        '… → b → c'
        """
        return _ARROW.join(reversed([*self._texts(most)]))

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


def _entered(before: tuple[str, ...], branch: tuple[str, ...]) -> tuple[str, ...]:
    """The branches that begin where the way leads from those on the left to those on the right."""
    same = 0
    for one, other in zip(before, branch, strict=False):
        if one != other:
            break
        same += 1
    return branch[same:]
