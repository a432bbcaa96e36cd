"""What the costs of a run mean for a job: sentences with its numbers."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from ..measuring.contest import BY_HAND, OURS, Refused
from ..measuring.outcome import ContestOutcome, RunOutcome
from .numbers import bytes_text, times_text
from .reading import median_cost, times

__all__ = ["in_short", "meaning"]

#: The job that is told of: so many calls of so many seconds, so many in flight.
_CALLS, _SECONDS, _LIMIT = 10_000, 1, 100

#: Whom most would take instead.
_PEERS = ("fluxus", "streamable")

_YIELDING = "async, limit 100, yielding"
_AT_ONCE = "async, limit 100"
_SYNC = "sync, 5 steps"
_JOINED = "fan-out, joined"
_OUTPUTS = "memory, outputs collected"
_IN_FLIGHT = "memory, calls in flight"
_IMPORT = "startup, import"
_FIRST = "slow stage, first output"


def meaning(run: RunOutcome) -> list[str]:
    """Paragraphs, of those contests that were measured."""
    return [textwrap.fill(" ".join(text.split()), 100) for text in _told(run)]


def in_short(run: RunOutcome) -> str:
    """Lines for readers of the first page alone; raises ValueError where their contests
    weren't measured."""
    lines = [*_lines(run)]
    if len(lines) != 3:
        raise Refused(f"{_SYNC!r}, {_YIELDING!r} and {_JOINED!r} must have been measured")
    return "\n".join(_wrapped_item(line) for line in lines)


def _wrapped_item(line: str) -> str:
    return textwrap.fill(line, 100, subsequent_indent="  ")


def _lines(run: RunOutcome) -> Iterator[str]:
    for name, what in (
        (_SYNC, "a plain function as a step, an item"),
        (_YIELDING, "a coroutine that waits, a call"),
        (_JOINED, "a group of 8 branches and a passthrough, joined, an item"),
    ):
        contest = run.contest(name)
        if contest is None or not (cost := _cost(contest)):
            continue
        peers = [
            f"{peer} costs {times_text(found.middle)}x as much"
            for peer in _PEERS
            if (found := times(contest, peer)) is not None
        ]
        by_hand = times(contest, OURS, BY_HAND)
        parts = [f"{times_text(by_hand.middle)}x the best code by hand"] if by_hand else []
        yield f"- {what}: {_micro(cost)} µs of CPU; {', '.join([*parts, *peers])}."


def _told(run: RunOutcome) -> Iterator[str]:
    if (contest := run.contest(_YIELDING)) and (cost := _cost(contest)):
        ideal = _CALLS * _SECONDS / _LIMIT
        yield f"""
            **{_CALLS:,} calls of a model, {_SECONDS} s each, {_LIMIT} in flight,** take
            {ideal:g} s at best. A call that waits costs {_micro(cost)} µs of CPU, so
            {times_text(_CALLS * cost)} s of these {ideal:g} s are ours."""
    if (contest := run.contest(_AT_ONCE)) and (cost := _cost(contest)):
        sync = run.contest(_SYNC)
        plain = _cost(sync) if sync else None
        also = f", or {_thousands(plain)} of plain functions," if plain else ""
        yield f"""
            **One process makes** about {_thousands(cost)} calls of coroutines a second that
            return at once{also} when it does nothing else. What waits less often than that is
            limited by what it waits for, and not by the library."""
    bytes_of = [run.contest(name) for name in (_IN_FLIGHT, _OUTPUTS)]
    if all(bytes_of):
        flight, output = (_cost(contest) or 0 for contest in bytes_of if contest)
        yield f"""
            **Memory:** a call in flight takes {bytes_text(flight)}, so 100,000 of them take
            {bytes_text(100_000 * flight)}; an output that is collected takes {bytes_text(output)},
            with its whole lineage. What is streamed is not kept."""
    if (contest := run.contest(_IMPORT)) and (cost := _cost(contest)):
        first = run.contest(_FIRST)
        soon = _cost(first) if first else None
        then = f" The first output comes {1e3 * soon:.1f} ms after the run began." if soon else ""
        yield f"**Importing** the library takes {1e3 * cost:.0f} ms of CPU.{then}"


def _cost(contest: ContestOutcome) -> float | None:
    """The cost of ours in seconds, or in what the value is."""
    row = contest.row(OURS)
    return median_cost(contest, row) / contest.scale if row and contest.costs(OURS) else None


def _micro(seconds: float) -> str:
    return times_text(1e6 * seconds)


def _thousands(seconds: float) -> str:
    """So many a second, in two digits."""
    return f"{float(f'{1 / seconds:.2g}'):,.0f}"
