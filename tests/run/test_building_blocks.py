"""What docs/building_blocks.rst says of each building block is what is measured here."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from fluxus_rx import OptionKeywords, reactive_streams, rx, streams
from tests.support.building_blocks import BLOCKS, Rig, in_virtual_time

PAGE = (Path(__file__).parents[2] / "docs" / "building_blocks.rst").read_text(encoding="utf-8")

#: How many items the source has: far more than any block has room for.
MANY = 2_000


def rows() -> Iterator[list[str]]:
    """The rows of the tables, without those at their heads."""
    for row in re.findall(r"^   \* - .*\n(?:     .*\n)+", PAGE, re.MULTILINE):
        cells = [
            " ".join(cell.split()) for cell in re.split(r"^     - ", row[7:], flags=re.MULTILINE)
        ]
        if cells[0] != "Block":
            assert len(cells) == 6, row
            assert all(cells), row
            yield [cells[0].replace("``", ""), *cells[1:]]


TABLE = {name: cells for name, *cells in rows()}


def test_each_block_is_in_a_table_once() -> None:
    assert [name for name, *_ in rows()] == [*TABLE]
    assert TABLE.keys() == BLOCKS.keys()


def test_a_new_option_or_operator_needs_a_row() -> None:
    """So do functions that join streams, observables and publishers."""
    functions = {
        name
        for module in (rx, streams, reactive_streams)
        for name in module.__all__
        if not isinstance(getattr(module, name), type)
    }
    names = {*OptionKeywords.__annotations__, *functions}
    assert {name for name in names if not any(name in row for row in TABLE)} == set()


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_asks_for_as_much_and_holds_as_much_as_the_table_says(name: str) -> None:
    """While calls, or the reader, wait; and a run that is cancelled then leaves nothing behind."""
    _, backpressures, _, _, memory = TABLE[name]
    rig = Rig(MANY)

    async def main() -> None:
        found = await rig.measured(BLOCKS[name])
        asked = ":unbounded:`no`" if found.asked == MANY else f":bounded:`yes, {found.asked}`"
        kept = "all" if found.kept == MANY else f"{found.kept}"
        assert (asked, kept) == (backpressures, memory)
        assert rig.cancelled == found.in_flight
        assert (rig.in_flight, rig.tally.opened, rig.tally.closed) == (0, 1, 1)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    in_virtual_time(main())


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_completes_with_its_source(name: str) -> None:
    """All products have come by then; the source is closed, once, and no call is left."""
    rig = Rig(50, holds=False)
    assert in_virtual_time(BLOCKS[name].flow(rig)) == BLOCKS[name].emits
    assert (rig.in_flight, rig.tally.opened, rig.tally.closed) == (0, 1, 1)


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_raises_the_error_of_its_source_and_closes_it(name: str) -> None:
    """As it is; calls in flight are cancelled."""
    rig = Rig(50, holds=False, fails=True)
    with pytest.raises(LookupError, match="upstream"):
        in_virtual_time(BLOCKS[name].flow(rig))
    assert (rig.in_flight, rig.tally.opened, rig.tally.closed) == (0, 1, 1)
