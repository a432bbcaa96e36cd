"""Diagrams that no run can draw, as SVG: marbles, and demand that travels up.

Each is drawn in a light and a dark theme; pictures.py puts them into pages.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from fluxus_rx.testing._marbles import Event, parse

__all__ = ["DARK", "LIGHT", "Theme", "demand_svg", "marble_svg"]


@dataclass(frozen=True)
class Theme:
    """The colours of a diagram; `fills` and `borders` are told apart by number."""

    text: str
    lines: str
    box: str
    accent: str
    failure: str
    fills: Sequence[str]
    borders: Sequence[str]


LIGHT = Theme(
    text="#1a1c20",
    lines="#59616e",
    box="#eef1f6",
    accent="#a4560d",
    failure="#b3261e",
    fills=("#dde9fc", "#d9f2df", "#fde8d0", "#f3e0f7", "#fbdfe3", "#d8f1f1"),
    borders=("#2f5fb3", "#2e7d46", "#a4560d", "#7b3f98", "#a8324a", "#1f7a7a"),
)
DARK = Theme(
    text="#eceef1",
    lines="#a6afbc",
    box="#23272f",
    accent="#f2b274",
    failure="#ff8a80",
    fills=("#1e2e4d", "#1d3a29", "#462f17", "#3a2145", "#471f28", "#143a3a"),
    borders=("#8ab4f8", "#7fd19b", "#f2b274", "#d2a0ea", "#f29aaa", "#7fd6d6"),
)

FONT = "Helvetica,Arial,sans-serif"
MONO = "ui-monospace,SFMono-Regular,Menlo,Consolas,monospace"

#: In pixels: a frame of a marble diagram, half a marble, the height of a row, of an operator.
FRAME, RADIUS, ROW, OPERATOR = 22, 13, 44, 34
#: How wide a character of a name is at most.
CHARACTER = 8.4


class _Canvas:
    """Collects the elements of an SVG, in one theme."""

    def __init__(self, theme: Theme) -> None:
        self.theme = theme
        self._elements: list[str] = []

    def add(self, tag: str, text: str | None = None, /, **attributes: object) -> None:
        """Add an element; underscores in the names of attributes stand for hyphens."""
        written = "".join(
            f' {name.replace("_", "-")}="{html.escape(str(value))}"'
            for name, value in attributes.items()
        )
        body = "/>" if text is None else f">{html.escape(text, quote=False)}</{tag}>"
        self._elements.append(f"<{tag}{written}{body}")

    def line(self, x1: float, y1: float, x2: float, y2: float, **attributes: object) -> None:
        """Add a line in the colour of lines, if no other is said."""
        style = {"stroke": self.theme.lines, "stroke_width": 1.6} | attributes
        self.add("line", x1=_px(x1), y1=_px(y1), x2=_px(x2), y2=_px(y2), **style)

    def text(self, x: float, y: float, text: str, **attributes: object) -> None:
        """Add a text whose middle is at `y`."""
        style = {"fill": self.theme.text, "font_size": 14} | attributes
        # Not dominant-baseline, which not all that draw SVG understand.
        self.add("text", text, x=_px(x), y=_px(y + 0.35 * float(str(style["font_size"]))), **style)

    def svg(self, width: float, height: float) -> str:
        """All of it, in the size that it needs."""
        size = (
            f'width="{_px(width)}" height="{_px(height)}" viewBox="0 0 {_px(width)} {_px(height)}"'
        )
        body = "\n".join(self._elements)
        opening = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="{FONT}">'
        return f"{opening}\n{body}\n</svg>\n"


def _px(value: float) -> str:
    return f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"


def marble_svg(rows: Sequence[tuple[str, str] | str], theme: Theme) -> str:
    """Marble diagrams, each a name and a diagram, with the operators in between, in one picture.

    The notation is that of `fluxus_rx.testing.marbles`; ValueError tells where a diagram is broken.
    Equal items have one colour in all rows.
    """
    parsed = [row if isinstance(row, str) else (row[0], *parse(row[1])) for row in rows]
    diagrams = [row for row in parsed if not isinstance(row, str)]
    colours: dict[str, int] = {}
    for _, events, _ in diagrams:
        for event in events:
            if event.kind == "next":
                colours.setdefault(str(event.value).lower(), len(colours) % len(theme.fills))
    longest = max((len(name) for name, _, _ in diagrams), default=0)
    left = longest * CHARACTER + 20 if longest else 12.0
    frames = max((length for _, _, length in diagrams), default=0)
    operators = [row for row in parsed if isinstance(row, str)]
    right = left + RADIUS + frames * FRAME + 26
    width = max(right, left + max((len(text) * CHARACTER for text in operators), default=0) + 44)
    canvas = _Canvas(theme)
    y = 6.0
    for row in parsed:
        if isinstance(row, str):
            _draw_operator(canvas, row, left, y, width - left - 8)
            y += OPERATOR + 8
        else:
            name, events, length = row
            y += _draw_row(canvas, name, events, _Axis(left, y + ROW / 2, length, right), colours)
    return canvas.svg(width, y + 4)


@dataclass(frozen=True)
class _Axis:
    """Where the line of a diagram is drawn."""

    left: float
    y: float
    length: float
    right: float

    def x(self, time: float) -> float:
        return self.left + RADIUS + time * FRAME


def _draw_operator(canvas: _Canvas, text: str, x: float, y: float, width: float) -> None:
    theme = canvas.theme
    canvas.add(
        "rect", x=_px(x), y=_px(y), width=_px(width), height=OPERATOR, rx=6,
        fill=theme.box, stroke=theme.lines, stroke_width=1.2,
    )  # fmt: skip
    middle = {"text_anchor": "middle", "font_family": MONO}
    canvas.text(x + width / 2, y + OPERATOR / 2, text, **middle)


def _draw_row(
    canvas: _Canvas, name: str, events: Sequence[Event], axis: _Axis, colours: dict[str, int]
) -> float:
    """One diagram; returns the height that it needs, more where items come together."""
    theme, y = canvas.theme, axis.y
    canvas.text(axis.left - 12, y, name, text_anchor="end")
    over = [event for event in events if event.kind != "next"]
    end = axis.x(over[-1].time) if over else axis.right - 12
    canvas.line(axis.left, y, end, y)
    if not over:
        canvas.add("path", d=f"M{_px(end - 2)} {y - 5}l9 5l-9 5z", fill=theme.lines)
    tallest = 1
    for time, together in groupby(events, key=lambda event: event.time):
        group = list(together)
        items = [event for event in group if event.kind == "next"]
        tallest = max(tallest, len(items))
        for number, event in enumerate(items):
            text = str(event.value)
            _draw_marble(canvas, text, axis.x(time), y + number * 2 * RADIUS, colours[text.lower()])
        for event in group:
            _draw_end(canvas, event.kind, axis.x(time) + (RADIUS + 6 if items else 0), y)
    return ROW + (tallest - 1) * 2 * RADIUS


def _draw_marble(canvas: _Canvas, text: str, x: float, y: float, colour: int) -> None:
    half = max(RADIUS, len(text) * CHARACTER / 2 + 6) if len(text) > 2 else RADIUS
    style = {"fill": canvas.theme.fills[colour], "stroke": canvas.theme.borders[colour]}
    canvas.add(
        "rect", x=_px(x - half), y=_px(y - RADIUS), width=_px(2 * half), height=2 * RADIUS,
        rx=RADIUS, stroke_width=1.6, **style,
    )  # fmt: skip
    canvas.text(x, y, text, text_anchor="middle", font_size=13)


def _draw_end(canvas: _Canvas, kind: str, x: float, y: float) -> None:
    if kind == "|":
        canvas.line(x, y - 13, x, y + 13, stroke_width=2.4)
    elif kind == "#":
        style = {"stroke": canvas.theme.failure, "stroke_width": 2.4}
        canvas.line(x - 8, y - 8, x + 8, y + 8, **style)
        canvas.line(x - 8, y + 8, x + 8, y - 8, **style)


#: In pixels: a part of a flow in a picture of demand, the space between two, a slot in it.
PART_HEIGHT, GAP, SLOT = 40, 46, 12
#: More slots than these are a number.
MOST_SLOTS = 12


def demand_svg(parts: Sequence[tuple[str, str]], theme: Theme) -> str:
    """The parts of a flow from the source down, each with its room; items go down, demand up.

    A part without room (an empty text) passes on the demand of the next one that has some.
    """
    names = max(len(name) for name, _ in parts) * CHARACTER
    rooms = max(_room_width(room) for _, room in parts)
    box = max(160.0, names + rooms + 44)
    down, up = 118.0 + box * 0.3, 118.0 + box * 0.7
    canvas = _Canvas(theme)
    for number, (name, room) in enumerate(parts):
        y = 8.0 + number * (PART_HEIGHT + GAP)
        _draw_part(canvas, number, name, room, (118.0, y, box))
        if number + 1 < len(parts):
            top, bottom = y + PART_HEIGHT, y + PART_HEIGHT + GAP
            demand = next((room for _, room in parts[number + 1 :] if room), "")
            _draw_arrow(canvas, down, top + 4, bottom - 5, theme.lines)
            _draw_arrow(canvas, up, bottom - 4, top + 5, theme.accent, stroke_dasharray="5 4")
            middle = (top + bottom) / 2
            canvas.text(down - 14, middle, "items", text_anchor="end", font_size=13)
            asked = f"demand: {demand}" if demand else "demand"
            canvas.text(up + 14, middle, asked, fill=theme.accent, font_size=13)
    height = 16.0 + len(parts) * PART_HEIGHT + (len(parts) - 1) * GAP
    return canvas.svg(118 + box + 118, height)


def _slots(room: str) -> int:
    """How many slots are drawn for a room: none where it isn't a small number."""
    number = room.partition(" ")[0]
    return int(number) if number.isdecimal() and int(number) <= MOST_SLOTS else 0


def _room_width(room: str) -> float:
    return _slots(room) * (SLOT + 4) or len(room) * CHARACTER


def _draw_part(
    canvas: _Canvas, number: int, name: str, room: str, place: tuple[float, float, float]
) -> None:
    x, y, width = place
    theme, colour = canvas.theme, 1 if number == 0 else 0
    canvas.add(
        "rect", x=_px(x), y=_px(y), width=_px(width), height=PART_HEIGHT, rx=6,
        fill=theme.fills[colour], stroke=theme.borders[colour], stroke_width=1.6,
    )  # fmt: skip
    middle = y + PART_HEIGHT / 2
    if not room:
        canvas.text(x + width / 2, middle, name, text_anchor="middle", font_weight="bold")
        return
    canvas.text(x + 14, middle, name, font_weight="bold")
    for slot in _slot_edges(x + width - 10, _slots(room)):
        canvas.add(
            "rect", x=_px(slot), y=_px(middle - SLOT / 2), width=SLOT, height=SLOT, rx=3,
            fill="none", stroke=theme.accent, stroke_width=1.4,
        )  # fmt: skip
    if not _slots(room):
        canvas.text(x + width - 14, middle, room, text_anchor="end", fill=theme.accent)


def _slot_edges(right: float, slots: int) -> Iterator[float]:
    for number in range(slots):
        yield right - (slots - number) * (SLOT + 4)


def _draw_arrow(
    canvas: _Canvas, x: float, begin: float, end: float, colour: str, **style: object
) -> None:
    way = 1 if end > begin else -1
    canvas.line(x, begin, x, end - 6 * way, stroke=colour, stroke_width=2, **style)
    head = f"M{_px(x - 5)} {_px(end - 8 * way)}h10l-5 {8 * way}z"
    canvas.add("path", d=head, fill=colour)
