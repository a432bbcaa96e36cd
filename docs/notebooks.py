"""Makes a notebook of each program in docs/examples that is written in cells, and executes it.

    python docs/notebooks.py [NAME ...] [--check]

A program in cells is one in jupytext's percent format: a cell begins with `# %%`, a text with
`# %% [markdown]`. Its notebook, docs/notebooks/NAME.ipynb, has the program's docstring as its
title, then a cell that makes the job small, then the cells of the program, and their output.
Without a NAME, all programs in cells get theirs. With --check nothing is written: the notebooks are
executed again, and the error of a cell ends this program.
"""

from __future__ import annotations

import argparse
import ast
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from jupyter_client.manager import KernelManager, start_new_kernel
from nbclient import NotebookClient

EXAMPLES = Path(__file__).parent / "examples"
NOTEBOOKS = Path(__file__).parent / "notebooks"

#: The first code of each notebook, which is not the program's.
SETUP = """\
# The cells of docs/examples/{name}.py follow. To do the whole job, leave out "--small".
import sys

sys.path.insert(0, "../examples")
sys.argv[1:] = ["--small"]"""

KERNELSPEC = {"display_name": "Python 3", "language": "python", "name": "python3"}


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="all programs in cells, if none")
    parser.add_argument("--check", action="store_true", help="execute, and write nothing")
    given = parser.parse_args(arguments)
    with kernel() as (manager, client, folder):
        for name in given.names or names():
            notebook = notebook_of(name)
            execute(notebook, manager, client)
            if not given.check:
                write(notebook, NOTEBOOKS / f"{name}.ipynb", folder)
            print(f"{name}: executed{'' if given.check else ' and written'}")


def names() -> list[str]:
    """The programs that are written in cells."""
    return sorted(
        path.stem
        for path in EXAMPLES.glob("*.py")
        if re.search(r"^# %%", path.read_text(encoding="utf-8"), re.MULTILINE)
    )


def notebook_of(name: str) -> Any:
    """The notebook of a program, not executed; exits with a message if it isn't one in cells."""
    if name not in names():
        sys.exit(f"docs/examples/{name}.py isn't written in cells: each begins with # %%")
    text = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
    title, code = without_docstring(text)
    cells: list[Any] = jupytext.reads(code, fmt="py:percent").cells
    v4: Any = nbformat.v4  # it has no types
    setup = v4.new_code_cell(SETUP.format(name=name))
    notebook = v4.new_notebook(cells=[v4.new_markdown_cell(title), setup, *cells])
    for number, cell in enumerate(notebook.cells):
        cell.id = f"{name}-{number}"
    return notebook


def without_docstring(program: str) -> tuple[str, str]:
    """The docstring of a program as the title of a notebook, and the program without it."""
    first = ast.parse(program).body[0]
    docstring = ast.get_docstring(ast.parse(program))
    if docstring is None or first.end_lineno is None:
        sys.exit("the program has no docstring, which is to be the title of its notebook")
    title, _, text = docstring.partition("\n")
    return f"# {title.rstrip('.')}\n{text}", "".join(
        program.splitlines(keepends=True)[first.end_lineno :]
    ).lstrip("\n")


@contextmanager
def kernel() -> Iterator[tuple[KernelManager, Any, Path]]:
    """A kernel that runs in the folder of the notebooks, on the library of this checkout, and its
    folder for temporary files."""
    with tempfile.TemporaryDirectory() as folder:
        checkout = str(EXAMPLES.parents[1])
        environment = os.environ | {"TMPDIR": folder, "PYTHONPATH": checkout}
        NOTEBOOKS.mkdir(exist_ok=True)
        manager, client = start_new_kernel(
            cwd=str(NOTEBOOKS), env=environment, extra_arguments=["--log-level=ERROR"]
        )
        try:
            yield manager, client, Path(folder)
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)


def execute(notebook: Any, manager: KernelManager, client: Any) -> None:
    """Execute a notebook in a kernel that may have executed others, whose names it forgets first.

    One kernel for all of them imports each library once.
    """
    v4: Any = nbformat.v4
    # Not `%reset`, which takes what Python itself has in the namespace, too.
    notebook.cells.insert(0, v4.new_code_cell("%reset_selective -f ^[^_]"))
    NotebookClient(notebook, km=manager, kc=client, timeout=120).execute()
    del notebook.cells[0]


def write(notebook: Any, path: Path, folder: Path) -> None:
    """Write an executed notebook: with its outputs, and without what differs for each execution."""
    notebook.metadata = {"kernelspec": KERNELSPEC, "language_info": {"name": "python"}}
    for cell in notebook.cells:
        cell.metadata = {}
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for count, cell in enumerate(code, start=1):
        cell.execution_count = count
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = count
    writes: Any = nbformat.writes
    text: str = writes(notebook, version=4)
    path.write_text(text.replace(str(folder), "/tmp") + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
