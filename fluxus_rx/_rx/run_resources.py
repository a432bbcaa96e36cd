"""What a run opens when it is first needed, and closes when all else of it has ended.

Rules of this file:

1. A resource is opened once in a run, before the first call that needs it; another call that needs
it then waits for the same opening. What could not be opened is not opened again. 2. An asynchronous
context manager is entered and left by a task that does nothing else: a task
   group or cancel scope in it stays intact, and no cancellation breaks into leaving it.
3. When all calls have ended, resources are left one by one, the one that was entered last first.
   Each is told the error that the run ends with, can't keep it from being raised, and is left once.
   An error of leaving is never lost.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import AsyncGenerator, Callable, Generator, Hashable, Sequence
from functools import partial
from typing import Any, Final

from .._common.messages import note, shown
from .._errors import InvalidFlowError
from .._streams.context import unmistakable

__all__ = [
    "NeededResources",
    "Resources",
    "RunResource",
    "is_async_manager",
    "is_manager",
    "late_error",
]

#: where locks come from that are entered by the calls that take them: such a lock is passed on as
#: it is
_LOCK_MODULES: Final = frozenset({"asyncio.locks", "threading", "_thread"})


def is_async_manager(thing: object) -> bool:
    """Whether it is an asynchronous context manager, which may be a plain one as well."""
    return hasattr(type(thing), "__aenter__") and hasattr(type(thing), "__aexit__")


def is_manager(thing: object) -> bool:
    """Whether it is a context manager, a plain or an asynchronous one, that opens something."""
    kind = type(thing)
    plain = hasattr(kind, "__enter__") and hasattr(kind, "__exit__")
    return (plain or is_async_manager(thing)) and kind.__module__ not in _LOCK_MODULES


class RunResource:
    """One thing that a run opens; `value` is what there is of it then.

    `make` returns a context manager, whose value is what it yields when it is entered; or anything
    else, which is the value, after it was awaited if it can be. `what` is what messages call it.
    `check` is called with the value, and may refuse it. `subject` is kept for callers that ask for
    it.
    """

    __slots__ = (
        "_check", "_context", "_keeper", "_make", "_manager", "_opened", "_run", "_told", "_what",
        "is_open", "subject", "value",
    )  # fmt: skip

    def __init__(
        self,
        run: Resources,
        what: str,
        make: Callable[[], Any],
        *,
        check: Callable[[Any], None] | None = None,
        subject: Any = None,
    ) -> None:
        self._run = run
        self._what = what
        self._make = make
        self._check = check
        self.subject = subject
        self.is_open = False
        self.value: Any = None
        #: what has to be left, if anything
        self._manager: Any = None
        #: the one that a plain manager was entered in
        self._context: contextvars.Context | None = None
        #: done once it is open, or can't be opened
        self._opened: asyncio.Future[None] | None = None
        #: enters, and leaves when it is told to, what has to be awaited for that
        self._keeper: asyncio.Task[None] | None = None
        #: the error that the run ends with, once it is to be left
        self._told: asyncio.Future[BaseException | None] | None = None

    # Opening

    def try_open(self) -> bool:
        """Open it if nothing has to be awaited for that; whether it is open."""
        if self.is_open or self._opened is not None:
            return self.is_open
        self._run.check_open()
        self._opened = self._run.loop.create_future()
        try:
            made = self._made(self._make())
            if not _is_awaited(made):
                self._context = contextvars.copy_context()
                self._context.run(self._enter_plainly, made)
                return True
        except BaseException as error:
            raised = self._failed(error)
            if raised is error:
                raise
            raise raised from error
        self._begin(made)
        return False

    async def open(self) -> None:
        """Open it, or wait until it is; raises what it can't be opened by."""
        if not self.try_open():
            assert self._opened is not None
            await asyncio.shield(self._opened)  # which many may wait for

    def _made(self, made: Any) -> Any:
        if isinstance(made, Generator | AsyncGenerator):
            kind = "async" if isinstance(made, AsyncGenerator) else ""
            raise InvalidFlowError(
                f"{self._what} is {shown(made)}, which nobody would close: put"
                f" @contextlib.{kind}contextmanager in front of the function that returns it"
            )
        return made

    def _enter_plainly(self, made: Any) -> None:
        self._set_open(made, type(made).__enter__(made) if is_manager(made) else made)

    def _begin(self, made: Any) -> None:
        self._told = self._run.loop.create_future()
        self._keeper = asyncio.Task(self._keep(made), loop=self._run.loop)
        self._keeper.add_done_callback(partial(self._let_go, made))
        self._run.opening[self] = None

    def _let_go(self, made: Any, keeper: asyncio.Task[None]) -> None:
        """The keeper has ended; it may not have begun."""
        if self._opened is not None and not self._opened.done():
            self._opened.cancel()
            self._run.opening.pop(self, None)
            if inspect.iscoroutine(made):
                made.close()  # or it complains that it was never awaited

    async def _keep(self, made: Any) -> None:
        """Enter it, and leave it when that is told, or the task is cancelled, as a task group does
        with the one that it was entered by."""
        assert self._told is not None
        try:
            while _is_awaited(made) and not is_manager(made):
                made = self._made(await made)
            if _is_awaited(made):
                self._set_open(made, await type(made).__aenter__(made))
            else:
                self._enter_plainly(made)
        except BaseException as raised:
            self._failed(raised)
        if self not in self._run.open:
            return  # there is nothing to leave
        interrupted: BaseException | None = None
        while not self._told.done():
            try:
                await asyncio.wait([self._told])
            except asyncio.CancelledError as cancelled:
                # By a task group in it one of whose tasks has failed, or by the loop at its end.
                # The calls that use it have to end first.
                interrupted = cancelled
                self._run.interrupt(cancelled)
        error = interrupted or self._told.result()
        try:
            if (late := await self._leave(error)) is not None:
                self._run.errors.append(late)
        finally:
            del error, interrupted  # they know this frame

    def _set_open(self, made: Any, value: Any) -> None:
        if is_manager(made):
            self._manager = made
            self._run.open[self] = None  # from now on it has to be left, whatever comes
        if self._check is not None:
            self._check(value)
        self.value = value
        self.is_open = True
        self._run.opening.pop(self, None)
        assert self._opened is not None
        if not self._opened.done():
            self._opened.set_result(None)

    def _failed(self, error: BaseException) -> BaseException:
        """Tell all who wait that it can't be opened; the error to raise."""
        raised = unmistakable(error, self._what)
        note(raised, f"as {self._what} was opened")
        self._run.opening.pop(self, None)
        assert self._opened is not None
        if self._opened.done():
            pass
        elif isinstance(raised, asyncio.CancelledError):
            self._opened.cancel()
        else:
            self._opened.set_exception(raised)
            self._opened.exception()  # that nobody waits for it isn't a reason to complain
        return raised

    # Closing

    def cancel_opening(self) -> None:
        """Open it no longer."""
        if self._keeper is not None:
            self._keeper.cancel()

    async def wait_opened(self) -> None:
        """Wait until it is open, or won't be."""
        if self._opened is not None and not self._opened.done():
            await asyncio.wait([self._opened])

    async def close(self, error: BaseException | None) -> None:
        """Leave it, after an error if there is one. Cancelled, this can be called again, and goes
        on where it was."""
        if self._keeper is None:
            self._run.open.pop(self)
            self._leave_plainly(error)
            return
        if self._told is not None and not self._told.done():
            self._told.set_result(error)
        await asyncio.wait([self._keeper])
        self._told = None  # it knows the error
        self._run.open.pop(self, None)

    def _leave_plainly(self, error: BaseException | None) -> None:
        assert self._context is not None
        kind = type(self._manager)
        try:
            self._context.run(kind.__exit__, self._manager, *_details(error))
        except BaseException as raised:
            if (late := late_error(raised, error, self._what)) is not None:
                self._run.errors.append(late)

    async def _leave(self, error: BaseException | None) -> BaseException | None:
        """Leave what was entered; what to raise because of that."""
        kind = type(self._manager)
        try:
            if is_async_manager(self._manager):
                await kind.__aexit__(self._manager, *_details(error))
            else:
                kind.__exit__(self._manager, *_details(error))
        except BaseException as raised:
            return late_error(raised, error, self._what)
        return None


def late_error(
    raised: BaseException, error: BaseException | None, what: str
) -> BaseException | None:
    """The error to raise for one that came up in closing `what` after `error`, if it is another."""
    kinds = asyncio.CancelledError | GeneratorExit
    if raised is error or (isinstance(raised, kinds) and isinstance(error, kinds)):
        return None
    late = unmistakable(raised, what)
    note(late, f"as {what} was closed")
    return late


def _is_awaited(made: object) -> bool:
    """Whether it has to be awaited before there is something to pass on."""
    return is_async_manager(made) if is_manager(made) else inspect.isawaitable(made)


def _details(error: BaseException | None) -> tuple[Any, Any, Any]:
    """What a context manager is told of an error, or of none."""
    return (None, None, None) if error is None else (type(error), error, error.__traceback__)


class Resources:
    """All resources of one run. `fail` ends the run, because of an error of one of them."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, fail: Callable[[BaseException], None]
    ) -> None:
        self.loop = loop
        self._fail = fail
        self._known: dict[Hashable, RunResource] = {}
        #: those that have to be left, in the order in which they were entered
        self.open: dict[RunResource, None] = {}
        #: those that are being opened
        self.opening: dict[RunResource, None] = {}
        #: what went wrong in leaving them
        self.errors: list[BaseException] = []
        #: what ends the run, if that is a resource which was cancelled from the inside
        self.interruption: asyncio.CancelledError | None = None
        self._is_closing = False

    def get_or_create(self, key: Hashable, make: Callable[[], RunResource]) -> RunResource:
        """The resource of this run under `key`."""
        if key not in self._known:
            self._known[key] = make()
        return self._known[key]

    def check_open(self) -> None:
        """Raise CancelledError if the run is at its end, and opens nothing more."""
        if self._is_closing:
            raise asyncio.CancelledError("the run has ended")

    def interrupt(self, cancelled: asyncio.CancelledError) -> None:
        """A resource is to be left before the run is at its end: end the run."""
        if not self._is_closing and self.interruption is None:
            self.interruption = cancelled
            # Not in the task that was cancelled, or it would pass for the cancellation of the run.
            self.loop.call_soon(self._fail, cancelled)

    def cancel(self) -> None:
        """Open nothing more; what is being opened is cancelled."""
        self._is_closing = True
        for resource in [*self.opening]:
            resource.cancel_opening()

    async def close(self, error: BaseException | None) -> None:
        """Leave all, the last one that was entered first. Cancelled, this can be called again, and
        goes on where it was."""
        self.cancel()
        while self.opening:
            await next(iter(self.opening)).wait_opened()
        while self.open:
            told = error
            if told is None and self.errors:
                told = self.errors[0]
            await next(reversed(self.open)).close(told)

    @property
    def is_closed(self) -> bool:
        """Whether nothing is open."""
        return not (self.open or self.opening)


class NeededResources:
    """What the calls of one step need; `take` is called with their values, once all are open."""

    __slots__ = ("_resources", "_take", "is_open")

    def __init__(
        self,
        resources: Sequence[RunResource],
        take: Callable[[list[Any]], None] | None = None,
    ) -> None:
        self._resources = resources
        self._take = take
        self.is_open = False

    def try_open(self) -> bool:
        """Open them, as far as nothing has to be awaited for that; whether all are open."""
        if not self.is_open and all(one.try_open() for one in self._resources):
            self._set_open()
        return self.is_open

    async def open(self) -> None:
        """Open them, one after the other."""
        for one in self._resources:
            await one.open()
        self._set_open()

    def _set_open(self) -> None:
        if not self.is_open and self._take is not None:
            self._take([one.value for one in self._resources])
        self.is_open = True
