"""Files of sales, Parquet and CSV, that are the same each time."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

__all__ = ["CSV_TYPES", "write_sales"]

REGIONS = ["Africa", "Americas", "Asia", "Europe", "Oceania"]
CATEGORIES = ["books", "games", "garden", "kitchen", "music", "sports", "tea", "tools"]
FILES = 10
#: what the columns of CSV files are, whatever their first rows look like
CSV_TYPES = pa.csv.ConvertOptions(
    column_types={
        "region": pa.string(),
        "category": pa.string(),
        "quantity": pa.int64(),
        "price": pa.int64(),
        "discount": pa.int64(),
        "returned": pa.bool_(),
    }
)


def write_sales(folder: Path, rows: int, seed: int = 1) -> list[Path]:
    """Write so many sales into ten files, two of which are CSV; returns their paths. What is
    there already is left as it is.

    Prices are in cents, discounts in percent.
    """
    folder.mkdir(parents=True, exist_ok=True)
    chance = np.random.default_rng(seed)
    files = [folder / f"sales_{n}.{'csv' if n % 4 == 3 else 'parquet'}" for n in range(FILES)]
    for file in files:
        table = _sales(rows // FILES, chance)
        if file.exists():
            continue
        # The whole file or none, whenever the program is killed, and whatever else writes it.
        new = file.with_suffix(f".{os.getpid()}.new")
        try:
            if file.suffix == ".csv":
                pa.csv.write_csv(table, new)
            else:
                pq.write_table(table, new, row_group_size=100_000)
            new.replace(file)
        finally:
            new.unlink(missing_ok=True)
    return files


def _sales(rows: int, chance: np.random.Generator) -> pa.Table:
    return pa.table(
        {
            "region": pa.array(REGIONS).take(pa.array(chance.integers(len(REGIONS), size=rows))),
            "category": pa.array(CATEGORIES).take(
                # Some sell more than others.
                pa.array((chance.random(rows) ** 2 * len(CATEGORIES)).astype(np.int64))
            ),
            "quantity": pa.array(chance.integers(1, 10, size=rows)),
            "price": pa.array(chance.integers(100, 20_000, size=rows)),
            "discount": pa.array(chance.choice([0, 0, 0, 5, 10, 25], size=rows)),
            "returned": pa.array(chance.random(rows) < 0.08),
        }
    )
