"""The way to a step in a flow, as the names on it.

Lies below all that knows flows, since gauges count by it, and the engine runs by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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

    __slots__ = ("_begun_in", "_inside", "_left", "before", "depth", "name")

    name: str
    before: Trail | None
    #: how many steps it has
    depth: int
    #: the named branches that the flow begins in, the innermost first; all trails from its first
    #: step on have the same list, as the names come to be known from the inside out
    _begun_in: list[str]
    #: how many of these the way has left
    _left: int
    #: those that it has entered since
    _inside: tuple[str, ...]

    # No dataclass: one would be 1.4 ms of the import of the library (benchmark "startup, import").
    def __init__(self, name: str, before: Trail | None = None) -> None:
        set_once = object.__setattr__
        set_once(self, "name", name)
        set_once(self, "before", before)
        set_once(self, "depth", 1 if before is None else before.depth + 1)
        set_once(self, "_begun_in", [] if before is None else before._begun_in)
        set_once(self, "_left", 0 if before is None else before._left)
        set_once(self, "_inside", () if before is None else before._inside)

    @classmethod
    def _at_branch(cls, before: Trail | None, left: int, inside: tuple[str, ...]) -> Trail:
        """A step without a name, where a branch begins or ends."""
        trail = cls("", before)
        object.__setattr__(trail, "_left", left)
        object.__setattr__(trail, "_inside", inside)
        return trail

    @property
    def branch(self) -> tuple[str, ...]:
        """The named branches that the place is in, the outermost first."""
        if len(self._begun_in) == self._left:
            return self._inside
        return (*reversed(self._begun_in[self._left :]), *self._inside)

    def into_branch(self, name: str) -> Trail:
        """The way on, into a branch of this name."""
        return self._at_branch(self, self._left, (*self._inside, name))

    def out_of_branch(self) -> Trail:
        """The way on, out of the branch that this is in."""
        left = self._left if self._inside else self._left + 1
        return self._at_branch(self, left, self._inside[:-1])

    @classmethod
    def of_branch(cls, name: str) -> Trail:
        """The way from nowhere into a branch of this name."""
        return cls._at_branch(None, 0, (name,))

    def is_in(self, name: str) -> bool:
        """Whether the place is in a branch of this name."""
        if self._inside:
            return name in self._inside or name in self.branch
        # Most ask for the innermost one, and there may be thousands around it.
        begun, left = self._begun_in, self._left
        return left < len(begun) and (begun[left] == name or name in begun[left:])

    @staticmethod
    def begin_in_branch(name: str, trails: Iterable[Trail]) -> None:
        """All steps up to these places are in a branch of this name, outside of those that are
        known.

        While a flow is compiled, and nobody else has them: where a branch begins a flow, its steps
        are there before any code that knows its name.
        """
        for begun_in in {id(trail._begun_in): trail._begun_in for trail in trails}.values():
            begun_in.append(name)

    @property
    def _entered(self) -> tuple[str, ...]:
        """The branches that begin with this step."""
        if self.before is None:
            return self.branch
        return self._inside[len(self.before._inside) :]

    @property
    def _leaves(self) -> bool:
        """Whether a branch ends where this step is."""
        before = self.before
        if before is None:
            return False
        return self._left > before._left or len(self._inside) < len(before._inside)

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
        return [name for step in reversed([*self]) for name in step._entered]

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
            if entered := step._entered:
                behind = ": ".join([*entered, behind] if behind else entered)
            if behind and step._leaves:  # out of one that may have no step
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
