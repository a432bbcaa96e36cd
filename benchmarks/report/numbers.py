"""How numbers are written for readers, everywhere in the same way."""

from __future__ import annotations

import math

from ..measuring.statistics import Interval

__all__ = ["bytes_text", "cost_text", "interval_text", "inverse", "range_text", "times_text"]

#: Beyond, digits are nobody's question.
_HUGE = 1e9


def cost_text(cost: float) -> str:
    """A cost: three digits at least, all those before the point; a count as it is."""
    if not math.isfinite(cost):
        return "∞"
    if cost >= _HUGE:
        return f"{cost:.3g}"
    if cost == int(cost):
        return f"{cost:,.0f}"
    return f"{cost:,.{max(0, 2 - _exponent(cost))}f}"


def times_text(value: float) -> str:
    """A ratio, such as 0.024, 0.4, 1, 1.31 or 12."""
    if not math.isfinite(value):
        return "∞"
    if value >= _HUGE:
        return f"{value:.2g}"
    if value >= 10 or value < 1e-9:
        return f"{value:,.0f}"
    text = f"{value:.{2 if value >= 0.1 else 1 - _exponent(value)}f}"
    return text.rstrip("0").rstrip(".")


def interval_text(interval: Interval, x: str = "") -> str:
    """A ratio with its interval, `1.31 (1.25–1.38)`, or `1.31x (1.25–1.38)` if that is asked for;
    without an interval where nothing varies."""
    middle = f"{times_text(interval.middle)}{x}"
    if interval.high <= interval.low * (1 + 1e-9):
        return middle
    return f"{middle} ({range_text(interval)})"


def range_text(interval: Interval) -> str:
    """The ends of an interval: `1.25–1.38`."""
    return f"{times_text(interval.low)}–{times_text(interval.high)}"


def inverse(interval: Interval) -> Interval:
    """The interval of the ratio the other way round."""
    middle, low, high = (1 / end if end else math.inf for end in interval)
    return Interval(middle, high, low)


def bytes_text(size: float) -> str:
    """A size of memory."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= factor:
            return f"{float(f'{size / factor:.3g}'):g} {unit}"
    return f"{size:.0f} B"


def _exponent(value: float) -> int:
    return math.floor(math.log10(abs(value)))
