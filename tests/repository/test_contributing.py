"""The maps of the house, for its engineers, show what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.repository.test_layers import ORDER

CHECKOUT = Path(__file__).parents[2]
TEXT = (CHECKOUT / "CONTRIBUTING.rst").read_text(encoding="utf-8")


def section(title: str) -> str:
    """The text below a title, up to the next one."""
    after = TEXT.split(f"{title}\n---", 1)[1]
    return re.split(r"\n.+\n---", after, maxsplit=1)[0]


def test_the_map_has_the_folders_in_their_order() -> None:
    """A line for each level, and the folders of a level on one line."""
    lines = re.findall(r"^(``.+``)$", section("The map"), re.MULTILINE)
    assert [sorted(re.findall(r"``(\w+)``", line)) for line in lines] == ORDER[:-1]


def test_the_package_opens_with_the_same_map() -> None:
    """In a comment, for readers of the package rather than the documentation."""
    text = (CHECKOUT / "fluxus_rx/__init__.py").read_text(encoding="utf-8")
    comment = "\n".join(line for line in text.splitlines() if line.startswith("# "))
    lines = re.findall(r"^# ((?:\w+, )*\w+)(?: {2,}\S.*)?$", comment, re.MULTILINE)
    assert [sorted(line.split(", ")) for line in lines] == ORDER[:-1]


def test_the_design_notes_have_the_same_order() -> None:
    """All but the last line, which speaks of the public modules at once."""
    text = (CHECKOUT / "docs/explanation/design.rst").read_text(encoding="utf-8")
    items = re.findall(r"^\d+\. (``.+)$", text, re.MULTILINE)
    assert [sorted(re.findall(r"``(\w+)``", item)) for item in items] == ORDER[:-2]


def paths() -> list[str]:
    """The files and folders that the table names, from the top of the package."""
    found: list[str] = []
    for row in section("I want to ...").split("   * - ")[1:]:
        folder = ""
        for name in re.findall(r"``([\w/]+/|[\w/]+\.py)``", row):
            # `_engine/`: `fused.py` means `_engine/fused.py`; `__init__.py` is that of the package.
            folder = name if name.endswith("/") else folder
            plain = "/" not in name and name != "__init__.py"
            found.append(folder + name if plain else name)
    return found


@pytest.mark.parametrize("path", sorted(set(paths())))
def test_each_file_that_the_table_names_is_there(path: str) -> None:
    """A module that moves takes its name along in CONTRIBUTING.rst, too."""
    assert (CHECKOUT / "fluxus_rx" / path).exists()


def test_the_table_names_something_of_each_private_folder() -> None:
    """No room of the house is without a way that leads to it; modules at the top aren't rooms."""
    named = {path.partition("/")[0] for path in paths()}
    rooms = {folder for level in ORDER for folder in level if folder.startswith("_")}
    assert rooms - named == {"__init__", "__main__", "_errors", "_typing"}
