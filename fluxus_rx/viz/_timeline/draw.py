"""Drawing the timeline of a run: which style, and where it goes."""

from __future__ import annotations

import base64
import html
import os
from collections.abc import Iterable
from typing import Final

from ..._common.messages import check_choice, shown
from ..._common.notebook import in_notebook, show_in_notebook
from ..._errors import InvalidOptionError, UsageError
from ..._monitoring.calls import Timed
from .._output import File, Format, Target, print_text, takes_text
from .html import to_html
from .matplot import to_picture
from .model import Timeline
from .text import to_text
from .trace import to_trace

__all__ = ["TIMELINE_PICTURES", "draw_timeline", "timeline_target"]

_TEXT: Final = Format("txt", (".txt",))
_HTML: Final = Format("html", (".html", ".htm"))
_TRACE: Final = Format("json", (".json",))
TIMELINE_PICTURES: Final = (
    Format("png", (".png",), is_text=False),
    Format("svg", (".svg",)),
    Format("pdf", (".pdf",), is_text=False),
)

#: The formats that each style can be written in, the usual one first.
TIMELINE_STYLES: Final = {
    "text": (_TEXT,),
    "matplot": TIMELINE_PICTURES,
    "matplot_dark": TIMELINE_PICTURES,
    "html": (_HTML,),
    "trace": (_TRACE,),
}
_BY_FORMAT: Final = {"txt": "text", "html": "html", "json": "trace"}

#: High enough for the lanes of a few steps and some twenty outputs.
_FRAME = (
    '<iframe sandbox="allow-scripts" title="timeline of a run" srcdoc="{}"'
    ' style="width: 100%; height: 760px; border: 0"></iframe>'
)


def draw_timeline(result: Timed, style: str | None, file: File | None, format: str | None) -> None:
    """What `RunResult.draw_timeline` does."""
    if style is not None:
        check_choice("style", style, TIMELINE_STYLES)
    if file is None:
        if format is not None:
            raise InvalidOptionError(
                f"format={shown(format)}: expected file= as well, to draw the timeline into"
            )
        _show_timeline(result, style)
        return
    target = timeline_target(style, file, format)
    name = target.format.name
    target.write(
        _timeline_drawing(Timeline.of(result), style or _BY_FORMAT.get(name, "matplot"), name)
    )


def timeline_target(style: str | None, file: File, format: str | None) -> Target:
    """Where a timeline will be written; refuses what can't be, before there is one to draw."""
    formats, what = _choice(style, file, format)
    return Target.of(file, format, formats, what)


def _choice(style: str | None, file: File, format: str | None) -> tuple[tuple[Format, ...], str]:
    """The formats that are left, and the words for what is drawn."""
    if style is not None:
        return TIMELINE_STYLES[style], f"style={style!r}"
    if format is None and not isinstance(file, str | os.PathLike):
        return (_TEXT,) if takes_text(file) else TIMELINE_PICTURES, "a timeline"
    return (_TEXT, _HTML, _TRACE, *TIMELINE_PICTURES), "a timeline"


def _timeline_drawing(timeline: Timeline, style: str, format: str) -> str | bytes | Iterable[str]:
    if style == "text":
        return to_text(timeline) + "\n"
    if style == "trace":
        return to_trace(timeline)
    if style == "html":
        return to_html(timeline)
    return to_picture(timeline, format, dark=style == "matplot_dark")


def _show_timeline(result: Timed, style: str | None) -> None:
    """In a notebook, or as a text on stdout."""
    notebook = in_notebook()
    style = style or ("html" if notebook else "text")
    if style == "text":
        print_text(to_text(Timeline.of(result)))
    elif style == "trace":
        raise UsageError(
            "style='trace' is a file for Perfetto, speedscope and other viewers of traces; say"
            " which one, such as draw_timeline(file='run.json')"
        )
    elif not notebook:
        ending = TIMELINE_STYLES[style][0].endings[0]
        raise UsageError(
            f"style={style!r} is a picture, and there is no notebook to show it; pass a file, such"
            f" as draw_timeline({style!r}, file='timeline{ending}'), or use draw_timeline('text')"
        )
    else:
        timeline = Timeline.of(result)
        if style == "html":
            # Its own document, so that no style and no name leaks from it or into it.
            bundle = {"text/html": _FRAME.format(html.escape(to_html(timeline)))}
        else:
            picture = to_picture(timeline, "png", dark=style == "matplot_dark")
            bundle = {"image/png": base64.b64encode(picture).decode()}
        show_in_notebook({**bundle, "text/plain": timeline.summary.sentence})
