"""Recordings that are scored by two models side by side."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import pickle
import runpy
import signal
import sys
from concurrent.futures import BrokenExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fluxus_rx import close_processes, run, start

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
MODELS = ("linear", "forest")


class Threshold:
    """A model of one number, without scikit-learn; each process that loads it says so in a file."""

    def __init__(self, defect: float, loads: Path) -> None:
        self.defect = defect
        self.loads = loads

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        with self.loads.open("a") as file:
            file.write(f"{os.getpid()}\n")

    def predict_proba(self, table: list[list[float]]) -> Any:
        high = np.array(table)[:, 3] > self.defect
        return np.stack([~high, high], axis=1).astype(float)


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The names of the program; the processes that it has begun end with the test."""
    monkeypatch.syspath_prepend(EXAMPLES)
    path = str(EXAMPLES / "machine_learning.py")
    yield SimpleNamespace(**runpy.run_path(path, run_name="machine_learning"))
    close_processes()
    sys.modules.pop("bearings")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the models are."""
    for number, name in enumerate(MODELS):
        model = Threshold(20 + 20 * number, tmp_path / f"{name}.loads")
        (tmp_path / f"{name}.pickle").write_bytes(pickle.dumps(model))
    return tmp_path


@pytest.mark.slow
def test_the_program_trains_and_measures_two_models(
    program: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With scikit-learn: its figures are the same each time, and its table has all scores.

    The first test here, for its processes are forked from one that imports scikit-learn once.
    """
    monkeypatch.setitem(program.main.__globals__, "draw", lambda flow, result, folder: None)
    program.main(tmp_path, small=True)
    printed = capsys.readouterr().out
    assert "linear: accuracy 0.91, AUC 0.97" in printed
    assert "forest: accuracy 0.97, AUC 0.96" in printed
    assert "features of B1-0089 failed: Failed to read all data" in printed
    assert len((tmp_path / "scores.csv").read_text().splitlines()) == 3 + 2 * 89
    assert {path.name for path in tmp_path.glob("*.svg")} == {"scores.svg", "scores_dark.svg"}


def test_each_score_has_its_recording_and_a_broken_one_is_a_failure(
    program: Any, folder: Path
) -> None:
    """Both branches have the same recordings, in order; each model is loaded once."""
    recordings = program.record(folder / "new", 10, seconds=1, seed=3)
    result = run(program.scoring(recordings, folder, size=4))
    assert result.paths == MODELS
    for number, name in enumerate(MODELS):
        assert len((folder / f"{name}.loads").read_text().split()) == 1
        assert [output["recording"] for output in result[name]] == recordings[:-1]
        for output in result[name]:
            assert list(output) == ["recording", "features", "score"]
            assert output["features"] == program.features(output["recording"]["file"])
            high = output["features"]["defect"] > 20 + 20 * number
            assert output["score"] == {"score": float(high)}
    [failure] = result.failures
    assert (failure.step, failure.lineage) == ("features", {"recording": recordings[-1]})
    assert isinstance(failure.exception, ValueError)


async def test_a_killed_process_is_a_failure_of_its_recording_and_of_no_other(
    program: Any, folder: Path
) -> None:
    """The run goes on, in another process."""
    recordings = program.record(folder / "new", 6, seconds=1, seed=3)
    stuck = recordings[0]["file"]
    os.unlink(stuck)
    os.mkfifo(stuck)  # reading it waits for ever
    async with start(program.scoring(recordings, folder, size=4)) as running:
        # As order is kept, no other step has a process before the first recording is through.
        while not only_one_hangs(running):  # noqa: ASYNC110 - it is processes that are waited for
            await asyncio.sleep(0.005)
        for process in multiprocessing.active_children():
            if process.name == "fluxus_rx" and process.pid is not None:
                os.kill(process.pid, signal.SIGKILL)
        result = await asyncio.wait_for(running.result(), 30)
    killed, broken = result.failures
    assert killed.lineage == {"recording": recordings[0]}
    assert isinstance(killed.exception, BrokenExecutor)
    assert "ended by SIGKILL while it ran this call" in str(killed.exception)
    assert broken.lineage == {"recording": recordings[-1]}
    for name in MODELS:
        assert [output["recording"] for output in result[name]] == recordings[1:-1]


def only_one_hangs(running: Any) -> bool:
    """Whether the five other recordings have their features, if there is a processor for them."""
    others = 5 if (os.cpu_count() or 1) > 1 else 0
    computed = [one for one in running.stats().steps if one.step == "features"]
    return [(one.done + one.failed, one.in_flight) for one in computed] == [(others, 1)]
