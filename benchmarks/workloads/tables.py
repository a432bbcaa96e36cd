"""What does a table of many outputs cost, and is it linear?"""

from __future__ import annotations

import importlib
import tracemalloc
from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from types import ModuleType
from typing import Any

from ..measuring.contenders import Contenders
from ..measuring.contest import (
    BY_HAND,
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
from ..work.functions import STEPS, Lineage, chain_outputs, items, steps

__all__ = ["WORKLOAD"]

NAMES = ("src", *(f"step{number}" for number in range(1, STEPS + 1)))
FEW = f"{OURS}, a tenth of them"

#: Returns outputs, which are there before anyone asks for a table; and makes a table of them.
Outputs = Callable[[int], Any]
Table = Callable[[Any], Any]


def contests(size: Size, contenders: Contenders) -> Iterable[Contest]:
    """Frames and Arrow tables: the time, also of a tenth of the outputs, and the memory."""
    count = size.pick(100_000, 2_000, 500)
    for name, package, ours, by_hand in (
        ("to_frame", "pandas", _frame, _frame_by_hand),
        ("to_arrow", "pyarrow", _arrow, _arrow_by_hand),
    ):
        yield Contest(
            f"tables, {name}",
            f"What does an output cost in {name}(), next to columns that are known?",
            "µs per output",
            [
                Row(OURS, OURS, partial(_timed, package, _result, ours, count)),
                Row(BY_HAND, BY_HAND, partial(_timed, package, _outputs, by_hand, count)),
                Row(FEW, OURS, partial(_timed, package, _result, ours, count // 10)),
            ],
            # What is quadratic would be ten times dearer than of a tenth.
            goals=[Goal(3), Goal(1.5, of=FEW)],
        )
    yield Contest(
        "tables, memory of to_arrow",
        "How much memory in Python does making an Arrow table take, beside outputs and table?",
        "KiB",
        [
            Row(OURS, OURS, partial(_weighed, _result, _arrow, count)),
            Row(BY_HAND, BY_HAND, partial(_weighed, _outputs, _arrow_by_rows, count), "by rows"),
        ],
        clock=Clock.VALUE,
        scale=1 / 1024,
        goals=[Goal(0.1)],
    )


def _timed(package: str, outputs: Outputs, make: Table, count: int, contender: ModuleType) -> Trial:
    _import(package)
    return Trial(
        lambda: make(outputs(count)),
        partial(_check, count),
        units=count,
        setup=partial(_keep, outputs, count),
    )


def _weighed(outputs: Outputs, make: Table, count: int, contender: ModuleType) -> Trial:
    """A trial whose value is the peak of Python's allocator, which doesn't see Arrow's memory."""
    _import("pyarrow")

    def run() -> tuple[Any, int]:
        of = outputs(count)
        tracemalloc.start()
        try:
            table = make(of)
            return table, tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    return Trial(
        run,
        lambda made: _check(count, made[0]),
        setup=partial(_keep, outputs, count),
        value=lambda made: float(made[1]),
    )


def _import(package: str) -> None:
    """Before any time counts; raises `CannotDo` where it isn't installed."""
    try:
        importlib.import_module(package)
    except ModuleNotFoundError:
        raise CannotDo(f"needs {package}") from None


def _keep(outputs: Outputs, count: int) -> None:
    outputs(count)


# One is kept, as it weighs on each collection of garbage.
@lru_cache(maxsize=1)
def _result(count: int) -> Any:
    """A result that nobody has looked at."""
    from fluxus_rx import chain, run, step

    made = (step(name, function) for name, function in steps("plain").items())
    return run(chain(step("src", items(count)), *made))


@lru_cache(maxsize=1)
def _outputs(count: int) -> list[Lineage]:
    return chain_outputs(count)


def _frame(result: Any) -> Any:
    return result.to_frame()


def _arrow(result: Any) -> Any:
    return result.to_arrow()


def _frame_by_hand(outputs: list[Lineage]) -> Any:
    import pandas as pd

    return pd.DataFrame({(name, "x"): [output[name]["x"] for output in outputs] for name in NAMES})


def _arrow_by_hand(outputs: list[Lineage]) -> Any:
    import pyarrow as pa

    return pa.table({f"{name}.x": [output[name]["x"] for output in outputs] for name in NAMES})


def _arrow_by_rows(outputs: list[Lineage]) -> Any:
    """What knows no columns: a dictionary for each row."""
    import pyarrow as pa

    return pa.Table.from_pylist(
        [{f"{name}.x": output[name]["x"] for name in NAMES} for output in outputs]
    )


def _check(count: int, table: Any) -> None:
    """Whether a frame or an Arrow table has all rows, and each column all values."""
    for number, name in enumerate(NAMES):
        if hasattr(table, "to_pylist"):
            values = table.column(f"{name}.x").to_pylist()
        else:
            values = table[name, "x"].tolist()
        added = sum(range(number + 1))
        if values != [*range(added, added + count)]:
            raise WrongOutputs(f"the column of {name!r} is {values!r:.100}")


WORKLOAD = Workload(
    "tables",
    "What does a table of many outputs cost, and is it linear?",
    contests,
    sizes="100,000 outputs (quick 2,000)",
    seconds=25,
    rank=32,
)
