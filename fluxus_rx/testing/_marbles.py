"""Sources that are drawn: Observables whose items, times and end a marble diagram says."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from reactivex import Observable, abc
from reactivex.disposable import CompositeDisposable
from reactivex.scheduler import VirtualTimeScheduler
from reactivex.scheduler.eventloop import AsyncIOScheduler

from .._common.messages import shown
from .._errors import InvalidOptionError, UsageError
from ._diagrams import ENDS, NEXT, Event, by_time, checked_seconds, parse

__all__ = ["Marbles", "hot_marbles", "marbles", "on_this_loop"]


class Marbles(Observable[Any]):
    """An Observable that a diagram describes; see `marbles` and `hot_marbles`."""

    def __init__(
        self,
        diagram: str,
        values: Mapping[Any, Any] | None,
        error: BaseException | None,
        unit: float,
    ) -> None:
        super().__init__()
        self.diagram = diagram
        self.unit = checked_seconds(unit)
        if error is not None and not isinstance(error, Exception):
            raise InvalidOptionError(f"error={shown(error)}: expected an exception, such as {_EG}")
        if values is not None and not isinstance(values, Mapping):
            raise InvalidOptionError(
                f"values={shown(values)}: expected a mapping of elements of the diagram to items"
            )
        failure = Exception("error") if error is None else error
        events, _ = parse(diagram, values, failure, self.unit)
        self._frames: Sequence[tuple[float, list[Event]]] = by_time(events)

    def _subscribe_core(
        self, observer: abc.ObserverBase[Any], scheduler: abc.SchedulerBase | None = None
    ) -> abc.DisposableBase:
        timers = scheduler if scheduler is not None else on_this_loop(self)
        passed = self._passed(timers)
        scheduled = CompositeDisposable()
        for time, events in self._frames:
            if time < passed and events[-1].kind == NEXT:
                continue
            action = _telling(
                observer, [one for one in events if one.kind != NEXT or time >= passed]
            )
            due = timedelta(0) if time <= passed else max(0.0, time - passed)
            scheduled.add(timers.schedule_relative(due, action))
        return scheduled

    def _passed(self, timers: abc.SchedulerBase) -> float:
        """How much of the diagram is over when somebody subscribes."""
        return 0.0

    def __repr__(self) -> str:
        unit = "" if self.unit == 1.0 else f", unit={self.unit:g}"
        return f"{self._name}({self.diagram!r}{unit})"

    _name = "marbles"


_EG = "ValueError('broken')"


class _Hot(Marbles):
    """One whose time goes on whether somebody is subscribed or not."""

    _name = "hot_marbles"

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        loop = asyncio._get_running_loop()
        self._began = None if loop is None else loop.time()

    def _passed(self, timers: abc.SchedulerBase) -> float:
        loop = getattr(timers, "_loop", None)
        now: float = timers.to_seconds(timers.now) if loop is None else loop.time()
        if self._began is None:
            is_virtual = isinstance(timers, VirtualTimeScheduler)
            self._began = 0.0 if is_virtual or getattr(loop, "is_virtual", False) else now
        return max(0.0, now - self._began)


def on_this_loop(source: object) -> AsyncIOScheduler:
    """A scheduler on the running loop, for `source`, which was given none."""
    try:
        return AsyncIOScheduler(asyncio.get_running_loop())
    except RuntimeError:
        raise UsageError(
            f"{source!r} needs a clock, and no event loop is running here: subscribe inside a"
            " coroutine (run_virtual(main())), or pass scheduler="
        ) from None


def _telling(observer: abc.ObserverBase[Any], events: Sequence[Event]) -> Any:
    # All of one time in one action: actions that are due together may come in any order.
    def action(scheduler: abc.SchedulerBase, state: Any = None) -> None:
        for event in events:
            if event.kind == NEXT:
                observer.on_next(event.value)
            elif event.kind == ENDS:
                observer.on_completed()
            else:
                observer.on_error(event.value)

    return action


def marbles(
    diagram: str,
    *,
    values: Mapping[Any, Any] | None = None,
    error: BaseException | None = None,
    unit: float = 1.0,
) -> Marbles:
    """An Observable that gives what a marble diagram shows, when it shows it.

    Each character takes one `unit` of seconds. The notation is that of reactivex's own marbles, and
    a diagram means the same there:

    - `-` lets time pass, and so does each character of anything else;
    - `|` ends the source, `#` is an error: `error`, or `Exception("error")`;
    - any other characters in a row are *one* item: `ab` is one, `a-b` are two;
    - `(a,b)` are several at one time, that of the opening bracket; each of its five characters
      takes a unit of time, too;
    - spaces mean nothing, and are there to align diagrams.

    An item is what `values` has for it, by the element as it is written, or as a number. Without
    `values` it stands for itself: the string `"a"`, or the number `12` where it reads as one.

    Cold: each subscription begins anew, at the first character. It goes by the clock of the
    scheduler that it is subscribed with, else by that of the running loop; on a `VirtualTimeLoop`
    it takes no real time. It stands wherever an Observable does: in `step("src", marbles(...))`,
    where values are mappings, before Rx operators, and before a transformer. It waits for nobody: a
    slow step behind it finds the items waiting. Without `|` or `#` it never ends.

    Raises `InvalidDiagramError` (a ValueError) that shows the place in a bad diagram, ValueError
    for a bad `unit`, `values` or `error`, and TypeError for a diagram that is no string.

    >>> from reactivex import operators as ops
    >>> from fluxus_rx.testing import run_virtual
    >>> async def main():
    ...     return await marbles("-a-1-(b,c)|", unit=60).pipe(ops.to_list())
    >>> run_virtual(main())
    ['a', 1, 'b', 'c']
    >>> marbles("-a-(b")
    Traceback (most recent call last):
        ...
    fluxus_rx.testing.InvalidDiagramError: this bracket is never closed, or another one is ...
      -a-(b
         ^
    """
    return Marbles(diagram, values, error, unit)


def hot_marbles(
    diagram: str,
    *,
    values: Mapping[Any, Any] | None = None,
    error: BaseException | None = None,
    unit: float = 1.0,
) -> Marbles:
    """The same as `marbles`, hot: its time goes on whether anybody is subscribed or not.

    Who subscribes later gets what is still to come, from that moment on; after the end, the end
    alone. Its time begins when it is made, inside of a coroutine; made elsewhere, with the clock of
    the virtual time in which it is used (at 0), or, in real time, with its first subscription.

    >>> import asyncio
    >>> from reactivex import operators as ops
    >>> from fluxus_rx.testing import run_virtual
    >>> async def main():
    ...     source = hot_marbles("a-b-c-|")
    ...     await asyncio.sleep(3)
    ...     return await source.pipe(ops.to_list())
    >>> run_virtual(main())
    ['c']
    """
    return _Hot(diagram, values, error, unit)
