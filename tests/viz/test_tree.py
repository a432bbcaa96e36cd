"""A flow as a tree for terminals."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxus_rx import chain, parallel, passthrough
from fluxus_rx._common.text import shortened, width_of
from fluxus_rx._conduits.conduit import role_of
from fluxus_rx.viz import to_tree
from tests.support.drawings import FLOWS, Named, check, odd, plain
from tests.support.graphs import Recorder, flows, transformers
from tests.support.oracle import Graph

#: By character, the sides on which a line leads out of it.
SIDES = {
    "─": "lr", "┄": "lr", "│": "ud", "├": "udr", "┤": "udl", "┬": "dlr",
    "╭": "dr", "╮": "dl", "╰": "ur", "╯": "ul", "▶": "l",
}  # fmt: skip


@pytest.mark.parametrize("paths", [False, True], ids=["plain", "paths"])
@pytest.mark.parametrize("name", FLOWS)
def test_a_flow_looks_as_it_always_did(name: str, paths: bool) -> None:
    """The drawings are in files, to be looked at after a change."""
    check(f"{name}{'_paths' if paths else ''}.tree", to_tree(FLOWS[name], paths=paths))


@pytest.mark.parametrize("name", FLOWS)
def test_the_text_of_a_flow_is_its_expression(name: str) -> None:
    """The other text style: what builds the flow."""
    check(f"{name}.text", repr(FLOWS[name]))


def test_odd_text_stays_on_its_line() -> None:
    """Escapes for what can't be seen, dots for what is too long, and all bars in their column."""
    drawn = to_tree(odd())
    check("odd.tree", drawn)
    assert drawn.splitlines() == drawn.split("\n")
    group = drawn.split("\n")[1:-1]
    assert len({width_of(line) for line in group}) == 1


@given(graph=st.one_of(flows(), transformers()), paths=st.booleans())
def test_every_line_leads_to_another(graph: Graph, paths: bool) -> None:
    """A line that leaves a character on one side enters its neighbour on the other."""
    rows = to_tree(Recorder().flow(graph), paths=paths).split("\n")
    for number, row in enumerate(rows):
        for column, one in enumerate(row):
            sides = sides_of(rows, number, column)
            if one in SIDES and "d" in sides:
                below = rows[number + 1][column]
                # What closes a group leads to the node, or into the group, that follows.
                assert "u" in sides_of(rows, number + 1, column) or below in "▷○□◉"
            if one in "├╰" and "r" in sides:
                assert "l" in sides_of(rows, number, column + 1)
            if one in "┤╮╯":
                assert "r" in sides_of(rows, number, column - 1)


def sides_of(rows: list[str], number: int, column: int) -> str:
    row = rows[number]
    return SIDES.get(row[column], "") if column < len(row) else ""


@given(graph=st.one_of(flows(), transformers()))
def test_each_conduit_has_its_line(graph: Graph) -> None:
    """As many names as there are conduits, in the order in which they are written."""
    flow = Recorder().flow(graph)
    drawn = [line.strip(" │├╰╭─▶┬┄╮┤╯").split(" ") for line in to_tree(flow).split("\n")]
    names = [words[1] for words in drawn if words[0] in tuple("▷○□")]
    assert names == written(flow)


def written(conduit: Any) -> list[str]:
    """The names of the conduits of a flow, from left to right."""
    if conduit.is_atomic:
        return [] if role_of(conduit) == "passthrough" else [conduit.name]
    return [name for one in conduit.conduits for name in written(one)]


def test_wide_characters_keep_the_bars_in_their_column() -> None:
    """An ideograph takes two columns, and a combining accent none."""
    group = parallel(Named("東京", 1), Named("cafe\u0301", 1), Named("abc", 1), passthrough())
    widths = {width_of(line) for line in to_tree(group).split("\n")[1:-1]}
    assert len(widths) == 1


def test_a_passthrough_alone_leads_from_start_to_end() -> None:
    """It can't be run, but it can be looked at."""
    assert to_tree(passthrough()) == "● start\n┊\n◉ end"


def test_a_long_label_ends_in_dots() -> None:
    """So that a line stays readable, whatever the value."""
    line = to_tree(Named("n" * 100, "v" * 100)).split("\n")[1]
    assert line == f"○ {'n' * 39}…  value='{'v' * 27}...{'v' * 22}…"


def test_a_chain_of_two_thousand_is_drawn_without_recursion() -> None:
    """A line for each step, and one each for start and end."""
    drawn = to_tree(chain(*[plain("a")] * 2_000))
    assert len(drawn.split("\n")) == 2_002


@given(text=st.text(), width=st.integers(1, 20))
def test_a_shortened_text_fits(text: str, width: int) -> None:
    """It is no wider than asked for, and untouched if it fits."""
    cut = shortened(text, width)
    assert width_of(cut) <= width
    assert (cut == text) == (width_of(text) <= width)
