"""What the name of a step, a product or an attribute can be."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Final

from .._errors import InvalidFlowError, InvalidNameError
from .messages import shown

__all__ = [
    "UniqueNames",
    "check_name",
    "check_step_name",
    "identifier",
    "know_spelling",
    "known_spellings",
    "normal_name",
    "numbered",
    "spellings_of",
    "unique_names",
]

#: Names of attributes that Python would write in another way, by how it writes them. Bounded.
known_spellings: dict[str, tuple[str, ...]] = {}
_MOST_SPELLINGS = 10_000


def normal_name(name: str) -> str:
    """A name as Python writes it where it stands in code: with compatible characters composed
    (NFKC).

    >>> [ascii(normal_name(name)) for name in ("µ", "o\u0308", "ｘ")]
    ["'\\\\u03bc'", "'\\\\xf6'", "'x'"]
    """
    return name if name.isascii() else unicodedata.normalize("NFKC", name)


def know_spelling(name: str) -> None:
    """Remember a name of an attribute, if Python would write it in another way."""
    normal = normal_name(name)
    known = known_spellings.get(normal, ())
    if normal != name and name not in known and len(known_spellings) < _MOST_SPELLINGS:
        known_spellings[normal] = (*known, name)


def spellings_of(name: str) -> tuple[str, ...]:
    """The names that are the same as this one to Python, itself first.

    A parameter has the name that Python writes, and an attribute that of its data.
    """
    normal = normal_name(name)
    known = known_spellings.get(normal, ())
    return (name,) if normal == name and not known else (name, normal, *known)


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
            f"{who}: {name!r} isn't a valid name: names must be identifiers{identifier(name)}"
        )
    know_spelling(name)


def check_step_name(name: object, hint: str = "") -> None:
    """Refuse what can't be the name of a step; `hint` tells what may have been meant."""
    if not isinstance(name, str):
        raise InvalidFlowError(f"the name of a step must be a string, not {shown(name)}{hint}")
    if not name.isidentifier():
        raise InvalidNameError(
            f"{name!r} isn't a valid step name: names must be identifiers{identifier(name)}"
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
