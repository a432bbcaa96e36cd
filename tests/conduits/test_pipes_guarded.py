"""What operators in a pipe could hang on, or fill the memory with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from aiostream import pipe
from reactivex import operators as ops

from fluxus_rx import DictProduct, UsageError, arun, run, rx_pipe, step, stream_pipe
from fluxus_rx.testing import run_virtual

ROWS = step("rows", [{"x": 1}, {"x": 2}])


def test_an_operator_that_iterates_twice_is_told_that_it_cannot() -> None:
    """Else one that repeats its source would ask for more for ever."""
    with pytest.raises(UsageError, match="iterates for a second time"):
        run(ROWS >> stream_pipe(pipe.cycle(), pipe.take(5)))


def test_a_list_that_holds_itself_is_looked_into_once() -> None:
    """Its products are the precursors of what is made of it."""

    def endless(product: Any) -> list[Any]:
        items = [product]
        items.append(items)
        return items

    for made in ROWS >> rx_pipe(ops.map(endless), name="knot"):
        assert isinstance(made, DictProduct)
        assert [before["x"] for before in made.precursors] == [made["knot"][0]["x"]]


def test_a_source_whose_items_are_held_gives_a_second_one_its_turn() -> None:
    """zip holds what the first is ahead of the second: a part of it, and not all."""
    ahead: list[int] = []
    asked = 0

    def first() -> Iterator[dict[str, int]]:
        nonlocal asked
        for asked in range(1, 2_001):
            yield {"x": asked}

    def second() -> Iterator[dict[str, int]]:
        for y in range(1, 2_001):
            ahead.append(asked - y)
            yield {"y": y}

    other = step("second", second).to_observable()
    pairs = run_virtual(lambda: arun(step("first", first) >> rx_pipe(ops.zip(other), name="pair")))
    assert len(pairs[0]) == 2_000
    assert max(ahead) < 500
