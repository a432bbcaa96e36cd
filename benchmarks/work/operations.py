"""Rows of a contest that all do the same operation, and what is checked before they count."""

from __future__ import annotations

import gc
import inspect
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from ..measuring.contenders import Contender, Contenders
from ..measuring.contest import BY_HAND, OURS, BrokenPromise, Row, Size, Trial, WrongOutputs
from .functions import Lineage, Planned, Probe, last_attributes
from .trials import in_loop, kept

__all__ = ["Make", "Work", "call", "left_out", "operation_rows"]

_NOBODY: Mapping[str, str] = {}
#: Seconds that threads get to end after a run.
_GRACE = 2.0
#: Places that a contender may have between two steps beside its limit, and items in its hands.
_ROOM = 64


@dataclass
class Work:
    """What one call of an operation gets, and what must come of it.

    - `expected` makes the outputs, with lineage and in the order of the items.
    - `plain` makes of one of these what a contender returns that keeps no lineage.
    - `ordered`: whether outputs must come in that order.
    - `judge` looks at what was returned first, where it isn't a list of such outputs; it returns
      the outputs in it, which are then compared, or None where nothing is left to look at.
    - `calls`: how many calls of functions are needed, for probes; `limit` calls in flight of each.
    """

    arguments: Mapping[str, Any]
    expected: Callable[[], list[Any]]
    plain: Callable[[Any], Any] = last_attributes
    ordered: bool = False
    judge: Callable[[Any], list[Any] | None] | None = None
    calls: int | None = None
    limit: int | None = None
    depth: int = 1
    left: list[str] = field(default_factory=list)


#: Makes the work for functions of a kind, watched by a probe if there is one.
Make = Callable[[str, Probe | None], Work]


def operation_rows(
    contenders: Contenders,
    operation: str,
    make: Make,
    *,
    units: float,
    checked: Make | None = None,
    promises: Sequence[str] = (),
    repeats: bool = True,
    only: Callable[[Contender], bool] = lambda _: True,
    without: Mapping[str, str] = _NOBODY,
) -> tuple[list[Row], dict[str, str]]:
    """A row for each contender that can do this and promises that; why the others don't enter.

    `checked` makes a smaller work of the same kind, on which promises are checked; `make` itself
    by default. `without` are contenders that are left out, with the reason of each.
    """
    able, absent = contenders.offering(operation, *promises)
    rows = [
        Row(
            one.name,
            one.name,
            _Prepared(one, operation, make, checked or make, units, repeats),
            one.note,
        )
        for one in able
        if only(one) and one.name not in without
    ]
    return rows, {**without, **absent}


#: Contenders that do what another one does in another way.
_ALIKE = {"fluxus_rx classes": OURS, "tasks by hand": BY_HAND, "workers by hand": BY_HAND}


def left_out(size: Size, *names: str, why: str = "slow", alike: bool = True) -> dict[str, str]:
    """Contenders that a quick run leaves out of a contest, with the reason of each: these, and
    those that are like another one."""
    if size is not Size.QUICK:
        return {}
    reasons = dict.fromkeys(names, f"left out of a quick run: {why}")
    for name, other in _ALIKE.items() if alike else ():
        reasons.setdefault(name, f"left out of a quick run: like {other}")
    return reasons


@dataclass(frozen=True)
class _Prepared:
    """Makes the trial of a contender, in its process."""

    contender: Contender
    operation: str
    make: Make
    checked: Make
    units: float
    repeats: bool

    def __call__(self, module: ModuleType) -> Trial:
        operation = getattr(module, self.operation)
        works: list[Work] = []

        def setup() -> None:
            works[:] = [self.make(self._calls, None)]

        def run() -> Any:
            return call(operation, works[0])

        expected = kept(lambda: expected_of(works[0], self.contender))

        def check(outputs: Any) -> None:
            check_outputs(outputs, works[0], expected)

        return Trial(
            run,
            check,
            units=self.units,
            setup=setup,
            verify=lambda: self._verify(operation),
            repeats=self.repeats,
        )

    @property
    def _calls(self) -> str:
        return "plain" if self.operation == "sync_chain" else self.contender.calls

    def _verify(self, operation: Callable[..., Any]) -> None:
        """Whether outputs are right and promises kept."""
        probe = Probe()
        work = self.checked(self._calls, probe)
        threads = set(threading.enumerate())
        outputs = call(operation, work)
        check_outputs(outputs, work, lambda: expected_of(work, self.contender))
        _check_counts(probe, work, self.contender)
        _check_left(work, threads)
        if "cleanup" in self.contender.promises and work.calls is not None:
            self._verify_cleanup(operation, work.calls // 2)

    def _verify_cleanup(self, operation: Callable[..., Any], fails_at: int) -> None:
        probe = Probe(fails_at=fails_at)
        work = self.checked(self._calls, probe)
        threads = set(threading.enumerate())
        try:
            call(operation, work)
        except BaseException as error:
            if not _is_planned(error):
                raise
        else:
            raise BrokenPromise("an error of a call is lost")
        _check_left(work, threads)
        made = probe.calls.total()
        del work  # which has the source
        gc.collect()
        time.sleep(0.01)
        if probe.calls.total() != made:
            raise BrokenPromise("calls go on after an error")
        if probe.taken and not probe.closed:
            raise BrokenPromise("the source is open after an error")


def call(operation: Callable[..., Any], work: Work) -> Any:
    """What an operation returns, run to its end: a function, a coroutine function or a
    generator."""
    if inspect.isasyncgenfunction(operation) or inspect.iscoroutinefunction(operation):
        return _in_loop(operation, work)
    outputs = operation(**work.arguments)
    return [*outputs] if inspect.isgenerator(outputs) else outputs


def _in_loop(operation: Callable[..., Any], work: Work) -> Any:
    async def main() -> Any:
        if inspect.isasyncgenfunction(operation):
            return [output async for output in operation(**work.arguments)]
        return await operation(**work.arguments)

    return in_loop(main, work.left)


def expected_of(work: Work, contender: Contender) -> list[Any]:
    """What this contender must return."""
    outputs = work.expected()
    if "lineage" in contender.promises:
        return outputs
    return [work.plain(output) for output in outputs]


def check_outputs(outputs: Any, work: Work, make_expected: Callable[[], list[Any]]) -> None:
    """Raises `WrongOutputs` where these are not the outputs of the work."""
    if work.judge is not None:
        outputs = work.judge(outputs)
        if outputs is None:
            return
    expected = make_expected()
    given = [*outputs]
    if len(given) != len(expected):
        raise WrongOutputs(f"{len(given):,} outputs came, not {len(expected):,}")
    if given == expected:
        return
    in_order = sorted(given, key=_key) == sorted(expected, key=_key)
    if in_order and work.ordered:
        raise BrokenPromise("outputs come in another order")
    if not in_order:
        first = next(pair for pair in zip(given, expected, strict=True) if pair[0] != pair[1])
        raise WrongOutputs(f"{first[0]!r:.100} came, and not {first[1]!r:.100}, for one")


def _key(output: Lineage | Mapping[str, Any]) -> str:
    return repr(output)


def _check_counts(probe: Probe, work: Work, contender: Contender) -> None:
    if work.calls is not None and probe.calls.total() != work.calls:
        raise WrongOutputs(f"{probe.calls.total():,} calls were made, not {work.calls:,}")
    if work.limit is None:
        return
    highest = max(probe.highest.values(), default=0)
    if "limit" in contender.promises and highest > work.limit:
        raise BrokenPromise(f"limit {work.limit:,}, {highest:,} in flight")
    bound = work.depth * (work.limit + _ROOM) + _ROOM
    if "bounded" in contender.promises and probe.taken and probe.ahead > bound:
        raise BrokenPromise(f"{probe.ahead:,} items ahead of the last step, {bound:,} at most")


def _check_left(work: Work, threads: set[threading.Thread]) -> None:
    """Nothing of a run may be left; threads get a moment."""
    if work.left:
        raise BrokenPromise(f"{len(work.left)} tasks are left: {', '.join(work.left):.60}")
    until = time.monotonic() + _GRACE
    while left := set(threading.enumerate()) - threads:
        if all(thread.daemon for thread in left):
            return  # of a pool that is kept for the process
        if time.monotonic() > until:
            raise BrokenPromise(f"{len(left)} threads are left")
        time.sleep(0.01)


def _is_planned(error: BaseException | None) -> bool:
    """Whether a planned error is what came, or what it came of."""
    while error is not None:
        if isinstance(error, Planned):
            return True
        if isinstance(error, BaseExceptionGroup):
            return any(map(_is_planned, error.exceptions))
        error = error.__cause__ or error.__context__
    return False
