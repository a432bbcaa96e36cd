"""A run of the benchmarks: processes are started, checked, asked in turn, and closed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .children import LOOPS, Child, Nursery
from .contenders import Contenders
from .contest import Clock, Contest, Row, Size, Workload
from .outcome import ContestOutcome, RowOutcome, RunOutcome
from .statistics import ratio

__all__ = ["ROUNDS", "Entrants", "Session"]

#: Rounds of a run that says nothing of them.
ROUNDS = {Size.FULL: 5, Size.QUICK: 5, Size.SMOKE: 0}
#: With a budget, an interval is narrow enough when it is so far from its middle at most.
NARROW = 0.05
#: Rounds that a budget adds at a time.
_MORE = 3


@dataclass(frozen=True)
class Entrants:
    """The contenders, and their interpreters; why others don't, if nobody has left them out."""

    contenders: Contenders
    pythons: Mapping[str, str]
    absent: Mapping[str, str] = field(default_factory=dict)
    files: Sequence[Path] = ()
    loop: str = LOOPS[0]


@dataclass
class _Running:
    """A contest that goes on: what is asked, and what has come of it."""

    workload: Workload
    contest: Contest
    outcome: ContestOutcome
    rows: Sequence[Row]
    #: how many rounds were held; they begin with another row each
    rounds: int = 0

    def in_turn(self) -> Iterable[tuple[Row, RowOutcome]]:
        """The rows that can still be asked, each round beginning with another one."""
        pairs = [*zip(self.rows, self.outcome.rows, strict=True)]
        first = self.rounds % max(1, len(pairs))
        self.rounds += 1
        return [pair for pair in pairs[first:] + pairs[:first] if not pair[1].error]

    @property
    def width(self) -> float:
        """How far the widest interval of a ratio to the subject is from its middle."""
        subject = self.outcome.costs(self.contest.subject)
        widths = [0.0]
        for row in self.outcome.rows:
            costs = row.costs(self.contest.clock)
            if subject and costs and row.name != self.contest.subject:
                interval = ratio(costs, subject)
                if interval.middle:
                    widths.append((interval.high - interval.low) / 2 / interval.middle)
        return max(widths)


class Session:
    """Measures workloads, one after the other; `outcome` has what there is by now."""

    def __init__(
        self,
        workloads: Sequence[Workload],
        entrants: Entrants,
        size: Size,
        outcome: RunOutcome,
        *,
        contests: Collection[str] | None = None,
        on_contest: Callable[[ContestOutcome], None] = lambda outcome: None,
    ) -> None:
        self.outcome = outcome
        self._workloads = workloads
        self._entrants = entrants
        self._size = size
        self._only = contests
        self._on_contest = on_contest
        self._running: list[_Running] = []
        self._nurseries: dict[str, Nursery] = {}

    def run(self, rounds: int) -> None:
        """Hold so many rounds of everything.

        On KeyboardInterrupt, what is complete by then is in `outcome`, and it is raised again.
        """
        self._running = [
            self._begun(workload, contest)
            for workload in self._workloads
            for contest in self._contests(workload)
        ]
        last = {row.contender: each.workload.name for each in self._running for row in each.rows}
        try:
            for workload in self._workloads:
                running = [each for each in self._running if each.workload is workload]
                self.outcome.contests += [each.outcome for each in running]
                with self._children(workload, running, last) as children:
                    self._verify(running, children)
                    self._rounds(running, children, rounds)
                    if self._size is Size.FULL:
                        self._memory(running, children)
                for each in running:
                    self._on_contest(each.outcome)
        finally:
            self._close()

    def spend(self, seconds: float) -> None:
        """Add rounds to the contests with the widest intervals first, in new processes, until all
        are narrow or the time is over."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            widest = max(self._running, key=lambda each: each.width, default=None)
            if widest is None or widest.width <= NARROW:
                return
            workload = widest.workload
            wide = [
                each for each in self._running if each.workload is workload and each.width > NARROW
            ]
            last = {row.contender: workload.name for each in wide for row in each.rows}
            try:
                with self._children(workload, wide, last) as children:
                    self._verify(wide, children)
                    self._rounds(wide, children, _MORE, until)
            finally:
                self._close()

    def _close(self) -> None:
        """End all processes."""
        for nursery in self._nurseries.values():
            nursery.close()
        self._nurseries.clear()

    def _contests(self, workload: Workload) -> Iterable[Contest]:
        """The contests of a workload, those that were asked for."""
        for contest in workload.contests(self._size, self._entrants.contenders):
            if self._only is None or contest.name in self._only:
                yield contest

    def _begun(self, workload: Workload, contest: Contest) -> _Running:
        rows = [row for row in contest.rows if row.contender in self._entrants.pythons]
        absent = {
            name: reason
            for name, reason in contest.absent.items()
            if name in self._entrants.pythons
        }
        outcome = ContestOutcome(
            workload=workload.name,
            name=contest.name,
            question=contest.question,
            unit=contest.unit,
            clock=contest.clock,
            scale=contest.scale,
            goals=[*contest.goals],
            subject=contest.subject,
            yardstick=contest.yardstick,
            rows=[self._row(row) for row in rows],
            absent=absent,
        )
        return _Running(workload, contest, outcome, rows)

    def _row(self, row: Row) -> RowOutcome:
        contender = self._entrants.contenders[row.contender]
        return RowOutcome(row.name, row.contender, contender.letters, row.note)

    @contextmanager
    def _children(
        self, workload: Workload, running: Sequence[_Running], last: Mapping[str, str]
    ) -> Iterator[Mapping[str, Child]]:
        """A process for each contender of these contests; `last` has the last workload of each."""
        children: dict[str, Child] = {}
        try:
            for name in {row.contender: None for each in running for row in each.rows}:
                is_last = last[name] == workload.name
                children[name] = self._nursery(name).child(workload.name, last=is_last)
            for child in children.values():
                child.ready()
            yield children
        except KeyboardInterrupt:
            for each in running:
                _cut(each.outcome)
                if not any(row.cpu for row in each.outcome.rows):
                    # Whatever error a row of it has is that it was ended.
                    self.outcome.contests.remove(each.outcome)
            raise
        finally:
            for child in children.values():
                child.close()

    def _nursery(self, name: str) -> Nursery:
        """The process that this contender's are forked from; they all start when it is first
        needed."""
        if name not in self._nurseries:
            self._nurseries[name] = Nursery(
                name,
                self._size,
                self._entrants.files,
                self._entrants.pythons[name],
                self._entrants.loop,
            )
        return self._nurseries[name]

    def _verify(self, running: Sequence[_Running], children: Mapping[str, Child]) -> None:
        """Check promises and outputs of all rows, as many processes at once as there are cores:
        no time counts yet."""

        def verify(name: str) -> None:
            for each in running:
                for row, outcome in zip(each.rows, each.outcome.rows, strict=True):
                    if row.contender == name and not outcome.error:
                        _ask(children[name], "verify", each.contest, outcome)

        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            try:
                [*pool.map(verify, children)]
            except BaseException:  # Ctrl-C: the threads must not wait for what is checked now
                for child in children.values():
                    child.kill()
                raise

    def _rounds(
        self,
        running: Sequence[_Running],
        children: Mapping[str, Child],
        rounds: int,
        until: float = float("inf"),
    ) -> None:
        """Ask each row once per round; the rounds of a workload's contests are interleaved, so
        that a slow spell falls on one round of each."""
        for _ in range(rounds):
            for each in running:
                if time.monotonic() > until:
                    return
                for row, outcome in each.in_turn():
                    _measure(children[row.contender], each.contest, outcome)
                _cut(each.outcome)

    def _memory(self, running: Sequence[_Running], children: Mapping[str, Child]) -> None:
        for each in running:
            if each.contest.clock is Clock.VALUE:
                continue
            for row, outcome in each.in_turn():
                answer = _ask(children[row.contender], "memory", each.contest, outcome)
                outcome.traced, outcome.rss = answer.get("traced"), answer.get("rss")


def _ask(child: Child, do: str, contest: Contest, outcome: RowOutcome) -> dict[str, Any]:
    """What a process answers; its row has the error, if it is one."""
    answer = child.ask(do, contest=contest.name, row=outcome.name)
    if "error" in answer:
        outcome.error, outcome.message = answer["error"], answer["message"]
        return {}
    return answer


def _measure(child: Child, contest: Contest, outcome: RowOutcome) -> None:
    answer = _ask(child, "measure", contest, outcome)
    if not answer:
        return
    outcome.cpu.append(answer["cpu"])
    outcome.wall.append(answer["wall"])
    if contest.clock is Clock.VALUE:
        outcome.values.append(answer["value"])


def _cut(outcome: ContestOutcome) -> None:
    """Leave out what not all rows of a contest have: a round that was cut short."""
    costs = [row for row in outcome.rows if not row.error]
    rounds = min((len(row.costs(outcome.clock)) for row in costs), default=0)
    for row in costs:
        del row.cpu[rounds:], row.wall[rounds:], row.values[rounds:]
