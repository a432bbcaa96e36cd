"""The notebooks of the programs in docs/examples: made from them.

`python docs/notebooks.py --check` executes them again, each in a real kernel.
"""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.subprocesses import ROOT

TOOL = ROOT / "docs" / "notebooks.py"
NOTEBOOKS = ROOT / "docs" / "notebooks"

tool = runpy.run_path(str(TOOL), run_name="notebooks")

#: what a program in cells looks like
PROGRAM = '''"""A program."""

from __future__ import annotations

import sys

# %% [markdown]
# Here it *counts*.

# %%
assert "n" not in globals()
assert __spec__ is None
n = 1

# %%
if __name__ == "__main__":
    print(sys.argv[1:], n)
'''


@pytest.fixture
def examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that the tool takes for docs/examples."""
    made: Any = tool["main"].__globals__
    monkeypatch.setitem(made, "EXAMPLES", tmp_path)
    return tmp_path


def sources(notebook: Any) -> list[tuple[str, str]]:
    return [(cell["cell_type"], "".join(cell["source"])) for cell in notebook["cells"]]


@pytest.mark.parametrize("name", tool["names"]())
def test_a_notebook_has_the_cells_of_its_program(name: str) -> None:
    """`python docs/notebooks.py` has been run since the program was changed."""
    written = json.loads((NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8"))
    assert sources(written) == sources(tool["notebook_of"](name))


def test_each_notebook_has_a_program() -> None:
    """None is left of a program that is gone."""
    assert sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb")) == tool["names"]()


def test_the_docstring_is_the_title_and_the_job_is_made_small(examples: Path) -> None:
    """All else are the cells of the program, with texts as texts."""
    (examples / "counts.py").write_text(PROGRAM)
    assert sources(tool["notebook_of"]("counts")) == [
        ("markdown", "# A program\n"),
        ("code", tool["SETUP"].format(name="counts")),
        ("code", "from __future__ import annotations\n\nimport sys"),
        ("markdown", "Here it *counts*."),
        ("code", 'assert "n" not in globals()\nassert __spec__ is None\nn = 1'),
        ("code", 'if __name__ == "__main__":\n    print(sys.argv[1:], n)'),
    ]


@pytest.mark.parametrize("name", ["plain", "missing"])
def test_a_program_without_cells_is_refused(name: str, examples: Path) -> None:
    """It would be a notebook of one cell."""
    (examples / "plain.py").write_text('"""A program."""\nprint(1)\n')
    with pytest.raises(SystemExit, match=f"docs/examples/{name}.py isn't written in cells"):
        tool["notebook_of"](name)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_notebook_is_written_the_same_each_time_and_a_failing_cell_is_an_error(
    tmp_path: Path,
) -> None:
    """What differs between executions is not in it, and one that fails is not written."""
    folder = tmp_path / "docs"
    (folder / "examples").mkdir(parents=True)
    copied = folder / "notebooks.py"
    copied.write_text(TOOL.read_text(encoding="utf-8"), encoding="utf-8")
    (folder / "examples" / "counts.py").write_text(PROGRAM)
    (folder / "examples" / "fails.py").write_text(PROGRAM.replace("n = 1", "n = 1 / 0"))
    command = [sys.executable, str(copied), "counts", "counts", "fails"]
    environment = os.environ | {"IPYTHONDIR": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 1
    assert "division by zero" in done.stderr
    assert done.stdout.splitlines() == ["counts: executed and written"] * 2
    [written] = (folder / "notebooks").iterdir()
    notebook = json.loads(written.read_text())
    assert [cell["metadata"] for cell in notebook["cells"]] == [{}] * 6
    assert [cell["id"] for cell in notebook["cells"]] == [f"counts-{n}" for n in range(6)]
    assert [cell.get("execution_count") for cell in notebook["cells"]] == [None, 1, 2, None, 3, 4]
    assert notebook["cells"][-1]["outputs"][0]["text"] == ["['--small'] 1\n"]
