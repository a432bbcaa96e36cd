"""Drains runs from outside: from another thread, or from a signal handler."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from .._common.encoding import printed
from .._common.messages import check_seconds
from .._common.text import counted

__all__ = ["GRACE", "Stopper"]

#: Seconds that calls in flight have to end where nothing else is said.
GRACE: Final = 10.0


@printed
class Stopper:
    """Drains runs from any thread or from a signal handler; pass it to `run` and its kin as `stop`.

    Any number of runs may share one, at once or one after the other.

    >>> from fluxus_rx import run, step
    >>> stopper = Stopper()
    >>> def numbers():
    ...     for x in range(1_000_000):
    ...         if x == 3:
    ...             stopper.stop()
    ...         yield {"x": x}
    >>> result = run(step("src", numbers), stop=stopper)
    >>> len(result[0]) < 1_000_000, result.complete, stopper.stopped
    (True, False, True)
    """

    # Without a lock, which a signal handler might find taken by the code that it breaks into: a run
    # is added before it looks whether it is late, and `stop` looks for runs after it has said so.

    def __init__(self) -> None:
        self._within: float | None = None
        self._runs: dict[int, Callable[[float], None]] = {}

    @property
    def stopped(self) -> bool:
        """Whether `stop()` has been called."""
        return self._within is not None

    def stop(self, within: float = GRACE) -> None:
        """Have the runs begin no new calls, and end when the calls in flight have ended, or after
        so many seconds. A run that begins later ends at once.

        The runs return their outputs so far, as after `Run.drain`; unfinished products are
        `pending`. Returns at once; called again, it may shorten the time. Raises ValueError if
        `within` isn't a number of seconds.

        >>> stopper = Stopper()
        >>> stopper.stop()
        >>> stopper.stopped
        True
        """
        check_seconds("within", within, zero_fits=True)
        self._within = within
        for stop_run in [*self._runs.values()]:
            stop_run(within)

    def __repr__(self) -> str:
        state = "not stopped" if self._within is None else f"stopped within {self._within:g} s"
        return f"<Stopper: {state}, of {counted(len(self._runs), 'run')}>"

    def _flow_add(self, stop_run: Callable[[float], None]) -> Callable[[], object]:
        """Have `stop_run` called, in whatever thread, with the seconds that calls have; returns
        what takes it away again."""
        key = id(stop_run)
        self._runs[key] = stop_run
        if self._within is not None:
            stop_run(self._within)
        return lambda: self._runs.pop(key, None)
