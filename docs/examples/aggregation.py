"""Add up millions of sales by region and category, in two ways at once, in little memory.

python docs/examples/aggregation.py [--small] [--out FOLDER]
"""

# %% [markdown]
# # Aggregation: Parquet and CSV by group, in bounded memory
# A batch of rows travels as one product, and two branches add it up: as booked, and as kept.

# %%
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
import reactivex
from reactivex import operators as ops
from stand_ins.arguments import arguments
from stand_ins.measuring import measured
from stand_ins.pictures import draw
from stand_ins.sales import CSV_TYPES, write_sales

from fluxus_rx import path, run, rx_pipe, step

BATCH = 65_536
GROUP = ["region", "category"]
SORTED = [(column, "ascending") for column in GROUP]


# %%
def read(file: Path) -> Iterator[dict[str, Any]]:
    if file.suffix == ".parquet":
        with pq.ParquetFile(file, pre_buffer=False) as source:
            yield from ({"sales": pa.table(batch)} for batch in source.iter_batches(BATCH))
    else:
        with pa.csv.open_csv(file, convert_options=CSV_TYPES) as source:
            yield from ({"sales": pa.table(batch)} for batch in source)


def booked(sales: pa.Table) -> Any:
    return pc.multiply(sales["quantity"], sales["price"])


def kept(sales: pa.Table) -> Any:
    percent = pc.subtract(100, pc.if_else(sales["returned"], 100, sales["discount"]))
    return pc.divide(pc.multiply(booked(sales), percent), 100)


def total(sums: pa.Table) -> pa.Table:
    sums = sums.group_by(GROUP).aggregate([("cents", "sum"), ("sales", "sum")])
    return sums.rename_columns([*GROUP, "cents", "sales"])


def add_up(sales: pa.Table, revenue: Any) -> dict[str, pa.Table]:
    cents = sales.select(GROUP).append_column("cents", revenue(sales))
    return {"sums": total(cents.append_column("sales", pa.repeat(1, len(sales))))}


# %% [markdown]
# Arrow computes outside of Python's lock, so threads use all processors. Rx operators merge the
# partial sums of each branch, and emit a product for each group at the end.


# %%
def aggregating(files: list[Path]) -> Any:
    def branch(revenue: Any) -> Any:
        adding = step("add_up", add_up, revenue=revenue)
        return path(revenue.__name__, adding.options(executor="thread", concurrency=2, buffer=2))

    merging = rx_pipe(
        ops.map(lambda product: product["sums"]),
        ops.scan(lambda sums, more: total(pa.concat_tables([sums, more]))),
        ops.take_last(1),
        ops.flat_map(lambda sums: reactivex.from_iterable(sums.sort_by(SORTED).to_pylist())),
        name="group",
    )
    reading = step("read", read).options(executor="thread", concurrency=2)
    source = step("files", [{"file": file} for file in files])
    return source >> reading >> (branch(booked) & branch(kept)) >> merging


SQL = """
    select path, region, category, sum(cents)::bigint as cents, count(*) as sales
    from (from read_parquet($parquet) union all by name from read_csv($csv)),
        lateral (values ('booked', quantity * price), ('kept', quantity * price
            * (100 - if(returned, 100, discount)) // 100)) as revenue(path, cents)
    group by all order by all
"""


# %%
def main(out: Path, small: bool) -> None:
    rows = 200_000 if small else 10_000_000
    files = write_sales(folder := out / f"sales_{rows}", rows)
    flow = aggregating(files)
    with measured() as taken:
        result = run(flow, timestamps=True)
    rows = sum(output["group"]["sales"] for output in result["booked"])
    print(f"{rows:,} sales in {taken.seconds:.1f} s; memory rose by {taken.peak:.0f} MiB")
    frame = pl.from_dataframe(result).rename(lambda column: column.removeprefix("group."))
    print(frame.pivot("path", index="region", values="cents", aggregate_function="sum"))
    print(duckdb.sql('select path, sum("group.cents") as cents from result group by all'))
    print(result.to_frame()["group"].loc["kept"].nlargest(3, "cents"))
    globs = {kind: f"{folder}/*.{kind}" for kind in ("parquet", "csv")}
    same = duckdb.execute(SQL, globs).fetchall() == frame.drop("item").rows()
    print("DuckDB's SQL over the same files", "agrees" if same else "DISAGREES")
    draw(flow, result, out)


if __name__ == "__main__":
    main(*arguments("aggregation"))
