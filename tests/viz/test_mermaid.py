"""A flow as text for Mermaid, and what the real Mermaid makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from selenium.webdriver import Chrome

from fluxus_rx._common.text import shortened
from fluxus_rx.viz import FlowGraph, Node, to_mermaid
from fluxus_rx.viz._mermaid import CLASSES, JOINER, MERMAID_LINE_WIDTH
from tests.support import tools
from tests.support.browser import browser, console_errors, picture
from tests.support.drawings import FLOWS, GOLDEN, check, odd
from tests.viz.test_dot import contrast

PAGE = """
<!doctype html><meta charset="utf-8"><title>Mermaid</title><div id="out"></div>
<script src="{mermaid}"></script>
<script>
async function show(text, theme) {{
    document.body.style.background = theme == "dark" ? "#0d1117" : "#ffffff";
    mermaid.initialize({{startOnLoad: false, theme: theme, securityLevel: "strict"}});
    document.getElementById("out").innerHTML = (await mermaid.render("drawing", text)).svg;
    const all = (selector) => [...document.querySelectorAll(selector)];
    const nodes = all(".nodeLabel").map((label) => label.innerText);
    return {{nodes: nodes, edges: all(".edgePaths > *").length}};
}}
</script>
"""


@pytest.mark.parametrize("paths", [False, True], ids=["plain", "paths"])
@pytest.mark.parametrize("name", FLOWS)
def test_a_flow_is_written_as_it_always_was(name: str, paths: bool) -> None:
    """The texts are in files, to be looked at after a change."""
    check(f"{name}{'_paths' if paths else ''}.mmd", to_mermaid(FLOWS[name], paths=paths))


def test_odd_text_is_written_in_codes() -> None:
    """All that might mean something to Mermaid."""
    check("odd.mmd", to_mermaid(odd()))


@pytest.mark.parametrize("style", CLASSES.values(), ids=CLASSES)
def test_a_node_can_be_read_on_light_and_dark_pages(style: str) -> None:
    """Its text on its own ground, and its ground or border on the page."""
    colors = dict(part.split(":") for part in style.split(","))
    assert colors["color"] == colors["fill"] or contrast(colors["color"], colors["fill"]) >= 4.5
    for page in ("#ffffff", "#0d1117"):
        assert max(contrast(colors[part], page) for part in ("fill", "stroke")) >= 3


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """A page with Mermaid on it, in a browser."""
    file = tmp_path_factory.mktemp("mermaid") / "page.html"
    file.write_text(PAGE.format(mermaid=tools.mermaid_js().resolve().as_uri()), "utf-8")
    with browser(file) as driver:
        yield driver


@pytest.mark.slow
class TestRealMermaid:
    """In a browser."""

    @pytest.mark.parametrize("theme", ["default", "dark"])
    @pytest.mark.parametrize("name", [*FLOWS, *(f"{name}_paths" for name in FLOWS)])
    def test_it_draws_every_flow(self, page: Chrome, name: str, theme: str) -> None:
        """All nodes with their texts, and all edges."""
        text = (GOLDEN / f"{name}.mmd").read_text("utf-8")
        graph = FlowGraph.of(FLOWS[name.removesuffix("_paths")])
        drawn = shown(page, text, theme)
        assert drawn["edges"] == len(graph.edges)
        assert words(drawn["nodes"]) == [texts(node) for node in graph.nodes]
        picture(page, f"mermaid_{name}_{theme}")

    def test_odd_text_is_shown_as_it_is(self, page: Chrome) -> None:
        """Whatever it might mean to Mermaid, to Markdown or to HTML."""
        drawn = shown(page, to_mermaid(odd()), "default")
        assert words(drawn["nodes"]) == [texts(node) for node in FlowGraph.of(odd()).nodes]
        picture(page, "mermaid_odd")


def shown(page: Chrome, text: str, theme: str) -> dict[str, Any]:
    """What the page shows of the text, without an error."""
    call = "const [text, theme, done] = arguments; show(text, theme).then(done, e => done(`${e}`))"
    drawn: Any = page.execute_async_script(call, text, theme)
    assert isinstance(drawn, dict), drawn
    assert console_errors(page) == []
    return drawn


def words(labels: list[str]) -> list[list[str]]:
    """The words of each label, without what keeps Mermaid from reading them its own way."""
    return [label.replace(JOINER, "").split() for label in labels]


def texts(node: Node) -> list[str]:
    """The words that the label of a node should have; of a point, none."""
    return " ".join(
        shortened(text, MERMAID_LINE_WIDTH) for text in (node.name, *node.details)
    ).split()
