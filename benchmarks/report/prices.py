"""What each part of the library costs, by the contests of a run: sections of a page of the docs."""

from __future__ import annotations

import statistics
import textwrap
from collections.abc import Iterator

from ..measuring.contest import Refused
from ..measuring.outcome import ContestOutcome, RunOutcome
from ..measuring.statistics import Interval
from .numbers import bytes_text, cost_text, interval_text, times_text
from .page import escaped, list_table
from .price_list import SECTIONS, Price, Section
from .reading import times

__all__ = ["BEGIN", "missing", "prices"]

#: The mark where prices begin on a page.
BEGIN = ".. benchmarks: from here on made by `python -m benchmarks show RUN.json --prices PAGE.rst`"

#: Circumstances that costs depend on.
_KNOWN = ("cpu", "cores", "system", "python", "loop", "date")


def prices(run: RunOutcome) -> str:
    """Where the run took place, then a section for each part of the library, with a table.

    What wasn't measured is left out; `missing` tells it. Raises ValueError where nothing was.
    """
    sections = [text for section in SECTIONS for text in _section(run, section)]
    if not sections:
        raise Refused("nothing was measured that has a price; run all workloads without --smoke")
    return "\n\n".join([_measured(run), *sections]) + "\n"


def missing(run: RunOutcome) -> list[str]:
    """The prices that the run doesn't tell: the contest, the row, and that beside it."""
    return [
        f"{price.contest}: {price.row} next to {price.of}"
        for section in SECTIONS
        for price in (*section.prices, *(remark.price for remark in section.remarks))
        if _found(run, price) is None
    ]


def _measured(run: RunOutcome) -> str:
    known = [f"{name} {run.circumstances[name]}" for name in _KNOWN if name in run.circumstances]
    cut = "" if run.complete else " The run was interrupted."
    return _filled(
        f"Measured with fluxus_rx {escaped(run.library)} on one machine"
        f" ({escaped(', '.join(known))}): a {run.size} run of {run.rounds} rounds.{cut} Costs are"
        " those of that machine; ratios hardly depend on it."
    )


def _section(run: RunOutcome, section: Section) -> Iterator[str]:
    found = [(price, _found(run, price)) for price in section.prices]
    rows = [_row(price, *each, section.adds) for price, each in found if each is not None]
    if not rows:
        return
    yield f"{section.title}\n{'-' * len(section.title)}"
    yield _filled(" ".join([section.intro, *_remarks(run, section)]))
    yield list_table(("", "adds" if section.adds else "costs", "times", "next to", "contest"), rows)


def _remarks(run: RunOutcome, section: Section) -> Iterator[str]:
    for text, price, units in section.remarks:
        if (found := _found(run, price)) is not None:
            contest, ratio = found
            yield text.format(times=times_text(ratio.middle), total=_total(contest, price, units))


def _found(run: RunOutcome, price: Price) -> tuple[ContestOutcome, Interval] | None:
    """The contest, and how many times the cost of the row beside it the price is."""
    contest = run.contest(price.contest)
    ratio = times(contest, price.row, price.of) if contest else None
    return None if contest is None or ratio is None else (contest, ratio)


def _row(price: Price, contest: ContestOutcome, ratio: Interval, adds: bool) -> list[str]:
    cost = _added(contest, price, ratio) if adds else _cost(contest, price)
    return [
        price.what,
        escaped(cost),
        interval_text(ratio, "x"),
        price.beside,
        escaped(contest.name),
    ]


def _cost(contest: ContestOutcome, price: Price) -> str:
    cost = statistics.median(contest.costs(price.row)) * contest.scale
    return f"{cost_text(cost)} {contest.unit}"


def _added(contest: ContestOutcome, price: Price, ratio: Interval) -> str:
    """The median of the differences within a round, where it is sure that there is any."""
    if ratio.low <= 1 <= ratio.high:
        return "nothing that can be told"
    pairs = zip(contest.costs(price.row), contest.costs(price.of), strict=False)
    added = statistics.median(more - less for more, less in pairs) * contest.scale
    return f"{'−' if added < 0 else ''}{cost_text(abs(added))} {contest.unit}"


def _total(contest: ContestOutcome, price: Price, units: int) -> str:
    """What so many units cost: seconds, or bytes."""
    total = units * statistics.median(contest.costs(price.row))
    if contest.unit.startswith("bytes"):
        return bytes_text(total)
    return f"{times_text(total)} s" if total >= 0.1 else f"{times_text(1e3 * total)} ms"


def _filled(text: str) -> str:
    return textwrap.fill(text, 100, break_on_hyphens=False, break_long_words=False)
