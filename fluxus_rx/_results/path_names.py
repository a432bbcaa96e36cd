"""What the paths of a result are called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from .._common.encoding import PrintedText
from .._common.messages import short
from .._common.names import UniqueNames
from .._common.trail import Trail

__all__ = ["PathNames"]

#: Names that an error lists at most.
_MOST_LISTED = 8


class PathNames:
    """The names of the paths of a result; found when somebody asks, as a long chain has a long one.

    A path is named for the branches with a name that it leads through, one that has none for its
    steps. Where several would have the name of their branches, they are told apart by their steps.

    >>> ask = Trail("ask", Trail("src").into_branch("alpha"))
    >>> PathNames([ask, Trail("src"), None]).texts
    ('alpha', 'src', 'path 2')
    >>> PathNames([Trail("a", ask), Trail("b", ask)]).texts
    ('src → alpha: ask → a', 'src → alpha: ask → b')
    """

    def __init__(self, trails: Sequence[Trail | None]) -> None:
        self._trails = trails

    @classmethod
    def of_state(cls, state: Any, count: int) -> PathNames:
        """Those that were pickled; where there were none, of so many paths."""
        names = cls([None] * count)
        if state is not None:
            names.texts = tuple(map(PrintedText, state["names"]))
            names.branches = [tuple(one) for one in state["branches"]]
        return names

    def state(self) -> Any:
        """Plain data, to be pickled."""
        return {"names": [*map(str.__str__, self.texts)], "branches": self.branches}

    @cached_property
    def branches(self) -> Sequence[Sequence[str]]:
        """For each path, the names of the branches that it leads through."""
        return [() if trail is None else trail.branches for trail in self._trails]

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """The name of each path; no two have the same one."""
        by_branch = [" → ".join(branches) for branches in self.branches]
        counts = Counter(by_branch)
        # The name of a branch is that of no other path, also where steps are called so.
        unique = UniqueNames()
        for name in dict.fromkeys(one for branches in self.branches for one in branches):
            unique.add(name)
        found = []
        for index, (name, trail) in enumerate(zip(by_branch, self._trails, strict=True)):
            if not name or counts[name] > 1:
                name = unique.add(_steps_of(trail, index))
            elif len(self.branches[index]) > 1:
                name = unique.add(name)
            found.append(PrintedText(name))
        return tuple(found)

    @property
    def are_given(self) -> bool:
        """Whether `path` has named a branch that one of them leads through."""
        return any(self.branches)

    def find(self, name: str) -> list[int]:
        """The paths that lead through the branch of this name; if there is none, the path that is
        called so; empty, if there is none either."""
        found = [index for index, branches in enumerate(self.branches) if name in branches]
        if not found and name in self.texts:
            found.append(self.texts.index(name))
        return found

    def listed(self) -> str:
        """The names, for a message."""
        names = dict.fromkeys(one for branches in self.branches for one in branches)
        names |= dict.fromkeys(self.texts)
        return listed([*names])


def listed(names: Sequence[str]) -> str:
    """Some of these names, for a message.

    >>> listed(["a", "b"]), listed([])
    ("'a', 'b'", 'none')
    """
    shown = [*map(short, names[:_MOST_LISTED])]
    more = len(names) - len(shown)
    return ", ".join([*shown, f"and {more} more"] if more else shown) or "none"


def _steps_of(trail: Trail | None, index: int) -> str:
    path = "" if trail is None else trail.path
    return path or f"path {index}"
