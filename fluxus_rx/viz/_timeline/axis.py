"""Round times along an axis, and the colours of steps: what all pictures of a timeline share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

__all__ = ["DARK", "LIGHT", "Theme", "step_colours", "ticks"]

_UNITS: Final = ((36_000.0, 3600.0, "h"), (600.0, 60.0, "min"), (1.0, 1.0, "s"), (1e-3, 1e-3, "ms"))


def ticks(end: float, most: int) -> Iterator[tuple[float, str]]:
    """Round times from 0 to `end`, about so many at most: the place from 0 to 1, and the text.

    They are in one unit, and 1, 2 or 5 times a power of ten of it apart.

    >>> [*ticks(2.5, 4)]
    [(0.0, '0 s'), (0.4, '1 s'), (0.8, '2 s')]
    """
    if not end:
        yield 0.0, "0 s"
        return
    factor, unit = next(
        ((factor, unit) for least, factor, unit in _UNITS if end >= least), (1e-6, "µs")
    )
    span = end / factor
    gap = 10.0**-6
    while span / gap > max(most, 1):
        gap *= 10
    # The gap was the first power of ten that is wide enough; it may be more than is needed.
    gap = next(narrow for narrow in (gap / 5, gap / 2, gap) if span / narrow <= max(most, 1))
    for index in range(int(span / gap * (1 + 1e-9)) + 1):
        yield index * gap / span, f"{round(index * gap, 9):g} {unit}"


class Theme(NamedTuple):
    """The colours of a picture. Those of steps are Okabe and Ito's, which the colour-blind can tell
    apart, shifted to stand out from the ground. `faint` is for grids, `line` for frames."""

    ground: str
    ink: str
    muted: str
    line: str
    faint: str
    waiting: str
    failure: str
    steps: Sequence[str]


LIGHT: Final = Theme(
    ground="#ffffff",
    ink="#1f2328",
    muted="#59636e",
    line="#9aa4af",
    faint="#dde2e8",
    waiting="#b4bcc6",
    failure="#b3002d",
    steps=("#0072b2", "#e08e00", "#009e73", "#b85c92", "#3aa0dc", "#c44e00", "#8a7f00"),
)
DARK: Final = Theme(
    ground="#14181d",
    ink="#e6edf3",
    muted="#a0abb7",
    line="#59636e",
    faint="#2d343d",
    waiting="#6a7078",
    failure="#ff7b8a",
    steps=("#4aa8e8", "#f2ac30", "#2fc496", "#e08fbf", "#8fd0f8", "#ff8040", "#e8dd55"),
)


def step_colours(count: int, theme: Theme) -> list[str]:
    """A colour for each of so many steps; when all are used, they come again in weaker shades."""
    colours = []
    for index in range(count):
        again, place = divmod(index, len(theme.steps))
        colours.append(_mixed(theme.steps[place], theme.ground, (0.0, 0.4, 0.2)[again % 3]))
    return colours


def _mixed(colour: str, other: str, part: float) -> str:
    pairs = [(int(colour[at : at + 2], 16), int(other[at : at + 2], 16)) for at in (1, 3, 5)]
    return "#" + "".join(f"{round(one + (two - one) * part):02x}" for one, two in pairs)
