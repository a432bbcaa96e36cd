"""Text on the pages that shows what a program prints is what it prints."""

from __future__ import annotations

import ast
import re
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

import pytest

from tests.repository.test_readme import CHECKOUT, DOCUMENTS

EXAMPLES = CHECKOUT / "docs" / "examples"

#: a block of plain text, and what stands in front of it: a comment that names its program, or says
#: why there is none; those whose name is `prints-…` are compared by tests/applications
TEXT = re.compile(
    r"(?:^(?P<indent> *)\.\. (?P<said>printed by|compared by|not printed:) (?P<what>[^\n]+)\n\n)?"
    r"^(?P<inner> *)(?:\.\. code-block:: (?:text|none|console)|(?!\.\. )[^\n]*::)\n"
    r"(?P<options>(?:(?P=inner) +:.*\n)*)"
    r"\n(?P<text>(?:(?P=inner) +\S.*\n|[ ]*\n)+)",
    re.MULTILINE,
)

#: numbers that differ from run to run: durations, shares, ratios, ports
MEASURED = re.compile(r"\d[\d,.]*(?= (?:ns|µs|ms|s|min|times)\b|%)|(?<=127\.0\.0\.1:)\d+")
#: the most calls at once, at the end of a row of a summary
PEAK = re.compile(r"(?<=#%) +\d+$", re.MULTILINE)
#: the unit of a duration goes with its size
UNIT = re.compile(r"# (?:ns|µs|ms|s)\b")


class Block(NamedTuple):
    page: Path
    line: int
    said: str | None
    what: str
    text: str

    @property
    def is_code(self) -> bool:
        """A program that isn't run, since what it talks to is not here."""
        try:
            compile(self.text, "", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        except SyntaxError:
            return False
        return bool(
            re.search(r"^(?:async def|def|class|import|from) |^\w+ = ", self.text, re.MULTILINE)
        )


def blocks() -> Iterator[Block]:
    for page in DOCUMENTS[1:]:
        text = page.read_text(encoding="utf-8")
        for found in TEXT.finditer(text):
            if ":name: prints-" in (found["options"] or ""):
                continue
            line = text.count("\n", 0, found.start("text")) + 1
            yield Block(page, line, found["said"], found["what"] or "", dedent(found["text"]))


def masked(text: str) -> list[str]:
    """The lines of a text, without numbers that were measured, and with single spaces.

    >>> masked("60 items  in 1.31 s\\n\\n")
    ['60 items in # (time)']
    """
    shapes = UNIT.sub("# (time)", MEASURED.sub("#", text))
    lines = [" ".join(line.split()) for line in PEAK.sub(" #", shapes).splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    return lines


#: the files that programs write where they are started
WRITES = {"start_5_progress.py": ["timeline.html"]}

PRINTED = [block for block in blocks() if block.said == "printed by"]


def test_each_block_of_text_is_compared_or_says_why_not() -> None:
    """By `.. printed by PROGRAM`, here; by `.. compared by TEST`, there; or `.. not printed: why`.
    Programs themselves show no output."""
    bare = [block for block in blocks() if block.said is None and not block.is_code]
    assert [f"{block.page.relative_to(CHECKOUT)}:{block.line}" for block in bare] == []


def test_a_test_that_a_page_names_reads_that_page() -> None:
    """By its name."""
    for block in blocks():
        if block.said == "compared by":
            assert block.page.name in (CHECKOUT / block.what).read_text(encoding="utf-8")


@pytest.mark.parametrize("block", PRINTED, ids=lambda block: f"{block.page.name}:{block.what}")
def test_a_program_prints_what_the_page_shows(
    block: Block,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """But for what was measured, and it writes the files that the page speaks of. The catalogue on
    loopback is faster here."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [block.what])
    # Where a rate limit is met, calls have to overlap, or the run is as slow as a loop.
    latency = 0.05 if "PerSecond" in (CHECKOUT / block.what).read_text("utf-8") else 0.01
    monkeypatch.setattr("stand_ins.catalogue.LATENCY", latency)
    monkeypatch.setattr("random.uniform", lambda low, high: low)  # waits before retries
    runpy.run_path(str(CHECKOUT / block.what), run_name="__main__")
    assert masked(capsys.readouterr().out) == masked(block.text)
    assert [path.name for path in tmp_path.iterdir()] == WRITES.get(Path(block.what).name, [])


def test_what_was_measured_is_masked_and_nothing_else() -> None:
    """Counts are compared, also of attempts and items."""
    assert masked("59 items in 1,1.5 s: 3.7 times\nfetch 63 5  7.2 µs  70%    12\n\n") == [
        "59 items in # (time): # times",
        "fetch 63 5 # (time) #% #",
    ]
    assert masked("2 attempts") != masked("3 attempts")


def test_the_catalogue_refuses_what_comes_too_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """After its burst, by its rate, and no more than that later."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    from stand_ins.catalogue import BURST, Rate

    now = 0.0
    rate = Rate(10, clock=lambda: now)
    assert [rate.admits() for _ in range(BURST + 2)] == [True] * BURST + [False] * 2
    now = 0.25
    assert [rate.admits() for _ in range(4)] == [True, True, False, False]
    now = 1000.0
    assert sum(rate.admits() for _ in range(2 * BURST)) == BURST
