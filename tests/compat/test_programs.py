"""Programs written for fluxus 1.0.3 do with `fluxus_rx.compat` what they do with fluxus."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.compat.differences import DIFFERENCES
from tests.compat.outcomes import is_installed, named_fluxus, outcome, recorded, titles
from tests.support import tools

CHECKOUT = Path(__file__).parents[2]
RECORD = recorded()


@pytest.mark.parametrize("name", RECORD)
def test_a_program_does_what_it_does_with_fluxus(name: str) -> None:
    """Same values, same order, same text, same kind of error; or what a row of the docs says."""
    if "drawn as" in name:
        tools.dot()
    if "expression" in name and find_spec("pytools") is None:
        pytest.skip("needs gamma-pytools")
    if "frame" in name:
        pytest.importorskip("pandas")
    expected = RECORD[name]
    assert outcome(name, "here") == expected.get("here", expected["fluxus"])


def test_each_program_is_recorded() -> None:
    """Renew the record where this fails: `python -m tests.compat.record`."""
    with named_fluxus("here"):
        assert titles() == [*RECORD]
    assert len(RECORD) >= 150


def test_a_program_that_differs_has_a_row() -> None:
    """And each row has a program that differs."""
    differ = {name for name, outcomes in RECORD.items() if "here" in outcomes}
    named = [name for names in DIFFERENCES.values() for name in names]
    assert len(named) == len(set(named))
    assert set(named) == differ
    assert all(DIFFERENCES.values())


@pytest.mark.slow
@pytest.mark.skipif(not is_installed(), reason="needs fluxus 1.0.3, the extra bench-fluxus")
def test_the_record_is_what_fluxus_does() -> None:
    """In a process of its own: fluxus leaves event loops open."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.compat.record", "--check"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
