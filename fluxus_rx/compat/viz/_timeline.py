"""Timelines of results: what ran when, output by output."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from ._drawer import Drawer, TextStyle, TimelineStyle, is_dark

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["TimelineDrawer", "TimelineMatplotStyle", "TimelineTextStyle"]

#: the index of the path, the step, its start and its end
Bar = tuple[int, str, float, float]

_LIGHT = ("#ffffff", "#1a1c20", ("#2f5fb3", "#8ab4f8"))
_DARK = ("#15171c", "#eceef1", ("#8ab4f8", "#2f5fb3"))


class TimelineTextStyle(TextStyle, TimelineStyle):
    """A table with a row for each step of each output."""

    TABLE_HEADER: ClassVar[Sequence[str]] = ["Output", "Path", "Step", "Start", "End"]
    COLUMN_FORMATS: ClassVar[Sequence[str]] = ["d", "d", "s", "g", "g"]
    COLUMN_ALIGNMENT: ClassVar[Sequence[str]] = [">", ">", "<", ">", ">"]

    def start_drawing(self, *, title: str, **kwargs: Any) -> None:
        """Write the title."""
        super().start_drawing(title=title, **kwargs)
        self._rows: list[tuple[int, int, str, float, float]] = []

    def render_timeline(self, output_index: int, timeline: Iterable[Bar]) -> None:
        """Keep the rows of an output."""
        self._rows += ((output_index, *bar) for bar in timeline)

    def finalize_drawing(self, **kwargs: Any) -> None:
        """Write the table."""
        cells = [
            [f"{cell:{form}}" for cell, form in zip(row, self.COLUMN_FORMATS, strict=True)]
            for row in self._rows
        ]
        widths = [max(map(len, column)) for column in zip(self.TABLE_HEADER, *cells, strict=True)]
        head = [name.ljust(width) for name, width in zip(self.TABLE_HEADER, widths, strict=True)]
        lines = [head, ["=" * width for width in widths]]
        for row in cells:
            sides = zip(row, self.COLUMN_ALIGNMENT, widths, strict=True)
            lines.append([f"{cell:{side}{width}}" for cell, side, width in sides])
        self._flow_write("".join("  ".join(line) + "\n" for line in lines))
        super().finalize_drawing(**kwargs)


class TimelineMatplotStyle(TimelineStyle):
    """Bars on the axes `ax` of matplotlib, or on those of pyplot. `colors` may be "dark", or a
    scheme of gamma-pytools, which tells whether it is.

    Raises ImportError without matplotlib.
    """

    def __init__(
        self,
        *,
        ax: Axes | None = None,
        colors: Any = None,
        font_family: str | Iterable[str] | None = None,
    ) -> None:
        self._ax = ax
        self.colors = colors
        family = [font_family] if isinstance(font_family, str) else font_family
        self._font: dict[str, Any] = {} if family is None else {"fontfamily": [*family]}

    @classmethod
    def get_default_style_name(cls) -> str:
        """`"matplot"`."""
        return "matplot"

    @classmethod
    def get_named_styles(cls) -> dict[str, Callable[..., Any]]:
        """Light, and dark."""
        name = cls.get_default_style_name()
        return {name: cls, f"{name}_dark": lambda: cls(colors="dark")}

    @property
    def ax(self) -> Axes:
        """The axes that it draws on."""
        if self._ax is None:
            from matplotlib import pyplot

            self._ax = pyplot.gca()
        return self._ax

    def start_drawing(self, *, title: str, **kwargs: Any) -> None:
        """Set the title, and the ground."""
        ground, text, _ = self._theme
        self.ax.set_title(title, color=text, **self._font)
        self.ax.set_facecolor(ground)
        self._last = 0

    @property
    def _theme(self) -> tuple[str, str, tuple[str, str]]:
        return _DARK if is_dark(self.colors) else _LIGHT

    def render_timeline(self, output_index: int, timeline: Iterable[Bar]) -> None:
        """Draw a bar for each step of an output, with its name."""
        ground, _, fills = self._theme
        self._last = max(self._last, output_index)
        for number, (_, step, start, end) in enumerate(timeline):
            fill = fills[number % len(fills)]
            bar = self.ax.barh(
                -output_index, end - start, left=start, height=0.8, color=fill, edgecolor=ground
            )
            self.ax.bar_label(bar, [step], label_type="center", clip_on=True, fontsize=7)

    def finalize_drawing(self, **kwargs: Any) -> None:
        """Name the axes."""
        self.ax.set_xlabel("Seconds", **self._font)
        self.ax.set_ylabel("Output", **self._font)
        rows = range(self._last + 1)
        self.ax.set_yticks([-row for row in rows], [*map(str, rows)])


class TimelineDrawer(Drawer[TimelineStyle]):
    """Draws timelines of results, in the styles "text", "matplot" and "matplot_dark".

    >>> sorted(TimelineDrawer.get_named_styles())
    ['matplot', 'matplot_dark', 'text']
    """

    _flow_styles = (TimelineTextStyle, TimelineMatplotStyle)

    @classmethod
    def get_default_style(cls) -> TimelineStyle:
        """A table."""
        return TimelineTextStyle()

    def _draw(self, data: Any) -> None:
        number = 0
        for path, outputs in enumerate(data.get_outputs_per_path()):
            for output in outputs:
                bars = [
                    (path, step, attributes["[start]"], attributes["[end]"])
                    for step, attributes in output.items()
                    if "[start]" in attributes and "[end]" in attributes
                ]
                self.style.render_timeline(number, bars)
                number += 1


# Users see what they import, not where it is written.
for _public in (TimelineDrawer, TimelineMatplotStyle, TimelineTextStyle):
    _public.__module__ = "fluxus_rx.compat.viz"
