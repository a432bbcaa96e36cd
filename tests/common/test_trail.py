"""The way to a step: linear in time and memory however long, and never the same as another."""

from __future__ import annotations

import gc
import time
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from fluxus_rx._common.trail import Trail
from tests.support.errors import untyped

#: far beyond what could recurse
LONG = 200_000


def trail_of(*names: str) -> Trail:
    """The trail of these steps, the first one first."""
    trail: Trail | None = None
    for name in names:
        trail = Trail(name, trail)
    assert trail is not None
    return trail


def test_it_is_read_from_the_last_step_to_the_first() -> None:
    """Each step is the trail to it."""
    trail = trail_of("a", "b", "c")
    assert [step.name for step in trail] == ["c", "b", "a"]
    assert [step.depth for step in trail] == [3, 2, 1]
    assert trail.before is [*trail][1]
    assert trail.first is [*trail][-1]
    assert trail.first.before is None


def test_steps_without_a_name_stand_in_no_path() -> None:
    """They count for the depth alone."""
    trail = trail_of("a", "", "b", "")
    assert (trail.path, trail.depth) == ("a → b", 4)
    assert trail_of("").path == ""


@pytest.mark.parametrize(
    ("most", "path"),
    [(1, "… → c"), (2, "… → b → c"), (3, "a → b → c"), (4, "a → b → c")],
)
def test_a_short_path_has_the_last_names(most: int, path: str) -> None:
    """Dots stand for those that are left out."""
    assert trail_of("a", "b", "c").short_path(most) == path


def test_it_leads_to_itself_and_to_what_lies_behind_it() -> None:
    """And to nothing in front of it, nor beside it."""
    a = Trail("a")
    b, other_b = Trail("b", a), Trail("b", a)
    c = Trail("c", b)
    assert [a.leads_to(step) for step in (a, b, other_b, c)] == [True] * 4
    assert [b.leads_to(step) for step in (a, b, other_b, c)] == [False, True, False, True]
    assert not other_b.leads_to(c)


def test_it_is_equal_to_itself_alone() -> None:
    """Steps of one name in two branches are two places."""
    one, other = trail_of("a", "b"), trail_of("a", "b")
    assert one == one
    assert len({one: 1, other: 2}) == 2


def test_branches_that_begin_a_flow_are_known_from_the_inside_out() -> None:
    """All steps in front of the end of a branch are in it, those behind it are not."""
    first = Trail("first")
    second = Trail("second", first)
    for place in (second, Trail("beside", first)):
        assert not place.is_in("inner")
    Trail.begin_in_branch("inner", [second, first])
    behind = Trail("behind", second.out_of_branch())
    Trail.begin_in_branch("outer", [behind])
    last = Trail("last", behind.out_of_branch().into_branch("end"))
    assert [one.branch for one in (first, second, behind, last)] == [
        ("outer", "inner"),
        ("outer", "inner"),
        ("outer",),
        ("end",),
    ]
    assert last.branches == ["outer", "inner", "end"]
    assert last.path == "outer: inner: first → second → behind → end: last"
    assert [one.is_in("outer") for one in (first, behind, last)] == [True, True, False]


@pytest.mark.parametrize("name", ["name", "before", "depth"])
def test_it_does_not_change(name: str) -> None:
    """A step is where it is."""
    trail: Any = untyped(Trail("a"))
    with pytest.raises(FrozenInstanceError):
        setattr(trail, name, None)


def test_long_chains_take_linear_time_and_no_recursion() -> None:
    """Neither to be made, read, shown, looked at by the collector, nor to be let go of."""

    def seconds(length: int) -> float:
        began = time.process_time()
        trail = trail_of(*["a"] * length)
        assert trail.depth == length == sum(1 for _ in trail)
        assert trail.first.leads_to(trail)
        assert len(repr(trail)) > 3 * length
        gc.collect()
        del trail
        return time.process_time() - began

    seconds(1_000)
    assert seconds(LONG) < 30 * max(seconds(LONG // 10), 0.02)
