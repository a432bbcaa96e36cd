"""What does it cost to clean lines and write them to a database?"""

from __future__ import annotations

import datetime
import random
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from typing import Any

from ..measuring.contenders import Contenders
from ..measuring.contest import Contest, Goal, Size, Workload, WrongOutputs
from ..work.functions import Probe
from ..work.operations import Work, operation_rows

__all__ = ["WORKLOAD"]

BATCH = 1_000
COLUMNS = ("number", "customer", "cents", "day")
#: Of how many lines one is broken.
ONE_IN = 100
_NAMES = ("Ada Lovelace", "grace hopper", " ALAN TURING", "edsger dijkstra ", "Barbara Liskov")
_BROKEN = ("n/a", "", "12,50", "--")


def contests(size: Size, contenders: Contenders) -> Iterable[Contest]:
    """Lines of CSV into a file of SQLite, by one writer, in batches."""
    count = size.pick(200_000, 2_500, 2_500)
    rows, absent = operation_rows(
        contenders,
        "etl",
        partial(_work, count),
        checked=partial(_work, 2_500),
        units=count,
    )
    yield Contest(
        "etl, CSV to SQLite", _QUESTION, "µs per line", rows, goals=[Goal(7)], absent=absent
    )


def _work(count: int, calls: str, probe: Probe | None) -> Work:
    table = _Table(count)
    return Work(
        {"lines": _lines(count), "clean": clean, "size": BATCH, "write": table.write},
        expected=lambda: _sorted_out(count)[1],
        plain=lambda line: line,
        judge=table.judge,
    )


@cache
def _lines(count: int) -> Sequence[str]:
    """Lines as they come out of an export: number, customer, amount, day."""
    return [*_made(random.Random(11), count)]


def _made(chance: random.Random, count: int) -> Iterator[str]:
    for number in range(count):
        amount = f"{chance.randrange(100, 1_000_000) / 100:.2f}"
        if chance.randrange(ONE_IN) == 0:
            amount = chance.choice(_BROKEN)
        day = f"2024-{chance.randrange(1, 13):02}-{chance.randrange(1, 29):02}"
        yield f"{number},{chance.choice(_NAMES)},{amount},{day}\n"


def clean(line: str) -> dict[str, Any]:
    """The row that a line has; raises ValueError where it is broken."""
    number, customer, amount, day = line.rstrip("\n").split(",")
    return {
        "number": int(number),
        "customer": customer.strip().title(),
        "cents": round(float(amount) * 100),
        "day": datetime.date.fromisoformat(day).toordinal(),
    }


class _Table:
    """A table in a file that SQLite makes in its temporary directory, and that is gone with the
    connection, however the process ends."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._database = sqlite3.connect("", check_same_thread=False)
        self._database.execute(f"CREATE TABLE sales ({', '.join(COLUMNS)})")
        self._writing = threading.Lock()
        self._sizes: list[int] = []

    def write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows; blocks."""
        if not self._writing.acquire(blocking=False):
            raise RuntimeError("two writers at once")
        try:
            self._database.executemany(
                "INSERT INTO sales VALUES (?, ?, ?, ?)",
                ([row[name] for name in COLUMNS] for row in rows),
            )
            self._database.commit()
            self._sizes.append(len(rows))
        finally:
            self._writing.release()

    def judge(self, rejected: Iterable[str]) -> list[str]:
        """Whether all good lines are in the table, in batches as asked for; those that aren't."""
        found = self._database.execute(
            "SELECT count(*), sum(number), sum(cents), sum(day) FROM sales"
        ).fetchone()
        self._database.close()
        rows, _ = _sorted_out(self._count)
        if found != rows:
            raise WrongOutputs(f"the table comes to {found}, not {rows}")
        *full, last = self._sizes
        if set(full) - {BATCH} or not 0 < last <= BATCH:
            raise WrongOutputs(f"batches of {min(full):,} to {max(full):,} rows came")
        return [*rejected]


@cache
def _sorted_out(count: int) -> tuple[tuple[int, ...], list[str]]:
    """Number of good rows and sums of their columns; broken lines."""
    rows, broken = [], []
    for line in _lines(count):
        try:
            rows.append(clean(line))
        except ValueError:
            broken.append(line)
    sums = (sum(row[name] for row in rows) for name in ("number", "cents", "day"))
    return (len(rows), *sums), broken


_QUESTION = (
    f"What does a line cost from CSV to SQLite, checked, in batches of {BATCH:,}, by one writer?"
)

WORKLOAD = Workload(
    "etl", _QUESTION, contests, sizes="200,000 lines (quick 2,500)", seconds=60, rank=13
)
