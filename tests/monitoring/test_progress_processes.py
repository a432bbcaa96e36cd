"""Progress in processes of its own: in a real terminal, under a real kernel, with Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.progress_runs import RUNS
from tests.support.subprocesses import COMPLAINTS, ROOT, python

HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"

WAITING = [name for name in RUNS if name != "short"]


def in_terminal(name: str, interrupt: bool = False) -> tuple[int, str]:
    """How a run ends in a terminal, and all that it wrote to it; Ctrl-C comes once it is drawn."""
    own, its = os.openpty()
    environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    environment |= {"PYTHONPATH": str(ROOT), "TERM": "xterm-256color"}
    command = [
        sys.executable,
        "-X",
        "dev",
        "-W",
        "error",
        "-m",
        "tests.support.progress_runs",
        name,
    ]
    with subprocess.Popen(
        command, stdin=its, stdout=its, stderr=its, env=environment, cwd=ROOT
    ) as process:
        os.close(its)
        try:
            text = b""
            while piece := _read(own):
                text += piece
                if interrupt and b"wait" in text[text.find(HIDE.encode()) + 1 :]:
                    process.send_signal(signal.SIGINT)
                    interrupt = False
            code = process.wait(50)
        finally:
            process.kill()
            os.close(own)
    return code, text.decode()


def _read(file: int) -> bytes:
    try:
        return os.read(file, 65_536)
    except OSError:  # on Linux, the end of a terminal is an error
        return b""


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no such terminals here")
class TestTerminal:
    def test_a_run_leaves_its_last_state_and_the_cursor(self) -> None:
        """In a real terminal: the table, the line below it, and nothing after that."""
        code, text = in_terminal("short")
        assert code == 0
        *_, last = text.split(HIDE)
        table, rest = last.split(SHOW)
        assert "50/50" in table
        assert "done after" in table
        assert rest.strip() == ""

    @pytest.mark.parametrize("name", WAITING)
    def test_an_interrupt_leaves_the_last_state_and_the_cursor(self, name: str) -> None:
        """Then comes KeyboardInterrupt, as it would without."""
        code, text = in_terminal(name, interrupt=True)
        assert code == -signal.SIGINT
        assert text.rindex(HIDE) < text.rindex("cancelled after") < text.rindex(SHOW)
        assert text.rindex(SHOW) < text.rindex("Traceback (most recent call last)")
        assert text.rstrip().endswith("KeyboardInterrupt")
        assert [complaint for complaint in COMPLAINTS if complaint in text] == []


def test_an_interrupt_is_told_in_a_line() -> None:
    """Into a pipe, too, the last line says how the run has ended."""
    ended = python("-m", "tests.support.progress_runs", "asynchronous", interrupt=1)
    assert ended.code == -signal.SIGINT
    first, *_, last = ended.printed()
    assert first.startswith("cancelled after ")
    assert ", wait " in first
    assert last == "KeyboardInterrupt"
    assert not ended.complaints()


@pytest.mark.slow
def test_a_notebook_shows_a_table_below_each_cell(tmp_path: Path) -> None:
    """With `run`, which has a thread of its own there, and with `arun`; also after an error."""
    pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    environment = {
        "PYTHONPATH": str(ROOT),
        "IPYTHONDIR": str(tmp_path),
        "JUPYTER_RUNTIME_DIR": str(tmp_path),
        "JUPYTER_PLATFORM_DIRS": "1",
    }
    ended = subprocess.run(
        [sys.executable, "-m", "tests.support.progress_notebook"],
        capture_output=True,
        env=os.environ | environment,
        cwd=ROOT,
        timeout=55,
        check=True,
    )
    _, threaded, awaited, failed, told = json.loads(ended.stdout)
    for outputs in threaded, awaited:
        table, result = outputs
        assert_table(table, "done after ")
        assert result["data"]["text/plain"] == "5"
    table, error = failed
    assert_table(table, "failed after ")
    assert error["ename"] == "ZeroDivisionError"
    assert "done after 0." in told[0]["text"]


def assert_table(output: Any, state: str) -> None:
    """One table, which has come to the last state."""
    assert output["output_type"] == "display_data"
    assert output["data"]["text/html"].startswith("<table>")
    assert f">{state}1." in output["data"]["text/html"]
    assert output["data"]["text/plain"].startswith(state)
