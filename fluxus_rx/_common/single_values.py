"""What can be iterated, and is one value all the same: texts, bytes, mappings."""

from __future__ import annotations

from collections import UserString
from collections.abc import Mapping

__all__ = ["is_single_value", "is_text"]


def is_text(value: object) -> bool:
    """Whether this is text, or bytes, whose items aren't products.

    >>> is_text("ab"), is_text(bytearray(b"ab")), is_text(["ab"])
    (True, True, False)
    """
    return isinstance(value, str | bytes | bytearray | memoryview | UserString)


def is_single_value(value: object) -> bool:
    """Whether this is one value where several are expected, though it can be iterated: text, or a
    mapping, which would be taken apart into characters or keys.

    >>> is_single_value("ab"), is_single_value({"a": 1}), is_single_value(["ab"])
    (True, True, False)
    """
    return is_text(value) or isinstance(value, Mapping)
