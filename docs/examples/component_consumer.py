"""A consumer of one's own: all products into SQLite, in one transaction."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from fluxus_rx import Consumer, Flow, step


class Insert(Consumer[Mapping[str, Any], int]):
    """Inserts the rows of a flow into a table: all, or none. Returns their number."""

    def __init__(self, path: Path, table: str, columns: tuple[str, ...]) -> None:
        self.path = path
        self.table = table
        self.columns = columns

    def consume(self, products: Iterable[tuple[int, Mapping[str, Any]]]) -> int:
        marks = ", ".join("?" for _ in self.columns)
        statement = f"INSERT INTO {self.table} ({', '.join(self.columns)}) VALUES ({marks})"
        with closing(sqlite3.connect(self.path)) as database, database:
            # Row by row, as they come: the flow is ahead by its buffers and no more. An error of
            # the flow comes up in this loop, and rolls back.
            rows = ([product[column] for column in self.columns] for _, product in products)
            return database.executemany(statement, rows).rowcount


def reciprocal(n: int) -> dict[str, float]:
    return {"reciprocal": 1 / n}


def flow(path: Path, numbers: Iterable[int]) -> Flow[int]:
    source = step("numbers", [{"n": n} for n in numbers])
    insert = Insert(path, "reciprocals", ("n", "reciprocal"))
    return source >> step("reciprocal", reciprocal) >> insert


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "numbers.db"
        with closing(sqlite3.connect(path)) as database, database:
            database.execute("CREATE TABLE reciprocals (n INTEGER, reciprocal REAL)")
        print("inserted", flow(path, [1, 2, 4]).run())
        try:
            flow(path, [5, 0]).run()
        except ZeroDivisionError as error:
            print("not inserted:", error)
        with closing(sqlite3.connect(path)) as database:
            print(*database.execute("SELECT n, reciprocal FROM reciprocals"))


if __name__ == "__main__":
    main()
