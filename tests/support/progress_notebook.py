"""A notebook of a few cells, run by a real kernel: `python -m tests.support.progress_notebook`, for
test_progress_processes.py. Prints what each cell has put out, as JSON."""

from __future__ import annotations

import json
import sys
from typing import Any

import nbformat
from nbclient import NotebookClient

CELLS = (
    """
import asyncio
from fluxus_rx import arun, run, step

async def wait(x):
    await asyncio.sleep(0.25)
    return {"y": 1 // (5 - x)}

def flow(number):
    source = step("src", [{"x": x} for x in range(number)])
    return source >> step("wait", wait).options(concurrency=1)
""",
    "len(run(flow(5), progress=True)[0])",
    "len((await arun(flow(5), progress=True))[0])",
    "run(flow(6), progress=True)",
    "run(flow(1), progress=print) and None",
)

if __name__ == "__main__":
    v4: Any = nbformat.v4  # it has no types
    notebook = v4.new_notebook(cells=[v4.new_code_cell(cell) for cell in CELLS])
    NotebookClient(notebook, timeout=40, kernel_name="python3", allow_errors=True).execute()
    json.dump([cell["outputs"] for cell in notebook["cells"]], sys.stdout)
