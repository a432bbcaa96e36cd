"""What the tests of progress share: a meter that says what a test wants it to."""

from __future__ import annotations

from fluxus_rx._monitoring.calls import Count
from fluxus_rx._monitoring.meter import Meter
from fluxus_rx._monitoring.progress import StepProgress


class Scripted(Meter):
    """A meter that counts nothing; a test sets what it says."""

    now = 0.0
    says: tuple[Count, ...] = ()

    @property
    def elapsed(self) -> float:
        return self.now

    def counts(self) -> list[Count]:
        return [*self.says]


def at(
    name: str = "fetch",
    done: int = 0,
    in_flight: int = 0,
    failed: int = 0,
    expected: int | None = None,
    rate: float = 0.0,
    eta: float | None = None,
    waiting: int = 0,
    blocked: bool = False,
    per_call: float | None = None,
) -> StepProgress:
    """How far a step is."""
    return StepProgress(
        name, done, in_flight, failed, expected, rate, eta, waiting, blocked, per_call
    )
