"""What tests of errors share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from fluxus_rx import FlowError


def untyped(value: object) -> Any:
    """The value, for calls that a type checker would refuse as the library does at run time."""
    return value


@contextmanager
def refused(error: type[BaseException], *parts: str) -> Iterator[None]:
    """The block raises an error of the library, of this type, whose message has all the parts."""
    with pytest.raises(error) as caught:
        yield
    message = str(caught.value)
    assert isinstance(caught.value, FlowError), f"{type(caught.value)} is no error of the library"
    assert [part for part in parts if part not in message] == [], message


def notes(error: BaseException) -> str:
    return "\n".join(getattr(error, "__notes__", []))
