"""What does it cost to begin: to import the library, to build a flow, to get a first result?"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from tempfile import mkdtemp
from types import ModuleType
from typing import Any

from ..measuring.contenders import Contenders
from ..measuring.contest import (
    OURS,
    CannotDo,
    Clock,
    Contest,
    Goal,
    Row,
    Size,
    Trial,
    Workload,
    WrongOutputs,
)
from ..work.functions import Attributes, Lineage, chain_output, step_function, steps
from ..work.trials import prepared, same_as, trial

__all__ = ["WORKLOAD"]

#: What nobody should pay for who only imports the library.
HEAVY = ("graphviz", "matplotlib", "numpy", "pandas", "pyarrow", "rich", "tenacity")
_ENGINES = "reactivex and aiostream"
_FLUXUS, _STREAMABLE = "fluxus", "streamable"

_SOURCES = Path(__file__).parent.parent.parent / OURS

_CHILD = """
import sys, time
begin = time.process_time()
import {modules}
spent = time.process_time() - begin
print(spent, *(name for name in {heavy} if name in sys.modules))
"""


def contests(size: Size, contenders: Contenders) -> Iterable[Contest]:
    """Importing, then building flows of several shapes, then their first results."""
    yield _importing(contenders)
    yield _building(size, contenders)
    yield _first_results(size, contenders)
    yield _nested()


# Importing


def _importing(contenders: Contenders) -> Contest:
    imports: list[tuple[str, str, str, tuple[str, ...]]] = [
        (OURS, OURS, OURS, ()),
        (_ENGINES, OURS, "reactivex, aiostream", ()),
    ]
    imports += [(name, name, name, HEAVY) for name in (_FLUXUS, _STREAMABLE) if name in contenders]
    return Contest(
        "startup, import",
        "What does `import fluxus_rx` cost, next to importing the libraries that it stands on?",
        "ms of CPU",
        [
            Row(name, contender, prepared(partial(_imports, modules, allowed), _any, value=float))
            for name, contender, modules, allowed in imports
        ],
        clock=Clock.VALUE,
        scale=1e3,
        goals=[Goal(1.5, _ENGINES)],
        yardstick=_ENGINES,
    )


def _any(_: object) -> None:
    """What was returned has been looked at already."""


def _imports(modules: str, allowed: tuple[str, ...]) -> Callable[[], float]:
    """Imports these in an interpreter of its own, and tells for how long that computed there."""
    code = _CHILD.format(modules=modules, heavy=HEAVY)

    def run() -> float:
        said = subprocess.run(
            [sys.executable, "-c", code],
            env=_compiling(),
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        if heavy := set(said[1:]) - set(allowed):
            raise WrongOutputs(f"import {modules} imports {', '.join(sorted(heavy))} too")
        return float(said[0])

    return run


@cache
def _compiling() -> Mapping[str, str]:
    """An environment in which compiled files are kept: in a place of their own, where they can't be
    written beside the sources. A checkout would be compiled again each time, and an installed
    library not."""
    environment = {**os.environ}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    if not os.access(_SOURCES, os.W_OK):
        environment["PYTHONPYCACHEPREFIX"] = mkdtemp()
    return environment


# Flows of several shapes


def _chain(depth: int) -> Any:
    """Steps in a row."""
    from fluxus_rx import chain, step

    functions = steps("plain", depth).items()
    return chain(_source(), *(step(name, function) for name, function in functions))


def _source() -> Any:
    from fluxus_rx import step

    return step("src", {"x": 0})


def _groups_in_series(count: int) -> Any:
    """Groups of two branches, of which the second emits nothing: there is one output."""
    from fluxus_rx import chain, parallel, step

    groups = (
        parallel(step(name, function), step(f"{name}_not", _nothing))
        for name, function in steps("plain", count).items()
    )
    return chain(_source(), *groups)


def _groups_side_by_side(count: int) -> Any:
    """Branches of a step and a group of two."""
    from fluxus_rx import chain, parallel, step

    add = step_function("plain", 1)
    branches = (
        chain(step(f"step{n}", add), parallel(step(f"a{n}", add), step(f"b{n}", add)))
        for n in range(count)
    )
    return chain(_source(), parallel(*branches))


def _groups_nested(depth: int) -> Any:
    """Groups of two branches, of which the first has the next group; the second emits nothing."""
    from fluxus_rx import chain, parallel, step

    flow: Any = step("inner", step_function("plain", 1))
    for n in range(depth):
        flow = parallel(chain(step(f"step{n}", _same), flow), step(f"other{n}", _nothing))
    return chain(_source(), flow)


def _nothing(x: int) -> list[Attributes]:
    return []


def _same(x: int) -> Attributes:
    return {"x": x}


def _fluxus_chain(depth: int) -> Any:
    from fluxus import functional

    made: Any = functional
    functions = steps("plain", depth).items()
    return made.chain(made.step("src", {"x": 0}), *(made.step(*each) for each in functions))


@dataclass(frozen=True)
class _Shape:
    """What is built of how many parts, and its steps; `name` comes after that of the library."""

    name: str
    build: Callable[[int], Any]
    count: int
    steps: int
    contender: str = OURS

    @property
    def row(self) -> str:
        return f"{self.contender}{self.name}"

    @property
    def note(self) -> str:
        return f"{self.steps:,} steps" if self.steps > 1 else ""


_MANY_STEPS, _MANY_GROUPS = ", many steps", ", many groups"


def _chains(many: int) -> Iterable[_Shape]:
    for name, count in (("", 100), (", 1 step", 1), (_MANY_STEPS, many)):
        yield _Shape(name, _chain, count, count)


_OF_FLUXUS = _Shape("", _fluxus_chain, 100, 100, _FLUXUS)


def _contest(name: str, question: str, rows: list[Row], goals: list[Goal]) -> Contest:
    return Contest(name, question, "µs per step", rows, goals=goals, yardstick=OURS)


def _many(size: Size) -> int:
    return size.pick(1_000, 300)


# Building


def _building(size: Size, contenders: Contenders) -> Contest:
    many = _many(size)
    shapes = [*_chains(many), _Shape(_MANY_GROUPS, _groups_in_series, many, 2 * many)]
    if _FLUXUS in contenders:
        shapes.append(_OF_FLUXUS)
    rows = [
        Row(shape.row, shape.contender, partial(_prepare_building, shape), shape.note)
        for shape in shapes
    ]
    goals = [Goal(1.25, OURS, f"{OURS}{name}") for name in (_MANY_STEPS, _MANY_GROUPS)]
    question = "What does it cost to build a flow, per step?"
    return _contest("startup, building", question, rows, goals)


def _prepare_building(shape: _Shape, _: ModuleType) -> Trial:
    return trial(partial(shape.build, shape.count), _is_built, units=shape.steps)


def _is_built(flow: Any) -> None:
    """What was built has as many branches as it is read with."""
    if not hasattr(flow, "n_concurrent_conduits"):
        raise WrongOutputs(f"{flow!r:.100} was built")


# First results


def _first_results(size: Size, contenders: Contenders) -> Contest:
    groups = size.pick(1_000, 50, 20)
    shapes = [
        *_chains(_many(size)),
        _Shape(", groups side by side", _groups_side_by_side, groups, 3 * groups),
        _Shape(", 8 groups in series", _groups_in_series, 8, 16),
    ]
    rows = [Row(shape.row, OURS, partial(_prepare_first, shape), shape.note) for shape in shapes]
    if _FLUXUS in contenders:
        rows.append(Row(_FLUXUS, _FLUXUS, _prepare_fluxus, _OF_FLUXUS.note))
    goals = [Goal(1.25, OURS, f"{OURS}{_MANY_STEPS}")]
    question = "What does a flow cost from building it to its first result, per step?"
    return _contest("startup, first result", question, rows, goals)


def _prepare_first(shape: _Shape, _: ModuleType) -> Trial:
    from fluxus_rx import stream

    expected = _first_output(shape)

    def run() -> Any:
        outputs = stream(shape.build(shape.count))
        return next(outputs), outputs

    def check(given: Any) -> None:
        (path, output), outputs = given
        outputs.close()
        if path != 0 or output != expected:
            raise WrongOutputs(f"{output!r:.100} came, and not {expected!r:.100}")

    return trial(run, check, units=shape.steps)


def _first_output(shape: _Shape) -> Lineage:
    if shape.build is _groups_side_by_side:
        return {"src": {"x": 0}, "step0": {"x": 1}, "a0": {"x": 2}}
    return chain_output(0, shape.count)


def _prepare_fluxus(_: ModuleType) -> Trial:
    """It has no results before the end: of one item, that is the first."""
    from fluxus.functional import run

    count = _OF_FLUXUS.count
    check = same_as(lambda: [chain_output(0, count)])
    return trial(lambda: [*run(_fluxus_chain(count)).get_outputs()], check, units=count)


# Nested groups


def _nested() -> Contest:
    shallow = f"{OURS}, 50 deep"
    rows = [
        Row(name, OURS, prepared(partial(_running_of, depth), _is_nested(depth), units=2 * depth))
        for name, depth in ((OURS, 500), (shallow, 50))
    ]
    return _contest(
        "startup, groups nested 500 deep",
        "What does a flow cost whose groups are nested very deep, to build and run, per step?",
        rows,
        [Goal(1.25, shallow)],
    )


def _running_of(depth: int) -> Callable[[], Any]:
    from fluxus_rx import run

    def running() -> Any:
        try:
            return [*run(_groups_nested(depth)).get_outputs()]
        except RecursionError:
            raise CannotDo("RecursionError") from None

    return running


def _is_nested(depth: int) -> Callable[[Any], None]:
    names = [f"step{n}" for n in reversed(range(depth))]
    return same_as(
        lambda: [{"src": {"x": 0}, **{name: {"x": 0} for name in names}, "inner": {"x": 1}}]
    )


WORKLOAD = Workload(
    "startup",
    "What does it cost to begin: to import the library, to build a flow, to get a first result?",
    contests,
    sizes="1, 100 and 1,000 steps, 1,000 groups (quick 300; side by side 50)",
    seconds=20,
    rank=15,
)
