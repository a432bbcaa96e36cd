"""What may be the attributes of a product, and their names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .._common.messages import short, shown
from .._common.names import identifier, know_spelling
from .._errors import InvalidAttributeError, InvalidProductError

__all__ = ["checked", "known_names", "snapshot"]

#: Names known to be identifiers: tells so in 80 ns for a whole dictionary. Bounded.
known_names: set[Any] = set()
_KNOWN_MOST: Final = 10_000


def snapshot(item: Any) -> Any:
    """What a step yields as it is now, for one who looks at it later; see `checked`."""
    return dict(item) if isinstance(item, Mapping) else item


def checked(attributes: Any, step: str, subject: str, wanted: str) -> dict[str, Any]:
    """A copy of what a step returned, if it is a mapping of attribute names to values.

    A copy, because a function may yield one dictionary again and again, changed in between. Else
    the message says that the `subject`, such as `"item 3 of the list it returned"`, isn't a
    mapping, and what is `wanted`.
    """
    if type(attributes) is dict and known_names.issuperset(attributes):
        return attributes.copy()
    if not isinstance(attributes, Mapping):
        raise InvalidProductError(f"step {step!r}: {subject} is {shown(attributes)}; {wanted}")
    for name in attributes:
        if not isinstance(name, str):
            raise InvalidProductError(
                f"step {step!r} yielded an item with the key {shown(name)}; attribute names must be"
                " strings"
            )
        if not name.isidentifier():
            perhaps = identifier(name)
            raise InvalidAttributeError(
                f"step {step!r} yielded an item with the key {short(name)}; attribute names must be"
                f" identifiers{perhaps}"
            )
        know_spelling(name)
    if len(known_names) < _KNOWN_MOST:
        known_names.update(attributes)
    return dict(attributes)
