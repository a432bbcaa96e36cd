"""A flow as a Graphviz drawing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

import pytest

from fluxus_rx import UsageError
from fluxus_rx._common.text import shortened
from fluxus_rx.viz import FlowGraph, to_dot
from fluxus_rx.viz._dot import (
    DARK_COLOURS,
    DOT_LINE_WIDTH,
    LIGHT_COLOURS,
    DotTheme,
    digraph,
    rendered,
)
from tests.support import tools
from tests.support.browser import PICTURES
from tests.support.drawings import FLOWS, check, long, odd

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("paths", [False, True], ids=["plain", "paths"])
@pytest.mark.parametrize("name", FLOWS)
def test_a_flow_is_written_as_it_always_was(name: str, paths: bool) -> None:
    """The texts are in files, to be looked at after a change."""
    check(f"{name}{'_paths' if paths else ''}.dot", to_dot(FLOWS[name], paths=paths).rstrip())


def test_a_dark_drawing_differs_in_its_colours() -> None:
    """The same nodes and edges, of another theme."""
    check("hello_dark.dot", to_dot(FLOWS["hello"], dark=True).rstrip())


@pytest.mark.parametrize("theme", [LIGHT_COLOURS, DARK_COLOURS], ids=["light", "dark"])
class TestColours:
    """The contrasts that WCAG 2 asks for at level AA."""

    def test_text_can_be_read(self, theme: DotTheme) -> None:
        """At least 4.5 to 1, in each node and on the background."""
        for ground in (theme.background, *theme.fills.values()):
            assert contrast(theme.text, ground) >= 4.5

    def test_lines_can_be_seen(self, theme: DotTheme) -> None:
        """At least 3 to 1: edges on the background, and borders on both of their sides."""
        assert contrast(theme.lines, theme.background) >= 3
        for role, border in theme.borders.items():
            assert contrast(border, theme.background) >= 3
            assert contrast(border, theme.fills[role]) >= 3


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, from 1 to 21."""
    dark, light = sorted(map(luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


def luminance(color: str) -> float:
    shares = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in shares]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_contrast_is_that_of_wcag() -> None:
    """Two values from its documents."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


class TestWithDot:
    """What the program makes of it."""

    @pytest.fixture(autouse=True)
    def dot(self) -> Path:
        """Skip where there is none."""
        return tools.dot()

    @pytest.mark.parametrize("theme", [LIGHT_COLOURS, DARK_COLOURS], ids=["light", "dark"])
    @pytest.mark.parametrize("name", FLOWS)
    def test_it_draws_every_flow(self, name: str, theme: DotTheme) -> None:
        """As many nodes and edges as the graph has; and a picture for a person to look at."""
        graph = FlowGraph.of(FLOWS[name], paths=True)
        drawn = groups(rendered(digraph(graph, theme), "svg"))
        assert [len(drawn["node"]), len(drawn["edge"])] == [len(graph.nodes), len(graph.edges)]
        PICTURES.mkdir(parents=True, exist_ok=True)
        file = PICTURES / f"graph_{name}_{'dark' if theme is DARK_COLOURS else 'light'}.png"
        file.write_bytes(rendered(digraph(graph, theme), "png"))

    def test_odd_text_is_shown_as_it_is(self) -> None:
        """Whatever it might mean to Graphviz or to XML."""
        graph = FlowGraph.of(odd())
        drawn = groups(rendered(digraph(graph, LIGHT_COLOURS), "svg"))
        for node in graph.nodes:
            # Graphviz writes the second of two spaces as one that doesn't break.
            texts = [text.replace("\xa0", " ") for text in drawn["node"][node.key]]
            assert texts == [shortened(text, DOT_LINE_WIDTH) for text in (node.name, *node.details)]

    def test_what_it_complains_of_is_told(self) -> None:
        """With the way out, should an installation lack a format."""
        dot = digraph(FlowGraph.of(long(1)), LIGHT_COLOURS)
        dot.body.append("this is no statement ]")
        with pytest.raises(UsageError, match=r"failed: .*syntax error.*draw\(style='mermaid'"):
            rendered(dot, "svg")


def groups(svg: bytes) -> Mapping[str, dict[str, list[str]]]:
    """The texts of nodes and edges, by kind and title."""
    found: dict[str, dict[str, list[str]]] = {"graph": {}, "node": {}, "edge": {}}
    for group in ElementTree.fromstring(svg).iter(f"{SVG}g"):
        title = group.findtext(f"{SVG}title") or ""
        found[group.attrib["class"]][title] = [text.text or "" for text in group.iter(f"{SVG}text")]
    return found


def test_without_the_program_the_error_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """And what can be done without it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError) as caught:
        rendered(digraph(FlowGraph.of(long(1)), LIGHT_COLOURS), "svg")
    for words in ("apt", "brew", "choco", "conda", "draw(style='mermaid')", "draw(style='tree')"):
        assert words in str(caught.value)


def test_without_the_package_the_error_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And what there is without it."""
    monkeypatch.setitem(sys.modules, "graphviz", None)
    with pytest.raises(ImportError, match=r'needs graphviz: pip install "graphviz>=0.20"; without'):
        to_dot(long(1))


def test_importing_the_library_imports_nothing_to_draw_with() -> None:
    """What draws is imported when something is drawn."""
    code = "import sys, fluxus_rx; print(*sys.modules)"
    command = [sys.executable, "-c", code]
    modules = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert {"fluxus_rx.viz", "graphviz", "IPython", "matplotlib"}.isdisjoint(modules)
