"""The files of the five offices, in chunks of lines; rows of orders; the database for these."""

from __future__ import annotations

import csv
import gzip
import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

__all__ = ["FEEDS", "chunks", "clean", "opened", "order_of"]

#: the separator of columns (none: JSON lines) and the encoding of each file
FEEDS = {
    "north.csv": (",", "utf-8-sig"),
    "south.csv.gz": (";", "latin-1"),
    "centre.csv": ("\t", "utf-16"),
    "east.jsonl": (None, "utf-8"),
    "west.jsonl.gz": (None, "utf-8"),
}

_SKU = re.compile(r"SKU-\d{4}", re.ASCII)


def opened(database: Path) -> closing[sqlite3.Connection]:
    """The database with its tables; `marks` has the next line to load of each file."""
    db = sqlite3.connect(database, check_same_thread=False)
    db.executescript("""
        pragma journal_mode = wal;
        create table if not exists orders (file, line, id, day, sku, quantity, cents, customer,
            category, primary key (file, line));
        create table if not exists bad_rows (file, line, reason, text, primary key (file, line));
        create view if not exists reasons as
            select count(*), reason from bad_rows group by reason order by 1 desc;
        create table if not exists marks (file primary key, next);
    """)
    with db:
        starts = [(file, 2 if separator else 1) for file, (separator, _) in FEEDS.items()]
        db.executemany("insert or ignore into marks values (?, ?)", starts)
    return closing(db)


def chunks(folder: Path, database: Path, size: int) -> Iterator[dict[str, Any]]:
    """The lines of all files, `size` at a time, with the number of the first one; those that the
    database has already, by its marks, are skipped.

    A line is a record. So what is broken can't spoil the next one, as a quote that is never closed
    does where records may have several lines.
    """
    with opened(database) as db:
        marks = dict(db.execute("select file, next from marks"))
    for name, (separator, encoding) in FEEDS.items():
        text_of = gzip.open if name.endswith(".gz") else open
        # What can't be decoded is a mark in its line, and doesn't end the file.
        with text_of(folder / name, "rt", encoding=encoding, errors="replace") as file:
            layout = (separator, next(file, "").rstrip().split(separator) if separator else [])
            first = marks[name]
            rest = islice(file, first - (2 if separator else 1), None)
            while lines := list(islice(rest, size)):
                yield {"file": name, "layout": layout, "first": first, "lines": lines}
                first += len(lines)


def clean(file: str, layout: Any, first: int, lines: list[str]) -> dict[str, Any]:
    """The orders among lines, and the bad rows: each with its file and line, these with the reason
    and the text."""
    rows, bad = [], []
    for line, text in enumerate(lines, first):
        try:
            rows.append((file, line, *order_of(text, *layout)))
        except ValueError as error:
            bad.append((file, line, str(error), text))
    return {"rows": rows, "bad": bad}


def order_of(text: str, separator: str | None, columns: list[str]) -> tuple[Any, ...]:
    """Order, day, product, quantity, cents, customer; the message of the error says why not.

    >>> order_of("7;03.11.2026; sku-0001;2;1,50;Zoë", ";", _NAMES)
    ('7', '2026-11-03', 'SKU-0001', 2, 150, 'Zoë')
    """
    if "\ufffd" in text:
        raise ValueError("bytes that are not of this encoding")
    fields = _fields(text, separator, columns)
    if missing := [name for name in _NAMES if fields.get(name) is None]:
        raise ValueError(f"without {', '.join(missing)}")
    order, day, sku, quantity, price, customer = [str(fields[name]) for name in _NAMES]
    if day[4:5] != "-":
        day = "-".join(reversed(day.split(".")))
    day = date.fromisoformat(day).isoformat()
    sku = sku.strip().upper()
    if not _SKU.fullmatch(sku):
        raise ValueError("not the number of a product")
    try:
        number, cents = int(quantity), int(Decimal(price.replace(",", ".")) * 100)
    except (ValueError, ArithmeticError):
        raise ValueError("quantity or price isn't a number") from None
    if not (0 < number < 10_000 and 0 <= cents < 10**9):
        raise ValueError("quantity or price out of range")
    # JSON can write half of a surrogate pair, which no database takes.
    (order + customer).encode()
    return order, day, sku, number, cents, customer.strip()


def _fields(text: str, separator: str | None, columns: list[str]) -> dict[str, Any]:
    if separator is None:
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            raise ValueError("not JSON") from None
        if not isinstance(found, dict):
            raise ValueError("JSON, but not an object")
        return found
    try:
        fields = next(csv.reader((text,), delimiter=separator, strict=True), [])
    except csv.Error as error:
        raise ValueError(f"CSV: {error}") from None
    if len(fields) != len(columns):
        raise ValueError(f"{len(fields)} columns, expected {len(columns)}")
    return dict(zip(columns, fields, strict=True))


_NAMES = ["order", "day", "sku", "quantity", "price", "customer"]
