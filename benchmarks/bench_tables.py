"""What does a table of many outputs cost, and is it linear?"""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from typing import Any

from .harness import (
    OURS,
    Contender,
    Contest,
    Goal,
    Measure,
    Scale,
    WrongOutputs,
    benchmark,
    peer,
    timed,
)
from .work import STEPS, Lineage, chain_outputs, items, sync_steps

KIB = 1024
#: By hand there is nothing to find out: the outputs are nested dictionaries, the columns known.
BY_HAND = 3
#: What a row of ten times as many may cost: what is quadratic would be 10 times dearer.
LINEAR = 1.5
NAMES = ("src", *(f"step{number}" for number in range(1, STEPS + 1)))

Table = Callable[[int], Any]


@benchmark(
    "tables",
    question="What does a table of 100,000 outputs cost, and is it linear?",
    goal=f"at most {BY_HAND}x columns by hand; at most {LINEAR:g}x for a row of ten times as many;"
    " at least 10x less memory in Python than a dictionary for each row",
)
def contests(scale: Scale) -> Iterable[Contest]:
    """Frames and Arrow tables: against the same by hand, against a tenth, and their memory."""
    few, many = scale.pick(10_000, 50), scale.pick(100_000, 500)
    for package in ("pandas", "pyarrow"):
        peer(package)  # imported now, or the first to be timed would pay for it
    for title, package, ours, by_hand in (
        ("to_frame", "pandas", _frame, _frame_by_hand),
        ("to_arrow", "pyarrow", _arrow, _arrow_by_hand),
    ):
        enter = partial(_timed, package=package, scale=scale)
        contenders = [enter(OURS, ours, many), enter("columns by hand", by_hand, many)]
        goals = [Goal("columns by hand", BY_HAND)]
        yield Contest(f"{title}, {many:,} outputs", "µs per output", contenders, goals)
        sizes = [enter(f"{count:,} outputs", ours, count) for count in (few, many)]
        goals = [Goal(sizes[0].name, LINEAR)]
        title = f"{title}: growth"
        yield Contest(title, "µs per output", sizes, goals, subject=sizes[1].name)
    yield _memory(many)


@lru_cache(maxsize=1)
def _result(count: int) -> Any:
    """A result that nobody has looked at. One is kept: it weighs on what is measured next."""
    flows = peer(OURS)
    steps = (flows.step(name, function) for name, function in sync_steps().items())
    return flows.run(flows.chain(flows.step("src", items(count)), *steps))


@lru_cache(maxsize=1)
def _outputs(count: int) -> list[Lineage]:
    return chain_outputs(count)


def _frame(count: int) -> Any:
    return _result(count).to_frame()


def _frame_by_hand(count: int) -> Any:
    outputs = _outputs(count)
    return peer("pandas").DataFrame(
        {(name, "x"): [output[name]["x"] for output in outputs] for name in NAMES}
    )


def _arrow(count: int) -> Any:
    return _result(count).to_arrow()


def _arrow_by_hand(count: int) -> Any:
    outputs = _outputs(count)
    return peer("pyarrow").table(
        {f"{name}.x": [output[name]["x"] for output in outputs] for name in NAMES}
    )


def _arrow_by_rows(count: int) -> Any:
    rows = [{f"{name}.x": output[name]["x"] for name in NAMES} for output in _outputs(count)]
    return peer("pyarrow").Table.from_pylist(rows)


def _timed(name: str, make: Table, count: int, *, package: str, scale: Scale) -> Contender:
    def measure() -> float:
        # Not in the time: the outputs, which are there before anyone asks for a table.
        (_result if make in (_frame, _arrow) else _outputs)(count)
        once: Measure = timed(
            partial(make, count),
            partial(_is_right, count),
            units=count,
            at_least=scale.at_least,
        )
        return once()

    return Contender(name, measure, package=package)


def _is_right(count: int, table: Any) -> bool:
    """Whether a frame or an Arrow table has all rows, and the last column all values."""
    last = NAMES[-1]
    if hasattr(table, "to_pylist"):
        values = table.column(f"{last}.x").to_pylist()
    else:
        values = table[last, "x"].tolist()
    added = sum(range(STEPS + 1))
    return bool(values == [*range(added, added + count)])


def _memory(count: int) -> Contest:
    contenders = [
        Contender(OURS, partial(_peak, _arrow, count), package="pyarrow"),
        Contender("Table.from_pylist", partial(_peak, _arrow_by_rows, count), package="pyarrow"),
    ]
    goals = [Goal("Table.from_pylist", 0.1, "at least 10x less")]
    return Contest(f"peak in Python: to_arrow, {count:,} outputs", "KiB", contenders, goals)


def _peak(make: Table, count: int) -> float:
    """Peak memory in KiB that making a table takes beside the outputs and Arrow's own memory."""
    make(count)
    gc.collect()
    tracemalloc.start()
    try:
        table = make(count)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    if not _is_right(count, table):
        raise WrongOutputs(f"{table.num_rows} rows of {count} outputs")
    return peak / KIB
