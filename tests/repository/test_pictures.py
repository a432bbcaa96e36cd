"""The pictures of the documentation show what their bodies say, and an error names its line."""

from __future__ import annotations

import re
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parents[2] / "docs"

sys.path.append(str(DOCS / "extensions"))

from diagrams import DARK, LIGHT, demand_svg, marble_svg  # noqa: E402

Parse = Callable[[str], Any]


def texts(svg: str) -> list[str]:
    """The texts of a picture, which is well-formed, in their order."""
    return [
        element.text or "" for element in ET.fromstring(svg).iter() if element.tag[-4:] == "text"
    ]


def test_marbles_are_drawn_row_by_row() -> None:
    """Names, items and operators, and what comes together."""
    svg = marble_svg([("source", "-a-b-(c,10)|"), "map(f)", ("result", "-A-B-#")], LIGHT)
    assert texts(svg) == ["source", "a", "b", "c", "10", "map(f)", "result", "A", "B"]


def test_the_ends_of_a_diagram_are_told_apart() -> None:
    """An end is a line, a failure a cross in a colour of its own, and a diagram that goes on has an
    arrow."""
    ends, fails, goes_on = (marble_svg([("a", f"-x-{end}")], DARK) for end in ("|", "#", ""))
    assert (DARK.failure in ends, "<path" in ends) == (False, False)
    assert fails.count(DARK.failure) == 2
    assert "<path" in goes_on


def test_equal_items_have_one_colour() -> None:
    """Also an upper case letter, which is what became of the lower case one."""
    svg = marble_svg([("a", "-x-y-|"), "upper", ("b", "-X-Y-|")], LIGHT)
    fills = re.findall(r'<rect [^>]*fill="(#\w+)" stroke="#', svg)
    assert [fill for fill in fills if fill in LIGHT.fills] == [*LIGHT.fills[:2], *LIGHT.fills[:2]]


@pytest.mark.parametrize(
    ("parts", "demand"),
    [
        ([("source", ""), ("map", ""), ("fetch", "4")], ["4", "4"]),
        ([("source", ""), ("fetch", "4"), ("reader", "1")], ["4", "1"]),
        ([("source", ""), ("map", "")], [""]),
    ],
)
def test_demand_is_that_of_the_next_part_with_room(
    parts: list[tuple[str, str]], demand: list[str]
) -> None:
    """Parts without room pass it on."""
    said = [text for text in texts(demand_svg(parts, LIGHT)) if text.startswith("demand")]
    assert said == [f"demand: {one}" if one else "demand" for one in demand]


def test_a_small_room_is_drawn_as_slots() -> None:
    """A large one is a number."""
    slots = {
        room: demand_svg([("a", ""), ("b", room)], LIGHT).count('rx="3"') for room in ("4", "99")
    }
    assert slots == {"4": 4, "99": 0}


@pytest.fixture(scope="module")
def parse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parse]:
    """Reads a page of a site that has the directives, and returns its tree."""
    pytest.importorskip("sphinx", reason="needs Sphinx, of the extra `docs`")
    from sphinx.testing import restructuredtext
    from sphinx.testing.util import SphinxTestApp

    folder = tmp_path_factory.mktemp("site")
    (folder / "conf.py").write_text('extensions = ["pictures"]\n')
    (folder / "index.rst").write_text("Title\n=====\n")
    app = SphinxTestApp(srcdir=folder, buildername="html")
    yield lambda text: restructuredtext.parse(app, text)
    app.cleanup()


def files_of(tree: Any) -> dict[str, Path]:
    """The files of the one picture in a page."""
    import pictures

    (found,) = tree.findall(pictures.picture)
    assert found["alt"]
    return {theme: Path(path) for theme, path in found["files"].items()}


FLOW = """\
.. flow-picture::

   from fluxus_rx import step
   flow = step("src", [{"x": 1}]) >> step("double", lambda x: {"y": 2 * x})
"""

MARBLES = """\
.. marble-picture::

   a: -x-|
   map(lambda x: x)
   b: -x-|
"""


@pytest.mark.parametrize("body", [FLOW, MARBLES, ".. demand-picture::\n\n   a, b: 4\n"])
def test_a_picture_is_drawn_in_both_themes(parse: Parse, body: str) -> None:
    """And not drawn again where its body stands a second time."""
    files = files_of(parse(body))
    assert set(files) == {"light", "dark"}
    assert files["light"].read_text() != files["dark"].read_text()
    drawn = files["light"].stat().st_mtime_ns
    assert files_of(parse(body))["light"].stat().st_mtime_ns == drawn


def test_a_timeline_is_drawn_of_a_run(parse: Parse) -> None:
    """What it shows is told in words, too."""
    import pictures

    body = """\
.. timeline-picture::
   :caption: All *calls*.

   from fluxus_rx import run, step
   result = run(step("src", [{"x": 1}]) >> step("double", lambda x: {"y": x}), timestamps=True)
"""
    tree = parse(body)
    (found,) = tree.findall(pictures.picture)
    assert found["alt"] == "Timeline: 1 output from 2 calls."
    assert found.astext() == "All calls."
    assert set(files_of(tree)) == {"light", "dark"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            ".. flow-picture::\n\n   x = 1\n   flow = 1 / 0\n",
            r":4: flow-picture: ZeroDivisionError",
        ),
        (".. flow-picture::\n\n   flow = (\n", r":3: flow-picture: .*never closed"),
        ("Text.\n\n.. flow-picture::\n\n   x = 1\n", r":3: flow-picture: its body binds no flow"),
        (".. flow-picture::\n\n   flow = 3\n", r":1: flow-picture: InvalidFlowError"),
        (".. flow-picture::\n", r":1: flow-picture: expected a body"),
        (".. timeline-picture::\n\n   result = 1\n", r":1: timeline-picture: AttributeError"),
        (".. marble-picture::\n\n   a: -x-|\n   b: -x)|\n", r":4: marble-picture: this bracket"),
        (".. demand-picture::\n\n   source\n", r":1: demand-picture: expected names of two parts"),
        (".. job:: no_such\n", r":1: job: there is no program docs/examples/no_such.py"),
    ],
)
def test_an_error_names_the_line_of_the_page(parse: Parse, text: str, said: str) -> None:
    """And ends the build, whatever it does with warnings."""
    import pictures

    with pytest.raises(pictures.PictureError, match=r"(?s)index\.rst" + said):
        parse(text)


JOB = """\
import argparse
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--small", action="store_true")
parser.add_argument("--out", type=Path)
options = parser.parse_args()
for name in ("flow.svg", "flow_dark.svg", "rows.csv"):
    (options.out / name).write_text("a,b" if name.endswith("csv") else "<svg/>")
with open(Path(__file__).with_suffix(".runs"), "a") as runs:
    runs.write("run ")
print("small:", options.small)
print((options.out / "flow.svg").resolve())
"""


def test_a_job_runs_once_for_all_its_uses(
    parse: Parse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its output is a text, without the folder that it wrote to; its files are shown by kind."""
    import pictures
    from docutils import nodes

    monkeypatch.setattr(pictures, "EXAMPLES", tmp_path)
    (tmp_path / "once.py").write_text(JOB)
    shown = ("output", "rows.csv", "flow.svg")
    tree = parse("\n".join(f".. job:: once\n   :show: {name}\n" for name in shown))
    output, rows = (block.astext() for block in tree.findall(nodes.literal_block))
    assert output == "small: True\nout/flow.svg"
    assert rows == "a,b"
    assert {theme: path.name for theme, path in files_of(tree).items()} == {
        "light": "flow.svg",
        "dark": "flow_dark.svg",
    }
    assert (tmp_path / "once.runs").read_text() == "run "
    with pytest.raises(pictures.PictureError, match=r"no x\.svg; it has written: flow\.svg"):
        parse(".. job:: once\n   :show: x.svg\n")


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("\n\nx = 1\n\n\n", "x = 1\n"),
        (
            "# %% [markdown]\n# # Load\n# In batches.\n\n# %%\nx = 1\n",
            "# Load\n# In batches.\n\nx = 1\n",
        ),
        ("x = 1\n\n\n# %%\n\n\ny = 2\n", "x = 1\n\n\ny = 2\n"),
        ("x = 1  # %%\n", "x = 1  # %%\n"),
    ],
)
def test_a_program_is_shown_without_marks_of_cells(written: str, shown: str) -> None:
    """And without empty lines around it."""
    pytest.importorskip("sphinx")
    from site_extras import readable

    assert readable(written) == shown


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("import sys\nsys.exit('broken row')", "the job ended with 1:\nbroken row"),
        ("import threading\nthreading.Event().wait()", "the job took more than 0.5 s"),
    ],
)
def test_a_job_that_fails_or_hangs_ends_the_build(
    parse: Parse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, said: str
) -> None:
    """With the end of what it said, and leaves nothing that a second build would take."""
    import pictures

    monkeypatch.setattr(pictures, "EXAMPLES", tmp_path)
    monkeypatch.setattr(pictures, "JOB_SECONDS", 0.5)
    (tmp_path / "bad.py").write_text(program)
    for _ in range(2):
        with pytest.raises(pictures.PictureError, match=re.escape(said)):
            parse(".. job:: bad\n")
