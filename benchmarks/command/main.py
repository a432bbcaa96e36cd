"""`python -m benchmarks`: what each command does."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..measuring.circumstances import Watch, circumstances
from ..measuring.contest import OURS, Refused, Size
from ..measuring.outcome import ContestOutcome, RowOutcome, RunOutcome
from ..measuring.session import ROUNDS, Entrants, Session
from ..report import compare, page, plot, prices, record, table, terminal
from . import listing
from .arguments import parsed
from .entrants import entrants, make_environments, versions

__all__ = ["main"]

OK, WRONG, USAGE, SLOWER = 0, 1, 2, 3
#: Exit status of what Ctrl-C has ended, as of a shell.
_INTERRUPTED = 130
#: What writes on a page, by its argument: where that begins there, and what it makes of a run.
_PAGES: Mapping[str, tuple[str, Callable[[RunOutcome], str]]] = {
    "table": (table.BEGIN, table.table),
    "prices": (prices.BEGIN, prices.prices),
}
#: Seconds that are looked at to see whether the machine is busy.
_SAMPLE = 0.5


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what was typed; the exit status."""
    commands: dict[str, Callable[[argparse.Namespace], int | None]] = {
        "run": _run,
        "list": lambda given: print(listing.workloads()),
        "contenders": lambda given: print(listing.contenders(given.env)),
        "compare": _compare,
        "show": _show,
        "env": lambda given: make_environments(given.directory, given.only),
    }
    try:
        given = parsed(sys.argv[1:] if arguments is None else arguments)
        return commands[given.command](given) or OK
    except (Refused, ImportError) as error:
        print(f"python -m benchmarks: {error}", file=sys.stderr)
        return USAGE
    except subprocess.CalledProcessError as error:
        return error.returncode


def _run(given: argparse.Namespace) -> int:
    old = record.load(given.against) if given.against else None
    _check_outputs(given)
    enter = replace(entrants(given.files, given.only, given.without, given.env), loop=given.loop)
    outcome = _new_outcome(given, enter)
    _tell_what_runs(given, enter)
    watch = Watch()
    report = _Report(outcome, at_once=not given.budget)
    outcome.circumstances = {**outcome.circumstances, "others": _others_now()}
    _print_head(outcome)
    session = Session(
        given.workloads,
        enter,
        given.size,
        outcome,
        contests=given.contests,
        on_contest=report.take,
    )
    try:
        session.run(given.rounds)
        if given.budget:
            session.spend(given.budget)
    except KeyboardInterrupt:
        outcome.complete = False
    outcome.circumstances = {**outcome.circumstances, **watch.told()}
    report.close()
    _write(given, outcome)
    if not outcome.complete:
        return _INTERRUPTED
    slower = old is not None and _tell_changes([old, outcome])
    if any(row.error in ("wrong outputs", "crashed") for row in _rows(outcome)):
        return WRONG
    return SLOWER if slower and given.fail_on_slower else OK


class _Report:
    """Prints contests: each as soon as it is over, or all at the end, as its rounds go on."""

    def __init__(self, outcome: RunOutcome, at_once: bool) -> None:
        self._outcome = outcome
        self._at_once = at_once
        self._shown: list[ContestOutcome] = []

    def take(self, contest: ContestOutcome) -> None:
        """A contest is over, for now."""
        if self._at_once:
            self._show(contest)

    def close(self) -> None:
        """The run is over, or interrupted: print what isn't there yet, and the summary."""
        for contest in self._outcome.contests:
            if contest not in self._shown and any(row.cpu for row in contest.rows):
                self._show(contest)
        _print(terminal.summary(self._outcome, colour=_colour()))

    def _show(self, contest: ContestOutcome) -> None:
        self._shown.append(contest)
        smoke = self._outcome.size == Size.SMOKE.value
        versions = self._outcome.contenders
        _print(terminal.block(contest, versions, colour=_colour(), smoke=smoke))


def _print_head(outcome: RunOutcome) -> None:
    _print(terminal.head(outcome))
    if busy := terminal.busy(outcome):
        _print(busy)
    if outcome.size != Size.SMOKE.value:
        _print(terminal.legend())


def _print(text: str) -> None:
    print(f"{text}\n", flush=True)


def _colour() -> bool:
    return sys.stdout.isatty()


def _rows(outcome: RunOutcome) -> list[RowOutcome]:
    return [row for contest in outcome.contests for row in contest.rows]


def _new_outcome(given: argparse.Namespace, enter: Entrants) -> RunOutcome:
    found = versions(enter.contenders, given.env)
    return RunOutcome(
        library=found.get(OURS, ""),
        size=given.size.value,
        rounds=given.rounds,
        circumstances=circumstances(given.loop),
        contenders={name: found[name] for name in enter.pythons},
        absent=dict(enter.absent),
    )


def _tell_what_runs(given: argparse.Namespace, enter: Entrants) -> None:
    """A line on stderr: what runs, and how long it takes on two idle cores."""
    workloads = given.workloads
    seconds = sum(listing.seconds(workload, given.size) for workload in workloads)
    if given.size is not Size.SMOKE:
        seconds *= given.rounds / ROUNDS[given.size]
    if given.budget:
        seconds += given.budget
    long = f"{seconds / 60:.0f} minutes" if seconds > 90 else f"{max(seconds, 1):.0f} s"
    print(
        f"{len(workloads)} workloads, {len(enter.pythons)} contenders: about {long} on two idle"
        " cores",
        file=sys.stderr,
        flush=True,
    )


def _others_now() -> float | None:
    """The share of the CPU that others use right now."""
    sample = Watch()
    time.sleep(_SAMPLE)
    share = sample.others()
    return None if share is None else round(share, 3)


def _check_outputs(given: argparse.Namespace) -> None:
    """Refuse now what could not be written when all has been measured."""
    if given.plot is not None:
        plot.check(given.plot)
    for name, (begin, _) in _PAGES.items():
        if path := getattr(given, name):
            page.updated(_text(path), "", begin)


def _write(given: argparse.Namespace, outcome: RunOutcome) -> None:
    """The files that were asked for."""
    if given.json is not None:
        record.save(outcome, given.json)
    if given.plot is not None:
        plot.plot(outcome, given.plot)
    for name, (begin, made) in _PAGES.items():
        if path := getattr(given, name):
            _update(path, made(outcome), begin)


def _update(path: Path, tables: str, begin: str) -> None:
    """Put tables between the marks of a page; make the page if there is none."""
    path.write_text(page.updated(_text(path), tables, begin), encoding="utf-8")


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _tell_changes(runs: Sequence[RunOutcome]) -> bool:
    """Print what has changed from one to the next; whether anything is slower at the end."""
    _print(compare.comparison(runs[-2], runs[-1]))
    return any(change.slower for change in compare.compared(runs[-2], runs[-1]))


def _show(given: argparse.Namespace) -> None:
    outcome = record.load(given.run)
    _print_head(outcome)
    _Report(outcome, at_once=False).close()
    given.json = None
    _write(given, outcome)


def _compare(given: argparse.Namespace) -> int:
    runs = [record.load(path) for path in given.runs]
    if len(runs) == 1:
        raise Refused("compare takes two files, or more: an old one and a new one")
    if len(runs) > 2:
        _print(compare.history(runs))
    slower = _tell_changes(runs)
    if given.table is not None:
        _update(given.table, table.side_by_side(runs), table.SIDE)
    if given.plot is not None:
        if len(runs) > 2:
            plot.plot_history(runs, given.plot)
        else:
            plot.plot_changes(compare.compared(*runs), given.plot)
    return SLOWER if slower and given.fail_on_slower else OK
