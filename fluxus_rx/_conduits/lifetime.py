"""Conduits that are opened for each run: as context managers, or by a method `opened`.

Each run opens a shallow copy of its own, and makes its calls there. So what the block sets on
`self` belongs to that run, whatever else runs at the same time.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar

from .._common.messages import also_raised, note, shown
from .._errors import InvalidFlowError
from .._loops.inbox import running_loop
from .._options.offload import Offload
from .._rx.run_resources import (
    NeededResources,
    RunResource,
    is_async_manager,
    is_manager,
    late_error,
)
from .._rx.scope import Scope
from .._streams.context import unmistakable
from .._streams.iteration import Reader, aclose_all
from .conduit import Conduit
from .iterables import MethodCall, OpenedThere

__all__ = ["ConduitBlock", "ConduitInRun", "conduit_in_run", "opened_products"]

_C = TypeVar("_C", bound=Conduit)


class ConduitInRun(NamedTuple, Generic[_C]):
    """How a conduit is called in one run: what the calls are made on, what has to be open before,
    and what makes a call one of a process, where they are made in processes."""

    conduit: _C
    needs: NeededResources
    opened_there: OpenedThere | None = None


def conduit_in_run(conduit: _C, scope: Scope, offload: Offload | None) -> ConduitInRun[_C]:
    """How a conduit is called in one run, which has a copy of its own; the same for all places of
    the conduit there. Off the loop in processes, each process has one."""
    original = conduit._flow_original
    if offload is not None:
        from .._options.processes import Processes

        if isinstance(offload, Processes):
            from .._rx.process_resources import kept_processes

            number, needs = kept_processes(offload, conduit.name, scope)
            return ConduitInRun(original, needs, partial(_OpenedThere, number))
    if conduit._flow_is_open:  # a method of it calls itself
        return ConduitInRun(conduit, NeededResources([]))
    resource = scope.resources.get_or_create(
        ("conduit", id(original)), partial(_conduit_resource, original, scope)
    )
    _, mine = resource.subject
    return ConduitInRun(mine, NeededResources([resource]))


class _OpenedThere:
    """A call of a method in a process, on the conduit that is open there for a run."""

    def __init__(self, number: int, call: MethodCall) -> None:
        self._number = number
        self._call = call

    def __call__(self) -> Any:
        from .._rx.process_resources import opened_there

        mine = self._call.conduit
        block = opened_there(self._number, "", mine.name, partial(ConduitBlock, mine))
        return self._call.on(block)()

    @property
    def __name__(self) -> str:
        return self._call.__name__


def opened_products(producer: Any, scope: Scope, awaits: bool, offload: Offload | None) -> Any:
    """The products of a producer, once the run has opened it."""
    mine, needs, opened_there = conduit_in_run(producer, scope, offload)
    make = partial(mine._flow_products, awaits, offload, opened_there)
    # Elsewhere it is only subscribed to, by a thread that has nothing to do with the loop.
    if running_loop() is scope.loop and needs.try_open():
        return make()
    return _OpenedItems(needs, make)


class _OpenedItems(AsyncIterator[Any]):
    """The items of what `make` returns, which is called when all that it needs is open."""

    def __init__(self, needs: NeededResources, make: Callable[[], Any]) -> None:
        self._needs = needs
        self._make = make
        self._items: Any = None
        self._reader: Reader[Any] | None = None

    async def __anext__(self) -> Any:
        if self._items is None:
            await self._needs.open()
            self._items = self._make()
            if hasattr(self._items, "__anext__"):
                self._reader = Reader(self._items)
        if self._reader is not None:
            return await self._reader.next()
        for item in self._items:
            return item
        raise StopAsyncIteration

    async def athrow(self, error: BaseException) -> Any:
        """Throw an error into the items, if they take it."""
        if self._reader is None:
            raise error
        self._reader.throw(error)
        return await self._reader.next()

    async def aclose(self) -> None:
        """Close the items."""
        await aclose_all([self._items])


def _conduit_resource(conduit: Conduit, scope: Scope) -> RunResource:
    mine = _copy_to_open(conduit)
    return RunResource(
        scope.resources,
        conduit.name,
        partial(_manager_of, mine),
        check=_value_check(mine),
        # The conduit too: as long as it lives, no other one has its id.
        subject=(conduit, mine),
    )


def _copy_to_open(conduit: _C) -> _C:
    """A copy that a run opens. What it calls of itself is a call of the same conduit, and open."""
    mine = conduit._flow_copy()
    object.__setattr__(mine, "_flow_copied", conduit._flow_original)
    object.__setattr__(mine, "_flow_is_open", True)
    return mine


def _manager_of(conduit: Any) -> Any:
    """The context manager that opens this copy of a conduit."""
    if not callable(getattr(type(conduit), "opened", None)):
        return conduit
    manager = conduit.opened()
    if not is_manager(manager):
        if inspect.iscoroutine(manager):
            manager.close()  # or it complains that it was never awaited
        raise InvalidFlowError(
            f"{conduit.name}.opened() returned {shown(manager)}; it must return a context manager:"
            " put @contextlib.asynccontextmanager, or @contextlib.contextmanager, in front of it,"
            " and `yield` once in it"
        )
    return manager


def _value_check(conduit: Any) -> Callable[[Any], None] | None:
    """Refuses what `opened` yields, which a call could not get at."""
    if not callable(getattr(type(conduit), "opened", None)):
        return None

    def check(value: Any) -> None:
        if value is not None and value is not conduit:
            raise InvalidFlowError(
                f"{conduit.name}.opened() yielded {shown(value)}, which no call would get: set it"
                " on self, as in `async with connect() as self.client: yield`"
            )

    return check


class ConduitBlock(Generic[_C]):
    """A conduit while one run of it lasts: a block around its calls, plain or asynchronous as what
    opens it is. The block yields the copy that is opened, and keeps no error from being raised."""

    def __init__(self, conduit: _C) -> None:
        self._mine = _copy_to_open(conduit)
        self._manager = _manager_of(self._mine)
        self._check = _value_check(self._mine)
        #: whether it has to be awaited
        self.is_async = is_async_manager(self._manager)

    def __enter__(self) -> _C:
        try:
            value = type(self._manager).__enter__(self._manager)
        except BaseException as error:
            raised = self._explained(error)
            if raised is error:
                raise
            raise raised from error
        try:
            self._verify(value)
        except BaseException as error:
            self.__exit__(type(error), error, error.__traceback__)
            raise
        return self._mine

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            type(self._manager).__exit__(self._manager, kind, error, trace)
        except BaseException as raised:
            self._raise_late(raised, error)

    async def __aenter__(self) -> _C:
        if not self.is_async:
            return self.__enter__()
        try:
            value = await type(self._manager).__aenter__(self._manager)
        except BaseException as error:
            raised = self._explained(error)
            if raised is error:
                raise
            raise raised from error
        try:
            self._verify(value)
        except BaseException as error:
            await self.__aexit__(type(error), error, error.__traceback__)
            raise
        return self._mine

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not self.is_async:
            self.__exit__(kind, error, trace)
            return
        try:
            await type(self._manager).__aexit__(self._manager, kind, error, trace)
        except BaseException as raised:
            self._raise_late(raised, error)

    def _verify(self, value: Any) -> None:
        if self._check is not None:
            self._check(value)

    def _explained(self, error: BaseException) -> BaseException:
        raised = unmistakable(error, self._mine.name)
        note(raised, f"as {self._mine.name} was opened")
        return raised

    def _raise_late(self, raised: BaseException, error: BaseException | None) -> None:
        late = late_error(raised, error, self._mine.name)
        if late is None:
            return
        # What comes of a cancellation is the error, as that of a task group is.
        if error is None or isinstance(error, asyncio.CancelledError):
            raise late
        also_raised(error, late)
