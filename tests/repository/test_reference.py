"""The reference describes every public name, and its table of options is true."""

from __future__ import annotations

import dataclasses
import importlib
import re
import sys
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest

from fluxus_rx import OptionKeywords, StepOptions
from tests.repository import surface

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted((DOCS / "reference").glob("*.rst"))

sys.path.append(str(DOCS / "extensions"))

from option_rows import OptionRow, option_rows  # noqa: E402

#: The names that the reference begins with.
FIRST_DAY = [
    "step", "run", "stream", "start", "passthrough", "rerun", "check", "StepOptions", "rx_pipe",
    "from_observable",
]  # fmt: skip


def described(page: Path) -> Iterator[str]:
    """The names that the directives of a page describe, with their modules."""
    text = page.read_text(encoding="utf-8")
    module = ""
    for directive in re.finditer(r"^\.\. (\w+):: (\S+)\n((?:   .*\n)*)", text, re.MULTILINE):
        kind, name, options = directive.groups()
        if kind in ("currentmodule", "automodule"):
            module = name
        if kind == "automodule" and ":imported-members:" in options:
            yield from (f"{name}.{one}" for one in importlib.import_module(name).__all__)
        elif kind in ("autofunction", "autoclass", "autoexception", "autodata"):
            yield f"{module}.{name}"


DESCRIBED = [name for page in PAGES for name in described(page)]


@pytest.mark.parametrize("face", [module.__name__ for module in surface.public_modules()])
def test_each_public_name_is_described(face: str) -> None:
    """Under the module that the name says it is of; the extension has the others lead there."""
    module = importlib.import_module(face)
    homes = [(name, getattr(getattr(module, name), "__module__", face)) for name in module.__all__]
    here = [(name, home if home.startswith("fluxus_rx") else face) for name, home in homes]
    assert {f"{home}.{name}" for name, home in here} <= set(DESCRIBED)


def test_each_name_is_described_once_and_is_there() -> None:
    """No page tells of what is gone, and no two of the same."""
    assert len(DESCRIBED) == len(set(DESCRIBED))
    for name in DESCRIBED:
        module, _, attribute = name.rpartition(".")
        assert attribute in importlib.import_module(module).__all__, name


def test_the_first_table_has_the_names_of_the_first_day() -> None:
    """And the list of pages has all of them."""
    text = (DOCS / "reference/index.rst").read_text(encoding="utf-8")
    table = re.search(
        r"^\.\. autosummary::\n   :nosignatures:\n\n((?:   \w+\n)+)", text, re.MULTILINE
    )
    assert table is not None
    assert table[1].split() == FIRST_DAY
    pages = {page.stem for page in PAGES} - {"index"}
    assert pages == set(re.findall(r":doc:`(\w+)`", text))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_each_page_has_a_description(page: Path) -> None:
    """One sentence, for search engines and lists of pages."""
    text = page.read_text(encoding="utf-8")
    assert re.match(r"\.\. meta::\n   :description: \S.*\.\n\n", text)


def test_the_table_has_each_option_with_its_default() -> None:
    """In the order in which they are written, with what the docstring says of them."""
    rows = list(option_rows())
    assert [(row.name, row.default) for row in rows] == [
        (option.name, repr(option.default)) for option in dataclasses.fields(StepOptions)
    ]
    assert [row.name for row in rows] == list(OptionKeywords.__annotations__)
    text = " ".join((StepOptions.__doc__ or "").split())
    for row in rows:
        assert len(row.purpose) > 40
        assert row.purpose[1:] in text, row.name


@pytest.mark.parametrize("row", list(option_rows()), ids=lambda row: row.name)
def test_an_option_that_is_a_number_has_a_unit(row: OptionRow) -> None:
    """And no other has one."""
    types = typing.get_args(typing.get_type_hints(OptionKeywords)[row.name])
    assert bool(row.unit) == bool({int, float} & set(types))
