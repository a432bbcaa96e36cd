"""Orders of five offices that are loaded into SQLite."""

from __future__ import annotations

import doctest
import importlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxus_rx import stream
from tests.support.subprocesses import ROOT

EXAMPLES = ROOT / "docs" / "examples"
ROWS, PRODUCTS, SIZE = 1_000, 60, 50


class Job:
    """The modules of the program."""

    def __init__(self) -> None:
        self.etl: Any = importlib.import_module("etl")
        self.files: Any = importlib.import_module("stand_ins.order_files")
        self.orders: Any = importlib.import_module("stand_ins.orders")
        self.by_hand: Any = importlib.import_module("stand_ins.etl_by_hand")
        self.serve: Any = importlib.import_module("stand_ins.serving").serve

    def load(self, feeds: Path, database: Path, url: str) -> int:
        outputs = stream(self.etl.loading(feeds, database, url, SIZE))
        return sum(output["load"]["loaded"] for _, output in outputs)


@pytest.fixture(scope="module")
def job() -> Iterator[Job]:
    """The program, imported as those beside it import it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(EXAMPLES))
        yield Job()


@pytest.fixture(scope="module")
def written(job: Job, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[Any, str]]:
    """Files of orders, and which of their rows are broken."""
    feeds = tmp_path_factory.mktemp("etl") / "feeds"
    return feeds, job.orders.write_feeds(feeds, ROWS, PRODUCTS)


@pytest.fixture(scope="module")
def undisturbed(
    job: Job, written: tuple[Path, dict[Any, str]]
) -> tuple[dict[str, list[Any]], Any, int]:
    """The tables after a load that nothing happens to, what was asked, and the rows it tells of."""
    feeds, _ = written
    database = feeds.with_name("undisturbed.sqlite")
    catalogue = job.orders.Catalogue()
    with job.serve(catalogue) as url:
        loaded = job.load(feeds, database, url)
    return tables(database), catalogue, loaded


def tables(database: Path) -> dict[str, list[Any]]:
    """What is in the database."""
    db = sqlite3.connect(database)
    try:
        return {
            table: db.execute(f"select * from {table} order by 1, 2").fetchall()
            for table in ("orders", "bad_rows", "marks")
        }
    finally:
        db.close()


def check_exactly_once(found: dict[str, list[Any]]) -> None:
    """Of each file, all lines in front of its mark are there once, and none from there on."""
    for file, following in found["marks"]:
        lines = [
            row[1] for table in ("orders", "bad_rows") for row in found[table] if row[0] == file
        ]
        first = 2 if ".csv" in file else 1
        assert sorted(lines) == list(range(first, following))


def test_the_examples_in_its_modules_hold(job: Job) -> None:
    """They aren't part of the package, whose examples are tests already."""
    measuring = importlib.import_module("stand_ins.measuring")
    for module in (job.files, measuring):
        found = doctest.testmod(module)
        assert found.attempted
        assert not found.failed


def test_feeds_are_there_whole_or_not_at_all(
    job: Job, written: tuple[Path, dict[Any, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the disk is full, if another program is faster: nothing else is left beside them."""
    write, feeds = job.orders._write_feed, tmp_path / "feeds"

    def full(path: Path, *arguments: Any) -> Any:
        write(path, *arguments)
        raise OSError(28, "No space left on device")

    def overtaken(path: Path, *arguments: Any) -> Any:
        if not feeds.exists():
            monkeypatch.setattr(job.orders, "_write_feed", write)
            job.orders.write_feeds(feeds.with_name("other"), ROWS, PRODUCTS)
            feeds.with_name("other").rename(feeds)
        return write(path, *arguments)

    monkeypatch.setattr(job.orders, "_write_feed", full)
    with pytest.raises(OSError, match="No space left"):
        job.orders.write_feeds(feeds, ROWS, PRODUCTS)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(job.orders, "_write_feed", overtaken)
    assert job.orders.write_feeds(feeds, ROWS, PRODUCTS) == written[1]
    assert list(tmp_path.iterdir()) == [feeds]
    for file in written[0].glob("*.csv"):
        assert (feeds / file.name).read_bytes() == file.read_bytes()


class TestALoad:
    def test_each_line_is_an_order_or_a_bad_row(
        self, written: tuple[Path, dict[Any, str]], undisturbed: Any
    ) -> None:
        """Broken ones are told by file and line, in all formats and encodings."""
        _, broken = written
        found, _, loaded = undisturbed
        check_exactly_once(found)
        assert loaded == len(found["orders"])
        assert len(found["orders"]) + len(found["bad_rows"]) == ROWS
        unknown = {row[:2] for row in found["bad_rows"] if row[2] == "unknown product"}
        assert {row[:2] for row in found["bad_rows"]} - unknown == broken.keys()
        assert unknown
        assert {file for file, _ in broken} == {file for file, _ in found["marks"]}

    def test_bad_rows_have_the_reason_and_the_text(
        self, written: tuple[Path, dict[Any, str]], undisturbed: Any
    ) -> None:
        """With these, somebody can mend the file."""
        _, broken = written
        reasons: dict[str, set[str]] = {}
        for file, line, reason, text in undisturbed[0]["bad_rows"]:
            reasons.setdefault(broken.get((file, line), "unknown"), set()).add(reason)
            assert text.strip()
        assert reasons == {
            "short": {"4 columns, expected 6", "not JSON"},
            "word": {"quantity or price isn't a number"},
            # Each byte is a letter in Latin-1.
            "bytes": {"bytes that are not of this encoding", "not the number of a product"},
            "unknown": {"unknown product"},
        }

    def test_what_the_files_say_in_four_encodings_and_two_notations_is_the_same(
        self, job: Job, undisturbed: Any
    ) -> None:
        """Names, dates and prices come out alike, and products without blanks."""
        rows = undisturbed[0]["orders"]
        assert {row[7] for row in rows} == set(job.orders.CUSTOMERS)
        assert {row[3][:5] for row in rows} == {"2026-"}
        assert {len(row[4]) for row in rows} == {8}
        assert {row[8] for row in rows} == {"books", "games", "tools", "tea"}
        by_line: dict[Any, set[Any]] = {}
        for _, line, _, day, _, quantity, cents, *_ in rows:
            by_line.setdefault(line, set()).add((day, quantity, cents))
        assert all(len(same) == 1 for same in by_line.values())

    def test_each_product_is_asked_for_once_and_again_only_if_refused_or_dropped(
        self, undisturbed: Any
    ) -> None:
        """However many chunks want it at the same time."""
        _, catalogue, _ = undisturbed
        by_status = catalogue.statuses
        assert by_status[200] + by_status[404] == len(catalogue.asked)
        assert by_status[429] == by_status[0] == 2
        assert catalogue.asked.total() == len(catalogue.asked) + 4

    def test_it_reads_no_more_than_a_few_chunks_ahead(
        self, job: Job, written: tuple[Path, dict[Any, str]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """So memory doesn't depend on the length of the files. The first chunk is loaded only when
        nothing more is read."""
        counts: Counter[str] = Counter()
        ahead = []
        chunks, load = job.etl.chunks, job.etl.load

        def counted(*arguments: Any) -> Iterator[Any]:
            for chunk in chunks(*arguments):
                counts["read"] += 1
                ahead.append(counts["read"] - counts["loaded"])
                yield chunk

        def counting(
            file: str, first: int, lines: list[str], rows: Any, bad: Any, db: Any
        ) -> dict[str, int]:
            before = -1
            while not counts["loaded"] and counts["read"] != before:
                before = counts["read"]
                threading.Event().wait(0.3)
            found: dict[str, int] = load(file, first, lines, rows, bad, db)
            counts["loaded"] += 1
            return found

        monkeypatch.setattr(job.etl, "chunks", counted)
        monkeypatch.setattr(job.etl, "load", counting)
        feeds, _ = written
        with job.serve(job.orders.Catalogue()) as url:
            job.load(feeds, feeds.with_name("ahead.sqlite"), url)
        assert counts["read"] == counts["loaded"] == ROWS // SIZE
        # 8 that are looked up or wait for their turn, and one or two between two steps.
        assert 1 < max(ahead) <= 10

    def test_its_flow_has_no_mistake(self, job: Job, tmp_path: Path) -> None:
        """As `check` sees it before a run."""
        flow = job.etl.loading(tmp_path, tmp_path / "orders.sqlite", "http://127.0.0.1", SIZE)
        assert {finding.level for finding in flow.check()} == {"info"}

    def test_the_program_by_hand_loads_the_same(
        self, job: Job, written: tuple[Path, dict[Any, str]], undisturbed: Any
    ) -> None:
        """Or their costs could not be compared."""
        feeds, _ = written
        with job.serve(job.orders.Catalogue()) as url:
            taken = [
                load(feeds, url, SIZE) for load in (job.by_hand._by_hand, job.by_hand._by_flow)
            ]
        assert all(one.cpu > 0 for one in taken)
        for name in ("by_hand", "flow"):
            assert tables(feeds.with_name(f"{name}.sqlite")) == undisturbed[0]


#: loads in a process for each line that comes in, and says so for each chunk; the processes are
#: forked from one that has imported all of it, and has no other thread
LOADER = f"""
import os, signal, sys; sys.path.insert(0, {str(EXAMPLES)!r})
from pathlib import Path
from etl import loading
from fluxus_rx import stream
feeds, database, url = sys.argv[1:]
for _ in iter(sys.stdin.readline, ""):
    if child := os.fork():
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
        continue
    print(os.getpid(), flush=True)
    for _ in stream(loading(Path(feeds), Path(database), url, {SIZE})):
        print("chunk", flush=True)
    sys.exit("it has come to its end")
"""


class TestALoadThatEnds:
    def test_killed_at_any_moment_it_goes_on_and_each_row_is_there_once(
        self, job: Job, written: tuple[Path, dict[Any, str]], undisturbed: Any, tmp_path: Path
    ) -> None:
        """Twice by SIGKILL, once by Ctrl-C, each some chunks further; after each, all lines in
        front of the marks are there, and in the end the tables are those of an undisturbed load."""
        feeds, _ = written
        database = tmp_path / "orders.sqlite"
        chance = random.Random(os.getpid())
        done = []
        with (
            job.serve(job.orders.Catalogue()) as url,
            loader(str(feeds), str(database), url) as (commands, lines),
        ):
            for number in (signal.SIGKILL, signal.SIGINT, signal.SIGKILL):
                commands.write(b"load\n")
                killed_after_chunks(number, chance, lines)
                found = tables(database)
                check_exactly_once(found)
                done.append(len(found["orders"]))
            assert done == sorted(set(done))
            assert done[-1] < len(undisturbed[0]["orders"])
            assert job.load(feeds, database, url) == len(undisturbed[0]["orders"]) - done[-1]
            assert tables(database) == undisturbed[0]
            assert job.load(feeds, database, url) == 0

    def test_a_chunk_that_another_program_has_loaded_is_refused_whole(
        self, job: Job, written: tuple[Path, dict[Any, str]], tmp_path: Path
    ) -> None:
        """The one that comes second says so, and changes nothing."""
        database = tmp_path / "orders.sqlite"
        chunk = next(iter(job.files.chunks(written[0], database, SIZE)))
        found = job.files.clean(**chunk)
        arguments = [chunk[name] for name in ("file", "first", "lines")]
        rows = [(*row, "tea") for row in found["rows"]]
        with job.files.opened(database) as db:
            job.etl.load(*arguments, rows, found["bad"], db)
            before = tables(database)
            with pytest.raises(RuntimeError, match=r"north\.csv: line 2 isn't the next one"):
                job.etl.load(*arguments, rows, found["bad"], db)
        assert tables(database) == before
        check_exactly_once(before)

    def test_a_catalogue_that_is_down_ends_it_and_makes_no_row_bad(
        self, job: Job, written: tuple[Path, dict[Any, str]], undisturbed: Any, tmp_path: Path
    ) -> None:
        """A row isn't bad because the catalogue is down: it is loaded when that is up."""
        feeds, _ = written
        database = tmp_path / "orders.sqlite"
        catalogue = job.orders.Catalogue()
        down = threading.Event()
        answer = job.orders.Answer

        def failing(request: Any) -> Any:
            if len(catalogue.asked) == 40:
                down.set()
            return answer(status=503) if down.is_set() else catalogue(request)

        with job.serve(failing) as url, pytest.raises(httpx.HTTPStatusError, match="503"):
            job.load(feeds, database, url)
        check_exactly_once(tables(database))
        with job.serve(catalogue) as url:
            job.load(feeds, database, url)
        assert tables(database) == undisturbed[0]


@contextmanager
def loader(*arguments: str) -> Iterator[tuple[Any, Any]]:
    """Start the program that loads; yields its input and its output."""
    with subprocess.Popen(
        [sys.executable, "-c", LOADER, *arguments],
        bufsize=0,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    ) as process:
        assert process.stdin is not None
        yield process.stdin, process.stdout
        process.stdin.close()


def killed_after_chunks(number: signal.Signals, chance: random.Random, lines: Any) -> None:
    """Send a signal to the load that begins some time after a few chunks, and wait for its end."""
    pid = int(lines.readline())
    for _ in range(chance.randint(1, 4)):
        assert lines.readline() == b"chunk\n"
    threading.Event().wait(chance.random() / 200)
    os.kill(pid, number)
    while (line := lines.readline()) == b"chunk\n":
        pass
    assert int(line) in (-number, 1, 130)


LAYOUT = (",", ["day", "order", "sku", "quantity", "price", "customer"])
#: what would end a load that doesn't expect it
POISON = [
    "[" * 100_000,
    '{"order":"\\ud800","day":"2026-11-30","sku":"SKU-0001","quantity":1,"price":1,"customer":""}',
    "9" * 5_000,
    "null",
    '{"quantity": 1e999}',
    "2026-11-30",
    *(f"2026-11-30,1,SKU-0001,1,{price},Ann" for price in ("1e999999", "nan", "-1", "9" * 30)),
    *(f"2026-11-30,1,SKU-0001,{number},1,Ann" for number in ("²", "9" * 5_000, "0", '"1')),
]


def check_lines(job: Job, lines: list[str]) -> None:
    """Each line, of any format, is a row that the database takes, or a bad row, by its number."""
    layouts: list[Any] = [LAYOUT, (";", LAYOUT[1]), (None, [])]
    for layout in layouts:
        found = job.files.clean("a.csv", layout, 2, lines)
        numbers = sorted(row[1] for rows in found.values() for row in rows)
        assert numbers == list(range(2, 2 + len(lines)))
        db = sqlite3.connect(":memory:")
        try:
            db.execute("create table orders (a, b, c, d, e, f, g, h)")
            db.executemany("insert into orders values (?, ?, ?, ?, ?, ?, ?, ?)", found["rows"])
        finally:
            db.close()


@given(st.lists(st.text('"\\{}[]:,;09eE+-.SKU\ufffd\ud800\x00 é', max_size=40), max_size=4))
def test_no_line_ends_the_load_whatever_it_has(job: Job, texts: list[str]) -> None:
    """Whatever fields and marks there are in it."""
    check_lines(job, texts)


def test_no_line_ends_the_load_that_is_made_to(job: Job) -> None:
    """Not by its depth or length, by numbers that are none or too large, nor by half letters."""
    check_lines(job, POISON)
    assert job.files.clean("a.csv", LAYOUT, 2, POISON)["rows"] == []
    assert job.files.clean("a.jsonl", (None, []), 2, POISON)["rows"] == []


def test_the_program_prints_what_it_loaded_and_can_go_on_in_its_folder(
    job: Job,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Started again, it has nothing left to load, and all else is the same."""
    drawn: list[Any] = []
    monkeypatch.setattr(job.etl, "draw", lambda flow, result, folder: drawn.append(result))
    job.etl.main(tmp_path, small=True)
    printed = capsys.readouterr().out
    database = tmp_path / "orders.sqlite"
    found = tables(database)
    check_exactly_once(found)
    assert printed.startswith(f"{len(found['orders']):,} rows in")
    assert list(job.files.chunks(tmp_path / "feeds", database, SIZE)) == []
    job.etl.main(tmp_path, small=True)
    again = capsys.readouterr().out
    assert again.startswith("0 rows in")
    assert again.partition("\n")[2] == printed.partition("\n")[2]
    # The timeline is that of the first chunks, whatever has been loaded before.
    assert [len(result.values("loaded")) for result in drawn] == [8, 8]
    assert {path.name for path in tmp_path.iterdir()} == {"feeds", "orders.sqlite"}
