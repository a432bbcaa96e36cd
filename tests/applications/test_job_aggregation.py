"""Sales that are added up by group in two ways."""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from fluxus_rx import RunResult, run
from tests.support.subprocesses import ROOT

EXAMPLES = ROOT / "docs" / "examples"
ROWS = 20_000


class Job:
    """The modules of the program."""

    def __init__(self) -> None:
        self.aggregation: Any = importlib.import_module("aggregation")
        self.sales: Any = importlib.import_module("stand_ins.sales")

    def run(self, files: list[Path]) -> RunResult:
        return run(self.aggregation.aggregating(files))


@pytest.fixture(scope="module")
def job() -> Iterator[Job]:
    """The program, imported as those beside it import it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(EXAMPLES))
        yield Job()


@pytest.fixture(scope="module")
def files(job: Job, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Files of both kinds."""
    found: list[Path] = job.sales.write_sales(tmp_path_factory.mktemp("sales"), ROWS)
    return found


def groups(result: RunResult, branch: str) -> list[tuple[Any, ...]]:
    """The groups of a branch, as rows."""
    return [tuple(output["group"].values()) for output in result[branch]]


def by_loop(files: list[Path]) -> dict[str, dict[tuple[str, str], tuple[int, int]]]:
    """The same sums, by a plain loop over rows."""
    sums: dict[str, dict[tuple[str, str], tuple[int, int]]] = {"booked": {}, "kept": {}}
    for file in files:
        read = pa.csv.read_csv if file.suffix == ".csv" else pq.read_table
        for row in read(file).to_pylist():
            booked = row["quantity"] * row["price"]
            kept = 0 if row["returned"] else booked * (100 - row["discount"]) // 100
            for branch, cents in (("booked", booked), ("kept", kept)):
                group = row["region"], row["category"]
                before = sums[branch].get(group, (0, 0))
                sums[branch][group] = before[0] + cents, before[1] + 1
    return sums


def test_both_branches_have_the_sums_of_a_plain_loop(job: Job, files: list[Path]) -> None:
    """To the cent, in the order of the groups."""
    result = job.run(files)
    assert result.paths == ("booked", "kept")
    for branch, expected in by_loop(files).items():
        rows = groups(result, branch)
        assert {row[:2]: row[2:] for row in rows} == expected
        assert rows == sorted(rows)


def test_duckdb_polars_and_pandas_take_the_result_and_agree(job: Job, files: list[Path]) -> None:
    """With DuckDB's SQL over the same files, too."""
    result = job.run(files)
    globs = {kind: f"{files[0].parent}/*.{kind}" for kind in ("parquet", "csv")}
    expected = duckdb.execute(job.aggregation.SQL, globs).fetchall()
    assert len(expected) == 80
    assert duckdb.execute("select * exclude item from result").fetchall() == expected
    assert pl.from_dataframe(result).drop("item").rows() == expected
    frame = result.to_frame()["group"].reset_index()[
        ["path", "region", "category", "cents", "sales"]
    ]
    assert [tuple(row) for row in frame.itertuples(index=False)] == expected


def test_the_size_of_batches_and_the_order_of_threads_change_nothing(
    job: Job, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Integers add up in any order, and groups are sorted."""
    whole = job.run(files)
    monkeypatch.setattr(job.aggregation, "BATCH", 100)
    assert [groups(job.run(files), branch) for branch in whole.paths] == [
        groups(whole, branch) for branch in whole.paths
    ]


def test_memory_is_that_of_a_few_batches_however_many_there_are(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Arrow tells how much it has: of 400 batches at most 60, which are those that may wait."""
    table = job.sales._sales(400_000, job.sales.np.random.default_rng(1))
    pq.write_table(table, tmp_path / "all.parquet", row_group_size=1_000)
    size = table.nbytes
    del table
    before = pa.total_allocated_bytes()
    most = 0
    add_up = job.aggregation.add_up

    def watched(sales: pa.Table, revenue: Any) -> Any:
        nonlocal most
        most = max(most, pa.total_allocated_bytes() - before)
        return add_up(sales, revenue)

    monkeypatch.setattr(job.aggregation, "BATCH", 1_000)
    monkeypatch.setattr(job.aggregation, "add_up", watched)
    result = job.run([tmp_path / "all.parquet"])
    assert sum(row[3] for row in groups(result, "kept")) == 400_000
    assert 0 < most < size * 60 / 400


def test_its_flow_has_no_mistake(job: Job, files: list[Path]) -> None:
    """As `check` sees it before a run."""
    assert {finding.level for finding in job.aggregation.aggregating(files).check()} == {"info"}


def test_nothing_to_add_up_gives_no_groups(job: Job, tmp_path: Path) -> None:
    """Neither no file, nor files without rows, are an error."""
    empty = job.sales._sales(0, job.sales.np.random.default_rng(1))
    pa.csv.write_csv(empty, tmp_path / "empty.csv")
    pq.write_table(empty, tmp_path / "empty.parquet")
    for files in ([], [tmp_path / "empty.csv", tmp_path / "empty.parquet"]):
        result = job.run(files)
        assert (result["booked"], result["kept"]) == ([], [])


@pytest.mark.parametrize("damage", ["ragged", "text", "cut"])
def test_a_broken_file_ends_the_run_and_is_named(
    job: Job, files: list[Path], tmp_path: Path, damage: str
) -> None:
    """Sums without a part of the sales would be wrong; better none."""
    broken = tmp_path / ("broken.parquet" if damage == "cut" else "broken.csv")
    if damage == "cut":
        broken.write_bytes(files[0].read_bytes()[:-100])
    else:
        good = files[3].read_bytes()
        broken.write_bytes(
            good + (b"Asia,tea,1\n" if damage == "ragged" else b"Asia,tea,a few,1,0,true\n")
        )
    with pytest.raises(pa.ArrowInvalid) as caught:
        job.run([*files[:2], broken])
    assert any("'read'" in note and broken.name in note for note in caught.value.__notes__)


def test_the_program_agrees_with_duckdb_and_draws(
    job: Job, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It prints three tables of three libraries."""
    job.aggregation.main(tmp_path, small=True)
    printed = capsys.readouterr().out
    assert printed.startswith("200,000 sales in")
    assert "DuckDB's SQL over the same files agrees" in printed
    drawn = {"timeline.svg", "timeline_dark.svg"}
    if shutil.which("dot") is not None:
        drawn |= {"flow.svg", "flow_dark.svg"}
    assert {path.name for path in tmp_path.glob("*.svg")} == drawn


def test_files_that_another_program_writes_at_the_same_time_are_whole(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has a file of its own until it is complete; nothing else is left."""
    write = job.sales.pq.write_table

    def overtaken(table: pa.Table, file: Path, **options: Any) -> None:
        write(table, file, **options)
        if table is not None and file.suffix == ".new":
            write(table.slice(0, 1), file.with_name(f"{file.name.partition('.')[0]}.parquet"))

    monkeypatch.setattr(job.sales.pq, "write_table", overtaken)
    files = job.sales.write_sales(tmp_path, 100)
    assert {*tmp_path.iterdir()} == {*files}
    assert {pq.read_metadata(file).num_rows for file in files if file.suffix == ".parquet"} == {10}
