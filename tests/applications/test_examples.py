"""The programs in docs/examples run, and print what they promise."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest

from tests.support.subprocesses import python

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


def test_hello_flow_prints_each_greeting_in_each_tone(capsys: pytest.CaptureFixture[str]) -> None:
    """The outputs come path by path, in the order of the input."""
    runpy.run_path(str(EXAMPLES / "hello_flow.py"), run_name="__main__")
    _, *outputs = capsys.readouterr().out.splitlines()
    assert outputs == [
        "input -> lower -> annotate = hello, world! (calm)",
        "input -> lower -> annotate = bonjour! (calm)",
        "input -> upper -> annotate = HELLO, WORLD! (loud)",
        "input -> upper -> annotate = BONJOUR! (loud)",
        "input -> annotate = Hello, World! (original)",
        "input -> annotate = Bonjour! (original)",
    ]


def test_processes_counts_primes_in_processes_that_do_not_begin_a_run_themselves() -> None:
    """Each of them imports the program, and stops short of its `main`."""
    ended = python(str(EXAMPLES / "processes.py"))
    assert ended.code == 0, ended.err
    assert ended.printed() == []
    assert ended.out.splitlines()[::5] == ["4 primes below 10", "78,498 primes below 1,000,000"]


#: what the applications of docs/rx.rst print; none of it depends on how fast the machine is
PRINTED = {
    "autocomplete": ["flu -> fluent, fluid, fluke, flux", "flux -> flux", "given up: fl"],
    "crawl": ["8 pages, each once", "no faster than allowed: True"],
    "fan_out": [
        "logged 40 prices",
        "drew fewer: True - in order: True",
        "the last one is the newest: True",
        "none is unaccounted for: True",
    ],
    "join": ["A2 leaves 5 to pay", "A1 leaves 0 to pay"],
    "nested": ["A1 37", "A2 18", "A3 38"],
    "polling": ["25 %", "50 %", "75 %", "100 %", "after 7 attempts"],
    "search_box": ["mid -> Middlemarch", "mob -> Moby-Dick"],
    "sensor_windows": [
        "attic: 6 readings, 30.5 degrees on average",
        "cellar: 18 readings, 11.0 degrees on average",
    ],
    "tail": ["12:00 2", "12:01 1"],
    "threads": ["stored 150", *(f"{source} in order: True" for source in "abc")],
}


@pytest.mark.parametrize("name", PRINTED)
def test_an_application_prints_what_it_promises(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the program that a reader starts, and so in real time."""
    runpy.run_path(str(EXAMPLES / f"rx_{name}.py"), run_name="__main__")
    assert capsys.readouterr().out.splitlines() == PRINTED[name]


def test_each_application_is_in_the_guide() -> None:
    """What is shown there is what runs here."""
    guide = (EXAMPLES.parent / "rx.rst").read_text(encoding="utf-8")
    shown = re.findall(r"literalinclude:: examples/rx_(\w+)\.py", guide)
    assert len(shown) == 10
    assert set(shown) == {path.stem.removeprefix("rx_") for path in EXAMPLES.glob("rx_*.py")}
    assert set(shown) == set(PRINTED)


@pytest.fixture
def census() -> dict[str, Any]:
    """The names of the census program."""
    return runpy.run_path(str(EXAMPLES / "stdlib_census.py"), run_name="census")


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A small library with every kind of file that the real one has."""
    (tmp_path / "site-packages").mkdir()
    (tmp_path / "site-packages" / "other.py").write_text("import nothing_of_ours\n")
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("")
    (tmp_path / "package" / "good.py").write_text(
        "import os, os.path\nfrom . import sibling\nfrom sys import path\n"
        "class A:\n    def f(self): pass\n    async def g(self): pass\n"
    )
    (tmp_path / "python2.py").write_text("print 'hello'\n")
    (tmp_path / "warns.py").write_text("x = '\\d'\nassert (1, 'always')\n")
    (tmp_path / "encoding.py").write_bytes(b"# coding: nobody-knows\nimport os\n")
    (tmp_path / "bytes.py").write_bytes(b"x = '\xff'\n")
    (tmp_path / "null.py").write_bytes(b"x = 1\x00\n")
    (tmp_path / "latin.py").write_bytes(b"# coding: latin-1\nx = '\xe9'\nimport re\n")
    return tmp_path


def test_census_counts_good_and_bad_files_as_a_plain_loop_does(
    census: dict[str, Any], library: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What can't be decoded or parsed is counted, and nothing installed later is."""
    assert census["main"]([str(library)]) == 0
    totals = census["totals_of"](census["by_flow"](library))
    assert (totals.files, totals.bad, totals.functions, totals.classes) == (8, 4, 2, 1)
    assert totals.modules == {"os": 2, "sys": 1, "re": 1}
    output = capsys.readouterr()
    assert "The totals are those of a plain loop" in output.out
    assert not output.err


def test_census_says_so_when_its_totals_differ(
    census: dict[str, Any], library: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong total is an exit status, not only a line of text."""
    census["main"].__globals__["totals_by_loop"] = lambda _: census["Totals"]()
    assert census["main"]([str(library)]) == 1
    assert "DIFFER" in capsys.readouterr().err


def test_census_of_an_empty_library_is_all_zeros(census: dict[str, Any], tmp_path: Path) -> None:
    """A flow without a single product has a result all the same."""
    assert census["main"]([str(tmp_path)]) == 0
