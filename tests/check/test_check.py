"""check() finds what is wrong with a flow before it runs, and says how to put it right."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import pytest

from fluxus_rx import (
    Finding,
    InvalidFlowError,
    InvalidOptionError,
    StepOptions,
    chain,
    check,
    parallel,
    passthrough,
    step,
)
from tests.support.capacities import Steps, numbers, told
from tests.support.conduits import Add, Collect, Fetch, Numbers
from tests.support.errors import refused, untyped


def plain(x: int) -> dict[str, int]:
    return {"x": x}


async def fetch(x: int) -> dict[str, int]:
    return {"x": x}


SRC = step("src", [{"x": 1}])
PLAIN, FETCH = step("f", plain), step("f", fetch)


def test_a_step_that_stands_twice_is_told_of_once() -> None:
    """In a chain or in branches, it has one set of options."""
    wide = FETCH.options(concurrency=None)
    assert len(told(SRC >> wide >> (wide & (wide >> PLAIN)))) == 1


def test_errors_come_first_and_all_in_the_order_of_the_flow() -> None:
    """Then warnings, then infos."""
    flow = (
        step("src", {"x": 1})
        >> step("a", fetch).options(concurrency=None)
        >> step("b", fetch).options(window=1)
    )
    early = (
        step("src", {"x": 1}) >> step("early", lambda z: {}) >> step("w", plain).options(buffer=1)
    )
    assert [(one.level, one.step) for one in check(flow)] == [
        ("warning", "a"), ("warning", "b"), ("info", "src → a"), ("info", "a → b"),
    ]  # fmt: skip
    assert [one.level for one in check(early)] == ["error", "warning", "info", "info"]


def test_findings_print_one_to_a_line() -> None:
    """As a list, and each by itself, whatever the names of steps are."""

    class Named(Add):
        name = "two\nlines"

    found = check(Numbers(3) >> Named().options(buffer=3))
    assert str(found) == repr(found) == "\n".join(map(str, found))
    assert str(found).splitlines()[0].startswith("warning: two\\nlines: buffer=3 has no effect: ")
    assert repr(check(SRC)) == "[]"
    assert str(Finding("info", "a → b", "text")) == "info: a → b: text"
    with pytest.raises(dataclasses.FrozenInstanceError):
        found[0].text = "other"  # type: ignore[misc]


def test_any_conduit_can_be_checked() -> None:
    """With the method as with the function."""
    for conduit in (
        SRC, FETCH, SRC & SRC, FETCH & PLAIN, FETCH & passthrough(), passthrough(), SRC >> FETCH,
        Numbers(3) >> Collect(), Fetch() >> Add(), Add() >> Collect(), Collect(),
        (SRC & SRC) >> (FETCH & passthrough()),
    ):  # fmt: skip
        assert conduit.check() == check(conduit)
        assert conduit.check(options=StepOptions(concurrency=3)) == check(
            conduit, options=StepOptions(concurrency=3)
        )


def test_what_is_no_flow_is_refused() -> None:
    """TypeError for a list of steps, ValueError for options that are none."""
    with refused(InvalidFlowError, "check() takes a flow, or a part of one, not ["):
        check(untyped([SRC]))
    with refused(InvalidOptionError, "options={'concurrency': 3} (dict): expected StepOptions("):
        check(SRC, options=untyped({"concurrency": 3}))


def edges(flow: Any) -> dict[str, Finding]:
    """What the edges hold."""
    return {finding.step: finding for finding in check(flow) if "→" in finding.step}


def test_numbers_are_per_path() -> None:
    """Where several paths lead to a step, what is behind it has a queue on each."""
    steps = Steps()
    group = steps.plain("a") & steps.fetch("b")
    flow = steps.source() >> group >> steps.fetch("c") >> steps.hold()
    finding = edges(flow)["c → hold"]
    assert finding.text.startswith("at most 272 products wait on each path (")


def test_the_way_to_fewer_products_is_told() -> None:
    """What sets the size of a queue is named, with the step that it is set on."""
    steps = Steps()
    flow = steps.source() >> steps.fetch("a", concurrency=5) >> steps.plain("b") >> steps.hold()
    finding = edges(flow)["a → b"]
    assert finding.text == (
        "at most 21 products wait (16 in the queue behind 'a', 5 with calls of 'a' that wait for"
        " room); 'b' takes them one at a time"
    )
    assert finding.remedy == "for fewer, lower buffer= of 'hold' and concurrency= of 'a'"


def test_what_connects_itself_is_not_known() -> None:
    """Of a transformer that puts itself into a flow, nobody knows how."""

    class Own(Fetch):
        def _flow_connect(self, source: Any) -> Any:
            return super()._flow_connect(source)

    findings = check(Numbers() >> Own() >> Fetch().options(buffer=3))
    assert [finding.text for finding in findings] == [
        "how many products wait depends on how they are taken"
    ] * 2


def test_groups_with_many_edges_between_them_are_told_as_one() -> None:
    """From 25 edges on, there is a finding for each step behind them, and not for each edge."""

    def group(name: str, size: int) -> Any:
        steps = Steps()
        return parallel(*(steps.fetch(f"{name}{n}", concurrency=n + 1) for n in range(size)))

    few = check(Steps().source() >> group("a", 4) >> group("b", 6))
    assert len(few) == 4 + 24
    many = check(Steps().source() >> group("a", 5) >> group("b", 5))
    assert len(many) == 5 + 5
    assert many[-1].step == "5 steps → b4"
    assert numbers(many[-1].text) == (16 + 5 + 1 + 16, 5)
    # Edges are counted, not branches: two of these begin with a group.
    nested = parallel(*(group(name, 3) >> group(f"{name}_", 1) for name in "bc"))
    assert len(check(Steps().source() >> group("a", 4) >> nested)) == 4 + 24 + 6
    assert len(check(Steps().source() >> group("a", 5) >> nested)) == 5 + 6 + 6


@pytest.mark.parametrize("grouped", [False, True])
def test_two_thousand_steps_take_no_time(grouped: bool) -> None:
    """Long chains, and chains of groups with more paths than there are atoms."""
    one = step("f", fetch).options(concurrency=2)
    part: Any = (one & passthrough()) if grouped else one
    flow = chain(SRC, *[part] * (300 if grouped else 2_000))
    start = time.process_time()
    found = check(flow)
    assert time.process_time() - start < 5
    assert 300 <= len(found) <= 300 * 24
    assert len(check(chain(SRC, parallel([one] * 1_000), part, part))) < 4_000
