"""fluxus's `fluxus.util`."""

from __future__ import annotations

from collections.abc import Mapping, Sized
from typing import Any

__all__ = ["simplify_repr_attributes"]

#: Longer texts are cut in the middle.
_LONGEST = 15
_KEPT = 6


def simplify_repr_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a conduit as a drawing shows them: numbers as they are, texts of up to 15
    characters too, longer ones cut, of what has a size the type and the size; nothing else.

    >>> simplify_repr_attributes({"n": 1, "text": "abcdefghijklmnop", "rows": [1, 2], "f": len})
    {'n': 1, 'text': 'abcdef...klmnop', 'rows': list<2>}
    """
    simple = {name: _simplified(value) for name, value in attributes.items()}
    return {name: value for name, value in simple.items() if value is not None}


def _simplified(value: Any) -> Any:
    if isinstance(value, int | float | complex):
        return value
    if isinstance(value, str | bytes):
        if len(value) <= _LONGEST:
            return value
        text = str(value.strip())
        ends = (repr(part.strip())[1:-1] for part in (text[:_KEPT], text[-_KEPT:]))
        return "...".join(ends)
    return _Size(value) if isinstance(value, Sized) else None


class _Size:
    """The type and the size of a value."""

    def __init__(self, value: Sized) -> None:
        self._text = f"{type(value).__name__}<{len(value)}>"

    def __repr__(self) -> str:
        return self._text
