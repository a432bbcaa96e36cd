"""What a run's calls add up to, step by step: how many, how long, how many at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import ceil, fsum
from typing import Final

from .._common.encoding import printed
from .._common.text import html_text, measured_time, printable, shortened, table
from .calls import Call, Journal

__all__ = ["StepSummary", "Summary"]


@printed
@dataclasses.dataclass(frozen=True)
class StepSummary:
    """The calls of one step; a product of a producer counts as a call.

    - `calls`: calls that ended, `failures` of them with an error; `retries` are those with a
      product for which an earlier call failed
    - `products`: products that they made
    - `busy`: seconds that they took together, without the time for which a generator waits for its
      reader
    - `p50`, `p95`, `max`: seconds per call, measured in the same way. Percentiles are by nearest
      rank: the shortest measured time that 50 or 95 % of the calls did not exceed.
    - `share`: the part of the run's time, 0 to 1, in which at least one call was at work
    - `peak`: the most calls in flight at once

    >>> from fluxus_rx import run, step
    >>> summary = run(step("src", [{"x": 1}, {"x": 2}]), timestamps=True).summary()
    >>> [(step.step, step.calls, step.failures) for step in summary.steps]
    [('src', 2, 0)]
    """

    step: str
    calls: int
    failures: int
    retries: int
    products: int
    busy: float
    p50: float
    p95: float
    max: float
    share: float
    peak: int

    @classmethod
    def of(cls, step: str, calls: Sequence[Call], elapsed: float) -> StepSummary:
        """The summary of these calls, in O(n log n); of none, all is 0."""
        busy = sorted(call.busy for call in calls)
        return cls(
            step=step,
            calls=len(calls),
            failures=sum(call.error is not None for call in calls),
            retries=sum(call.attempt > 1 for call in calls),
            products=sum(call.products for call in calls),
            busy=fsum(busy),
            p50=_percentile(busy, 50),
            p95=_percentile(busy, 95),
            max=max(busy, default=0.0),
            share=_covered(calls) / elapsed if elapsed else 0.0,
            peak=_peak(calls),
        )


#: The columns of the table: the heading, and the cell of a step.
_SUMMARY_COLUMNS: Final[dict[str, Callable[[StepSummary], str]]] = {
    "step": lambda step: step.step,
    "calls": lambda step: f"{step.calls:,}",
    "failed": lambda step: f"{step.failures:,}",
    "retried": lambda step: f"{step.retries:,}",
    "products": lambda step: f"{step.products:,}",
    "p50": lambda step: measured_time(step.p50),
    "p95": lambda step: measured_time(step.p95),
    "max": lambda step: measured_time(step.max),
    "busy": lambda step: measured_time(step.busy),
    "share": lambda step: f"{step.share:.0%}",
    "peak": lambda step: f"{step.peak:,}",
}


@printed
@dataclasses.dataclass(frozen=True)
class Summary:
    """What a run has done: a table of its steps, in the order of the flow, and its speed-up.

    `elapsed` is the time of the run in seconds, `busy` that of all calls one after the other, with
    their waits. Calls that compute rather than wait delay each other, and take longer than each
    would alone: then the true speed-up is less than the one shown.

    >>> from fluxus_rx import RunResult
    >>> outputs = [{"fetch": {"x": x, "[start]": x / 100, "[end]": 0.5}} for x in (0, 1)]
    >>> print(RunResult(outputs).summary())
    step   calls  failed  retried  products     p50     p95     max    busy  share  peak
    fetch      2       0        0         2  490 ms  500 ms  500 ms  990 ms   100%     2
    <BLANKLINE>
    990 ms of work in 500 ms: 2.0 times as fast as one call after the other.
    """

    elapsed: float
    busy: float
    steps: tuple[StepSummary, ...]

    @classmethod
    def of(cls, journal: Journal) -> Summary:
        """The summary of a run with these calls; without calls there are no steps."""
        by_step, elapsed = journal.by_step(), journal.elapsed - journal.began
        steps = tuple(
            StepSummary.of(step, by_step.get(step, ()), elapsed)
            for step in journal.steps or by_step
        )
        return cls(elapsed, fsum(step.busy for step in steps), steps)

    @property
    def speedup(self) -> float:
        """How many times as fast the run was as its calls one after the other; 0 without calls.

        >>> Summary(elapsed=2.0, busy=61.0, steps=()).speedup
        30.5
        """
        return self.busy / self.elapsed if self.elapsed else 0.0

    @property
    def sentence(self) -> str:
        """The speed-up of running calls concurrently, in words."""
        if not any(step.calls for step in self.steps):
            return "No step was called."
        work = f"{measured_time(self.busy)} of work in {measured_time(self.elapsed)}"
        if self.speedup < 1.05:
            return f"{work}: no faster than one call after the other."
        return f"{work}: {self.speedup:,.1f} times as fast as one call after the other."

    def rows(self) -> Iterator[tuple[str, ...]]:
        """The cells of the table, as texts: the headings, then a row for each step."""
        yield (*_SUMMARY_COLUMNS,)
        for step in self.steps:
            yield tuple(cell(step) for cell in _SUMMARY_COLUMNS.values())

    def __str__(self) -> str:
        if not self.steps:
            return self.sentence
        rows = [[shortened(printable(name), 40), *cells] for name, *cells in self.rows()]
        return "\n".join([*table(rows), "", self.sentence])

    def _repr_html_(self) -> str:
        headings, *rows = self.rows()
        body = "".join(
            f"<tr><th>{html_text(name)}</th>{_html_cells('td', cells)}</tr>"
            for name, *cells in rows
        )
        table = f"<table><tr>{_html_cells('th', headings)}</tr>{body}</table>" if rows else ""
        return f"{table}<p>{html_text(self.sentence)}</p>"


def _html_cells(tag: str, texts: Iterable[str]) -> str:
    return "".join(f"<{tag}>{html_text(text)}</{tag}>" for text in texts)


def _percentile(ordered: Sequence[float], percent: int) -> float:
    return ordered[ceil(len(ordered) * percent / 100) - 1] if ordered else 0.0


def _covered(calls: Iterable[Call]) -> float:
    """The time in which any of the calls was at work."""
    covered, until = 0.0, 0.0
    for start, end in sorted(span for call in calls for span in call.work()):
        if end > until:
            covered += end - max(start, until)
            until = end
    return covered


def _peak(calls: Sequence[Call]) -> int:
    """The most calls that were in flight at once."""
    ends = sorted(call.end for call in calls)
    peak, over = 0, 0
    for begun, start in enumerate(sorted(call.start for call in calls), 1):
        while ends[over] <= start and over < begun - 1:
            over += 1
        peak = max(peak, begun - over)
    return peak
