"""What the name of a step, a product or an attribute can be."""

from __future__ import annotations

from collections.abc import Iterable

from .._errors import InvalidFlowError, InvalidNameError
from .messages import shown

__all__ = ["UniqueNames", "check_name", "identifier", "unique_names"]


class UniqueNames:
    """Makes names unique as they come: one that occurs again is `name#1`, then `name#2`.

    >>> names = UniqueNames()
    >>> [names.add(name) for name in ("A", "B", "A", "A")]
    ['A', 'B', 'A#1', 'A#2']
    """

    __slots__ = ("_counts", "_taken")

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._taken: set[str] = set()

    def add(self, name: str) -> str:
        """The name, or the first of its numbered forms that is free."""
        unique = name
        while unique in self._taken:  # also where somebody calls a step "A#1"
            self._counts[name] = self._counts.get(name, 0) + 1
            unique = f"{name}#{self._counts[name]}"
        self._taken.add(unique)
        return unique


def unique_names(names: Iterable[str]) -> list[str]:
    """Names made unique: one that occurs again is `name#1`, then `name#2`.

    >>> unique_names(["A", "B", "A", "A"])
    ['A', 'B', 'A#1', 'A#2']
    """
    return [*map(UniqueNames().add, names)]


def check_name(who: str, name: object) -> None:
    """Refuse what can't be the name of a product, and of an attribute."""
    if not isinstance(name, str):
        raise InvalidFlowError(f"{who}: name={shown(name)}: expected a string")
    if not name.isidentifier():
        raise InvalidNameError(
            f"{who}: {name!r} is no valid name: names must be identifiers{identifier(name)}"
        )


def identifier(name: str) -> str:
    """A proposal of an identifier instead of `name`, in brackets; empty if there is none.

    >>> identifier("a b"), identifier("!")
    (" (perhaps 'a_b')", '')
    """
    proposal = "".join(char if char.isidentifier() or char.isdigit() else "_" for char in name)
    proposal = proposal.strip("_")
    if proposal and proposal[0].isdigit():
        proposal = f"_{proposal}"
    return f" (perhaps {proposal!r})" if proposal.isidentifier() else ""
