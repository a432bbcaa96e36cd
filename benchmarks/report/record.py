"""A run as a file: one of pyperf, which `pyperf show`, `stats`, `hist` and `compare_to` read.

pyperf ignores keys that it doesn't know. Under "fluxus_rx" stands what it has no place for; the
costs by the clock of a contest are values of pyperf's benchmarks, and stand nowhere else.
`schema.json` tells all.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..measuring.contest import Clock, Goal, Refused
from ..measuring.outcome import ContestOutcome, RowOutcome, RunOutcome

__all__ = ["SCHEMA", "load", "save"]

#: The version of our part of the file; a file of another one is refused.
SCHEMA = 1

_PYPERF = "1.0"
_OURS = "fluxus_rx"
#: What a cost is called in a row of ours, and as an attribute.
_COSTS: Mapping[Clock, str] = {Clock.CPU: "cpu", Clock.WALL: "wall", Clock.VALUE: "values"}

Json = dict[str, Any]


def save(outcome: RunOutcome, path: Path) -> None:
    """Write a run to a file; a reader meanwhile sees the old one, or the new one.

    Raises ValueError where there is no such folder.
    """
    if not path.parent.is_dir():
        raise Refused(f"there is no folder {path.parent} to write {path.name} to; make it first")
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(_text(outcome), encoding="utf-8")
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def load(path: Path) -> RunOutcome:
    """A run that was saved; raises ValueError where the file isn't one."""
    document = _document(path)
    schema = document[_OURS].get("schema")
    if schema != SCHEMA:
        raise Refused(
            f"{path} was written by another version of the benchmarks (schema {schema}, and this"
            f" one reads {SCHEMA}); run them again with --json, or read it with that version"
        )
    try:
        return _run(document)
    except (AttributeError, KeyError, LookupError, TypeError, ValueError) as error:
        raise Refused(
            f"{path} is damaged ({type(error).__name__}: {error}); restore it, or run the"
            " benchmarks again with --json"
        ) from error


def _document(path: Path) -> Json:
    """The file as it is, as far as it is one of ours."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Refused(
            f"there is no file {path}; a run of the benchmarks with --json {path} writes it"
        ) from None
    except (OSError, ValueError) as error:
        raise Refused(
            f"{path} can't be read as JSON ({error}); name a file that was written with --json"
        ) from error
    if not isinstance(document, dict) or not isinstance(document.get(_OURS), dict):
        raise Refused(
            f"{path} isn't a run of these benchmarks: it has no part {_OURS!r}; name a file that"
            " was written with --json"
        )
    return document


# Writing


def _text(outcome: RunOutcome) -> str:
    """JSON with a line for each benchmark and each contest, so that changes of a file are read."""
    ours = {
        "schema": SCHEMA,
        "library": outcome.library,
        "size": outcome.size,
        "rounds": outcome.rounds,
        "complete": outcome.complete,
        "circumstances": dict(outcome.circumstances),
        "contenders": outcome.contenders,
        "absent": outcome.absent,
    }
    head = _compact(ours).removesuffix("}")
    contests = _lines(_contest_written(contest) for contest in outcome.contests)
    benchmarks = _lines(
        _benchmark(contest, row)
        for contest in outcome.contests
        for row in contest.rows
        if _is_for_pyperf(contest, row)
    )
    return (
        f'{{"version":{_compact(_PYPERF)},"metadata":{_compact(_metadata(outcome))},\n'
        f'"benchmarks":[{benchmarks}],\n'
        f'{_compact(_OURS)}:{head},"contests":[{contests}]}}}}\n'
    )


def _lines(parts: Iterable[Json]) -> str:
    return ",\n".join(map(_compact, parts))


def _compact(part: Any) -> str:
    return json.dumps(part, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _metadata(outcome: RunOutcome) -> Json:
    """What pyperf shows of all benchmarks: texts that aren't empty."""
    told = {
        "python_version": outcome.circumstances.get("python"),
        "cpu_model_name": outcome.circumstances.get("cpu"),
    }
    return {name: str(text).strip() for name, text in told.items() if str(text or "").strip()}


def _is_for_pyperf(contest: ContestOutcome, row: RowOutcome) -> bool:
    """Whether pyperf takes the costs: it wants some, all above 0."""
    costs = row.costs(contest.clock)
    return bool(costs) and all(0 < cost < math.inf for cost in costs)


def _benchmark(contest: ContestOutcome, row: RowOutcome) -> Json:
    values = _rounded(row.costs(contest.clock), contest.clock)
    metadata = {"name": _benchmark_name(contest, row), "unit": _unit(contest)}
    return {"metadata": metadata, "runs": [{"values": values}]}


def _benchmark_name(contest: ContestOutcome, row: RowOutcome) -> str:
    return f"{contest.name}: {row.name}"


def _unit(contest: ContestOutcome) -> str:
    """One of pyperf's."""
    if contest.clock is not Clock.VALUE:
        return "second"
    words = {*contest.unit.lower().split()}
    return "byte" if words & {"b", "byte", "bytes", "kb", "kib", "mb", "mib", "gb"} else "integer"


def _contest_written(contest: ContestOutcome) -> Json:
    return {
        "workload": contest.workload,
        "name": contest.name,
        "question": contest.question,
        "unit": contest.unit,
        "clock": contest.clock.value,
        "scale": contest.scale,
        "goals": [[goal.at_most, goal.of, goal.row] for goal in contest.goals],
        "subject": contest.subject,
        "yardstick": contest.yardstick,
        "rows": [_row_written(contest, row) for row in contest.rows],
        "absent": contest.absent,
    }


def _row_written(contest: ContestOutcome, row: RowOutcome) -> Json:
    """What there is of a row; its costs by the clock of the contest only if pyperf has them not."""
    elsewhere = contest.clock if _is_for_pyperf(contest, row) else None
    told: Json = {
        "contender": row.contender if row.contender != row.name else "",
        "promises": row.promises,
        "note": row.note,
        **{
            name: _rounded(getattr(row, name), clock)
            for clock, name in _COSTS.items()
            if clock is not elsewhere
        },
        "error": row.error,
        "message": row.message,
        "traced": row.traced and int(_digits(row.traced, 4)),
        "rss": row.rss and int(_digits(row.rss, 4)),
    }
    return {"name": row.name, **{name: value for name, value in told.items() if value}}


def _rounded(costs: Sequence[float], clock: Clock) -> list[float | None]:
    """Times with 4 digits; values with so many that a count stays what it is. What has no end is
    null, which JSON knows."""
    digits = 12 if clock is Clock.VALUE else 4
    return [_digits(cost, digits) if math.isfinite(cost) else None for cost in costs]


def _digits(number: float, digits: int) -> float:
    rounded = float(f"{number:.{digits}g}")
    return int(rounded) if rounded == int(rounded) else rounded


# Reading


def _run(document: Json) -> RunOutcome:
    told = document[_OURS]
    costs = {
        benchmark["metadata"]["name"]: [
            value for run in benchmark["runs"] for value in run.get("values", ())
        ]
        for benchmark in document["benchmarks"]
    }
    return RunOutcome(
        library=told["library"],
        size=told["size"],
        rounds=told["rounds"],
        circumstances=told["circumstances"],
        contenders=told["contenders"],
        contests=[_contest_read(contest, costs) for contest in told["contests"]],
        complete=told["complete"],
        absent=told["absent"],
    )


def _contest_read(told: Json, costs: Mapping[str, list[float]]) -> ContestOutcome:
    contest = ContestOutcome(
        **{
            **told,
            "clock": Clock(told["clock"]),
            "goals": [Goal(*goal) for goal in told["goals"]],
            "rows": [],
        }
    )
    for each in told["rows"]:
        row = _row_read(each)
        by_pyperf = costs.get(_benchmark_name(contest, row))
        if by_pyperf is not None:
            setattr(row, _COSTS[contest.clock], [float(cost) for cost in by_pyperf])
        contest.rows.append(row)
    return contest


def _row_read(told: Json) -> RowOutcome:
    row = RowOutcome(**{"contender": told["name"], **told})
    for name in _COSTS.values():
        given = getattr(row, name)
        setattr(row, name, [math.inf if cost is None else float(cost) for cost in given])
    return row
