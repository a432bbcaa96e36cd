"""Demand through every operator of Rx: what the table in the docs says is what is measured here.

With FLUXUS_RX_GOLDEN=write the rows are written instead of compared.
"""

from __future__ import annotations

import asyncio
import csv
import inspect
import io
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import reactivex
from reactivex import ConnectableObservable, Observable, abc
from reactivex import operators as ops
from reactivex.disposable import Disposable
from reactivex.scheduler.eventloop import AsyncIOScheduler

from fluxus_rx import InvalidFlowError, rx_pipe, step
from fluxus_rx.rx import FlowScheduler
from fluxus_rx.testing import run_virtual
from tests.support.demand_measured import MANY, TICK, TICKS, Measurement, plainly
from tests.support.demand_operators import BOUNDED, BY_TIME, DRAINED, REFUSED, RESULTS, UNBOUNDED

DOCS = Path(__file__).parents[2] / "docs" / "rx"
TABLE = DOCS / "demand_table.csv"
HEAD = ["Operator", "Source runs ahead", "In memory", "Why"]

KINDS = {
    "bounded": BOUNDED,
    "by time": BY_TIME,
    "unbounded": UNBOUNDED,
    "drained": DRAINED,
    "refused": REFUSED,
}
#: What each operator is expected to do, how it is written, and why it does it.
ENTRIES = {
    name: (kind, *written) for kind, entries in KINDS.items() for name, written in entries.items()
}


def operators() -> set[str]:
    """The names of all operators of the installed reactivex."""
    return {
        name
        for name, value in inspect.getmembers(ops, inspect.isfunction)
        if value.__module__ == ops.__name__ and not name.startswith("_")
    }


def table() -> dict[str, list[str]]:
    """The rows that are written down, by how the operator is written."""
    text = TABLE.read_text(encoding="utf-8") if TABLE.exists() else ""
    return {row[0]: row for row in [*csv.reader(io.StringIO(text))][1:]}


def cell(name: str) -> str:
    """The operator as it is written, as the table has it; its name too where others come first."""
    operator, written = name.split()[0], ENTRIES[name][1]
    return (
        f"``{written}``"
        if written.startswith(f"{operator}(")
        else f"``{operator}``, as ``{written}``"
    )


def ahead(first: str, second: str) -> str:
    """How far the source runs ahead, and the second one where there is one, each with its mark."""
    return f"{marked(first)}; other: {marked(second)}" if second else marked(first)


def marked(kind: str) -> str:
    """A kind in the role that colours it on the page."""
    role = "bounded" if kind.isdigit() else "timed" if kind.startswith("by time: ") else kind
    return f":{role}:`{kind}`"


def write(rows: dict[str, list[str]]) -> None:
    """Write the rows down, in the order of the operators; those of no entry are left out."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    cells = [cell(name) for name in sorted(ENTRIES)]
    writer.writerows([HEAD, *(rows[first] for first in cells if first in rows)])
    TABLE.write_text(text.getvalue(), encoding="utf-8")


def flat(items: Iterable[Any]) -> list[Any]:
    """The items of lists, and of lists in them."""
    found: list[Any] = []
    for item in items:
        found += flat(item) if isinstance(item, list | tuple) else [item]
    return found


def as_rx_gives(how: str, results: list[Any] | None, plain: list[Any] | None) -> bool:
    """Whether these are the results of Rx alone, as far as they are to be."""
    if results is None or plain is None:
        return results is plain
    shown, expected = [[str(one) for one in several] for several in (results, plain)]
    if shown == expected:
        return True
    match how:
        case "sorted":
            return sorted(shown) == sorted(expected)
        case "values":
            return [one.value for one in results] == [one.value for one in plain]
        case "flat":
            return flat(results) == sorted(flat(results)) and len(flat(results)) >= len(flat(plain))
        case "part":
            return bool(results) and flat(results) == sorted({*flat(results)})
    return False


def test_every_operator_has_an_entry() -> None:
    """No operator of the installed reactivex is without one, and each entry is of one of these."""
    assert {name.split()[0] for name in ENTRIES} == operators() == {*ops.__all__}
    assert len(ENTRIES) == sum(map(len, KINDS.values()))


@pytest.mark.parametrize("name", sorted(REFUSED))
async def test_the_table_says_what_a_flow_refuses(name: str) -> None:
    """As it is put together, and nothing is left behind."""
    row = [cell(name), marked("refused"), "", REFUSED[name][1]]
    if os.environ.get("FLUXUS_RX_GOLDEN") == "write":
        write({**table(), cell(name): row})
    assert table().get(cell(name)) == row
    flow = step("numbers", [{"x": 1}]) >> rx_pipe(getattr(ops, name)())
    with pytest.raises(InvalidFlowError, match="not an Observable"):
        flow.to_observable()


@pytest.mark.parametrize("name", sorted(ENTRIES.keys() - REFUSED))
def test_the_table_says_how_far_a_source_runs_ahead(name: str) -> None:
    """With the operator between a fast source and a slow step, what is measured is what the row
    says; and once the step is let go the run ends, with the results of Rx alone."""
    kind, written, why = ENTRIES[name]
    measurement = Measurement(written)
    first, second, kept = measurement.cells
    row = [cell(name), ahead(first, second), kept, why]
    rows = table()
    if os.environ.get("FLUXUS_RX_GOLDEN") == "write":
        write({**rows, cell(name): row})
        rows = table()
    assert measurement.kind == kind
    assert rows.get(cell(name)) == row
    assert all(found.closed for found in measurement.every)

    how = RESULTS.get(name, "same")
    for found, number, tick in (
        (measurement.at_once[0], MANY[0], 0.0),
        (measurement.ticking[0], TICKS[0], TICK),
    ):
        if how == "some":
            # Each item meets all others that are there: in Rx alone, as many pairs as there can be.
            assert found.results
        else:
            assert as_rx_gives(how, found.results, run_virtual(plainly(written, number, tick)))


def test_the_table_has_no_row_beside_these() -> None:
    """What was measured once and is no longer is not in the docs."""
    assert [*table()] == [cell(name) for name in sorted(ENTRIES)]


def test_no_scheduler_of_an_operator_replaces_that_of_the_run() -> None:
    """Whatever scheduler an operator is given, its source is subscribed to with that of the run."""
    able = {
        name
        for name in operators()
        if "scheduler" in inspect.signature(getattr(ops, name)).parameters
    }
    assert len(able) > 20
    assert {name for name in able if not run_virtual(_carries_on(name))} == set()


async def _carries_on(name: str) -> bool:
    """Whether the source is subscribed to with the run, whatever the operator's own scheduler."""
    found: list[abc.SchedulerBase | None] = []

    def subscribe(
        _: abc.ObserverBase[Any], scheduler: abc.SchedulerBase | None = None
    ) -> abc.DisposableBase:
        found.append(scheduler)
        return Disposable()

    own = AsyncIOScheduler(asyncio.get_running_loop())
    operator = getattr(ops, name)
    needed = [
        1
        for parameter in inspect.signature(operator).parameters.values()
        if parameter.default is parameter.empty and parameter.name != "scheduler"
    ]
    operators = [operator(*needed, scheduler=own)]
    if isinstance(operators[0](reactivex.never()), ConnectableObservable):
        operators.append(ops.ref_count())
    piped = rx_pipe(*operators)(Observable(subscribe))
    subscription = piped.subscribe(on_error=lambda _: None, scheduler=FlowScheduler.of(None))
    await asyncio.sleep(2)
    subscription.dispose()
    return isinstance(found[0], FlowScheduler)
