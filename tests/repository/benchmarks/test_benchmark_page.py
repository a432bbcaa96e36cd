"""The pages and README.rst say what the file of the results says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.measuring.outcome import RunOutcome
from benchmarks.report import prices
from benchmarks.report.compare import past_runs
from benchmarks.report.meaning import in_short
from benchmarks.report.page import updated
from benchmarks.report.record import load
from benchmarks.report.table import BEGIN, SIDE, side_by_side, table

CHECKOUT = Path(__file__).parents[3]
PAGE = CHECKOUT / "docs" / "benchmarks.rst"
COSTS = CHECKOUT / "docs" / "explanation" / "costs.rst"
RESULTS = CHECKOUT / "benchmarks" / "results"
README = CHECKOUT / "README.rst"


@pytest.fixture(scope="module")
def latest() -> RunOutcome:
    """The results of the newest version."""
    return past_runs(RESULTS)[-1]


def test_the_page_has_the_tables_of_the_newest_results(latest: RunOutcome) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert updated(page, table(latest), BEGIN) == page


def test_what_it_costs_is_told_by_the_newest_results(latest: RunOutcome) -> None:
    page = COSTS.read_text(encoding="utf-8")
    assert updated(page, prices.prices(latest), prices.BEGIN) == page


def test_the_newest_results_tell_each_price(latest: RunOutcome) -> None:
    """A contest or a row that is called something else now would be left out in silence."""
    assert prices.missing(latest) == []


def test_the_page_has_python_versions_and_loops_side_by_side() -> None:
    page = PAGE.read_text(encoding="utf-8")
    runs = [load(path) for path in sorted((RESULTS / "pythons").glob("*.json"))]
    assert len(runs) >= 3
    assert updated(page, side_by_side(runs), SIDE) == page


def test_readme_has_the_results_in_short(latest: RunOutcome) -> None:
    text = README.read_text(encoding="utf-8")
    shown = re.search(r"(?s)\.\. benchmarks: begin\n\n(.*)\n\n\.\. benchmarks: end", text)
    assert shown is not None
    assert shown[1] == in_short(latest)


def test_the_results_are_those_of_a_whole_run_on_a_quiet_machine(latest: RunOutcome) -> None:
    assert (latest.size, latest.complete) == ("full", True)
    assert latest.circumstances["others"] < 0.1
    assert not [
        (contest.name, row.name, row.message)
        for contest in latest.contests
        for row in contest.rows
        if row.error in ("wrong outputs", "crashed")
    ]


def test_each_version_has_a_file_and_a_picture_small_enough_to_keep() -> None:
    for path in RESULTS.glob("*.json"):
        assert path.with_suffix(".svg").exists()
        assert path.stat().st_size <= 300_000
