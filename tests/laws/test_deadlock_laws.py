"""No flow waits for itself, whatever its calls contend for."""

from __future__ import annotations

import pytest

from fluxus_rx.testing import run_virtual
from tests.support.contended_flows import ContendedFlow


def assert_ends(seed: int) -> None:
    """The flow of this seed returns what nested loops would return, within all of its limits."""
    flow = ContendedFlow(seed)
    # A deadlock is an error in virtual time, and names the tasks that wait.
    assert run_virtual(flow.outputs(), patience=0) == flow.expected, seed
    for made in flow.steps:
        assert made.running == 0, seed
        assert made.peak <= made.size, seed
    assert [limiter.inside for limiter in flow.limiters] == [0, 0], seed


@pytest.fixture(autouse=True)
def quick_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of runs: debug mode, which other tests have, takes three times as long."""
    monkeypatch.delenv("PYTHONASYNCIODEBUG")


def test_a_flow_whose_calls_contend_for_slots_permits_and_room_ends() -> None:
    """Reused steps, shared limiters, small buffers, generators, lines and groups: each run ends."""
    for seed in range(200):
        assert_ends(seed)


@pytest.mark.thorough
def test_flows_of_many_more_seeds_end() -> None:
    """The same, for 5,000 other seeds."""
    for seed in range(200, 5_200):
        assert_ends(seed)
