"""What the name of a step, a product or an attribute can be."""

from __future__ import annotations

from ._errors import InvalidFlowError, InvalidNameError, shown

__all__ = ["check_name", "identifier"]


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
