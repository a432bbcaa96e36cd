"""A timeline as a picture made with matplotlib: lanes of calls above, bars of outputs below."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from ..._common.messages import install_hint
from ..._common.text import counted, printable, shortened
from .axis import DARK, LIGHT, Theme, step_colours, ticks
from .model import WAITING, Lane, RowGroup, Timeline, levels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties

__all__ = ["Fonts", "require_matplotlib", "to_figure", "to_picture"]

#: matplotlib brings the first one with it; the others are those that systems have for scripts that
#: it lacks.
_FONT_FAMILIES: Final = (
    "DejaVu Sans",
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Source Han Sans",
    "WenQuanYi Micro Hei",
    "Hiragino Sans",
    "PingFang SC",
    "Apple SD Gothic Neo",
    "Arial Unicode MS",
    "Yu Gothic",
    "Microsoft YaHei",
    "Malgun Gothic",
    "Segoe UI Symbol",
    "Noto Sans Devanagari",
    "Noto Sans Thai",
    "Nirmala UI",
    "Noto Emoji",
)
_MISSING_CHARACTER: Final = "□"


class Fonts:
    """The fonts of one picture; matplotlib goes through them for each character."""

    def __init__(self) -> None:
        from matplotlib.font_manager import fontManager

        files = {font.name: font.fname for font in reversed(fontManager.ttflist)}
        self._files = {name: files[name] for name in _FONT_FAMILIES if name in files}
        self._known: set[str] = set()

    def properties(self, size: float) -> FontProperties:
        """The fonts, for the argument `fontproperties`."""
        from matplotlib.font_manager import FontProperties

        return FontProperties(family=[*self._files], size=size)

    def drawable(self, text: str) -> str:
        """The text with a box for each character that no font has.

        matplotlib would draw such a box too, but warn of each.
        """
        if not text.isascii() and not self._known:
            self._known = set(map(chr, self._characters()))
        return "".join(
            one if one.isascii() or one in self._known else _MISSING_CHARACTER for one in text
        )

    def _characters(self) -> set[int]:
        from matplotlib.font_manager import get_font

        return {code for file in self._files.values() for code in get_font(file).get_charmap()}


#: Steps with a lane, and rows of outputs; where there are more, a row stands for several.
MOST_PICTURE_LANES: Final = 60
MOST_PICTURE_ROWS: Final = 200

_BINS: Final = 600
_NAME_WIDTH: Final = 24
_LABELLED_ROWS: Final = 20
#: Without the date, so that the same run writes the same file.
_METADATA: Final = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}


def to_picture(timeline: Timeline, format: str, *, dark: bool = False) -> bytes:
    """The picture in a format that matplotlib knows, such as "png", "svg" or "pdf"."""
    figure = to_figure(timeline, dark=dark)
    picture = io.BytesIO()
    metadata: Mapping[str, Any] = _METADATA.get(format, {})
    figure.savefig(picture, format=format, dpi=150, metadata=metadata)
    return picture.getvalue()


def require_matplotlib() -> None:
    """Raise ImportError without matplotlib."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise ImportError(install_hint("this style of a timeline", "matplotlib")) from error


def to_figure(timeline: Timeline, *, dark: bool = False) -> Figure:
    """The picture as a figure of its own: pyplot, which holds state for all threads, has no part
    in it. Raises ImportError without matplotlib.

    Above, a lane for each step, as high as many of its calls were in flight, in relation to the
    most at once; crosses are failures, triangles calls after one. Below, a row for each output, or
    for several: then each time has the colour of what most of them did, the stronger the more.
    """
    require_matplotlib()
    from matplotlib.figure import Figure

    lanes, groups = timeline.foremost(MOST_PICTURE_LANES), timeline.groups(MOST_PICTURE_ROWS)
    heights = [0.6 + min(0.36 * len(lanes), 9.0)]
    if groups:
        heights.append(0.6 + min(max(0.16 * len(groups), 0.5), 5.0))
    theme = DARK if dark else LIGHT
    figure = Figure(figsize=(11, sum(heights) + 1), facecolor=theme.ground, layout="constrained")
    above, *below = figure.subplots(
        len(heights), 1, sharex=True, height_ratios=heights, squeeze=False
    )[:, 0]
    picture = _Picture(timeline, theme, Fonts())
    picture.lanes(above, lanes)
    for axes in below:
        picture.rows(axes, groups)
    for axes in (above, *below):
        picture.dress(axes)
    figure.axes[-1].set_xlabel("time since the run began", **picture.text(9))
    picture.legend(figure, lanes, groups)
    return figure


class _Picture:
    """Draws one timeline. All texts are drawn literally, in fonts that have their characters."""

    def __init__(self, timeline: Timeline, theme: Theme, fonts: Fonts) -> None:
        self._timeline = timeline
        self._theme = theme
        self._fonts = fonts
        self._colours = step_colours(len(timeline.steps), theme)
        self._end = timeline.elapsed or 1.0

    def text(self, size: float, colour: str | None = None) -> dict[str, Any]:
        """How a text is drawn; dollar signs in it aren't formulas."""
        colour = colour or self._theme.ink
        font = self._fonts.properties(size)
        return {"fontproperties": font, "color": colour, "parse_math": False, "usetex": False}

    def lanes(self, axes: Axes, lanes: Sequence[Lane]) -> None:
        """The calls of each step."""
        from matplotlib.collections import PolyCollection

        bases = [*range(len(lanes) - 1, -1, -1)]
        names = [self._name(self._timeline.steps[lane.step]) for lane in lanes]
        colours = [self._colours[lane.step] for lane in lanes]
        # One collection, and not a patch for each: a tenth of the time.
        shapes = [self._shape(lane, base) for base, lane in zip(bases, lanes, strict=True)]
        areas = PolyCollection(shapes, facecolors=colours, linewidths=0)
        axes.add_collection(areas, autolim=False)
        for base, lane in zip(bases, lanes, strict=True):
            self._marks(axes, lane, base + 0.9)
            said = f"{counted(lane.summary.calls, 'call')}, up to {lane.summary.peak:,} at once"
            where = axes.get_yaxis_transform()
            axes.text(1.01, base + 0.4, said, transform=where, va="center", **self.text(7.5))
        middles = [base + 0.4 for base in bases]
        axes.set_yticks(middles, names, minor=False, **self.text(8.5))
        axes.set_ylim(-0.15, max(len(lanes), 1) + 0.1)
        said = "\n".join(self._timeline.said())
        hidden = len(self._timeline.lanes) - len(lanes)
        if hidden:
            shown = f"The {counted(len(lanes), 'step that was', 'steps that were')} longest at work"
            said = f"{said}\n{shown}; {hidden:,} more are not shown."
        if untimed := self._timeline.untimed():
            said = f"{said}\n{untimed}"
        axes.set_title(said, loc="left", pad=26, **self.text(10))

    def _shape(self, lane: Lane, base: float) -> list[tuple[float, float]]:
        """The outline of a lane, as high as calls were at work."""
        corners = [(0.0, base)]
        for index, level in enumerate(levels(lane.work(), _BINS, self._end)):
            top = base + 0.78 * level / lane.summary.peak
            corners += [(index * self._end / _BINS, top), ((index + 1) * self._end / _BINS, top)]
        return [*corners, (self._end, base)]

    def _name(self, text: str) -> str:
        return self._fonts.drawable(shortened(printable(text), _NAME_WIDTH))

    def _marks(self, axes: Axes, lane: Lane, height: float) -> None:
        failed = [call.end for call in lane.calls if call.error is not None]
        again = [call.start for call in lane.calls if call.attempt > 1]
        red, ink = self._theme.failure, self._theme.ink
        for times, mark, colour, size, order in (
            (again, ">", ink, 9, 3),
            (failed, "x", red, 20, 4),
        ):
            if times:
                heights = [height] * len(times)
                axes.scatter(times, heights, s=size, marker=mark, c=colour, zorder=order)

    def rows(self, axes: Axes, groups: Sequence[RowGroup]) -> None:
        """The work on each output, and its waits."""
        most = max((len(group.rows) for group in groups), default=0)
        (self._bars if most <= 1 else self._image)(axes, groups)
        every = -(-len(groups) // _LABELLED_ROWS) or 1
        labels = [group.label(self._timeline.paths) for group in groups[::every]]
        axes.set_yticks(range(0, len(groups), every), labels, minor=False, **self.text(8))
        axes.set_ylim(max(len(groups), 1) - 0.4, -0.6)
        several = f", up to {most:,} in a row" if most > 1 else ""
        axes.set_ylabel(f"output{several}", **self.text(9))

    def _bars(self, axes: Axes, groups: Sequence[RowGroup]) -> None:
        from matplotlib.collections import PolyCollection
        from matplotlib.patches import PathPatch
        from matplotlib.path import Path

        spans = [
            (self._colours[step], _box(height, start, end))
            for height, group in enumerate(groups)
            for step, start, end in group.rows[0].spans
        ]
        waits = [
            _box(height, *wait)
            for height, group in enumerate(groups)
            for wait in group.rows[0].waits()
        ]
        theme = self._theme
        if waits:
            # One patch, as the hatching of each would take ten times as long.
            corners = [corner for box in waits for corner in (*box, box[0])]
            codes = [Path.MOVETO, *[Path.LINETO] * 3, Path.CLOSEPOLY] * len(waits)
            patch = PathPatch(Path(corners, codes), hatch="//////", linewidth=0, zorder=1)
            patch.set(facecolor=theme.faint, edgecolor=theme.waiting)
            axes.add_artist(patch)
        colours = [colour for colour, _ in spans]
        # With an edge, so that the shortest work is seen.
        works = PolyCollection([box for _, box in spans], facecolors=colours, edgecolors=colours)
        works.set_linewidth(0.5)
        axes.add_collection(works, autolim=False)

    def _image(self, axes: Axes, groups: Sequence[RowGroup]) -> None:
        import numpy as np
        from matplotlib.colors import to_rgb

        colours = {state: to_rgb(colour) for state, colour in enumerate(self._colours)}
        colours[WAITING] = to_rgb(self._theme.waiting)
        nothing = (*to_rgb(self._theme.ground), 0.0)
        image = [
            [
                (*colours[cell.state], 0.7 + 0.3 * min(cell.level / len(group.rows), 1.0))
                if cell.level
                else nothing
                for cell in group.cells(_BINS, self._end)
            ]
            for group in groups
        ]
        extent = (0.0, self._end, len(groups) - 0.5, -0.5)
        pixels = np.array(image)
        axes.imshow(pixels, extent=extent, aspect="auto", interpolation="nearest", zorder=1)

    def dress(self, axes: Axes) -> None:
        """The time axis and the frame."""
        places = [(place * self._end, text) for place, text in ticks(self._end, 10)]
        axes.set_xlim(0, self._end)
        axes.set_xticks([at for at, _ in places], [text for _, text in places], **self.text(8))
        axes.set_facecolor(self._theme.ground)
        axes.grid(axis="x", color=self._theme.faint, linewidth=0.6, zorder=0)
        axes.set_axisbelow(True)
        axes.tick_params(length=0)
        for side, spine in axes.spines.items():
            spine.set_visible(side in ("left", "bottom"))
            spine.set_color(self._theme.faint)

    def legend(self, figure: Figure, lanes: Sequence[Lane], groups: Sequence[RowGroup]) -> None:
        """What has no name at its side."""
        from matplotlib.lines import Line2D
        from matplotlib.patches import Patch

        theme = self._theme
        handles: list[Any] = []
        if groups:
            hatch = "//////" if all(len(group.rows) == 1 for group in groups) else None
            face = theme.faint if hatch else theme.waiting
            patch = Patch(facecolor=face, edgecolor=theme.waiting, hatch=hatch, linewidth=0)
            patch.set_label("waits for the next step")
            handles.append(patch)
        for shown, marker, colour, label in (
            (any(lane.summary.failures for lane in lanes), "x", theme.failure, "a call failed"),
            (
                any(lane.summary.retries for lane in lanes),
                ">",
                theme.ink,
                "called again after that",
            ),
        ):
            if shown:
                handles.append(Line2D([], [], ls="", marker=marker, color=colour, label=label))
        if handles:
            legend = figure.axes[0].legend(
                handles=handles, ncols=3, loc="lower left", bbox_to_anchor=(0, 1), frameon=False,
                prop=self._fonts.properties(8), labelcolor=theme.ink, borderaxespad=0.2,
            )  # fmt: skip
            legend.set_in_layout(False)


def _box(height: float, start: float, end: float) -> list[tuple[float, float]]:
    low, high = height - 0.36, height + 0.36
    return [(start, low), (end, low), (end, high), (start, high)]
