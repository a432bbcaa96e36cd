"""The programs in docs/examples run, and print what they promise."""

from __future__ import annotations

import doctest
import json
import re
import runpy
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from tests.support.subprocesses import python

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
PAGE = (EXAMPLES.parent / "gallery.rst").read_text(encoding="utf-8")


def gallery() -> dict[str, str]:
    """What each program prints, as the page shows it."""
    blocks = re.findall(
        r"^\.\. code-block:: text\n   :name: prints-(\w+)\n\n((?:   .*\n|\n)+)", PAGE, re.MULTILINE
    )
    return {name: dedent(block).strip() for name, block in blocks}


def printed(name: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What a program prints, as the one that a reader starts; of the census, of a small library."""
    path = str(EXAMPLES / f"{name}.py")
    if name == "processes":  # Its processes import the program that was started.
        ended = python(path)
        assert ended.code == 0, ended.err
        assert ended.printed() == []
        return ended.out
    if name == "stdlib_census":
        assert (
            runpy.run_path(path, run_name="census")["main"]([str(Path(json.__file__).parent)]) == 0
        )
    else:
        runpy.run_path(path, run_name="__main__")
    return capsys.readouterr().out


@pytest.mark.parametrize("name", gallery())
def test_a_program_prints_what_the_gallery_shows(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the program that a reader starts, and so in real time; `...` stands for what varies."""
    shown, got = gallery()[name], printed(name, capsys).strip()
    same = doctest.OutputChecker().check_output(
        f"{shown}\n", f"{got}\n", doctest.ELLIPSIS if name == "stdlib_census" else 0
    )
    assert same, f"the gallery shows\n{shown}\n\nand the program prints\n{got}"


def test_each_program_is_in_the_gallery_with_a_picture_and_what_it_prints() -> None:
    """What is shown there is what runs here, or runs while the page is built (`job`)."""
    included = re.findall(r"^\.\. literalinclude:: examples/(\w+)\.py", PAGE, re.MULTILINE)
    jobs = set(re.findall(r"^\.\. job:: (\w+)", PAGE, re.MULTILINE))
    assert len(included) == len(set(included))
    assert set(included) == gallery().keys()
    programs = {
        path.stem
        for path in EXAMPLES.glob("*.py")
        if '__name__ == "__main__"' in path.read_text(encoding="utf-8")
    }
    start = (EXAMPLES.parent / "start.rst").read_text(encoding="utf-8")
    stages = set(re.findall(r"examples/(start_\w+)\.py", start))
    assert set(included) <= programs == {*included, *jobs, *stages}
    assert len([name for name in included if name.startswith("rx_")]) == 10
    for name in included:
        before = PAGE[: PAGE.index(f":name: prints-{name}")]
        assert before.rindex("-picture::") > before.rindex("\n~~~"), name


def test_hello_flow_comes_path_by_path(capsys: pytest.CaptureFixture[str]) -> None:
    """The outputs come in the order of the input."""
    runpy.run_path(str(EXAMPLES / "hello_flow.py"), run_name="__main__")
    _, *outputs = capsys.readouterr().out.splitlines()
    assert [output.partition(" = ")[0].rpartition(" -> ")[0] for output in outputs] == [
        *["input -> lower"] * 2,
        *["input -> upper"] * 2,
        *["input"] * 2,
    ]


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
