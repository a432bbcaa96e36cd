"""The programs of docs/components.rst run, and print what they promise."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"

#: what each program prints; of a drawing, some lines
PRINTED = {
    "consumer": ["inserted 3", "not inserted: division by zero", "(1, 1.0) (2, 0.5) (4, 0.25)"],
    "drawing": [
        "direction: right",
        """n0: "urls [{'url': 'a'}]\"""",
        "n1.style.multiple: true",
        "n0 -> n3: {style.stroke-dash: 4}",
    ],
    "producer": ["attic: 21.5", "cellar: 11.0", "attic: 22.0"],
    "resource": ["opened", "closed", "1 1 4 9"],
    "router": [
        "○ where",
        "├──▶ ○ kind='question'",
        "We look into it: Where is my order?",
        "THE APP CRASHES",
        "Love it",
    ],
    "transformer": ["go with the flow - 4", "hello - 1", "go with the flow hello"],
    "wrapper": [
        "Rome is in Italy",
        "Paris is in France",
        "2 look-ups for 5 trips",
    ],
}


@pytest.mark.parametrize("name", PRINTED)
def test_a_component_prints_what_it_promises(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """As the program that a reader starts, over real sockets and files."""
    runpy.run_path(str(EXAMPLES / f"component_{name}.py"), run_name="__main__")
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in PRINTED[name] if line not in lines] == []


def test_each_component_is_on_the_page() -> None:
    """What is shown there is what runs here."""
    page = (EXAMPLES.parent / "components.rst").read_text(encoding="utf-8")
    shown = re.findall(r"literalinclude:: examples/component_(\w+)\.py", page)
    files = [path.stem.removeprefix("component_") for path in EXAMPLES.glob("component_*.py")]
    assert sorted(shown) == sorted(files) == sorted(PRINTED)
