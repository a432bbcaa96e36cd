"""What draws, and what styles have in common."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, KeysView
from typing import Any, ClassVar, Generic, TextIO, TypeVar

from ..._common.messages import shown
from ..._errors import InvalidFlowError, encodable

__all__ = ["Drawer", "FlowStyle", "TextStyle", "TimelineStyle", "is_dark"]

_Style = TypeVar("_Style", bound="DrawingStyle")


def is_dark(colors: Any) -> bool:
    """Whether these are dark colours: `"dark"`, or a scheme whose background is dark.

    >>> is_dark("dark"), is_dark(None)
    (True, False)
    """
    background = getattr(colors, "background", None)
    return colors == "dark" or (background is not None and sum(background[:3]) < 1.5)


class DrawingStyle(ABC):
    """A way to draw: `start_drawing`, then what it draws, then `finalize_drawing`."""

    @classmethod
    def get_named_styles(cls) -> dict[str, Callable[..., Any]]:
        """The style by its name; a style in colours has a dark form, too."""
        return {cls.get_default_style_name(): cls}

    @classmethod
    @abstractmethod
    def get_default_style_name(cls) -> str:
        """The name that a drawer knows it by."""

    def start_drawing(self, *, title: str, **kwargs: Any) -> None:  # noqa: B027 - not all need it
        """Called before a drawing with this title."""

    def finalize_drawing(self, **kwargs: Any) -> None:  # noqa: B027 - not all need it
        """Called after a drawing."""


class FlowStyle(DrawingStyle):
    """A style for flows: a subclass implements `render_flow`, and names the style.

    >>> class Names(FlowStyle):
    ...     @classmethod
    ...     def get_default_style_name(cls):
    ...         return "names"
    ...     def render_flow(self, flow):
    ...         print([conduit.name for conduit in flow.chained_conduits])
    >>> from fluxus_rx.compat.functional import step
    >>> from fluxus_rx.compat.viz import FlowDrawer
    >>> flow = step("src", {"x": 1}) >> step("add", lambda x: {"y": x + 1})
    >>> FlowDrawer(Names()).draw(flow, title="Flow")
    ['src', 'add']
    """

    @abstractmethod
    def render_flow(self, flow: Any) -> None:
        """Draw a flow."""


class TimelineStyle(DrawingStyle):
    """A style for timelines: a subclass implements `render_timeline`, and names the style."""

    @abstractmethod
    def render_timeline(
        self, output_index: int, timeline: Iterable[tuple[int, str, float, float]]
    ) -> None:
        """Draw the steps of an output: for each the index of the path, the name, start and end."""


class TextStyle(DrawingStyle):
    """Writes text to `out`, or to the standard output, under a title of this width."""

    def __init__(self, out: TextIO | None = None, width: int = 80) -> None:
        self._out = out
        self._width = width

    @property
    def out(self) -> TextIO:
        """Where it writes to."""
        return sys.stdout if self._out is None else self._out

    @classmethod
    def get_default_style_name(cls) -> str:
        """`"text"`."""
        return "text"

    def start_drawing(self, *, title: str, **kwargs: Any) -> None:
        """Write the title."""
        self._flow_write(f"{f' {title} ':=^{self._width}}\n\n")

    def finalize_drawing(self, **kwargs: Any) -> None:
        """Write an empty line."""
        self._flow_write("\n")

    def _flow_write(self, text: str) -> None:
        """Write a text, in the characters that there are."""
        self.out.write(encodable(text, self.out))


class Drawer(ABC, Generic[_Style]):
    """Draws in a style, or in one that is named.

    Raises KeyError for a name that no style has, TypeError for anything but a style.
    """

    _flow_styles: ClassVar[tuple[Any, ...]] = ()

    def __init__(self, style: _Style | str | None = None) -> None:
        if style is None:
            style = self.get_default_style()
        elif isinstance(style, str):
            style = self.get_style(style)
        elif not isinstance(style, DrawingStyle):
            raise InvalidFlowError(
                f"{type(self).__name__}({shown(style)}): expected a style, or the name of one"
            )
        self.style: _Style = style

    @classmethod
    def get_style_classes(cls) -> Iterable[type[_Style]]:
        """The classes whose styles have names here."""
        return [*cls._flow_styles]

    @classmethod
    def get_named_styles(cls) -> KeysView[str]:
        """The names of styles."""
        return cls._flow_named().keys()

    @classmethod
    def get_style(cls, name: str) -> _Style:
        """The style of that name; raises KeyError if there is none."""
        style: _Style = cls._flow_named()[name]()
        return style

    @classmethod
    @abstractmethod
    def get_default_style(cls) -> _Style:
        """The style that is used if none is given."""

    @classmethod
    def _flow_named(cls) -> dict[str, Callable[..., Any]]:
        return {
            name: make
            for style in cls.get_style_classes()
            for name, make in style.get_named_styles().items()
        }

    def draw(self, data: Any, *, title: str) -> None:
        """Draw it under this title."""
        more = self.get_style_kwargs(data)
        self.style.start_drawing(title=title, **more)
        self._draw(data)
        self.style.finalize_drawing(**more)

    def get_style_kwargs(self, data: Any) -> dict[str, Any]:
        """What the style is told at the beginning, and at the end; nothing by default."""
        return {}

    @abstractmethod
    def _draw(self, data: Any) -> None:
        """Draw it between the beginning and the end."""


# Users see what they import, not where it is written.
for _public in (FlowStyle, TimelineStyle):
    _public.__module__ = "fluxus_rx.compat.viz.base"
