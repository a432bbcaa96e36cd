"""What there is: workloads and contenders."""

from __future__ import annotations

import textwrap
from pathlib import Path

from ..measuring.contenders import OPERATIONS, PROMISES, Contender, Contenders
from ..measuring.contest import Size, Workload
from ..workloads.catalogue import WORKLOADS
from .entrants import versions

__all__ = ["contenders", "seconds", "workloads"]

_WIDTH = 100
#: What a quick run takes of the time of a full one, and a smoke run; measured.
_SHARES = {Size.FULL: 1.0, Size.QUICK: 0.045, Size.SMOKE: 0.018}


def seconds(workload: Workload, size: Size) -> float:
    """What a workload takes on two idle cores, about."""
    return workload.seconds * _SHARES[size]


def workloads() -> str:
    """Each workload with its question, sizes, time, contests and those who enter."""
    entrants = Contenders()
    blocks = []
    for workload in WORKLOADS.values():
        names: dict[str, None] = {}
        contests = [*workload.contests(Size.FULL, entrants)]
        for contest in contests:
            names |= {row.contender: None for row in contest.rows}
        blocks.append(
            "\n".join(
                [
                    _wrapped(f"{workload.name}: {workload.question}", indent=""),
                    _wrapped(f"{workload.sizes}; about {workload.seconds:.0f} s"),
                    _wrapped(f"contests: {'; '.join(contest.name for contest in contests)}"),
                    _wrapped(f"contenders: {', '.join(names)}"),
                ]
            )
        )
    total = sum(workload.seconds for workload in WORKLOADS.values())
    quick = sum(seconds(workload, Size.QUICK) for workload in WORKLOADS.values())
    blocks.append(
        f"All of them take about {total / 60:.0f} minutes on two idle cores; {quick:.0f} s with"
        " --quick."
    )
    return "\n\n".join(blocks)


def contenders(environments: Path | None) -> str:
    """Each contender with its version, licence, promises, and what it can't."""
    found = versions(Contenders(), environments)
    letters = ", ".join(f"{letter} {name}" for name, letter in PROMISES.items())
    return "\n\n".join(
        [*(_contender(one, found.get(one.name)) for one in Contenders()), f"Promises: {letters}."]
    )


def _contender(one: Contender, version: str | None) -> str:
    if version is None:
        state = f"not installed: pip install '{one.requires}', or python -m benchmarks env DIR"
    else:
        state = version or "nothing to install"
    lines = [
        _wrapped(f"{one.name}: {state}", indent=""),
        _wrapped(
            f"promises {one.letters or 'nothing'}; {one.licence or 'no licence told'}"
            + (f"; {one.note}" if one.note else "")
        ),
        _wrapped(f"does {', '.join(name for name in OPERATIONS if name in one.operations)}"),
    ]
    if one.on_request:
        lines.append(f"  enters on request only: --only fluxus_rx,by-hand,{one.name}")
    for operation in OPERATIONS:
        if operation not in one.operations:
            lines.append(_wrapped(f"can't {operation}: {one.cant.get(operation, 'has none')}"))
    return "\n".join(lines)


def _wrapped(text: str, indent: str = "  ") -> str:
    return textwrap.fill(text, _WIDTH, initial_indent=indent, subsequent_indent="    ")
