"""A resource of each run: a database that a step of one's own keeps open for its calls."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from fluxus_rx import Step, run, step


class Query(Step):
    """A step whose calls share a connection, which each run opens and closes."""

    def __init__(self, name: str, path: Path, sql: str) -> None:
        super().__init__(name)
        self.path = path
        self.sql = sql

    @contextmanager
    def opened(self) -> Iterator[None]:
        # Each run does this on a copy of its own: two runs at once have two connections.
        with closing(sqlite3.connect(self.path)) as self.database:
            print("opened")
            yield
        print("closed")

    def call(self, n: int) -> Iterator[dict[str, object]]:
        for (value,) in self.database.execute(self.sql, {"n": n}):
            yield {"value": value}


def connect() -> closing[sqlite3.Connection]:
    """What a run makes for a function: a context manager, here of a database in memory."""
    return closing(sqlite3.connect(":memory:"))


def power(value: int, database: sqlite3.Connection) -> dict[str, object]:
    [(squared,)] = database.execute("SELECT ? * ?", (value, value))
    return {"squared": squared}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "numbers.db"
        with closing(sqlite3.connect(path)) as database, database:
            database.execute("CREATE TABLE numbers (value INTEGER)")
            database.executemany("INSERT INTO numbers VALUES (?)", [(1,), (2,), (3,)])
        below = Query("below", path, "SELECT value FROM numbers WHERE value < :n")
        flow = step("limits", [{"n": 2}, {"n": 4}]) >> below
        # The same for a function: a resource that is made for each run, and given by name.
        flow = flow >> step("power", power, using={"database": connect})
        print(*[output["power"]["squared"] for output in run(flow)[0]])


if __name__ == "__main__":
    main()
