"""The timeline as a text: golden files, and what holds for all of them."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

import pytest

from fluxus_rx import RunResult
from fluxus_rx._common.text import width_of
from tests.support import timelines
from tests.support.drawings import check
from tests.support.timelines import call, result

RUNS = {
    "small": timelines.small,
    "failing": timelines.failing,
    "long": timelines.long,
    "wide": timelines.wide,
    "odd": timelines.odd,
    "big": timelines.big,
}


def text_of(made: RunResult) -> str:
    stream = io.StringIO()
    made.draw_timeline("text", file=stream)
    return stream.getvalue().removesuffix("\n")


@pytest.mark.parametrize("name", RUNS)
def test_a_run_looks_as_its_golden_file(name: str) -> None:
    """Small, with failures, long, wide, with odd names, and with ten thousand outputs."""
    check(f"timeline_{name}.txt", text_of(RUNS[name]()))


@pytest.mark.parametrize("made", RUNS.values(), ids=RUNS)
def test_no_line_is_wider_than_a_hundred_columns(made: Callable[[], RunResult]) -> None:
    """And nothing is in it that would move a terminal's cursor."""
    lines = text_of(made()).split("\n")

    assert max(map(width_of, lines)) <= 100
    assert all(line.replace("\u200d", "").isprintable() for line in lines)


def test_ten_thousand_outputs_take_twenty_lines() -> None:
    """A line says how many outputs it stands for."""
    text = text_of(timelines.big())

    assert "outputs: a line stands for up to 500, and shows what most of them did" in text
    assert "500–999 " in text
    assert len(text.split("\n")) < 60


def test_nothing_is_said_in_few_words() -> None:
    """A run without calls has no lanes, no rows and no legend."""
    assert text_of(RunResult()) == "0 outputs from 0 calls.\nNo step was called."


def test_calls_without_outputs_have_lanes() -> None:
    """What a run did shows, also if nothing came of it."""
    calls = [call("src", 0, 1), call("drop", 1, 2, products=0), call("drop", 2, 4, error="no")]
    text = text_of(result([], calls=calls, elapsed=4.0))

    assert text.startswith("0 outputs from 3 calls, 1 failed.\n")
    assert "s src " in text
    assert "✗" in text
    assert "waits" not in text


@pytest.mark.parametrize("alone", [True, False])
def test_outputs_of_operators_are_counted_and_have_no_lines(alone: bool) -> None:
    """No line is empty."""
    text = text_of(timelines.aggregated(alone=alone))

    assert "Not shown: 1 output that operators made." in text
    assert len(re.findall("f{9,}", text)) == (not alone)


def test_letters_are_those_of_the_names() -> None:
    """The first letter of a name that no step before it has."""
    calls = [call(step) for step in ("fetch", "filter", "fix", "f", "F", "ff")]
    lines = text_of(result([], calls=calls, elapsed=1.0)).split("\n")

    assert [line[0] for line in lines[4:10]] == ["f", "i", "x", "F", "a", "b"]
