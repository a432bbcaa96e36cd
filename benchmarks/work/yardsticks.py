"""Rows that contenders are held against: the sleeps alone, and bounds that are known."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

from ..measuring.contest import OURS, Row, Trial, WrongOutputs
from .trials import trial

__all__ = ["TIMERS", "bound_row", "timers_row"]

#: The contender that only sleeps.
TIMERS = "timers"


def timers_row(
    function: str, arguments: Callable[[], dict[str, Any]], *, units: int, name: str = TIMERS
) -> Row:
    """The sleeps of a contest with nothing around them: one for each unit.

    `function` is the name of a function of `contenders/timers.py`.
    """

    def check(slept: int) -> None:
        if slept != units:
            raise WrongOutputs(f"{slept:,} sleeps, not {units:,}")

    def prepare(module: ModuleType) -> Trial:
        main = partial(getattr(module, function), **arguments())
        return trial(main, check, units=units, repeats=False)

    return Row(name, TIMERS, prepare, "only sleeps")


def bound_row(name: str, bound: Callable[[], float], note: str = "") -> Row:
    """A value that the rows of a contest of values are held against; nothing is measured.

    `bound` is called in the process of fluxus_rx.
    """

    def prepare(_: ModuleType) -> Trial:
        return Trial(bound, lambda _: None, value=float, repeats=False)

    return Row(name, OURS, prepare, note)
