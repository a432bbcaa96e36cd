"""Tables of chosen rows, in place of whole products of parameters.

A row is left out of the tests that always run where no fault is thinkable that it alone would find.
It stands in the product all the same, under the marker `thorough`: `pytest -m thorough` runs it.
"""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest

#: The values of one parameter; those that have no name of their own get it as a key.
Column = Mapping[str, Any] | Sequence[Any]

Row = tuple[int, ...]


def as_many(usually: int, thoroughly: int) -> int:
    """How many times to try what depends on chance, with the profile thorough of Hypothesis too."""
    return thoroughly if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else usually


def all_pairs(
    names: str, *columns: Column, keep: Callable[..., bool] | None = None
) -> pytest.MarkDecorator:
    """Parametrize a test with rows in which each value of a column meets each of any other one.

    Rows for which `keep` holds, which is called with their values, are among them, too. All others
    of the product are thorough.
    """
    return _table(names, columns, 2, keep)


def all_values(
    names: str, *columns: Column, keep: Callable[..., bool] | None = None
) -> pytest.MarkDecorator:
    """Parametrize a test with rows in which each value of each column occurs.

    Rows for which `keep` holds, which is called with their values, are among them, too. All others
    of the product are thorough.
    """
    return _table(names, columns, 1, keep)


def chosen(sizes: Sequence[int], together: int, kept: Sequence[Row] = ()) -> set[Row]:
    """Rows of a product in which so many columns meet in each way; those of `kept` are given.

    The same ones in each process. Each row is one that adds most to those before it: the first one
    that does, which makes small tables of pairs, or, where single values are to occur, one whose
    values have been seen least, which mixes them.

    >>> sorted(chosen([3, 2], together=1))
    [(0, 0), (1, 1), (2, 0)]
    >>> len(chosen([3, 3, 3, 3], together=2))
    9
    """
    rows = list(itertools.product(*map(range, sizes)))
    columns = list(itertools.combinations(range(len(sizes)), together))
    meetings = {row: {(some, *(row[at] for at in some)) for some in columns} for row in rows}
    found = set(kept)
    missing = set().union(*meetings.values()).difference(*(meetings[row] for row in found))
    seen = Counter(place for row in found for place in enumerate(row))
    while missing:
        most = max(len(meetings[row] & missing) for row in rows)
        best = min(
            (row for row in rows if len(meetings[row] & missing) == most),
            key=lambda row: sum(seen[place] for place in enumerate(row)) if together == 1 else 0,
        )
        found.add(best)
        missing -= meetings[best]
        seen.update(enumerate(best))
    return found


def _table(
    names: str, columns: Sequence[Column], together: int, keep: Callable[..., bool] | None
) -> pytest.MarkDecorator:
    named = [list(_named(column)) for column in columns]
    rows = list(itertools.product(*(range(len(column)) for column in named)))
    cells = {row: [one[at] for one, at in zip(named, row, strict=True)] for row in rows}
    values = {row: [value for _, value in cells[row]] for row in rows}
    kept = [row for row in rows if keep is not None and keep(*values[row])]
    taken = chosen([*map(len, named)], together, kept)
    return pytest.mark.parametrize(
        names,
        [
            pytest.param(
                *values[row],
                id="-".join(name for name, _ in cells[row]),
                marks=() if row in taken else pytest.mark.thorough,
            )
            for row in rows
        ],
    )


def _named(column: Column) -> Iterator[tuple[str, Any]]:
    """The values of a column with their names, which are the same in each process."""
    if isinstance(column, Mapping):
        yield from column.items()
        return
    for value in column:
        if isinstance(value, str | int | float | bool | None):
            yield str(value), value
        else:
            name = getattr(value, "__name__", "<none>")
            assert "<" not in name, f"a value of a column needs a name, as its key: {value!r}"
            yield name, value
