"""A number stands with its noun in the singular or plural, wherever the library writes both."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

import fluxus_rx
from fluxus_rx import RunStats, StepProgress, Summary
from fluxus_rx._common.text import counted
from fluxus_rx._graph.flow_graph import Paths
from fluxus_rx._monitoring.calls import Journal
from tests.monitoring.test_stats import over, rows, slow

PACKAGE = Path(fluxus_rx.__file__).parent

#: A noun in the plural behind a number, with one or two words between.
PLURAL = re.compile(r"^ (?:[a-z]+ ){0,2}?[a-z]{3,}(?<![su])s\b")
#: What ends like a plural and is none.
NO_PLURALS = re.compile(r"^ (?:[a-z]+ ){0,2}?(?:was|is|has|does|times|s|waits|lets|takes)\b")
#: What numbers are called.
NUMBER = re.compile(r"(count|number|attempts|calls|size|len|total|amount|^n)$")


def is_number(value: ast.FormattedValue) -> bool:
    """Whether a number is put into a text, as far as one can see."""
    spec = "" if value.format_spec is None else ast.unparse(value.format_spec)
    shown = value.value.func if isinstance(value.value, ast.Call) else value.value
    name = shown.id if isinstance(shown, ast.Name) else getattr(shown, "attr", "")
    return value.conversion == -1 and bool(re.search("[,d]", spec) or NUMBER.search(name))


def plurals(source: str) -> Iterator[str]:
    """The texts in a module that put a number in front of a fixed plural."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            for first, second in pairwise(node.values):
                if (
                    isinstance(first, ast.FormattedValue)
                    and isinstance(second, ast.Constant)
                    and is_number(first)
                    and PLURAL.match(str(second.value))
                    and not NO_PLURALS.match(str(second.value))
                ):
                    yield ast.unparse(node)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            rest = node.value.split("%d")[1:]
            yield from (text for text in rest if PLURAL.match(text) and text.isprintable())


def test_no_text_has_a_number_in_front_of_a_fixed_plural() -> None:
    """`counted` chooses between "1 product" and "2 products"; no text does so by itself."""
    found = {
        path.relative_to(PACKAGE).as_posix(): texts
        for path in sorted(PACKAGE.rglob("*.py"))
        if (texts := [*plurals(path.read_text("utf-8"))])
    }
    assert found == {}


@pytest.mark.parametrize(
    "text",
    ["f'{len(x)} steps'", "f'{n:,} products wait'", "f'{self.count} more paths'", "'%d tasks in'"],
)
def test_the_law_finds_such_a_text(text: str) -> None:
    """A law that finds nothing anywhere is none."""
    assert [*plurals(f"x = {text}")]


@pytest.mark.parametrize(
    "text",
    ["counted(n, 'step')", "f'{speed:.1f} times as fast'", "f'{name!r} steps'", "f'{count} is'"],
)
def test_the_law_leaves_other_texts_alone(text: str) -> None:
    """What isn't a number, or a plural, may stand as it is."""
    assert not [*plurals(f"x = {text}")]


def test_one_of_each_is_in_the_singular() -> None:
    """Where there is one, there is no plural."""
    stats = over(rows(1) >> slow("f", 1))
    texts = [
        counted(1, "product"),
        str(RunStats(1.0, "done", 1, stats.steps)),
        stats.explain().sentence,
        str(StepProgress("f", 1, 1, 1, 1, 1.0, 1.0, waiting=1)),
        Summary.of(Journal((), 1.0)).sentence,
        str(Paths(1)),
    ]
    wrong = [text for text in texts if re.search(r"(?<![\d.,])1 (?:more )?[a-z]+s\b(?<!is)", text)]
    assert wrong == []
    with pytest.raises(fluxus_rx.InvalidFlowError, match="list of 1 step;"):
        fluxus_rx.run([rows(1)])  # type: ignore[call-overload]  # the mistake is the point
