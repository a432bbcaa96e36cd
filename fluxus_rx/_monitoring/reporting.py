"""Follows a run: reports how far it has come, while it runs and at its end."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import inspect
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final, TypeAlias

from .._common.messages import also_raised, note, notes_of, short, shown
from .._common.signatures import is_coroutine_function
from .._errors import InvalidOptionError
from .._loops.loop_errors import note_loop_error
from .._streams.context import unmistakable
from .calls import Count
from .displays import Display, fitting_display
from .meter import Meter
from .progress import GOES_ON, Progress, State, StepProgress, last_eta

__all__ = ["Follow", "check_progress", "reporting"]

#: What `progress=` takes: whether to show it, or a function to call with it.
Follow: TypeAlias = bool | Callable[[Progress], object] | None

#: A rate is that of the last so many seconds.
WINDOW: Final = 10.0

#: Seconds between the moments that are kept to tell a rate from; those between them are forgotten,
#: or what is told ten times a second would keep a hundred counts of each step.
SPACING: Final = 0.5

#: A display that is slow, as with thousands of steps or over a slow line, is called less often: it
#: takes at most one part in so many of the time.
SHARE: Final = 20


#: What stops a run that has not failed.
STOPS: Final = (asyncio.CancelledError, GeneratorExit, KeyboardInterrupt)


def check_progress(progress: object) -> None:
    """Refuse what can't be the `progress` of a run, before it begins.

    Raises `InvalidOptionError` (a ValueError).

    >>> check_progress(print)
    >>> check_progress("yes")
    Traceback (most recent call last):
        ...
    fluxus_rx.InvalidOptionError: progress='yes' (str): expected True, False, or a function that ...
    """
    if progress is None or isinstance(progress, bool):
        return
    if not callable(progress):
        raise InvalidOptionError(
            f"progress={shown(progress)}: expected True, False, or a function that takes a Progress"
        )
    if is_coroutine_function(progress):
        raise _is_asynchronous_error(progress)


def _is_asynchronous_error(progress: object) -> InvalidOptionError:
    return InvalidOptionError(
        f"progress={shown(progress)}: expected a plain function, not an asynchronous one; it is"
        " called on the loop of the run, where it may start a task"
    )


def reporting(progress: Follow, meter: Meter | None) -> Unreported | ProgressReporter:
    """Tells how far the run inside its block has come, if `progress` says so.

    The block gets what has to run beside it, on its loop: a function that makes the coroutine, or
    None. At the end of the block, however it ends, the last state is told, and the display closed.
    An error that comes up in doing so is raised, or becomes a note of the one that is being raised.
    """
    if progress is None or progress is False or meter is None:
        return contextlib.nullcontext()
    return ProgressReporter(
        meter, fitting_display() if progress is True else _ProgressFunction(progress)
    )


#: What a run that nobody follows has beside it.
Unreported: TypeAlias = contextlib.nullcontext[None]


class _Stop(Exception):
    """The run is to end; what for is told elsewhere."""


class ProgressReporter:
    """Reads the meter of a run, and passes on what it has read."""

    # No generator with contextlib's decorator: that assigns the traceback of what it passes on,
    # which an exception that is a frozen dataclass refuses.

    def __init__(self, meter: Meter, shown_by: Display) -> None:
        self._meter = meter
        self._tracker = Tracker(meter)
        self._display = shown_by
        self._is_broken = False
        #: an error that isn't an `Exception`, such as that of `sys.exit()`, and has ended the run
        self._stopped_by: BaseException | None = None

    def __enter__(self) -> Callable[[], Coroutine[Any, Any, None]]:
        return self.beside

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None:
            self.end("done")
            return
        try:
            self.end("cancelled" if isinstance(error, STOPS) else "failed")
        except Exception as late:
            also_raised(error, late)
        stopped_by = self._stopped_by
        if stopped_by is not None:
            if not isinstance(error, _Stop):
                also_raised(stopped_by, error)
            for text in notes_of(error):
                note(stopped_by, text)
            raise stopped_by from None

    async def beside(self) -> None:
        """Tell of the run until cancelled."""
        took = 0.0
        while True:
            await asyncio.sleep(max(self._display.interval, SHARE * took))
            began = self._meter.elapsed
            try:
                self._show(self._meter.state())
            except Exception:
                raise
            except BaseException as error:
                # Out of a task it would stop the loop at once, and leave the run as it is.
                self._stopped_by = error
                raise _Stop from None
            took = self._meter.elapsed - began

    def _show(self, state: State) -> None:
        try:
            self._display.show(self._tracker.progress(state))
        except BaseException:
            self._is_broken = True
            raise

    def end(self, state: State) -> None:
        """Tell of the end; what has raised before is not called again."""
        try:
            if not self._is_broken:
                self._show(state)
        finally:
            self._display.close()


_CALLED: Final = "the function given as progress"
_NO_LOOP_IN_PROGRESS: Final = (
    f"{_CALLED} is called on the event loop of the run, where no other loop can run: what must"
    " await there goes into a task of that loop, by asyncio.get_running_loop().create_task(...)"
)


class _ProgressFunction:
    """A function of the user's that is told."""

    interval = 0.2

    def __init__(self, function: Callable[[Progress], object]) -> None:
        self._function = function

    def show(self, progress: Progress) -> None:
        """Call it."""
        try:
            given = self._function(progress)
        except BaseException as error:
            raised = _unmistakable_error(error)
            note(raised, f"in progress={short(self._function)}, when it was told: {progress}")
            note_loop_error(raised, _NO_LOOP_IN_PROGRESS)
            if raised is error:
                raise
            raise raised from error
        if inspect.iscoroutine(given):
            given.close()  # or "was never awaited" is printed over the real error
            raise _is_asynchronous_error(self._function)

    def close(self) -> None:
        """There is nothing to close."""


def _unmistakable_error(error: BaseException) -> BaseException:
    """The error itself, but for those that would not be taken for one."""
    if isinstance(error, asyncio.CancelledError):
        return RuntimeError(f"{_CALLED} raised CancelledError, which would stop it unseen")
    return unmistakable(error, _CALLED)


class Tracker:
    """Reads a meter, and remembers enough of what it has read to tell rates."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        #: moments, the oldest first, each with the calls of every step that were done by then, and
        #: that were over
        self._moments: deque[tuple[float, Mapping[str, tuple[int, int]]]] = deque([(0.0, {})])
        #: when each step was last seen to have done nothing yet
        self._idle: dict[str, float] = {}
        #: the rates of steps that took no time, as when they were first seen to be over
        self._averages: dict[str, float] = {}

    def progress(self, state: State = "running") -> Progress:
        """How far the run has come by now."""
        elapsed, counts = self._meter.elapsed - self._meter.began, self._meter.counts()
        now = elapsed - self._meter.paused()  # a pause isn't part of a pace
        steps = tuple(self._step(count, now, state) for count in counts)
        if state in GOES_ON:
            self._remember(counts, now)
        return Progress(elapsed, steps, last_eta(step.eta for step in steps), state)

    def _step(self, count: Count, now: float, state: State) -> StepProgress:
        step = StepProgress(
            count.step,
            count.done,
            count.in_flight,
            count.failed,
            count.expected,
            rate=0.0,
            eta=None,
            waiting=count.waiting,
            blocked=count.is_blocked and state in GOES_ON,
            per_call=count.busy / count.over if count.over else None,
        )
        if state not in GOES_ON or step.is_over:
            # The average, as there is no pace of the moment any more.
            rate = _rate(count.done, count.span)
            if not count.span:
                rate = self._averages.setdefault(count.step, _rate(count.done, now))
            return dataclasses.replace(step, rate=rate, eta=0.0 if state in GOES_ON else None)
        # Where a step is far behind the source, the time before its first item says nothing.
        since, before = self._before(now)
        since = max(since, self._idle.get(count.step, 0.0))
        done, over = before.get(count.step, (0, 0))
        step = dataclasses.replace(step, rate=_rate(count.done - done, now - since))
        # A call that fails is over as well: what is left shrinks by it.
        ends, remaining = _rate(count.over - over, now - since), step.remaining
        if remaining is None or state == "paused":
            return step
        eta = remaining / ends if remaining and ends else 0.0
        if remaining and not ends and not (count.pause and remaining == count.waiting):
            return step
        return dataclasses.replace(step, eta=max(eta, count.pause))

    def _remember(self, counts: Sequence[Count], now: float) -> None:
        for count in counts:
            if not (count.over or count.in_flight or count.waiting):
                self._idle[count.step] = now
        if now - self._moments[-1][0] >= SPACING:
            counted = {count.step: (count.done, count.over) for count in counts}
            self._moments.append((now, counted))

    def _before(self, now: float) -> tuple[float, Mapping[str, tuple[int, int]]]:
        """The moment that rates are told from."""
        while len(self._moments) > 1 and self._moments[1][0] <= now - WINDOW:
            self._moments.popleft()
        return self._moments[0]


def _rate(number: int, seconds: float) -> float:
    return number / seconds if seconds > 0 else 0.0
