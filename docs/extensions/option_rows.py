"""The options of steps as rows of a table, out of `StepOptions` and its docstring."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from fluxus_rx import StepOptions

__all__ = ["OptionRow", "option_rows"]

#: In what each option is counted; empty for those that aren't numbers.
UNITS: Final[Mapping[str, str]] = {
    "concurrency": "calls",
    "ordered": "",
    "window": "calls",
    "buffer": "products",
    "retry": "attempts",
    "repeatable": "",
    "timeout": "seconds",
    "limiter": "",
    "on_error": "",
    "executor": "",
}

#: A row of the table has the first sentences of what is said of an option: so many characters.
ENOUGH: Final = 90


class OptionRow(NamedTuple):
    """A row of the table of options."""

    name: str
    default: str
    unit: str
    purpose: str


def option_rows() -> Iterator[OptionRow]:
    """The options of steps, as `StepOptions` and its docstring tell of them."""
    text = inspect.getdoc(StepOptions) or ""
    bullets = re.findall(r"^- `(\w+)`: (.+?)(?=^- |^\S|^$)", text, re.MULTILINE | re.DOTALL)
    purposes = {name: " ".join(words.split()) for name, words in bullets}
    for option in dataclasses.fields(StepOptions):
        purpose = purposes[option.name]
        enough = re.match(rf".{{{ENOUGH},}}?\.(?=\s|$)", purpose)
        purpose = purpose if enough is None else enough[0]
        yield OptionRow(
            option.name, repr(option.default), UNITS[option.name], purpose[0].upper() + purpose[1:]
        )
