"""What `python -m benchmarks` does with what is typed; no test here looks at a time."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.command.main import main

CHECKOUT = Path(__file__).parents[3]
PAGE = CHECKOUT / "docs" / "benchmarks.rst"

#: One contest of two contenders.
CONTEST = "async, limit 100"
SHORT = (CONTEST, "--quick", "--only", "fluxus_rx,by-hand")


def benchmarks(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """What a run of the command came to."""
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *map(str, arguments)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )


def ten_lines() -> str:
    """The contender in the docs."""
    text = PAGE.read_text(encoding="utf-8")
    block = re.search(r"(?m)^ +:name: contender\n\n((?:(?:   .*)?\n)+)", text)
    assert block is not None
    lines = [line[3:] for line in block[1].strip("\n").split("\n")]
    assert len([line for line in lines if line]) <= 10
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a short run."""
    path = tmp_path_factory.mktemp("recorded") / "run.json"
    done = benchmarks(*SHORT, "--json", path)
    assert done.returncode == 0, done.stdout + done.stderr
    return path


class TestUsage:
    @pytest.mark.parametrize(
        ("arguments", "named"),
        [
            (("sink",), ("sink", "async")),
            (("--json", "no_such/run.json"), ("no_such", "run.json")),
            (("--rounds", "0"), ("'0'", "--quick")),
            (("--rounds", "2.5"), ("'2.5'", "whole number")),
            (("--budget", "nan"), ("'nan'", "seconds")),
            (("--smoke", "--rounds", "5"), ("--smoke", "--rounds")),
            (("--only", "nobody"), ("nobody", "by-hand")),
            (("--with", "no_such.py"), ("no_such.py",)),
            (("--against", "no_such.json"), ("no_such.json",)),
            (("--fail-on-slower",), ("--against",)),
            (("--plot", "run.jpg"), ("run.jpg", ".svg")),
            (("--table", str(CHECKOUT / "README.rst")), ("two lines",)),
            (("--prices", str(CHECKOUT / "README.rst")), ("two lines",)),
            (("--smoke", "--plot", "run.svg"), ("--smoke", "--quick")),
            (("--smoke", "--prices", "costs.rst"), ("--prices", "--quick")),
            ((CONTEST, "--with", str(CHECKOUT / "setup.py")), ("setup.py", "NAME")),
            (("show", "no_such.json"), ("no_such.json",)),
            (("compare", "no_such.json", "neither.json"), ("no_such.json",)),
        ],
    )
    def test_nonsense_is_refused_with_the_value_and_the_way_out(
        self,
        arguments: tuple[str, ...],
        named: tuple[str, ...],
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        try:
            status: object = main(arguments)
        except SystemExit as ended:
            status = ended.code
        said = capsys.readouterr().err
        assert status == 2
        assert all(name in said for name in named), said

    def test_it_lists_workloads_and_contenders_within_100_columns(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert (main(["list"]), main(["contenders"])) == (0, 0)
        said = capsys.readouterr().out
        assert "async: " in said
        assert "by-hand: " in said
        assert max(map(len, said.splitlines())) <= 100


class TestRun:
    def test_only_those_that_were_asked_for_are_in_it(self, recorded: Path) -> None:
        told = json.loads(recorded.read_text(encoding="utf-8"))["fluxus_rx"]
        assert set(told["contenders"]) == {"fluxus_rx", "by-hand"}

    def test_a_run_is_shown_from_its_file(self, recorded: Path, tmp_path: Path) -> None:
        page, costs = tmp_path / "page.rst", tmp_path / "costs.rst"
        done = benchmarks("show", recorded, "--table", page, "--prices", costs)
        assert done.returncode == 0, done.stderr
        assert "async, limit 100" in done.stdout
        assert max(map(len, done.stdout.splitlines())) <= 100
        assert "\x1b" not in done.stdout
        assert "async, limit 100" in page.read_text(encoding="utf-8")
        assert "async, limit 100" in costs.read_text(encoding="utf-8")

    def test_a_run_is_no_slower_than_itself(self, recorded: Path) -> None:
        done = benchmarks("compare", recorded, recorded, "--fail-on-slower")
        assert done.returncode == 0
        assert "within noise" in done.stdout
        assert "slower by" not in done.stdout

    def test_what_has_become_slower_is_told(self, recorded: Path, tmp_path: Path) -> None:
        """Each call takes 20 microseconds longer here, by a contender that goes by our name."""
        slow = tmp_path / "slow.py"
        slow.write_text(_SLOW, encoding="utf-8")
        run = tmp_path / "slow.json"
        only = ("--only", "slow,by-hand", "--with", slow)
        done = benchmarks(CONTEST, "--quick", *only, "--json", run)
        assert done.returncode == 0, done.stderr
        renamed = tmp_path / "renamed.json"
        text = run.read_text(encoding="utf-8")
        renamed.write_text(text.replace('"slow"', '"fluxus_rx"').replace(": slow", ": fluxus_rx"))
        done = benchmarks("compare", recorded, renamed, "--fail-on-slower")
        assert done.returncode == 3, done.stdout
        assert "slower by" in done.stdout

    def test_ctrl_c_leaves_a_valid_file_and_no_process(self, tmp_path: Path) -> None:
        path, only = tmp_path / "run.json", ("--only", "fluxus_rx,by-hand")
        with subprocess.Popen(
            [sys.executable, "-m", "benchmarks", "sync, 1 step", "async", *only, "--json", path],
            cwd=CHECKOUT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith("sync"):
                    break
            children = _children(process.pid)
            process.send_signal(signal.SIGINT)
            said = process.communicate(timeout=30)
        assert process.returncode == 130, said
        assert json.loads(path.read_text(encoding="utf-8"))["fluxus_rx"]["complete"] is False
        assert children
        assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]

    def test_ctrl_c_does_not_wait_for_outputs_that_are_checked(self, tmp_path: Path) -> None:
        """By a contender that takes a minute for it; nothing of that contest is in the file."""
        endless, called, path = (tmp_path / name for name in ("endless.py", "called", "run.json"))
        endless.write_text(_ENDLESS.format(called=str(called)), encoding="utf-8")
        options = ("--with", endless, "--only", "endless,by-hand", "--json", path)
        with subprocess.Popen(
            [sys.executable, "-m", "benchmarks", CONTEST, *options],
            cwd=CHECKOUT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            while not called.exists():
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=20) == 130
        told = json.loads(path.read_text(encoding="utf-8"))["fluxus_rx"]
        assert (told["complete"], told["contests"]) == (False, [])


_ENDLESS = """
import pathlib, time

NAME = "endless"

def async_chain(items, functions, limit, ordered):
    pathlib.Path({called!r}).touch()
    time.sleep(60)
"""

_SLOW = """
import time
from fluxus_rx import chain, run, step

NAME, PACKAGE, LICENCE, PROMISES = "slow", None, "MIT", ("lineage", "limit", "order")

def slowed(function):
    async def slow(x):
        time.sleep(20e-6)
        return await function(x=x)
    return slow

def async_chain(items, functions, limit, ordered):
    steps = [step(name, slowed(function)) for name, function in functions.items()]
    flow = chain(step("src", lambda: items), *steps).options(concurrency=limit, ordered=ordered)
    return [*run(flow).get_outputs()]
"""


def _children(pid: int) -> list[int]:
    """Those of a process that runs workers."""
    found = []
    for _ in range(200):
        path = Path(f"/proc/{pid}/task/{pid}/children")
        found = [int(child) for child in path.read_text(encoding="utf-8").split()]
        if found:
            break
        time.sleep(0.01)
    return found


class TestContenders:
    def run_of(self, text: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
        """A run with a contender of this text, beside the code by hand."""
        mine = tmp_path / "mine.py"
        mine.write_text(text, encoding="utf-8")
        return benchmarks(CONTEST, "--with", mine, "--only", "mine,by-hand", "--quick")

    def test_the_ten_lines_of_the_docs_take_part(self, tmp_path: Path) -> None:
        done = self.run_of(ten_lines(), tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        assert re.search(r"(?m)^\s+mine\s.*\d", done.stdout)

    def test_wrong_outputs_are_no_result(self, tmp_path: Path) -> None:
        lines = ten_lines().replace("gather(*map(one, items))", "gather(*map(one, [*items][1:]))")
        done = self.run_of(lines, tmp_path)
        assert done.returncode == 1
        assert "wrong outputs" in done.stdout

    def test_who_ignores_the_limit_is_not_ranked(self, tmp_path: Path) -> None:
        done = self.run_of(ten_lines().replace("Semaphore(limit)", "Semaphore(9999)"), tmp_path)
        assert done.returncode == 0
        assert re.search(r"broke its promise: limit 100, \d+ in\s+flight", done.stdout)
