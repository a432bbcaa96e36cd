"""The rules of Reactive Streams for a processor, and the table of all rules in the docs."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import fluxus_rx.reactive_streams
from fluxus_rx.reactive_streams import from_publisher, to_publisher
from tests.support.conduits import Add, Fail, Fetch
from tests.support.probes import Source, alone, until
from tests.support.reactive import Manual, Probe, settle

CHECKOUT = Path(__file__).parents[2]
TABLE = CHECKOUT / "docs" / "rx" / "reactive_streams.rst"

#: how many rules each chapter of the specification has
CHAPTERS = {1: 11, 2: 13, 3: 17, 4: 2}
RULES = [
    f"{chapter}.{rule:02}" for chapter, last in CHAPTERS.items() for rule in range(1, last + 1)
]


def processed(publisher: Any, transformer: Any, buffer: int = 4) -> Any:
    """A processor: a subscriber of one publisher, and a publisher of what a flow makes of it."""
    return to_publisher(from_publisher(publisher, buffer=buffer) >> transformer)


@pytest.mark.parametrize("transformer", [Add(10), Fetch(10).options(ordered=True)], ids=repr)
async def test_4_01_a_processor_obeys_the_rules_of_both(transformer: Any) -> None:
    """It requests what its buffer holds, and emits what was requested; the end passes through."""
    publisher = Manual()
    probe = Probe(first=3).of(processed(publisher, transformer))
    await until(lambda: publisher.requested == 4)
    given = 0
    for asked in (0, 1, 2, 5):
        if asked:
            probe.subscription.request(asked)
        while given < publisher.requested and given < 20:
            publisher.gives(given)
            given += 1
            await settle()
        assert probe.items == list(range(10, 10 + len(probe.items)))
        assert len(probe.items) <= 3 + 8
        assert publisher.cancelled == 0
    publisher.subscriber.on_complete()
    probe.subscription.request(100)
    assert await probe.all() == list(range(10, 10 + given))
    assert publisher.cancelled == 0


async def test_4_01_a_processor_hands_a_cancel_on() -> None:
    """The subscriber that leaves is the only one, so the publisher is told."""
    publisher = Manual()
    probe = Probe(first=1).of(processed(publisher, Add(10)))
    await until(lambda: publisher.requested == 4)
    publisher.gives(0)
    await until(lambda: probe.items == [10])
    probe.subscription.cancel()
    await until(alone)
    assert publisher.calls == [("request", 4), ("cancel", 0)]


async def test_4_01_processors_stand_behind_each_other() -> None:
    """The demand of the last one reaches the source, through ten of them."""
    source = Source()
    publisher: Any = to_publisher(source)
    for _ in range(10):
        publisher = processed(publisher, Add(1), buffer=1)
    probe = Probe(first=2).of(publisher)
    await until(lambda: len(probe.items) == 2)
    await settle()
    assert probe.items == [10, 11]
    # each one holds an item, and has read one ahead
    assert source.made <= 2 + 2 * 10 + 1
    probe.subscription.cancel()
    await until(lambda: source.closed == 1)
    await until(alone)


async def test_4_02_a_processor_hands_an_error_on() -> None:
    """The very error, behind the items before it; the subscription counts as cancelled."""
    error, publisher = ValueError("upstream"), Manual()
    probe = Probe(first=9).of(processed(publisher, Add(10)))
    await until(lambda: publisher.requested == 4)
    publisher.gives(0)
    publisher.subscriber.on_error(error)
    await probe.ended.wait()
    assert probe.signals[1:] == [("on_next", 10), ("on_error", error)]
    assert publisher.cancelled == 0


async def test_4_02_an_error_of_the_processor_itself_ends_both_sides() -> None:
    """Its subscriber hears it, and its publisher is told to stop."""
    error, publisher = ValueError("in between"), Manual()
    probe = Probe(first=9).of(processed(publisher, Fail(error, at=1)))
    await until(lambda: publisher.requested == 4)
    publisher.gives(0, 1, 2)
    await probe.ended.wait()
    assert probe.signals[1:] == [("on_next", 0), ("on_error", error)]
    assert publisher.cancelled == 1


def rows() -> Iterator[tuple[str, str, int]]:
    """Each rule of the table in the docs: whether it is kept, and how many tests it has."""
    for row in re.split(r"^   \* - ", TABLE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        cells = re.split(r"^     - ", row, flags=re.MULTILINE)
        if linked := re.match(r"`(\d\.\d\d) <https://\S+#(\d)\.(\d+)>`__", cells[0]):
            assert len(cells) == 4, row
            rule, chapter, number = linked.groups()
            assert rule == f"{chapter}.{int(number):02}"
            _, _, kept, tests = (" ".join(cell.split()) for cell in cells)
            yield rule, kept, int(tests.split()[0])


def named_after(rule: str) -> set[str]:
    """The tests that are numbered with a rule."""
    prefix = f"test_{rule.replace('.', '_')}_"
    return {
        node.name
        for path in Path(__file__).parent.glob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith(prefix)
    }


def test_the_table_has_each_rule_once_and_in_order() -> None:
    """Those of the four chapters, 1.01 to 4.02."""
    assert [rule for rule, _, _ in rows()] == RULES


@pytest.mark.parametrize("rule", RULES)
def test_the_table_counts_the_tests_of_a_rule(rule: str) -> None:
    """A rule that is kept has tests, as many as it says; one that isn't says why."""
    ((kept, tests),) = [(kept, tests) for found, kept, tests in rows() if found == rule]
    assert tests == len(named_after(rule))
    if tests:
        assert kept.startswith("kept")
    else:
        assert re.match(r"not applicable: \w+", kept)


def test_the_module_shows_its_names() -> None:
    """What is documented is what may be imported."""
    names = fluxus_rx.reactive_streams.__all__
    assert names == sorted(names)
    assert all(hasattr(fluxus_rx.reactive_streams, name) for name in names)
