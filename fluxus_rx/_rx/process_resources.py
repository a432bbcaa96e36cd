"""What a run opens in each of its processes, before the first call there.

A process that has something open belongs to the run until that is closed, as the last thing that
the process does for the run. One that is ended with its call closes nothing.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from .._common.messages import also_raised, note, shown
from .._common.signatures import is_coroutine_function
from .._errors import InvalidFlowError, InvalidOptionError
from .._options.handed_over import sendable
from .._options.process_pool import kept_in_process
from .._options.processes import Processes
from .run_resources import NeededResources, RunResource, is_manager, late_error
from .scope import Scope

__all__ = ["WithResources", "check_opens_in", "kept_processes", "opened_there"]

_numbers: Final = itertools.count()


def kept_processes(offload: Processes, what: str, scope: Scope) -> tuple[int, NeededResources]:
    """Have a step's processes be those of this run, until what is open in them is closed; the
    number under which they keep that, and what closes it."""
    number = next(_numbers)
    resource = scope.resources.get_or_create(
        ("processes", id(offload)),
        lambda: RunResource(
            scope.resources, what, lambda: _ProcessBlock(offload, number), subject=number
        ),
    )
    return resource.subject, NeededResources([resource])


class _ProcessBlock:
    """The block in which processes have something open for a run."""

    def __init__(self, offload: Processes, number: int) -> None:
        self._offload = offload
        self._number = number

    async def __aenter__(self) -> None:
        self._offload.keep_processes()

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        told = None if error is None else sendable(error)
        errors = await self._offload.let_go(partial(_close_there, self._number, told))
        for late in errors[1:]:
            also_raised(errors[0], late)
        if errors:
            raise errors[0]


def check_opens_in(executor: object, who: str, openers: Mapping[str, Any]) -> None:
    """Refuse what can't be opened in the processes of an executor: `openers` are the factories of
    resources, by name, or without one, what opens a conduit."""
    if executor != "process":
        raise InvalidOptionError(
            f"{who}: executor={shown(executor)} has no way to open something in each process and to"
            ' close it at the end of a run; use executor="process"'
        )
    for name, opener in openers.items():
        if _is_async_opener(opener):
            what = f"the resource {name!r}" if name else "what opens it"
            raise InvalidFlowError(
                f"{who}: {what} is asynchronous, and what runs in a process is plain: use a plain"
                ' client, or threads: executor="thread"'
            )


def _is_async_opener(opener: Any) -> bool:
    """Whether it says that what it returns has to be awaited."""
    if isinstance(opener, type):
        return hasattr(opener, "__aenter__") and not hasattr(opener, "__enter__")
    function = inspect.unwrap(opener)
    return is_coroutine_function(function) or inspect.isasyncgenfunction(function)


# In the process


class WithResources:
    """A function as it is called in a process: with what `factories` make there, by name, the first
    time that the run with this number needs it."""

    def __init__(
        self,
        number: int,
        step: str,
        function: Callable[..., Any],
        factories: Mapping[str, Callable[[], Any]],
    ) -> None:
        self._number = number
        self._step = step
        self._function = function
        self._factories = factories

    def __call__(self, **arguments: Any) -> Any:
        for name, factory in self._factories.items():
            what = f"the resource {name!r} of step {self._step!r}"
            arguments[name] = opened_there(self._number, name, what, factory)
        return self._function(**arguments)

    @property
    def __name__(self) -> str:
        return getattr(self._function, "__name__", type(self._function).__name__)


def opened_there(number: int, name: str, what: str, make: Callable[[], Any]) -> Any:
    """The value of a resource that is open in this process for a run, opened if it is not."""
    opened: _Opened = kept_in_process.setdefault(number, _Opened())
    if name not in opened.values:
        try:
            opened.values[name] = opened.enter(make(), what)
        except BaseException as error:
            note(error, f"as {what} was opened in a process")
            raise
    return opened.values[name]


class _Opened:
    """What one run has open in this process."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self._exits: list[tuple[Callable[..., Any], str]] = []

    def enter(self, made: Any, what: str) -> Any:
        """The value of what was made, once it is entered, if it can be."""
        kind = type(made)
        if inspect.isawaitable(made) or (is_manager(made) and not hasattr(kind, "__enter__")):
            if inspect.iscoroutine(made):
                made.close()  # or it complains that it was never awaited
            raise InvalidFlowError(
                f"{what} is asynchronous ({shown(made)}), and what runs in a process is plain: pass"
                ' it a plain client, or use threads: executor="thread"'
            )
        if not is_manager(made):
            return made
        value = kind.__enter__(made)
        self._exits.append((partial(kind.__exit__, made), what))
        return value

    def close(self, error: BaseException | None) -> None:
        """Leave all, the last one that was entered first; raises the first error in doing so."""
        first: BaseException | None = None
        while self._exits:
            leave, what = self._exits.pop()
            told = error or first
            details = (None, None, None) if told is None else (type(told), told, None)
            try:
                leave(*details)
            except BaseException as raised:
                late = late_error(raised, told, what)
                if first is None:
                    first = late
                elif late is not None:
                    also_raised(first, late)
        if first is not None:
            raise first


def _close_there(number: int, error: BaseException | None) -> None:
    """Close what a run has open in this process."""
    opened = kept_in_process.pop(number, None)
    if opened is not None:
        opened.close(error)
