"""What costs of several rounds say: a ratio and how sure it is, a verdict, a change.

Whatever disturbs a machine multiplies a cost, so all is done on logarithms: the ratio of A to B is
one over that of B to A, and so are the ends of its interval.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

__all__ = ["Costs", "Interval", "Shift", "Verdict", "change", "ratio", "spread", "verdict"]

Verdict = Literal["met", "not met", "can't tell"]
Word = Literal["slower", "faster", "within noise"]

#: How sure an interval is.
_SURE = 0.95
#: By what the distances from the middle of so few rounds to their ends are multiplied: even their
#: whole range holds a median in 50 to 94 % of all cases only. Found for noise that is normal.
_STRETCH = {2: 12.4, 3: 4.25, 4: 1.67, 5: 1.11}


class Interval(NamedTuple):
    """A number, and between what it is with 95 % certainty."""

    middle: float
    low: float
    high: float


class Costs(NamedTuple):
    """The costs of two rows, round by round."""

    ours: Sequence[float]
    theirs: Sequence[float]


class Shift(NamedTuple):
    """By what a ratio was multiplied between two runs, and what is to be made of it."""

    factor: Interval
    word: Word


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Interval:
    """The median of the ratios within a round, with its interval.

    A slow spell falls on both sides of a ratio within a round. A bootstrap of a median can only
    return rounds that there are, and with 7 of them its ends cover far less, or far more, than it
    says. The interval lies between such rounds, where it covers 95 % (Hettmansperger and Sheather
    1986), and beyond all rounds where there are fewer than six. Of one round nothing is known.
    Raises ValueError without any.
    """
    return _interval(tuple(_logarithms(Costs(ours, theirs))))


def spread(costs: Sequence[float]) -> float:
    """Half the distance between the quartiles, as a share of the median."""
    if len(costs) < 3:
        return 0.0
    low, middle, high = statistics.quantiles(costs, n=4, method="inclusive")
    return (high - low) / 2 / middle if middle else 0.0


def verdict(interval: Interval, at_most: float) -> Verdict:
    """Whether a ratio is at most so large; it can't be told where that lies in the interval.

    What is always the same is met at the limit itself.
    """
    limit = at_most * (1 + 1e-9)  # no digit that was lost on the way may decide
    if interval.high <= limit:
        return "met"
    return "not met" if interval.low > limit else "can't tell"


def change(old: Costs, new: Costs) -> Shift:
    """How the ratio of ours to theirs differs between two runs.

    Two runs of the same code differ by more than their rounds tell, since a slow spell may outlast
    most of a run. What disturbs a run makes costs higher and hardly ever lower, so the lowest ones
    are what runs have in common. A change counts only where the median of the ratios changed, and
    that of the lowest costs changed by more than the noise: 5 %, and half as much again as lies
    between the lowest costs and the medians.
    """
    before, after = _logarithms(old), _logarithms(new)
    factor = _quotient(_interval(tuple(after)), _interval(tuple(before)))
    rounds = min(len(before), len(after))
    if rounds < 2:  # nothing to tell noise by
        return Shift(factor, "within noise")
    if not all(map(math.isfinite, [*before, *after])):
        return Shift(factor, _separate(before, after))
    middle = _median(after) - _median(before)
    lowest = _lowest(new) - _lowest(old)
    if min(middle, lowest) >= _LEAST and lowest >= _noise(old, new, rounds):
        return Shift(factor, "slower")
    if max(middle, lowest) <= -_LEAST and lowest <= -_noise(old, new, rounds):
        return Shift(factor, "faster")
    return Shift(factor, "within noise")


#: No smaller change counts.
_LEAST = math.log(1.05)
#: Nothing but a change of the code changes the lowest of `_ENOUGH` costs so much, or of fewer.
_MUCH, _MUCH_OF_FEW = math.log(1.5), math.log(1.75)
_ENOUGH = 5


def _noise(old: Costs, new: Costs, rounds: int) -> float:
    """How much the ratio of lowest costs may differ between runs of the same code.

    Found by comparing runs of the same code, on a machine that others used: of five rounds, none
    of 2,800 comparisons was called slower, and five of as many that had been made twice as slow
    were not.
    """
    between = math.hypot(
        *(_logarithm(statistics.median(costs), min(costs)) for costs in (*old, *new))
    )
    if not between:
        return _LEAST  # something was counted, not timed
    return _MUCH_OF_FEW if rounds < _ENOUGH else min(_LEAST + 1.5 * between, _MUCH)


def _logarithms(costs: Costs) -> list[float]:
    """Those of the ratios within a round, of the rounds that both have."""
    return [_logarithm(*pair) for pair in zip(*costs, strict=False)]


def _logarithm(ours: float, theirs: float) -> float:
    if ours == theirs:
        return 0.0
    if not ours or not theirs:
        return math.inf if ours else -math.inf
    return math.log(ours / theirs)


def _median(numbers: Sequence[float]) -> float:
    middle = statistics.median(numbers)
    return 0.0 if math.isnan(middle) else middle  # half of them nothing, half without end


@lru_cache(maxsize=4096)
def _interval(logarithms: tuple[float, ...]) -> Interval:
    ordered = sorted(logarithms)
    if not ordered:
        raise ValueError("there are no rounds to compare")
    middle = _median(ordered)
    return Interval(*map(_power, (middle, *_ends(ordered, middle))))


def _power(logarithm: float) -> float:
    return math.exp(logarithm) if logarithm < 700 else math.inf


def _ends(ordered: Sequence[float], middle: float) -> tuple[float, float]:
    rounds = len(ordered)
    if rounds == 1:
        return -math.inf, math.inf
    if stretch := _STRETCH.get(rounds):
        return _beyond(middle, ordered[0], stretch), _beyond(middle, ordered[-1], stretch)
    place, share = _place(rounds)
    return (
        _between(ordered[place], ordered[place + 1], share),
        _between(ordered[-1 - place], ordered[-2 - place], share),
    )


def _beyond(middle: float, end: float, stretch: float) -> float:
    return middle + stretch * (end - middle) if math.isfinite(middle) else end


def _between(outer: float, inner: float, share: float) -> float:
    if not math.isfinite(outer) or not math.isfinite(inner):
        return outer
    return outer + share * (inner - outer)


@lru_cache
def _place(rounds: int) -> tuple[int, float]:
    """The ends of the interval: this place, from either end, and this share of the way on."""
    inner = 1
    while _coverage(rounds, inner) >= _SURE:
        inner += 1
    outer = inner - 1
    wide, narrow = _coverage(rounds, outer), _coverage(rounds, inner)
    part = (wide - _SURE) / (wide - narrow)
    return outer, (rounds - inner) * part / (inner + (rounds - 2 * inner) * part)


def _coverage(rounds: int, place: int) -> float:
    """How often a median is between the places so far from either end."""
    return 1 - 2 * sum(math.comb(rounds, below) for below in range(place + 1)) * 0.5**rounds


def _quotient(new: Interval, old: Interval) -> Interval:
    """The interval of a quotient of two: its ends are as far from the middle as theirs together
    (Donner and Zou 2012)."""
    middle = _logarithm(new.middle, old.middle)
    if not math.isfinite(middle):
        return Interval(_power(middle), 0.0, math.inf)
    lower = math.hypot(_logarithm(new.middle, new.low), _logarithm(old.high, old.middle))
    upper = math.hypot(_logarithm(new.high, new.middle), _logarithm(old.middle, old.low))
    return Interval(*map(_power, (middle, middle - lower, middle + upper)))


def _lowest(costs: Costs) -> float:
    return _logarithm(min(costs.ours), min(costs.theirs))


def _separate(before: Sequence[float], after: Sequence[float]) -> Word:
    """Where ratios are nothing or without end, all of one run must be beyond all of the other."""
    if min(after) > max(before):
        return "slower"
    return "faster" if max(after) < min(before) else "within noise"
