"""What the name of a step, a product or an attribute can be."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from .._errors import InvalidFlowError, InvalidNameError
from .messages import shown

__all__ = ["UniqueNames", "check_name", "identifier", "numbered", "unique_names"]


class UniqueNames:
    """Makes names unique as they come: one that occurs again is `name#1`, then `name#2`.

    >>> names = UniqueNames()
    >>> [names.add(name) for name in ("A", "B", "A", "A")]
    ['A', 'B', 'A#1', 'A#2']
    """

    __slots__ = ("_numbers",)

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def add(self, name: str) -> str:
        """The name, or the first of its numbered forms that is free."""
        unique = numbered(name, self._numbers) if name in self._numbers else name
        self._numbers[unique] = 0
        return unique


def numbered(name: str, numbers: dict[str, int]) -> str:
    """The first of `name#1`, `name#2` and so on that is free.

    `numbers` has the names that are taken, `name` among them, each with the last number that it was
    given.
    """
    while True:  # also where somebody calls a step "A#1"
        numbers[name] += 1
        unique = f"{name}#{numbers[name]}"
        if unique not in numbers:
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


#: Characters of what may have been meant to be a name.
_LONGEST: Final = 100


def identifier(name: str) -> str:
    """A proposal of an identifier instead of `name`, in brackets; empty if there is none.

    >>> identifier("a b"), identifier("!")
    (" (perhaps 'a_b')", '')
    """
    if len(name) > _LONGEST:
        return ""
    proposal = "".join(char if char.isidentifier() or char.isdigit() else "_" for char in name)
    proposal = proposal.strip("_")
    if proposal and proposal[0].isdigit():
        proposal = f"_{proposal}"
    return f" (perhaps {proposal!r})" if proposal.isidentifier() else ""
