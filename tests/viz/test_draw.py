"""Where drawings go: files, streams and stdout; and what is said when they can't."""

from __future__ import annotations

import gzip
import io
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fluxus_rx import InvalidFlowError, InvalidOptionError, UsageError, step
from fluxus_rx.viz import draw, to_dot, to_mermaid, to_tree
from tests.support import tools
from tests.support.drawings import FLOWS, classes

FLOW = FLOWS["hello"]
MERMAID = to_mermaid(FLOW)


@pytest.fixture
def no_dot(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without Graphviz."""
    monkeypatch.setenv("PATH", str(tmp_path))


class TestStdout:
    """Without a file, and without a notebook."""

    def test_the_tree_is_printed(self, capsys: pytest.CaptureFixture[str]) -> None:
        """And nothing else."""
        assert FLOW.draw() is None  # type: ignore[func-returns-value]  # that's the test
        assert capsys.readouterr() == (f"{to_tree(FLOW)}\n", "")

    @pytest.mark.parametrize(
        ("style", "text"), [("tree", to_tree(FLOW)), ("text", repr(FLOW)), ("mermaid", MERMAID)]
    )
    def test_text_of_each_kind_is_printed(
        self, style: str, text: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """As the style says."""
        draw(FLOW, style)
        assert capsys.readouterr() == (f"{text}\n", "")

    def test_paths_are_told_on_demand(self, capsys: pytest.CaptureFixture[str]) -> None:
        """In the drawing that is printed too."""
        draw(FLOW, paths=True)
        assert capsys.readouterr().out == f"{to_tree(FLOW, paths=True)}\n"

    def test_an_encoding_without_lines_gets_plain_ones_in_the_same_columns(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A drawing never fails for the terminal that it is shown in."""
        stdout = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
        monkeypatch.setattr(sys, "stdout", stdout)
        FLOWS["part"].draw(paths=True)
        stdout.seek(0)
        assert stdout.read().splitlines() == [
            "* start",
            "o a",
            "+--> o b - 0 -+",
            "+--> o c - 1 -+",
            "+-------------+",
            "@ end",
        ]

    def test_a_picture_needs_a_place(self) -> None:
        """The message names two ways out."""
        with pytest.raises(UsageError, match=r"draw\('graph', file='flow.svg'\).*draw\('tree'\)"):
            FLOW.draw("graph")

    def test_without_stdout_the_error_says_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """As in a windowed program."""
        monkeypatch.setattr(sys, "stdout", None)
        with pytest.raises(UsageError, match=r"no stdout.*file='flow.txt'"):
            FLOW.draw()


class TestFiles:
    """By path."""

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("flow.txt", f"{to_tree(FLOW)}\n"),
            ("flow.mmd", f"{MERMAID}\n"),
            ("flow.mermaid", f"{MERMAID}\n"),
            ("flow.md", f"```mermaid\n{MERMAID}\n```\n"),
            ("flow.dot", to_dot(FLOW)),
            ("FLOW.GV", to_dot(FLOW)),
        ],
    )
    def test_the_ending_says_what_is_written(self, name: str, text: str, tmp_path: Path) -> None:
        """In UTF-8, whatever the locale."""
        FLOW.draw(file=tmp_path / name)
        assert (tmp_path / name).read_text("utf-8") == text
        FLOW.draw(file=str(tmp_path / name))
        assert (tmp_path / name).read_text("utf-8") == text

    @pytest.mark.parametrize(
        ("name", "start"), [("f.svg", b"<?xml"), ("f.png", b"\x89PNG"), ("f.pdf", b"%PDF")]
    )
    @pytest.mark.parametrize("style", [None, "graph", "graph_dark"])
    def test_pictures_are_made_by_graphviz(
        self, name: str, start: bytes, style: str | None, tmp_path: Path
    ) -> None:
        """In each format that a file may have."""
        tools.dot()
        FLOW.draw(style, file=tmp_path / name, paths=True)
        assert (tmp_path / name).read_bytes().startswith(start)

    def test_the_style_decides_within_a_format(self, tmp_path: Path) -> None:
        """A text file may hold the expression, and a graph be dark."""
        FLOW.draw("text", file=tmp_path / "flow.txt")
        assert (tmp_path / "flow.txt").read_text() == f"{FLOW!r}\n"
        FLOW.draw("graph_dark", file=tmp_path / "flow.dot")
        assert (tmp_path / "flow.dot").read_text() == to_dot(FLOW, dark=True)

    def test_the_format_decides_where_the_ending_says_nothing(self, tmp_path: Path) -> None:
        """A file may be called anything."""
        FLOW.draw(file=tmp_path / "flow.out", format="mermaid")
        FLOW.draw(file=tmp_path / "flow", format="txt")
        assert (tmp_path / "flow.out").read_text() == f"{MERMAID}\n"
        assert (tmp_path / "flow").read_text() == f"{to_tree(FLOW)}\n"

    def test_a_drawing_that_fails_leaves_no_file(self, no_dot: None, tmp_path: Path) -> None:
        """What was there before stays as it was."""
        (tmp_path / "old.svg").write_text("old")
        for name in ("new.svg", "old.svg"):
            with pytest.raises(UsageError, match=r"`dot` of Graphviz is not installed"):
                FLOW.draw(file=tmp_path / name)
        assert [file.name for file in tmp_path.iterdir()] == ["old.svg"]
        assert (tmp_path / "old.svg").read_text() == "old"

    def test_a_flow_of_classes_is_drawn_the_same_way(self, tmp_path: Path) -> None:
        """A `Flow` has the method too."""
        classes().draw(file=tmp_path / "flow.txt")
        assert (tmp_path / "flow.txt").read_text("utf-8") == f"{to_tree(classes())}\n"


class TestStreams:
    """By object."""

    def test_a_text_stream_gets_the_tree_and_a_binary_one_svg(self) -> None:
        """Unless something else is said."""
        tools.dot()
        text, data = io.StringIO(), io.BytesIO()
        FLOW.draw(file=text)
        FLOW.draw(file=data)
        assert text.getvalue() == f"{to_tree(FLOW)}\n"
        assert data.getvalue().startswith(b"<?xml")

    @pytest.mark.parametrize(
        ("arguments", "text"),
        [
            ({"style": "mermaid"}, f"{MERMAID}\n"),
            ({"format": "md"}, f"```mermaid\n{MERMAID}\n```\n"),
            ({"style": "graph", "format": "dot"}, to_dot(FLOW)),
            ({"style": "tree"}, f"{to_tree(FLOW)}\n"),
        ],
        ids=lambda arguments: "-".join(arguments) if isinstance(arguments, dict) else "",
    )
    def test_style_and_format_say_what_is_written(
        self, arguments: dict[str, Any], text: str
    ) -> None:
        """As text where text is taken, else in UTF-8."""
        stream, data = io.StringIO(), io.BytesIO()
        FLOW.draw(file=stream, **arguments)
        FLOW.draw(file=data, **arguments)
        assert (stream.getvalue(), data.getvalue()) == (text, text.encode())

    def test_svg_is_text_where_text_is_taken(self) -> None:
        """SVG is both."""
        tools.dot()
        stream = io.StringIO()
        FLOW.draw("graph", file=stream)
        assert "<svg" in stream.getvalue()

    @pytest.mark.parametrize(
        "opened",
        [
            partial(gzip.open, mode="wb"),
            partial(gzip.open, mode="wt", encoding="utf-8"),
            partial(open, mode="wb", buffering=0),
        ],
        ids=["gzip", "gzip text", "raw"],
    )
    def test_any_kind_of_stream_will_do(
        self, opened: Callable[[Path], Any], tmp_path: Path
    ) -> None:
        """It has to have a method write(); it is left open."""
        with opened(tmp_path / "stream") as stream:
            FLOW.draw("mermaid", file=stream)
            assert not stream.closed

    def test_a_binary_picture_is_not_written_as_text(self) -> None:
        """The message says how to open the file."""
        with pytest.raises(InvalidOptionError, match=r"format='png' is binary.*takes text"):
            FLOW.draw(file=io.StringIO(), format="png")


class Asynchronous:
    async def write(self, data: object) -> None:
        raise AssertionError("never awaited")


def closed() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


class TestMistakes:
    """What is said of arguments that can't be meant."""

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"style": "grpah"}, "style='grpah' (str): expected one of 'graph', 'graph_dark',"),
            ({"style": 5}, "style=5 (int): expected one of 'graph'"),
            (
                {"file": "a.svg", "format": "gif"},
                "format='gif' (str): expected one of 'svg', 'png'",
            ),
            ({"file": "a.gif"}, "file='a.gif': a flow can't be written to a file that ends in"),
            ({"file": "a"}, "file='a': a flow can't be written to a file without an ending"),
            ({"style": "tree", "file": "a.svg"}, "'.svg'; expected one of .txt"),
            ({"style": "mermaid", "file": "a.svg"}, "expected one of .mmd, .mermaid, .md"),
            ({"style": "graph", "file": "a.txt"}, "expected one of .svg, .png, .pdf, .dot, .gv"),
            ({"file": "a.svg", "format": "png"}, "contradict each other; leave out format, or use"),
            ({"style": "mermaid", "file": "a", "format": "svg"}, "expected one of 'mermaid', 'md'"),
            ({"format": "svg"}, "format='svg' (str): expected file= as well"),
            ({"style": "text", "paths": True}, "style='text' has no edges"),
        ],
        ids=str,
    )
    def test_an_argument_out_of_its_range_is_named_with_what_there_is(
        self,
        arguments: dict[str, Any],
        message: str,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """A ValueError, before anything is drawn."""
        monkeypatch.chdir(tmp_path)
        with pytest.raises(InvalidOptionError) as caught:
            FLOW.draw(**arguments)
        assert message in str(caught.value)
        assert [*tmp_path.iterdir()] == []

    @pytest.mark.parametrize(
        ("file", "message"),
        [
            (5, r"file=5 \(int\): expected a path, or a stream"),
            (b"a.svg", r"file=b'a.svg' \(bytes\): expected a path"),
            (closed(), "can't be written to: I/O operation on closed file"),
            (io.BufferedReader(io.BytesIO()), "can't be written to: "),
            (SimpleNamespace(write=lambda: None), "takes neither text nor bytes"),
            (Asynchronous(), "writes asynchronously; draw to an io.BytesIO"),
        ],
        ids=["number", "bytes", "closed", "to read", "no argument", "asynchronous"],
    )
    def test_what_can_not_be_written_to_is_a_type_error(self, file: Any, message: str) -> None:
        """With what came, before anything is drawn."""
        with pytest.raises(InvalidFlowError, match=message):
            FLOW.draw(file=file)

    def test_what_is_no_flow_can_not_be_drawn(self) -> None:
        """The message shows what came."""
        with pytest.raises(InvalidFlowError, match=r"draw\(\) takes a flow, not \[\] \(list\)"):
            draw([])  # type: ignore[arg-type]  # the mistake


def test_a_text_stream_in_another_encoding_gets_plain_characters() -> None:
    """A stream in ASCII gets the drawing in ASCII, as stdout does."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    step("double", lambda x: {"x": 2 * x}).draw("tree", file=stream)
    stream.flush()
    assert b"double" in raw.getvalue()


def test_a_program_dot_that_cannot_be_run_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as one for another processor; a notebook then shows what needs none."""
    program = tmp_path / "dot"
    program.write_bytes(b"\x00\x01")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    flow = step("double", lambda x: {"x": 2 * x})
    with pytest.raises(RuntimeError, match="mermaid"):
        flow.draw(file=tmp_path / "flow.svg")
    assert "text/vnd.mermaid" in flow._repr_mimebundle_()
