"""Contenders are found by their files, and kept apart from each other."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import pytest

from benchmarks.measuring.children import Nursery
from benchmarks.measuring.contenders import OPERATIONS, Contender, Contenders
from benchmarks.measuring.contest import Size
from benchmarks.workloads.catalogue import WORKLOADS
from tests.support.benchmark_workers import worker

CHECKOUT = Path(__file__).parents[3]
#: The yardstick does everything, and says what was tried.
LINES = {"by-hand": 420}


def test_a_contender_is_one_small_file() -> None:
    for one in Contenders():
        lines = one.path.read_text(encoding="utf-8").count("\n")
        assert lines <= LINES.get(one.name, 120), one.path
        assert one.licence
        assert all(operation in OPERATIONS for operation in one.cant), one.path


def test_what_a_contender_needs_is_in_an_extra() -> None:
    settings = configparser.ConfigParser()
    settings.read(CHECKOUT / "setup.cfg", encoding="utf-8")
    extras = settings["options.extras_require"]
    text = "\n".join(extras[name] for name in extras if name.startswith("bench"))
    packages = {re.split(r"[<>=! ;]", line)[0] for line in text.split("\n")}
    apart = {"bench-aioreactive", "bench-ray", "bench-bytewax"}
    for one in Contenders():
        if one.package not in (None, "fluxus_rx", "reactivex", "aiostream"):
            assert one.group in apart or one.package in packages, one.name


def test_the_yardstick_and_the_subject_do_everything() -> None:
    contenders = Contenders()
    for name in ("by-hand", "fluxus_rx"):
        assert contenders[name].operations == frozenset(OPERATIONS)


@pytest.mark.parametrize("text", ["", "NAME = 'a'", "NAME = 'a'\nPROMISES = ('speed',)"])
def test_a_file_that_is_no_contender_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"mine\.py"):
        Contender.read(path)


@pytest.mark.parametrize(
    ("requires", "version", "will_do"),
    [
        ("it>=0.20", "0.20.0", True),
        ("it>=0.20", "0.15.1", False),
        ("it>=0.9", "0.15", True),
        ("it==1.0.3", "1.0.3", True),
        ("it==1.0.3", "1.0.4", False),
        ("it>=0.20", "", True),
        ("it", "0.1", True),
        (None, "", True),
    ],
)
def test_another_version_than_a_contender_needs_will_not_do(
    requires: str | None, version: str, will_do: bool
) -> None:
    assert Contender("it", Path("it.py"), requires=requires).takes(version) is will_do


@pytest.mark.parametrize("name", ["by-hand", "fluxus_rx", "streamable"])
def test_a_process_imports_no_other_contender(name: str) -> None:
    contenders = Contenders()
    if contenders[name].installed is None:
        pytest.skip(f"{name} is not installed")
    engines = {"reactivex", "aiostream"} if name == "fluxus_rx" else set()
    others = {one.package or "" for one in contenders if one.name != name} - engines - {"fluxus_rx"}
    with worker("async", name) as child:
        imported = set(child.ask("modules")["modules"])
    assert not imported & {package.replace("-", "_") for package in others if package}
    assert ("fluxus_rx" in imported) == (name == "fluxus_rx")


def test_a_process_that_ends_is_told_of_with_what_it_said(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "import os\nNAME = 'mine'\ndef sync_chain(items, functions):\n    os._exit(3)\n",
        encoding="utf-8",
    )
    with worker("sync", "mine", path) as child:
        answer = child.ask("verify", contest="sync, 5 steps", row="mine")
        assert answer["error"] == "crashed"
        assert child.ask("modules") == answer


def test_each_workload_has_a_process_of_its_own() -> None:
    nursery = Nursery("by-hand", Size.SMOKE)
    try:
        children = [nursery.child("sync", last=False), nursery.child("async")]
        pids = {child.ready()["pid"] for child in children}
        for child in children:
            child.close()
    finally:
        nursery.close()
    assert len(pids) == 2


def test_each_contest_has_a_name_of_its_own_and_its_yardstick() -> None:
    names = []
    for workload in WORKLOADS.values():
        assert workload.question.endswith("?")
        assert workload.sizes
        assert workload.seconds
        for contest in workload.contests(Size.SMOKE, Contenders()):
            names.append(contest.name)
            rows = [row.name for row in contest.rows]
            assert len(set(rows)) == len(rows)
            told = {contest.subject, contest.yardstick, *(goal.row for goal in contest.goals)}
            assert told <= set(rows), contest.name
    assert len(set(names)) == len(names)
