"""Situations that users of such libraries met in real use, each as a program in `field/`.

A program says in its docstring what happens and what is right, asserts it, and ends.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.subprocesses import python

PROGRAMS = sorted((Path(__file__).parent / "field").glob("*.py"))


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.stem)
def test_what_goes_wrong_in_the_field_goes_well_here(program: Path) -> None:
    """The program ends by itself, without a failed assertion, and leaves nothing behind."""
    ended = python(str(program))
    assert ended.code == 0, ended.err
    assert ended.complaints() == []
