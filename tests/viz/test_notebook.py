"""What a notebook shows of a flow."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fluxus_rx import Conduit
from fluxus_rx.viz import to_mermaid, to_tree
from tests.support import tools
from tests.support.drawings import FLOWS, long
from tests.support.subprocesses import ROOT

FLOW = FLOWS["hello"]
MERMAID = to_mermaid(FLOW)


@pytest.fixture
def no_dot(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without Graphviz."""
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """A notebook, and what is displayed in it."""
    bundles: list[dict[str, str]] = []

    def display(bundle: dict[str, str], *, raw: bool) -> None:
        assert raw
        bundles.append(bundle)

    shell = SimpleNamespace(kernel=object())
    ipython = SimpleNamespace(get_ipython=lambda: shell)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=display))
    return bundles


class TestNotebook:
    """What a kernel is given."""

    def test_a_picture_is_displayed(self, shown: list[dict[str, str]]) -> None:
        """With the expression for what shows no pictures."""
        tools.dot()
        FLOW.draw()
        FLOW.draw("graph_dark")
        assert [bundle["text/plain"] for bundle in shown] == [repr(FLOW)] * 2
        assert all("<svg" in bundle["image/svg+xml"] for bundle in shown)

    def test_without_graphviz_it_is_mermaid(
        self, shown: list[dict[str, str]], no_dot: None
    ) -> None:
        """Which a notebook draws by itself."""
        FLOW.draw()
        assert shown == [{"text/vnd.mermaid": f"{MERMAID}\n", "text/plain": repr(FLOW)}]

    def test_text_is_printed(
        self, shown: list[dict[str, str]], capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A tree looks the same everywhere."""
        FLOW.draw("tree")
        assert (shown, capsys.readouterr().out) == ([], f"{to_tree(FLOW)}\n")

    def test_a_terminal_of_ipython_is_no_notebook(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """It has a shell, but no kernel."""
        ipython = SimpleNamespace(get_ipython=lambda: SimpleNamespace())
        monkeypatch.setitem(sys.modules, "IPython", ipython)
        FLOW.draw()
        assert capsys.readouterr().out == f"{to_tree(FLOW)}\n"


def bundle(flow: Conduit, *arguments: Any) -> dict[str, str]:
    return flow._repr_mimebundle_(*arguments)


class TestMimeBundle:
    """What a notebook shows of a flow that ends a cell."""

    def test_it_is_the_expression_and_svg(self) -> None:
        """Where Graphviz is installed."""
        tools.dot()
        assert {*bundle(FLOW)} == {"text/plain", "image/svg+xml"}
        assert bundle(FLOW)["text/plain"] == repr(FLOW)

    def test_without_graphviz_it_is_the_expression_and_mermaid(self, no_dot: None) -> None:
        """No error tells of what is missing."""
        assert bundle(FLOW) == {"text/plain": repr(FLOW), "text/vnd.mermaid": MERMAID}

    def test_without_the_package_it_is_the_expression_and_mermaid(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The program alone is of no use."""
        monkeypatch.setitem(sys.modules, "graphviz", None)
        assert {*bundle(FLOW)} == {"text/plain", "text/vnd.mermaid"}

    def test_with_a_graphviz_that_fails_it_is_the_expression_and_mermaid(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """A broken installation isn't a reason for not showing a flow."""
        (tmp_path / "dot").write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / "dot").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/bin")
        assert {*bundle(FLOW)} == {"text/plain", "text/vnd.mermaid"}

    @pytest.mark.parametrize(
        ("length", "mimes"),
        [(320, {"text/plain", "text/vnd.mermaid"}), (600, {"text/plain"})],
        ids=["large", "huge"],
    )
    def test_a_large_flow_is_no_picture(self, length: int, mimes: set[str]) -> None:
        """Nobody has asked for one; and Mermaid refuses more than 500 edges."""
        assert {*bundle(long(length))} == mimes

    @pytest.mark.parametrize(
        ("include", "exclude", "mimes"),
        [
            ({"text/plain"}, None, {"text/plain"}),
            (None, {"image/svg+xml"}, {"text/plain", "text/vnd.mermaid"}),
            ({"text/vnd.mermaid"}, None, {"text/vnd.mermaid"}),
            ({"text/html"}, None, set()),
        ],
        ids=["text", "no svg", "mermaid", "another"],
    )
    def test_only_what_is_asked_for_is_made(
        self, include: Any, exclude: Any, mimes: set[str]
    ) -> None:
        """IPython says what it can show."""
        assert {*bundle(FLOW, include, exclude)} == mimes


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_notebook_shows_a_flow_its_drawing_and_what_a_run_gives(tmp_path: Path) -> None:
    """In a real kernel: as the last expression of a cell, and a drawing by its method."""
    tools.dot()
    command = [sys.executable, "-c", NOTEBOOK]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "IPYTHONDIR": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [
        "execute_result", "image/svg+xml", "text/plain",
        "display_data", "image/svg+xml", "text/plain",
        "stream",
        *["execute_result", "text/html", "text/plain"] * 5,
    ]  # fmt: skip


#: In a process of its own: it opens sockets and starts a loop, and closes them when it likes.
NOTEBOOK = """
import nbformat
from nbclient import NotebookClient

CELLS = [
    "from fluxus_rx import step; flow = step('src', [{'x': 1}]); flow",
    "flow.draw()",
    "flow.draw('tree')",
    "from fluxus_rx import start; running = start(flow); result = await running.result(); result",
    "result.failures",
    "running",
    "running.stats()",
    "running.explain()",
]
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
for cell in notebook.cells:
    for output in cell.outputs:
        print(output.output_type, *sorted(output.get("data", {})))
"""
