"""The page for those who come from fluxus says what is so."""

from __future__ import annotations

import json
import re
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from tests.compat.differences import DIFFERENCES
from tests.compat.outcomes import recorded, recorded_names

CHECKOUT = Path(__file__).parents[2]
PAGE = (CHECKOUT / "docs" / "coming_from" / "fluxus.rst").read_text(encoding="utf-8")


def table(title: str) -> list[list[str]]:
    """The rows of a table, without its head."""
    block = PAGE.split(f".. list-table:: {title}\n", 1)[1]
    lines = block.split("\n\n", 1)[1].split("\n\n\n", 1)[0]
    rows: list[list[str]] = []
    for line in lines.splitlines():
        if line.startswith("   * -"):
            rows.append([line[6:].strip()])
        elif line.startswith("     -"):
            rows[-1].append(line[6:].strip())
        else:
            rows[-1][-1] += f" {line.strip()}"
    return rows[1:]


def test_each_difference_has_a_row_and_each_row_a_program() -> None:
    """With what is there, what is here, and why."""
    rows = table("Differences")
    assert [row[0] for row in rows] == [*DIFFERENCES]
    assert all(len(row) == 4 and all(row) for row in rows)


def test_all_names_of_fluxus_are_in_the_table() -> None:
    """Under the module that they are in, each once."""
    found: dict[str, list[str]] = {}
    module = ""
    for place, names, here in table("The names of fluxus"):
        module = place.strip("`") or module
        found.setdefault(module, []).extend(re.findall(r"``(\w+)``", names))
        assert here
    assert {module: sorted(names) for module, names in found.items()} == recorded_names()


def test_the_number_of_programs_is_so() -> None:
    """Rounded to tens."""
    said = re.search(r"About (\d+) small programs", PAGE)
    assert said is not None
    assert abs(int(said[1]) - len(recorded())) <= 5


def contests() -> dict[str, Any]:
    """The measured contests, by name."""
    text = (CHECKOUT / "benchmarks" / "results" / "0.1.0.json").read_text(encoding="utf-8")
    return {contest["name"]: contest for contest in json.loads(text)["fluxus_rx"]["contests"]}


@pytest.mark.parametrize(("name", "said"), [*map(tuple, table("Costs"))])
def test_the_costs_were_measured(name: str, said: str) -> None:
    """fluxus takes at least that many times what this library takes, and not thrice that."""
    contest = contests()[name]
    costs = {row["name"]: measured(contest, row) for row in contest["rows"]}
    least = float(said.removesuffix("x"))
    assert least <= costs["fluxus"] / costs["fluxus_rx"] < 3 * least


def measured(contest: Any, row: Any) -> float:
    """The median cost of a row."""
    return float(median(row.get(contest["clock"]) or row["wall"]))
