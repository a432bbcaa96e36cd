"""What the examples talk to does what its own examples say."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import stand_ins

from fluxus_rx import run, step

NAMES = [module.name for module in pkgutil.iter_modules(stand_ins.__path__)]


@pytest.mark.parametrize("name", NAMES)
def test_the_examples_of_a_stand_in_are_true(name: str) -> None:
    """In docstrings, of modules and of what is in them."""
    module = importlib.import_module(f"stand_ins.{name}")
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    failed, _ = doctest.testmod(module, optionflags=options)
    assert not failed


class TestArguments:
    @pytest.fixture
    def given(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Any]:
        """What a job is given by these words, when it is started where a test may write."""
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

        def arguments(*words: str, **options: Any) -> Any:
            monkeypatch.setattr(sys, "argv", ["job.py", *words])
            return importlib.import_module("stand_ins.arguments").arguments("job", **options)

        return arguments

    def test_the_folder_is_there_and_nothing_is_in_it(
        self, given: Callable[..., Any], tmp_path: Path
    ) -> None:
        """A new one if none is named, and else no other."""
        assert given("--small", "--out", "a/b") == (Path("a/b"), True)
        assert list(tmp_path.rglob("*")) == [tmp_path / "a", tmp_path / "a" / "b"]
        folder, small = given()
        assert (folder.parent, folder.is_dir(), small) == (tmp_path, True, False)
        assert folder.name.startswith("job_")

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["--out", "file"], "--out file: File exists"),
            (["--out", "/proc/here"], "--out /proc/here: "),
            (["--smaller"], "unrecognized arguments: --smaller"),
            (["--out", "."], "--out .: has 'file' of an earlier run; take another folder"),
        ],
    )
    def test_what_is_wrong_is_told_before_the_job_begins(
        self,
        given: Callable[..., Any],
        capsys: pytest.CaptureFixture[str],
        words: list[str],
        message: str,
    ) -> None:
        """In one line, and with the status of a wrong usage."""
        Path("file").touch()
        with pytest.raises(SystemExit, match="2"):
            given(*words, new="file")
        assert message in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("missing", ["graphviz", "dot", "matplotlib"])
def test_a_job_without_its_drawing_tools_says_so_and_goes_on(
    missing: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A picture is not worth the result of a job."""
    if missing == "dot":
        monkeypatch.setenv("PATH", str(tmp_path))
    else:
        monkeypatch.setitem(sys.modules, missing, None)
        monkeypatch.setitem(sys.modules, f"{missing}.pyplot", None)
    flow = step("number", [{"n": 1}])
    draw = importlib.import_module("stand_ins.pictures").draw
    draw(flow, run(flow, timestamps=True), tmp_path)
    printed = capsys.readouterr().out
    lost = "timeline" if missing == "matplotlib" else "flow"
    assert f"no picture of the {lost}: " in printed
    assert f"Files and pictures are in {tmp_path}" in printed
    assert not (tmp_path / f"{lost}.svg").exists()
