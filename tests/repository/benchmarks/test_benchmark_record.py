"""A run is a file that pyperf reads, that a schema describes, and that can be read as the same
run."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from typing import Any

import jsonschema
import pyperf
import pytest

from benchmarks.measuring.outcome import RunOutcome
from benchmarks.report import record
from benchmarks.report.reading import judged
from benchmarks.report.record import load, save

from .outcomes import a_contest, a_count, a_large_run, a_run, fail

SCHEMA = Path(record.__file__).with_name("schema.json")


def a_mixed_run() -> RunOutcome:
    """With all that a file must hold: failures, both clocks, counts, zeros, memory."""
    contest, count = a_contest(), a_count()
    fail(contest, "anyio", "broke its promise", "limit 100, 113 in flight")
    fail(contest, "aiometer", "crashed", "")
    contest.rows[0].traced, contest.rows[0].rss = 12_345_678, 87_654_321
    contest.rows[-1].contender = "another"
    run = a_run(contest, count, a_contest("none", rounds=0))
    run.complete = False
    return run


def saved(run: RunOutcome, folder: Path) -> Path:
    path = folder / "run.json"
    save(run, path)
    return path


def document(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def test_what_was_saved_is_loaded_but_for_digits_that_mean_nothing(tmp_path: Path) -> None:
    run = a_mixed_run()
    read = load(saved(run, tmp_path))
    for old, new in zip(run.contests, read.contests, strict=True):
        for before, after in zip(old.rows, new.rows, strict=True):
            assert after.cpu == pytest.approx(before.cpu, rel=1e-3)
            assert after.wall == pytest.approx(before.wall, rel=1e-3)
            assert after.values == before.values
            assert (after.traced or 0) == pytest.approx(before.traced or 0, rel=1e-3)
            after.cpu, after.wall, after.traced, after.rss = (
                before.cpu,
                before.wall,
                before.traced,
                before.rss,
            )
    assert read == run


def test_what_was_loaded_is_saved_as_the_same_file(tmp_path: Path) -> None:
    first = saved(a_mixed_run(), tmp_path)
    save(load(first), tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == first.read_bytes()


def test_what_is_rounded_changes_no_verdict(tmp_path: Path) -> None:
    run = a_large_run(20, 5)
    read = load(saved(run, tmp_path))
    verdicts = [
        [one.verdict for contest in each.contests for one in judged(contest)]
        for each in (run, read)
    ]
    assert verdicts[0] == verdicts[1]


@pytest.mark.parametrize("size", ["full", "quick", "smoke"])
def test_the_schema_describes_the_file(tmp_path: Path, size: str) -> None:
    run = a_mixed_run()
    run.size = size
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(document(saved(run, tmp_path)), schema)


def test_the_schema_knows_no_more_than_the_file_has(tmp_path: Path) -> None:
    """A file with anything else is none of this version."""
    written = document(saved(a_run(), tmp_path))
    written["fluxus_rx"]["contests"][0]["rows"][0]["extra"] = 1
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(written, json.loads(SCHEMA.read_text(encoding="utf-8")))


class TestPyperf:
    def test_it_reads_each_row_with_costs_above_zero(self, tmp_path: Path) -> None:
        contest = a_contest()
        fail(contest, "anyio", "crashed", "no answer")
        suite = pyperf.BenchmarkSuite.load(str(saved(a_run(contest, a_count()), tmp_path)))
        names = suite.get_benchmark_names()
        assert "async, limit 100: fluxus_rx" in names
        assert "async, limit 100: anyio" not in names
        assert "calls made: streamable" not in names  # it made none
        assert len(names) == 6 + 6

    def test_it_shows_times_by_the_clock_of_the_contest(self, tmp_path: Path) -> None:
        contest = a_contest()
        suite = pyperf.BenchmarkSuite.load(str(saved(a_run(contest), tmp_path)))
        ours = suite.get_benchmark("async, limit 100: fluxus_rx")
        assert ours.get_unit() == "second"
        assert ours.get_values() == pytest.approx(tuple(contest.costs("fluxus_rx")), rel=1e-3)

    @pytest.mark.parametrize(
        ("unit", "expected"), [("calls", "integer"), ("MB at its peak", "byte"), ("bytes", "byte")]
    )
    def test_it_is_told_what_was_counted(self, tmp_path: Path, unit: str, expected: str) -> None:
        contest = a_count()
        contest.unit = unit
        suite = pyperf.BenchmarkSuite.load(str(saved(a_run(contest), tmp_path)))
        assert suite.get_benchmark("calls made: by-hand").get_unit() == expected

    def test_it_writes_what_it_has_read(self, tmp_path: Path) -> None:
        """All values and metadata are of kinds that it takes."""
        suite = pyperf.BenchmarkSuite.load(str(saved(a_mixed_run(), tmp_path)))
        suite.dump(io.StringIO())
        assert suite.get_metadata()["python_version"] == "CPython 3.11.7"


def test_no_cost_stands_twice_in_the_file(tmp_path: Path) -> None:
    written = document(saved(a_run(a_contest()), tmp_path))
    row = written["fluxus_rx"]["contests"][0]["rows"][0]
    assert "cpu" not in row
    assert len(row["wall"]) == 7


def test_a_count_keeps_all_its_digits(tmp_path: Path) -> None:
    contest = a_count()
    contest.rows[0].values = [123_457.0] * 7
    assert load(saved(a_run(contest), tmp_path)).contests[0].costs("fluxus_rx")[0] == 123_457


def test_what_has_no_end_survives(tmp_path: Path) -> None:
    contest = a_count()
    contest.rows[0].values = [1.0, math.inf, 2.0]
    read = load(saved(a_run(contest), tmp_path))
    assert read.contests[0].costs("fluxus_rx") == [1, math.inf, 2]


def test_a_full_run_of_all_contests_has_at_most_300_kb(tmp_path: Path) -> None:
    assert saved(a_large_run(75, 10), tmp_path).stat().st_size <= 300_000


def test_a_file_has_a_line_for_each_contest(tmp_path: Path) -> None:
    """So that it can be seen what changed in it."""
    lines = saved(a_run(), tmp_path).read_text(encoding="utf-8").splitlines()
    assert max(map(len, lines)) < 3_000
    assert len(lines) > 3


class TestWriting:
    def test_the_old_file_stays_where_the_new_one_cannot_be_written(self, tmp_path: Path) -> None:
        path = saved(a_run(), tmp_path)
        before = path.read_bytes()
        broken = a_run()
        broken.circumstances = {"cpu": object()}
        with pytest.raises(TypeError):
            save(broken, path)
        assert path.read_bytes() == before
        assert [each.name for each in tmp_path.iterdir()] == ["run.json"]

    def test_nothing_else_is_left_in_the_folder(self, tmp_path: Path) -> None:
        saved(a_run(), tmp_path)
        saved(a_run(), tmp_path)
        assert [each.name for each in tmp_path.iterdir()] == ["run.json"]

    def test_a_folder_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match=r"no folder .*nowhere"):
            save(a_run(), tmp_path / "nowhere" / "run.json")


class TestRefusing:
    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match=r"there is no file .*none\.json; a run .* --json"):
            load(tmp_path / "none.json")

    def test_a_file_of_another_version(self, tmp_path: Path) -> None:
        path = saved(a_run(), tmp_path)
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace('"schema":1', '"schema":2'), encoding="utf-8")
        with pytest.raises(ValueError, match=r"another version .*schema 2.*run them again"):
            load(path)

    @pytest.mark.parametrize("text", ["", "{", "\x00"])
    def test_what_is_no_json(self, tmp_path: Path, text: str) -> None:
        path = tmp_path / "run.json"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match="can't be read as JSON"):
            load(path)

    @pytest.mark.parametrize("text", ["[]", "1", '{"version": "1.0", "benchmarks": []}'])
    def test_a_file_of_something_else(self, tmp_path: Path, text: str) -> None:
        path = tmp_path / "run.json"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match="isn't a run of these benchmarks"):
            load(path)

    @pytest.mark.parametrize("key", ["library", "contests", "complete"])
    def test_a_file_that_lacks_something(self, tmp_path: Path, key: str) -> None:
        path = saved(a_run(), tmp_path)
        written = document(path)
        del written["fluxus_rx"][key]
        path.write_text(json.dumps(written), encoding="utf-8")
        with pytest.raises(ValueError, match=f"is damaged .*{key}"):
            load(path)

    def test_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="can't be read"):
            load(tmp_path)
