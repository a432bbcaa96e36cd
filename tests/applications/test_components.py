"""The programs of components are on their page; test_examples.py runs them."""

from __future__ import annotations

import re
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


def test_each_component_is_on_the_page() -> None:
    """What is shown there is what runs here."""
    page = (EXAMPLES.parent / "how_to" / "components.rst").read_text(encoding="utf-8")
    shown = re.findall(r"literalinclude:: /examples/component_(\w+)\.py", page)
    files = [path.stem.removeprefix("component_") for path in EXAMPLES.glob("component_*.py")]
    assert sorted(shown) == sorted(files)
