"""Draws a flow in one of the styles, into a file or a stream, or to be shown."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Mapping

from .._common.messages import check_choice, shown
from .._common.notebook import in_notebook, show_in_notebook
from .._errors import InvalidFlowError, InvalidOptionError, UsageError
from .._graph.flow_graph import FlowGraph
from .._graph.mistakes import meant_by
from .._graph.parts import Describable, is_describable
from ._dot import DARK_COLOURS, LIGHT_COLOURS, digraph, has_dot, rendered
from ._mermaid import mermaid
from ._output import File, Format, Target, print_text, takes_text
from ._tree import drawn_tree

__all__ = ["bundle_of", "draw"]

TEXT = (Format("txt", (".txt",)),)
MERMAID = (Format("mermaid", (".mmd", ".mermaid")), Format("md", (".md",)))
PICTURES = (
    Format("svg", (".svg",)),
    Format("png", (".png",), is_text=False),
    Format("pdf", (".pdf",), is_text=False),
    Format("dot", (".dot", ".gv")),
)

#: What each style can be written in, the first one for streams.
FORMATS: Mapping[str, tuple[Format, ...]] = {
    "graph": PICTURES,
    "graph_dark": PICTURES,
    "mermaid": MERMAID,
    "text": TEXT,
    "tree": TEXT,
}

#: The style of a file whose ending alone is known.
STYLE_OF_FORMATS: Mapping[tuple[Format, ...], str] = {
    PICTURES: "graph",
    MERMAID: "mermaid",
    TEXT: "tree",
}

#: Above, a picture that nobody has asked for is neither quick to make nor good to look at.
MOST_EDGES_SHOWN = 300

#: Mermaid refuses more, and no text can tell it not to.
MERMAID_EDGES, MERMAID_CHARACTERS = 500, 50_000


def draw(
    conduit: Describable,
    style: str | None = None,
    *,
    file: File | None = None,
    format: str | None = None,
    paths: bool = False,
) -> None:
    """Draw a flow, or a part of one, in a style, into a file or a stream, or show it.

    - "tree": a drawing of box characters, see `to_tree`;
    - "text": the expression that builds the flow, its `repr`;
    - "graph" and "graph_dark": a picture made by Graphviz, light or dark, as `.svg`, `.png` or
      `.pdf`, or its text as `.dot` or `.gv`;
    - "mermaid": text that GitHub and notebooks show as a picture, as `.mmd` or `.mermaid`, or in
      Markdown as `.md`.

    The ending of the file and `format` decide the style, the ending and the style the format.
    Without both, a text stream gets the tree, and a binary one SVG. Without a file, a notebook
    shows the picture, or Mermaid if there is no Graphviz; elsewhere the tree is printed. With
    `paths=True`, edges have the indices of their paths, as in the result of `run`.

    The drawing is made before anything is written, so an error leaves no file. Raises ValueError
    for an unknown style or format, or one that doesn't fit the ending, TypeError for an invalid
    file, RuntimeError if Graphviz or a notebook to show a picture is missing.

    >>> from fluxus_rx import step
    >>> draw(step("src", [{"x": 1}]) >> step("double", lambda x: {"x": 2 * x}))
    ▷ src  [{'x': 1}]
    ○ double
    ◉ end
    """
    if not is_describable(conduit):
        raise InvalidFlowError(f"draw() takes a flow, not {shown(conduit)}{meant_by(conduit)}")
    _check_style(style, paths)
    if file is not None:
        _write_flow(conduit, style, file, format, paths)
    elif format is not None:
        raise InvalidOptionError(f"format={shown(format)}: expected file= as well, to draw it into")
    else:
        _show_flow(conduit, style, paths)


def _check_style(style: str | None, paths: bool) -> None:
    if isinstance(style, str) and "." in style:
        raise InvalidOptionError(f"style={shown(style)}: a file is given by name: file={style!r}")
    if style is not None:
        check_choice("style", style, FORMATS)
    if style == "text" and paths:
        raise InvalidOptionError("paths=True: style='text' has no edges; expected another style")


def _write_flow(
    conduit: Describable, style: str | None, file: File, format: str | None, paths: bool
) -> None:
    if style is not None:
        formats, what = FORMATS[style], f"style={style!r}"
    elif format is None and not isinstance(file, str | os.PathLike):
        formats, what = TEXT if takes_text(file) else PICTURES, "a flow"
    else:
        formats, what = (*PICTURES, *MERMAID, *TEXT), "a flow"
    target = Target.of(file, format, formats, what)
    if style is None:
        style = next(
            style for formats, style in STYLE_OF_FORMATS.items() if target.format in formats
        )
    target.write(_drawing(conduit, style, target.format.name, paths))


def _drawing(conduit: Describable, style: str, format: str, paths: bool) -> str | bytes:
    """The drawing, as it is written to a file."""
    match style:
        case "text":
            return f"{conduit!r}\n"
        case "tree":
            return f"{drawn_tree(conduit, paths=paths)}\n"
    graph = FlowGraph.of(conduit, paths=paths)
    if style == "mermaid":
        text = f"{mermaid(graph)}\n"
        return f"```mermaid\n{text}```\n" if format == "md" else text
    dot = digraph(graph, DARK_COLOURS if style == "graph_dark" else LIGHT_COLOURS)
    return str(dot.source) if format == "dot" else rendered(dot, format)


def _show_flow(conduit: Describable, style: str | None, paths: bool) -> None:
    notebook = in_notebook()
    if style is None:
        picture = "graph" if has_dot() else "mermaid"
        style = picture if notebook else "tree"
    if FORMATS[style] is PICTURES and not notebook:
        raise UsageError(
            f"style={style!r} is a picture, and there is no notebook to show it; pass a file, such"
            f" as draw({style!r}, file='flow.svg'), or use draw('tree')"
        )
    if FORMATS[style] is TEXT or not notebook:
        print_text(_text(_drawing(conduit, style, "", paths)).rstrip("\n"))
        return
    mime = "text/vnd.mermaid" if style == "mermaid" else "image/svg+xml"
    drawing = _text(_drawing(conduit, style, "svg", paths))
    show_in_notebook({mime: drawing, "text/plain": repr(conduit)})


def _text(drawing: str | bytes) -> str:
    return drawing if isinstance(drawing, str) else drawing.decode()


def bundle_of(
    conduit: Describable,
    include: Collection[str] | None = None,
    exclude: Collection[str] | None = None,
) -> dict[str, str]:
    """What a notebook shows of a flow, by MIME type: the expression, and a picture of it.

    The picture is SVG if Graphviz is installed and the flow isn't huge, else Mermaid, within the
    limits of that. `include` and `exclude` are those of IPython. Never raises for a missing tool,
    or one that fails.
    """

    def wanted(mime: str) -> bool:
        return (not include or mime in include) and mime not in (exclude or ())

    bundle = {"text/plain": repr(conduit)} if wanted("text/plain") else {}
    graph = FlowGraph.of(conduit)
    if wanted("image/svg+xml") and len(graph.edges) <= MOST_EDGES_SHOWN and has_dot():
        with contextlib.suppress(UsageError):
            picture = rendered(digraph(graph, LIGHT_COLOURS), "svg").decode()
            return bundle | {"image/svg+xml": picture}
    if wanted("text/vnd.mermaid") and len(graph.edges) <= MERMAID_EDGES:
        text = mermaid(graph)
        if len(text) <= MERMAID_CHARACTERS:
            bundle["text/vnd.mermaid"] = text
    return bundle
